//! Why a client could not do what it was asked to, and which names it is refused.

use thiserror::Error;

use crate::hub::HubError;
use crate::topic_name::{INTERNAL, PARTITIONS_MAX, name_fault};

/// Why a client could not do what it was asked to.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ClientError {
    /// The hub said no.
    #[error(transparent)]
    Hub(#[from] HubError),
    /// The hub does not have the record, and will not by itself.
    #[error("not stored: {0}")]
    NotStored(String),
    /// The record was not stored within `delivery_timeout`; what the hub said last.
    #[error("the record was not stored within the delivery timeout: {0}")]
    TimedOut(String),
    /// A topic cannot have so many partitions.
    #[error("a topic has 1 to {PARTITIONS_MAX} partitions, not {0}")]
    Partitions(u32),
    /// A header's name is one of those that the hub keeps for itself.
    #[error("header \"{0}\" is reserved; choose a name that does not begin with `__anabranch.`")]
    ReservedHeader(String),
    /// A topic's name cannot be one.
    #[error(
        "\"{0}\" cannot be a topic; use 1 to 249 letters, digits, dots, dashes and underscores"
    )]
    TopicName(String),
    /// A topic that the hub keeps for itself.
    #[error("topic \"{0}\" belongs to the hub itself; choose a name that does not begin with `__`")]
    Internal(String),
    /// No such partition.
    #[error("topic \"{topic}\" has {partitions} partitions; there is no partition {partition}")]
    NoPartition {
        /// The topic.
        topic: String,
        /// What was asked for.
        partition: i32,
        /// How many there are.
        partitions: u32,
    },
    /// A value could not be turned into bytes, or bytes into a value.
    #[error("cannot {what}: {cause}")]
    Format {
        /// What was tried.
        what: &'static str,
        /// Why it did not work.
        cause: String,
    },
    /// What was asked of a pattern of topics is wrong.
    #[error("{0}")]
    Pattern(String),
    /// The producer was closed.
    #[error("the producer is closed")]
    Closed,
}

/// Whether a topic can have that name: Kafka's rule.
#[must_use]
pub fn is_topic_name(name: &str) -> bool {
    name_fault(name).is_none()
}

/// # Errors
/// [`ClientError::TopicName`] and [`ClientError::Internal`] when clients must not write to that topic.
pub(super) fn check_topic(name: &str) -> Result<(), ClientError> {
    if !is_topic_name(name) {
        return Err(ClientError::TopicName(name.to_owned()));
    }
    if name.starts_with(INTERNAL) {
        return Err(ClientError::Internal(name.to_owned()));
    }
    Ok(())
}
