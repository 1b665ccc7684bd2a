//! The loop of the file source: hints and timers in, reads in turn, batches out.
//!
//! Everything happens on one thread, which sleeps until something is due: an event, a receipt, a timer, the stop. A
//! file that is ready is read [`QUANTUM`](super::reading::QUANTUM) bytes at a time, in turn with the others.
//!
//! Invariant: a file is in `ready` at most once, and has at most one timer that counts.

use std::cmp::Reverse;
use std::time::Duration;

use futures::{FutureExt, StreamExt};
use tokio::runtime::Handle;
use tokio::time::Instant;
use tracing::{debug, warn};

use super::config::WatchMode;
use super::follower::{Follower, IN_FLIGHT_BYTES_MAX, RETRY, ROUND};
use super::identity::{self, Identity};
use super::siblings::Folders;
use super::tail::Anchor;
use super::under_way::Settled;
use super::watch::Watch;
use crate::contract::receipt::Closed;

/// Shortest time from one look at the events to the next, so that many small writes become few reads.
const GATHER: Duration = Duration::from_millis(3);
/// Wait before what is due and could not be done is tried again.
const OVERDUE: Duration = Duration::from_millis(10);

/// Why the loop was woken.
enum Wake {
    Stop,
    Hint,
    Settled(Settled),
    Time,
}

impl Follower {
    /// Runs until it is stopped.
    pub(super) fn run(mut self) {
        if self.settings.watch == WatchMode::Auto {
            match Watch::new() {
                Ok(watch) => self.watch = Some(watch),
                Err(cause) => warn!(%cause, "cannot watch folders, looking at files in turn"),
            }
        }
        let mut going = self.start();
        self.emitter.ready();
        while going.is_ok() && !self.stop.is_cancelled() {
            going = self.step();
        }
    }

    fn step(&mut self) -> Result<(), Closed> {
        self.look_once()?;
        match self.wait() {
            Wake::Stop => Err(Closed),
            Wake::Settled(settled) => {
                self.settled(settled);
                Ok(())
            }
            Wake::Hint | Wake::Time => Ok(()),
        }
    }

    /// Learns what has happened and does what is due, without waiting for anything but room in the producer.
    pub(super) fn look_once(&mut self) -> Result<(), Closed> {
        while let Some(Some(settled)) = self.flights.under_way.next().now_or_never() {
            self.settled(settled);
        }
        self.looked_at = Instant::now();
        if let Some(watch) = &mut self.watch {
            let hints = watch.take();
            self.follow_hints(hints);
        }
        if Instant::now() >= self.reconcile_at {
            self.reconcile(false)?;
        }
        self.settle_lost();
        self.tick()?;
        self.read_round()
    }

    /// Sleeps until something is due.
    fn wait(&mut self) -> Wake {
        let can_read = self.flights.bytes < IN_FLIGHT_BYTES_MAX;
        let is_busy = !self.lost.is_empty() || !self.heard.is_empty();
        if (can_read && !self.ready.is_empty()) || is_busy {
            return Wake::Time;
        }
        let timer = self.timers.peek().map(|Reverse((due, _))| *due);
        let until = timer.map_or(self.reconcile_at, |timer| timer.min(self.reconcile_at));
        let is_hasty = self.haste.as_ref().is_some_and(|(_, until)| Instant::now() < *until);
        let gathered = if is_hasty { self.looked_at } else { self.looked_at + GATHER };
        let Self { flights, watch, stop, .. } = self;
        Handle::current().block_on(async {
            tokio::select! {
                biased;
                () = stop.cancelled() => Wake::Stop,
                Some(settled) = flights.under_way.next(), if !flights.under_way.is_empty() => Wake::Settled(settled),
                () = hinted(watch.as_ref(), gathered) => Wake::Hint,
                () = tokio::time::sleep_until(until) => Wake::Time,
            }
        })
    }

    /// Puts a file into the queue of those to read.
    pub(super) fn enqueue(&mut self, identity: Identity) {
        if let Some(tail) = self.tails.get_mut(&identity)
            && !tail.queued
        {
            tail.queued = true;
            self.ready.push_back(identity);
        }
    }

