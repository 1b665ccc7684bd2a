//! Writes records until each has arrived or is dead: waits, repeats, cuts in halves.

use std::sync::atomic::Ordering;
use std::time::Duration;

use anabranch_connectors::{Outcome, Records, WriteError, Written};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use super::{Loop, Stopped};
use crate::retry::Backoff;

/// What is left of a write.
struct Rest {
    records: Records,
    /// Rounds in which these came back although others had arrived.
    rounds: u32,
}

impl Loop {
    /// Returns when every record has arrived or lies with the dead letters.
    pub(super) async fn write(&mut self, records: &Records) -> Result<(), Stopped> {
        let mut todo = vec![Rest { records: records.clone(), rounds: 0 }];
        let (first, longest) = self.settings.backoff;
        let mut backoff = Backoff::new(first, longest);
        while let Some(rest) = todo.pop() {
            if rest.records.is_empty() {
                continue;
            }
            let stop = self.stop.clone();
            let outcome = tokio::select! {
                biased;
                outcome = self.sink.write(&rest.records) => outcome,
                () = stopped_for_long(&stop) => return Err(Stopped),
            };
            match outcome {
                Ok(written) => {
                    if let Some(again) = self.settle(rest, written, &mut backoff).await? {
                        todo.push(again);
                    }
                }
                Err(
                    WriteError::TooLarge { target, reason }
                    | WriteError::Refused { target, reason },
                ) if rest.records.len() > 1 => {
                    debug!(sink = self.name, target, reason, "not taken as a whole, trying halves");
                    let (first, second) = rest.records.halves();
                    todo.push(Rest { records: second, rounds: 0 });
                    todo.push(Rest { records: first, rounds: 0 });
                }
                Err(WriteError::TooLarge { target, reason }) => {
                    let reason = format!("{target}: too large: {reason}");
                    self.bury(&rest.records, &[(0, reason)], rest.rounds).await?;
                }
                Err(WriteError::Refused { reason, .. }) => {
                    self.bury(&rest.records, &[(0, reason)], rest.rounds).await?;
                }
                Err(error) => {
                    let wait = self.write_failed(&error, &mut backoff);
                    self.pause(wait).await?;
                    todo.push(rest);
                }
            }
        }
        self.recovered();
        Ok(())
    }

    /// Counts what arrived, buries the dead, waits before what is to come again.
    async fn settle(
        &mut self,
        rest: Rest,
        written: Written,
        backoff: &mut Backoff,
    ) -> Result<Option<Rest>, Stopped> {
        let Rest { records, rounds } = rest;
        let (mut dead, mut again, mut why) = (Vec::new(), Vec::new(), String::new());
        for (number, outcome) in written.exceptions {
            match outcome {
                Outcome::Dead { reason } => dead.push((number, reason)),
                Outcome::Again { reason } => {
                    again.push(number);
                    why = reason;
                }
            }
        }
        let arrived = records.len() - dead.len() - again.len();
        self.count_arrived(&records, &dead, &again);
        let rounds = rounds + u32::from(arrived > 0 || rounds > 0);
        if self.settings.attempts > 0 && rounds > self.settings.attempts {
            let reason = format!("gave up after {rounds} tries: {why}");
            dead.extend(again.drain(..).map(|number| (number, reason.clone())));
            dead.sort_by_key(|(number, _)| *number);
        }
        self.bury(&records, &dead, rounds).await?;
        if again.is_empty() {
            return Ok(None);
        }
        self.meter.again.fetch_add(again.len() as u64, Ordering::Relaxed);
        let wait = backoff.next(written.retry_after);
        let problem = format!("{} of {} records came back: {why}", again.len(), records.len());
        if self.meter.state.fail(&problem, false) {
            warn!(sink = self.name, ?wait, "{problem}");
        }
        self.pause(wait).await?;
        Ok(Some(Rest { records: records.select(&again), rounds }))
    }

    fn count_arrived(&self, records: &Records, dead: &[(usize, String)], again: &[usize]) {
        let (count, bytes) = if dead.is_empty() && again.is_empty() {
            (records.len(), records.size_bytes())
        } else {
            let mut missing: Vec<usize> = dead.iter().map(|(number, _)| *number).collect();
            missing.extend_from_slice(again);
            let count = records.len().saturating_sub(missing.len());
            (count, records.size_bytes() / records.len().max(1) * count)
        };
        self.meter.delivered.fetch_add(count as u64, Ordering::Relaxed);
        self.meter.delivered_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    async fn bury(
        &mut self,
        records: &Records,
        dead: &[(usize, String)],
        rounds: u32,
    ) -> Result<(), Stopped> {
        let Some((_, reason)) = dead.first() else { return Ok(()) };
        self.meter.dead.fetch_add(dead.len() as u64, Ordering::Relaxed);
        let topic = self.dead_letters.topic();
        warn!(sink = self.name, records = dead.len(), reason, topic, "records were refused");
        let (first, longest) = self.settings.backoff;
        let mut backoff = Backoff::new(first, longest);
        while let Err(error) = self.dead_letters.store(records, dead, rounds).await {
            let wait = backoff.next(None);
            warn!(sink = self.name, %error, ?wait, "dead letters are not stored, will retry");
            self.pause(wait).await?;
        }
        Ok(())
    }

    /// Notes that nothing arrived, once, and says how long to wait.
    pub(super) fn write_failed(&self, error: &WriteError, backoff: &mut Backoff) -> Duration {
        self.meter.errors.fetch_add(1, Ordering::Relaxed);
        let (wait, fatal) = match error {
            WriteError::NotNow { retry_after, .. } => (backoff.next(*retry_after), false),
            WriteError::TooLarge { .. } | WriteError::Refused { .. } => (backoff.next(None), false),
            WriteError::Fatal { .. } => (backoff.longest(), true),
        };
        if self.meter.state.fail(&error.to_string(), fatal) {
            let sink = &self.name;
            if fatal {
                error!(sink, ?wait, "cannot deliver: {error}");
            } else {
                warn!(sink, ?wait, "delivery failed, will retry: {error}");
            }
        }
        wait
    }

    pub(super) fn recovered(&self) {
        if self.meter.state.ok() {
            info!(sink = self.name, "delivers again");
        }
    }
}

/// A write that is under way when the agent stops gets a moment to finish.
async fn stopped_for_long(stop: &CancellationToken) {
    stop.cancelled().await;
    tokio::time::sleep(Duration::from_millis(700)).await;
}
