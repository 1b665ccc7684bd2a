//! What a consumer reads of one partition: batches with records, past all that is for nobody.

use std::sync::Arc;

use anabranch_connectors::{Pool, StoredBatch, StoredRecord, Topic};
use tracing::error;

use super::decode::decode;
use crate::hub::{FetchedBatch, HubError, Offset};
use crate::log::{Damage, Partition, PartitionName, Read, Reader};
use crate::wire::BatchHeader;

/// Reads one partition.
pub(super) struct PartitionReader {
    pub(super) topic: Arc<Topic>,
    reader: Reader,
    /// Records of a batch before this offset are not wanted.
    pub(super) from: i64,
    /// Offset behind what was given, or told to have been passed.
    told: i64,
}

/// Whether a batch was taken back by its producer.
fn is_aborted(partition: &Partition, header: &BatchHeader) -> bool {
    header.is_transactional() && partition.producers().is_aborted(header)
}

impl PartitionReader {
    /// Reads `partition` from the offset `from` on.
    pub(super) fn new(topic: Arc<Topic>, partition: Arc<Partition>, from: i64) -> Self {
        Self { topic, reader: Reader::new(partition, from), from, told: from }
    }

    /// Whether it reads that partition.
    pub(super) fn is_of(&self, topic: &str, partition: i32) -> bool {
        let name = self.reader.partition().name();
        name.topic == topic && name.partition == partition
    }

    /// Reads on at `offset`, or at the nearest that is kept; gives the offset.
    pub(super) fn seek(&mut self, offset: i64) -> i64 {
        let partition = Arc::clone(self.reader.partition());
        let offset = offset.clamp(partition.start(), partition.end());
        *self = Self::new(Arc::clone(&self.topic), partition, offset);
        offset
    }

    /// The partition.
    pub(super) fn partition(&self) -> &Arc<Partition> {
        self.reader.partition()
    }

    /// The next batch with a record that `group` has not had; `None` at the end. `lost` hears of offsets that cannot
    /// be read.
    pub(super) fn next(
        &mut self,
        pool: &Pool,
        group: &str,
        mut lost: impl FnMut(&Damage),
    ) -> Result<Option<FetchedBatch>, HubError> {
        let partition = Arc::clone(self.reader.partition());
        let number = partition.name().partition;
        loop {
            if self.reader.next_offset() >= partition.stable() {
                return Ok(None);
            }
            let read = self.reader.read().map_err(|error| HubError::NotNow(error.to_string()))?;
            let damage = match read {
                Read::End => return Ok(None),
                Read::Batch(header, _) if header.is_control() || header.count == 0 => continue,
                Read::Batch(header, _) if is_aborted(&partition, &header) => continue,
                Read::Batch(header, bytes) => {
                    match decode(&header, bytes, (&self.topic, number), pool) {
                        Ok(batch) => return Ok(Some(self.give(batch))),
                        Err(reason) => {
                            Damage::new(header.base_offset, header.next_offset(), reason)
                        }
                    }
                }
                Read::Damage(damage) => damage,
            };
            lost(&damage);
            let Damage { from, to, reason, .. } = damage;
            let topic = &self.topic.name;
            error!(topic, partition = number, from, to, %reason, group, "records are lost; reading goes on behind them");
        }
    }

    fn give(&mut self, batch: StoredBatch) -> FetchedBatch {
        let is_before = |record: &StoredRecord<'_>| record.offset < self.from;
        let skip = if batch.base_offset < self.from {
            batch.iter().take_while(is_before).count()
        } else {
            0
        };
        self.told = batch.next_offset;
        FetchedBatch { batch: Arc::new(batch), skip }
    }

    /// Up to where there was nothing for anybody since the last batch that it gave; once.
    pub(super) fn passed(&mut self) -> Option<Offset> {
        let offset = self.reader.next_offset();
        if offset <= self.told {
            return None;
        }
        self.told = offset;
        let PartitionName { topic, partition } = self.reader.partition().name().clone();
        Some(Offset { topic, partition, offset, epoch: -1 })
    }
}
