//! The name of a partition, and of its folder.

use std::fmt;

/// A partition's name: its folder is `<topic>-<partition>`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartitionName {
    /// The topic.
    pub topic: String,
    /// The number, from 0.
    pub partition: i32,
}

impl PartitionName {
    /// From the name of a folder.
    #[must_use]
    pub fn parse(folder: &str) -> Option<Self> {
        let (topic, partition) = folder.rsplit_once('-')?;
        let partition = partition.parse().ok().filter(|number| *number >= 0)?;
        Some(Self { topic: topic.to_owned(), partition })
    }
}

impl fmt::Display for PartitionName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}-{}", self.topic, self.partition)
    }
}
