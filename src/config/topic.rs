//! The blocks `topics` and `topic_defaults`: partitions, and how long records are kept.

use std::time::Duration;

use anabranch_connectors::ByteSize;
use serde::{Deserialize, Deserializer};

use super::units;
pub use crate::hub::embedded::{Cleanup, WhenFull};

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
            cleanup: Cleanup::DELETE,
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

/// `delete`, `compact`, or `compact,delete`.
impl<'de> Deserialize<'de> for Cleanup {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "snake_case")]
        enum Policy {
            Delete,
            Compact,
            #[serde(rename = "compact,delete")]
            Both,
        }
        Ok(match Policy::deserialize(input)? {
            Policy::Delete => Self::DELETE,
            Policy::Compact => Self::COMPACT,
            Policy::Both => Self::COMPACT_AND_DELETE,
        })
    }
}
