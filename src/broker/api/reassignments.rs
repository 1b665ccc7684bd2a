//! Where partitions are: `AlterPartitionReassignments`, `ListPartitionReassignments`, `AlterReplicaLogDirs`.
//!
//! There is one broker and one folder, so what is asked to be there is done, and nothing is ever under way.

use std::sync::Arc;

use kafka_protocol::error::ResponseError as Code;
use kafka_protocol::messages::alter_partition_reassignments_response::{
    ReassignablePartitionResponse, ReassignableTopicResponse,
};
use kafka_protocol::messages::alter_replica_log_dirs_response::{
    AlterReplicaLogDirPartitionResult, AlterReplicaLogDirTopicResult,
};
use kafka_protocol::messages::{
    AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse,
    AlterReplicaLogDirsRequest, AlterReplicaLogDirsResponse, BrokerId,
    ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse,
};
use kafka_protocol::protocol::StrBytes;

use super::Call;
use super::topics::here;
use crate::auth::acl::{Operation, Resource};

const DENIED: &str = "Cluster authorization failed.";

pub(super) async fn alter(
    call: Arc<Call>,
    request: AlterPartitionReassignmentsRequest,
) -> AlterPartitionReassignmentsResponse {
    let answer = AlterPartitionReassignmentsResponse::default().with_error_message(None);
    if !call.may(Operation::Alter, Resource::CLUSTER) {
        return answer
            .with_error_code(Code::ClusterAuthorizationFailed.code())
            .with_error_message(Some(StrBytes::from_static_str(DENIED)));
    }
    let topics = request.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.into_iter().map(|one| {
            let index = one.partition_index;
            let answer = ReassignablePartitionResponse::default().with_partition_index(index);
            match placed(&call, &topic.name, index, one.replicas.as_deref()) {
                Ok(()) => answer.with_error_message(None),
                Err((code, why)) => answer
                    .with_error_code(code.code())
                    .with_error_message(why.map(StrBytes::from_string)),
            }
        });
        let partitions = partitions.collect();
        ReassignableTopicResponse::default().with_name(topic.name).with_partitions(partitions)
    });
    answer.with_responses(topics.collect())
}

/// Whether a partition is on those brokers; without any, whether a move could be taken back.
fn placed(
    call: &Call,
    topic: &str,
    index: i32,
    brokers: Option<&[BrokerId]>,
) -> Result<(), (Code, Option<String>)> {
    let unknown = |why| Err((Code::UnknownTopicOrPartition, Some(why)));
    let Some(state) = call.hub().topic_state(topic) else {
        return unknown(format!("Unable to find a topic named {topic}."));
    };
    if state.partition(index).is_none() {
        return unknown(format!("Unable to find partition {topic}:{index}."));
    }
    match brokers {
        None => Err((Code::NoReassignmentInProgress, None)),
        Some(brokers) => here(brokers).map_err(|(code, why)| (code, Some(why))),
    }
}

pub(super) async fn list(
    call: Arc<Call>,
    _request: ListPartitionReassignmentsRequest,
) -> ListPartitionReassignmentsResponse {
    let answer = ListPartitionReassignmentsResponse::default();
    if call.may(Operation::Describe, Resource::CLUSTER) {
        return answer.with_error_message(None);
    }
    answer
        .with_error_code(Code::ClusterAuthorizationFailed.code())
        .with_error_message(Some(StrBytes::from_static_str(DENIED)))
}

pub(super) async fn alter_log_dirs(
    call: Arc<Call>,
    request: AlterReplicaLogDirsRequest,
) -> AlterReplicaLogDirsResponse {
    let allowed = call.may(Operation::Alter, Resource::CLUSTER);
    let here = call.hub().folder().display().to_string();
    let mut results: Vec<AlterReplicaLogDirTopicResult> = Vec::new();
    for folder in request.dirs {
        for topic in folder.topics {
            let state = call.hub().topic_state(&topic.name);
            let partitions = topic.partitions.into_iter().map(|index| {
                let is_there = state.as_ref().is_some_and(|state| state.partition(index).is_some());
                let code = if !allowed {
                    Code::ClusterAuthorizationFailed.code()
                } else if folder.path.as_str() != here {
                    Code::LogDirNotFound.code()
                } else if !is_there {
                    Code::UnknownTopicOrPartition.code()
                } else {
                    0
                };
                AlterReplicaLogDirPartitionResult::default()
                    .with_partition_index(index)
                    .with_error_code(code)
            });
            let partitions: Vec<_> = partitions.collect();
            match results.iter_mut().find(|known| known.topic_name == topic.name) {
                Some(known) => known.partitions.extend(partitions),
                None => results.push(
                    AlterReplicaLogDirTopicResult::default()
                        .with_topic_name(topic.name)
                        .with_partitions(partitions),
                ),
            }
        }
    }
    AlterReplicaLogDirsResponse::default().with_results(results)
}
