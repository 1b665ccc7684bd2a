//! What must still be so at the moment at which a batch is stored.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It is so.
    Holds,
    /// It is not, and will not be again: the batch must not be stored.
    Failed(String),
    /// Nobody can tell now; the batch must not be stored before somebody can.
    NotKnown(String),
}

/// A question that a hub to which several agents write asks before it stores a batch for good, when everything is ready
/// for it: whether who sent the batch may still do so. A hub that one process alone writes to need not ask.
#[derive(Clone)]
pub struct Condition(Arc<Inner>);

struct Inner {
    question: Box<dyn Fn() -> Answer + Send + Sync>,
    failed: AtomicBool,
}

impl Condition {
    /// A condition that is asked for by `question`, which may block.
    #[must_use]
    pub fn new(question: impl Fn() -> Answer + Send + Sync + 'static) -> Self {
        Self(Arc::new(Inner { question: Box::new(question), failed: AtomicBool::new(false) }))
    }

    /// Asks, and remembers when it does not hold.
    #[must_use]
    pub fn ask(&self) -> Answer {
        let answer = (self.0.question)();
        if matches!(answer, Answer::Failed(_)) {
            self.0.failed.store(true, Ordering::Release);
        }
        answer
    }

    /// Whether it was asked for and did not hold: what was sent under it is not stored.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.0.failed.load(Ordering::Acquire)
    }
}

impl fmt::Debug for Condition {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Condition").field("failed", &self.has_failed()).finish_non_exhaustive()
    }
}
