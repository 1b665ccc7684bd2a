//! What a consumer of this process reads of one partition: batches with records, past all that is for nobody.

use std::sync::Arc;

use anabranch_connectors::{Pool, Topic};
use tracing::error;

use super::Shared;
use super::decode::decode;
use crate::hub::{FetchedBatch, HubError};
use crate::log::{Damage, Partition, Read, Reader};
use crate::wire::BatchHeader;

/// Reads one partition for a consumer of this process.
pub(super) struct PartitionReader {
    pub(super) topic: Arc<Topic>,
    pub(super) reader: Reader,
    /// Records of a batch before this offset are not wanted.
    pub(super) from: i64,
    /// Offset behind what was given, or told to have been passed.
    pub(super) told: i64,
}

/// Whether a batch was taken back by its producer.
fn is_aborted(partition: &Partition, header: &BatchHeader) -> bool {
    header.is_transactional() && partition.producers().is_aborted(header)
}

/// The next batch with a record that the group has not had; `None` at the end.
pub(super) fn next_batch(
    shared: &Shared,
    mine: &mut PartitionReader,
    pool: &Pool,
    group: &str,
) -> Result<Option<FetchedBatch>, HubError> {
    let partition = Arc::clone(mine.reader.partition());
    let number = partition.name().partition;
    loop {
        if mine.reader.next_offset() >= partition.stable() {
            return Ok(None);
        }
        let read = mine.reader.read().map_err(|error| HubError::NotNow(error.to_string()))?;
        let damage = match read {
            Read::End => return Ok(None),
            Read::Batch(header, _) if header.is_control() || header.count == 0 => continue,
            Read::Batch(header, _) if is_aborted(&partition, &header) => continue,
            Read::Batch(header, bytes) => match decode(&header, bytes, (&mine.topic, number), pool)
            {
                Ok(batch) => {
                    let before =
                        |record: &anabranch_connectors::StoredRecord<'_>| record.offset < mine.from;
                    let skip = if batch.base_offset < mine.from {
                        batch.iter().take_while(before).count()
                    } else {
                        0
                    };
                    return Ok(Some(FetchedBatch { batch: Arc::new(batch), skip }));
                }
                Err(reason) => {
                    Damage { from: header.base_offset, to: header.next_offset(), reason }
                }
            },
            Read::Damage(damage) => damage,
        };
        let Damage { from, to, reason } = damage;
        shared.lost(group, u64::try_from(to - from).unwrap_or(0));
        let topic = &mine.topic.name;
        error!(topic, partition = number, from, to, %reason, group, "records are lost; reading goes on behind them");
    }
}
