//! `Fetch`: whole batches as they lie, after at most `max_wait_ms` when there are fewer than `min_bytes`.
//!
//! Topics are named by their ids from version 13 on (KIP-516). Sessions (KIP-227) are not kept: every answer has session
//! 0, and clients then name all partitions each time. A request that begins or ends a session names all of them, too,
//! whatever session it speaks of; one that goes on with a session speaks of what is not there.
//!
//! Invariant: the answer has at most `max_bytes` of records, and a partition `partition_max_bytes`; only the first
//! partition that has any may pass both, with one batch, so that every client gets on (KIP-74).

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anabranch_connectors::contract::memory::Part;
use bytes::Bytes;
use kafka_protocol::error::ResponseError as Code;
use kafka_protocol::messages::FetchRequest;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::protocol::Decodable;
use tokio::time::Instant;

use super::fetch_answer::{Answer, BY_ID_FROM, Endpoint, PartitionAnswer, Records};
use super::{Call, Pending, Reply};
use crate::auth::acl::{Operation, Resource};
use crate::broker::NODE;
use crate::hub::embedded::TopicState;
use crate::log::{Extent, LogError, Partition, Room};

/// Bytes of one answer, whatever the client allows: it asks again, and memory stays bounded.
pub(super) const ANSWER_MAX: usize = 8 << 20;
/// Records closer to the end than this are in the page cache most likely, and are read in place.
const WARM_BYTES: u64 = 64 << 20;
/// Fewer bytes than this are read and checked: that is one call of the system, as sending them from their file is.
const EXTENT_MIN: usize = 32 << 10;
/// The epochs of a request that names all partitions: it begins a session, or ends one.
const FULL: [i32; 2] = [0, -1];
pub(super) const READ_COMMITTED: i8 = 1;

pub(super) fn begin(call: Arc<Call>, mut body: Bytes) -> Option<Pending> {
    let request = FetchRequest::decode(&mut body, call.version).ok()?;
    Some(Box::pin(async move {
        let answer = fetch(&call, &request).await;
        let fetched = &call.broker().counters().fetched_bytes;
        fetched.fetch_add(answer.record_bytes() as u64, Ordering::Relaxed);
        match answer.frame(call.correlation, call.version) {
            Some(pieces) => Reply::Pieces(pieces),
            None => Reply::Close,
        }
    }))
}

async fn fetch(call: &Call, request: &FetchRequest) -> Answer {
    if !FULL.contains(&request.session_epoch) {
        let error = Code::FetchSessionIdNotFound.code();
        return Answer { error, ..Answer::default() };
    }
    let wait = Duration::from_millis(u64::try_from(request.max_wait_ms).unwrap_or(0));
    let deadline = Instant::now() + wait;
    // More than fits is not waited for.
    let enough = usize::try_from(request.min_bytes).unwrap_or(0).min(limit(request));
    let (answer, bytes, is_final) = gather(call, request).await;
    if bytes >= enough || is_final || wait.is_zero() {
        return answer;
    }
    let partitions = wanted(call, request);
    if partitions.is_empty() {
        return answer;
    }
    let waiter = call.hub().wait_for(&partitions);
    loop {
        // What was appended before there was a waiter is seen now.
        let (answer, bytes, is_final) = gather(call, request).await;
        if bytes >= enough || is_final {
            return answer;
        }
        if tokio::time::timeout_at(deadline, waiter.appended()).await.is_err() {
            return answer;
        }
    }
}

/// Bytes of records that the answer may have.
fn limit(request: &FetchRequest) -> usize {
    usize::try_from(request.max_bytes).unwrap_or(0).min(ANSWER_MAX)
}

fn wanted(call: &Call, request: &FetchRequest) -> Vec<Arc<Partition>> {
    let mut partitions = Vec::new();
    for topic in &request.topics {
        let Ok(state) = state_of(call, topic) else { continue };
        let known = topic.partitions.iter().filter_map(|one| state.partition(one.partition));
        partitions.extend(known.cloned());
    }
    partitions
}

/// The topic, if it is there and may be read. One that was deleted and made anew is not taken for the old one where it
/// is named by its id.
fn state_of(call: &Call, wanted: &FetchTopic) -> Result<Arc<TopicState>, Code> {
    let by_id = call.version >= BY_ID_FROM;
    let state = if by_id {
        Some(call.hub().topic_by_id(wanted.topic_id).ok_or(Code::UnknownTopicId)?)
    } else {
        call.hub().topic_state(&wanted.topic)
    };
    let name = state.as_ref().map_or(wanted.topic.as_str(), |state| &state.topic.name);
    if !call.may(Operation::Read, Resource::topic(name)) {
        return Err(Code::TopicAuthorizationFailed);
    }
    state.ok_or(Code::UnknownTopicOrPartition)
}

/// Reads what there is; says how much, and whether waiting would change nothing.
async fn gather(call: &Call, request: &FetchRequest) -> (Answer, usize, bool) {
    let most = limit(request);
    let (mut bytes, mut is_final) = (0, false);
    let mut topics = Vec::with_capacity(request.topics.len());
    for topic in &request.topics {
        let state = state_of(call, topic);
        let mut answers = Vec::with_capacity(topic.partitions.len());
        for wanted in &topic.partitions {
            let partition = state.as_ref().map(|state| state.partition(wanted.partition));
            let answer = match partition {
                Err(code) => unread(wanted, *code),
                Ok(None) => unread(wanted, Code::UnknownTopicOrPartition),
                Ok(Some(partition)) => {
                    let room = Room { bytes: most.saturating_sub(bytes), one_at_least: bytes == 0 };
                    one(call, partition, wanted, (request.isolation_level, room)).await
                }
            };
            bytes += answer.records.len();
            is_final |= answer.error != 0;
            answers.push(answer);
        }
        topics.push((topic.topic.clone(), topic.topic_id, answers));
    }
    let (host, port) = &call.session.advertised;
    let endpoint = Endpoint { node: NODE, host: host.clone(), port: i32::from(*port) };
    (Answer { error: 0, endpoint, topics }, bytes, is_final)
}