    /// Makes sure that a file is looked at when something of it is due.
    pub(super) fn schedule(&mut self, identity: Identity) {
        let Some(tail) = self.tails.get_mut(&identity) else { return };
        if let Some(due) = tail.due(&self.settings)
            && tail.timer.is_none_or(|timer| due < timer)
        {
            let due = due.max(Instant::now() + OVERDUE);
            tail.timer = Some(due);
            self.timers.push(Reverse((due, identity)));
        }
    }

    /// Does what is due.
    fn tick(&mut self) -> Result<(), Closed> {
        let now = Instant::now();
        while let Some(Reverse((due, identity))) = self.timers.peek().copied() {
            if due > now {
                break;
            }
            self.timers.pop();
            let Some(tail) = self.tails.get_mut(&identity) else { continue };
            if tail.timer != Some(due) {
                continue;
            }
            tail.timer = None;
            if tail.retry_at.is_some_and(|retry| retry <= now) {
                tail.retry_at = None;
                self.enqueue(identity);
            } else if tail.partial_due(&self.settings).is_some_and(|due| due <= now) {
                self.turn(identity, true)?;
            } else if tail.close_due(&self.settings).is_some_and(|due| due <= now) {
                self.close_due(identity)?;
            }
            self.schedule(identity);
        }
        Ok(())
    }

    fn close_due(&mut self, identity: Identity) -> Result<(), Closed> {
        let Some(tail) = self.tails.get(&identity) else { return Ok(()) };
        if let Some(original) = tail.copy_of {
            self.judge_copy(identity);
            self.let_go(original);
            return Ok(());
        }
        let found = tail.file.as_ref().and_then(|file| identity::stat_open(file).ok());
        let deleted = found.is_some_and(|found| found.links == 0);
        if !tail.flights.is_empty() || tail.rewind.is_some() || tail.anchor != Anchor::Down {
            // It may have to be read again until the hub has all of it.
            if let Some(tail) = self.tails.get_mut(&identity) {
                tail.retry_at = Some(Instant::now() + RETRY);
            }
            return Ok(());
        }
        if deleted {
            debug!(path = %self.name_of(identity), "deleted and read to its end, forgotten");
            let stream = tail.stream;
            self.forget(identity);
            self.forget_position(stream, identity)?;
        } else {
            self.close(identity);
            if let Some(tail) = self.tails.get_mut(&identity) {
                tail.gone = None;
            }
        }
        Ok(())
    }

    fn name_of(&self, identity: Identity) -> String {
        self.tails.get(&identity).map(|tail| tail.path.display().to_string()).unwrap_or_default()
    }

    /// Knows the file no longer.
    pub(super) fn forget(&mut self, identity: Identity) {
        self.close(identity);
        let Some(tail) = self.tails.remove(&identity) else { return };
        if tail.names > 0 {
            self.paths.retain(|_, known| *known != identity);
        }
        if let Some(lineage) = self.lineages.get_mut(&tail.path) {
            lineage.retain(|one| *one != identity);
            if lineage.is_empty() {
                self.lineages.remove(&tail.path);
            }
        }
        for follower in tail.followers {
            self.enqueue(follower);
        }
    }

    /// Reads the files that are ready, in turn, until none is, too much is on its way, or time is up.
    fn read_round(&mut self) -> Result<(), Closed> {
        let end = Instant::now() + ROUND;
        while self.flights.bytes < IN_FLIGHT_BYTES_MAX && !self.stop.is_cancelled() {
            let Some(identity) = self.ready.pop_front() else { break };
            if let Some(tail) = self.tails.get_mut(&identity) {
                tail.queued = false;
                self.turn(identity, false)?;
                self.schedule(identity);
            }
            if Instant::now() >= end {
                break;
            }
        }
        Ok(())
    }

    /// Gives memory back when nothing goes on.
    pub(super) fn rest(&mut self) {
        if self.ready.is_empty() && self.flights.under_way.is_empty() {
            self.desk.pool.clear();
            self.folders = Folders::default();
        }
    }
}

/// Waits for an event, and then until enough time has gone by to gather others.
async fn hinted(watch: Option<&Watch>, gathered: Instant) {
    match watch {
        Some(watch) => {
            watch.ready().await;
            tokio::time::sleep_until(gathered).await;
        }
        None => std::future::pending().await,
    }
}
