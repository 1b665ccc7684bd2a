//! What tools ask about the cluster: the broker, its disks, its leaders, its producers.

use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::error::ResponseError as Code;
use kafka_protocol::messages::describe_cluster_response::DescribeClusterBroker;
use kafka_protocol::messages::describe_log_dirs_response::{
    DescribeLogDirsPartition, DescribeLogDirsResult, DescribeLogDirsTopic,
};
use kafka_protocol::messages::describe_producers_response::{
    PartitionResponse, ProducerState, TopicResponse,
};
use kafka_protocol::messages::elect_leaders_request::TopicPartitions;
use kafka_protocol::messages::elect_leaders_response::{PartitionResult, ReplicaElectionResult};
use kafka_protocol::messages::{
    BrokerId, DescribeClusterRequest, DescribeClusterResponse, DescribeLogDirsRequest,
    DescribeLogDirsResponse, DescribeProducersRequest, DescribeProducersResponse,
    ElectLeadersRequest, ElectLeadersResponse, TopicName,
};
use kafka_protocol::protocol::{Decodable, Encodable, StrBytes};

use super::reply::{Pending, Reply, later, whole};
use super::session::Call;
use crate::auth::acl::{Operation, Resource};
use crate::broker::NODE;
use crate::hub::embedded::TopicState;
use crate::log::Partition;

/// The type of an endpoint that brokers are at.
const BROKERS: i8 = 1;
/// The version of `DescribeLogDirs` from which each folder tells whether new partitions are kept away from it.
const CORDONED_FROM: i16 = 5;
const MISSING: &str = "This server does not host this topic-partition.";

pub(super) async fn describe(
    call: Arc<Call>,
    request: DescribeClusterRequest,
) -> DescribeClusterResponse {
    let told = request.include_cluster_authorized_operations;
    let (host, port) = &call.session.advertised;
    let broker = DescribeClusterBroker::default()
        .with_broker_id(BrokerId(NODE))
        .with_host(StrBytes::from_string(host.clone()))
        .with_port(i32::from(*port));
    if let Some((code, why)) = wrong_endpoint(&call, request.endpoint_type) {
        return DescribeClusterResponse::default()
            .with_error_code(code.code())
            .with_error_message(Some(StrBytes::from_string(why)))
            .with_endpoint_type(BROKERS)
            .with_controller_id(BrokerId(-1));
    }
    DescribeClusterResponse::default()
        .with_endpoint_type(BROKERS)
        .with_cluster_id(StrBytes::from_string(call.hub().id().to_owned()))
        .with_controller_id(BrokerId(NODE))
        .with_brokers(vec![broker])
        .with_cluster_authorized_operations(call.authorized(told, Resource::CLUSTER))
}

/// What is wrong with the endpoint that a client wants: there are brokers here (KIP-919).
fn wrong_endpoint(call: &Call, wanted: i8) -> Option<(Code, String)> {
    match wanted {
        _ if call.version < 1 => None,
        BROKERS => None,
        2 => {
            let why = "The request was sent to an endpoint of type BROKER, but we wanted an endpoint of type CONTROLLER";
            Some((Code::MismatchedEndpointType, why.to_owned()))
        }
        other => {
            Some((Code::UnsupportedEndpointType, format!("Unsupported endpoint type {other}")))
        }
    }
}

/// Answers `DescribeLogDirs`, also in the version that the decoder does not know.
pub(super) fn begin_log_dirs(call: Arc<Call>, mut body: Bytes) -> Option<Pending> {
    if call.version < CORDONED_FROM {
        return later(call, body, log_dirs);
    }
    let request = DescribeLogDirsRequest::decode(&mut body, call.coded).ok()?;
    Some(Box::pin(async move {
        let answer = log_dirs(Arc::clone(&call), request).await;
        let mut body = BytesMut::new();
        let encoded = answer.encode(&mut body, call.coded).ok();
        // The one folder is the last of the answer; behind what is new are its own tagged fields and those of the whole.
        if let (false, Some(end)) = (answer.results.is_empty(), body.len().checked_sub(2)) {
            let tags = body.split_off(end);
            body.put_u8(0);
            body.extend_from_slice(&tags);
        }
        let frame = encoded.and_then(|()| whole(call.correlation, &body));
        frame.map_or(Reply::Close, Reply::Frame)
    }))
}

