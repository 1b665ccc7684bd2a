//! What a cluster of several would be asked: `DescribeQuorum`, `UpdateFeatures`, `UnregisterBroker`. This is one process.

use std::sync::Arc;

use anabranch_connectors::contract::clock::now_ms;
use kafka_protocol::error::ResponseError as Code;
use kafka_protocol::messages::describe_quorum_response::{
    Listener, Node, PartitionData, ReplicaState, TopicData,
};
use kafka_protocol::messages::{
    BrokerId, DescribeQuorumRequest, DescribeQuorumResponse, UnregisterBrokerRequest,
    UnregisterBrokerResponse, UpdateFeaturesRequest, UpdateFeaturesResponse,
};
use kafka_protocol::protocol::StrBytes;

use super::Call;
use crate::auth::acl::{Operation, Resource};
use crate::broker::NODE;

/// The one partition that a quorum is of.
const METADATA: &str = "__cluster_metadata";
const DENIED: &str = "Cluster authorization failed.";
const MISSING: &str = "This server does not host this topic-partition.";

/// One voter, which leads. There is no log of metadata, so its end is told as 0.
pub(super) async fn describe(
    call: Arc<Call>,
    request: DescribeQuorumRequest,
) -> DescribeQuorumResponse {
    let text = |text: &'static str| Some(StrBytes::from_static_str(text));
    let answer = DescribeQuorumResponse::default().with_error_message(text(""));
    if !call.may(Operation::Describe, Resource::CLUSTER) {
        let code = Code::ClusterAuthorizationFailed.code();
        return answer.with_error_code(code).with_error_message(text(DENIED));
    }
    let now = now_ms();
    let mut is_known = true;
    let topics = request.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.into_iter().map(|one| {
            let answer = PartitionData::default().with_partition_index(one.partition_index);
            if topic.topic_name.as_str() != METADATA || one.partition_index != 0 {
                is_known = false;
                let code = Code::UnknownTopicOrPartition.code();
                return answer.with_error_code(code).with_error_message(text(MISSING));
            }
            let voter = ReplicaState::default()
                .with_replica_id(BrokerId(NODE))
                .with_last_fetch_timestamp(if call.version >= 1 { now } else { -1 })
                .with_last_caught_up_timestamp(if call.version >= 1 { now } else { -1 });
            answer
                .with_error_message(text(""))
                .with_leader_id(BrokerId(NODE))
                .with_leader_epoch(call.hub().epoch())
                .with_current_voters(vec![voter])
        });
        let partitions = partitions.collect();
        TopicData::default().with_topic_name(topic.topic_name).with_partitions(partitions)
    });
    let answer = answer.with_topics(topics.collect());
    if call.version < 2 || !is_known {
        return answer;
    }
    let (host, port) = &call.session.advertised;
    let listener = Listener::default()
        .with_name(StrBytes::from_static_str("CONTROLLER"))
        .with_host(StrBytes::from_string(host.clone()))
        .with_port(*port);
    let node = Node::default().with_node_id(BrokerId(NODE)).with_listeners(vec![listener]);
    answer.with_nodes(vec![node])
}

/// Nothing has a level that could be changed.
pub(super) async fn update_features(
    call: Arc<Call>,
    request: UpdateFeaturesRequest,
) -> UpdateFeaturesResponse {
    let answer = UpdateFeaturesResponse::default().with_error_message(None);
    let refused = |code: Code, why: String| {
        answer
            .clone()
            .with_error_code(code.code())
            .with_error_message(Some(StrBytes::from_string(why)))
    };
    if !call.may(Operation::Alter, Resource::CLUSTER) {
        return refused(Code::ClusterAuthorizationFailed, DENIED.to_owned());
    }
    let Some(first) = request.feature_updates.first() else { return answer };
    let why = format!(
        "Invalid update version {} for feature {}. Local controller {NODE} does not support this feature.",
        first.max_version_level,
        first.feature.as_str()
    );
    let all = "The update failed for all features since the following feature had an error: ";
    refused(Code::InvalidUpdateVersion, format!("{all}{why}"))
}

/// The one broker stays; others are not there.
pub(super) async fn unregister(
    call: Arc<Call>,
    request: UnregisterBrokerRequest,
) -> UnregisterBrokerResponse {
    let refused = |code: Code, why: String| {
        UnregisterBrokerResponse::default()
            .with_error_code(code.code())
            .with_error_message(Some(StrBytes::from_string(why)))
    };
    match request.broker_id {
        _ if !call.may(Operation::Alter, Resource::CLUSTER) => {
            refused(Code::ClusterAuthorizationFailed, DENIED.to_owned())
        }
        BrokerId(NODE) => {
            refused(Code::InvalidRequest, "this is the only broker, and it is running".to_owned())
        }
        BrokerId(other) => {
            let why = format!("Broker ID {other} is not currently registered");
            refused(Code::BrokerIdNotRegistered, why)
        }
    }
}
