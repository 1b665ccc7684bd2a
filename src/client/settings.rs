//! How clients work; the names are those of Kafka's clients.

use std::time::Duration;

use anabranch_record::TopicPartition;

use super::ClientError;
use crate::config::{Acks, Compression};
use crate::hub::{StartAt, TopicSelector};

/// How a producer gathers, and how sure it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProducerSettings {
    /// What the hub must have done before a record counts as stored. Belongs to the connection.
    pub acks: Acks,
    /// How batches are compressed. Belongs to the connection.
    pub compression: Compression,
    /// How often it is tried again to find or make a topic; the hub itself repeats appends.
    pub retries: u32,
    /// Longest wait of a record for others to share its batch; zero does not wait.
    pub linger: Duration,
    /// Most bytes of a batch.
    pub batch_size: usize,
    /// Most bytes under way; when they are used up, [`super::Producer::send`] waits.
    pub buffer_memory: usize,
    /// Most batches under way at once.
    pub max_in_flight: usize,
    /// Longest time from `send` to its outcome; a record that is later may still be stored.
    pub delivery_timeout: Duration,
}

impl Default for ProducerSettings {
    fn default() -> Self {
        Self {
            acks: Acks::All,
            compression: Compression::Lz4,
            retries: 2_147_483_647,
            linger: Duration::from_millis(5),
            batch_size: 1 << 20,
            buffer_memory: 64 << 20,
            max_in_flight: 5,
            delivery_timeout: Duration::from_secs(120),
        }
    }
}

/// What a consumer reads, and how its progress is kept.
#[derive(Debug, Clone)]
pub struct ConsumerSettings {
    pub(super) group: String,
    pub(super) topics: Vec<TopicSelector>,
    pub(super) assigned: Option<Vec<TopicPartition>>,
    pub(super) start: StartAt,
    pub(super) auto_commit: Option<Duration>,
    pub(super) max_poll_records: usize,
}

impl ConsumerSettings {
    /// A member of `group`, that reads nothing yet. It begins at the oldest record where the group has committed
    /// nothing, commits every 5 s what was polled, and gets at most 500 records a poll.
    ///
    /// With an empty name it reads without a group: it begins where [`Self::start`] says and commits nothing.
    #[must_use]
    pub fn new(group: &str) -> Self {
        Self {
            group: group.to_owned(),
            topics: Vec::new(),
            assigned: None,
            start: StartAt::Earliest,
            auto_commit: Some(Duration::from_secs(5)),
            max_poll_records: 500,
        }
    }

    /// Reads these topics too; one that begins with `^` is a regular expression over names.
    ///
    /// # Errors
    /// [`ClientError::Pattern`] when a pattern is none, [`ClientError::TopicName`] when a name cannot be one.
    pub fn subscribe(mut self, topics: &[&str]) -> Result<Self, ClientError> {
        for topic in topics {
            if !topic.starts_with('^') && !super::is_topic_name(topic) {
                return Err(ClientError::TopicName((*topic).to_owned()));
            }
            self.topics.push(TopicSelector::parse(topic).map_err(ClientError::Pattern)?);
        }
        Ok(self)
    }

    /// Reads this partition, whatever other members of the group read.
    #[must_use]
    pub fn assign(mut self, topic: &str, partition: i32) -> Self {
        self.assigned.get_or_insert_default().push(TopicPartition::new(topic, partition));
        self
    }

    /// Begins there where the group has committed nothing.
    #[must_use]
    pub const fn start(mut self, start: StartAt) -> Self {
        self.start = start;
        self
    }

    /// Commits what was polled at least so often, at the next poll; `None` leaves it to [`super::Consumer::commit`].
    #[must_use]
    pub const fn auto_commit(mut self, interval: Option<Duration>) -> Self {
        self.auto_commit = interval;
        self
    }

    /// How often what was polled is committed by itself.
    pub(super) fn commits(&self) -> Option<Duration> {
        self.auto_commit.filter(|_| !self.group.is_empty())
    }

    /// Gives at most so many records a poll.
    #[must_use]
    pub const fn max_poll_records(mut self, records: usize) -> Self {
        self.max_poll_records = records;
        self
    }
}
