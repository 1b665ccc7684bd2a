//! How often the log is told that records were refused: each of them is with the dead letters, with its reason.

use std::time::Duration;

use tokio::time::Instant;

/// Shortest time between two lines.
const BETWEEN: Duration = Duration::from_secs(60);

/// What the log does not know yet.
#[derive(Debug, Default)]
pub(super) struct Burials {
    told_at: Option<Instant>,
    untold: usize,
}

impl Burials {
    /// Counts records that were refused; gives how many the log is to be told of now.
    pub(super) fn count(&mut self, records: usize, now: Instant) -> Option<usize> {
        self.untold += records;
        if self.told_at.is_some_and(|at| now.saturating_duration_since(at) < BETWEEN) {
            return None;
        }
        self.told_at = Some(now);
        Some(std::mem::take(&mut self.untold))
    }

    /// What is left to be told when the delivery ends.
    pub(super) fn rest(&mut self) -> Option<usize> {
        Some(std::mem::take(&mut self.untold)).filter(|records| *records > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_first_is_told_at_once_and_those_behind_it_together() {
        let mut burials = Burials::default();
        assert_eq!(burials.count(1, Instant::now()), Some(1));
        for _second in 0..59 {
            tokio::time::advance(Duration::from_secs(1)).await;
            assert_eq!(burials.count(2, Instant::now()), None);
        }
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(burials.count(2, Instant::now()), Some(120));
        assert_eq!(burials.count(3, Instant::now()), None);
        assert_eq!(burials.rest(), Some(3));
        assert_eq!(burials.rest(), None);
    }
}
