//! Looks into the records of a batch where its topic asks for that, and names those that it does not take.
//!
//! A compacted topic takes no record without a key; records whose own time counts must not lie too far from now. Each
//! record that is not taken has its place in the batch in the answer, so that a client can tell it from its neighbours.
//! Source: KIP-467; Kafka's `LogValidator`, whose words these are.

use anabranch_record::{Pool, StoredRecord};
use kafka_protocol::error::ResponseError as Code;
use kafka_protocol::messages::produce_response::BatchIndexAndErrorMessage;
use kafka_protocol::protocol::StrBytes;

use super::produce_refusal::Refused;
use crate::hub::embedded::{TopicSettings, TopicState, decode_within};
use crate::wire::BatchHeader;

/// Records that are named of one batch; it may have millions, and each has a sentence.
const NAMED_MAX: usize = 1000;
/// Stands for no time.
const NO_TIMESTAMP: i64 = -1;

/// Most bytes that a batch may have when it is decompressed here: a small one can be made to claim any memory.
pub(super) fn plain_max(state: &TopicState) -> usize {
    state.settings.max_message_bytes.saturating_mul(16).max(64 << 20)
}

/// Whether records of the batch must be looked at one by one, now.
pub(super) fn is_questionable(settings: &TopicSettings, header: &BatchHeader, now_ms: i64) -> bool {
    let is_own_time = !settings.append_time;
    settings.cleanup.compact
        || header.append_timestamp_ms().is_some()
        || (is_own_time && settings.timestamp_before_ms != i64::MAX)
        || (is_own_time && is_early(settings, header.max_timestamp_ms, now_ms))
}

/// Whether a time lies further ahead than the topic takes.
fn is_early(settings: &TopicSettings, time_ms: i64, now_ms: i64) -> bool {
    time_ms > now_ms.saturating_add(settings.timestamp_after_ms)
}

/// Refuses a batch with records that its topic does not take.
pub(super) fn judge(
    state: &TopicState,
    partition: i32,
    (header, records): (&BatchHeader, &[u8]),
    now_ms: i64,
) -> Result<(), Refused> {
    let pool = Pool::new(1, 1 << 20);
    let batch = decode_within(plain_max(state), header, records, (&state.topic, partition), &pool);
    let batch = batch.map_err(|why| Refused::new(Code::CorruptMessage, why))?;
    let place = format!("{}-{partition}", state.topic.name);
    let is_marked = header.append_timestamp_ms().is_some();
    let (mut named, mut count, mut worst) = (Vec::new(), 0usize, Code::InvalidRecord);
    for (index, stored) in (0..).zip(batch.iter()) {
        let fault = key_fault(&state.settings, &stored, &place)
            .map(|why| (Code::InvalidRecord, why))
            .or_else(|| {
                let why = time_fault(&state.settings, &stored, is_marked, now_ms)?;
                Some((Code::InvalidTimestamp, why))
            });
        let Some((code, why)) = fault else { continue };
        count += 1;
        if code == Code::InvalidTimestamp {
            worst = code;
        }
        if named.len() < NAMED_MAX {
            named.push((index, why));
        }
    }
    if count > 0 {
        return Err(refusal(worst, count, named));
    }
    if !state.settings.append_time && is_early(&state.settings, header.max_timestamp_ms, now_ms) {
        let why = format!("no record of {place} has the time {}", header.max_timestamp_ms);
        return Err(Refused::new(Code::InvalidTimestamp, why).by_the_log());
    }
    Ok(())
}

fn refusal(code: Code, count: usize, named: Vec<(i32, String)>) -> Refused {
    let why = if code == Code::InvalidTimestamp {
        "One or more records have been rejected due to invalid timestamp".to_owned()
    } else {
        let one = |(index, why): &(i32, String)| {
            format!("RecordError(batchIndex={index}, message='{why}')")
        };
        let first: Vec<String> = named.iter().take(3).map(one).collect();
        let first = first.join(", ");
        format!(
            "One or more records have been rejected due to {count} record errors in total, and only showing the first three errors at most: [{first}]"
        )
    };
    let records = named.into_iter().map(|(index, why)| {
        BatchIndexAndErrorMessage::default()
            .with_batch_index(index)
            .with_batch_index_error_message(Some(StrBytes::from_string(why)))
    });
    let mut refused = Refused::new(code, why).by_the_log();
    (refused.records, refused.told) = (records.collect(), true);
    refused
}

fn key_fault(settings: &TopicSettings, stored: &StoredRecord<'_>, place: &str) -> Option<String> {
    (settings.cleanup.compact && stored.record.key.is_none()).then(|| {
        format!("Compacted topic cannot accept message without key in topic partition {place}.")
    })
}

fn time_fault(
    settings: &TopicSettings,
    stored: &StoredRecord<'_>,
    is_marked: bool,
    now_ms: i64,
) -> Option<String> {
    let (record, offset) = (&stored.record, stored.offset);
    let time = record.timestamp_ms;
    let is_late = now_ms.saturating_sub(time) > settings.timestamp_before_ms;
    if !settings.append_time
        && time != NO_TIMESTAMP
        && (is_late || is_early(settings, time, now_ms))
    {
        let from = now_ms.saturating_sub(settings.timestamp_before_ms);
        let to = now_ms.saturating_add(settings.timestamp_after_ms);
        return Some(format!(
            "Timestamp {time} of message with offset {offset} is out of range. The timestamp should be within [{from}, {to}]"
        ));
    }
    let bytes = |part: Option<&[u8]>| part.map_or(0, <[u8]>::len);
    is_marked.then(|| {
        format!(
            "Invalid timestamp type in message DefaultRecord(offset={offset}, timestamp={time}, key={} bytes, value={} bytes). Producer should not set timestamp type to LogAppendTime.",
            bytes(record.key),
            bytes(record.value)
        )
    })
}
