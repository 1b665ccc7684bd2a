//! Records that a sink has not been able to deliver for a while go to the topic `<sink>.fallback`, which another sink
//! reads. They are stored as dead letters are, each once; the sink's own offsets then go on.
//!
//! The sink itself is tried now and then, with what comes next. When that arrives it delivers again; what went to the
//! other sink stays there.

use std::time::Duration;

use tokio::time::Instant;

use super::dead_letter::DeadLetters;

/// The way out of a sink that does not deliver.
#[derive(Debug)]
pub struct Fallback {
    /// Stores the records for the other sink.
    pub letters: DeadLetters,
    /// How long nothing must have arrived.
    pub after: Duration,
}

/// Since when nothing arrives, and when the sink is tried next.
#[derive(Debug, Default)]
pub(super) struct Stuck {
    pub(super) since: Option<Instant>,
    pub(super) next_try: Option<Instant>,
}
