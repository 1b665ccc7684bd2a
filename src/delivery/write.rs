//! Writes records until each has arrived or is dead: waits, repeats, cuts in halves.
//!
//! A record that comes back by itself is given up after `attempts` rounds in which others arrived; while nothing
//! arrives nothing is counted. A sink that takes repeats is given a record along that has arrived before, so that one
//! that is left alone is judged, too. What is refused for good is judged in `refusal.rs`.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anabranch_connectors::{Outcome, WriteError, Written};
use anabranch_record::{Amount, Records};
use tokio_util::sync::CancellationToken;

use super::judge::{GAVE_UP, all_refused};
use super::refusal::Refused;
use super::state::{Halt, Loop};
use super::trouble::Step;
use super::window::{Fates, Rest, Window, sort};
use crate::ledger::tally::Fate;

/// What a sink answers.
type Answer = Result<Written, WriteError>;

impl Loop {
    /// Returns when every record has arrived or lies with the dead letters.
    pub(super) async fn write(&mut self, records: &Records) -> Result<(), Halt> {
        let mut window = Window {
            todo: vec![Rest::new(records.clone())],
            doubtful: Vec::new(),
            asks: false,
            arrived: false,
            diverted: false,
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
            window.asks = false;
            self.bury_doubtful(&mut window).await?;
        }
        self.refusals.end();
        if !window.diverted {
            self.works(Step::Write);
        }
        Ok(())
    }

    async fn write_rest(&mut self, rest: Rest, window: &mut Window) -> Result<(), Halt> {
        if self.is_diverting() {
            return self.give_up_or_wait(rest, Duration::ZERO, window).await;
        }
        let rest = self.cut(rest, window);
        let witness = self.witness.clone().filter(|_| rest.came_back);
        let sent = witness.as_ref().map(|witness| {
            let mut sent = witness.clone();
            sent.append(&rest.records);
            sent
        });
        let outcome = self.call(sent.as_ref().unwrap_or(&rest.records)).await?;
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
                self.give_up_or_wait(rest, wait, window).await
            }
        }
    }

    /// What did not arrive comes again after `wait`, unless another sink has it by then.
    pub(super) async fn give_up_or_wait(
        &mut self,
        rest: Rest,
        wait: Duration,
        window: &mut Window,
    ) -> Result<(), Halt> {
        if self.divert(&rest.records).await? {
            window.diverted = true;
            return Ok(());
        }
        window.todo.push(rest);
        self.pause(wait).await
    }

    /// Calls the sink when it is its turn.
    async fn call(&mut self, records: &Records) -> Result<Answer, Halt> {
        let (stop, pace) = (self.stop.clone(), Arc::clone(&self.pace));
        let turn = tokio::select! {
            biased;
            turn = pace.turn() => turn,
            () = stop.cancelled() => return Err(Halt::Stopped),
        };
        let outcome = tokio::select! {
            biased;
            outcome = self.sink.write(records) => outcome,
            () = stopped_for_long(&stop) => return Err(Halt::Stopped),
        };
        let is_refused = match &outcome {
            Ok(written) => written.exceptions.iter().any(|(_, fate)| !is_final(fate)),
            Err(error) => matches!(error, WriteError::NotNow { .. }),
        };
        if is_refused {
            turn.is_refused();
        } else if outcome.is_ok() {
            turn.is_good();
        }
        if self.sink.takes_repeats() {
            if outcome.is_ok() {
                self.size.is_good();
            } else if is_refused {
                self.size.is_refused(records.len());
            }
        }
        Ok(outcome)
    }

    /// Leaves the end of what is more than the far side should get at once for later.
    fn cut(&self, rest: Rest, window: &mut Window) -> Rest {
        let (size, count) = (self.size.now(), rest.records.len());
        if count <= size {
            return rest;
        }
        let part = |numbers: std::ops::Range<usize>| Rest {
            records: rest.records.select(&numbers.collect::<Vec<_>>()),
            ..rest
        };
        window.todo.push(part(size..count));
        part(0..size)
    }

    /// Counts what arrived, buries the dead, waits before what is to come again.
    async fn settle(
        &mut self,
        rest: Rest,
        (mut fates, retry_after): (Fates, Option<Duration>),
        window: &mut Window,
    ) -> Result<(), Halt> {
        let Rest { records, rounds, asked, .. } = rest;
        if fates.arrived > 0 {
            if fates.arrived == records.len() {
                self.count_arrived(&records);
            } else {
                self.count_arrived(&records.select(&fates.arrived_of(records.len())));
            }
            window.arrived = true;
            self.is_not_stuck();
            self.refusals.arrived(fates.arrived);
            self.remember(&records, &fates);
            if asked {
                window.believe();
            }
            self.bury_doubtful(window).await?;
        }
        let others_pass = fates.arrived > 0 || fates.witness_passes;
        let rounds = rounds + u32::from(others_pass);
        if self.settings.attempts > 0 && rounds > self.settings.attempts {
            let reason = format!("{GAVE_UP} after {rounds} tries: {}", fates.why);
            let given_up = std::mem::take(&mut fates.again).into_iter();
            let refused = |number| Refused { number, reason: reason.clone(), own: true };
            fates.refused.extend(given_up.map(refused));
            fates.refused.sort_by_key(|one| one.number);
        }
        let unsure = self.ask_again(&mut fates, asked);
        let held = self.bury_refused(&records, &mut fates, (rounds, asked)).await?;
        let back = [fates.again.as_slice(), &fates.later, &held].concat();
        if back.is_empty() && unsure.is_empty() {
            return Ok(());
        }
        let count = back.len() + unsure.len();
        self.meter.again.fetch_add(count as u64, Ordering::Relaxed);
        let problem = if held.is_empty() {
            format!("{count} of {} records came back: {}", records.len(), fates.why)
        } else {
            all_refused(&fates.why)
        };
        let wait = window.backoff.next(retry_after);
        self.tell(Step::Write, &problem, false);
        let part = |mut numbers: Vec<usize>, asked| {
            numbers.sort_unstable();
            Rest { records: records.select(&numbers), rounds, came_back: true, asked }
        };
        if back.is_empty() {
            return self.give_up_or_wait(part(unsure, true), wait, window).await;
        }
        if !unsure.is_empty() {
            window.todo.push(part(unsure, true));
        }
        self.give_up_or_wait(part(back, false), wait, window).await
    }

    /// Keeps one record that has arrived, if that is of use.
    fn remember(&mut self, records: &Records, fates: &Fates) {
        if !self.sink.takes_repeats() {
            return;
        }
        let missing = fates.missing();
        let arrived = |number: &usize| missing.binary_search(number).is_err();
        if let Some(number) = (0..records.len()).rev().find(arrived) {
            self.witness = records.select(&[number]).last_alone();
        }
    }

    pub(super) fn count_arrived(&mut self, arrived: &Records) {
        let amount: Amount = arrived.amounts().map(|(_, amount)| amount).sum();
        self.meter.delivered.fetch_add(amount.records, Ordering::Relaxed);
        self.meter.delivered_bytes.fetch_add(amount.bytes, Ordering::Relaxed);
        self.progress.count(arrived, Fate::Delivered);
    }
}

/// Whether a record does not come again.
const fn is_final(fate: &Outcome) -> bool {
    matches!(fate, Outcome::Dead { .. })
}

/// A write that is under way when the agent stops gets a moment to finish.
async fn stopped_for_long(stop: &CancellationToken) {
    stop.cancelled().await;
    tokio::time::sleep(Duration::from_millis(700)).await;
}
