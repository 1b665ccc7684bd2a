//! `Metadata` and `FindCoordinator`: one broker, which leads everything.

use std::sync::Arc;

use kafka_protocol::error::ResponseError as Code;
use kafka_protocol::messages::find_coordinator_response::Coordinator;
use kafka_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::{
    BrokerId, FindCoordinatorRequest, FindCoordinatorResponse, MetadataRequest, MetadataResponse,
    TopicName,
};
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

use super::session::{Call, NOT_TOLD};
use crate::auth::acl::{Operation, Resource};
use crate::broker::NODE;
use crate::hub::HubError;
use crate::hub::embedded::TopicState;
use crate::topic_name::{self, NameFault, TOPIC_MAX};

/// What Kafka says of a request that cannot be meant.
pub(super) const MALFORMED: &str = "This most likely occurs because of a request being malformed by the client library or the message was sent to an incompatible broker. See the broker logs for more details.";

pub(super) async fn metadata(call: Arc<Call>, request: MetadataRequest) -> MetadataResponse {
    // In version 0 an empty list means all topics, later a missing one does.
    let all = match &request.topics {
        None => true,
        Some(topics) => topics.is_empty() && call.version == 0,
    };
    let told = request.include_topic_authorized_operations;
    let mut topics = Vec::new();
    if all {
        let states = call.hub().topic_states();
        let visible = states.iter().filter(|state| is_visible(&call, state));
        topics.extend(visible.map(|state| describe(&call, state)));
    } else {
        for wanted in request.topics.unwrap_or_default() {
            topics.push(match wanted.name {
                Some(name) => {
                    let create = call.version < 4 || request.allow_auto_topic_creation;
                    one(&call, name, create).await
                }
                None => by_id(&call, wanted.topic_id),
            });
        }
    }
    for topic in topics.iter_mut().filter(|topic| told && topic.error_code == 0) {
        let name = topic.name.as_ref().map_or("", |name| name.as_str());
        topic.topic_authorized_operations = call.authorized(true, Resource::topic(name));
    }
    let cluster = request.include_cluster_authorized_operations;
    let (host, port) = &call.session.advertised;
    let broker = MetadataResponseBroker::default()
        .with_node_id(BrokerId(NODE))
        .with_host(StrBytes::from_string(host.clone()))
        .with_port(i32::from(*port));
    MetadataResponse::default()
        .with_brokers(vec![broker])
        .with_cluster_id(Some(StrBytes::from_string(call.hub().id().to_owned())))
        .with_controller_id(BrokerId(NODE))
        .with_topics(topics)
        .with_cluster_authorized_operations(call.authorized(cluster, Resource::CLUSTER))
}

fn is_visible(call: &Call, state: &TopicState) -> bool {
    call.may(Operation::Describe, Resource::topic(&state.topic.name))
}

async fn one(call: &Call, name: TopicName, create: bool) -> MetadataResponseTopic {
    let refuse = |name, code: Code| {
        MetadataResponseTopic::default()
            .with_name(Some(name))
            .with_error_code(code.code())
            .with_topic_authorized_operations(NOT_TOLD)
    };
    let resource = Resource::topic(&name);
    if !call.may(Operation::Describe, resource) {
        return refuse(name, Code::TopicAuthorizationFailed);
    }
    if let Some(state) = call.hub().topic_state(&name) {
        return describe(call, &state);
    }
    if name_fault(&name).is_some() {
        return refuse(name, Code::InvalidTopicException);
    }
    if !create || !call.broker().settings.auto_create_topics {
        return refuse(name, Code::UnknownTopicOrPartition);
    }
    if !call.may(Operation::Create, Resource::CLUSTER) && !call.may(Operation::Create, resource) {
        return refuse(name, Code::TopicAuthorizationFailed);
    }
    if let Err(error) = call.hub().ensure_topic(&name, None).await {
        tracing::warn!(topic = %name.as_str(), %error, "a topic that a client has asked for was not made");
        return refuse(name, Code::UnknownTopicOrPartition);
    }
    match call.hub().topic_state(&name) {
        Some(state) => describe(call, &state),
        None => refuse(name, Code::LeaderNotAvailable),
    }
}

