//! The one thread that writes to the data folder.
//!
//! It takes what is waiting, appends it, makes it durable together if receipts wait for that (group commit), and then
//! settles. An append that finds no room is parked with all that follows it in its partition, and tried again: nothing
//! is dropped and nothing overtakes.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use anabranch_connectors::contract::clock::now_ms;
use anabranch_connectors::contract::receipt::Stored;
use anabranch_record::TopicPartition;
use tokio::time::Instant;
use tracing::warn;

use super::command::{Append, Command, Done, Pairs, Place, ProduceFault, Produced, Reply};
use super::queue::{Closes, Queue};
use super::snapshots::Snapshots;
use crate::hub::embedded::Shared;
use crate::hub::embedded::groups::offsets::Groups;
use crate::hub::embedded::topics::settings::Flush;
use crate::hub::embedded::topics::table::OFFSETS;
use crate::hub::{Acks, HubError, Lasting, Part};
use crate::log::Partition;
use crate::wire::{Builder, Codec};

/// Up to so many positions are stored together at once when one came without records; more of them within a second.
const SNAPSHOT_PROMPT: usize = 10_000;
/// How many commands are handled before waiting receipts are settled.
const GROUP_MAX: usize = 64;
/// How often an append that found no room is tried again.
const RETRY: Duration = Duration::from_millis(200);

/// The writer's own state.
pub(crate) struct Writer {
    /// With everybody; the writer is the only one who appends.
    pub(crate) shared: Arc<Shared>,
    /// Woken when something is to be flushed, and when the hub closes.
    pub(super) keeper: std::thread::Thread,
    /// For records of internal topics.
    pub(super) builder: Builder,
    /// Its bytes, used again.
    pub(super) scratch: Vec<u8>,
    /// Appends that found no room, in order; tried again until there is some, handed back by the close.
    pub(crate) parked: VecDeque<Append>,
    /// Partitions of this group of commands, to be flushed before it is settled where `flush` says so.
    pub(super) touched: Vec<Arc<Partition>>,
    /// Appends of this group that wait for the flush, with where they are.
    pub(super) written: Vec<(Vec<Part>, Stored)>,
    /// Batches of clients of this group, with what they are told.
    pub(super) produced: Vec<(Reply, Result<Produced, ProduceFault>)>,
    /// Who waits for offsets and records of internal topics of this group.
    pub(super) commits: Vec<Done>,
    /// Positions that came without records, until the next snapshot.
    pub(super) position_parts: Vec<Part>,
    /// The same, while there is no room for a snapshot.
    pub(super) parked_positions: Vec<Part>,
    /// What is to be stored as soon as there is room.
    pub(crate) owed: Vec<(&'static str, Pairs)>,
    /// Whether a position has come without records since positions were last stored together.
    pub(super) positions_first: bool,
    /// The last append was refused.
    pub(crate) is_refused: bool,
    /// When partitions whose sync has failed are written anew next, and how long to wait after that.
    pub(crate) mend_at: (Instant, Duration),
    /// When positions were last stored together.
    pub(super) snapshots: Snapshots,
}

impl Writer {
    pub(crate) fn new(shared: Arc<Shared>, keeper: std::thread::Thread) -> Self {
        Self {
            shared,
            keeper,
            builder: Builder::new(Codec::None, None),
            scratch: Vec::new(),
            parked: VecDeque::new(),
            touched: Vec::new(),
            written: Vec::new(),
            produced: Vec::new(),
            commits: Vec::new(),
            position_parts: Vec::new(),
            parked_positions: Vec::new(),
            owed: Vec::new(),
            positions_first: false,
            is_refused: false,
            mend_at: (Instant::now(), RETRY),
            snapshots: Snapshots::default(),
        }
    }

    /// Runs until it is told to close.
    pub(crate) fn run(mut self) {
        let queue = Arc::clone(&self.shared.writer);
        let _closes = Closes(&queue);
        loop {
            let has_suspects = !self.shared.suspects().is_empty();
            let wait = if has_suspects || !self.parked.is_empty() || !self.owed.is_empty() {
                RETRY
            } else if !self.position_parts.is_empty() {
                self.snapshot_wait()
            } else {
                Duration::from_secs(1)
            };
            let first = queue.take(wait);
            if let Some(done) = self.turn(first, &queue) {
                self.close();
                // Whoever asked may have given up waiting.
                done.send(()).ok();
                return;
            }
        }
    }

