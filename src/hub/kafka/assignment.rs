//! Where a member reads from after each change of the assignment: the committed offsets, or where the group starts.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anabranch_connectors::contract::sink::{Placed, Resumed};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::topic_partition_list::TopicPartitionListElem;
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{ClientContext, Offset as At, TopicPartitionList};
use tracing::{debug, info, warn};

use super::admin::{ANSWER_MAX, not_now, once_led};
use super::context;
use super::handover::{Handover, Place};
use crate::hub::{HubError, Offset, StartAt, TopicSelector, state};
use crate::ledger::tally::Fate;

/// How often committed offsets are asked for before the assignment is given back.
const TRIES: u32 = 5;

/// Offsets with the metadata that they are to have, without a state.
type Older = Vec<(Offset, String)>;

/// Takes assignments over, on the thread that polls.
pub(super) struct Assignments {
    pub(super) group: String,
    pub(super) topics: Vec<TopicSelector>,
    /// Whether this process has no other member in the group.
    pub(super) alone: bool,
    pub(super) start: StartAt,
    /// Whether that start is committed: not for a client that assigns partitions to itself.
    pub(super) keeps_start: bool,
    pub(super) handover: Arc<Handover>,
    /// Whether an assignment has been taken over: then a partition without a commit has come into being since.
    pub(super) begun: AtomicBool,
    /// Set when what was assigned is to be given back and taken anew: the member must join anew.
    pub(super) rejoin: AtomicBool,
    /// Set when an assignment could not be taken over. A client that gives back what it has not taken may never be assigned
    /// anything again, so another one must join.
    pub(super) failed: AtomicBool,
    /// Set when another client goes on: what this one is told counts no more.
    pub(super) retired: AtomicBool,
}

impl ClientContext for Assignments {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        context::log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        debug!(group = self.group, %error, reason, "kafka consumer reports an error");
    }
}

impl ConsumerContext for Assignments {
    fn rebalance(
        &self,
        client: &BaseConsumer<Self>,
        event: RDKafkaRespErr,
        places: &mut TopicPartitionList,
    ) {
        if self.retired.load(Ordering::Relaxed) {
            client.unassign().ok();
        } else if event == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS {
            self.take_over(client, places);
        } else {
            self.give_back(client);
        }
    }
}

impl Assignments {
    /// Reads `places` from where the group has come to.
    pub(super) fn take_over(&self, client: &BaseConsumer<Self>, places: &TopicPartitionList) {
        let mut turn = self.handover.turn.lock();
        turn.generation += 1;
        self.handover.revoke(turn.generation);
        match self.begin(client, places) {
            Ok((places, resumed, older)) => {
                let sequences = resumed.places.iter().filter_map(|place| place.state.as_ref());
                let last = sequences.map(|(sequence, _)| *sequence).max().unwrap_or(0);
                turn.sequence = turn.sequence.max(last);
                turn.older = older;
                let partitions = places.len();
                info!(group = self.group, partitions, "partitions were assigned");
                self.handover.assign(turn.generation, places, resumed);
            }
            Err(error) => {
                warn!(group = self.group, %error, "cannot take partitions over, will join again");
                client.unassign().ok();
                self.failed.store(true, Ordering::Relaxed);
                self.handover.fail(error);
            }
        }
    }

    fn give_back(&self, client: &BaseConsumer<Self>) {
        let mut turn = self.handover.turn.lock();
        turn.generation += 1;
        self.handover.revoke(turn.generation);
        if let Err(error) = client.unassign() {
            warn!(group = self.group, %error, "cannot give partitions back");
        }
    }

    fn begin(
        &self,
        client: &BaseConsumer<Self>,
        wanted: &TopicPartitionList,
    ) -> Result<(Vec<Place>, Resumed, Older), HubError> {
        let committed = self.committed(client, wanted)?;
        let (mut places, mut fresh) = (Vec::new(), TopicPartitionList::new());
        let mut resumed = Resumed { alone: self.alone, places: Vec::new() };
        let mut older = Vec::new();
        for place in committed.elements() {
            place.error().map_err(not_now)?;
            let (topic, partition) = (place.topic(), place.partition());
            let metadata = state::decode(place.metadata());
            let known = metadata.as_ref();
            let known = known.and_then(|known| Some((known.sequence, known.state?.to_owned())));
            let has_state = known.is_some();
            resumed.places.push(Placed { topic: topic.to_owned(), partition, state: known });
            if let At::Offset(offset) = place.offset() {
                if self.alone && has_state {
                    let rest = state::without_state(place.metadata());
                    let topic = topic.to_owned();
                    older.push((Offset { topic, partition, offset, epoch: -1 }, rest));
                }
                let kept = state::account(place.metadata());
                let mut mine = Place::new((topic, partition), offset, kept);
                mine.metadata = Some(place.metadata().to_owned());
                // Where the brokers do not tell, what was removed looks like any offset without a record.
                if let Ok((first, _)) = client.fetch_watermarks(topic, partition, ANSWER_MAX / 2)
                    && first > offset
                {
                    mine.gaps.push(offset, first, Fate::Removed);
                    mine.read = first;
                }
                places.push(mine);
            } else {
                fresh.add_partition(topic, partition);
            }
        }
        places.extend(self.start_of(client, &fresh)?);
        let mut list = TopicPartitionList::with_capacity(places.len());
        for place in &places {
            list.add_partition_offset(&place.topic, place.partition, At::Offset(place.read))
                .map_err(not_now)?;
        }
        client.assign(&list).map_err(not_now)?;
        self.begun.store(true, Ordering::Relaxed);
        Ok((places, resumed, older))
    }

