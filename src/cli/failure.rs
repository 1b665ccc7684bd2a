//! How a command ends when it does not end well.

use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

use crate::client::ClientError;
use crate::hub::HubError;

/// What a command returns.
pub(super) type Done = Result<(), Failure>;

/// How a command ended.
#[derive(Debug)]
pub(super) enum Failure {
    /// It failed: exit code 1.
    Failed(String),
    /// The configuration or the arguments are wrong: exit code 2. Lines that say what.
    Wrong(String),
    /// Nobody reads what it prints any more (`| head`): exit code 0.
    Unread,
}

impl Failure {
    pub(super) fn failed(what: impl Into<String>) -> Self {
        Self::Failed(what.into())
    }

    pub(super) fn wrong(what: impl Into<String>) -> Self {
        Self::Wrong(what.into())
    }

    /// The same with the place where it happened before it.
    pub(super) fn within(self, place: &str) -> Self {
        match self {
            Self::Failed(what) => Self::Failed(format!("{place}: {what}")),
            Self::Wrong(what) => Self::Wrong(format!("{place}: {what}")),
            Self::Unread => Self::Unread,
        }
    }

    /// Says on standard error what happened, and gives the exit code.
    pub(super) fn report(self) -> ExitCode {
        let (code, what) = match self {
            Self::Unread => return ExitCode::SUCCESS,
            Self::Failed(what) => (ExitCode::FAILURE, what),
            Self::Wrong(what) => (ExitCode::from(2), what),
        };
        complain(&what);
        code
    }
}

/// Says on standard error what is wrong, a line each; warnings among them say themselves that they are.
pub(super) fn complain(problem: &str) {
    let mut errors = io::stderr().lock();
    for line in problem.lines() {
        let kind = if line.contains(": warning: ") { "" } else { "error: " };
        // Without a standard error there is nobody to tell.
        writeln!(errors, "{kind}{line}").ok();
    }
}

/// Says on standard error what the user should know while the command goes on.
pub(super) fn warn(what: &str) {
    // Without a standard error there is nobody to tell.
    writeln!(io::stderr(), "warning: {what}").ok();
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == ErrorKind::BrokenPipe {
            return Self::Unread;
        }
        Self::Failed(format!("cannot print: {error}"))
    }
}

impl From<HubError> for Failure {
    fn from(error: HubError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        match &error {
            ClientError::TopicName(_)
            | ClientError::Internal(_)
            | ClientError::ReservedHeader(_)
            | ClientError::Pattern(_)
            | ClientError::NoPartition { .. } => Self::Wrong(error.to_string()),
            ClientError::Hub(_)
            | ClientError::NotStored(_)
            | ClientError::TimedOut
            | ClientError::Format { .. }
            | ClientError::Closed => Self::Failed(error.to_string()),
        }
    }
}

impl From<crate::log::LogError> for Failure {
    fn from(error: crate::log::LogError) -> Self {
        Self::Failed(error.to_string())
    }
}