/// What is not there, or not for this client; Kafka has an empty list in it, where other refusals have none.
fn unread(wanted: &FetchPartition, code: Code) -> PartitionAnswer {
    PartitionAnswer { aborted: Some(Vec::new()), ..refused(wanted, code) }
}

fn refused(wanted: &FetchPartition, code: Code) -> PartitionAnswer {
    PartitionAnswer {
        index: wanted.partition,
        error: code.code(),
        high_watermark: -1,
        last_stable_offset: -1,
        log_start_offset: -1,
        aborted: None,
        new_epoch: None,
        records: Records::NONE,
    }
}

/// One partition's part of the answer, for which there is so much room.
async fn one(
    call: &Call,
    partition: &Arc<Partition>,
    wanted: &FetchPartition,
    (isolation, mut room): (i8, Room),
) -> PartitionAnswer {
    let (start, end, offset) = (partition.start(), partition.end(), wanted.fetch_offset);
    if let Some(code) = epoch_fault(call, wanted.current_leader_epoch) {
        let new_epoch = (code == Code::FencedLeaderEpoch).then(|| call.hub().epoch());
        return PartitionAnswer { new_epoch, ..refused(wanted, code) };
    }
    if offset < start || offset > end {
        return refused(wanted, Code::OffsetOutOfRange);
    }
    let is_committed = isolation == READ_COMMITTED;
    let stable = partition.stable();
    let limit = if is_committed { stable } else { end };
    let mut answer = PartitionAnswer {
        index: wanted.partition,
        error: 0,
        high_watermark: end,
        last_stable_offset: stable,
        log_start_offset: start,
        aborted: is_committed.then(Vec::new),
        new_epoch: None,
        records: Records::NONE,
    };
    room.bytes = usize::try_from(wanted.partition_max_bytes).unwrap_or(0).min(room.bytes);
    if offset >= limit || (room.bytes == 0 && !room.one_at_least) {
        return answer;
    }
    match read(call, partition, offset, (room, limit)).await {
        Ok(Batches { records, next_offset, lost }) => {
            call.hub().count_lost(lost);
            answer.records = records;
            answer.aborted = is_committed.then(|| partition.aborted(offset, next_offset));
            answer
        }
        Err(error) => {
            tracing::error!(%error, "records could not be read for a client");
            refused(wanted, Code::KafkaStorageError)
        }
    }
}

/// What is there.
struct Batches {
    records: Records,
    /// Offset behind them.
    next_offset: i64,
    /// Records before them that cannot be read.
    lost: i64,
}

/// Leaves where it lies what is known to be sound; else reads and checks it, where it may block unless it is in the page
/// cache most likely. What was checked lies there as well, and is copied only when it is little.
async fn read(
    call: &Call,
    partition: &Arc<Partition>,
    offset: i64,
    (room, limit): (Room, i64),
) -> Result<Batches, LogError> {
    let partition = Arc::clone(partition);
    let is_warm = partition.bytes_behind(offset) < WARM_BYTES;
    if let Some(extent) = partition.extent(offset, EXTENT_MIN, room.bytes, limit) {
        return Ok(in_place(extent, is_warm).await);
    }
    // While it is checked; an answer that waits for its client holds little.
    let taken = call.broker().metrics.memory.take(Part::Fetches, room.bytes.max(EXTENT_MIN)).await;
    let work = move || {
        let mut bytes = Vec::new();
        let read = partition.read_raw(offset, room, limit, &mut bytes)?;
        let (next_offset, lost) = (read.next_offset, read.lost);
        let large = read.extent.filter(|_| bytes.len() >= EXTENT_MIN);
        let records = large.map_or_else(|| Records::Read(bytes.into()), Records::Extent);
        drop(taken);
        Ok(Batches { records, next_offset, lost })
    };
    if is_warm {
        return work();
    }
    let done = tokio::task::spawn_blocking(work).await;
    let nothing = Batches { records: Records::NONE, next_offset: offset, lost: 0 };
    done.unwrap_or(Ok(nothing))
}

/// Leaves where it lies what is known to be sound.
async fn in_place(extent: Extent, is_warm: bool) -> Batches {
    let next_offset = extent.next_offset();
    if !is_warm {
        let extent = extent.clone();
        // An error is that it is not in the page cache.
        tokio::task::spawn_blocking(move || extent.load()).await.ok();
    }
    Batches { records: Records::Extent(extent), next_offset, lost: 0 }
}

/// What is wrong with the leader epoch that a client believes in; -1 means that it does not know one.
pub(super) fn epoch_fault(call: &Call, epoch: i32) -> Option<Code> {
    match epoch {
        -1 => None,
        old if old < call.hub().epoch() => Some(Code::FencedLeaderEpoch),
        new if new > call.hub().epoch() => Some(Code::UnknownLeaderEpoch),
        _ => None,
    }
}
