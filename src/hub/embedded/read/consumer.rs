//! A member of a group that reads the log of this process: no socket, no copy beyond the decompression.

use std::sync::Arc;
use std::time::Duration;

use anabranch_connectors::contract::clock::now_ms;
use anabranch_connectors::contract::sink::Resumed;
use anabranch_record::{Pool, Topic, TopicPartition};
use async_trait::async_trait;
use tokio::sync::{oneshot, watch};
use tokio::time::Instant;
use uuid::Uuid;

use super::partition_reader::PartitionReader;
use crate::hub::embedded::Shared;
use crate::hub::embedded::groups::membership::{Counts, Membership};
use crate::hub::embedded::topics::table::{OFFSETS, TopicState};
use crate::hub::embedded::write::command::{Command, Place};
use crate::hub::state::Metadata;
use crate::hub::{
    Consumer, ConsumerSpec, Counted, Fetched, FetchedBatch, HubError, Lag, Lasting, Offset,
    StartAt, TopicSelector,
};
use crate::log::{Damage, Partition};

/// Buffers that are kept for the next batches, and the largest of them.
const KEEP: (usize, usize) = (4, 2 << 20);
/// How often it looks, while there is nothing to read, whether its group shares out its partitions anew.
const LOOK: Duration = Duration::from_millis(500);

/// The consumer.
pub(crate) struct EmbeddedConsumer {
    pub(crate) shared: Arc<Shared>,
    pub(crate) spec: ConsumerSpec,
    appended: watch::Receiver<u64>,
    topics_version: Option<u64>,
    membership: Membership,
    /// The topics that it reads, and how many partitions each had, when it last joined.
    joined_for: Wanted,
    /// Whether it was said that partitions are about to be shared out anew.
    warned: bool,
    /// Whether the group is to be joined again, and everything read from where it is committed.
    rewound: bool,
    pub(crate) readers: Vec<PartitionReader>,
    turn: usize,
    pool: Pool,
    resumed: bool,
    /// What could not be read after something was that is handed on first.
    failed: Option<HubError>,
    /// What has become of what was read and is not committed; `None` for who keeps no account.
    pub(crate) counted: Option<Vec<Counted>>,
}

/// Topics of its group. One that was deleted and made anew is another one, though it has the same name.
#[derive(Debug, Default, PartialEq, Eq)]
struct Wanted {
    counts: Counts,
    ids: Vec<Uuid>,
}

impl EmbeddedConsumer {
    pub(crate) fn new(shared: Arc<Shared>, spec: ConsumerSpec) -> Self {
        let appended = shared.appended.subscribe();
        let membership = Membership::new(Arc::clone(&shared), spec.group.clone());
        Self {
            shared,
            spec,
            appended,
            topics_version: None,
            membership,
            joined_for: Wanted::default(),
            warned: false,
            rewound: false,
            readers: Vec::new(),
            turn: 0,
            pool: Pool::new(KEEP.0, KEEP.1),
            resumed: false,
            failed: None,
            counted: None,
        }
    }

    /// Finds out what is to be read. `true`: the group is about to share out its partitions anew, and what was read
    /// should be committed first.
    async fn assign(&mut self) -> Result<bool, HubError> {
        let version = self.shared.topics_version();
        if self.spec.assigned.is_some() {
            if self.topics_version != Some(version) || std::mem::take(&mut self.rewound) {
                let is_first = self.topics_version.is_none();
                let all = self.partitions();
                let mine = all.into_iter().filter(|(_, one)| self.spec.is_mine(one.name()));
                self.take(mine.collect(), is_first).await?;
                self.topics_version = Some(version);
            }
            return Ok(false);
        }
        let is_first = self.topics_version.is_none();
        let is_over = self.rewound || self.membership.must_rejoin();
        if self.topics_version == Some(version) && !is_over {
            return Ok(false);
        }
        let wanted = self.wanted();
        if !is_first && wanted == self.joined_for && !is_over {
            self.topics_version = Some(version);
            return Ok(false);
        }
        if self.membership.has_joined() && !std::mem::replace(&mut self.warned, true) {
            return Ok(true);
        }
        let assigned = self.membership.join(&wanted.counts).await?;
        let all = self.partitions();
        let mine: Vec<_> =
            all.into_iter().filter(|(_, one)| assigned.contains(one.name())).collect();
        self.share(mine, is_first).await?;
        (self.joined_for, self.topics_version, self.warned) = (wanted, Some(version), false);
        self.rewound = false;
        Ok(false)
    }

