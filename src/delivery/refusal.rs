//! Whether refused records are bad, or the far side takes nothing.
//!
//! A record that is refused for good is a dead letter. When all are refused it is not the records:
//!
//! - [`FEW`] records refused in a row for one cause that the far side does not see in the records themselves: the sink
//!   waits. When they are in one write, none of them is a dead letter.
//! - `dead_in_a_row` records refused in a row for whatever cause: the sink waits. An arrival takes [`WEIGHT`] from the
//!   row, so fewer than one in so many that arrives is as good as none.
//!
//! It waits until something arrives: what is refused is sent again.
//!
//! A far side changes its mind between two requests, and within one: a limit is raised while it takes a part of a write.
//! So what it does not see in a record itself is asked once more after something has arrived, before the record dies;
//! a cause that was confirmed so is believed for a minute after it was last met, or until the sink has to wait.

use std::time::Duration;

use tokio::time::Instant;

/// A cause that was confirmed is believed for so long after it was last met.
const BELIEVED: Duration = Duration::from_secs(60);
/// No more causes are remembered.
const MOST_CAUSES: usize = 16;
/// So many refusals for one cause are no chance.
const FEW: u64 = 10;
/// How many refusals one arrival makes up for.
const WEIGHT: i64 = 20;

/// One record that was refused for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refused {
    /// Its number in the write.
    pub(super) number: usize,
    /// The far side's words.
    pub(super) reason: String,
    /// Whether the far side says that the cause is in the record itself.
    pub(super) own: bool,
}

impl Refused {
    /// What stands before the first colon: the status, and the type of the error.
    fn cause(&self) -> &str {
        cause(&self.reason)
    }
}

fn cause(reason: &str) -> &str {
    reason.split(':').next().unwrap_or_default()
}

/// The row of refusals up to now.
#[derive(Debug)]
pub(super) struct Refusals {
    /// 0: there is no bound.
    most: u64,
    /// Below 0 while a window is written of which much has arrived.
    in_a_row: i64,
    cause: String,
    /// Refused in a row for that cause, and nothing else.
    same: u64,
    /// Causes that were met again after something had arrived, and when last.
    confirmed: Vec<(String, Instant)>,
}

impl Refusals {
    pub(super) const fn new(most: u64) -> Self {
        Self { most, in_a_row: 0, cause: String::new(), same: 0, confirmed: Vec::new() }
    }

    /// Whether a record that is refused so while others arrive need not be asked again.
    pub(super) fn is_confirmed(&mut self, reason: &str, now: Instant) -> bool {
        let cause = cause(reason);
        let known = self.confirmed.iter_mut().find(|(known, _)| known == cause);
        known.is_some_and(|(_, met)| {
            let is_believed = now.saturating_duration_since(*met) < BELIEVED;
            *met = if is_believed { now } else { *met };
            is_believed
        })
    }

    /// A record was refused so again, after something had arrived.
    pub(super) fn confirm(&mut self, reason: &str, now: Instant) {
        let cause = cause(reason);
        self.confirmed.retain(|(known, _)| known != cause);
        if self.confirmed.len() == MOST_CAUSES {
            self.confirmed.remove(0);
        }
        self.confirmed.push((cause.to_owned(), now));
    }

    /// The sink has to wait: what was known of the far side no longer holds.
    pub(super) fn doubt_all(&mut self) {
        self.confirmed.clear();
    }

    /// So many have arrived: what is refused beside them is so for what it is.
    pub(super) fn arrived(&mut self, records: usize) {
        if records > 0 {
            self.same = 0;
            self.in_a_row = self.in_a_row.saturating_sub(signed(records).saturating_mul(WEIGHT));
        }
    }

    /// A window has been written. What has arrived of it says nothing about the next one.
    pub(super) fn end(&mut self) {
        self.in_a_row = self.in_a_row.max(0);
    }

    /// Whether the row is one of refusals for a single cause, after one more.
    pub(super) fn is_one_cause(&mut self, refused: &[Refused]) -> bool {
        let Some(first) = refused.first().filter(|_| self.most > 0) else { return false };
        let is_same = |one: &Refused| !one.own && one.cause() == first.cause();
        if !refused.iter().all(is_same) {
            self.same = 0;
            return false;
        }
        if self.cause != first.cause() {
            first.cause().clone_into(&mut self.cause);
            self.same = 0;
        }
        self.same += refused.len() as u64;
        self.same >= FEW
    }

    /// How many of `count` refused records may be dead letters now; they are counted.
    pub(super) fn take(&mut self, count: usize) -> usize {
        if self.most == 0 {
            return count;
        }
        let most = i64::try_from(self.most).unwrap_or(i64::MAX);
        let left = usize::try_from(most.saturating_sub(self.in_a_row)).unwrap_or(0);
        let taken = count.min(left);
        self.in_a_row = self.in_a_row.saturating_add(signed(taken));
        taken
    }
}

fn signed(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(count: usize, reason: &str, own: bool) -> Vec<Refused> {
        (0..count).map(|number| Refused { number, reason: reason.to_owned(), own }).collect()
    }

    #[test]
    fn a_few_refusals_for_one_cause_with_no_arrival_between_are_the_far_sides() {
        let mut refusals = Refusals::new(100);
        assert!(refusals.is_one_cause(&refused(10, "HTTP 400 x: a", false)));
        refusals.arrived(1);
        for _ in 0..3 {
            assert!(!refusals.is_one_cause(&refused(3, "HTTP 400 x: b", false)));
        }
        assert!(!refusals.is_one_cause(&refused(3, "HTTP 400 y: b", false)), "another cause");
        assert!(!refusals.is_one_cause(&refused(30, "HTTP 400 y: b", true)), "their own");
        let mut mixed = refused(20, "HTTP 400 y: b", false);
        mixed.extend(refused(1, "HTTP 400 z: b", false));
        assert!(!refusals.is_one_cause(&mixed));
        assert!(!Refusals::new(0).is_one_cause(&refused(99, "HTTP 400 x: a", false)));
    }

    #[test]
    fn a_row_ends_by_arrivals_that_are_not_too_few() {
        let mut refusals = Refusals::new(100);
        assert_eq!([60, 60, 1].map(|count| refusals.take(count)), [60, 40, 0]);
        refusals.arrived(1);
        refusals.end();
        assert_eq!(refusals.take(60), 20);
        refusals.arrived(50);
        assert_eq!(refusals.take(950), 950, "one in twenty arrives");
        refusals.arrived(1000);
        refusals.end();
        assert_eq!(refusals.take(1000), 100);
        assert_eq!(Refusals::new(0).take(1000), 1000);
    }
}