fn by_id(call: &Call, id: Uuid) -> MetadataResponseTopic {
    match call.hub().topic_by_id(id).filter(|state| is_visible(call, state)) {
        Some(state) => describe(call, &state),
        None => MetadataResponseTopic::default()
            .with_topic_id(id)
            .with_error_code(Code::UnknownTopicId.code())
            .with_topic_authorized_operations(NOT_TOLD),
    }
}

fn describe(call: &Call, state: &TopicState) -> MetadataResponseTopic {
    let partitions = (0..).zip(&state.partitions).map(|(index, _)| {
        MetadataResponsePartition::default()
            .with_partition_index(index)
            .with_leader_id(BrokerId(NODE))
            .with_leader_epoch(call.hub().epoch())
            .with_replica_nodes(vec![BrokerId(NODE)])
            .with_isr_nodes(vec![BrokerId(NODE)])
    });
    MetadataResponseTopic::default()
        .with_name(Some(TopicName(StrBytes::from_string(state.topic.name.clone()))))
        .with_topic_id(state.wire_id)
        .with_is_internal(state.is_internal())
        .with_partitions(partitions.collect())
        .with_topic_authorized_operations(NOT_TOLD)
}

/// Why a topic cannot have that name, in Kafka's words; `None` when it can.
pub(super) fn name_fault(name: &str) -> Option<String> {
    Some(match topic_name::name_fault(name)? {
        NameFault::Empty => "the empty string is not allowed".to_owned(),
        NameFault::Dots => format!("'{name}' is not allowed"),
        NameFault::Long => {
            format!("the length of '{name}' is longer than the max allowed length {TOPIC_MAX}")
        }
        NameFault::Letters => format!(
            "'{name}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'"
        ),
    })
}

pub(super) async fn find_coordinator(
    call: Arc<Call>,
    request: FindCoordinatorRequest,
) -> FindCoordinatorResponse {
    let (host, port) = &call.session.advertised;
    let (host, port) = (StrBytes::from_string(host.clone()), i32::from(*port));
    // Groups and transactions; anything else is unknown.
    let code = |key: &str| match request.key_type {
        0 if !call.may(Operation::Describe, Resource::group(key)) => {
            Code::GroupAuthorizationFailed.code()
        }
        1 if !call.may(Operation::Describe, Resource::transactional_id(key)) => {
            Code::TransactionalIdAuthorizationFailed.code()
        }
        0 | 1 => 0,
        _ => Code::InvalidRequest.code(),
    };
    let is_known = (0..=1).contains(&request.key_type);
    let found = |key: StrBytes| {
        let code = code(&key);
        let answer = Coordinator::default().with_key(key).with_error_code(code);
        if code != 0 {
            let why = StrBytes::from_static_str(if is_known { "" } else { MALFORMED });
            let answer = answer.with_error_message(Some(why));
            return answer.with_node_id(BrokerId(-1)).with_port(-1);
        }
        answer.with_node_id(BrokerId(NODE)).with_host(host.clone()).with_port(port)
    };
    if call.version >= 4 {
        let coordinators = request.coordinator_keys.into_iter().map(found).collect();
        return FindCoordinatorResponse::default().with_coordinators(coordinators);
    }
    let code = code(&request.key);
    let answer = FindCoordinatorResponse::default().with_error_code(code);
    if code != 0 {
        let why = match request.key_type {
            0 => "Group authorization failed.",
            1 => "Transactional Id authorization failed.",
            _ => MALFORMED,
        };
        let why = Some(StrBytes::from_static_str(why));
        return answer.with_error_message(why).with_node_id(BrokerId(-1)).with_port(-1);
    }
    answer
        .with_error_message(Some(StrBytes::from_static_str("NONE")))
        .with_node_id(BrokerId(NODE))
        .with_host(host)
        .with_port(port)
}

/// Kafka's number for what the hub could not do.
pub(super) const fn code_of(error: &HubError) -> Code {
    match error {
        HubError::NotNow(_) | HubError::Moved(_) | HubError::Fatal(_) => Code::KafkaStorageError,
        HubError::UnknownTopic(_) => Code::UnknownTopicOrPartition,
        HubError::Exists(_) => Code::TopicAlreadyExists,
    }
}
