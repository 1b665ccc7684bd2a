//! Writes records until each has arrived or is dead: waits, repeats, cuts in halves.
//!
//! A record that comes back by itself is given up after `attempts` rounds in which others arrived; while nothing
//! arrives nothing is counted. A sink that takes repeats is given a record along that has arrived before, so that one
//! that is left alone is judged, too. What is refused for good is judged in `refusal.rs`.

use std::sync::atomic::Ordering;
use std::time::Duration;

use anabranch_connectors::{Outcome, Records, WriteError, Written};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::refusal::Refused;
use super::trouble::Step;
use super::{Halt, Loop};
use crate::retry::Backoff;

/// What is left of a write.
#[derive(Default)]
struct Rest {
    records: Records,
    /// Rounds in which these came back although others had arrived.
    rounds: u32,
    came_back: bool,
}

impl Rest {
    fn new(records: Records) -> Self {
        Self { records, ..Self::default() }
    }
}

/// A window that is being written.
struct Window {
    /// What is to be sent, the next one last.
    todo: Vec<Rest>,
    /// Refused alone, with the far side's words, while it is not known whether the far side takes anything.
    doubtful: Vec<(Records, String)>,
    /// Whether anything of it has arrived.
    arrived: bool,
    backoff: Backoff,
}

/// The answer for one write, sorted.
#[derive(Default)]
struct Fates {
    arrived: usize,
    refused: Vec<Refused>,
    /// Numbers of those that come back and count, and of those that do not.
    again: Vec<usize>,
    later: Vec<usize>,
    why: String,
    /// Whether the record that was sent along was taken.
    witness_passes: bool,
}

impl Window {
    /// Puts everything that is left together again, in order.
    fn join(&mut self) {
        let mut rest = Rest::default();
        for (records, _) in self.doubtful.drain(..) {
            rest.records.append(&records);
        }
        while let Some(next) = self.todo.pop() {
            rest.records.append(&next.records);
        }
        self.todo.push(rest);
    }
}

impl Loop {
    /// Returns when every record has arrived or lies with the dead letters.
    pub(super) async fn write(&mut self, records: &Records) -> Result<(), Halt> {
        let mut window = Window {
            todo: vec![Rest::new(records.clone())],
            doubtful: Vec::new(),
            arrived: false,
            backoff: self.backoff(),
        };
        loop {
            while let Some(rest) = window.todo.pop() {
                if !rest.records.is_empty() {
                    self.write_rest(rest, &mut window).await?;
                }
            }
            if window.doubtful.is_empty() {
                break;
            }
            self.bury_doubtful(&mut window).await?;
        }
        self.refusals.end();
        self.works(Step::Write);
        Ok(())
    }

    async fn write_rest(&mut self, rest: Rest, window: &mut Window) -> Result<(), Halt> {
        let witness = self.witness.clone().filter(|_| rest.came_back);
        let sent = witness.as_ref().map(|witness| {
            let mut sent = witness.clone();
            sent.append(&rest.records);
            sent
        });
        let stop = self.stop.clone();
        let outcome = tokio::select! {
            biased;
            outcome = self.sink.write(sent.as_ref().unwrap_or(&rest.records)) => outcome,
            () = stopped_for_long(&stop) => return Err(Halt::Stopped),
        };
        match outcome {
            Ok(written) => {
                let retry_after = written.retry_after;
                let fates = sort(written, &rest.records, usize::from(witness.is_some()));
                if let ([one], 1) = (fates.refused.as_slice(), rest.records.len())
                    && !one.own
                {
                    let reason = one.reason.clone();
                    return self.split(rest, reason, window).await;
                }
                self.settle(rest, (fates, retry_after), window).await
            }
            Err(WriteError::TooLarge { target, reason }) => {
                self.split(rest, format!("{target}: too large: {reason}"), window).await
            }
            Err(WriteError::Refused { reason, .. }) => self.split(rest, reason, window).await,
            Err(error) => {
                let wait = self.sink_fails(Step::Write, &error, &mut window.backoff);
                window.todo.push(rest);
                self.pause(wait).await
            }
        }
    }

