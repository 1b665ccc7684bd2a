//! How a command ends when it does not end well.

use std::io::{self, ErrorKind};
use std::process::ExitCode;

use super::excerpt::{has_colours, print_faults, print_line};
use crate::client::ClientError;
use crate::config::{ConfigError, Level};
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
    /// The configuration is wrong: exit code 2.
    Config(Box<ConfigError>),
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
            // It says itself where it stands.
            other @ (Self::Config(_) | Self::Unread) => other,
        }
    }

    /// Says on standard error what happened, and gives the exit code.
    pub(super) fn report(self) -> ExitCode {
        let (code, what) = match self {
            Self::Unread => return ExitCode::SUCCESS,
            Self::Config(error) => {
                let errors = io::stderr();
                let colours = has_colours(&errors);
                // Without a standard error there is nobody to tell.
                print_faults(&error, &mut errors.lock(), colours).ok();
                return ExitCode::from(2);
            }
            Self::Failed(what) => (ExitCode::FAILURE, what),
            Self::Wrong(what) => (ExitCode::from(2), what),
        };
        complain(&what);
        code
    }
}

/// Says on standard error what is wrong, a line each.
pub(super) fn complain(problem: &str) {
    let errors = io::stderr();
    let colours = has_colours(&errors);
    for line in problem.lines() {
        // Without a standard error there is nobody to tell.
        print_line(&mut errors.lock(), Level::Error, line, colours).ok();
    }
}

/// Says on standard error what the user should know while the command goes on.
pub(super) fn warn(what: &str) {
    // Without a standard error there is nobody to tell.
    let errors = io::stderr();
    let colours = has_colours(&errors);
    print_line(&mut errors.lock(), Level::Warning, &format!("warning: {what}"), colours).ok();
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == ErrorKind::BrokenPipe {
            return Self::Unread;
        }
        Self::Failed(format!("cannot print: {error}"))
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::Config(Box::new(error))
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
            | ClientError::NoPartition { .. }
            | ClientError::Partitions(_) => Self::Wrong(error.to_string()),
            ClientError::Hub(_)
            | ClientError::NotStored(_)
            | ClientError::TimedOut(_)
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
