//! What becomes of batches that are larger than their topic takes: smaller ones, and dead letters.
//!
//! A record that is larger than its topic's `max.message.bytes` would stop everything behind it for ever. It goes to
//! the topic `<topic>.dlq` instead, in the same transaction, its value and key cut so that it fits, with these
//! headers beside its own:
//!
//! | header                  | value                                     |
//! |-------------------------|-------------------------------------------|
//! | `__anabranch.reason`    | `message_too_large`                       |
//! | `__anabranch.topic`     | where it should have gone                 |
//! | `__anabranch.partition` | the partition there                       |
//! | `__anabranch.size`      | bytes of its value before it was cut      |

use std::sync::atomic::{AtomicU64, Ordering};

use anabranch_record::header::HeadersRef;
use anabranch_record::{Headers, Record, StoredBatch};
use tracing::warn;

use super::encode::{AROUND, Encoder, Limits, decode, size};
use super::topics::Topics;
use crate::hub::DEAD_LETTERS;
use crate::kafka::{Batch, Place, State};

/// Names of the headers, and the reason.
pub(super) const REASON: &str = "__anabranch.reason";
pub(super) const TOPIC: &str = "__anabranch.topic";
pub(super) const PARTITION: &str = "__anabranch.partition";
pub(super) const SIZE: &str = "__anabranch.size";
pub(super) const TOO_LARGE: &str = "message_too_large";

/// Makes batches fit.
pub(super) struct Amender<'a> {
    pub(super) topics: &'a Topics,
    pub(super) encoder: &'a Encoder,
    pub(super) cut: &'a AtomicU64,
    pub(super) batch_size: usize,
}

/// Whether the brokers take a batch like this only in smaller pieces.
pub(super) fn is_too_large(batch: &Batch) -> bool {
    matches!(batch.state, State::Refused(code) if code.is_too_large())
}

impl Amender<'_> {
    /// Puts others in the place of batches that are too large; whether there were any.
    pub(super) fn amend(&self, batches: &mut Vec<Batch>) -> Result<bool, String> {
        if !batches.iter().any(is_too_large) {
            return Ok(false);
        }
        // One after another, so that what is done stays done when a topic cannot be had now.
        while let Some(number) = batches.iter().position(is_too_large) {
            let smaller = match batches.get(number) {
                Some(batch) => self.smaller(batch)?,
                None => Vec::new(),
            };
            batches.splice(number..=number, smaller);
        }
        Ok(true)
    }

    fn smaller(&self, batch: &Batch) -> Result<Vec<Batch>, String> {
        let damaged = || "a batch could not be read back".to_owned();
        let stored = decode(batch).ok_or_else(damaged)?;
        match stored.iter().next().filter(|_| batch.count == 1) {
            Some(only) => self.dead_letter(&batch.place, &only.record),
            None => self.split(&batch.place, &stored),
        }
    }

    fn split(&self, place: &Place, stored: &StoredBatch) -> Result<Vec<Batch>, String> {
        let mut writing =
            self.encoder.begin(place.clone(), self.topics.limits(&place.0, self.batch_size));
        for one in stored.iter() {
            writing.push(&one.record).map_err(|error| error.to_string())?;
        }
        writing.end().map_err(|error| error.to_string())
    }

    fn dead_letter(&self, place: &Place, record: &Record<'_>) -> Result<Vec<Batch>, String> {
        let (from, partition) = (&*place.0, place.1);
        // A dead letter that does not fit is cut where it is, further if need be.
        let is_dead = from.ends_with(DEAD_LETTERS);
        let topic = if is_dead { from.to_owned() } else { format!("{from}{DEAD_LETTERS}") };
        let is_cut = record.headers.get(REASON) == Some(TOO_LARGE.as_bytes());
        let partitions = self.topics.partitions_now(&topic).map_err(|error| error.to_string())?;
        let partitions = i32::try_from(partitions).unwrap_or(i32::MAX).max(1);
        let mut room = self.topics.message_max(&topic).saturating_sub(2 * AROUND + topic.len());
        let mut own = Vec::new();
        let mut header_count = 0;
        let HeadersRef { common, own: lone } = record.headers;
        if common.len() + lone.len() <= room / 2 {
            own.extend_from_slice(common);
            own.extend_from_slice(lone);
            header_count = record.header_count;
            room -= own.len();
        }
        if !is_cut {
            let more = reasons(from, partition, record.value.map_or(0, <[u8]>::len));
            own.extend_from_slice(more.bytes());
            header_count += more.count();
            let size = size(record);
            warn!(from, partition, size, topic, "a record is too large for its topic; it was cut");
            self.cut.fetch_add(1, Ordering::Relaxed);
        }
        let key = record.key.map(|key| cut(key, room / 4));
        let room = room - key.map_or(0, <[u8]>::len);
        let value = record.value.map(|value| cut(value, room));
        let headers = HeadersRef { common: &[], own: &own };
        let record = Record { key, value, header_count, headers, ..*record };
        let limits = Limits { batch_max: usize::MAX, record_max: usize::MAX };
        let mut writing =
            self.encoder.begin((topic.as_str().into(), partition % partitions), limits);
        writing.push(&record).map_err(|error| error.to_string())?;
        writing.end().map_err(|error| error.to_string())
    }
}

fn reasons(topic: &str, partition: i32, value_bytes: usize) -> Headers {
    Headers::new()
        .with(REASON, TOO_LARGE.as_bytes())
        .with(TOPIC, topic.as_bytes())
        .with(PARTITION, partition.to_string().as_bytes())
        .with(SIZE, value_bytes.to_string().as_bytes())
}

pub(super) fn cut(bytes: &[u8], length: usize) -> &[u8] {
    bytes.get(..length).unwrap_or(bytes)
}
