//! The one place where the wall clock is read.

use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since the Unix epoch, as Kafka's timestamps are.
#[must_use]
pub fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now_ms = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
    #[cfg(test)]
    let now_ms = now_ms.saturating_add(wrong::ahead_ms());
    now_ms
}

/// A clock that is wrong, for tests: that of the thread which says so.
#[cfg(test)]
pub(crate) mod wrong {
    use std::cell::Cell;

    thread_local! {
        static AHEAD_MS: Cell<i64> = const { Cell::new(0) };
    }

    /// How far the clock is ahead.
    pub(super) fn ahead_ms() -> i64 {
        AHEAD_MS.get()
    }

    /// Is so far ahead from now on.
    pub(crate) fn set(ahead_ms: i64) {
        AHEAD_MS.set(ahead_ms);
    }
}
