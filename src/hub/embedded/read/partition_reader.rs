//! What a consumer reads of one partition: batches with records, past all that is for nobody.

use std::sync::Arc;

use anabranch_record::{Pool, StoredBatch, StoredRecord, Topic, TopicPartition};
use tracing::error;

use super::decode::decode;
use crate::hub::{FetchedBatch, HubError, Offset};
use crate::ledger::progress::{Gaps, Progress};
use crate::ledger::tally::Fate;
use crate::log::{Damage, Partition, Read, Reader};
use crate::wire::BatchHeader;

/// Reads one partition.
pub(crate) struct PartitionReader {
    pub(crate) topic: Arc<Topic>,
    reader: Reader,
    /// Records of a batch before this offset are not wanted.
    pub(super) from: i64,
    /// Offset behind what was given, or told to have been passed.
    told: i64,
    /// What has become of all before what is committed; `None` for who keeps no account.
    pub(crate) account: Option<Progress>,
    /// Offsets without a record that are not committed yet.
    pub(crate) gaps: Gaps,
    /// Offset behind what was read.
    seen: i64,
}

/// Why a batch is for nobody, if it is.
fn why_empty(partition: &Partition, header: &BatchHeader) -> Option<Fate> {
    if header.is_control() {
        return Some(Fate::Mark);
    }
    if header.count == 0 {
        return Some(Fate::Compacted);
    }
    let is_aborted = header.is_transactional() && partition.producers().is_aborted(header);
    is_aborted.then_some(Fate::Aborted)
}

impl PartitionReader {
    /// Reads `partition` from the offset `from` on.
    pub(crate) fn new(topic: Arc<Topic>, partition: Arc<Partition>, from: i64) -> Self {
        let reader = Reader::new(partition, from);
        Self { topic, reader, from, told: from, account: None, gaps: Gaps::default(), seen: from }
    }

    /// Whether it reads that partition.
    pub(crate) fn is_of(&self, topic: &str, partition: i32) -> bool {
        let name = self.reader.partition().name();
        name.topic == topic && name.partition == partition
    }

    /// Reads on at `offset`, or at the nearest that is kept; gives the offset.
    pub(crate) fn seek(&mut self, offset: i64) -> i64 {
        let partition = Arc::clone(self.reader.partition());
        let offset = offset.clamp(partition.start(), partition.end());
        *self = Self::new(Arc::clone(&self.topic), partition, offset);
        offset
    }

    /// The partition.
    pub(crate) fn partition(&self) -> &Arc<Partition> {
        self.reader.partition()
    }

    /// The next batch with a record that `group` has not had; `None` at the end. `lost` hears of offsets that cannot
    /// be read.
    pub(crate) fn next(
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
                Read::Batch(header, bytes) => {
                    if let Some(fate) = why_empty(&partition, &header) {
                        self.pass(header.next_offset(), fate);
                        continue;
                    }
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
            let fate = if damage.is_removal { Fate::Removed } else { Fate::Damaged };
            self.pass(damage.to, fate);
            // What is lost of a batch is not given with the rest of it.
            self.from = self.from.max(damage.to);
            let Damage { from, to, reason, .. } = damage;
            let topic = &self.topic.name;
            error!(topic, partition = number, from, to, %reason, group, "records are lost; reading goes on behind them");
        }
    }

    /// Gives back the memory of what was read ahead, if all of it was used.
    pub(super) fn release(&mut self) {
        self.reader.release();
    }

    fn give(&mut self, batch: StoredBatch) -> FetchedBatch {
        let is_before = |record: &StoredRecord<'_>| record.offset < self.from;
        let skip = if batch.base_offset < self.from {
            batch.iter().take_while(is_before).count()
        } else {
            0
        };
        self.told = batch.next_offset;
        if self.account.is_some() {
            self.pass_given(&batch, skip);
        }
        FetchedBatch { batch: Arc::new(batch), skip }
    }

    /// There is nothing up to `to`.
    fn pass(&mut self, to: i64, fate: Fate) {
        if self.account.is_some() {
            self.gaps.push(self.seen, to, fate);
        }
        self.seen = self.seen.max(to);
    }

    /// Notes what compaction has left out before a batch and in it.
    fn pass_given(&mut self, batch: &StoredBatch, skip: usize) {
        let first = self.seen.max(batch.base_offset);
        self.gaps.push(self.seen, first, Fate::Compacted);
        let records = batch.count as usize - skip.min(batch.count as usize);
        let offsets = usize::try_from(batch.next_offset - first).unwrap_or(0);
        if records != offsets {
            let mut expected = first;
            for stored in batch.iter().skip(skip) {
                self.gaps.push(expected, stored.offset, Fate::Compacted);
                expected = stored.offset.saturating_add(1);
            }
            self.gaps.push(expected, batch.next_offset, Fate::Compacted);
        }
        self.seen = batch.next_offset;
    }

    /// Up to where there was nothing for anybody since the last batch that it gave; once.
    pub(crate) fn passed(&mut self) -> Option<Offset> {
        let offset = self.reader.next_offset();
        if offset <= self.told {
            return None;
        }
        self.told = offset;
        let TopicPartition { topic, partition } = self.reader.partition().name().clone();
        Some(Offset { topic, partition, offset, epoch: -1 })
    }
}
