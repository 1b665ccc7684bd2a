//! Gathers what sources emit by topic and partition, and hands it to the hub in batches.
//!
//! Each worker is a plain thread with one bounded queue. A source's stream always takes the same worker and the same
//! partition, so its order is kept. A worker drains before it ends.
//!
//! Invariant: a part is handed to the hub once, or settled as not stored.

pub mod partitioner;

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use anabranch_connectors::source::{NotStored, SourceCounters};
use anabranch_connectors::{Emission, Emitter};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::hub::{Appender, Part};
use crate::metrics::{Metrics, SourceMeter};
pub use partitioner::Partitioner;

/// Batches that may wait for a worker.
const QUEUE: usize = 64;
/// Emissions that are taken in before anything else is looked at.
const BURST: usize = 256;

/// How the producer gathers and retries; the names are those of Kafka's producer.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Longest wait of a record for its batch.
    pub linger: Duration,
    /// Bytes that make a batch full.
    pub batch_size: usize,
    /// Bytes that sources may have under way; when they are used up, sources wait.
    pub buffer_memory: usize,
    /// How often an append that failed is tried again.
    pub retries: u32,
    /// First and longest wait between tries.
    pub retry_backoff: (Duration, Duration),
    /// When to give up on records; `None` never.
    pub delivery_timeout: Option<Duration>,
    /// Who goes where.
    pub partitioner: Partitioner,
    /// Worker threads; 0 for one per core, at most 4.
    pub workers: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            linger: Duration::from_millis(5),
            batch_size: 1 << 20,
            buffer_memory: 64 << 20,
            retries: u32::MAX,
            retry_backoff: (Duration::from_millis(100), Duration::from_secs(10)),
            delivery_timeout: None,
            partitioner: Partitioner::Default,
            workers: 0,
        }
    }
}

/// For each source, the topic that its records go to; may change while the producer runs.
pub type Routes = Arc<RwLock<HashMap<String, Arc<str>>>>;

/// The way in for sources. The workers end when it and all emitters are dropped, or after [`Producer::close`].
#[derive(Debug, Clone)]
pub struct Producer {
    closing: CancellationToken,
    inlets: Arc<[mpsc::Sender<Emission>]>,
    budget: Arc<Semaphore>,
    budget_max: usize,
}

/// One worker, to be run on a thread of its own.
pub struct Worker {
    closing: CancellationToken,
    input: mpsc::Receiver<Emission>,
    appender: Arc<dyn Appender>,
    settings: Settings,
    routes: Routes,
    metrics: Arc<Metrics>,
    meters: HashMap<Arc<str>, Arc<SourceMeter>>,
    gathered: HashMap<(Arc<str>, i32), Gathered>,
    positions: Vec<Part>,
    turn: u32,
}

/// What waits for one partition.
struct Gathered {
    parts: Vec<Part>,
    bytes: usize,
    due: Instant,
}

impl std::fmt::Debug for Worker {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Worker").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Producer {
    /// A producer in front of `appender`. `routes` says for each source to which topic its records go.
    #[must_use]
    pub fn new(
        settings: &Settings,
        appender: &Arc<dyn Appender>,
        routes: &Routes,
        metrics: &Arc<Metrics>,
    ) -> (Self, Vec<Worker>) {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let count = if settings.workers == 0 { cores.min(4) } else { settings.workers };
        let closing = CancellationToken::new();
        let (mut inlets, mut workers) = (Vec::new(), Vec::new());
        for _ in 0..count {
            let (inlet, input) = mpsc::channel(QUEUE);
            inlets.push(inlet);
            workers.push(Worker {
                closing: closing.clone(),
                input,
                appender: Arc::clone(appender),
                settings: settings.clone(),
                routes: Arc::clone(routes),
                metrics: Arc::clone(metrics),
                meters: HashMap::new(),
                gathered: HashMap::new(),
                positions: Vec::new(),
                turn: 0,
            });
        }
        let budget_max = settings.buffer_memory.max(1);
        let budget = Arc::new(Semaphore::new(budget_max.min(Semaphore::MAX_PERMITS)));
        (Self { closing, inlets: inlets.into(), budget, budget_max }, workers)
    }

    /// The way in for one source.
    #[must_use]
    pub fn emitter(
        &self,
        source: &str,
        positions: Vec<(Vec<u8>, Vec<u8>)>,
        counters: Arc<SourceCounters>,
    ) -> Emitter {
        let budget = (Arc::clone(&self.budget), self.budget_max);
        Emitter::new(source, Arc::clone(&self.inlets), budget, positions, counters)
    }

