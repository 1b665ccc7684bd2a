//! A member of a consumer group, as a delivery holds it.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anabranch_connectors::contract::clock;
use anabranch_record::{Condition, TopicPartition};
use async_trait::async_trait;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use tokio::sync::oneshot;
use tokio::time::Instant;
use tracing::{debug, warn};

use super::admin::{self, Observer};
use super::assignment::{self, Assignments};
use super::client::{Slot, connect};
use super::handover::{Handover, Place, Seek};
use super::holding::Holding;
use super::reader::{Reached, Reader};
use super::settings::Settings;
use crate::hub::state::Metadata;
use crate::hub::{Consumer, ConsumerSpec, Counted, Fetched, HubError, Lag, Offset};

/// How long a member's thread may take to leave its group.
const LEAVE_MAX: Duration = Duration::from_secs(5);

/// How long known ends of partitions count.
const ENDS_FRESH: Duration = Duration::from_secs(1);

/// How long nothing must have come after the ends were looked up, to know that nothing is left: what lies between
/// the last record and the end are then marks of transactions, which are no records.
const SETTLED: Duration = Duration::from_secs(1);

/// One member of a group.
pub(super) struct Member {
    group: String,
    handover: Arc<Handover>,
    slot: Arc<Slot>,
    observer: Arc<Observer>,
    thread: Option<std::thread::JoinHandle<()>>,
    generation: u64,
    /// Whether states of topics that are not read any more were taken away, or there are none.
    swept: Arc<AtomicBool>,
    ends: HashMap<TopicPartition, i64>,
    ends_at: Option<Instant>,
    /// What has become of what was read and is not committed; `None` for who keeps no account.
    counted: Option<Vec<Counted>>,
}

impl Member {
    pub(super) fn new(
        settings: &Arc<Settings>,
        observer: &Arc<Observer>,
        spec: ConsumerSpec,
    ) -> Result<Self, HubError> {
        let handover = Arc::new(Handover::default());
        let (group, is_client) = (spec.group.clone(), spec.assigned.is_some());
        let client = Arc::new(connect(settings, &spec, &handover)?);
        let slot = Arc::new(Slot::default());
        slot.set(&client);
        let reader = Reader {
            settings: Arc::clone(settings),
            observer: Arc::clone(observer),
            spec,
            handover: Arc::clone(&handover),
            client,
            slot: Arc::clone(&slot),
            reached: Reached::default(),
        };
        let thread = std::thread::Builder::new()
            .name("kafka-reader".to_owned())
            .spawn(move || reader.run())
            .map_err(|error| HubError::NotNow(format!("cannot start a thread: {error}")))?;
        Ok(Self {
            group,
            handover,
            slot,
            observer: Arc::clone(observer),
            thread: Some(thread),
            generation: 0,
            swept: Arc::new(AtomicBool::new(is_client)),
            ends: HashMap::new(),
            ends_at: None,
            counted: None,
        })
    }

    /// Looks the ends of all partitions up, when what is known is old. The client that reads is not asked: a broker
    /// answers it only when its fetch is over, which for every partition may be half a second.
    async fn look_for_ends(&mut self, places: &[Place]) {
        if self.ends_at.is_some_and(|at| at.elapsed() < ENDS_FRESH) {
            return;
        }
        let (observer, places) = (Arc::clone(&self.observer), places.to_vec());
        let look = move || {
            let end = |place: &Place| {
                let ends = observer.ends_within(&place.topic, place.partition, ENDS_FRESH);
                ends.map(|(_, end)| (TopicPartition::new(&*place.topic, place.partition), end))
            };
            // The first that does not answer ends it: the others would not answer either.
            places.iter().map(end).collect::<Result<HashMap<_, _>, _>>()
        };
        if let Ok(Ok(ends)) = tokio::task::spawn_blocking(look).await {
            self.ends = ends;
        }
        self.ends_at = Some(Instant::now());
    }
}

#[async_trait]
impl Consumer for Member {
    async fn fetch(&mut self, max_bytes: usize, wait: Duration) -> Result<Fetched, HubError> {
        let (fetched, generation) = self.handover.take(max_bytes, wait).await?;
        self.generation = generation;
        if self.counted.is_none() {
            self.handover.forget_gaps();
        }
        Ok(fetched)
    }

    fn account(&mut self, counted: Vec<Counted>) {
        self.counted = Some(counted);
    }

    async fn commit(&mut self, offsets: &[Offset], metadata: Option<&str>) -> Result<(), HubError> {
        let Some(client) = self.slot.get() else {
            return Err(HubError::Fatal(format!("group \"{}\" is left", self.group)));
        };
        let (offsets, metadata) = (offsets.to_vec(), metadata.map(str::to_owned));
        let (handover, generation) = (Arc::clone(&self.handover), self.generation);
        let (group, swept) = (self.group.clone(), Arc::clone(&self.swept));
        let counted = self.counted.clone();
        let commit = move || {
            let (group, counted) = (group.as_str(), counted.as_deref());
            let work =
                Commit { client: &client, handover: &handover, group, swept: &swept, counted };
            work.run(&offsets, metadata.as_deref(), generation)
        };
        let done = tokio::task::spawn_blocking(commit).await;
        done.unwrap_or_else(|error| Err(HubError::NotNow(format!("kafka commit: {error}"))))
    }

