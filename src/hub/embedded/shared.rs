//! What the hub's threads, appenders and consumers share.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use anabranch_record::TopicPartition;
use parking_lot::{Mutex, MutexGuard, RwLock};
use tokio::sync::watch;

use super::groups::members::Members;
use super::groups::offsets::Groups;
use super::groups::oldest::Oldest;
use super::read::fetchers::Fetchers;
use super::read::times;
use super::sources::positions::Positions;
use super::topics::kept::Kept;
use super::topics::settings::Settings;
use super::topics::table::{self, Topics};
use super::transactions::state::Transactions;
use super::write::command::Command;
use super::write::queue::Queue;
use crate::hub::{HubError, TopicSelector};
use crate::log::{Damage, Folder, Partition};
use crate::metrics::{Metrics, State};

/// What the hub's threads, appenders and consumers share.
pub(crate) struct Shared {
    /// As configured; nobody changes them.
    pub(super) settings: Settings,
    /// The data folder: its lock is held until the process ends. Asked by who makes or removes topics, by the keeper for
    /// checkpoints, and last by `close`, which marks it clean.
    pub(super) folder: Mutex<Folder>,
    /// Names this hub among all; part of each topic's id.
    pub(super) hub_id: String,
    /// The leader epoch of this life.
    pub(super) epoch: i32,
    /// Read by everyone; made by who appends first or asks, ended by `topics/deletion.rs` in the writer.
    pub(super) topics: Topics,
    /// Rises with each change of `topics`; consumers compare it before they fetch.
    pub(super) topics_changed: AtomicU64,
    /// Committed offsets. Changed by the writer alone, once they are appended.
    pub(super) groups: Mutex<Groups>,
    /// What the coordinator of transactions knows. Changed by who ends a step, once it is appended.
    pub(super) transactions: Mutex<Transactions>,
    /// What clients have set that belongs to no topic; changed by `change_kept`, once it is appended.
    pub(super) kept: Kept,
    /// Who waits for records of which partition; woken by the writer.
    pub(super) fetchers: Fetchers,
    /// The coordinators of groups, with who waits for them. Their clock is the keeper's.
    pub(super) members: Members,
    /// The latest position of each key of each source. Changed by the writer alone.
    pub(super) positions: Mutex<Positions>,
    /// Rises with each group of appends; consumers of this process wait for it.
    pub(super) appended: watch::Sender<u64>,
    /// What keeps the hub from working, for `/health`; begun and ended by the writer and the keeper.
    pub(super) state: State,
    /// What is counted; the agent's.
    pub(super) metrics: Arc<Metrics>,
    /// Partitions that are not flushed. Added to by the writer, taken by the keeper, or by the writer where it flushes.
    pub(super) dirty: Mutex<Vec<Arc<Partition>>>,
    /// Partitions of which the keeper could not flush one; written anew by the writer.
    pub(super) suspects: Mutex<Vec<Arc<Partition>>>,
    /// Times of the oldest records that groups have not read, for who asks for lags.
    pub(super) oldest: Mutex<Oldest>,
    /// Partitions at their hard size that wait for a sink. The keeper's; the writer parks what is for them.
    pub(super) blocked: Mutex<HashSet<TopicPartition>>,
    /// The groups that retention waits for. Set by the agent at each reload, read by the keeper.
    pub(super) keep_for: RwLock<Vec<(String, Vec<TopicSelector>)>>,
    /// Whether the disk has no room: set by the writer and the keeper, ended by the keeper alone.
    pub(super) disk_full: AtomicBool,
    /// Bytes free on the disk when it was last looked at, less what was appended since.
    pub(super) room: AtomicU64,
    /// Set once, by the writer when it is told to close; the keeper, the scrubber and compaction end by it.
    pub(super) closing: AtomicBool,
    /// What the writer is asked to do. Closed by the writer when it ends, which `Command::Close` makes it do.
    pub(super) writer: Arc<Queue<Command>>,
}

