//! `ListOffsets` and `OffsetForLeaderEpoch`: from times and epochs to offsets.

use std::sync::Arc;

use kafka_protocol::error::ResponseError as Code;
use kafka_protocol::messages::list_offsets_request::ListOffsetsPartition;
use kafka_protocol::messages::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsTopicResponse,
};
use kafka_protocol::messages::offset_for_leader_epoch_response::{
    EpochEndOffset, OffsetForLeaderTopicResult,
};
use kafka_protocol::messages::{
    ListOffsetsRequest, ListOffsetsResponse, OffsetForLeaderEpochRequest,
    OffsetForLeaderEpochResponse,
};

use super::Call;
use super::fetch::{READ_COMMITTED, epoch_fault};
use crate::auth::acl::{Operation, Resource};
use crate::log::Partition;

const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const MAX_TIMESTAMP: i64 = -3;
/// The first offset that is on this machine; all are.
const EARLIEST_LOCAL: i64 = -4;
/// The last offset that is elsewhere (KIP-1005), the first that waits to go there (KIP-1023): there are none.
const LATEST_TIERED: i64 = -5;
const EARLIEST_PENDING: i64 = -6;

pub(super) async fn list_offsets(
    call: Arc<Call>,
    request: ListOffsetsRequest,
) -> ListOffsetsResponse {
    let mut topics = Vec::with_capacity(request.topics.len());
    for topic in request.topics {
        let allowed = call.may(Operation::Describe, Resource::topic(&topic.name));
        let state = call.hub().topic_state(&topic.name);
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for wanted in topic.partitions {
            let partition =
                state.as_ref().and_then(|state| state.partition(wanted.partition_index));
            let found = match (partition, epoch_fault(&call, wanted.current_leader_epoch)) {
                _ if !allowed => Err(Code::TopicAuthorizationFailed),
                (None, _) => Err(Code::UnknownTopicOrPartition),
                (_, Some(code)) => Err(code),
                (Some(partition), None) => {
                    look_up(&call, partition, &wanted, request.isolation_level).await
                }
            };
            let answer = ListOffsetsPartitionResponse::default()
                .with_partition_index(wanted.partition_index)
                .with_timestamp(-1)
                .with_offset(-1)
                .with_leader_epoch(-1);
            partitions.push(match found {
                Ok(Some((offset, timestamp))) => answer
                    .with_offset(offset)
                    .with_timestamp(timestamp)
                    .with_leader_epoch(if call.version < 4 { -1 } else { call.hub().epoch() }),
                Ok(None) => answer,
                Err(code) => answer.with_error_code(code.code()),
            });
        }
        let answer = ListOffsetsTopicResponse::default();
        topics.push(answer.with_name(topic.name).with_partitions(partitions));
    }
    ListOffsetsResponse::default().with_topics(topics)
}

async fn look_up(
    call: &Call,
    partition: &Arc<Partition>,
    wanted: &ListOffsetsPartition,
    isolation: i8,
) -> Result<Option<(i64, i64)>, Code> {
    let found = match wanted.timestamp {
        LATEST if isolation == READ_COMMITTED => return Ok(Some((partition.stable(), -1))),
        LATEST => return Ok(Some((partition.end(), -1))),
        EARLIEST | EARLIEST_LOCAL => return Ok(Some((partition.start(), -1))),
        MAX_TIMESTAMP => call.hub().latest(Arc::clone(partition)).await,
        LATEST_TIERED if call.version >= 9 => return Ok(None),
        EARLIEST_PENDING if call.version >= 11 => return Ok(None),
        time if time >= 0 => call.hub().find_time(Arc::clone(partition), time).await,
        _ => return Err(Code::UnsupportedVersion),
    };
    let found = found.map_err(|_error| Code::KafkaStorageError)?;
    Ok(found.filter(|(offset, _)| isolation != READ_COMMITTED || *offset < partition.stable()))
}

pub(super) async fn for_leader_epoch(
    call: Arc<Call>,
    request: OffsetForLeaderEpochRequest,
) -> OffsetForLeaderEpochResponse {
    let topics = request.topics.into_iter().map(|topic| {
        let allowed = call.may(Operation::Describe, Resource::topic(&topic.topic));
        let state = call.hub().topic_state(&topic.topic);
        let partitions = topic.partitions.into_iter().map(|wanted| {
            let partition = state.as_ref().and_then(|state| state.partition(wanted.partition));
            let answer = EpochEndOffset::default()
                .with_partition(wanted.partition)
                .with_leader_epoch(-1)
                .with_end_offset(-1);
            match (partition, epoch_fault(&call, wanted.current_leader_epoch)) {
                _ if !allowed => answer.with_error_code(Code::TopicAuthorizationFailed.code()),
                (None, _) => answer.with_error_code(Code::UnknownTopicOrPartition.code()),
                (_, Some(code)) => answer.with_error_code(code.code()),
                // Nobody knows yet where an epoch to come will end.
                (Some(_), None) if wanted.leader_epoch > call.hub().epoch() => answer,
                (Some(partition), None) => match partition.epoch_end(wanted.leader_epoch) {
                    Some((epoch, end)) => answer.with_leader_epoch(epoch).with_end_offset(end),
                    // Of the epoch that is now, and has no record yet, the end is known.
                    None if wanted.leader_epoch == call.hub().epoch() => {
                        let epoch = call.hub().epoch();
                        answer.with_leader_epoch(epoch).with_end_offset(partition.end())
                    }
                    None => answer,
                },
            }
        });
        let partitions = partitions.collect();
        OffsetForLeaderTopicResult::default().with_topic(topic.topic).with_partitions(partitions)
    });
    OffsetForLeaderEpochResponse::default().with_topics(topics.collect())
}
