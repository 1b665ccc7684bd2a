//! The embedded hub for those who speak Kafka's words to it: the broker on the socket.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use anabranch_record::TopicPartition;
use bytes::Bytes;
use parking_lot::MutexGuard;
use tokio::sync::oneshot;
use uuid::Uuid;

use super::groups::coordinator::GroupError;
use super::groups::members::Members;
use super::groups::offsets::Committed;
use super::read::fetchers::Waiter;
use super::topics::configs::Overrides;
use super::topics::table::{SETTINGS, TRANSACTIONS, TopicState};
use super::transactions::state::Transactions;
use super::write::command::{Command, Marker, Pairs, Place, Produce, ProduceFault, Produced};
use super::{Embedded, Shared, TopicSettings};
use crate::hub::{HubError, Lasting, Offset};
use crate::log::{Checkpoint, LogError, Partition};
use crate::metrics::Metrics;
use crate::wire::BatchHeader;

/// A promise of the writer.
type Receipt<T> = oneshot::Receiver<T>;

impl Shared {
    pub(super) fn transactions(&self) -> MutexGuard<'_, Transactions> {
        self.transactions.lock()
    }

    /// What clients have set, as records of its topic.
    pub(super) fn settings_pairs(&self) -> Pairs {
        let set = |state: &Arc<TopicState>| {
            (!state.overrides.is_empty())
                .then(|| settings_pair(&state.topic.name, &state.overrides))
        };
        self.topics.all().iter().filter_map(set).collect()
    }

    /// Offsets with the partitions that they are of.
    pub(super) fn places(&self, offsets: Vec<(Offset, String)>) -> Result<Vec<Place>, HubError> {
        let place = |(offset, metadata): (Offset, String)| {
            let partition = self.partition(&offset.topic, offset.partition)?;
            Ok(Place { partition, offset: offset.offset, epoch: offset.epoch, metadata })
        };
        offsets.into_iter().map(place).collect()
    }

    /// Tells those who look at topics that one was made, has grown or is gone.
    pub(super) fn topic_has_changed(&self, topic: &str) {
        self.members.set_topic(topic, self.topics.get(topic).as_deref());
        self.topics_changed.fetch_add(1, Ordering::AcqRel);
        self.wake_consumers();
    }

    /// Hands a command to the writer without holding up the runtime.
    async fn command_from_task(&self, command: Command) -> Result<(), HubError> {
        self.writer.send_from_task(command).await.map_err(|_closed| HubError::closing())
    }
}

fn settings_pair(topic: &str, overrides: &Overrides) -> (Vec<u8>, Option<Vec<u8>>) {
    (topic.as_bytes().to_vec(), Some(serde_json::to_vec(overrides).unwrap_or_default()))
}

impl Embedded {
    /// The hub's id, which is Kafka's cluster id.
    pub(crate) fn id(&self) -> &str {
        &self.shared.hub_id
    }

    /// The leader epoch of this life.
    pub(crate) fn epoch(&self) -> i32 {
        self.shared.epoch
    }

    /// What is counted.
    pub(crate) fn metrics(&self) -> &Arc<Metrics> {
        &self.shared.metrics
    }

    /// Who is a member of which group.
    pub(crate) fn members(&self) -> &Members {
        &self.shared.members
    }

    /// The data folder.
    pub(crate) fn folder(&self) -> &std::path::Path {
        &self.shared.settings.data_dir
    }

    /// Bytes of the disk of the data folder, and those that are free.
    pub(crate) fn disk_bytes(&self) -> (i64, i64) {
        let Ok(stat) = rustix::fs::statvfs(self.folder()) else { return (-1, -1) };
        let bytes = |blocks: u64| i64::try_from(blocks.saturating_mul(stat.f_frsize)).unwrap_or(-1);
        (bytes(stat.f_blocks), bytes(stat.f_bavail))
    }

    /// Every topic.
    pub(crate) fn topic_states(&self) -> Vec<Arc<TopicState>> {
        self.shared.topics.all()
    }

    /// One topic.
    pub(crate) fn topic_state(&self, name: &str) -> Option<Arc<TopicState>> {
        self.shared.topics.get(name)
    }

    /// The topic with that id on the wire.
    pub(crate) fn topic_by_id(&self, id: Uuid) -> Option<Arc<TopicState>> {
        self.shared.topics.by_id(id)
    }

    /// How a topic is kept of which nobody has set anything.
    pub(crate) fn base_settings(&self, name: &str) -> TopicSettings {
        self.shared.base_settings(name)
    }