impl Shared {
    pub(super) fn groups(&self) -> MutexGuard<'_, Groups> {
        self.groups.lock()
    }

    pub(super) fn positions(&self) -> MutexGuard<'_, Positions> {
        self.positions.lock()
    }

    pub(super) fn folder(&self) -> MutexGuard<'_, Folder> {
        self.folder.lock()
    }

    pub(super) fn command(&self, command: Command) -> Result<(), HubError> {
        self.writer.send(command).map_err(|_closed| HubError::closing())
    }

    /// The one partition of an internal topic.
    pub(super) fn internal(&self, topic: &str) -> Option<Arc<Partition>> {
        self.topics.get(topic)?.partitions.first().cloned()
    }

    pub(super) fn partition(&self, topic: &str, number: i32) -> Result<Arc<Partition>, HubError> {
        let state = self.topics.get(topic);
        let state = state.ok_or_else(|| HubError::UnknownTopic(topic.to_owned()))?;
        state
            .partition(number)
            .cloned()
            .ok_or_else(|| HubError::Fatal(format!("topic \"{topic}\" has no partition {number}")))
    }

    pub(super) fn topics_version(&self) -> u64 {
        self.topics_changed.load(Ordering::Acquire)
    }

    /// Makes `topic` with its settings when it is not there yet.
    pub(super) fn ensure(&self, topic: &str, partitions: Option<u32>) -> Result<(), HubError> {
        let mut settings = self.base_settings(topic);
        settings.partitions = partitions.unwrap_or(settings.partitions);
        if self.topics.get(topic).is_none() {
            let forgotten = self.folder().forget_topic(topic);
            forgotten.map_err(|error| HubError::NotNow(error.to_string()))?;
        }
        if self.topics.ensure(&self.settings.data_dir, &self.hub_id, topic, &settings)? {
            self.topic_has_changed(topic);
        }
        Ok(())
    }

    pub(super) fn wake_consumers(&self) {
        self.appended.send_modify(|generation| *generation += 1);
    }

    /// Adds partitions to those that are not flushed; says whether there were none before.
    pub(super) fn mark_dirty(&self, partitions: impl Iterator<Item = Arc<Partition>>) -> bool {
        let mut dirty = self.dirty.lock();
        let was_clean = dirty.is_empty();
        for partition in partitions {
            if !dirty.iter().any(|known| Arc::ptr_eq(known, &partition)) {
                dirty.push(partition);
            }
        }
        was_clean
    }

    pub(super) fn is_dirty(&self) -> bool {
        !self.dirty.lock().is_empty()
    }

    pub(super) fn take_dirty(&self) -> Vec<Arc<Partition>> {
        std::mem::take(&mut *self.dirty.lock())
    }

    /// Whether appends to a partition must wait: for room on the disk, or for a sink to read on.
    pub(super) fn must_wait(&self, name: &TopicPartition) -> bool {
        if self.disk_full.load(Ordering::Acquire) {
            return true;
        }
        let blocked = self.blocked.lock();
        !blocked.is_empty() && blocked.contains(name)
    }

    /// Counts appended bytes against the room on the disk, which is looked at only once a second.
    pub(super) fn use_room(&self, bytes: u64) {
        let before = self.room.load(Ordering::Acquire);
        let after = before.saturating_sub(bytes);
        self.room.store(after, Ordering::Release);
        if after < self.settings.min_free && before >= self.settings.min_free {
            // The next look says so, or finds that there is room after all.
            self.disk_full.store(true, Ordering::Release);
        }
    }

    /// The offset below which every sink of this process has read a partition.
    pub(super) fn read_by_all(&self, topic: &str, partition: &Partition) -> i64 {
        let keep_for = self.keep_for.read();
        let groups = self.groups();
        let readers = keep_for
            .iter()
            .filter(|(_, selectors)| selectors.iter().any(|selector| selector.matches(topic)));
        let committed = |(group, _): &(String, _)| {
            groups.committed(group, partition.name()).map_or(0, |committed| committed.offset)
        };
        readers.map(committed).min().unwrap_or(i64::MAX)
    }

    pub(super) fn lost(&self, group: &str, name: &TopicPartition, damage: &Damage) {
        if !damage.is_removal {
            self.found(&[table::finding(name, damage)]);
        }
        let records = u64::try_from(damage.to - damage.from).unwrap_or(0);
        self.metrics.hub_lost.fetch_add(records, Ordering::Relaxed);
        self.metrics.sink(group).lost.fetch_add(records, Ordering::Relaxed);
    }

    /// The first offset of a partition whose timestamp is at least `time_ms`; the end when there is none.
    pub(super) fn offset_at(
        &self,
        partition: &Arc<Partition>,
        time_ms: i64,
    ) -> Result<i64, HubError> {
        match self.topics.get(&partition.name().topic) {
            Some(state) => times::offset_at(partition, &state.topic, time_ms),
            None => Ok(partition.end()),
        }
    }
}
