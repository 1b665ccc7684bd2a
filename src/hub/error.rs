//! Why a hub did not do what it was asked to.

use thiserror::Error;

/// Why the hub could not do what it was asked to.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum HubError {
    /// It may work later.
    #[error("{0}")]
    NotNow(String),
    /// No such topic.
    #[error("topic \"{0}\" does not exist; `anabranch topics list` shows those that do")]
    UnknownTopic(String),
    /// The topic is there already.
    #[error("topic \"{0}\" exists already")]
    Exists(String),
    /// The group has gone on without this member: what it has read is read again by whoever has the partitions now.
    #[error("{0}")]
    Moved(String),
    /// Only a person can help.
    #[error("{0}")]
    Fatal(String),
}

impl HubError {
    /// Who reads without a group has no progress to store.
    pub(crate) fn without_group() -> Self {
        Self::Fatal("a consumer without a group cannot commit; give it a group".to_owned())
    }

    /// A consumer does not read that partition.
    pub(crate) fn not_read(topic: &str, partition: i32) -> Self {
        Self::NotNow(format!(
            "topic \"{topic}\", partition {partition} is not read by this consumer"
        ))
    }

    /// The hub's threads are ending, or have ended.
    pub(crate) fn closing() -> Self {
        Self::NotNow("the hub is closing".to_owned())
    }
}
