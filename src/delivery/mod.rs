//! One loop for all sinks: fetch → write → dead letters → commit.
//!
//! A sink says what became of each record; this loop owns everything that follows from it: waiting, trying again,
//! cutting in halves, dead letters, commits. One sink's trouble is that sink's alone.
//!
//! Invariant: an offset is committed only when every record before it has arrived, or lies with the dead letters.

mod dead_letter;
mod progress;
#[cfg(test)]
mod tests;
mod write;

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use anabranch_connectors::sink::Resumed;
use anabranch_connectors::{Emitter, Records, Sink};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::hub::{Consumer, Fetched, HubError};
use crate::metrics::SinkMeter;
use crate::retry::Backoff;
pub(crate) use dead_letter::topic_of;
pub use dead_letter::{DEAD_LETTER_SOURCE, DeadLetters};
use progress::Progress;

/// How long a fetch waits for records before the sink may tidy up.
const FETCH_WAIT: Duration = Duration::from_secs(1);

/// How one sink is served.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Most records of a write.
    pub max_records: usize,
    /// About the most bytes of a write, decompressed.
    pub max_bytes: usize,
    /// How long to wait for a write to become that large.
    pub linger: Duration,
    /// First and longest wait between tries.
    pub backoff: (Duration, Duration),
    /// How often a record may come back while others of its write arrived, before it is dead; 0 for ever.
    pub attempts: u32,
    /// Longest time between two commits.
    pub commit_interval: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_records: 10_000,
            max_bytes: 1 << 20,
            linger: Duration::ZERO,
            backoff: (Duration::from_millis(100), Duration::from_secs(30)),
            attempts: 30,
            commit_interval: Duration::from_millis(500),
        }
    }
}

/// One sink, one member of its group.
pub struct Delivery {
    /// Name of the sink and of the group.
    pub name: String,
    /// Reads the hub.
    pub consumer: Box<dyn Consumer>,
    /// Writes.
    pub sink: Box<dyn Sink>,
    /// How.
    pub settings: Settings,
    /// Where refused records go; `None` drops them, counted.
    pub dead_letters: Option<Emitter>,
    /// What is counted.
    pub meter: Arc<SinkMeter>,
}

impl std::fmt::Debug for Delivery {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Delivery").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The loop's state.
struct Loop {
    name: String,
    consumer: Box<dyn Consumer>,
    sink: Box<dyn Sink>,
    settings: Settings,
    dead_letters: DeadLetters,
    meter: Arc<SinkMeter>,
    stop: CancellationToken,
    progress: Progress,
    committed_at: Instant,
    /// While a write is not settled: the sink's state is ahead of the offsets then, and must not be committed.
    in_hand: bool,
}

/// The agent is stopping; what is in hand comes again after the next start.
struct Stopped;

/// Runs until `stop`. What was written is committed before it returns; what is in hand when the sink is down is not.
pub async fn run(delivery: Delivery, stop: CancellationToken) {
    let Delivery { name, consumer, sink, settings, dead_letters, meter } = delivery;
    let dead_letters = DeadLetters::new(&name, dead_letters);
    let mut state = Loop {
        name,
        consumer,
        sink,
        settings,
        dead_letters,
        meter,
        stop,
        progress: Progress::default(),
        committed_at: Instant::now(),
        in_hand: false,
    };
    while state.step().await.is_ok() {}
    if !state.in_hand {
        state.commit().await;
    }
}

impl Loop {
    async fn step(&mut self) -> Result<(), Stopped> {
        let fetched = self.fetch().await?;
        if let Some(resumed) = &fetched.resumed {
            self.progress = Progress::default();
            self.resume(resumed).await?;
        }
        if fetched.batches.is_empty() && !fetched.rebalancing {
            self.sink.idle().await;
        }
        for records in progress::windows(&fetched.batches, self.settings.max_records) {
            self.deliver(&records).await?;
        }
        self.progress.pass(&fetched.passed);
        if fetched.rebalancing || self.committed_at.elapsed() >= self.settings.commit_interval {
            self.commit().await;
        }
        Ok(())
    }

    /// What comes next, after `linger` for more when it is little.
    async fn fetch(&mut self) -> Result<Fetched, Stopped> {
        let wait =
            if self.progress.is_dirty() { self.settings.commit_interval } else { FETCH_WAIT };
        let mut fetched = self.fetch_once(self.settings.max_bytes, wait).await?;
        if self.settings.linger.is_zero() || fetched.batches.is_empty() || fetched.resumed.is_some()
        {
            return Ok(fetched);
        }
        let deadline = Instant::now() + self.settings.linger;
        loop {
            let have: usize = fetched.batches.iter().map(|one| one.batch.data.len()).sum();
            let left = deadline.saturating_duration_since(Instant::now());
            if have >= self.settings.max_bytes || left.is_zero() {
                return Ok(fetched);
            }
            let more = self.fetch_once(self.settings.max_bytes - have, left).await?;
            if more.resumed.is_some() {
                // Read anew: what was gathered is not committed and comes again.
                return Ok(more);
            }
            fetched.batches.extend(more.batches);
            fetched.passed.extend(more.passed);
            if more.rebalancing {
                fetched.rebalancing = true;
                return Ok(fetched);
            }
        }
    }