    /// What the group has committed with states for topics that the sink does not read any more.
    ///
    /// # Errors
    /// [`HubError::NotNow`] when the brokers do not tell.
    pub(super) fn states_elsewhere(&self, client: &BaseConsumer<Self>) -> Result<Older, HubError> {
        let known = client.fetch_metadata(None, ANSWER_MAX / 2).map_err(not_now)?;
        let mut others = TopicPartitionList::new();
        for topic in known.topics().iter().filter(|topic| !topic.name().starts_with("__")) {
            if self.topics.iter().any(|selector| selector.matches(topic.name())) {
                continue;
            }
            for partition in topic.partitions() {
                others.add_partition(topic.name(), partition.id());
            }
        }
        if others.count() == 0 {
            return Ok(Vec::new());
        }
        let committed = client.committed_offsets(others, ANSWER_MAX / 2).map_err(not_now)?;
        // A partition of which it may not know anything has an error, and no state of ours.
        let with_state = |place: &TopicPartitionListElem<'_>| {
            let At::Offset(offset) = place.offset() else { return None };
            let (topic, partition) = (place.topic().to_owned(), place.partition());
            let metadata = place.metadata();
            let at = Offset { topic, partition, offset, epoch: -1 };
            state::is_state(metadata).then(|| (at, state::without_state(metadata)))
        };
        Ok(committed.elements().iter().filter_map(with_state).collect())
    }

    fn committed(
        &self,
        client: &BaseConsumer<Self>,
        wanted: &TopicPartitionList,
    ) -> Result<TopicPartitionList, HubError> {
        // Without a group nothing is committed, and nobody has to allow it.
        if self.group.is_empty() {
            return Ok(wanted.clone());
        }
        let mut last = None;
        for _ in 0..TRIES {
            match client.committed_offsets(wanted.clone(), ANSWER_MAX / 2) {
                Ok(committed) => return Ok(committed),
                Err(error) => last = Some(error),
            }
            if self.handover.is_closing() {
                break;
            }
            std::thread::park_timeout(Duration::from_millis(200));
        }
        let error = last.map_or_else(String::new, |error| error.to_string());
        Err(HubError::NotNow(format!(
            "cannot read the committed offsets of group \"{}\": {error}",
            self.group
        )))
    }

    /// Where partitions without a commit are begun. Unless that is their beginning it is committed at once: it must
    /// not be another place after the next restart.
    fn start_of(
        &self,
        client: &BaseConsumer<Self>,
        fresh: &TopicPartitionList,
    ) -> Result<Vec<Place>, HubError> {
        let new_since = self.begun.load(Ordering::Relaxed);
        let times = match self.start {
            StartAt::Time(time_ms) => Some(offsets_at(client, fresh, time_ms)?),
            StartAt::Earliest | StartAt::Latest | StartAt::Offset(_) => None,
        };
        let (mut places, mut list) = (Vec::new(), TopicPartitionList::new());
        for place in fresh.elements() {
            let (topic, partition) = (place.topic().to_owned(), place.partition());
            let ends = || client.fetch_watermarks(&topic, partition, ANSWER_MAX);
            let (first, end) = once_led(client, Some(&topic), ends).map_err(not_now)?;
            let at = times.as_ref().and_then(|times| times.find_partition(&topic, partition));
            let wanted = TopicSelector::start_of(&self.topics, &topic, self.start);
            let start = match (wanted, at.map(|at| at.offset())) {
                (StartAt::Earliest, _) => first,
                (StartAt::Latest, _) if new_since => first,
                (StartAt::Time(_), Some(At::Offset(offset))) => offset,
                (StartAt::Offset(offset), _) => offset.clamp(first, end.max(first)),
                (StartAt::Time(_) | StartAt::Latest, _) => end,
            };
            if self.keeps_start && wanted != StartAt::Earliest {
                list.add_partition(&topic, partition)
                    .set_offset(At::Offset(start))
                    .map_err(not_now)?;
            }
            places.push(Place::new((&topic, partition), start, None));
        }
        if list.count() > 0 {
            client.commit(&list, CommitMode::Sync).map_err(not_now)?;
        }
        Ok(places)
    }
}

fn offsets_at(
    client: &BaseConsumer<Assignments>,
    places: &TopicPartitionList,
    time_ms: i64,
) -> Result<TopicPartitionList, HubError> {
    let mut wanted = places.clone();
    wanted.set_all_offsets(At::Offset(time_ms.max(0))).map_err(not_now)?;
    if wanted.count() == 0 {
        return Ok(wanted);
    }
    let ask = || client.offsets_for_times(wanted.clone(), ANSWER_MAX);
    once_led(client, None, ask).map_err(not_now)
}

/// The list to commit, each offset with its metadata, and those of `older` that are not among them.
pub(super) fn to_commit(
    offsets: &[(Offset, String)],
    older: &[(Offset, String)],
) -> Result<TopicPartitionList, HubError> {
    let is_named = |older: &Offset| {
        let is_it = |one: &Offset| one.topic == older.topic && one.partition == older.partition;
        offsets.iter().any(|(one, _)| is_it(one))
    };
    let older = older.iter().filter(|(older, _)| !is_named(older));
    let mut list = TopicPartitionList::with_capacity(offsets.len());
    for (offset, metadata) in offsets.iter().chain(older) {
        let mut place = list.add_partition(&offset.topic, offset.partition);
        place.set_offset(At::Offset(offset.offset)).map_err(not_now)?;
        place.set_metadata(metadata);
    }
    Ok(list)
}
