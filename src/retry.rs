//! Waits between tries: exponential, with full jitter, bounded.

use std::time::Duration;

/// The next wait of a row of tries.
#[derive(Debug, Clone)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    tries: u32,
}

impl Backoff {
    /// The first wait is about `first`, each further one twice as long, none longer than `longest`.
    #[must_use]
    pub const fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, tries: 0 }
    }

    /// The next wait; at least `asked` when the far side asked for one.
    pub fn next(&mut self, asked: Option<Duration>) -> Duration {
        let factor = 1u32.checked_shl(self.tries.min(20)).unwrap_or(u32::MAX);
        self.tries = self.tries.saturating_add(1);
        let most = self.first.saturating_mul(factor).min(self.longest);
        // Full jitter, but never less than a tenth: a far side that answers at once must not be hammered.
        let wait = most.mul_f64(0.1 + 0.9 * fraction());
        asked.map_or(wait, |asked| asked.max(wait))
    }

    /// The longest wait, for what only a person can mend.
    pub fn longest(&mut self) -> Duration {
        self.tries = self.tries.saturating_add(1);
        self.longest
    }

    /// How many waits there were.
    #[must_use]
    pub const fn tries(&self) -> u32 {
        self.tries
    }
}

/// A number from 0 to 1 that two processes hardly share.
fn fraction() -> f64 {
    let (high, _) = uuid::Uuid::new_v4().as_u64_pair();
    let bits = u32::try_from(high >> 32).unwrap_or(0);
    f64::from(bits) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_the_longest_and_heed_the_far_side() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(3));
        for most in [100, 200, 400, 800, 1600, 3000, 3000] {
            let wait = backoff.next(None);
            assert!(
                wait <= Duration::from_millis(most) && wait >= Duration::from_millis(most / 10)
            );
        }
        assert!(backoff.next(Some(Duration::from_secs(60))) >= Duration::from_secs(60));
        assert_eq!((backoff.tries(), backoff.longest()), (8, Duration::from_secs(3)));
    }
}
