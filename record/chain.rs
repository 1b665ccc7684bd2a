//! What holds batches together of which each builds on the one before.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Batches of one stream that count only one behind the other: once one of them is not stored, none behind it is.
///
/// A position says that everything before it is stored. It is read off before that is known of the batches that are
/// still on their way, so it must not be stored without them. The source begins another chain when it reads again.
///
/// Invariant: whoever does not store a batch lets its chain fail before a later batch of the chain is looked at.
#[derive(Debug, Clone, Default)]
pub struct Chain(Arc<AtomicBool>);

impl Chain {
    /// One of its batches is not stored.
    pub fn fail(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Whether no more of its batches are to be stored.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}
