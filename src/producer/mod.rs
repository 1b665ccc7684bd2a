//! Gathers what sources emit by topic and partition, and hands it to the hub in batches.
//!
//! Each worker is a plain thread with one bounded queue. A source's stream always takes the same worker and the same
//! partition, so its order is kept. A worker drains before it ends.
//!
//! Invariant: a part is handed to the hub once, or settled as not stored.

pub mod partitioner;
mod worker;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use anabranch_connectors::contract::counters::SourceCounters;
use anabranch_connectors::contract::memory::Part;
use anabranch_connectors::{Emission, Emitter};
use parking_lot::RwLock;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::hub::Appender;
use crate::metrics::Metrics;
pub use partitioner::Partitioner;
pub use worker::Worker;

/// Batches that may wait for a worker.
const QUEUE: usize = 64;

/// How the producer gathers and retries; the names are those of Kafka's producer.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Longest wait of a record for its batch.
    pub linger: Duration,
    /// Bytes that make a batch full.
    pub batch_size: usize,
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
    metrics: Arc<Metrics>,
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
            let worker = Worker::new(input, settings, appender, routes, (metrics, &closing));
            workers.push(worker);
        }
        let metrics = Arc::clone(metrics);
        (Self { closing, inlets: inlets.into(), metrics }, workers)
    }

    /// The way in for one source.
    #[must_use]
    pub fn emitter(
        &self,
        source: &str,
        positions: Vec<(Vec<u8>, Vec<u8>)>,
        counters: Arc<SourceCounters>,
    ) -> Emitter {
        let memory = (self.metrics.memory.clone(), Part::Sources);
        Emitter::new(source, Arc::clone(&self.inlets), memory, positions, counters)
    }

    /// The way in for dead letters: with memory of its own, so that sources that wait cannot hold a sink up.
    #[must_use]
    pub fn side_emitter(&self, source: &str) -> Emitter {
        let memory = (self.metrics.memory.clone(), Part::DeadLetters);
        let counters = self.metrics.counters(source);
        Emitter::new(source, Arc::clone(&self.inlets), memory, Vec::new(), counters)
    }

    /// Takes nothing more in; the workers hand on what they have and end, whoever still holds an emitter.
    pub fn close(&self) {
        self.closing.cancel();
    }

    /// Bytes of sources that are under way, and how many there may be.
    #[must_use]
    pub fn buffered(&self) -> (usize, usize) {
        let held = self.metrics.memory.held(Part::Sources) + self.metrics.memory.held(Part::Bodies);
        (held, self.metrics.memory.max(Part::Sources))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::{self, HubError};
    use anabranch_connectors::contract::receipt::Stored;
    use anabranch_record::{Batch, Chain, Headers};
    use parking_lot::Mutex;
    use tokio::time::Instant;

    #[derive(Default)]
    struct Memory(Mutex<Vec<(i32, Vec<String>)>>);

    impl Appender for Memory {
        fn partitions(&self, _topic: &str) -> Result<u32, HubError> {
            Ok(3)
        }

        fn append(&self, topic: &str, partition: i32, parts: Vec<hub::Part>) {
            assert_eq!(topic, "logs");
            let mut lines = Vec::new();
            for part in parts {
                for record in part.batch.iter() {
                    lines.push(String::from_utf8_lossy(record.value.unwrap()).into_owned());
                }
                part.settle(Ok(Stored { partition, offset: 0 }));
            }
            self.0.lock().push((partition, lines));
        }

        fn store_positions(&self, parts: Vec<hub::Part>) {
            for part in parts {
                part.settle(Ok(Stored { partition: 0, offset: -1 }));
            }
        }
    }

    fn start(settings: &Settings) -> (Emitter, Vec<Worker>, Arc<Memory>) {
        let memory = Arc::new(Memory::default());
        let appender = Arc::clone(&memory) as Arc<dyn Appender>;
        let routes: Routes = Arc::default();
        routes.write().insert("app".to_owned(), "logs".into());
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
        assert_eq!(*memory.0.lock(), [(1, vec!["a".to_owned()])]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_builds_on_a_batch_that_was_not_stored_is_not_stored_either() {
        let settings = Settings { workers: 1, ..Settings::default() };
        let (emitter, mut workers, memory) = start(&settings);
        let source = async move {
            let (failed, other) = (Chain::default(), Chain::default());
            let mut receipts = Vec::new();
            for (line, chain) in [("a", &failed), ("b", &failed), ("c", &other)] {
                let mut batch = one(line, 4);
                batch.set_chain(chain.clone());
                receipts.push(emitter.send(batch).await.unwrap());
            }
            // As the hub does when it hands back an earlier one.
            failed.fail();
            let mut stored = Vec::new();
            for receipt in receipts {
                stored.push(receipt.stored().await.is_ok());
            }
            stored
        };
        let (stored, ()) = tokio::join!(source, workers.remove(0).run());
        assert_eq!(stored, [false, false, true]);
        assert_eq!(*memory.0.lock(), [(1, vec!["c".to_owned()])]);
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
        let batches = memory.0.lock().clone();
        assert!(batches.len() > 5);
        let lines: Vec<_> = batches.into_iter().flat_map(|(_, lines)| lines).collect();
        assert_eq!(lines, (0..100).map(|number| format!("{number:010}")).collect::<Vec<_>>());
    }
}