    async fn fetch_once(&mut self, max_bytes: usize, wait: Duration) -> Result<Fetched, Stopped> {
        let (first, longest) = self.settings.backoff;
        let mut backoff = Backoff::new(first, longest);
        loop {
            let error = tokio::select! {
                biased;
                () = self.stop.cancelled() => return Err(Stopped),
                fetched = self.consumer.fetch(max_bytes, wait) => match fetched {
                    Ok(fetched) => return Ok(fetched),
                    Err(error) => error,
                },
            };
            let wait = backoff.next(None);
            if backoff.tries() == 1 {
                warn!(sink = self.name, %error, "the hub cannot be read, will retry");
            }
            self.pause(wait).await?;
        }
    }

    async fn resume(&mut self, resumed: &Resumed) -> Result<(), Stopped> {
        let (first, longest) = self.settings.backoff;
        let mut backoff = Backoff::new(first, longest);
        while let Err(error) = self.sink.resume(resumed).await {
            let wait = self.write_failed(&error, &mut backoff);
            self.pause(wait).await?;
        }
        if backoff.tries() > 0 {
            self.recovered();
        }
        Ok(())
    }

    /// Writes one window, with everything that may follow from it.
    async fn deliver(&mut self, records: &Records) -> Result<(), Stopped> {
        self.prepare(records).await?;
        self.in_hand = true;
        self.write(records).await?;
        self.progress.advance(records);
        self.in_hand = false;
        self.count_latency(records);
        if self.committed_at.elapsed() >= self.settings.commit_interval {
            self.commit().await;
        }
        Ok(())
    }

    /// Lets the sink have its state committed before it writes, if it must.
    async fn prepare(&mut self, records: &Records) -> Result<(), Stopped> {
        let (first, longest) = self.settings.backoff;
        let mut backoff = Backoff::new(first, longest);
        loop {
            let problem = match self.sink.prepare(records).await {
                Ok(false) => return Ok(()),
                Ok(true) => {
                    self.progress.anchor(records);
                    if self.commit().await {
                        return Ok(());
                    }
                    backoff.next(None)
                }
                Err(error) => self.write_failed(&error, &mut backoff),
            };
            self.pause(problem).await?;
        }
    }

    /// Commits what was written, with the sink's state; says whether nothing is left to commit.
    async fn commit(&mut self) -> bool {
        self.committed_at = Instant::now();
        self.note_lag().await;
        if !self.progress.is_dirty() {
            return true;
        }
        let state = match self.sink.checkpoint().await {
            Ok(state) => state,
            Err(error) => {
                warn!(sink = self.name, %error, "what was written could not be made durable, will retry");
                return false;
            }
        };
        self.meter.lost.fetch_add(self.sink.lost(), Ordering::Relaxed);
        let offsets = self.progress.offsets();
        match self.consumer.commit(&offsets, state.as_deref()).await {
            Ok(()) => {
                self.progress.committed();
                true
            }
            Err(error @ (HubError::NotNow(_) | HubError::Fatal(_))) => {
                warn!(sink = self.name, %error, "offsets could not be committed, will retry");
                false
            }
            Err(HubError::UnknownTopic(topic)) | Err(HubError::Exists(topic)) => {
                info!(sink = self.name, topic, "a topic was deleted while it was read");
                self.progress.committed();
                true
            }
        }
    }

    async fn note_lag(&mut self) {
        let lag = self.consumer.lag().await;
        *self.meter.lag.lock().unwrap_or_else(PoisonError::into_inner) = lag;
    }

    fn count_latency(&self, records: &Records) {
        let now_ms = anabranch_connectors::clock::now_ms();
        for (batch, count) in records.batches() {
            let since = now_ms.saturating_sub(batch.base_timestamp_ms);
            let since = Duration::from_millis(u64::try_from(since).unwrap_or(0));
            self.meter.latency.record(since, count as u64);
        }
    }

    fn pause(&self, wait: Duration) -> impl Future<Output = Result<(), Stopped>> + use<> {
        let stop = self.stop.clone();
        async move {
            tokio::select! {
                biased;
                () = stop.cancelled() => Err(Stopped),
                () = tokio::time::sleep(wait) => Ok(()),
            }
        }
    }
}
