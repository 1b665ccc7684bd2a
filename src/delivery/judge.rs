//! What becomes of refused records: buried when the far side takes others, else sent again.

use std::sync::atomic::Ordering;

use anabranch_record::{Condition, Records};
use tokio::time::Instant;
use tracing::{debug, warn};

use super::dead_letter::Away;
use super::refusal::Refused;
use super::state::{Halt, Loop};
use super::trouble::Step;
use super::window::{Fates, Rest, Window};
use crate::ledger::tally::Fate;

/// How the reason begins when a record came back too often.
pub(super) const GAVE_UP: &str = "gave up";

impl Loop {
    /// A whole request was refused: halves of it are tried, and a record that is refused alone is bad, unless
    /// everything else is refused as well.
    pub(super) async fn split(
        &mut self,
        rest: Rest,
        reason: String,
        window: &mut Window,
    ) -> Result<(), Halt> {
        if rest.records.len() > 1 {
            debug!(sink = self.name, reason, "not taken as a whole, trying halves");
            let (first, second) = rest.records.halves();
            window.todo.push(Rest::new(second));
            window.todo.push(Rest::new(first));
            return Ok(());
        }
        let refused = [Refused { number: 0, reason: reason.clone(), own: false }];
        let is_one_cause = self.refusals.is_one_cause(&refused);
        if rest.asked {
            window.asks = false;
            self.refusals.confirm(&reason, Instant::now());
        }
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
    pub(super) async fn hold(&mut self, reason: &str, window: &mut Window) -> Result<(), Halt> {
        self.meter.held.fetch_add(1, Ordering::Relaxed);
        self.refusals.doubt_all();
        self.fails(Step::Write, &all_refused(reason), false);
        let wait = window.backoff.next(None);
        let rest = window.todo.pop().unwrap_or_default();
        self.give_up_or_wait(rest, wait, window).await
    }

    /// Whether the far side takes the last record of what is left, when those before are refused one by one.
    pub(super) async fn is_another_taken(&mut self, window: &mut Window) -> Result<bool, Halt> {
        let Some(last) = window.todo.first_mut() else { return Ok(false) };
        let count = last.records.len();
        let (before, one) =
            (count.saturating_sub(1), last.records.select(&[count.saturating_sub(1)]));
        let Ok(written) = self.sink.write(&one).await else { return Ok(false) };
        if !written.exceptions.is_empty() {
            return Ok(false);
        }
        last.records = last.records.select(&(0..before).collect::<Vec<_>>());
        self.count_arrived(&one);
        window.arrived = true;
        self.refusals.arrived(1);
        self.bury_doubtful(window).await?;
        Ok(true)
    }

    /// Buries those that were refused alone, as far as that is allowed; of those that the far side may take by now, one
    /// is asked for again.
    pub(super) async fn bury_doubtful(&mut self, window: &mut Window) -> Result<(), Halt> {
        let now = Instant::now();
        let doubtful = std::mem::take(&mut window.doubtful).into_iter();
        let (mut sure, unsure): (Vec<_>, Vec<_>) = doubtful
            .partition(|(_, reason)| !window.arrived || self.refusals.is_confirmed(reason, now));
        let held = sure.split_off(self.refusals.take(sure.len()));
        for (records, reason) in sure {
            self.bury(&records, &[(0, &reason)], 0).await?;
        }
        let reason = held.first().map(|(_, reason)| reason.clone());
        window.doubtful = [held, unsure].concat();
        let Some(reason) = reason else {
            window.ask();
            return Ok(());
        };
        window.join();
        self.hold(&reason, window).await
    }

    /// Takes those out that the far side may take by now: what it does not see in the records themselves is asked for
    /// once more when others have arrived.
    pub(super) fn ask_again(&mut self, fates: &mut Fates, was_asked: bool) -> Vec<usize> {
        let now = Instant::now();
        if was_asked {
            for one in &fates.refused {
                self.refusals.confirm(&one.reason, now);
            }
        }
        if fates.arrived == 0 || !self.sink.takes_repeats() {
            return Vec::new();
        }
        let refused = std::mem::take(&mut fates.refused).into_iter();
        let (sure, unsure): (Vec<_>, Vec<_>) =
            refused.partition(|one| one.own || self.refusals.is_confirmed(&one.reason, now));
        fates.refused = sure;
        unsure.into_iter().map(|one| one.number).collect()
    }

    /// Buries what was refused, as far as that is allowed; gives the numbers of the others.
    pub(super) async fn bury_refused(
        &mut self,
        records: &Records,
        fates: &mut Fates,
        (rounds, was_asked): (u32, bool),
    ) -> Result<Vec<usize>, Halt> {
        let mut taken = fates.refused.len();
        // Of those that were asked for once more, it is known that others arrived.
        if fates.arrived == 0 && !(was_asked && fates.witness_passes) {
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
            self.refusals.doubt_all();
            self.meter.held.fetch_add(1, Ordering::Relaxed);
        }
        Ok(held.iter().map(|one| one.number).collect())
    }

    pub(super) async fn bury(
        &mut self,
        records: &Records,
        dead: &[(usize, &str)],
        rounds: u32,
    ) -> Result<(), Halt> {
        let Some((_, reason)) = dead.first() else { return Ok(()) };
        let topic = self.dead_letters.topic();
        if let Some(records) = self.burials.count(dead.len(), Instant::now()) {
            warn!(sink = self.name, records, reason, topic, "records were refused");
        }
        self.put_away(Away::DeadLetters, records, dead, rounds).await?;
        self.meter.dead.fetch_add(dead.len() as u64, Ordering::Relaxed);
        let fate = |reason: &str| match reason.starts_with(GAVE_UP) {
            _ if !self.dead_letters.are_kept() => Fate::NotKept,
            true => Fate::GaveUp,
            false => Fate::Refused,
        };
        let fates: Vec<(usize, Fate)> =
            dead.iter().map(|(number, reason)| (*number, fate(reason))).collect();
        for fate in [Fate::NotKept, Fate::GaveUp, Fate::Refused] {
            let met = fates.iter().filter(|(_, one)| *one == fate).map(|(number, _)| *number);
            self.progress.count(&records.select(&met.collect::<Vec<_>>()), fate);
        }
        Ok(())
    }

    /// Stores the records with these numbers and their reasons, again and again until the hub has them.
    pub(super) async fn put_away(
        &mut self,
        to: Away,
        records: &Records,
        dead: &[(usize, &str)],
        rounds: u32,
    ) -> Result<(), Halt> {
        let (mut backoff, condition) = (self.backoff(), self.consumer.condition());
        loop {
            let letters = match (to, &self.fallback) {
                (Away::DeadLetters, _) => &self.dead_letters,
                (Away::Fallback, Some(fallback)) => &fallback.letters,
                (Away::Fallback, None) => return Ok(()),
            };
            let under = (&self.progress, condition.as_ref());
            let Err(error) = letters.store(records, dead, rounds, under).await else { break };
            if condition.as_ref().is_some_and(Condition::has_failed) {
                return Err(Halt::Moved);
            }
            let wait = backoff.next(None);
            self.fails(Step::Bury, &error.to_string(), false);
            self.pause(wait).await?;
        }
        self.works(Step::Bury);
        Ok(())
    }

    /// Tells the log what it has not been told of refused records.
    pub(super) fn tell_rest(&mut self) {
        if let Some(records) = self.burials.rest() {
            let topic = self.dead_letters.topic();
            warn!(sink = self.name, records, topic, "more records were refused");
        }
    }
}

pub(super) fn all_refused(reason: &str) -> String {
    format!(
        "everything is refused, so it is sent again until something arrives, and is no dead letter: {reason}"
    )
}