    /// Counts what arrived, buries the dead, waits before what is to come again.
    async fn settle(
        &mut self,
        rest: Rest,
        (mut fates, retry_after): (Fates, Option<Duration>),
        window: &mut Window,
    ) -> Result<(), Halt> {
        let Rest { records, rounds, .. } = rest;
        self.count_arrived(&records, fates.arrived);
        if fates.arrived > 0 {
            window.arrived = true;
            self.refusals.arrived(fates.arrived);
            self.remember(&records, &fates);
            self.bury_doubtful(window).await?;
        }
        let others_pass = fates.arrived > 0 || fates.witness_passes;
        let rounds = rounds + u32::from(others_pass);
        if self.settings.attempts > 0 && rounds > self.settings.attempts {
            let reason = format!("gave up after {rounds} tries: {}", fates.why);
            let given_up = std::mem::take(&mut fates.again).into_iter();
            let refused = |number| Refused { number, reason: reason.clone(), own: true };
            fates.refused.extend(given_up.map(refused));
            fates.refused.sort_by_key(|one| one.number);
        }
        let held = self.bury_refused(&records, &mut fates, rounds).await?;
        let mut back = [fates.again.as_slice(), &fates.later, &held].concat();
        if back.is_empty() {
            return Ok(());
        }
        back.sort_unstable();
        self.meter.again.fetch_add(back.len() as u64, Ordering::Relaxed);
        let problem = if held.is_empty() {
            format!("{} of {} records came back: {}", back.len(), records.len(), fates.why)
        } else {
            all_refused(&fates.why)
        };
        let wait = window.backoff.next(retry_after);
        self.tell(Step::Write, &problem, false);
        window.todo.push(Rest { records: records.select(&back), rounds, came_back: true });
        self.pause(wait).await
    }

    /// A whole request was refused: halves of it are tried, and a record that is refused alone is bad, unless
    /// everything else is refused as well.
    async fn split(&mut self, rest: Rest, reason: String, window: &mut Window) -> Result<(), Halt> {
        if rest.records.len() > 1 {
            debug!(sink = self.name, reason, "not taken as a whole, trying halves");
            let (first, second) = rest.records.halves();
            window.todo.push(Rest::new(second));
            window.todo.push(Rest::new(first));
            return Ok(());
        }
        let refused = [Refused { number: 0, reason: reason.clone(), own: false }];
        let is_one_cause = self.refusals.is_one_cause(&refused);
        window.doubtful.push((rest.records, reason.clone()));
        if window.arrived {
            return self.bury_doubtful(window).await;
        }
        if !is_one_cause || self.is_another_taken(window).await? {
            return Ok(());
        }
        window.join();
        self.hold(&reason, window).await
    }

    /// Everything is refused: nothing more is buried, all of it is sent again later.
    async fn hold(&mut self, reason: &str, window: &mut Window) -> Result<(), Halt> {
        self.meter.held.fetch_add(1, Ordering::Relaxed);
        self.fails(Step::Write, &all_refused(reason), false);
        let wait = window.backoff.next(None);
        self.pause(wait).await
    }

    /// Whether the far side takes the last record of what is left, when those before are refused one by one.
    async fn is_another_taken(&mut self, window: &mut Window) -> Result<bool, Halt> {
        let Some(last) = window.todo.first_mut() else { return Ok(false) };
        let count = last.records.len();
        let (before, one) =
            (count.saturating_sub(1), last.records.select(&[count.saturating_sub(1)]));
        let Ok(written) = self.sink.write(&one).await else { return Ok(false) };
        if !written.exceptions.is_empty() {
            return Ok(false);
        }
        last.records = last.records.select(&(0..before).collect::<Vec<_>>());
        self.count_arrived(&one, 1);
        window.arrived = true;
        self.refusals.arrived(1);
        self.bury_doubtful(window).await?;
        Ok(true)
    }

    /// Buries those that were refused alone, as far as that is allowed.
    async fn bury_doubtful(&mut self, window: &mut Window) -> Result<(), Halt> {
        let count = window.doubtful.len();
        if count == 0 {
            return Ok(());
        }
        let taken = self.refusals.take(count);
        for (records, reason) in window.doubtful.drain(..taken).collect::<Vec<_>>() {
            self.bury(&records, &[(0, &reason)], 0).await?;
        }
        let Some(reason) = window.doubtful.first().map(|(_, reason)| reason.clone()) else {
            return Ok(());
        };
        window.join();
        self.hold(&reason, window).await
    }

