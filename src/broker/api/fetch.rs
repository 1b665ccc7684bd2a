//! `Fetch`: whole batches as they lie, after at most `max_wait_ms` when there are fewer than `min_bytes`.
//!
//! Sessions (KIP-227) are not kept: every answer has session 0, and clients then name all partitions each time.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use kafka_protocol::error::ResponseError as Code;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::fetch_response::{
    AbortedTransaction, FetchableTopicResponse, PartitionData,
};
use kafka_protocol::messages::{FetchRequest, FetchResponse};
use tokio::time::Instant;

use super::Call;
use crate::broker::auth::acl::{Operation, Resource};
use crate::log::{LogError, Partition, RawRead};

/// Bytes of one answer, whatever the client allows: it asks again, and memory stays bounded.
const ANSWER_MAX: usize = 8 << 20;
/// Records closer to the end than this are in the page cache most likely, and are read in place.
const WARM_BYTES: u64 = 64 << 20;
const READ_COMMITTED: i8 = 1;

pub(super) async fn fetch(call: Arc<Call>, request: FetchRequest) -> FetchResponse {
    if request.session_id != 0 {
        let code = Code::FetchSessionIdNotFound.code();
        return FetchResponse::default().with_error_code(code);
    }
    let wait = Duration::from_millis(u64::try_from(request.max_wait_ms).unwrap_or(0));
    let deadline = Instant::now() + wait;
    let enough = usize::try_from(request.min_bytes).unwrap_or(0);
    let partitions = wanted(&call, &request);
    let waiter = (enough > 0).then(|| call.hub().wait_for(&partitions));
    loop {
        let (answer, bytes, is_final) = gather(&call, &request).await;
        let Some(waiter) = &waiter else { return answer };
        if bytes >= enough || is_final {
            return answer;
        }
        if tokio::time::timeout_at(deadline, waiter.appended()).await.is_err() {
            return answer;
        }
    }
}

fn wanted(call: &Call, request: &FetchRequest) -> Vec<Arc<Partition>> {
    let mut partitions = Vec::new();
    for FetchTopic { topic, partitions: numbers, .. } in &request.topics {
        let Some(state) = call.hub().topic_state(topic) else { continue };
        if !call.may(Operation::Read, Resource::topic(topic)) {
            continue;
        }
        let known = numbers.iter().filter_map(|one| state.partition(one.partition));
        partitions.extend(known.cloned());
    }
    partitions
}

/// Reads what there is; says how much, and whether waiting would change nothing.
async fn gather(call: &Call, request: &FetchRequest) -> (FetchResponse, usize, bool) {
    let most = usize::try_from(request.max_bytes).unwrap_or(0).min(ANSWER_MAX);
    let (mut bytes, mut is_final) = (0, false);
    let mut responses = Vec::with_capacity(request.topics.len());
    for FetchTopic { topic, partitions, .. } in &request.topics {
        let allowed = call.may(Operation::Read, Resource::topic(topic));
        let state = call.hub().topic_state(topic);
        let mut data = Vec::with_capacity(partitions.len());
        for wanted in partitions {
            let partition = state.as_ref().and_then(|state| state.partition(wanted.partition));
            let answer = match partition {
                _ if !allowed => refused(Code::TopicAuthorizationFailed),
                None => refused(Code::UnknownTopicOrPartition),
                Some(partition) => {
                    let left = most.saturating_sub(bytes);
                    one(call, partition, wanted, (request.isolation_level, left, bytes == 0)).await
                }
            };
            bytes += answer.records.as_ref().map_or(0, |records| records.len());
            is_final |= answer.error_code != 0;
            data.push(answer.with_partition_index(wanted.partition));
        }
        responses.push(
            FetchableTopicResponse::default().with_topic(topic.clone()).with_partitions(data),
        );
    }
    call.broker().counters().fetched_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    (FetchResponse::default().with_responses(responses), bytes, is_final)
}

fn refused(code: Code) -> PartitionData {
    PartitionData::default()
        .with_error_code(code.code())
        .with_high_watermark(-1)
        .with_last_stable_offset(-1)
        .with_log_start_offset(-1)
        .with_aborted_transactions(None)
        .with_records(Some(bytes::Bytes::new()))
}

/// One partition's part of the answer; `left` bytes may be used, and one batch at least if it `is_first`.
async fn one(
    call: &Call,
    partition: &Arc<Partition>,
    wanted: &FetchPartition,
    (isolation, left, is_first): (i8, usize, bool),
) -> PartitionData {
    let (start, end, offset) = (partition.start(), partition.end(), wanted.fetch_offset);
    if let Some(code) = epoch_fault(call, wanted.current_leader_epoch) {
        return refused(code);
    }
    let answer = PartitionData::default()
        .with_high_watermark(end)
        .with_last_stable_offset(partition.stable())
        .with_log_start_offset(start)
        .with_records(Some(bytes::Bytes::new()));
    if offset < start || offset > end {
        return refused(Code::OffsetOutOfRange);
    }
    let is_committed = isolation == READ_COMMITTED;
    let limit = if is_committed { partition.stable() } else { end };
    let answer = answer.with_aborted_transactions(is_committed.then(Vec::new));
    let most = usize::try_from(wanted.partition_max_bytes).unwrap_or(0).min(left);
    if offset >= limit || (most == 0 && !is_first) {
        return answer;
    }
    match read(partition, offset, most, limit).await {
        Ok((read, records)) => {
            call.hub().count_lost(read.lost);
            let aborted = is_committed.then(|| aborted(partition, offset, read.next_offset));
            answer.with_records(Some(records.into())).with_aborted_transactions(aborted)
        }
        Err(error) => {
            tracing::error!(%error, "records could not be read for a client");
            refused(Code::KafkaStorageError)
        }
    }
}

/// Reads in place what is in the page cache most likely, and anything else where it may block.
async fn read(
    partition: &Arc<Partition>,
    offset: i64,
    most: usize,
    limit: i64,
) -> Result<(RawRead, Vec<u8>), LogError> {
    let is_warm = partition.bytes_behind(offset) < WARM_BYTES;
    let partition = Arc::clone(partition);
    let work = move || {
        let mut records = Vec::new();
        partition.read_raw(offset, most, limit, &mut records).map(|read| (read, records))
    };
    if is_warm {
        return work();
    }
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|_panic| Ok((RawRead::default(), Vec::new())))
}

fn aborted(partition: &Partition, from: i64, to: i64) -> Vec<AbortedTransaction> {
    let one = |aborted: crate::log::Aborted| {
        AbortedTransaction::default()
            .with_producer_id(aborted.producer_id.into())
            .with_first_offset(aborted.first_offset)
    };
    partition.aborted(from, to).into_iter().map(one).collect()
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
