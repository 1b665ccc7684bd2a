//! What is stored in one go, and what keeps it from being stored.

use std::time::Duration;

use super::amend::is_too_large;
use super::holding;
use super::queue::Job;
use crate::hub::Part;
use crate::kafka::{Batch, Code, Error, State};

/// A round is closed when it holds this much, bytes.
pub(super) const ROUND_BYTES: usize = 32 << 20;

/// How long the beginning and the end of a transaction may take before it is tried anew.
pub(super) const END_MAX: Duration = Duration::from_secs(120);

/// Waits between tries that fail: the first, and the longest.
pub(super) const BACKOFF: (Duration, Duration) =
    (Duration::from_millis(100), Duration::from_secs(5));

/// What is being stored.
#[derive(Debug, Default)]
pub(super) struct Round {
    pub(super) number: u64,
    /// What is to be settled, with its partition.
    pub(super) parts: Vec<(i32, Vec<Part>)>,
    pub(super) batches: Vec<Batch>,
    pub(super) bytes: usize,
    pub(super) records: usize,
    /// The commit was sent and its answer was lost.
    pub(super) unsure: bool,
}

/// Why a round is not stored yet.
#[derive(Debug)]
pub(super) enum Failure {
    /// It is to be sent again, by a producer that begins a new life.
    Again(String),
    /// The same, and a topic of it does not exist any more.
    Gone(String),
    /// The time to stop has come.
    Stopping,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        if matches!(error, Error::Stopped) {
            return Self::Stopping;
        }
        let is_gone = matches!(error, Error::Refused { code: Code::UNKNOWN_TOPIC, .. });
        let why = error.to_string();
        if is_gone { Self::Gone(why) } else { Self::Again(why) }
    }
}

impl Round {
    /// Adds a job.
    pub(super) fn push(&mut self, job: Job) {
        self.bytes += job.bytes;
        self.records += job.records();
        let owner = Some(self.parts.len());
        self.batches.extend(job.batches.into_iter().map(|mut batch| {
            batch.owner = owner;
            batch
        }));
        self.parts.push((job.partition, job.parts));
    }

    /// For each of `parts`, the offset of the first record, where its append is in one piece.
    pub(super) fn offsets(&self) -> Vec<Option<i64>> {
        let mut ends: Vec<Option<(i64, i64)>> = vec![None; self.parts.len()];
        let mut is_torn = vec![false; self.parts.len()];
        for batch in &self.batches {
            let Some(owner) = batch.owner else { continue };
            let (Some(end), Some(torn)) = (ends.get_mut(owner), is_torn.get_mut(owner)) else {
                continue;
            };
            match (batch.offset, *end) {
                (Some(offset), None) => *end = Some((offset, offset + i64::from(batch.count))),
                (Some(offset), Some((first, before))) if offset == before => {
                    *end = Some((first, offset + i64::from(batch.count)));
                }
                _ => *torn = true,
            }
        }
        let records = |parts: &[Part]| parts.iter().map(Part::records).sum::<u64>();
        let found = ends.into_iter().zip(is_torn).zip(&self.parts);
        let whole = found.map(|((end, torn), (_, parts))| {
            let (first, end) = end.filter(|_| !torn)?;
            (u64::try_from(end - first).ok()? == records(parts)).then_some(first)
        });
        whole.collect()
    }

    /// Asks for what must be so when it is stored. What must not be is left out from now on, and its sources are told.
    ///
    /// # Errors
    /// [`Failure::Again`] when something was left out, or nobody can tell.
    pub(super) fn ask(&mut self) -> Result<(), Failure> {
        let jobs = self.parts.iter().map(|(_, parts)| parts.as_slice());
        let failed = holding::failed(jobs).map_err(Failure::Again)?;
        for (number, why) in &failed {
            let Some((_, parts)) = self.parts.get_mut(*number) else { continue };
            let parts = std::mem::take(parts);
            self.records -= parts.iter().map(records).sum::<usize>().min(self.records);
            holding::leave_out(parts, why);
            self.batches.retain(|batch| batch.owner != Some(*number));
        }
        failed.first().map_or(Ok(()), |(_, why)| Err(Failure::Again(holding::left_out(why))))
    }

    /// What it has of sources.
    pub(super) fn sources(&self) -> impl Iterator<Item = &Part> {
        self.parts.iter().flat_map(|(_, parts)| parts)
    }

    /// Whether there is nothing to store.
    pub(super) fn is_empty(&self) -> bool {
        self.parts.iter().all(|(_, parts)| parts.is_empty())
    }

    /// After a failure: what is to be sent again. Without transactions what is stored stays stored. What is too
    /// large waits to be amended.
    pub(super) fn begin_again(&mut self, transactions: bool) {
        for batch in &mut self.batches {
            let is_done = batch.state == State::Stored && !transactions;
            if !is_done && !is_too_large(batch) {
                batch.begin_again();
            }
        }
    }
}

fn records(part: &Part) -> usize {
    usize::try_from(part.records()).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_is_sent_again_only_with_transactions() {
        let states = [State::Stored, State::OnTheWay, State::Refused(Code::TOO_LARGE)];
        let batches = || {
            let batch = |state| {
                let mut batch = Batch::new(("t".into(), 0), Vec::new().into(), 1);
                batch.state = state;
                batch
            };
            states.map(batch).into()
        };
        for (transactions, first) in [(true, State::Waiting), (false, State::Stored)] {
            let mut round = Round { batches: batches(), ..Round::default() };
            round.begin_again(transactions);
            let after: Vec<State> = round.batches.iter().map(|batch| batch.state).collect();
            assert_eq!(after, [first, State::Waiting, State::Refused(Code::TOO_LARGE)]);
        }
    }
}
