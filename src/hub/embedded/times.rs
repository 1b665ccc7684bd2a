//! From a time to an offset.

use std::sync::Arc;

use anabranch_connectors::{Pool, Topic};

use super::decode::decode;
use crate::hub::HubError;
use crate::log::{LogError, Partition, Read, Reader};

/// The first offset of a partition whose timestamp is at least `time_ms`; the end when there is none.
pub(super) fn offset_at(
    partition: &Arc<Partition>,
    topic: &Arc<Topic>,
    time_ms: i64,
) -> Result<i64, HubError> {
    let not_now = |error: LogError| HubError::NotNow(error.to_string());
    let mut reader = Reader::new(Arc::clone(partition), partition.start());
    if !reader.seek_time(time_ms) {
        return Ok(partition.end());
    }
    let pool = Pool::new(1, 8 << 20);
    loop {
        let (header, bytes) = match reader.read().map_err(not_now)? {
            Read::Batch(header, _) if header.max_timestamp_ms < time_ms => continue,
            Read::Batch(header, bytes) => (header, bytes),
            Read::Damage(_) => continue,
            Read::End => return Ok(partition.end()),
        };
        let place = (topic, partition.name().partition);
        let Ok(batch) = decode(&header, bytes, place, &pool) else { continue };
        let found = batch.iter().find(|stored| stored.record.timestamp_ms >= time_ms);
        return Ok(found.map_or(header.base_offset, |stored| stored.offset));
    }
}
