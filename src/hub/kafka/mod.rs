//! The hub on an Apache Kafka cluster.
//!
//! Appends are encoded on their caller's thread ([`encode`]) and go through one thread that owns the producer
//! ([`writer`], over [`crate::kafka`]) and stores records and positions of sources in the same transaction, so that an
//! agent that is killed neither loses nor repeats. Reading and administration are librdkafka's, and so is writing
//! when a property says so that only it knows ([`properties`]). Each member of a group reads on
//! a thread of its own ([`reader`]); the sink's state travels as metadata of the offsets that it belongs to. Topics
//! are made on first use.
//!
//! Readers should use `isolation.level=read_committed` (librdkafka's default), or they also see what was aborted.

mod accounts;
mod admin;
mod advance;
mod amend;
mod assignment;
mod changes;
mod client;
mod context;
mod encode;
mod gather;
mod handover;
mod health;
mod holding;
mod librdkafka;
mod member;
mod options;
mod positions;
mod properties;
mod queue;
mod reader;
mod round;
mod settings;
mod topics;
mod watchdog;
mod way;
mod writer;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anabranch_connectors::contract::counters::Account;
use async_trait::async_trait;
use parking_lot::Mutex;
use tracing::{error, info};

use super::{
    Advance, Appender, Consumer, ConsumerSpec, GroupInfo, Hub, HubError, Offset, Part, TopicInfo,
};
use admin::Observer;
use encode::Encoder;
use health::Health;
use member::Member;
pub use options::{OptionFault, PROPERTIES, option_faults};
use positions::Positions;
use queue::{Job, Queue};
pub use settings::Settings;
use topics::Topics;
pub use way::reach;
use writer::Writer;

/// How much may wait for the writer, bytes.
const QUEUE_BYTES: usize = 16 << 20;

/// How long a close lets the writer store what it has.
const GRACE: Duration = Duration::from_secs(5);

/// The same when nothing could be stored before it either.
const GRACE_IN_TROUBLE: Duration = Duration::from_millis(500);

/// How long a source waits for its positions.
const START_MAX: Duration = Duration::from_secs(30);

fn start(work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, HubError> {
    std::thread::Builder::new()
        .name("kafka-writer".to_owned())
        .spawn(work)
        .map_err(|error| HubError::Fatal(format!("cannot start a thread: {error}")))
}

/// A Kafka cluster as a hub.
pub struct Kafka {
    settings: Arc<Settings>,
    observer: Arc<Observer>,
    way_in: Arc<WayIn>,
    health: Arc<Health>,
    cut: Arc<AtomicU64>,
    positions: Arc<Positions>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Kafka {
    /// Begins to talk to the cluster. It may be away: then appends wait, and [`Hub::state`] tells why.
    ///
    /// # Errors
    /// [`HubError::Fatal`] when the settings cannot be right.
    pub fn connect(settings: Settings) -> Result<Arc<Self>, HubError> {
        let settings = Arc::new(settings);
        let observer = Arc::new(Observer::new(&settings)?);
        let topics = Arc::new(Topics::new(Arc::clone(&settings), Arc::clone(&observer)));
        let queue = Arc::new(Queue::new(QUEUE_BYTES));
        let health = Arc::new(Health::default());
        let cut = Arc::new(AtomicU64::new(0));
        let ends = (Arc::clone(&queue), Arc::clone(&health));
        let (thread, encoder) = match properties::own(&settings)? {
            Ok(own) => {
                let encoder = Arc::new(Encoder::new(own.compression));
                let batch_size = own.settings.batch_size;
                let (topics, cut) = (Arc::clone(&topics), Arc::clone(&cut));
                let writer = Writer::new(own, topics, ends, cut, Arc::clone(&encoder));
                (start(move || writer.run())?, Some((encoder, batch_size)))
            }
            Err(property) => {
                info!(property, "writes through librdkafka, which alone knows this property");
                let (topics, cut) = (Arc::clone(&topics), Arc::clone(&cut));
                let writer = librdkafka::Writer::new(Arc::clone(&settings), topics, ends, cut);
                writer.check()?;
                (start(move || writer.run())?, None)
            }
        };
        let way_in = Arc::new(WayIn { topics, queue, encoder });
        let thread = Mutex::new(Some(thread));
        let positions = Arc::default();
        Ok(Arc::new(Self { settings, observer, way_in, health, cut, positions, thread }))
    }

    /// How many records were too large for their topic and went to its dead letters, cut.
    #[must_use]
    pub fn cut_records(&self) -> u64 {
        self.cut.load(Ordering::Relaxed)
    }

    /// Whether an agent's sink reads as this group; `false` when nobody may tell.
    pub async fn is_of_sink(&self, group: &str) -> bool {
        let group = group.to_owned();
        self.ask(move |observer, _| observer.is_of_sink(&group)).await.unwrap_or(false)
    }

    /// Asks the cluster on a thread that may block.
    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Observer, &Settings) -> Result<T, HubError> + Send + 'static,
    ) -> Result<T, HubError> {
        let (observer, settings) = (Arc::clone(&self.observer), Arc::clone(&self.settings));
        let answer = tokio::task::spawn_blocking(move || question(&observer, &settings)).await;
        answer.unwrap_or_else(|error| Err(HubError::NotNow(format!("kafka client: {error}"))))
    }
}

#[async_trait]
impl Hub for Kafka {
    fn appender(&self) -> Arc<dyn Appender> {
        Arc::<WayIn>::clone(&self.way_in)
    }

    async fn consumer(&self, spec: ConsumerSpec) -> Result<Box<dyn Consumer>, HubError> {
        let member = Member::new(&self.settings, &self.observer, spec)?;
        Ok(Box::new(member))
    }