    /// The way in for dead letters: with a budget of its own, so that sources that wait cannot hold a sink up.
    #[must_use]
    pub fn side_emitter(&self, source: &str) -> Emitter {
        let bytes = 4 << 20;
        let budget = (Arc::new(Semaphore::new(bytes)), bytes);
        Emitter::new(source, Arc::clone(&self.inlets), budget, Vec::new(), Arc::default())
    }

    /// Takes nothing more in; the workers hand on what they have and end, whoever still holds an emitter.
    pub fn close(&self) {
        self.closing.cancel();
    }

    /// Bytes under way, and how many there may be.
    #[must_use]
    pub fn buffered(&self) -> (usize, usize) {
        (self.budget_max.saturating_sub(self.budget.available_permits()), self.budget_max)
    }
}

impl Worker {
    /// Runs until every source has hung up or the producer is closed; whatever was gathered is handed on first.
    pub async fn run(mut self) {
        let closing = self.closing.clone();
        loop {
            let due = self.gathered.values().map(|gathered| gathered.due).min();
            tokio::select! {
                biased;
                emission = self.input.recv() => match emission {
                    Some(emission) => self.take_burst(emission).await,
                    None => break,
                },
                () = wait_for(due) => {}
                () = closing.cancelled(), if !self.input.is_closed() => self.input.close(),
            }
            self.flush(false);
        }
        self.flush(true);
    }

    async fn take_burst(&mut self, first: Emission) {
        self.take(first).await;
        for _ in 0..BURST {
            let Ok(emission) = self.input.try_recv() else { break };
            self.take(emission).await;
        }
    }

    async fn take(&mut self, emission: Emission) {
        let meter = self.meter(&emission.source);
        let part = Part::from(emission).metered(meter);
        if part.batch.is_empty() {
            // Its stream's records that came before it must reach the hub before it.
            self.flush_gathered(true);
            self.positions.push(part);
            return;
        }
        self.flush_positions();
        let topic = self.topic(&part.source);
        let Some(partitions) = self.partitions(&topic, &part).await else {
            part.settle(Err(NotStored(format!("topic \"{topic}\" cannot be made"))));
            return;
        };
        let partitioner = self.settings.partitioner;
        for (partition, part) in partitioner::place(partitioner, part, partitions, &mut self.turn) {
            self.gather(&topic, partition, part);
        }
    }

    fn gather(&mut self, topic: &Arc<str>, partition: i32, part: Part) {
        let bytes = part.batch.size_bytes();
        let key = (Arc::clone(topic), partition);
        let due = Instant::now() + self.settings.linger;
        let gathered = self.gathered.entry(key).or_insert_with(|| Gathered {
            parts: Vec::new(),
            bytes: 0,
            due,
        });
        if gathered.bytes > 0 && gathered.bytes + bytes > self.settings.batch_size {
            let parts = std::mem::take(&mut gathered.parts);
            (gathered.bytes, gathered.due) = (0, due);
            self.appender.append(topic, partition, parts);
        }
        gathered.bytes += bytes;
        gathered.parts.push(part);
        if gathered.bytes >= self.settings.batch_size {
            let parts = std::mem::take(&mut gathered.parts);
            self.gathered.remove(&(Arc::clone(topic), partition));
            self.appender.append(topic, partition, parts);
        }
    }

    fn flush(&mut self, all: bool) {
        self.flush_positions();
        self.flush_gathered(all);
    }

    fn flush_positions(&mut self) {
        if !self.positions.is_empty() {
            self.appender.store_positions(std::mem::take(&mut self.positions));
        }
    }

    /// Hands on what is due, or all.
    fn flush_gathered(&mut self, all: bool) {
        if self.gathered.is_empty() {
            return;
        }
        let now = Instant::now();
        let appender = Arc::clone(&self.appender);
        self.gathered.retain(|(topic, partition), gathered| {
            let is_due = all || gathered.due <= now;
            if is_due {
                appender.append(topic, *partition, std::mem::take(&mut gathered.parts));
            }
            !is_due
        });
    }

    fn meter(&mut self, source: &Arc<str>) -> Arc<SourceMeter> {
        if let Some(meter) = self.meters.get(source) {
            return Arc::clone(meter);
        }
        let meter = self.metrics.source(source);
        self.meters.insert(Arc::clone(source), Arc::clone(&meter));
        meter
    }

