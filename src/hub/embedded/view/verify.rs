//! The ledger counted anew from the log: what the batches themselves hold, against what is kept.
//!
//! Of a source: each run of records against the mark that ends it, and where nothing of a partition was removed all
//! of them against what is kept. Of a sink: the records and gaps between the offset from which it counts and the
//! committed one against its account. What retention has removed cannot be counted any more, and is allowed for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use anabranch_record::{Amount, Pool, StoredBatch};

use super::totals::kept_positions;
use super::{Seen, View};
use crate::hub::embedded::read::decode::decode;
use crate::hub::embedded::sources::totals::{Totals, each_run};
use crate::hub::embedded::write::encode::OWN_PRODUCER;
use crate::hub::{HubError, account_of};
use crate::ledger::progress::Progress;
use crate::ledger::rows::{Difference, Verified};
use crate::ledger::tally::{Fate, Group};
use crate::log::{Partition, Read, Reader};
use crate::wire::BatchHeader;

/// A sink's account of a partition, and what the log has for it.
struct Audit {
    sink: String,
    account: Progress,
    committed: i64,
    /// From here on it can be counted: what was before is gone.
    first: i64,
    records: Amount,
    empty: u64,
}

/// What is found of one partition.
#[derive(Default)]
struct Found {
    /// By source: what was handed on, and what there is.
    sources: BTreeMap<String, (Amount, Amount)>,
    faults: Vec<String>,
    is_compacted: bool,
}

impl View {
    /// Counts everything that is still there.
    ///
    /// # Errors
    /// [`HubError`] when the files cannot be read.
    pub fn verify(&self) -> Result<Verified, HubError> {
        // What is committed first: a running agent may go on, and then the log is never behind it.
        let groups = self.all_groups()?;
        let topics = self.look(|_name| true)?;
        let kept = kept_positions(&topics)?;
        let mut verified = Verified::default();
        for (topic, seen) in topics.iter().filter(|(topic, _)| !topic.starts_with("__")) {
            for partition in &seen.partitions {
                let mut audits = Vec::new();
                for sink in groups.names() {
                    let committed = groups.committed(&sink, partition.name());
                    let Some(committed) = committed else { continue };
                    let Some(account) = account_of(&committed.metadata) else { continue };
                    let (records, committed) = (Amount::NONE, committed.offset);
                    let first = account.base.max(partition.start());
                    audits.push(Audit { sink, account, committed, first, records, empty: 0 });
                }
                let found = count(seen, partition, &mut audits, &mut verified)?;
                compare_sources(partition, &found, &kept.totals, &mut verified);
                for audit in &audits {
                    audit.compare(
                        &format!("{topic}-{}", partition.name().partition),
                        partition,
                        &mut verified,
                    );
                }
                verified.faults.extend(found.faults);
            }
        }
        Ok(verified)
    }
}

/// Reads a partition through.
fn count(
    seen: &Seen,
    partition: &Arc<Partition>,
    audits: &mut [Audit],
    verified: &mut Verified,
) -> Result<Found, HubError> {
    let mut found = Found::default();
    let (name, pool) = (partition.name(), Pool::new(2, 16 << 20));
    let mut reader = Reader::new(Arc::clone(partition), partition.start());
    let mut expected = partition.start();
    loop {
        let read = reader.read().map_err(|error| HubError::NotNow(error.to_string()))?;
        let (header, bytes) = match read {
            Read::End => return Ok(found),
            Read::Damage(damage) => {
                found.faults.push(format!(
                    "{name}: offsets {} to {}: {}",
                    damage.from,
                    damage.to - 1,
                    damage.reason
                ));
                pass(audits, damage.from, damage.to);
                expected = damage.to;
                continue;
            }
            Read::Batch(header, bytes) => (header, bytes),
        };
        let next = header.next_offset();
        pass(audits, expected, header.base_offset);
        expected = next;
        if is_for_nobody(partition, &header) {
            found.is_compacted |= header.count == 0;
            pass(audits, header.base_offset, next);
            continue;
        }
        let batch = match decode(&header, bytes, (&seen.topic, name.partition), &pool) {
            Ok(batch) => batch,
            Err(reason) => {
                found.faults.push(format!(
                    "{name}: offsets {} to {}: {reason}",
                    header.base_offset,
                    next - 1
                ));
                pass(audits, header.base_offset, next);
                continue;
            }
        };
        let offsets = next - header.base_offset;
        found.is_compacted |= i64::from(batch.count) < offsets;
        verified.records += u64::from(batch.count);
        verified.bytes += batch.data.len() as u64;
        if header.producer_id == OWN_PRODUCER {
            found.note(&batch);
        }
        for audit in audits.iter_mut() {
            audit.note(&batch);
        }
    }
}

