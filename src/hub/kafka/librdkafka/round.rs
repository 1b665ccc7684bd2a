//! What is stored in one go, and what keeps it from being stored.

use std::cell::Cell;
use std::collections::BTreeSet;

use rdkafka::error::KafkaError;

use super::super::holding;
use super::super::queue::Job;
use super::refused::Refused;

/// What is being stored.
#[derive(Debug, Default)]
pub(super) struct Round {
    pub(super) number: u64,
    pub(super) jobs: Vec<Job>,
    pub(super) bytes: usize,
    pub(super) records: usize,
    /// Number of the first record that was not handed over in this try.
    pub(super) sent: Cell<usize>,
    /// After a failure without transactions: only these records are still to be sent.
    pub(super) only: Option<BTreeSet<usize>>,
    /// The commit was sent and its answer was lost.
    pub(super) unsure: bool,
}

/// Why a round is not stored yet.
#[derive(Debug)]
pub(super) enum Failure {
    /// The transaction must be aborted; without transactions, what failed is sent again.
    Abort(String),
    /// The producer is of no more use.
    Rebuild(String),
    /// The time to stop has come.
    Stopping,
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Kafka(why) => Self::Abort(why),
            Refused::Stopping => Self::Stopping,
        }
    }
}

impl Round {
    /// Adds a job.
    pub(super) fn push(&mut self, job: Job) {
        self.bytes += job.bytes;
        self.records += job.records();
        self.jobs.push(job);
    }

    /// As that of the other writer.
    ///
    /// # Errors
    /// [`Failure::Abort`] when something was left out, or nobody can tell.
    pub(super) fn ask(&mut self) -> Result<(), Failure> {
        let jobs = self.jobs.iter().map(|job| job.parts.as_slice());
        let failed = holding::failed(jobs).map_err(Failure::Abort)?;
        for (number, why) in failed.iter().rev() {
            let job = self.jobs.remove(*number);
            self.records -= job.records();
            self.bytes -= job.bytes;
            holding::leave_out(job.parts, why);
        }
        failed.first().map_or(Ok(()), |(_, why)| Err(Failure::Abort(holding::left_out(why))))
    }

    /// Without transactions: of the records that were to be sent, only those that `failed` and those that were not
    /// handed over are still to be sent.
    pub(super) fn keep(&mut self, failed: impl Iterator<Item = usize>) {
        let unsent = self.sent.get()..self.records;
        let unsent = unsent.filter(|number| self.wants(*number));
        self.only = Some(unsent.chain(failed).collect());
    }

    /// Whether this record is still to be sent.
    pub(super) fn wants(&self, number: usize) -> bool {
        self.only.as_ref().is_none_or(|only| only.contains(&number))
    }

    /// Whether all records are known to be delivered.
    pub(super) fn is_delivered(&self) -> bool {
        self.only.as_ref().is_some_and(BTreeSet::is_empty)
    }
}

/// Whether the same call may simply be made again.
pub(super) fn is_retriable(error: &KafkaError) -> bool {
    if let KafkaError::Transaction(cause) = error {
        return cause.is_retriable() && !cause.txn_requires_abort();
    }
    matches!(error, KafkaError::Flush(_))
}

/// What an error of a transaction means for the round.
pub(super) fn failure(error: &KafkaError) -> Failure {
    if let KafkaError::Transaction(cause) = error
        && cause.txn_requires_abort()
    {
        return Failure::Abort(cause.string());
    }
    Failure::Rebuild(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_failed_and_what_was_not_handed_over_is_sent_again() {
        let mut round = Round { records: 10, ..Round::default() };
        round.sent.set(7);
        round.keep([2, 3].into_iter());
        assert_eq!(round.only, Some([2, 3, 7, 8, 9].into()));
        round.sent.set(8);
        round.keep([3].into_iter());
        assert_eq!(round.only, Some([3, 8, 9].into()));
        round.sent.set(10);
        round.keep(std::iter::empty());
        assert!(round.is_delivered());
    }
}
