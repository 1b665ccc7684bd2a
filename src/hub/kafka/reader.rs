//! The thread that reads for one member of a group: polls librdkafka, gathers batches, and follows the topics that
//! the group's patterns match.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anabranch_record::TopicPartition;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{Offset as At, TopicPartitionList};
use tokio::time::Instant;
use tracing::{debug, warn};

use super::admin::{ANSWER_MAX, Observer};
use super::assignment::Assignments;
use super::client::{Slot, connect};
use super::gather::Gatherer;
use super::handover::{Handover, Seek};
use super::settings::Settings;
use super::watchdog::Watchdog;
use crate::hub::{ConsumerSpec, HubError, TopicSelector};

/// How long one look for messages lasts.
const LOOK: Duration = Duration::from_millis(50);

/// How long a client waits before it is built anew, because it could not take its assignment over.
const JOIN_PAUSE: Duration = Duration::from_secs(1);

/// Brokers from which records have come may all be away for so long, as when they start anew, before it is an error.
const AWAY_MAX: Duration = Duration::from_secs(20);

/// How often new topics are looked for.
const TOPICS_EVERY: Duration = Duration::from_secs(10);

/// How long reading just stops when nobody fetches. After that the partitions are paused, so that the group's
/// rebalances are still served.
const STALL_MAX: Duration = Duration::from_secs(5);

/// The reading thread's own.
pub(super) struct Reader {
    pub(super) settings: Arc<Settings>,
    pub(super) observer: Arc<Observer>,
    pub(super) spec: ConsumerSpec,
    pub(super) handover: Arc<Handover>,
    pub(super) client: Arc<BaseConsumer<Assignments>>,
    /// Where the others find the client.
    pub(super) slot: Arc<Slot>,
    /// Whether a record has come, and since when no broker can be reached.
    pub(super) reached: Reached,
}

/// What the brokers have shown of themselves.
#[derive(Debug, Default)]
pub(super) struct Reached {
    has_read: Cell<bool>,
    /// Since when none could be reached, and when that was heard last.
    away: Cell<Option<(Instant, Instant)>>,
}

impl Reached {
    /// A record has come.
    fn is_there(&self) {
        self.has_read.set(true);
        self.away.set(None);
    }

    /// No broker can be reached; whether that is to be told: at once where none ever was, later where it may pass.
    fn is_away_for_long(&self) -> bool {
        let now = Instant::now();
        // It is heard at each try to reach them; what was long ago is over.
        let away = self
            .away
            .get()
            .filter(|(_, heard)| now.saturating_duration_since(*heard) < 2 * AWAY_MAX);
        let since = away.map_or(now, |(since, _)| since);
        self.away.set(Some((since, now)));
        !self.has_read.get() || now.saturating_duration_since(since) >= AWAY_MAX
    }
}