    /// Handles what is waiting, as one group; gives whom to tell when it was told to close.
    pub(crate) fn turn(
        &mut self,
        first: Option<Command>,
        queue: &Queue<Command>,
    ) -> Option<SyncSender<()>> {
        let closed = first.and_then(|first| self.group(first, queue));
        self.mend();
        self.store_owed();
        self.retry_parked();
        self.finish_group();
        self.snapshot_if_due();
        closed
    }

    fn group(&mut self, first: Command, queue: &Queue<Command>) -> Option<SyncSender<()>> {
        let mut next = Some(first);
        for _ in 0..GROUP_MAX {
            let Some(command) = next else { break };
            if let Some(done) = self.handle(command) {
                return Some(done);
            }
            next = queue.try_take();
        }
        None
    }

    fn handle(&mut self, command: Command) -> Option<SyncSender<()>> {
        match command {
            Command::Append(append) => {
                self.store_ordered_positions();
                self.append_or_park(append);
            }
            Command::Commit { group, offsets, lasting, done } => {
                self.commit(&group, offsets, lasting, done);
            }
            Command::GroupStates => self.store_group_states(),
            Command::Pairs { topic, pairs, done } => self.append_for(topic, &pairs, done),
            Command::Produce(produce) => self.produce(produce),
            Command::Marker(marker) => self.mark(marker),
            Command::Positions(parts) => self.take_positions(parts),
            Command::Snapshot => self.snapshot(),
            Command::Roll(partition) => {
                if let Err(error) = partition.roll()
                    && !partition.is_deleted()
                {
                    warn!(%error, "a segment could not be closed, will retry");
                }
            }
            Command::DeleteTopic(topic, done) => self.delete_topic(&topic, done),
            Command::Close(done) => return Some(done),
        }
        None
    }

    /// Stores offsets, but for those of deleted partitions.
    fn commit(&mut self, group: &str, offsets: Vec<Place>, lasting: Lasting, done: Done) {
        let (gone, there): (Vec<_>, Vec<_>) =
            offsets.into_iter().partition(|place| place.partition.is_deleted());
        let timestamp_ms = now_ms();
        let before = if lasting == Lasting::Everything { self.flush_records() } else { Ok(()) };
        let records = Groups::records(group, &there, timestamp_ms);
        let stored = before.and_then(|()| self.append_pairs(OFFSETS, &records));
        let mut stored = stored.map_err(|error| HubError::NotNow(error.to_string()));
        if stored.is_ok() && !there.is_empty() {
            self.shared.groups().commit(group, &there, timestamp_ms);
        }
        if lasting != Lasting::AsConfigured && stored.is_ok() {
            stored = self.shared.flush_internal(OFFSETS);
        }
        if let Some(gone) = gone.first() {
            let unknown = HubError::UnknownTopic(gone.partition.name().topic.clone());
            stored = stored.and(Err(unknown));
        }
        match stored {
            Ok(()) => self.commits.push(done),
            // Who asked may be gone.
            Err(error) => drop(done.send(Err(error))),
        }
        self.compact_internal();
    }

    /// Appends to an internal topic; `done` hears of it when it is as durable as configured.
    fn append_for(&mut self, topic: &str, pairs: &Pairs, done: Done) {
        match self.append_pairs(topic, pairs) {
            Ok(()) => self.commits.push(done),
            // Who asked may be gone.
            Err(error) => {
                done.send(Err(HubError::NotNow(error.to_string()))).ok();
            }
        }
        self.compact_internal();
    }

    /// A position that came without records must be durable before what was handed on after it: a copy of a file has
    /// been read so far, and only then is the file itself read anew.
    fn store_ordered_positions(&mut self) {
        if self.must_store_positions() {
            self.snapshot();
        }
    }

    fn must_store_positions(&self) -> bool {
        self.positions_first && self.shared.positions().len() <= SNAPSHOT_PROMPT
    }

