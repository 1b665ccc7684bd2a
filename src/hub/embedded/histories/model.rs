//! What must be there, whatever happens.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use anabranch_record::{Pool, StoredBatch, TopicPartition};

use super::super::{Embedded, TopicState};
use crate::hub::embedded::read::decode::decode;
use crate::log::{Partition, Read, Reader};

/// A record as it lies in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) offset: i64,
    pub(super) epoch: i32,
    pub(super) id: Id,
}

/// The line of a file, and the number of the append: a line that is read again has another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Id {
    pub(super) file: u64,
    pub(super) line: u64,
    pub(super) serial: u64,
}

impl Id {
    /// The value of a record, with something behind it.
    pub(super) fn value(self, rest: &[u8]) -> Vec<u8> {
        let mut value = format!("{} {} {} ", self.file, self.line, self.serial).into_bytes();
        value.extend_from_slice(rest);
        value
    }

    fn parse(value: &[u8]) -> Option<Self> {
        let mut words = value.splitn(4, |byte| *byte == b' ');
        let mut word = || str::from_utf8(words.next()?).ok()?.parse().ok();
        Some(Self { file: word()?, line: word()?, serial: word()? })
    }
}

/// A partition, as far as it is known.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// Everything that it has, also what retention and compaction have removed since.
    pub(super) all: Vec<Found>,
    /// The offset behind its last batch.
    pub(super) end: i64,
    pub(super) start: i64,
    is_compacted: bool,
    /// What compaction has removed.
    gone: HashSet<Id>,
}

/// What is known of a hub.
#[derive(Debug, Default)]
pub(super) struct Model {
    pub(super) partitions: BTreeMap<TopicPartition, Known>,
    /// Which record each place has named, for ever.
    named: HashMap<(TopicPartition, i32, i64), Id>,
    /// What each group has read before it committed.
    pub(super) read: BTreeMap<String, HashSet<Id>>,
    /// The last offset of a group that is known to be on disk.
    pub(super) committed: BTreeMap<(String, TopicPartition), i64>,
}

/// Everything that can be read of a partition.
///
/// # Errors
/// What cannot be read though it should be.
pub(super) fn read_all(
    state: &TopicState,
    partition: &Arc<Partition>,
) -> Result<Option<Vec<Found>>, String> {
    let mut reader = Reader::new(Arc::clone(partition), partition.start());
    let mut all = Vec::new();
    loop {
        match read_next(state, &mut reader) {
            Ok(Some(found)) => all.extend(found),
            Ok(None) => return Ok(Some(all)),
            Err(Trouble::Disk) => return Ok(None),
            Err(Trouble::Wrong(wrong)) => return Err(wrong),
        }
    }
}

fn read_past_damage(state: &TopicState, partition: &Arc<Partition>) -> Result<Vec<Found>, String> {
    let mut reader = Reader::new(Arc::clone(partition), partition.start());
    let (mut all, pool) = (Vec::new(), Pool::new(1, 1 << 20));
    loop {
        match reader.read().map_err(|error| error.to_string())? {
            Read::End => return Ok(all),
            Read::Damage(_) => {}
            Read::Batch(header, bytes) => {
                let place = (&state.topic, partition.name().partition);
                let batch = decode(&header, bytes, place, &pool)?;
                all.extend(records(&batch).ok_or("an invented record")?);
            }
        }
    }
}

/// Why nothing was read.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The disk refused; later it may not.
    Disk,
    Wrong(String),
}

/// The next batch's records; `None` at the end.
pub(super) fn read_next(
    state: &TopicState,
    reader: &mut Reader,
) -> Result<Option<Vec<Found>>, Trouble> {
    let pool = Pool::new(1, 1 << 20);
    let name = reader.partition().name().clone();
    match reader.read() {
        Err(_refused) => Err(Trouble::Disk),
        Ok(Read::End) => Ok(None),
        Ok(Read::Damage(damage)) if damage.is_removal => Ok(Some(Vec::new())),
        Ok(Read::Damage(damage)) => Err(Trouble::Wrong(format!("{name} reads {damage:?}"))),
        Ok(Read::Batch(header, bytes)) => {
            let batch = decode(&header, bytes, (&state.topic, name.partition), &pool);
            let batch = batch.map_err(|why| Trouble::Wrong(format!("{name}: {why}")))?;
            let found = records(&batch);
            let whole = found.ok_or_else(|| Trouble::Wrong(format!("{name}: an invented record")));
            whole.map(Some)
        }
    }
}

fn records(batch: &StoredBatch) -> Option<Vec<Found>> {
    let found = |stored: anabranch_record::StoredRecord<'_>| {
        let id = Id::parse(stored.record.value?)?;
        Some(Found { offset: stored.offset, epoch: batch.epoch, id })
    };
    batch.iter().map(found).collect()
}

