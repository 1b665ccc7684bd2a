//! `DescribeTopicPartitions`: topics in pages, by name (KIP-966).

use std::collections::BTreeSet;
use std::sync::Arc;

use kafka_protocol::error::ResponseError as Code;
use kafka_protocol::messages::describe_topic_partitions_response::{
    Cursor, DescribeTopicPartitionsResponsePartition as Partition,
    DescribeTopicPartitionsResponseTopic as Topic,
};
use kafka_protocol::messages::{
    BrokerId, DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse, TopicName,
};
use kafka_protocol::protocol::StrBytes;

use super::metadata::name_fault;
use super::session::{Call, NOT_TOLD};
use crate::auth::acl::{Operation, Resource};
use crate::broker::NODE;
use crate::hub::embedded::TopicState;

/// Partitions of one answer, whatever the client allows (Kafka's `max.request.partition.size.limit`).
const LIMIT: usize = 2000;

pub(super) async fn describe(
    call: Arc<Call>,
    request: DescribeTopicPartitionsRequest,
) -> DescribeTopicPartitionsResponse {
    let asked = usize::try_from(request.response_partition_limit).unwrap_or(0);
    let mut left = asked.clamp(1, LIMIT);
    let (first, mut from) = match request.cursor {
        Some(cursor) => (Some(cursor.topic_name), cursor.partition_index),
        None => (None, 0),
    };
    let all = request.topics.is_empty();
    let mut names: BTreeSet<String> = if all {
        call.hub().topic_states().iter().map(|state| state.topic.name.clone()).collect()
    } else {
        request.topics.iter().map(|topic| topic.name.to_string()).collect()
    };
    if from < 0 {
        return invalid(request.topics.into_iter().map(|topic| topic.name));
    }
    names.retain(|name| first.as_ref().is_none_or(|first| name.as_str() >= first.as_str()));
    // The number is for the topic that the cursor names, not for those behind it.
    if names.first().map(String::as_str) != first.as_ref().map(|first| first.as_str()) {
        from = 0;
    }
    let (mut topics, mut next) = (Vec::new(), None);
    for name in names {
        if left == 0 {
            next = Some((name, from));
            break;
        }
        if !call.may(Operation::Describe, Resource::topic(&name)) {
            if !all {
                topics.push(without(&name, Uncovered::Denied, &call));
            }
            continue;
        }
        let Some(state) = call.hub().topic_state(&name) else {
            topics.push(without(&name, Uncovered::Missing, &call));
            continue;
        };
        let from = std::mem::take(&mut from);
        let partitions = partitions(&call, &state, from, left);
        let end = usize::try_from(from).unwrap_or(0) + partitions.len();
        left -= partitions.len();
        topics.push(topic(&call, &state).with_partitions(partitions));
        if end < state.partitions.len() {
            next = Some((name, i32::try_from(end).unwrap_or(i32::MAX)));
            break;
        }
    }
    let cursor = next.map(|(name, index)| {
        let name = TopicName(StrBytes::from_string(name));
        Cursor::default().with_topic_name(name).with_partition_index(index)
    });
    DescribeTopicPartitionsResponse::default().with_topics(topics).with_next_cursor(cursor)
}

/// A cursor that stands nowhere.
fn invalid(names: impl Iterator<Item = TopicName>) -> DescribeTopicPartitionsResponse {
    let topics = names.map(|name| {
        Topic::default()
            .with_name(Some(name))
            .with_error_code(Code::InvalidRequest.code())
            .with_topic_authorized_operations(NOT_TOLD)
    });
    DescribeTopicPartitionsResponse::default().with_topics(topics.collect()).with_next_cursor(None)
}

/// Why there is nothing of a topic.
#[derive(Debug, Clone, Copy)]
enum Uncovered {
    Denied,
    Missing,
}

fn without(name: &str, why: Uncovered, call: &Call) -> Topic {
    let (code, operations) = match why {
        Uncovered::Denied => (Code::TopicAuthorizationFailed, NOT_TOLD),
        Uncovered::Missing if name_fault(name).is_some() => {
            (Code::InvalidTopicException, call.authorized(true, Resource::topic(name)))
        }
        Uncovered::Missing => {
            (Code::UnknownTopicOrPartition, call.authorized(true, Resource::topic(name)))
        }
    };
    Topic::default()
        .with_name(Some(TopicName(StrBytes::from_string(name.to_owned()))))
        .with_error_code(code.code())
        .with_topic_authorized_operations(operations)
}

fn topic(call: &Call, state: &TopicState) -> Topic {
    let name = &state.topic.name;
    Topic::default()
        .with_name(Some(TopicName(StrBytes::from_string(name.clone()))))
        .with_topic_id(state.wire_id)
        .with_is_internal(state.is_internal())
        .with_topic_authorized_operations(call.authorized(true, Resource::topic(name)))
}

/// At most `left` partitions from that one on; clients take a missing list of eligible leaders for an error.
fn partitions(call: &Call, state: &TopicState, from: i32, left: usize) -> Vec<Partition> {
    let skip = usize::try_from(from).unwrap_or(0);
    let numbers = (0..).zip(&state.partitions).skip(skip).take(left);
    numbers
        .map(|(index, _)| {
            Partition::default()
                .with_partition_index(index)
                .with_leader_id(BrokerId(NODE))
                .with_leader_epoch(call.hub().epoch())
                .with_replica_nodes(vec![BrokerId(NODE)])
                .with_isr_nodes(vec![BrokerId(NODE)])
                .with_eligible_leader_replicas(Some(Vec::new()))
                .with_last_known_elr(Some(Vec::new()))
        })
        .collect()
}
