//! Whether a part works, and if not, why: what `/health` shows, and when the log is told.
//!
//! A part may have several kinds of trouble at once; each is a state of its own, with its own beginning and end. So two
//! that come in turn do not make each other new. The log hears of the beginning and the end of each, and now and then
//! that it lasts; one that comes and goes all the time is told no oftener than every [`FLAP`].

use std::collections::BTreeMap;
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use tokio::time::Instant;

/// A kind of trouble that comes and goes is told so often at most.
const FLAP: Duration = Duration::from_secs(15);
/// Trouble whose words change is told again so often at most.
const CHANGED: Duration = Duration::from_secs(60);
/// Trouble that lasts is told again so often.
const REMINDER: Duration = Duration::from_secs(600);
/// Kinds that are remembered after their end.
const REMEMBERED: usize = 256;

/// The kind of trouble that has no name of its own.
const GENERAL: &str = "";

/// Whether a part works, and if not, why.
#[derive(Debug, Default)]
pub struct State {
    kinds: Mutex<BTreeMap<String, Trouble>>,
}

/// One kind of trouble.
#[derive(Debug)]
struct Trouble {
    problem: String,
    /// Only a person can help.
    fatal: bool,
    is_over: bool,
    /// When the log last heard of it.
    told_at: Option<Instant>,
    /// Whether the log has heard of it since it began.
    is_told: bool,
}

impl Trouble {
    /// Whether the log is to hear of `problem`.
    fn is_news(&self, problem: &str, now: Instant) -> bool {
        let Some(told_at) = self.told_at else { return true };
        let since = now.saturating_duration_since(told_at);
        if self.is_over || !self.is_told {
            return since >= FLAP;
        }
        since >= REMINDER || (self.problem != problem && since >= CHANGED)
    }
}

impl State {
    fn kinds(&self) -> MutexGuard<'_, BTreeMap<String, Trouble>> {
        self.kinds.lock()
    }

    /// All is well again, of every kind; says whether the log should hear of it.
    pub fn ok(&self) -> bool {
        let mut is_news = false;
        for trouble in self.kinds().values_mut().filter(|trouble| !trouble.is_over) {
            trouble.is_over = true;
            is_news |= trouble.is_told;
        }
        is_news
    }

    /// One kind of trouble is over; says whether the log should hear of it.
    pub fn over(&self, kind: &str) -> bool {
        let mut kinds = self.kinds();
        let known = kinds.get_mut(kind).filter(|trouble| !trouble.is_over);
        known.is_some_and(|trouble| {
            trouble.is_over = true;
            trouble.is_told
        })
    }

    /// Something is wrong; says whether the log should hear of it. `fatal`: only a person can help.
    pub fn fail(&self, problem: &str, fatal: bool) -> bool {
        self.fail_as(GENERAL, problem, fatal)
    }

    /// Something of one kind is wrong, beside what else may be; ended by [`State::over`] with the same kind, or by
    /// [`State::ok`].
    pub fn fail_as(&self, kind: &str, problem: &str, fatal: bool) -> bool {
        let now = Instant::now();
        let mut kinds = self.kinds();
        if kinds.len() > REMEMBERED {
            kinds.retain(|_, trouble| !trouble.is_over);
        }
        let trouble = kinds.entry(kind.to_owned()).or_insert_with(|| Trouble {
            problem: String::new(),
            fatal,
            is_over: true,
            told_at: None,
            is_told: false,
        });
        let is_news = trouble.is_news(problem, now);
        if trouble.is_over {
            trouble.is_told = false;
        }
        if is_news {
            trouble.told_at = Some(now);
            trouble.is_told = true;
        }
        trouble.is_over = false;
        trouble.fatal = fatal;
        trouble.problem.clear();
        trouble.problem.push_str(problem);
        is_news
    }

    /// Whether there is trouble of one kind.
    #[must_use]
    pub fn has(&self, kind: &str) -> bool {
        self.kinds().get(kind).is_some_and(|trouble| !trouble.is_over)
    }

    /// What is wrong, if anything; of several things first those that need a person.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        let kinds = self.kinds();
        let mut present: Vec<&Trouble> = kinds.values().filter(|one| !one.is_over).collect();
        present.sort_by_key(|trouble| !trouble.fatal);
        let words: Vec<&str> = present.iter().map(|trouble| trouble.problem.as_str()).collect();
        (!words.is_empty()).then(|| words.join("; "))
    }

    /// Whether only a person can help.
    #[must_use]
    pub fn needs_person(&self) -> bool {
        self.kinds().values().any(|trouble| trouble.fatal && !trouble.is_over)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn two_kinds_in_turn_are_told_once_each_and_shown_together() {
        let state = State::default();
        let mut told = 0;
        for _ in 0..400 {
            told += usize::from(state.fail_as("a", "a is away", false));
            told += usize::from(state.fail_as("b", "b is full", true));
            tokio::time::advance(Duration::from_millis(100)).await;
        }
        assert_eq!(told, 2);
        assert_eq!(state.problem().as_deref(), Some("b is full; a is away"));
        assert!(state.needs_person());
        assert!(state.over("b"));
        assert!(!state.over("b"));
        assert_eq!(state.problem().as_deref(), Some("a is away"));
        assert!(!state.needs_person());
        assert!(state.ok());
        assert_eq!(state.problem(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_and_goes_or_says_something_else_each_time_is_no_flood() {
        for changes in [false, true] {
            let state = State::default();
            let mut lines = 0;
            for round in 0..600 {
                let problem = if changes { format!("try {round}") } else { "gone".to_owned() };
                lines += usize::from(state.fail(&problem, false));
                tokio::time::advance(Duration::from_millis(50)).await;
                lines += usize::from(!changes && state.ok());
                tokio::time::advance(Duration::from_millis(50)).await;
            }
            assert!((1..=10).contains(&lines), "{lines} lines in a minute");
            assert_eq!(state.problem().is_some(), changes);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_is_told_if_the_beginning_was_and_what_lasts_is_told_again() {
        let state = State::default();
        assert!(state.fail("away", false) && !state.fail("away", false));
        tokio::time::advance(REMINDER).await;
        assert!(state.fail("away", false));
        assert!(state.ok() && !state.ok());
        assert!(!state.fail("away", false), "told a moment ago");
        assert!(!state.ok(), "its beginning was not told");
        tokio::time::advance(FLAP).await;
        assert!(state.fail("away", false) && state.ok());
    }
}
