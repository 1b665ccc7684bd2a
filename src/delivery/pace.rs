//! How much a sink asks of its far side: less when that refuses or does not answer, more again when it takes what it gets.
//!
//! The deliveries of a sink (`concurrency`) share a number of turns: it is halved by a write that failed for now, and
//! grows by one after as many good writes as there are turns, [`STEADY`] times over. In the same way a sink that takes
//! repeats sends fewer records at once; others keep to their windows, so that a repeat is the same request.

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::Notify;

/// Rounds of good writes after which there is one more turn.
const STEADY: usize = 8;
/// A write is never cut below the largest by more than that.
const SMALLEST: usize = 64;

/// The turns that the deliveries of one sink share.
#[derive(Debug)]
pub struct Pace {
    most: usize,
    state: Mutex<State>,
    free: Notify,
}

#[derive(Debug)]
struct State {
    limit: usize,
    taken: usize,
    good: usize,
    /// Rises with each change, so that writes that were under way together count as one refusal.
    changes: u64,
}

/// The right to write; given back when dropped.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    pace: &'a Pace,
    changes: u64,
}

impl Pace {
    /// At most so many write at once.
    #[must_use]
    pub fn new(most: usize) -> Self {
        let most = most.max(1);
        let state = State { limit: most, taken: 0, good: 0, changes: 0 };
        Self { most, state: Mutex::new(state), free: Notify::new() }
    }

    /// How many may write at once now.
    #[must_use]
    pub fn limit(&self) -> usize {
        self.lock().limit
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// Waits for a turn. Cancel safe.
    pub(super) async fn turn(&self) -> Turn<'_> {
        loop {
            if let Some(turn) = self.try_turn() {
                return turn;
            }
            self.free.notified().await;
        }
    }

    fn try_turn(&self) -> Option<Turn<'_>> {
        let mut state = self.lock();
        if state.taken >= state.limit {
            return None;
        }
        state.taken += 1;
        Some(Turn { pace: self, changes: state.changes })
    }
}

impl Turn<'_> {
    /// The far side took what it was given.
    pub(super) fn is_good(&self) {
        let mut state = self.pace.lock();
        state.good += 1;
        if state.limit < self.pace.most && state.good >= state.limit * STEADY {
            state.limit += 1;
            state.good = 0;
            drop(state);
            self.pace.free.notify_one();
        }
    }

    /// It did not, for now.
    pub(super) fn is_refused(&self) {
        let mut state = self.pace.lock();
        if state.changes == self.changes {
            state.limit = (state.limit / 2).max(1);
            state.changes += 1;
        }
        state.good = 0;
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.pace.lock().taken -= 1;
        self.pace.free.notify_one();
    }
}

/// Most records of the next write.
#[derive(Debug)]
pub(super) struct Size {
    most: usize,
    now: usize,
}

impl Size {
    pub(super) fn new(most: usize) -> Self {
        let most = most.max(1);
        Self { most, now: most }
    }

    pub(super) const fn now(&self) -> usize {
        self.now
    }

    /// A write of that size failed for now.
    pub(super) fn is_refused(&mut self, size: usize) {
        let smallest = (self.most / SMALLEST).max(1);
        self.now = self.now.min(size.div_ceil(2)).max(smallest);
    }

    pub(super) fn is_good(&mut self) {
        self.now = (self.now + self.now / 4 + 1).min(self.most);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_refusal_halves_the_turns_and_good_writes_bring_them_back_one_by_one() {
        let pace = Pace::new(4);
        let turns = [pace.turn().await, pace.turn().await, pace.turn().await, pace.turn().await];
        assert!(pace.try_turn().is_none());
        // All were under way when the far side began to refuse.
        turns.iter().for_each(Turn::is_refused);
        assert_eq!(pace.limit(), 2);
        drop(turns);
        let again = pace.turn().await;
        again.is_refused();
        again.is_refused();
        assert_eq!(pace.limit(), 1);
        assert!(pace.try_turn().is_none());
        drop(again);
        for _ in 0..STEADY {
            pace.turn().await.is_good();
        }
        assert_eq!(pace.limit(), 2);
        for _ in 0..10 * 4 * STEADY {
            pace.turn().await.is_good();
        }
        assert_eq!(pace.limit(), 4);
    }

    #[tokio::test]
    async fn who_waits_gets_the_turn_that_is_given_back() {
        let pace = Pace::new(1);
        let first = pace.turn().await;
        let mut second = Box::pin(pace.turn());
        assert!(futures::poll!(&mut second).is_pending());
        drop(first);
        drop(second.await);
    }

    #[test]
    fn a_write_is_halved_down_to_a_bound_and_grows_to_the_largest() {
        let mut size = Size::new(1000);
        size.is_refused(600);
        assert_eq!(size.now(), 300);
        for _ in 0..20 {
            size.is_refused(size.now());
        }
        assert_eq!(size.now(), 1000 / SMALLEST);
        for _ in 0..40 {
            size.is_good();
        }
        assert_eq!(size.now(), 1000);
    }
}