    /// The topic of a source: as routed, or of the source's own name.
    fn topic(&self, source: &Arc<str>) -> Arc<str> {
        let routes = self.routes.read().unwrap_or_else(PoisonError::into_inner);
        routes.get(source.as_ref()).map_or_else(|| Arc::clone(source), Arc::clone)
    }

    /// How many partitions the topic has, tried until the hub knows, or `None` when it is time to give up.
    async fn partitions(&self, topic: &str, part: &Part) -> Option<u32> {
        let (mut wait, wait_max) = self.settings.retry_backoff;
        let mut tries = 0;
        loop {
            let error = match self.appender.partitions(topic) {
                Ok(partitions) => {
                    if tries > 0 {
                        info!(topic, tries, "the hub takes records again");
                    }
                    return Some(partitions.max(1));
                }
                Err(error) => error,
            };
            if tries == 0 {
                warn!(topic, %error, "the hub does not take records, will retry");
            }
            let late = |most: Duration| part.sent.elapsed() >= most;
            let abandoned = self.input.is_closed();
            if tries >= self.settings.retries
                || self.settings.delivery_timeout.is_some_and(late)
                || abandoned
            {
                return None;
            }
            tries += 1;
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(wait_max);
        }
    }
}

/// Waits until `due`, or for ever.
async fn wait_for(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::HubError;
    use anabranch_connectors::source::Stored;
    use anabranch_connectors::{Batch, Headers};
    use std::sync::Mutex;

    #[derive(Default)]
    struct Memory(Mutex<Vec<(i32, Vec<String>)>>);

    impl Appender for Memory {
        fn partitions(&self, _topic: &str) -> Result<u32, HubError> {
            Ok(3)
        }

        fn append(&self, topic: &str, partition: i32, parts: Vec<Part>) {
            assert_eq!(topic, "logs");
            let mut lines = Vec::new();
            for part in parts {
                for record in part.batch.iter() {
                    lines.push(String::from_utf8_lossy(record.value.unwrap()).into_owned());
                }
                part.settle(Ok(Stored { partition, offset: 0 }));
            }
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push((partition, lines));
        }

        fn store_positions(&self, parts: Vec<Part>) {
            for part in parts {
                part.settle(Ok(Stored { partition: 0, offset: -1 }));
            }
        }
    }

    fn start(settings: &Settings) -> (Emitter, Vec<Worker>, Arc<Memory>) {
        let memory = Arc::new(Memory::default());
        let appender = Arc::clone(&memory) as Arc<dyn Appender>;
        let routes: Routes = Arc::default();
        routes.write().unwrap().insert("app".to_owned(), "logs".into());
        let (producer, workers) = Producer::new(settings, &appender, &routes, &Arc::default());
        (producer.emitter("app", Vec::new(), Arc::default()), workers, memory)
    }

    fn one(line: &str, stream: u64) -> Batch {
        let mut batch = Batch::new(Vec::new().into(), Headers::new(), 0, stream);
        batch.push_copy(line.as_bytes());
        batch
    }

    #[tokio::test(start_paused = true)]
    async fn a_lone_record_waits_no_longer_than_linger() {
        let settings = Settings { workers: 1, ..Settings::default() };
        let (emitter, mut workers, memory) = start(&settings);
        let started = Instant::now();
        let source = async move {
            emitter.send(one("a", 4)).await.unwrap().stored().await.unwrap();
            started.elapsed()
        };
        let (waited, ()) = tokio::join!(source, workers.remove(0).run());
        assert!(waited >= settings.linger && waited < settings.linger * 2, "{waited:?}");
        assert_eq!(*memory.0.lock().unwrap(), [(1, vec!["a".to_owned()])]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_keeps_its_order_and_a_full_batch_does_not_wait() {
        let linger = Duration::from_secs(3600);
        let settings = Settings { workers: 1, linger, batch_size: 300, ..Settings::default() };
        let (emitter, mut workers, memory) = start(&settings);
        let source = async move {
            let mut receipts = Vec::new();
            for number in 0..100 {
                receipts.push(emitter.send(one(&format!("{number:010}"), 2)).await.unwrap());
            }
            receipts.remove(0).stored().await.unwrap();
        };
        tokio::join!(source, workers.remove(0).run());
        let batches = memory.0.lock().unwrap().clone();
        assert!(batches.len() > 5);
        let lines: Vec<_> = batches.into_iter().flat_map(|(_, lines)| lines).collect();
        assert_eq!(lines, (0..100).map(|number| format!("{number:010}")).collect::<Vec<_>>());
    }
}