    /// Buries what was refused, as far as that is allowed; gives the numbers of the others.
    async fn bury_refused(
        &mut self,
        records: &Records,
        fates: &mut Fates,
        rounds: u32,
    ) -> Result<Vec<usize>, Halt> {
        let mut taken = fates.refused.len();
        if fates.arrived == 0 {
            let is_one_cause = self.refusals.is_one_cause(&fates.refused);
            taken = if is_one_cause { 0 } else { taken };
        }
        taken = self.refusals.take(taken);
        let (buried, held) = fates.refused.split_at(taken.min(fates.refused.len()));
        let dead: Vec<(usize, &str)> =
            buried.iter().map(|one| (one.number, one.reason.as_str())).collect();
        self.bury(records, &dead, rounds).await?;
        if let Some(first) = held.first() {
            fates.why.clone_from(&first.reason);
            self.meter.held.fetch_add(1, Ordering::Relaxed);
        }
        Ok(held.iter().map(|one| one.number).collect())
    }

    /// Keeps one record that has arrived, if that is of use.
    fn remember(&mut self, records: &Records, fates: &Fates) {
        if !self.sink.takes_repeats() {
            return;
        }
        let mut missing = [fates.again.as_slice(), &fates.later].concat();
        missing.extend(fates.refused.iter().map(|one| one.number));
        missing.sort_unstable();
        let arrived = |number: &usize| missing.binary_search(number).is_err();
        if let Some(number) = (0..records.len()).rev().find(arrived) {
            self.witness = records.select(&[number]).last_alone();
        }
    }

    fn count_arrived(&self, records: &Records, count: usize) {
        let bytes = if count == records.len() {
            records.size_bytes()
        } else {
            records.size_bytes() / records.len().max(1) * count
        };
        self.meter.delivered.fetch_add(count as u64, Ordering::Relaxed);
        self.meter.delivered_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    async fn bury(
        &mut self,
        records: &Records,
        dead: &[(usize, &str)],
        rounds: u32,
    ) -> Result<(), Halt> {
        let Some((_, reason)) = dead.first() else { return Ok(()) };
        let topic = self.dead_letters.topic();
        warn!(sink = self.name, records = dead.len(), reason, topic, "records were refused");
        let mut backoff = self.backoff();
        while let Err(error) = self.dead_letters.store(records, dead, rounds, &self.progress).await
        {
            let wait = backoff.next(None);
            self.fails(Step::Bury, &error.to_string(), false);
            self.pause(wait).await?;
        }
        self.works(Step::Bury);
        self.meter.dead.fetch_add(dead.len() as u64, Ordering::Relaxed);
        Ok(())
    }
}

fn all_refused(reason: &str) -> String {
    format!(
        "everything is refused, so it is sent again until something arrives, and is no dead letter: {reason}"
    )
}

/// Sorts an answer; the first `along` records that were sent are no part of `records`.
fn sort(written: Written, records: &Records, along: usize) -> Fates {
    let mut fates = Fates { witness_passes: along > 0, ..Fates::default() };
    for (number, outcome) in written.exceptions {
        let Some(number) = number.checked_sub(along) else {
            fates.witness_passes = false;
            continue;
        };
        outcome.reason().clone_into(&mut fates.why);
        match outcome {
            Outcome::Dead { reason, own } => fates.refused.push(Refused { number, reason, own }),
            Outcome::Again { .. } => fates.again.push(number),
            Outcome::NotNow { .. } => fates.later.push(number),
        }
    }
    let missing = fates.refused.len() + fates.again.len() + fates.later.len();
    fates.arrived = records.len().saturating_sub(missing);
    fates
}

/// A write that is under way when the agent stops gets a moment to finish.
async fn stopped_for_long(stop: &CancellationToken) {
    stop.cancelled().await;
    tokio::time::sleep(Duration::from_millis(700)).await;
}
