//! One loop for all sinks: fetch → write → dead letters → commit.
//!
//! A sink says what became of each record; this loop owns everything that follows from it: waiting, trying again,
//! cutting in halves, dead letters, commits. One sink's trouble is that sink's alone.
//!
//! Invariant: an offset is committed only when every record before it has arrived, or lies with the dead letters.

mod burials;
mod buried;
mod commit;
mod dead_letter;
mod fallback;
mod judge;
mod pace;
mod progress;
mod refusal;
mod share;
#[cfg(test)]
mod tests;
mod trouble;
mod window;
mod write;

use std::sync::Arc;
use std::time::Duration;

use anabranch_connectors::Sink;
use anabranch_connectors::contract::sink::Resumed;
use anabranch_record::Records;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::hub::{Consumer, Fetched, HubError};
use crate::ledger::tally::Fate;
use crate::metrics::SinkMeter;
use crate::retry::Backoff;
use burials::Burials;
pub use buried::Buried;
pub use dead_letter::{DEAD_LETTER_SOURCE, DeadLetters, FALLBACK_SOURCE};
pub(crate) use dead_letter::{fallback_of, topic_of};
pub use fallback::Fallback;
use fallback::Stuck;
pub use pace::Pace;
use pace::Size;
use progress::Progress;
use refusal::Refusals;
pub use share::Share;
use trouble::{Step, Troubles};

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
    /// How often a record may come back while others arrive, before it is dead; 0 for ever.
    pub attempts: u32,
    /// How many records may be refused in a row, with hardly one that arrives, before the sink waits; 0 for ever.
    pub dead_in_a_row: u64,
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
            dead_in_a_row: 100,
            commit_interval: Duration::from_millis(500),
        }
    }
}

/// One sink, one member of its group.
pub struct Delivery {
    /// Name of the sink and of the group.
    pub name: String,
    /// Tells the deliveries of one sink apart.
    pub member: u32,
    /// Reads the hub.
    pub consumer: Box<dyn Consumer>,
    /// Writes.
    pub sink: Box<dyn Sink>,
    /// How.
    pub settings: Settings,
    /// Where refused records go.
    pub dead_letters: DeadLetters,
    /// Where records go that cannot be delivered for a while.
    pub fallback: Option<Fallback>,
    /// What is counted.
    pub meter: Arc<SinkMeter>,
    /// What all deliveries of the sink together may ask of the far side.
    pub pace: Arc<Pace>,
    /// What it may hold.
    pub share: Share,
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
    fallback: Option<Fallback>,
    stuck: Stuck,
    pace: Arc<Pace>,
    share: Share,
    size: Size,
    meter: Arc<SinkMeter>,
    stop: CancellationToken,
    progress: Progress,
    committed_at: Instant,
    /// How long to wait after a commit that failed.
    commit_wait: Duration,
    /// While a write is not settled: the sink's state is ahead of the offsets then, and must not be committed.
    in_hand: bool,
    /// The next commit is on the disk when it is done, whatever is configured.
    must_last: bool,
    troubles: Troubles,
    refusals: Refusals,
    burials: Burials,
    /// A record that has arrived, for a sink that takes repeats.
    witness: Option<Records>,
}

/// Why the loop does not go on with what it has in hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Halt {
    /// The agent is stopping; it comes again after the next start.
    Stopped,
    /// The group may have given its partitions to others; it is read again by whoever has them.
    Moved,
}

/// Runs until `stop`. What was written is committed before it returns; what is in hand when the sink is down is not.
pub async fn run(delivery: Delivery, stop: CancellationToken) {
    let Delivery { name, member, consumer, sink, settings, .. } = delivery;
    let Delivery { dead_letters, fallback, meter, pace, share, .. } = delivery;
    let refusals = Refusals::new(settings.dead_in_a_row);
    let size = Size::new(settings.max_records);
    let mut state = Loop {
        name,
        consumer,
        sink,
        settings,
        dead_letters,
        fallback,
        stuck: Stuck::default(),
        pace,
        share,
        size,
        meter,
        stop,
        progress: Progress::default(),
        committed_at: Instant::now(),
        commit_wait: Duration::ZERO,
        in_hand: false,
        must_last: false,
        troubles: Troubles::new(member),
        refusals,
        burials: Burials::default(),
        witness: None,
    };
    // From now on what becomes of its records is kept with the offsets.
    state.consumer.account(Vec::new());
    loop {
        match state.step().await {
            Ok(()) => {}
            Err(Halt::Moved) => state.read_again(),
            Err(Halt::Stopped) => break,
        }
    }
    if !state.in_hand {
        let mut backoff = state.backoff();
        // One try: what is not committed comes again.
        state.try_commit(&mut backoff).await.ok();
    }
    state.forget_troubles();
    state.tell_rest();
}

