//! What tools ask about the cluster: the broker, its disks, its producers; and what there is nothing of.

use std::sync::Arc;

use kafka_protocol::error::ResponseError as Code;
use kafka_protocol::messages::describe_cluster_response::DescribeClusterBroker;
use kafka_protocol::messages::describe_log_dirs_response::{
    DescribeLogDirsPartition, DescribeLogDirsResult, DescribeLogDirsTopic,
};
use kafka_protocol::messages::describe_producers_response::{
    PartitionResponse, ProducerState, TopicResponse,
};
use kafka_protocol::messages::elect_leaders_response::{PartitionResult, ReplicaElectionResult};
use kafka_protocol::messages::{
    BrokerId, DescribeAclsRequest, DescribeAclsResponse, DescribeClusterRequest,
    DescribeClusterResponse, DescribeLogDirsRequest, DescribeLogDirsResponse,
    DescribeProducersRequest, DescribeProducersResponse, ElectLeadersRequest, ElectLeadersResponse,
    ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse, TopicName,
};
use kafka_protocol::protocol::StrBytes;

use super::Call;
use super::metadata::operations;
use crate::broker::NODE;
use crate::broker::auth::acl::ResourceType;
use crate::log::Partition;

pub(super) async fn describe(
    call: Arc<Call>,
    request: DescribeClusterRequest,
) -> DescribeClusterResponse {
    let asked = request.include_cluster_authorized_operations;
    let (host, port) = &call.session.advertised;
    let broker = DescribeClusterBroker::default()
        .with_broker_id(BrokerId(NODE))
        .with_host(StrBytes::from_string(host.clone()))
        .with_port(i32::from(*port));
    DescribeClusterResponse::default()
        .with_endpoint_type(1)
        .with_cluster_id(StrBytes::from_string(call.hub().id().to_owned()))
        .with_controller_id(BrokerId(NODE))
        .with_brokers(vec![broker])
        .with_cluster_authorized_operations(operations(asked, ResourceType::Cluster))
}

pub(super) async fn log_dirs(
    call: Arc<Call>,
    request: DescribeLogDirsRequest,
) -> DescribeLogDirsResponse {
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

pub(super) async fn acls(_call: Arc<Call>, _request: DescribeAclsRequest) -> DescribeAclsResponse {
    DescribeAclsResponse::default()
        .with_error_code(Code::SecurityDisabled.code())
        .with_error_message(Some(StrBytes::from_static_str("No Authorizer is configured.")))
}

pub(super) async fn elect_leaders(
    call: Arc<Call>,
    request: ElectLeadersRequest,
) -> ElectLeadersResponse {
    let topics = request.topic_partitions.unwrap_or_default().into_iter().map(|topic| {
        let state = call.hub().topic_state(&topic.topic);
        let partitions = topic.partitions.into_iter().map(|index| {
            let known = state.as_ref().is_some_and(|state| state.partition(index).is_some());
            let code = if known { Code::ElectionNotNeeded } else { Code::UnknownTopicOrPartition };
            PartitionResult::default().with_partition_id(index).with_error_code(code.code())
        });
        let partitions = partitions.collect();
        ReplicaElectionResult::default().with_topic(topic.topic).with_partition_result(partitions)
    });
    ElectLeadersResponse::default().with_replica_election_results(topics.collect())
}

pub(super) async fn reassignments(
    _call: Arc<Call>,
    _request: ListPartitionReassignmentsRequest,
) -> ListPartitionReassignmentsResponse {
    ListPartitionReassignmentsResponse::default()
}

pub(super) async fn producers(
    call: Arc<Call>,
    request: DescribeProducersRequest,
) -> DescribeProducersResponse {
    let topics = request.topics.into_iter().map(|topic| {
        let state = call.hub().topic_state(&topic.name);
        let partitions = topic.partition_indexes.into_iter().map(|index| {
            let answer = PartitionResponse::default().with_partition_index(index);
            match state.as_ref().and_then(|state| state.partition(index)) {
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
