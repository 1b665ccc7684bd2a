//! Makes progress durable: what the sink has written, and the offsets with its state.
//!
//! Nothing counts as committed before the hub has said so. While it does not, the delivery waits: what is delivered and
//! not committed comes twice after a kill.

use std::sync::atomic::Ordering;

use anabranch_record::Records;
use tokio::time::Instant;
use tracing::{debug, info};

use super::progress::Progress;
use super::state::{Halt, Loop};
use super::trouble::Step;
use crate::hub::{HubError, Lasting};
use crate::retry::Backoff;

/// What became of one try to commit.
enum Tried {
    Done(Lasting),
    /// The hub or the sink said no.
    Again,
    /// A topic is gone; without it the rest can be committed.
    Less,
}

impl Loop {
    /// Commits when it is time for it.
    pub(super) async fn commit_if_due(&mut self) -> Result<(), Halt> {
        if self.committed_at.elapsed() >= self.settings.commit_interval {
            self.commit().await?;
        }
        Ok(())
    }

    /// Commits what was written, with the sink's state; waits until that has worked.
    pub(super) async fn commit(&mut self) -> Result<(), Halt> {
        let mut backoff = self.backoff();
        while !self.try_commit(&mut backoff).await? {
            let wait = self.commit_wait;
            self.pause(wait).await?;
        }
        Ok(())
    }

    /// Lets the sink have its state committed before it writes, if it must; `false` when the records went elsewhere, or are
    /// for nobody any more.
    pub(super) async fn prepare(&mut self, records: &Records) -> Result<bool, Halt> {
        let mut backoff = self.backoff();
        loop {
            match self.sink.prepare(records).await {
                Ok(false) => {
                    self.works(Step::Prepare);
                    return Ok(true);
                }
                Ok(true) => {
                    self.works(Step::Prepare);
                    self.progress.anchor(records);
                    // A power cut must not leave what is written next without a state that tells of it.
                    self.must_last = true;
                    let before = self.commits;
                    self.commit().await?;
                    // With the commit the sink may have begun something else that must be committed, such as the next
                    // file. Where all topics of the records are gone, nothing was, and they are for nobody any more.
                    if self.commits == before {
                        return Ok(false);
                    }
                }
                Err(error) => {
                    let wait = self.sink_fails(Step::Prepare, &error, &mut backoff);
                    if self.divert(records).await? {
                        return Ok(false);
                    }
                    self.pause(wait).await?;
                }
            }
        }
    }

    /// One try; whether nothing is left to commit.
    pub(super) async fn try_commit(&mut self, backoff: &mut Backoff) -> Result<bool, Halt> {
        self.committed_at = Instant::now();
        self.note_lag().await;
        while self.progress.is_dirty() {
            match self.try_once(backoff).await? {
                Tried::Done(lasting) => self.committed(lasting).await,
                Tried::Again => return Ok(false),
                Tried::Less => {}
            }
        }
        Ok(true)
    }

    async fn try_once(&mut self, backoff: &mut Backoff) -> Result<Tried, Halt> {
        let state = match self.sink.checkpoint().await {
            Ok(state) => state,
            Err(error) => {
                self.commit_wait = self.sink_fails(Step::Checkpoint, &error, backoff);
                if self.sink.is_in_doubt() {
                    self.pause(self.commit_wait).await?;
                    return Err(Halt::Moved);
                }
                return Ok(Tried::Again);
            }
        };
        self.works(Step::Checkpoint);
        let destroyed = self.sink.lost();
        self.meter.lost.fetch_add(destroyed, Ordering::Relaxed);
        self.progress.destroy(destroyed);
        let offsets = self.progress.offsets();
        self.consumer.account(self.progress.counted());
        let lasting = self.lasting().await;
        match self.consumer.commit_lasting(&offsets, state.as_deref(), lasting).await {
            Ok(()) => Ok(Tried::Done(lasting)),
            Err(HubError::Moved(why)) => {
                debug!(sink = self.name, why, "what was not committed comes again");
                Err(Halt::Moved)
            }
            Err(error @ (HubError::NotNow(_) | HubError::Fatal(_))) => {
                self.commit_wait = backoff.next(None);
                let fatal = matches!(error, HubError::Fatal(_));
                self.fails(Step::Commit, &error.to_string(), fatal);
                Ok(Tried::Again)
            }
            Err(HubError::UnknownTopic(topic) | HubError::Exists(topic)) => {
                info!(sink = self.name, topic, "a topic was deleted while it was read");
                self.progress.forget(&topic);
                Ok(Tried::Less)
            }
        }
    }

    /// The notes on dead letters are void with the commit. Were it lost in a power cut and they were not there, what they
    /// tell of would be a dead letter twice.
    async fn lasting(&mut self) -> Lasting {
        let mut has_notes = self.dead_letters.has_notes().await;
        if let Some(fallback) = &self.fallback {
            has_notes |= fallback.letters.has_notes().await;
        }
        match (has_notes, self.must_last) {
            (true, _) => Lasting::Everything,
            (false, true) => Lasting::Offsets,
            (false, false) => Lasting::AsConfigured,
        }
    }

    async fn committed(&mut self, lasting: Lasting) {
        self.works(Step::Commit);
        self.commits += 1;
        self.must_last = false;
        self.sink.committed();
        self.dead_letters.committed(&self.progress).await;
        if let Some(fallback) = &self.fallback {
            fallback.letters.committed(&self.progress).await;
        }
        self.progress.committed(lasting);
    }

    /// The partitions may be others' now: what was read and not committed is read again.
    pub(super) fn read_again(&mut self) {
        self.progress = Progress::default();
        self.in_hand = false;
        self.consumer.rewind();
    }

    async fn note_lag(&mut self) {
        let lag = self.consumer.lag().await;
        self.meter.note_lag(lag);
    }
}
