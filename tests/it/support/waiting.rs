//! Waiting for something that happens in another process, with a limit.

use std::time::{Duration, Instant};

/// The usual limit: far more than anything takes on a busy machine of two cores.
pub(crate) const SOON: Duration = Duration::from_secs(30);

/// Asks `holds` every 20 ms until it says yes; fails the test when `limit` is over.
#[track_caller]
pub(crate) fn wait_until(limit: Duration, what: &str, holds: impl FnMut() -> bool) {
    assert!(holds_within(limit, holds), "waited {limit:?} for: {what}");
}

/// As [`wait_until`], for callers that look themselves at what has come.
#[expect(clippy::disallowed_methods, reason = "another process is waited for in real time")]
pub(crate) fn holds_within(limit: Duration, mut holds: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + limit;
    while !holds() {
        if Instant::now() >= deadline {
            return false;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    true
}
