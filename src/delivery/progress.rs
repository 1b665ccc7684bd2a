//! Where a delivery is: the next offset of each partition, and which of that is not committed yet.

use std::collections::BTreeMap;
use std::sync::Arc;

use anabranch_record::{Records, StoredBatch, TopicPartition};

use crate::hub::{Counted, FetchedBatch, Lasting, Offset};
use crate::ledger::tally::{Fate, Tally};

/// Next offsets by topic and partition.
#[derive(Debug, Default)]
pub(super) struct Progress {
    next: BTreeMap<TopicPartition, (i64, i32)>,
    /// Where what is not committed so that it lasts begins: the group may stand there after a power cut.
    since: BTreeMap<TopicPartition, i64>,
    /// What has become of what is not committed.
    tallies: BTreeMap<TopicPartition, Tally>,
    dirty: bool,
}

impl Progress {
    /// Every record of `records` is settled.
    pub(super) fn advance(&mut self, records: &Records) {
        for (batch, next_offset) in records.ends() {
            self.set(batch, next_offset);
        }
    }

    /// Counts records that were read for the sink, and that it is done with.
    pub(super) fn take(&mut self, records: &Records) {
        for (batch, amount) in records.amounts() {
            self.tally(batch).taken += amount;
        }
    }

    /// Counts what has become of records.
    pub(super) fn count(&mut self, records: &Records, fate: Fate) {
        for (batch, amount) in records.amounts() {
            self.tally(batch).add(fate, amount);
        }
    }

    /// Of what was delivered and is not committed, so many records were destroyed.
    pub(super) fn destroy(&mut self, mut records: u64) {
        for tally in self.tallies.values_mut() {
            records -= tally.destroy(records);
        }
    }

    fn tally(&mut self, batch: &StoredBatch) -> &mut Tally {
        self.tallies.entry(batch.place()).or_default()
    }

    /// What has become of what is not committed.
    pub(super) fn counted(&self) -> Vec<Counted> {
        let counted = |(place, tally): (&TopicPartition, &Tally)| {
            let TopicPartition { topic, partition } = place.clone();
            Counted { topic, partition, tally: *tally }
        };
        self.tallies.iter().map(counted).collect()
    }

    /// Notes where what is not committed for good begins, before `records` are written.
    pub(super) fn begin(&mut self, records: &Records) {
        for (batch, first_offset) in records.starts() {
            self.since.entry(batch.place()).or_insert(first_offset);
        }
    }

    /// Where what is not committed for good of the partition of `batch` begins.
    pub(super) fn since(&self, batch: &StoredBatch) -> i64 {
        self.since.get(&batch.place()).copied().unwrap_or(batch.base_offset)
    }

    /// Notes where `records` begin, for a commit before they are written.
    pub(super) fn anchor(&mut self, records: &Records) {
        for (batch, first_offset) in records.starts() {
            self.next.entry(batch.place()).or_insert((first_offset, batch.epoch));
        }
        self.dirty = true;
    }

    /// Notes how far partitions were read where there was nothing to deliver, once all before that is.
    pub(super) fn pass(&mut self, passed: &[Offset]) {
        for Offset { topic, partition, offset, epoch } in passed {
            let place = TopicPartition::new(&**topic, *partition);
            let next = self.next.entry(place).or_insert((-1, -1));
            if next.0 < *offset {
                *next = (*offset, *epoch);
                self.dirty = true;
            }
        }
    }

    fn set(&mut self, batch: &StoredBatch, next_offset: i64) {
        self.dirty = true;
        self.next.insert(batch.place(), (next_offset, batch.epoch));
    }

    pub(super) const fn is_dirty(&self) -> bool {
        self.dirty
    }

    /// All offsets since the last resume: a sink's state speaks of all of them, so they are stored together.
    pub(super) fn offsets(&self) -> Vec<Offset> {
        self.next
            .iter()
            .map(|(place, (offset, epoch))| Offset::of(place, *offset, *epoch))
            .collect()
    }

    /// The next offset of each topic and partition.
    pub(super) fn ends(&self) -> Vec<(&str, i32, i64)> {
        self.next
            .iter()
            .map(|(place, next)| (place.topic.as_str(), place.partition, next.0))
            .collect()
    }

    /// A topic is gone. What is left of others is still to be committed.
    pub(super) fn forget(&mut self, topic: &str) {
        self.next.retain(|known, _| known.topic != topic);
        self.tallies.retain(|known, _| known.topic != topic);
        self.dirty = !self.next.is_empty();
    }

    pub(super) fn committed(&mut self, lasting: Lasting) {
        self.dirty = false;
        if lasting == Lasting::Everything {
            self.since.clear();
        }
        self.tallies.clear();
    }
}

/// Cuts what was fetched into writes of at most `max_records`, without what the group has had already.
pub(super) fn windows(batches: &[FetchedBatch], max_records: usize) -> Vec<Records> {
    let max_records = max_records.max(1);
    let (mut windows, mut window) = (Vec::new(), Records::default());
    for FetchedBatch { batch, skip } in batches {
        let count = batch.count as usize;
        let mut first = *skip;
        while first < count {
            if window.len() >= max_records {
                windows.push(std::mem::take(&mut window));
            }
            let part = (count - first).min(max_records - window.len());
            window.push_part(Arc::clone(batch), first, part);
            first += part;
        }
    }
    if !window.is_empty() {
        windows.push(window);
    }
    windows
}
