//! What a source is.

use async_trait::async_trait;
use thiserror::Error;
use tokio_util::sync::CancellationToken;

use super::build::BuildError;
use super::emitter::Emitter;
use super::receipt::Closed;

/// Brings records in from somewhere.
#[async_trait]
pub trait Source: Send {
    /// Runs until `stop`, or until there is nothing more to read. What was read is handed to `emitter`; a far side
    /// that waits for an answer gets it when the [`Receipt`](super::receipt::Receipt) resolves.
    ///
    /// Blocking work goes to `tokio::task::spawn_blocking`, which is awaited before returning. On `stop` the source
    /// takes nothing more in and returns at once; receipts that are still open settle without it.
    ///
    /// # Errors
    /// [`SourceError`] when it cannot go on; the agent shows it on `/health`, and starts the source again later.
    async fn run(
        self: Box<Self>,
        emitter: Emitter,
        stop: CancellationToken,
    ) -> Result<(), SourceError>;
}

/// Why a source stopped by itself.
#[derive(Debug, Error)]
pub enum SourceError {
    /// The far end or the system said no.
    #[error("{what}: {cause}; {hint}")]
    Failed {
        /// What was tried, and where.
        what: String,
        /// What the system said.
        cause: String,
        /// What a person can do.
        hint: &'static str,
    },
    /// The agent is stopping.
    #[error("the agent is stopping")]
    Closed,
}

/// A file that a setting names.
impl From<BuildError> for SourceError {
    fn from(BuildError { setting, problem, hint }: BuildError) -> Self {
        Self::Failed { what: setting.to_owned(), cause: problem, hint }
    }
}

impl From<Closed> for SourceError {
    fn from(_: Closed) -> Self {
        Self::Closed
    }
}