    /// Makes a topic, or gives it more partitions.
    pub(crate) async fn ensure_topic(
        &self,
        name: &str,
        partitions: Option<u32>,
    ) -> Result<(), HubError> {
        let (shared, name) = (Arc::clone(&self.shared), name.to_owned());
        blocking(move || shared.ensure(&name, partitions)).await
    }

    /// Keeps a topic from now on as clients have set it, also after a restart.
    pub(crate) async fn configure(&self, name: &str, overrides: Overrides) -> Result<(), HubError> {
        let pairs = vec![settings_pair(name, &overrides)];
        self.store(SETTINGS, pairs).await?;
        self.shared.topics.set_overrides(name, &self.base_settings(name), overrides);
        Ok(())
    }

    /// Hands a verified batch to the writer; the receipt resolves when it is as durable as configured.
    pub(crate) async fn produce(
        &self,
        partition: Arc<Partition>,
        header: BatchHeader,
        bytes: Bytes,
    ) -> Result<Receipt<Result<Produced, ProduceFault>>, HubError> {
        let (reply, produced) = oneshot::channel();
        let produce = Produce { partition, header, bytes, reply };
        self.shared.command_from_task(Command::Produce(produce)).await?;
        Ok(produced)
    }

    /// Ends a producer's transaction in one partition.
    pub(crate) async fn mark(
        &self,
        partition: Arc<Partition>,
        producer: (i64, i16),
        committed: bool,
    ) -> Result<(), HubError> {
        let (reply, marked) = oneshot::channel();
        let marker = Marker { partition, producer, committed, reply };
        self.shared.command_from_task(Command::Marker(marker)).await?;
        let marked = marked.await.map_err(|_closed| HubError::closing())?;
        marked.map(drop).map_err(|fault| HubError::NotNow(fault.to_string()))
    }

    /// Stores records of an internal topic.
    pub(super) async fn store(&self, topic: &'static str, pairs: Pairs) -> Result<(), HubError> {
        self.ask_writer(|done| Command::Pairs { topic, pairs, done }).await
    }