    /// Positions without records become durable with the next snapshot. They wait for records that are parked: what
    /// was handed on before them comes before them.
    fn take_positions(&mut self, parts: Vec<Part>) {
        if !self.parked.is_empty() {
            self.parked_positions.extend(parts);
            return;
        }
        let is_kept = |part: &Part| part.batch.position().is_some_and(|at| at.value.is_some());
        self.positions_first |= parts.iter().any(is_kept);
        self.note_positions(&parts, None);
        self.position_parts.extend(parts);
    }

    fn append_or_park(&mut self, append: Append) {
        let behind =
            self.parked.iter().any(|parked| Arc::ptr_eq(&parked.partition, &append.partition));
        if append.partition.is_deleted() {
            // The parts are handed back to their sources.
            return;
        }
        let must_wait = self.must_store_positions();
        if behind || must_wait || self.shared.must_wait(append.partition.name()) {
            self.parked.push_back(append);
        } else if let Some(append) = self.try_append(append) {
            self.parked.push_back(append);
        }
    }

    /// Appends; gives the append back when there is no room.
    fn try_append(&mut self, append: Append) -> Option<Append> {
        match append.partition.append(&append.bytes, self.shared.epoch) {
            Ok(appended) => {
                self.snapshots.bytes += append.bytes.len() as u64;
                self.shared.use_room(append.bytes.len() as u64);
                let origin = (append.partition.shared_name(), appended.next_offset);
                self.note_positions(&append.parts, Some(origin));
                self.shared.positions().note_stored(&append.runs, origin.0);
                self.touch(&append.partition);
                self.taken_again();
                let partition = append.partition.name().partition;
                self.written
                    .push((append.parts, Stored { partition, offset: appended.base_offset }));
                None
            }
            Err(error) => {
                self.refused(&append.partition, &error);
                Some(append)
            }
        }
    }

    pub(super) fn touch(&mut self, partition: &Arc<Partition>) {
        if !self.touched.iter().any(|known| Arc::ptr_eq(known, partition)) {
            self.touched.push(Arc::clone(partition));
        }
    }

    fn retry_parked(&mut self) {
        if self.parked.is_empty() {
            return;
        }
        self.store_ordered_positions();
        let must_wait = self.must_store_positions();
        let mut stuck: HashSet<TopicPartition> = HashSet::new();
        for append in std::mem::take(&mut self.parked) {
            let name = append.partition.name().clone();
            if must_wait || stuck.contains(&name) || self.shared.must_wait(&name) {
                stuck.insert(name);
                self.parked.push_back(append);
            } else if let Some(append) = self.try_append(append) {
                stuck.insert(name);
                self.parked.push_back(append);
            }
        }
        if self.parked.is_empty() {
            let positions = std::mem::take(&mut self.parked_positions);
            self.take_positions(positions);
        }
    }

    /// Makes the group durable if receipts wait for it, settles it and wakes consumers.
    pub(super) fn finish_group(&mut self) {
        if self.touched.is_empty() {
            for done in self.commits.drain(..) {
                // Nothing was to be stored; who asked may be gone.
                done.send(Ok(())).ok();
            }
            return;
        }
        if self.shared.settings.flush == Flush::Each && self.shared.settings.acks == Acks::All {
            let mut all_durable = true;
            for partition in &self.touched {
                all_durable &= self.shared.flush(partition).is_ok();
            }
            if !all_durable {
                // The group is settled once what it touched has been written anew.
                return;
            }
        }
        self.shared.wake_consumers();
        self.shared.fetchers.wake(&self.touched);
        for (reply, outcome) in self.produced.drain(..) {
            // The client may be gone.
            reply.send(outcome).ok();
        }
        for (parts, stored) in self.written.drain(..) {
            for part in parts {
                part.settle(Ok(stored));
            }
        }
        for done in self.commits.drain(..) {
            // The consumer may be gone.
            done.send(Ok(())).ok();
        }
        if self.shared.mark_dirty(self.touched.drain(..)) {
            self.keeper.unpark();
        }
    }

    pub(crate) fn close(&mut self) {
        self.note_rest();
        if self.shared.positions().changed {
            self.snapshot();
        }
        self.shared.closing.store(true, Ordering::Release);
        self.keeper.unpark();
    }
}