/// Bytes of what was fetched, decompressed.
fn size_of(fetched: &Fetched) -> usize {
    fetched.batches.iter().map(|one| one.batch.data.len()).sum()
}

impl Loop {
    async fn step(&mut self) -> Result<(), Halt> {
        let fetched = self.fetch().await?;
        self.share.hold(size_of(&fetched));
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
        if fetched.rebalancing {
            return self.commit().await;
        }
        self.commit_if_due().await
    }

    /// What comes next, after `linger` for more when it is little.
    async fn fetch(&mut self) -> Result<Fetched, Halt> {
        let wait =
            if self.progress.is_dirty() { self.settings.commit_interval } else { FETCH_WAIT };
        self.share.hold(0);
        let max_bytes = self.share.window(self.settings.max_bytes);
        let mut fetched = self.fetch_once(max_bytes, wait).await?;
        if self.settings.linger.is_zero() || fetched.batches.is_empty() || fetched.resumed.is_some()
        {
            return Ok(fetched);
        }
        let deadline = Instant::now() + self.settings.linger;
        loop {
            let have = size_of(&fetched);
            let left = deadline.saturating_duration_since(Instant::now());
            if have >= max_bytes || left.is_zero() {
                return Ok(fetched);
            }
            let more = self.fetch_once(max_bytes - have, left).await?;
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

    async fn fetch_once(&mut self, max_bytes: usize, wait: Duration) -> Result<Fetched, Halt> {
        let mut backoff = self.backoff();
        loop {
            let error = tokio::select! {
                biased;
                () = self.stop.cancelled() => return Err(Halt::Stopped),
                fetched = self.consumer.fetch(max_bytes, wait) => match fetched {
                    Ok(fetched) => {
                        self.works(Step::Read);
                        return Ok(fetched);
                    }
                    Err(error) => error,
                },
            };
            self.fails(Step::Read, &error.to_string(), matches!(error, HubError::Fatal(_)));
            let wait = backoff.next(None);
            self.pause(wait).await?;
        }
    }

    async fn resume(&mut self, resumed: &Resumed) -> Result<(), Halt> {
        let mut backoff = self.backoff();
        while let Err(error) = self.sink.resume(resumed).await {
            let wait = self.sink_fails(Step::Resume, &error, &mut backoff);
            self.pause(wait).await?;
        }
        while let Err(error) = self.learn().await {
            self.fails(Step::Resume, &error.to_string(), false);
            let wait = backoff.next(None);
            self.pause(wait).await?;
        }
        self.works(Step::Resume);
        Ok(())
    }

    /// What of the records to come is stored elsewhere already.
    async fn learn(&mut self) -> Result<(), HubError> {
        self.dead_letters.resume().await?;
        match &self.fallback {
            Some(fallback) => fallback.letters.resume().await,
            None => Ok(()),
        }
    }

    /// Writes one window, with everything that may follow from it.
    async fn deliver(&mut self, records: &Records) -> Result<(), Halt> {
        self.progress.begin(records);
        let (mut left, buried) = self.dead_letters.without_buried(records).await;
        let mut diverted = Records::default();
        if let Some(fallback) = &self.fallback {
            (left, diverted) = fallback.letters.without_buried(&left).await;
        }
        if !left.is_empty() && self.prepare(&left).await? {
            self.in_hand = true;
            self.write(&left).await?;
        }
        // Only what is settled as a whole is counted: a commit may fall between two windows, not into one.
        self.progress.take(records);
        self.progress.count(&buried, Fate::Refused);
        self.progress.count(&diverted, Fate::Diverted);
        self.progress.advance(records);
        self.in_hand = false;
        self.count_latency(&left);
        self.commit_if_due().await
    }

    fn count_latency(&self, records: &Records) {
        let now_ms = anabranch_connectors::contract::clock::now_ms();
        for (batch, count) in records.batches() {
            let since = now_ms.saturating_sub(batch.base_timestamp_ms);
            let since = Duration::from_millis(u64::try_from(since).unwrap_or(0));
            self.meter.latency.record(since, count as u64);
        }
    }

    const fn backoff(&self) -> Backoff {
        let (first, longest) = self.settings.backoff;
        Backoff::new(first, longest)
    }

    fn pause(&self, wait: Duration) -> impl Future<Output = Result<(), Halt>> + use<> {
        let stop = self.stop.clone();
        async move {
            tokio::select! {
                biased;
                () = stop.cancelled() => Err(Halt::Stopped),
                () = tokio::time::sleep(wait) => Ok(()),
            }
        }
    }
}