    /// The topics that it wants, and their partitions.
    fn wanted(&self) -> Wanted {
        let mut wanted = Wanted::default();
        for state in self.shared.topics.all() {
            if self.spec.wants(&state.topic.name) {
                let count = i32::try_from(state.partitions.len()).unwrap_or(i32::MAX);
                wanted.counts.insert(state.topic.name.clone(), count);
                wanted.ids.push(state.wire_id);
            }
        }
        wanted
    }

    fn partitions(&self) -> Vec<(Arc<Topic>, Arc<Partition>)> {
        let each = |state: Arc<TopicState>| {
            let topic = Arc::clone(&state.topic);
            let partitions = state.partitions.clone();
            partitions.into_iter().map(move |one| (Arc::clone(&topic), one))
        };
        self.shared.topics.all().into_iter().flat_map(each).collect()
    }

    /// Goes on with what it has when the group has only given it partitions that nobody has read; else begins anew at
    /// what is committed.
    async fn share(
        &mut self,
        mine: Vec<(Arc<Topic>, Arc<Partition>)>,
        is_first: bool,
    ) -> Result<(), HubError> {
        let keeps = |reader: &PartitionReader| {
            mine.iter().any(|(_, one)| Arc::ptr_eq(one, reader.partition()))
        };
        let is_new = |one: &Arc<Partition>| {
            !self.readers.iter().any(|reader| Arc::ptr_eq(reader.partition(), one))
        };
        let has_progress = {
            let groups = self.shared.groups();
            let read =
                |one: &Arc<Partition>| groups.committed(&self.spec.group, one.name()).is_some();
            mine.iter().any(|(_, one)| is_new(one) && read(one))
        };
        if is_first || has_progress || !self.readers.iter().all(keeps) {
            self.readers.clear();
            self.resumed = false;
        }
        self.take(mine, is_first).await
    }

    /// Takes partitions in that it does not read yet.
    async fn take(
        &mut self,
        mine: Vec<(Arc<Topic>, Arc<Partition>)>,
        is_first: bool,
    ) -> Result<(), HubError> {
        if self.readers.is_empty() && self.spec.assigned.is_none() {
            // What is read from here on is told apart by where it began, also after a power cut.
            self.shared.flush_internal(OFFSETS)?;
        }
        let count = self.readers.len();
        self.readers.retain(|mine| !mine.partition().is_deleted());
        if self.readers.len() < count {
            self.resumed = false;
        }
        let mut anchors = Vec::new();
        for (topic, partition) in mine {
            if self.readers.iter().any(|mine| Arc::ptr_eq(mine.partition(), &partition)) {
                continue;
            }
            let (spec, name) = (&self.spec, &partition.name().topic);
            let start = TopicSelector::start_of(&spec.topics, name, spec.start);
            let start = if is_first { start } else { StartAt::Earliest };
            let (from, is_committed) = self.start_of(&partition, start)?;
            if !is_committed {
                let TopicPartition { topic, partition } = partition.name().clone();
                anchors.push(Offset { topic, partition, offset: from, epoch: -1 });
            }
            let mut reader = PartitionReader::new(topic, partition, from);
            reader.account = self.account_from(reader.partition().name(), from);
            self.readers.push(reader);
        }
        if is_first && self.spec.start != StartAt::Earliest && self.spec.assigned.is_none() {
            // Where "latest" was is part of the group's progress from now on, whatever happens next.
            self.store(&anchors, None, Lasting::AsConfigured).await?;
        }
        Ok(())
    }