/// Says that the thread has gone, however it went.
struct Ending(Arc<Handover>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl Reader {
    /// Reads until the delivery is gone.
    pub(super) fn run(mut self) {
        let _ending = Ending(Arc::clone(&self.handover));
        if let Some(cluster) = self.cluster() {
            while let Some(complaint) = self.read(Gatherer::new(cluster.clone())) {
                self.renew(complaint);
            }
        }
        if self.spec.assigned.is_none() {
            self.client.unsubscribe();
        }
        // Leaves the group and closes; this is the last reference unless a commit is under way.
        drop(self.client);
    }

    /// The cluster's id, waited for as long as it takes.
    fn cluster(&self) -> Option<String> {
        while !self.handover.is_closing() {
            match self.observer.cluster_id() {
                Ok(cluster) => return Some(cluster),
                Err(error) => self.handover.fail(error),
            }
        }
        None
    }

    /// Goes on with a new client.
    fn renew(&mut self, complaint: &str) {
        let group = &self.spec.group;
        let client = match connect(&self.settings, &self.spec, &self.handover) {
            Ok(client) => Arc::new(client),
            Err(error) => return self.handover.fail(error),
        };
        warn!(group, "the kafka client makes no progress and is built anew: {complaint}");
        self.settings.renewed.fetch_add(1, Ordering::Relaxed);
        let begun = self.client.context().begun.load(Ordering::Relaxed);
        client.context().begun.store(begun, Ordering::Relaxed);
        self.slot.set(&client);
        let old = std::mem::replace(&mut self.client, client);
        old.context().retired.store(true, Ordering::Relaxed);
        // It leaves its group as it ends, which may take as long as it waits for an answer.
        let end = move || {
            old.unsubscribe();
            drop(old);
        };
        if let Err(error) = std::thread::Builder::new().name("kafka-closer".to_owned()).spawn(end) {
            warn!(%error, "cannot start a thread that ends a kafka client");
        }
    }

    /// Reads until the delivery is gone, or there is a complaint about the client.
    fn read(&self, mut gatherer: Gatherer) -> Option<&'static str> {
        let mut watchdog = Watchdog::new();
        let (mut subscribed, mut generation) = (Vec::new(), 0);
        let mut look_again = Instant::now();
        while !self.handover.is_closing() {
            if Instant::now() >= look_again {
                look_again = Instant::now() + self.follow(&mut subscribed);
            }
            if let Some(seek) = self.handover.asked() {
                self.seek(seek, &mut gatherer, generation);
            }
            if !self.handover.has_room(STALL_MAX) {
                self.wait_paused(&mut gatherer, &mut generation);
                watchdog.is_well();
            }
            if self.poll_once(&mut gatherer, &mut generation) {
                watchdog.is_well();
            } else if self.spec.assigned.is_none() {
                let asked = (&*self.settings, &*self.observer);
                let complaint = watchdog.complaint(asked, &self.handover);
                if complaint.is_some() && !self.poll_once(&mut gatherer, &mut generation) {
                    return complaint;
                }
            }
            if self.client.context().failed.swap(false, Ordering::Relaxed) {
                std::thread::park_timeout(JOIN_PAUSE);
                return Some("what it was assigned could not be taken over");
            }
            if self.client.context().rejoin.swap(false, Ordering::Relaxed) {
                self.client.unsubscribe();
                subscribed.clear();
                look_again = Instant::now() + Duration::from_secs(1);
            }
        }
        None
    }

    /// Takes what comes next; whether it is a record. What was gathered under an assignment that is over is dropped: it
    /// is read again.
    fn poll_once(&self, gatherer: &mut Gatherer, generation: &mut u64) -> bool {
        self.drop_outdated(gatherer, generation);
        let look = if gatherer.is_empty() { LOOK } else { Duration::ZERO };
        let answer = self.client.poll(look);
        self.drop_outdated(gatherer, generation);
        let is_record = matches!(answer, Some(Ok(_)));
        match answer {
            Some(Ok(message)) => {
                self.reached.is_there();
                if let Some(batch) = gatherer.push(&message) {
                    self.handover.push(batch, *generation);
                }
            }
            Some(Err(error)) => self.note(&error),
            None => match gatherer.take() {
                Some(batch) => self.handover.push(batch, *generation),
                None => self.handover.idle(),
            },
        }
        is_record
    }

    fn drop_outdated(&self, gatherer: &mut Gatherer, generation: &mut u64) {
        let current = self.handover.generation();
        if current != *generation {
            *generation = current;
            drop(gatherer.take());
        }
    }

    /// Pauses all partitions until there is room; the assignment may change meanwhile.
    fn wait_paused(&self, gatherer: &mut Gatherer, generation: &mut u64) {
        debug!(group = self.spec.group, "the sink does not fetch, reading is paused");
        let assigned = self.client.assignment();
        let pause = assigned.as_ref().map_or(Ok(()), |assigned| self.client.pause(assigned));
        let paused = pause.is_ok();
        while paused
            && !self.handover.has_room(Duration::ZERO)
            && !self.handover.is_closing()
            && !self.handover.is_asked()
        {
            self.poll_once(gatherer, generation);
        }
        if let Ok(assigned) = assigned
            && let Err(error) = self.client.resume(&assigned)
        {
            warn!(group = self.spec.group, %error, "cannot resume partitions");
        }
    }

    /// Reads on elsewhere in one partition. What was gathered of others goes on its way first.
    fn seek(&self, seek: Seek, gatherer: &mut Gatherer, generation: u64) {
        let Seek { topic, partition, offset, done } = seek;
        if let Some(batch) = gatherer.take() {
            self.handover.push(batch, generation);
        }
        let went = if self.handover.reads(&topic, partition) {
            self.begin_at(&topic, partition, offset)
        } else {
            Err(HubError::not_read(&topic, partition))
        };
        // Who asked may have given up waiting.
        done.send(went).ok();
    }

    fn begin_at(&self, topic: &str, partition: i32, offset: i64) -> Result<i64, HubError> {
        let failed = |error: KafkaError| {
            HubError::NotNow(format!("topic \"{topic}\", partition {partition}: {error}"))
        };
        let ends = self.client.fetch_watermarks(topic, partition, ANSWER_MAX);
        let (start, end) = ends.map_err(failed)?;
        let offset = offset.clamp(start, end.max(start));
        // Librdkafka's own seek fails where reading has not begun yet.
        let mut list = TopicPartitionList::new();
        for place in self.handover.places().0 {
            let is_it = place.partition == partition && place.topic == topic;
            let at = At::Offset(if is_it { offset } else { place.read });
            list.add_partition_offset(&place.topic, place.partition, at).map_err(failed)?;
        }
        self.client.assign(&list).map_err(failed)?;
        self.handover.begin_at(topic, partition, offset);
        Ok(offset)
    }

    /// Reads the topics that are meant now; how long that holds.
    fn follow(&self, subscribed: &mut Vec<String>) -> Duration {
        if let Some(assigned) = &self.spec.assigned {
            return self.assign(assigned);
        }
        let names = match self.names() {
            Ok(names) => names,
            Err(error) => {
                if subscribed.is_empty() {
                    self.handover.fail(error);
                }
                return Duration::from_secs(1);
            }
        };
        if names != *subscribed {
            let list: Vec<&str> = names.iter().map(String::as_str).collect();
            if let Err(error) = self.client.subscribe(&list) {
                self.handover.fail(HubError::NotNow(format!("kafka: {error}")));
                return Duration::from_secs(1);
            }
            *subscribed = names;
        }
        TOPICS_EVERY
    }

    fn names(&self) -> Result<Vec<String>, HubError> {
        let mut names = Vec::new();
        for selector in &self.spec.topics {
            match selector {
                TopicSelector::Name(name) => names.push(name.clone()),
                TopicSelector::Addressed(name) => {
                    names.extend(self.observer.partitions(name)?.map(|_there| name.clone()));
                }
                TopicSelector::Pattern(_) => {
                    let known = self.observer.names()?.into_iter().map(|(name, _)| name);
                    let meant = known.filter(|name| {
                        selector.matches(name) && *name != self.settings.positions_topic
                    });
                    names.extend(meant);
                }
            }
        }
        names.sort();
        names.dedup();
        Ok(names)
    }

    /// Takes just these partitions, without the group's assignment.
    fn assign(&self, assigned: &[TopicPartition]) -> Duration {
        let mut list = TopicPartitionList::new();
        for one in assigned {
            list.add_partition(&one.topic, one.partition);
        }
        let context = self.client.context();
        context.take_over(&self.client, &list);
        let failed = context.failed.swap(false, Ordering::Relaxed);
        if failed { Duration::from_secs(1) } else { Duration::from_secs(365 * 86_400) }
    }

    /// Errors that pass are librdkafka's to mend; those that do not are told.
    fn note(&self, error: &KafkaError) {
        let code = error.rdkafka_error_code();
        if self.spec.group.is_empty() && code == Some(RDKafkaErrorCode::GroupAuthorizationFailed) {
            return debug!(%error, "no right on a group, and no need of one");
        }
        let is_away = code == Some(RDKafkaErrorCode::AllBrokersDown);
        if is_away && !self.reached.is_away_for_long() {
            return debug!(group = self.spec.group, "no broker can be reached, for now");
        }
        let told = format!("reading as group \"{}\": {error}", self.spec.group);
        if matches!(error, KafkaError::MessageConsumptionFatal(_)) {
            self.handover.fail(HubError::Fatal(told));
        } else if matches!(
            code,
            Some(
                RDKafkaErrorCode::TopicAuthorizationFailed
                    | RDKafkaErrorCode::GroupAuthorizationFailed
                    | RDKafkaErrorCode::UnknownTopicOrPartition
                    | RDKafkaErrorCode::UnknownTopic
                    | RDKafkaErrorCode::Authentication
                    | RDKafkaErrorCode::AllBrokersDown
            )
        ) {
            self.handover.fail(HubError::NotNow(told));
        } else {
            debug!(group = self.spec.group, %error, "kafka consumer error");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn brokers_that_are_away_for_a_moment_are_no_error_where_records_have_come() {
        let reached = Reached::default();
        assert!(reached.is_away_for_long(), "nobody was ever there");
        reached.is_there();
        for expected in [false, false, false, true, true] {
            assert_eq!(reached.is_away_for_long(), expected);
            tokio::time::advance(Duration::from_secs(8)).await;
        }
        tokio::time::advance(Duration::from_secs(3600)).await;
        assert!(!reached.is_away_for_long(), "they have been there meanwhile");
    }
}
