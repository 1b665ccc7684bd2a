//! What can go wrong between this process and a cluster.

use std::{fmt, io};

use thiserror::Error;

use super::code::Code;

/// Why the cluster did not do what it was asked to.
#[derive(Debug, Error)]
pub enum Error {
    /// A broker cannot be reached, or a connection to it broke.
    #[error("broker {address}: {cause}")]
    Broken {
        /// The broker, `host:port`.
        address: String,
        /// What happened.
        cause: String,
    },
    /// A broker let nobody in with these credentials.
    #[error("broker {address} does not accept the credentials: {cause}")]
    Credentials {
        /// The broker, `host:port`.
        address: String,
        /// Its words.
        cause: String,
    },
    /// A broker's answer is an error.
    #[error("{what}: {code}")]
    Refused {
        /// What was asked for.
        what: String,
        /// The answer.
        code: Code,
    },
    /// Some batches were not stored; each says why.
    #[error("{0}")]
    NotStored(String),
    /// Not done within its time; the last trouble is quoted.
    #[error("not done in time: {0}")]
    TooLate(String),
    /// The one who waits has no more time.
    #[error("the agent is stopping")]
    Stopped,
    /// A setting cannot be used.
    #[error("{0}")]
    Setting(String),
}

impl Error {
    pub(super) fn broken(address: &str, cause: &dyn fmt::Display) -> Self {
        Self::Broken { address: address.to_owned(), cause: cause.to_string() }
    }

    /// Whether it may be tried again as it was, perhaps at another broker.
    pub(super) fn is_retriable(&self) -> bool {
        match self {
            Self::Broken { .. } | Self::Credentials { .. } => true,
            Self::Refused { code, .. } => code.is_retriable(),
            Self::NotStored(_) | Self::TooLate(_) | Self::Stopped | Self::Setting(_) => false,
        }
    }

    /// The answer was that another request is still being worked on, which is no trouble.
    pub(super) fn is_passing(&self) -> bool {
        matches!(self, Self::Refused { code: Code::CONCURRENT_TRANSACTIONS, .. })
    }
}

/// Whether a read or write only ran into the short time that one call may take.
pub(super) fn is_pause(error: &io::Error) -> bool {
    use io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
    matches!(error.kind(), Interrupted | TimedOut | WouldBlock)
}
