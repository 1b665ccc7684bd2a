//! The embedded hub: the durable log in this process, with one writer thread and one that keeps house.
//!
//! Invariant: only the writer appends; what a receipt or a commit promises is on disk as `flush` says before it settles.

pub(crate) mod groups;
#[cfg(test)]
mod histories;
mod keep;
mod local;
mod open;
pub(crate) mod read;
mod sources;
#[cfg(test)]
mod tests;
pub(crate) mod topics;
mod transactions;
pub mod view;
mod write;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;

use anabranch_connectors::contract::counters::Account;
use anabranch_record::TopicPartition;
use async_trait::async_trait;
use parking_lot::{Mutex, MutexGuard, RwLock};
use tokio::sync::watch;

pub(crate) use groups::members::IN_PROCESS;
pub(crate) use groups::offsets::Committed;
pub use read::decode::decode;
pub(crate) use read::decode::decode_within;
pub use topics::settings::{Cleanup, Flush, Settings, TopicSettings, WhenFull};
pub(crate) use topics::table::TopicState;
pub(crate) use transactions::state::{Phase, Transaction, TransactionFault};
pub(crate) use transactions::steps::EndFault;
pub(crate) use write::encode::OWN_PRODUCER;
pub(crate) use write::produce::{ProduceFault, Produced};

use crate::hub::{
    Advance, Appender, Consumer, ConsumerSpec, GroupInfo, GroupLag, Hub, HubError, Offset, Reads,
    TopicInfo, TopicSelector,
};
use crate::log::{Damage, Folder, Partition};
use crate::metrics::{Metrics, State};
use groups::coordinator::GroupError;
use groups::members::Members;
use groups::offsets::Groups;
use read::fetchers::Fetchers;
use sources::positions::Positions;
use topics::table::Topics;
use transactions::state::Transactions;
use write::queue::Queue;
use write::writer::Command;

/// The embedded hub. Closed by [`Hub::close`]; one that is dropped without it is as good as killed.
pub struct Embedded {
    shared: Arc<Shared>,
    appender: Arc<write::appender::EmbeddedAppender>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl std::fmt::Debug for Embedded {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let folder = &self.shared.settings.data_dir;
        out.debug_struct("Embedded").field("data_dir", folder).finish_non_exhaustive()
    }
}

/// What the hub's threads, appenders and consumers share.
struct Shared {
    settings: Settings,
    folder: Mutex<Folder>,
    hub_id: String,
    epoch: i32,
    topics: Topics,
    topics_changed: AtomicU64,
    groups: Mutex<Groups>,
    transactions: Mutex<Transactions>,
    kept: topics::kept::Kept,
    fetchers: Fetchers,
    members: Members,
    positions: Mutex<Positions>,
    appended: watch::Sender<u64>,
    state: State,
    metrics: Arc<Metrics>,
    dirty: Mutex<Vec<Arc<Partition>>>,
    suspects: Mutex<Vec<Arc<Partition>>>,
    oldest: Mutex<groups::lag::Oldest>,
    blocked: Mutex<HashSet<TopicPartition>>,
    keep_for: RwLock<Vec<(String, Vec<TopicSelector>)>>,
    disk_full: AtomicBool,
    /// Bytes free on the disk when it was last looked at, less what was appended since.
    room: AtomicU64,
    closing: AtomicBool,
    /// What the writer is asked to do.
    writer: Arc<Queue<Command>>,
}

