//! How a source learns what became of a batch.

use thiserror::Error;
use tokio::sync::oneshot;

/// Where the first record of a batch is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored {
    /// The partition of the first record.
    pub partition: i32,
    /// Its offset; -1 when the hub does not tell (`acks: 0`).
    pub offset: i64,
}

/// The hub does not have the records, and will not.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("not stored: {0}")]
pub struct NotStored(pub String);

/// The agent is stopping; the batch was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the agent is stopping")]
pub struct Closed;

/// Resolves when the hub has the records as durably as configured, or never will.
#[derive(Debug)]
pub struct Receipt(pub(crate) oneshot::Receiver<Result<Stored, NotStored>>);

impl Receipt {
    /// Waits for the hub. Only after `Ok` may a source answer its far side.
    ///
    /// # Errors
    /// [`NotStored`] when the producer gave up or stopped.
    pub async fn stored(self) -> Result<Stored, NotStored> {
        self.0.await.unwrap_or_else(|_gone| Err(NotStored("the agent is stopping".to_owned())))
    }

    /// What is known now: `None` while it is under way.
    pub fn poll(&mut self) -> Option<Result<Stored, NotStored>> {
        match self.0.try_recv() {
            Ok(settled) => Some(settled),
            Err(oneshot::error::TryRecvError::Empty) => None,
            Err(oneshot::error::TryRecvError::Closed) => {
                Some(Err(NotStored("the agent is stopping".to_owned())))
            }
        }
    }
}
