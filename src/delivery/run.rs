//! The loop itself: what comes is fetched, delivered window by window, and committed.

use std::time::Duration;

use anabranch_connectors::contract::sink::Resumed;
use anabranch_record::Records;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::burials::Burials;
use super::fallback::Stuck;
use super::pace::Size;
use super::progress::{self, Progress};
use super::refusal::Refusals;
use super::served::Delivery;
use super::state::{Halt, Loop};
use super::trouble::{Step, Troubles};
use crate::hub::{Fetched, HubError};
use crate::ledger::tally::Fate;

/// How long a fetch waits for records before the sink may tidy up.
const FETCH_WAIT: Duration = Duration::from_secs(1);

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
        commits: 0,
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
}