    async fn positions(&self, source: &str) -> Result<Vec<(Vec<u8>, Vec<u8>)>, HubError> {
        let (source, health) = (source.to_owned(), Arc::clone(&self.health));
        let positions = Arc::clone(&self.positions);
        self.ask(move |_, settings| {
            // The producer's start ends what an earlier life has left open; before it positions may be old.
            health.wait_for_start(START_MAX).map_err(HubError::NotNow)?;
            positions.of_source(settings, &source)
        })
        .await
    }

    async fn create_topic(&self, name: &str, partitions: u32) -> Result<(), HubError> {
        let name = name.to_owned();
        self.ask(move |_, settings| changes::create(settings, &name, partitions)).await
    }

    async fn delete_topic(&self, name: &str) -> Result<(), HubError> {
        let name = name.to_owned();
        self.ask(move |_, settings| changes::delete(settings, &name)).await
    }

    async fn delete_records(
        &self,
        topic: &str,
        partition: i32,
        before: i64,
    ) -> Result<(), HubError> {
        let topic = topic.to_owned();
        self.ask(move |_, settings| changes::delete_records(settings, (&topic, partition), before))
            .await
    }

    async fn topics(&self) -> Result<Vec<TopicInfo>, HubError> {
        self.ask(|observer, _| observer.topics()).await
    }

    async fn group(&self, name: &str) -> Result<Option<GroupInfo>, HubError> {
        let name = name.to_owned();
        let found = self.ask(move |observer, settings| observer.group(settings, name)).await?;
        Ok(Some(found).filter(|group| !group.offsets.is_empty()))
    }

    async fn groups(&self) -> Result<Vec<GroupInfo>, HubError> {
        self.ask(|observer, settings| observer.groups(settings)).await
    }

    async fn committed(&self, group: &str) -> Result<Vec<(Offset, String)>, HubError> {
        let group = group.to_owned();
        self.ask(move |observer, settings| observer.committed(settings, &group)).await
    }

    async fn accounts(&self) -> Result<BTreeMap<String, Account>, HubError> {
        let positions = Arc::clone(&self.positions);
        self.ask(move |_, settings| positions.accounts(settings)).await
    }

    async fn set_offsets(&self, group: &str, offsets: &[Offset]) -> Result<(), HubError> {
        let (group, offsets) = (group.to_owned(), offsets.to_vec());
        self.ask(move |observer, settings| observer.set_offsets(settings, &group, &offsets)).await
    }

    async fn advance(&self, step: Advance) -> Result<(), HubError> {
        self.ask(move |_, settings| advance::advance(settings, &step)).await
    }

    async fn delete_group(&self, name: &str) -> Result<bool, HubError> {
        let name = name.to_owned();
        self.ask(move |_, settings| changes::delete_group(settings, &name)).await
    }

    async fn offsets_at(&self, topic: &str, timestamp_ms: i64) -> Result<Vec<Offset>, HubError> {
        let topic = topic.to_owned();
        self.ask(move |observer, _| observer.offsets_at(&topic, timestamp_ms)).await
    }

    async fn close(&self) {
        let queue = Arc::clone(&self.way_in.queue);
        let grace = if self.health.state().is_ok() { GRACE } else { GRACE_IN_TROUBLE };
        queue.close(grace);
        let ended = tokio::task::spawn_blocking(move || queue.wait_for_end(grace + GRACE)).await;
        let thread = self.thread.lock().take();
        let joined = match (ended, thread) {
            (Ok(true), Some(thread)) => thread.join().map_err(|_panic| "has panicked"),
            (Ok(true), None) => Ok(()),
            _ => Err("does not end"),
        };
        if let Err(what) = joined {
            error!("the kafka writer {what}; what it held is not stored");
        }
    }

    fn state(&self) -> Result<String, String> {
        let brokers = self.settings.bootstrap_servers.join(",");
        self.health
            .state()
            .map(|()| format!("kafka at {brokers}"))
            .map_err(|why| format!("kafka at {brokers}: {why}"))
    }
}

impl Drop for Kafka {
    fn drop(&mut self) {
        self.way_in.queue.close(Duration::ZERO);
    }
}

impl fmt::Debug for Kafka {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let brokers = &self.settings.bootstrap_servers;
        out.debug_struct("Kafka").field("brokers", brokers).finish_non_exhaustive()
    }
}

/// The way in: looks topics up, encodes, and queues what is to be written.
struct WayIn {
    topics: Arc<Topics>,
    queue: Arc<Queue>,
    /// With the largest batch, bytes; `None` when librdkafka encodes.
    encoder: Option<(Arc<Encoder>, usize)>,
}

impl Appender for WayIn {
    fn partitions(&self, topic: &str) -> Result<u32, HubError> {
        self.topics.partitions(topic)
    }

    fn partitions_within(&self, topic: &str, limit: Duration) -> Result<u32, HubError> {
        self.topics.partitions_within(topic, limit)
    }

    fn append(&self, topic: &str, partition: i32, parts: Vec<Part>) {
        let mut job = Job::new(topic, partition, parts);
        let Some((encoder, batch_size)) = &self.encoder else { return self.queue.push(job) };
        let limits = self.topics.limits(topic, *batch_size);
        match encoder.parts((topic.into(), partition), limits, &mut job.parts) {
            Ok(batches) => self.queue.push(job.encoded(batches)),
            Err(cause) => {
                error!(%cause, topic, "a batch could not be encoded; it is handed back to its source");
            }
        }
    }

    fn record_max(&self, topic: &str) -> usize {
        self.topics.limits(topic, usize::MAX).record_max
    }

    fn store_positions(&self, parts: Vec<Part>) {
        self.queue.push(Job::new("", -1, parts));
    }
}
