//! Places of groups, and what there is of topics and groups.

use anabranch_record::TopicPartition;

/// What is on the disk when a commit returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lasting {
    /// What the configuration says.
    AsConfigured,
    /// The offsets and the state: the sink is about to touch what nothing but these tell of.
    Offsets,
    /// All that was appended before, and then those: what is forgotten next must not be missed after a power cut.
    Everything,
}

/// A group's place in one partition: the next offset to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offset {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The next offset to read.
    pub offset: i64,
    /// The leader epoch of the record before it; -1 when unknown.
    pub epoch: i32,
}

impl Offset {
    /// That place in a partition.
    #[must_use]
    pub fn of(place: &TopicPartition, offset: i64, epoch: i32) -> Self {
        let TopicPartition { topic, partition } = place.clone();
        Self { topic, partition, offset, epoch }
    }
}

/// A topic as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicInfo {
    /// Its name.
    pub name: String,
    /// Its partitions, by number.
    pub partitions: Vec<PartitionInfo>,
}

/// A partition as it is now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PartitionInfo {
    /// First offset that is kept.
    pub start: i64,
    /// Offset after the last record.
    pub end: i64,
    /// Bytes on disk; `None` when the hub does not tell.
    pub bytes: Option<u64>,
}

/// A group and its committed offsets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupInfo {
    /// Its name.
    pub name: String,
    /// What it has committed.
    pub offsets: Vec<Offset>,
}
