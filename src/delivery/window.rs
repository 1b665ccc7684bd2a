//! A window of records while it is written: what is left of it, and what an answer says of each.

use anabranch_connectors::{Outcome, Written};
use anabranch_record::Records;

use super::refusal::Refused;
use crate::retry::Backoff;

/// What is left of a write.
#[derive(Default)]
pub(super) struct Rest {
    pub(super) records: Records,
    /// Rounds in which these came back although others had arrived.
    pub(super) rounds: u32,
    pub(super) came_back: bool,
    /// Whether it was refused before something else had arrived, and is asked for once more.
    pub(super) asked: bool,
}

impl Rest {
    pub(super) fn new(records: Records) -> Self {
        Self { records, ..Self::default() }
    }
}

/// A window that is being written.
pub(super) struct Window {
    /// What is to be sent, the next one last.
    pub(super) todo: Vec<Rest>,
    /// Refused alone, with the far side's words, while it is not known whether the far side would still refuse it.
    pub(super) doubtful: Vec<(Records, String)>,
    /// Whether one of the doubtful is asked for once more; the answer speaks for the others.
    pub(super) asks: bool,
    /// Whether anything of it has arrived.
    pub(super) arrived: bool,
    /// Whether anything of it went to another sink.
    pub(super) diverted: bool,
    pub(super) backoff: Backoff,
}

/// The answer for one write, sorted.
#[derive(Default)]
pub(super) struct Fates {
    pub(super) arrived: usize,
    pub(super) refused: Vec<Refused>,
    /// Numbers of those that come back and count, and of those that do not.
    pub(super) again: Vec<usize>,
    pub(super) later: Vec<usize>,
    pub(super) why: String,
    /// Whether the record that was sent along was taken.
    pub(super) witness_passes: bool,
}

impl Fates {
    /// The numbers of those that did not arrive.
    pub(super) fn missing(&self) -> Vec<usize> {
        let mut missing = [self.again.as_slice(), &self.later].concat();
        missing.extend(self.refused.iter().map(|one| one.number));
        missing.sort_unstable();
        missing
    }

    /// The numbers of those that arrived, of `count` records.
    pub(super) fn arrived_of(&self, count: usize) -> Vec<usize> {
        let missing = self.missing();
        (0..count).filter(|number| missing.binary_search(number).is_err()).collect()
    }
}

impl Window {
    /// The first of the doubtful is sent once more, unless one is on its way.
    pub(super) fn ask(&mut self) {
        if !self.asks && !self.doubtful.is_empty() {
            let (records, _) = self.doubtful.remove(0);
            self.todo.push(Rest { asked: true, ..Rest::new(records) });
            self.asks = true;
        }
    }

    /// One that was asked for has been taken: the others are tried again, too.
    pub(super) fn believe(&mut self) {
        self.asks = false;
        let mut rest = Rest::default();
        for (records, _) in self.doubtful.drain(..) {
            rest.records.append(&records);
        }
        self.todo.push(rest);
    }

    /// Puts everything that is left together again, in order.
    pub(super) fn join(&mut self) {
        self.asks = false;
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

/// Sorts an answer; the first `along` records that were sent are no part of `records`.
pub(super) fn sort(written: Written, records: &Records, along: usize) -> Fates {
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
