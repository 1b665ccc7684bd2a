//! The blocks `topics` and `topic_defaults`: partitions, and how long records are kept.

use std::time::Duration;

use anabranch_connectors::ByteSize;
use serde::Deserialize;

use super::units;

/// One topic.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TopicConfig {
    /// Number of partitions; at least 1. More of them let more deliveries of one group work side by side.
    pub partitions: u32,
    /// How long records are kept.
    pub retention: RetentionConfig,
    /// What happens to old records.
    pub cleanup: Cleanup,
    /// Size at which a segment is closed; `None` (written `default`) leaves it to the hub.
    #[serde(deserialize_with = "units::size_or_default")]
    pub segment_size: Option<ByteSize>,
}

impl Default for TopicConfig {
    fn default() -> Self {
        Self {
            partitions: 1,
            retention: RetentionConfig::default(),
            cleanup: Cleanup::Delete,
            segment_size: None,
        }
    }
}

/// How long records are kept. A limit of `None` is written `none`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RetentionConfig {
    /// Longest age of a record.
    #[serde(deserialize_with = "units::duration_or_none")]
    pub time: Option<Duration>,
    /// Most bytes of one partition.
    #[serde(deserialize_with = "units::size_or_none")]
    pub size: Option<ByteSize>,
    /// Most bytes of one partition while a sink has not read them yet.
    #[serde(deserialize_with = "units::size_or_none")]
    pub hard_size: Option<ByteSize>,
    /// What happens past `hard_size`.
    pub when_full: WhenFull,
}

impl Default for RetentionConfig {
    fn default() -> Self {
        Self {
            time: Some(Duration::from_secs(7 * 24 * 60 * 60)),
            size: Some(ByteSize::gib(10)),
            hard_size: None,
            when_full: WhenFull::Block,
        }
    }
}

/// What happens to records that a sink has not read, past `hard_size`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhenFull {
    /// Sources wait.
    #[default]
    Block,
    /// The oldest go, counted for each group.
    DropOldest,
}

/// What happens to old records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cleanup {
    /// They are deleted by age and size.
    #[default]
    Delete,
    /// The last record of each key is kept.
    Compact,
    /// The last record of each key is kept, until it is deleted by age and size.
    #[serde(rename = "compact,delete")]
    CompactAndDelete,
}