    /// Has the writer do something, and waits until it is done.
    pub(super) async fn ask_writer<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<Result<T, HubError>>) -> Command,
    ) -> Result<T, HubError> {
        let (done, answer) = oneshot::channel();
        self.shared.command_from_task(command(done)).await?;
        answer.await.unwrap_or_else(|_closed| Err(HubError::closing()))
    }

    /// Stores what the coordinator of transactions has decided; nothing when there is nothing.
    pub(crate) async fn store_transactions(&self, pairs: Pairs) -> Result<(), HubError> {
        if pairs.is_empty() {
            return Ok(());
        }
        self.store(TRANSACTIONS, pairs).await
    }

    /// What the coordinator of transactions knows.
    pub(crate) fn transactions(&self) -> MutexGuard<'_, Transactions> {
        self.shared.transactions()
    }

    /// Stores a group's offsets, each with its metadata, all or none.
    pub(crate) async fn commit_offsets(
        &self,
        group: &str,
        offsets: Vec<(Offset, String)>,
    ) -> Result<(), HubError> {
        let offsets = self.shared.places(offsets)?;
        self.ask_writer(|done| Command::Commit {
            group: group.to_owned(),
            offsets,
            lasting: Lasting::AsConfigured,
            done,
        })
        .await
    }

    /// What a group has committed; `None` when it never has.
    pub(crate) fn committed(&self, group: &str) -> Option<BTreeMap<TopicPartition, Committed>> {
        self.shared.groups().of(group).cloned()
    }

    /// The names of all groups that have committed something, or will with the end of a transaction.
    pub(crate) fn committed_groups(&self) -> Vec<String> {
        let mut names = self.shared.groups().names();
        names.extend(self.transactions().pending_groups().cloned());
        names.sort();
        names.dedup();
        names
    }

    /// Whether a group has committed something, or will with the end of a transaction.
    pub(crate) fn has_offsets(&self, group: &str) -> bool {
        self.shared.groups().of(group).is_some()
            || self.transactions().pending_groups().any(|pending| pending == group)
    }

    /// Forgets offsets of a group that wait for the end of a transaction.
    pub(crate) async fn forget_pending(
        &self,
        group: &str,
        partitions: Option<&[TopicPartition]>,
    ) -> Result<(), HubError> {
        let pairs = self.transactions().forget_pending(group, partitions);
        self.store_transactions(pairs).await
    }

    /// Forgets a group's offsets, all or those of some partitions, committed or not yet.
    pub(crate) async fn forget_offsets(
        &self,
        group: &str,
        partitions: Option<Vec<TopicPartition>>,
    ) -> Result<(), HubError> {
        self.forget_pending(group, partitions.as_deref()).await?;
        let tombstones = self.shared.groups().forget(group, partitions.as_deref());
        self.store(super::topics::table::OFFSETS, tombstones).await
    }

    /// Deletes a group with all its offsets.
    ///
    /// # Errors
    /// A group error when it has members or there is none, and what kept its offsets from being forgotten.
    pub(crate) async fn end_group(&self, name: &str) -> Result<Result<(), GroupError>, HubError> {
        let has_offsets = self.has_offsets(name);
        match self.members().ask(|coordinators, _| coordinators.delete(name)) {
            Err(GroupError::GroupIdNotFound) if has_offsets => {}
            Err(error) => return Ok(Err(error)),
            Ok(()) => {}
        }
        self.forget_offsets(name, None).await.map(Ok)
    }

    /// Waits from now on for appends to `partitions`.
    pub(crate) fn wait_for(&self, partitions: &[Arc<Partition>]) -> Waiter<'_> {
        self.shared.fetchers.wait(partitions)
    }

    /// Deletes the records of a partition below `offset`; gives where it begins now.
    pub(crate) async fn delete_before(
        &self,
        partition: Arc<Partition>,
        offset: i64,
    ) -> Result<i64, HubError> {
        let shared = Arc::clone(&self.shared);
        let failed = |error: LogError| HubError::NotNow(error.to_string());
        blocking(move || {
            let start = partition.raise_start(offset).map_err(failed)?;
            // Held while topics are looked at: one that is made meanwhile begins with nothing.
            let folder = shared.folder();
            let mut starts = Checkpoint::default();
            for state in shared.topics.all() {
                for partition in &state.partitions {
                    starts.set(partition.name().clone(), partition.start());
                }
            }
            folder.store_log_starts(&starts).map_err(failed)?;
            Ok(start)
        })
        .await
    }

    /// The first record of a partition whose timestamp is at least `time_ms`, as offset and timestamp.
    pub(crate) async fn find_time(
        &self,
        partition: Arc<Partition>,
        time_ms: i64,
    ) -> Result<Option<(i64, i64)>, HubError> {
        let shared = Arc::clone(&self.shared);
        blocking(move || {
            let Some(state) = shared.topics.get(&partition.name().topic) else { return Ok(None) };
            super::read::times::find(&partition, &state.topic, time_ms)
        })
        .await
    }

    /// The record with the latest timestamp, as offset and timestamp; `None` when there is none.
    pub(crate) async fn latest(
        &self,
        partition: Arc<Partition>,
    ) -> Result<Option<(i64, i64)>, HubError> {
        let latest = partition.segments().iter().filter_map(|one| one.latest_ms()).max();
        match latest {
            Some(latest) => self.find_time(partition, latest).await,
            None => Ok(None),
        }
    }

    /// Counts records that could not be read.
    pub(crate) fn count_lost(&self, records: i64) {
        let records = u64::try_from(records).unwrap_or(0);
        self.shared.metrics.hub_lost.fetch_add(records, Ordering::Relaxed);
    }
}

impl Embedded {
    /// Whether a group of that name may have these offsets.
    pub(super) fn check_offsets(&self, group: &str, offsets: &[Offset]) -> Result<(), HubError> {
        if group.is_empty() || group.len() > 249 || group.chars().any(char::is_control) {
            let problem = "a group's name has 1 to 249 bytes and no control characters";
            return Err(HubError::Fatal(problem.to_owned()));
        }
        if self.shared.members.ask(|coordinators, _| coordinators.has_members(group)) {
            return Err(HubError::Fatal(format!(
                "group \"{group}\" has members, whose next commit would undo it; stop them first"
            )));
        }
        for Offset { topic, partition, offset, .. } in offsets {
            let known = self.shared.partition(topic, *partition)?;
            if *offset < 0 || *offset > known.end() {
                let end = known.end();
                let problem =
                    format!("{topic}-{partition} has offsets from 0 to {end}, not {offset}");
                return Err(HubError::Fatal(problem));
            }
        }
        Ok(())
    }
}

/// Runs what touches the disk where it may block.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, HubError> + Send + 'static,
) -> Result<T, HubError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|panic| Err(HubError::NotNow(panic.to_string())))
}