fn is_for_nobody(partition: &Partition, header: &BatchHeader) -> bool {
    header.is_control()
        || header.count == 0
        || header.is_transactional() && partition.producers().is_aborted(header)
}

fn pass(audits: &mut [Audit], from: i64, to: i64) {
    for audit in audits {
        audit.empty += audit.within(from, to);
    }
}

impl Found {
    fn note(&mut self, batch: &StoredBatch) {
        let mut first = batch.base_offset;
        let dense = i64::from(batch.count) == batch.next_offset - batch.base_offset;
        each_run(batch, |mark, stored| {
            let claimed = mark.claimed.unwrap_or(stored);
            let (handed_on, there) = self.sources.entry(mark.source.to_owned()).or_default();
            *handed_on += claimed;
            *there += stored;
            if dense && claimed != stored {
                let Difference { records, bytes } = Difference::between(claimed, stored);
                let (topic, partition) = (&batch.topic.name, batch.partition);
                self.faults.push(format!(
                    "{topic}-{partition}: source {}: at offset {first} {records} records and {bytes} bytes are missing",
                    mark.source
                ));
            }
            first += i64::try_from(stored.records).unwrap_or(0);
        });
    }
}

/// What is kept of the sources of a partition, against what is in it.
fn compare_sources(partition: &Partition, found: &Found, kept: &Totals, verified: &mut Verified) {
    let name = partition.name();
    if partition.start() > 0 || found.is_compacted {
        let removed = partition.start();
        if removed > 0 {
            verified.notes.push(format!(
                "{name}: the {removed} offsets before {removed} are gone and are not counted anew"
            ));
        }
        if found.is_compacted {
            verified
                .notes
                .push(format!("{name} is compacted: what its sources stored is not counted anew"));
        }
        return;
    }
    let kept = kept.of_place(name);
    let sources = found.sources.keys().map(String::as_str).chain(kept.keys().copied());
    for source in sources.collect::<BTreeSet<_>>() {
        let there = found.sources.get(source).copied().unwrap_or_default();
        let kept = kept.get(source).copied().unwrap_or_default();
        if there != kept {
            let (handed_on, stored) = there;
            verified.faults.push(format!(
                "{name}: source {source}: kept are {} records handed on and {} stored, the log has {} and {}",
                kept.0.records, kept.1.records, handed_on.records, stored.records
            ));
        }
    }
}

impl Audit {
    /// How many of these offsets the account speaks of.
    fn within(&self, from: i64, to: i64) -> u64 {
        let (from, to) = (from.max(self.first), to.min(self.committed));
        u64::try_from(to.saturating_sub(from)).unwrap_or(0)
    }

    fn note(&mut self, batch: &StoredBatch) {
        let count = i64::from(batch.count);
        let offsets = batch.next_offset - batch.base_offset;
        let inside = self.within(batch.base_offset, batch.next_offset);
        if inside == 0 {
            return;
        }
        if count == offsets {
            let first = (self.first - batch.base_offset).max(0);
            let (first, records) =
                (usize::try_from(first).unwrap_or(0), usize::try_from(inside).unwrap_or(0));
            self.records += Amount::new(inside, batch.bytes_of(first, records));
            return;
        }
        let is_meant = |offset: i64| offset >= self.first && offset < self.committed;
        let mut records = Amount::NONE;
        for (number, stored) in batch.iter().enumerate() {
            if is_meant(stored.offset) {
                records += Amount::new(1, batch.bytes_of(number, 1));
            }
        }
        self.empty += inside.saturating_sub(records.records);
        self.records += records;
    }

    fn compare(&self, name: &str, partition: &Partition, verified: &mut Verified) {
        let (sink, tally) = (&self.sink, &self.account.tally);
        let settled = [Group::Delivered, Group::Dead, Group::Diverted]
            .into_iter()
            .map(|group| tally.sum(group));
        let mut settled: Amount = settled.sum();
        settled += tally.of(Fate::Destroyed);
        let empty = tally.sum(Group::Filtered).records
            + tally.of(Fate::Damaged).records
            + tally.of(Fate::Removed).records;
        let end = self.committed.min(partition.start());
        let gone = u64::try_from(end.saturating_sub(self.account.base)).unwrap_or(0);
        let all = self.records.records + self.empty + gone;
        let accounted = settled.records + empty;
        if all != accounted {
            verified.faults.push(format!(
                "{name}: sink {sink}: the log had {all} offsets for it, of which it accounts for {accounted}"
            ));
        } else if gone == 0 && self.account.taken_back == 0 && settled != self.records {
            verified.faults.push(format!(
                "{name}: sink {sink}: the log has {} records ({} bytes) for it, of which it accounts for {} ({} bytes)",
                self.records.records, self.records.bytes, settled.records, settled.bytes
            ));
        }
    }
}
