//! From a time to an offset.

use std::sync::Arc;

use anabranch_record::{Pool, Topic};

use super::decode::decode_within;
use crate::hub::HubError;
use crate::log::{LogError, Partition, Read, Reader};

/// Most bytes that a batch may have to be looked into, when it is decompressed: clients may ask as often as they like.
const LOOK_MAX: usize = 64 << 20;

/// The first offset of a partition whose timestamp is at least `time_ms`; the end when there is none.
pub(crate) fn offset_at(
    partition: &Arc<Partition>,
    topic: &Arc<Topic>,
    time_ms: i64,
) -> Result<i64, HubError> {
    Ok(find(partition, topic, time_ms)?.map_or_else(|| partition.end(), |(offset, _)| offset))
}

/// The first record of a partition whose timestamp is at least `time_ms`: its offset and its timestamp.
pub(crate) fn find(
    partition: &Arc<Partition>,
    topic: &Arc<Topic>,
    time_ms: i64,
) -> Result<Option<(i64, i64)>, HubError> {
    let not_now = |error: LogError| HubError::NotNow(error.to_string());
    let mut reader = Reader::new(Arc::clone(partition), partition.start());
    if !reader.seek_time(time_ms) {
        return Ok(None);
    }
    let start = partition.start();
    let pool = Pool::new(1, 8 << 20);
    loop {
        let (header, bytes) = match reader.read().map_err(not_now)? {
            Read::Batch(header, _) if header.max_timestamp_ms < time_ms => continue,
            // Kafka counts the ends of transactions too.
            Read::Batch(header, _) if header.is_control() => {
                return Ok(Some((header.base_offset.max(start), header.max_timestamp_ms)));
            }
            Read::Batch(header, bytes) => (header, bytes),
            Read::Damage(_) => continue,
            Read::End => return Ok(None),
        };
        let place = (topic, partition.name().partition);
        let Ok(batch) = decode_within(LOOK_MAX, &header, bytes, place, &pool) else {
            // Not looked into: whoever reads from its first record on misses nothing.
            if header.max_timestamp_ms >= time_ms {
                return Ok(Some((header.base_offset.max(start), header.max_timestamp_ms)));
            }
            continue;
        };
        let found = batch
            .iter()
            .find(|stored| stored.offset >= start && stored.record.timestamp_ms >= time_ms);
        if let Some(stored) = found {
            return Ok(Some((stored.offset, stored.record.timestamp_ms)));
        }
    }
}