async fn log_dirs(call: Arc<Call>, request: DescribeLogDirsRequest) -> DescribeLogDirsResponse {
    if !call.may(Operation::Describe, Resource::CLUSTER) {
        // Before version 3 nothing tells why there is nothing.
        let code = if call.version < 3 { 0 } else { Code::ClusterAuthorizationFailed.code() };
        return DescribeLogDirsResponse::default().with_error_code(code);
    }
    let mut topics = Vec::new();
    for state in call.hub().topic_states() {
        let name = &state.topic.name;
        let named = request.topics.as_ref().map(|topics| {
            topics.iter().find(|topic| topic.topic.as_str() == name).map(|topic| &topic.partitions)
        });
        let wanted = |index: i32| match named {
            None => true,
            Some(None) => false,
            Some(Some(numbers)) => numbers.contains(&index),
        };
        let size =
            |partition: &Partition| i64::try_from(partition.size_bytes()).unwrap_or(i64::MAX);
        let partitions: Vec<DescribeLogDirsPartition> = (0..)
            .zip(&state.partitions)
            .filter(|(index, _)| wanted(*index))
            .map(|(index, partition)| {
                DescribeLogDirsPartition::default()
                    .with_partition_index(index)
                    .with_partition_size(size(partition))
            })
            .collect();
        if !partitions.is_empty() {
            let name = TopicName(StrBytes::from_string(name.clone()));
            topics
                .push(DescribeLogDirsTopic::default().with_name(name).with_partitions(partitions));
        }
    }
    let (total, usable) = call.hub().disk_bytes();
    let result = DescribeLogDirsResult::default()
        .with_log_dir(StrBytes::from_string(call.hub().folder().display().to_string()))
        .with_topics(topics)
        .with_total_bytes(total)
        .with_usable_bytes(usable);
    DescribeLogDirsResponse::default().with_results(vec![result])
}

pub(super) async fn elect_leaders(
    call: Arc<Call>,
    request: ElectLeadersRequest,
) -> ElectLeadersResponse {
    let kind = if call.version >= 1 { request.election_type } else { 0 };
    let whole = if !call.may(Operation::Alter, Resource::CLUSTER) {
        Some((Code::ClusterAuthorizationFailed, "Cluster authorization failed.".to_owned()))
    } else if !(0..=1).contains(&kind) {
        Some((Code::InvalidRequest, format!("Unknown election type {kind}")))
    } else {
        None
    };
    let all = || {
        let state = |state: &Arc<TopicState>| {
            let name = TopicName(StrBytes::from_string(state.topic.name.clone()));
            TopicPartitions::default().with_topic(name)
        };
        call.hub().topic_states().iter().map(state).collect()
    };
    let topics = request.topic_partitions.unwrap_or_else(all).into_iter().map(|topic| {
        let name = topic.topic.as_str();
        let state = call.hub().topic_state(name);
        let partitions = topic.partitions.iter().map(|index| {
            let unknown = |why| (Code::UnknownTopicOrPartition, why);
            let (code, why) = match (&whole, &state) {
                (Some(refused), _) => refused.clone(),
                (None, None) => unknown(format!("No such topic as {name}")),
                (None, Some(state)) if state.partition(*index).is_none() => {
                    unknown(format!("No such partition as {name}-{index}"))
                }
                (None, Some(_)) => {
                    let why = "Leader election not needed for topic partition.";
                    (Code::ElectionNotNeeded, why.to_owned())
                }
            };
            PartitionResult::default()
                .with_partition_id(*index)
                .with_error_code(code.code())
                .with_error_message(Some(StrBytes::from_string(why)))
        });
        let partitions = partitions.collect();
        ReplicaElectionResult::default().with_topic(topic.topic).with_partition_result(partitions)
    });
    let topics = topics.collect();
    let code = whole.as_ref().map_or(0, |(code, _)| code.code());
    ElectLeadersResponse::default()
        .with_error_code(if call.version >= 1 { code } else { 0 })
        .with_replica_election_results(topics)
}

pub(super) async fn producers(
    call: Arc<Call>,
    request: DescribeProducersRequest,
) -> DescribeProducersResponse {
    let topics = request.topics.into_iter().map(|topic| {
        let allowed = call.may(Operation::Read, Resource::topic(&topic.name));
        let state = call.hub().topic_state(&topic.name);
        let partitions = topic.partition_indexes.into_iter().map(|index| {
            let answer = PartitionResponse::default().with_partition_index(index);
            match state.as_ref().and_then(|state| state.partition(index)) {
                _ if !allowed => answer.with_error_code(Code::TopicAuthorizationFailed.code()),
                None if state.is_none() => answer
                    .with_error_code(Code::UnknownTopicOrPartition.code())
                    .with_error_message(Some(StrBytes::from_static_str(MISSING))),
                None => answer.with_error_code(Code::UnknownTopicOrPartition.code()),
                Some(partition) => answer.with_active_producers(active(partition)),
            }
        });
        TopicResponse::default().with_partitions(partitions.collect()).with_name(topic.name)
    });
    DescribeProducersResponse::default().with_topics(topics.collect())
}

fn active(partition: &Partition) -> Vec<ProducerState> {
    let one = |info: crate::log::ProducerInfo| {
        ProducerState::default()
            .with_producer_id(info.producer_id.into())
            .with_producer_epoch(i32::from(info.epoch))
            .with_last_sequence(info.last_sequence)
            .with_last_timestamp(info.last_timestamp_ms)
            .with_coordinator_epoch(-1)
            .with_current_txn_start_offset(info.open_from)
    };
    partition.producers().info().into_iter().map(one).collect()
}
