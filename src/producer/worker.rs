//! A worker of the producer: gathers by topic and partition, hands whole batches to the hub.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use anabranch_connectors::Emission;
use anabranch_connectors::contract::receipt::NotStored;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{Routes, Settings, partitioner};
use crate::hub::{Appender, Part};
use crate::metrics::{Metrics, SourceMeter};

/// Emissions that are taken in before anything else is looked at.
const BURST: usize = 256;

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

impl Worker {
    pub(super) fn new(
        input: mpsc::Receiver<Emission>,
        settings: &Settings,
        appender: &Arc<dyn Appender>,
        routes: &Routes,
        (metrics, closing): (&Arc<Metrics>, &CancellationToken),
    ) -> Self {
        Self {
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
        }
    }

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
            append(&*self.appender, topic, partition, parts);
        }
        gathered.bytes += bytes;
        gathered.parts.push(part);
        if gathered.bytes >= self.settings.batch_size {
            let parts = std::mem::take(&mut gathered.parts);
            self.gathered.remove(&(Arc::clone(topic), partition));
            append(&*self.appender, topic, partition, parts);
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
                append(&*appender, topic, *partition, std::mem::take(&mut gathered.parts));
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
        let routes = self.routes.read();
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

/// Hands parts to the hub, but for those that build on what it does not have.
fn append(appender: &dyn Appender, topic: &str, partition: i32, mut parts: Vec<Part>) {
    for part in parts.extract_if(.., |part| part.is_void()) {
        part.settle(Err(NotStored("what came before it was not stored".to_owned())));
    }
    if !parts.is_empty() {
        appender.append(topic, partition, parts);
    }
}

/// Waits until `due`, or for ever.
async fn wait_for(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}
