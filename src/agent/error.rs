//! Why the agent ended by itself.

use thiserror::Error;

use crate::hub::HubError;

/// Why the agent ended by itself.
#[derive(Debug, Error)]
pub enum AgentError {
    /// The hub cannot be opened.
    #[error("{0}")]
    Hub(#[from] HubError),
    /// The admin listener cannot be opened.
    #[error("{0}")]
    Admin(String),
    /// An address cannot be listened on.
    #[error("{0}")]
    Listen(String),
    /// A part of the program ended in a way that is our fault.
    #[error("{0}; this is a bug in anabranch")]
    Failed(String),
}
