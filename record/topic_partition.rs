//! What names a partition.

use std::fmt;

/// A topic and the number of one of its partitions: `<topic>-<partition>`, as Kafka calls its folder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicPartition {
    /// The topic.
    pub topic: String,
    /// The number, from 0.
    pub partition: i32,
}

impl TopicPartition {
    /// That one.
    #[must_use]
    pub fn new(topic: impl Into<String>, partition: i32) -> Self {
        Self { topic: topic.into(), partition }
    }

    /// Whether it is that one.
    #[must_use]
    pub fn is(&self, topic: &str, partition: i32) -> bool {
        self.partition == partition && self.topic == topic
    }

    /// From the name of a folder.
    #[must_use]
    pub fn parse(folder: &str) -> Option<Self> {
        let (topic, partition) = folder.rsplit_once('-')?;
        let partition = partition.parse().ok().filter(|number| *number >= 0)?;
        Some(Self { topic: topic.to_owned(), partition })
    }
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}-{}", self.topic, self.partition)
    }
}