impl Model {
    /// Takes in what the log has now, which `after_cut` may lack its end; says whether all of it could be read.
    pub(super) fn look(&mut self, hub: &Embedded, after_cut: bool) -> Result<bool, String> {
        for state in hub.shared.topics.all().iter().filter(|state| !state.is_internal()) {
            for partition in &state.partitions {
                let Some(now) = read_all(state, partition)? else { return Ok(false) };
                let known = self.partitions.entry(partition.name().clone()).or_default();
                known.is_compacted = state.settings.cleanup.compact;
                let place = (partition.start(), partition.end());
                known.take(&now, place, after_cut).map_err(|wrong| {
                    format!("{}: {wrong}\n now {now:?}\n all {:?}", partition.name(), known.all)
                })?;
                for found in &now {
                    let place = (partition.name().clone(), found.epoch, found.offset);
                    if *self.named.entry(place.clone()).or_insert(found.id) != found.id {
                        return Err(format!(
                            "{place:?} names {:?} and {:?}",
                            self.named[&place], found.id
                        ));
                    }
                }
            }
        }
        Ok(true)
    }

    /// How many lines of a file are in the log; they must be the first ones, each once.
    pub(super) fn lines(&self, file: u64) -> Result<u64, String> {
        let all = self.partitions.values().flat_map(|known| &known.all);
        let lines: Vec<u64> =
            all.filter(|found| found.id.file == file).map(|found| found.id.line).collect();
        let distinct: BTreeSet<u64> = lines.iter().copied().collect();
        let count = lines.len() as u64;
        if distinct.len() != lines.len() || distinct.last().is_some_and(|last| last + 1 != count) {
            return Err(format!("file {file} has the lines {lines:?}"));
        }
        Ok(count)
    }

    /// After damage nothing is invented, and of what is missing it was told.
    pub(super) fn survives_damage(
        &self,
        hub: &Embedded,
        is_told: impl Fn(&TopicPartition, i64) -> bool,
    ) -> Result<(), String> {
        for state in hub.shared.topics.all().iter().filter(|state| !state.is_internal()) {
            for partition in &state.partitions {
                let name = partition.name();
                let now = read_past_damage(state, partition)?;
                let Some(known) = self.partitions.get(name) else { continue };
                // No sum covers an epoch.
                let at: HashMap<i64, Id> =
                    known.all.iter().map(|found| (found.offset, found.id)).collect();
                if let Some(found) =
                    now.iter().find(|found| at.get(&found.offset) != Some(&found.id))
                {
                    return Err(format!("{name} has invented {found:?}"));
                }
                if partition.end() > known.end {
                    return Err(format!(
                        "{name} ended at {} and ends at {}",
                        known.end,
                        partition.end()
                    ));
                }
                let there: HashSet<i64> = now.iter().map(|found| found.offset).collect();
                let missing = known.all.iter().filter(|found| {
                    let is_there = there.contains(&found.offset) || known.gone.contains(&found.id);
                    !is_there && found.offset >= known.start
                });
                for found in missing {
                    if !is_told(name, found.offset) {
                        return Err(format!("{name} lacks {found:?} and does not say so"));
                    }
                }
            }
        }
        Ok(())
    }

    /// The offset of a group hides nothing that it has not read.
    pub(super) fn hides_nothing(
        &self,
        group: &str,
        name: &TopicPartition,
        offset: i64,
    ) -> Result<(), String> {
        let Some(known) = self.partitions.get(name) else { return Ok(()) };
        let read = self.read.get(group);
        let unread = |found: &&Found| {
            let is_there = found.offset >= known.start && !known.gone.contains(&found.id);
            let is_read = read.is_some_and(|read| read.contains(&found.id));
            found.offset < offset && is_there && !is_read
        };
        if let Some(hidden) = known.all.iter().find(unread) {
            return Err(format!("{group} is at {offset} of {name} and has not read {hidden:?}"));
        }
        if offset > known.end {
            return Err(format!("{group} is at {offset} of {name}, which ends at {}", known.end));
        }
        Ok(())
    }
}

impl Known {
    fn take(
        &mut self,
        now: &[Found],
        (start, end): (i64, i64),
        after_cut: bool,
    ) -> Result<(), String> {
        if end < self.end {
            if !after_cut {
                return Err(format!("the end was {} and is {end}", self.end));
            }
            self.all.retain(|found| found.offset < end);
        }

        let known: Vec<&Found> = self.all.iter().filter(|found| found.offset >= start).collect();
        let mut at = 0;
        let mut left_out = Vec::new();
        let mut new = now.iter().peekable();
        while let Some(expected) = known.get(at) {
            match new.peek() {
                Some(found) if *found == *expected => drop(new.next()),
                _ => left_out.push(**expected),
            }
            at += 1;
        }
        if let Some(gone) = left_out.first()
            && !self.is_compacted
        {
            return Err(format!("{gone:?} is not there"));
        }
        for gone in &left_out {
            let is_later =
                |found: &Found| found.id.file == gone.id.file && found.offset > gone.offset;
            if !now.iter().any(is_later) {
                return Err(format!("{gone:?} is the last of its key and is not there"));
            }
        }
        self.gone.extend(left_out.iter().map(|found| found.id));
        // What retention has removed may come back, but nobody is promised it.
        self.gone.extend(self.all.iter().filter(|one| one.offset < start).map(|found| found.id));
        let new: Vec<Found> = new.copied().collect();
        if let Some(early) = new.iter().find(|found| found.offset < self.end) {
            return Err(format!("{early:?} was not there before"));
        }
        self.all.extend(new);
        (self.start, self.end) = (start, end);
        Ok(())
    }
}