    fn start_of(
        &self,
        partition: &Arc<Partition>,
        start: StartAt,
    ) -> Result<(i64, bool), HubError> {
        let committed = self.shared.groups().committed(&self.spec.group, partition.name()).cloned();
        if let Some(committed) = committed {
            return Ok((committed.offset, true));
        }
        Ok(match start {
            StartAt::Earliest => (partition.start(), false),
            StartAt::Latest => (partition.end(), false),
            StartAt::Time(time_ms) => (self.shared.offset_at(partition, time_ms)?, false),
            StartAt::Offset(offset) => (offset.clamp(partition.start(), partition.end()), false),
        })
    }

    async fn store(
        &self,
        offsets: &[Offset],
        state: Option<&str>,
        lasting: Lasting,
    ) -> Result<(), HubError> {
        if offsets.is_empty() {
            return Ok(());
        }
        let (done, stored) = oneshot::channel();
        let sequence = now_ms();
        let place = |offset: &Offset| {
            let partition = self.partition_of(&offset.topic, offset.partition)?;
            let account = self.account_at(&partition, offset.offset);
            let is_ours = account.is_some() || state.is_some();
            let metadata = is_ours.then(|| Metadata { sequence, account, state }.encode());
            let metadata = metadata.unwrap_or_default();
            Ok(Place { partition, offset: offset.offset, epoch: offset.epoch, metadata })
        };
        let mut places = offsets.iter().map(place).collect::<Result<Vec<_>, HubError>>()?;
        if state.is_some() {
            places.extend(self.with_older_states(offsets));
        }
        let group = self.spec.group.clone();
        self.shared.command(Command::Commit { group, offsets: places, lasting, done })?;
        stored.await.unwrap_or_else(|_closed| Err(HubError::closing()))
    }

    /// Partitions that are not among `offsets` and have a state that is no longer the latest, without it (see
    /// [`state`]): its own, and those of topics that the sink does not read any more.
    fn with_older_states(&self, offsets: &[Offset]) -> Vec<Place> {
        let mut older = self.shared.groups().with_states(&self.spec.group);
        older.retain(|(older, _)| {
            let is_it = |topic: &str, number| older.topic == topic && older.partition == number;
            let mut mine = self.readers.iter().map(|mine| mine.partition().name());
            let is_mine = mine.any(|name| is_it(&name.topic, name.partition));
            let is_named = offsets.iter().any(|one| is_it(&one.topic, one.partition));
            !is_named && (is_mine && self.spec.is_alone() || !self.spec.wants(&older.topic))
        });
        // One that was deleted at this moment has no state any more.
        self.shared.places(older).unwrap_or_default()
    }

    /// The partition that it has read under that name, though there may be another one by now.
    fn partition_of(&self, topic: &str, number: i32) -> Result<Arc<Partition>, HubError> {
        let mut read = self.readers.iter().map(|mine| mine.partition());
        let is_meant =
            |one: &&Arc<Partition>| one.name().topic == topic && one.name().partition == number;
        read.find(is_meant)
            .map_or_else(|| self.shared.partition(topic, number), |one| Ok(Arc::clone(one)))
    }