    async fn seek(&mut self, topic: &str, partition: i32, offset: i64) -> Result<i64, HubError> {
        let (done, went) = oneshot::channel();
        self.handover.ask(Seek { topic: topic.to_owned(), partition, offset, done });
        let answer = tokio::time::timeout(3 * admin::ANSWER_MAX, went).await;
        match answer {
            Ok(Ok(went)) => went,
            Ok(Err(_gone)) => Err(HubError::closing()),
            Err(_elapsed) => Err(HubError::NotNow(format!(
                "topic \"{topic}\", partition {partition}: it is not known yet what is read"
            ))),
        }
    }

    fn condition(&self) -> Option<Condition> {
        let holding = Holding {
            group: self.group.clone(),
            slot: Arc::clone(&self.slot),
            handover: Arc::clone(&self.handover),
            generation: self.generation,
        };
        Some(Condition::new(move || holding.ask()))
    }

    fn rewind(&mut self) {
        // Under another assignment the next fetch begins anew anyhow.
        if self.handover.generation() == self.generation
            && let Some(client) = self.slot.get()
        {
            client.context().rejoin.store(true, Ordering::Relaxed);
        }
    }

    async fn lag(&mut self) -> Vec<Lag> {
        let (places, _) = self.handover.places();
        self.look_for_ends(&places).await;
        let (places, idle_since) = self.handover.places();
        let settled = idle_since.zip(self.ends_at).is_some_and(|(idle, looked)| {
            idle.elapsed() >= SETTLED && looked.elapsed() < ENDS_FRESH * 2
        });
        places.into_iter().map(|place| lag(place, &self.ends, settled)).collect()
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.handover.close();
        let Some(thread) = self.thread.take() else { return };
        if self.handover.wait_for_end(LEAVE_MAX) {
            if thread.join().is_err() {
                warn!(group = self.group, "the thread that read from kafka had panicked");
            }
        } else {
            warn!(group = self.group, "a member does not leave its group; it is left behind");
        }
    }
}

fn lag(place: Place, ends: &HashMap<TopicPartition, i64>, settled: bool) -> Lag {
    let Place { topic, partition, committed, read, .. } = place;
    let key = TopicPartition { topic, partition };
    let last = ends.get(&key).copied().unwrap_or(read);
    let end = if settled { read } else { last.max(read) };
    let records = u64::try_from(end - committed).unwrap_or(0);
    Lag { records, ..Lag::of(&key.topic, partition, committed, last) }
}

/// A commit, on a thread that may block.
struct Commit<'a> {
    client: &'a BaseConsumer<Assignments>,
    handover: &'a Handover,
    group: &'a str,
    swept: &'a AtomicBool,
    counted: Option<&'a [Counted]>,
}

impl Commit<'_> {
    fn run(
        &self,
        offsets: &[Offset],
        metadata: Option<&str>,
        generation: u64,
    ) -> Result<(), HubError> {
        let elsewhere = if metadata.is_some() { self.states_elsewhere() } else { Vec::new() };
        let mut turn = self.handover.turn.lock();
        let ours = |offset: &Offset| self.handover.reads(&offset.topic, offset.partition);
        if turn.generation != generation || !offsets.iter().all(ours) {
            return Err(HubError::Moved(format!(
                "group \"{}\" was rebalanced; what was not committed will come again",
                self.group
            )));
        }
        if offsets.is_empty() {
            return Ok(());
        }
        turn.sequence = clock::now_ms().max(turn.sequence + 1);
        let older = if metadata.is_some() { turn.older.as_slice() } else { &[] };
        let older = [older, &elsewhere].concat();
        let with_metadata = |offset: &Offset| {
            let account = self.counted.and_then(|all| self.handover.account_at(offset, all));
            let metadata = Metadata { sequence: turn.sequence, account, state: metadata };
            (offset.clone(), metadata.encode())
        };
        let all: Vec<(Offset, String)> = offsets.iter().map(with_metadata).collect();
        let list = assignment::to_commit(&all, &older)?;
        self.client.commit(&list, CommitMode::Sync).map_err(|error| self.refused(&error))?;
        if metadata.is_some() {
            turn.older.clear();
            self.swept.store(true, Ordering::Release);
        }
        for offset in &all {
            self.handover.committed(offset, self.counted.unwrap_or_default());
        }
        Ok(())
    }

    /// Looked for once: what a sink reads does not change while it lives.
    fn states_elsewhere(&self) -> Vec<(Offset, String)> {
        if self.swept.load(Ordering::Acquire) {
            return Vec::new();
        }
        self.client.context().states_elsewhere(self.client).unwrap_or_else(|error| {
            debug!(group = self.group, %error, "states of topics that are not read are not known");
            Vec::new()
        })
    }

    fn refused(&self, error: &KafkaError) -> HubError {
        let what = format!("cannot commit offsets of group \"{}\": {error}", self.group);
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::OffsetMetadataTooLarge) {
            return HubError::Fatal(format!(
                "{what}; the sink's state is larger than the broker's \"offset.metadata.max.bytes\""
            ));
        }
        HubError::NotNow(what)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_of_transactions_at_the_end_are_no_lag_once_nothing_more_comes() {
        let place = Place { read: 9, ..Place::new(("t", 0), 7, None) };
        let ends = [(TopicPartition::new("t", 0), 12)].into();
        assert_eq!(lag(place.clone(), &ends, false).records, 5);
        assert_eq!(lag(place, &ends, true).records, 2);
    }
}