impl Shared {
    fn groups(&self) -> MutexGuard<'_, Groups> {
        self.groups.lock()
    }

    fn positions(&self) -> MutexGuard<'_, Positions> {
        self.positions.lock()
    }

    fn folder(&self) -> MutexGuard<'_, Folder> {
        self.folder.lock()
    }

    fn command(&self, command: Command) -> Result<(), HubError> {
        self.writer.send(command).map_err(|_closed| HubError::closing())
    }

    /// The one partition of an internal topic.
    fn internal(&self, topic: &str) -> Option<Arc<Partition>> {
        self.topics.get(topic)?.partitions.first().cloned()
    }

    fn partition(&self, topic: &str, number: i32) -> Result<Arc<Partition>, HubError> {
        let state = self.topics.get(topic);
        let state = state.ok_or_else(|| HubError::UnknownTopic(topic.to_owned()))?;
        state
            .partition(number)
            .cloned()
            .ok_or_else(|| HubError::Fatal(format!("topic \"{topic}\" has no partition {number}")))
    }

    fn topics_version(&self) -> u64 {
        self.topics_changed.load(Ordering::Acquire)
    }

    /// Makes `topic` with its settings when it is not there yet.
    fn ensure(&self, topic: &str, partitions: Option<u32>) -> Result<(), HubError> {
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

    fn wake_consumers(&self) {
        self.appended.send_modify(|generation| *generation += 1);
    }

    /// Adds partitions to those that are not flushed; says whether there were none before.
    fn mark_dirty(&self, partitions: impl Iterator<Item = Arc<Partition>>) -> bool {
        let mut dirty = self.dirty.lock();
        let was_clean = dirty.is_empty();
        for partition in partitions {
            if !dirty.iter().any(|known| Arc::ptr_eq(known, &partition)) {
                dirty.push(partition);
            }
        }
        was_clean
    }

    fn is_dirty(&self) -> bool {
        !self.dirty.lock().is_empty()
    }

    fn take_dirty(&self) -> Vec<Arc<Partition>> {
        std::mem::take(&mut *self.dirty.lock())
    }

    /// Whether appends to a partition must wait: for room on the disk, or for a sink to read on.
    fn must_wait(&self, name: &TopicPartition) -> bool {
        if self.disk_full.load(Ordering::Acquire) {
            return true;
        }
        let blocked = self.blocked.lock();
        !blocked.is_empty() && blocked.contains(name)
    }

    /// Counts appended bytes against the room on the disk, which is looked at only once a second.
    fn use_room(&self, bytes: u64) {
        let before = self.room.load(Ordering::Acquire);
        let after = before.saturating_sub(bytes);
        self.room.store(after, Ordering::Release);
        if after < self.settings.min_free && before >= self.settings.min_free {
            // The next look says so, or finds that there is room after all.
            self.disk_full.store(true, Ordering::Release);
        }
    }

    /// The offset below which every sink of this process has read a partition.
    fn read_by_all(&self, topic: &str, partition: &Partition) -> i64 {
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

    fn lost(&self, group: &str, name: &TopicPartition, damage: &Damage) {
        if !damage.is_removal {
            self.found(&[topics::table::finding(name, damage)]);
        }
        let records = u64::try_from(damage.to - damage.from).unwrap_or(0);
        self.metrics.hub_lost.fetch_add(records, Ordering::Relaxed);
        self.metrics.sink(group).lost.fetch_add(records, Ordering::Relaxed);
    }

    /// The first offset of a partition whose timestamp is at least `time_ms`; the end when there is none.
    fn offset_at(&self, partition: &Arc<Partition>, time_ms: i64) -> Result<i64, HubError> {
        match self.topics.get(&partition.name().topic) {
            Some(state) => read::times::offset_at(partition, &state.topic, time_ms),
            None => Ok(partition.end()),
        }
    }
}

#[async_trait]
impl Hub for Embedded {
    fn appender(&self) -> Arc<dyn Appender> {
        Arc::clone(&self.appender) as Arc<dyn Appender>
    }

    async fn consumer(&self, spec: ConsumerSpec) -> Result<Box<dyn Consumer>, HubError> {
        for selector in &spec.topics {
            if let TopicSelector::Name(name) = selector {
                self.ensure_topic(name, None).await?;
            }
        }
        Ok(Box::new(read::consumer::EmbeddedConsumer::new(Arc::clone(&self.shared), spec)))
    }

    async fn positions(&self, source: &str) -> Result<Vec<(Vec<u8>, Vec<u8>)>, HubError> {
        Ok(self.shared.positions().of(source))
    }

    async fn create_topic(&self, name: &str, partitions: u32) -> Result<(), HubError> {
        if self.shared.topics.get(name).is_some() {
            return Err(HubError::Exists(name.to_owned()));
        }
        self.ensure_topic(name, Some(partitions)).await
    }

    async fn delete_topic(&self, name: &str) -> Result<(), HubError> {
        self.end_topic(name).await
    }

    async fn delete_records(
        &self,
        topic: &str,
        partition: i32,
        before: i64,
    ) -> Result<(), HubError> {
        let partition = self.shared.partition(topic, partition)?;
        self.delete_before(partition, before).await.map(drop)
    }

    async fn topics(&self) -> Result<Vec<TopicInfo>, HubError> {
        Ok(self.shared.topics.info())
    }

    async fn groups(&self) -> Result<Vec<GroupInfo>, HubError> {
        Ok(self.shared.groups().info())
    }

    async fn set_offsets(&self, group: &str, offsets: &[Offset]) -> Result<(), HubError> {
        self.check_offsets(group, offsets)?;
        let offsets = offsets.iter().map(|offset| (offset.clone(), String::new())).collect();
        self.commit_offsets(group, offsets).await
    }

    async fn advance(&self, step: Advance) -> Result<(), HubError> {
        self.take_step(step).await
    }

    async fn delete_group(&self, name: &str) -> Result<bool, HubError> {
        match self.end_group(name).await? {
            Ok(()) => Ok(true),
            Err(GroupError::GroupIdNotFound) => Ok(false),
            Err(refused) => Err(HubError::NotNow(format!("group \"{name}\": {refused}"))),
        }
    }

    async fn offsets_at(&self, topic: &str, timestamp_ms: i64) -> Result<Vec<Offset>, HubError> {
        let state = self.shared.topics.get(topic);
        let state = state.ok_or_else(|| HubError::UnknownTopic(topic.to_owned()))?;
        let mut offsets = Vec::new();
        for partition in &state.partitions {
            let offset = self.shared.offset_at(partition, timestamp_ms)?;
            let TopicPartition { topic, partition } = partition.name().clone();
            offsets.push(Offset { topic, partition, offset, epoch: -1 });
        }
        Ok(offsets)
    }

    async fn close(&self) {
        let (done, closed) = std::sync::mpsc::sync_channel(1);
        let sent = self.shared.command(Command::Close(done)).is_ok();
        let threads: Vec<_> = self.threads.lock().drain(..).collect();
        let shared = Arc::clone(&self.shared);
        let joined = tokio::task::spawn_blocking(move || {
            if sent && closed.recv().is_ok() {
                for thread in threads {
                    // A panic of the thread was printed when it happened.
                    thread.join().ok();
                }
                let marked = shared.folder().mark_clean();
                if let Err(error) = marked {
                    tracing::warn!(%error, "the next start will check the log");
                }
            }
        });
        // The only error is a panic inside, which was printed.
        joined.await.ok();
    }

    fn state(&self) -> Result<String, String> {
        match self.shared.state.problem() {
            Some(problem) => Err(problem),
            None => Ok(format!("embedded, {}", self.shared.settings.data_dir.display())),
        }
    }

    fn needs_person(&self) -> bool {
        self.shared.state.needs_person()
    }

    async fn lags(&self, reads: &[Reads]) -> Result<Vec<GroupLag>, HubError> {
        self.lags_now(reads)
    }

    async fn lags_in(&self, _: &[TopicInfo], reads: &[Reads]) -> Result<Vec<GroupLag>, HubError> {
        self.lags_now(reads)
    }

    async fn committed(&self, group: &str) -> Result<Vec<(Offset, String)>, HubError> {
        Ok(self.shared.groups().with_metadata(group))
    }

    async fn accounts(&self) -> Result<BTreeMap<String, Account>, HubError> {
        Ok(self.shared.accounts())
    }

    fn keep_for(&self, groups: Vec<(String, Vec<TopicSelector>)>) {
        *self.shared.keep_for.write() = groups;
    }
}