    /// Reads batches in turn from the partitions until `max_bytes` are there or none has more. What cannot be read is
    /// told by the next call when something was read before it: that is not read a second time.
    fn gather(&mut self, max_bytes: usize) -> Result<Vec<FetchedBatch>, HubError> {
        self.failed.take().map_or(Ok(()), Err)?;
        let (mut batches, mut bytes, mut idle) = (Vec::new(), 0, 0);
        while idle < self.readers.len() && bytes < max_bytes {
            self.turn = (self.turn + 1) % self.readers.len();
            let Some(mine) = self.readers.get_mut(self.turn) else { break };
            let group = &self.spec.group;
            let name = Arc::clone(mine.partition().shared_name());
            let lost = |damage: &Damage| self.shared.lost(group, &name, damage);
            match mine.next(&self.pool, group, lost) {
                Err(error) if batches.is_empty() => return Err(error),
                Err(error) => {
                    self.failed = Some(error);
                    break;
                }
                Ok(Some(fetched)) => {
                    bytes += fetched.batch.data.len();
                    batches.push(fetched);
                    idle = 0;
                    // Stay with a partition while it has more: its pages and its topic are at hand.
                    self.turn = (self.turn + self.readers.len() - 1) % self.readers.len();
                    if bytes >= max_bytes {
                        self.turn = (self.turn + 1) % self.readers.len();
                    }
                }
                Ok(None) => idle += 1,
            }
        }
        Ok(batches)
    }
}

#[async_trait]
impl Consumer for EmbeddedConsumer {
    async fn fetch(&mut self, max_bytes: usize, wait: Duration) -> Result<Fetched, HubError> {
        let deadline = Instant::now() + wait;
        loop {
            self.appended.mark_unchanged();
            if self.assign().await? {
                return Ok(Fetched { rebalancing: true, ..Fetched::default() });
            }
            let resumed = if self.resumed {
                None
            } else {
                let groups = self.shared.groups();
                let names = self.readers.iter().map(|mine| mine.partition().name());
                let places = names.map(|name| groups.placed(&self.spec.group, name)).collect();
                Some(Resumed { alone: self.spec.is_alone(), places })
            };
            let batches = self.gather(max_bytes)?;
            let passed: Vec<_> =
                self.readers.iter_mut().filter_map(PartitionReader::passed).collect();
            if !batches.is_empty() || !passed.is_empty() || resumed.is_some() {
                self.resumed = true;
                return Ok(Fetched { resumed, batches, passed, rebalancing: false });
            }
            let look = deadline.min(Instant::now() + LOOK);
            match tokio::time::timeout_at(look, self.appended.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_closed)) => return Err(HubError::closing()),
                Err(_elapsed) => {
                    // There may be nothing to read for long.
                    self.readers.iter_mut().for_each(PartitionReader::release);
                    self.pool.clear();
                    if look == deadline {
                        return Ok(Fetched::default());
                    }
                }
            }
        }
    }

    async fn commit(&mut self, offsets: &[Offset], metadata: Option<&str>) -> Result<(), HubError> {
        self.commit_lasting(offsets, metadata, Lasting::AsConfigured).await
    }

    async fn commit_lasting(
        &mut self,
        offsets: &[Offset],
        metadata: Option<&str>,
        lasting: Lasting,
    ) -> Result<(), HubError> {
        if self.spec.assigned.is_none() {
            self.membership.may_commit()?;
        }
        self.store(offsets, metadata, lasting).await?;
        self.accounts_are_kept(offsets);
        Ok(())
    }

    fn account(&mut self, counted: Vec<Counted>) {
        self.counted = Some(counted);
    }

    fn rewind(&mut self) {
        self.readers.clear();
        (self.resumed, self.rewound) = (false, true);
    }

    async fn seek(&mut self, topic: &str, partition: i32, offset: i64) -> Result<i64, HubError> {
        if self.readers.is_empty() {
            self.assign().await?;
        }
        let mut readers = self.readers.iter_mut();
        let reader = readers.find(|mine| mine.is_of(topic, partition));
        Ok(reader.ok_or_else(|| HubError::not_read(topic, partition))?.seek(offset))
    }

    async fn lag(&mut self) -> Vec<Lag> {
        let groups = self.shared.groups();
        let lag = |mine: &PartitionReader| {
            let partition = mine.partition();
            let name = partition.name();
            let committed = groups.committed(&self.spec.group, name);
            let at = committed.map_or(mine.from, |committed| committed.offset);
            let at = at.max(partition.start());
            Lag::of(&name.topic, name.partition, at, partition.end())
        };
        self.readers.iter().map(lag).collect()
    }
}
