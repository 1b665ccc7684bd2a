//! How the embedded hub keeps things.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use crate::hub::Acks;
use crate::hub::embedded::groups::coordinator::Limits;
use crate::wire::Codec;

/// When what was appended is made durable, and so what a power cut can cost; a crash of the process costs nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flush {
    /// One `fdatasync` for all waiting appends, and receipts wait for it: nothing can be lost.
    Each,
    /// At least so often: at most this much can be lost.
    Every(Duration),
    /// When the system writes back by itself: about 30 s can be lost.
    Os,
}

impl Default for Flush {
    fn default() -> Self {
        Self::Every(Duration::from_millis(50))
    }
}

/// What happens when a topic has reached its hard size and a sink has not read its oldest records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhenFull {
    /// Appends to the topic wait.
    #[default]
    Block,
    /// The oldest segment goes, and what a group loses by it is counted.
    DropOldest,
}

/// How one topic is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicSettings {
    /// Partitions when it is made.
    pub partitions: u32,
    /// Records older than this go, if every sink has read them.
    pub retention_time: Option<Duration>,
    /// Bytes of a partition beyond which the oldest go, if every sink has read them.
    pub retention_size: Option<u64>,
    /// Bytes of a partition that are never passed.
    pub hard_size: Option<u64>,
    /// What happens there.
    pub when_full: WhenFull,
    /// Bytes of a segment.
    pub segment_size: u64,
    /// What happens to old records; both are possible.
    pub cleanup: Cleanup,
    /// Largest batch that a client may send, bytes.
    pub max_message_bytes: usize,
    /// Whether records get the time of their append instead of their own.
    pub append_time: bool,
    /// How far before now a record's own time may lie, ms.
    pub timestamp_before_ms: i64,
    /// How far behind now a record's own time may lie, ms.
    pub timestamp_after_ms: i64,
    /// The codec that every batch is stored with; `None` keeps what the producer chose.
    pub compression: Option<Codec>,
    /// How long a tombstone stays in a compacted topic.
    pub delete_retention: Duration,
    /// Of a thousand closed bytes of a compacted topic, how many must not have been compacted before it is done.
    pub min_dirty_per_mille: u16,
    /// Records of a compacted topic that are younger than this stay.
    pub min_compaction_lag: Duration,
    /// Records of a compacted topic that are older than this are compacted, however few they are.
    pub max_compaction_lag: Option<Duration>,
    /// The active segment of a compacted topic is closed at this age.
    pub segment_time: Duration,
}

/// What happens to old records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cleanup {
    /// They go by age and size.
    pub delete: bool,
    /// Only the last record of each key stays.
    pub compact: bool,
}

impl Cleanup {
    /// By age and size.
    pub const DELETE: Self = Self { delete: true, compact: false };
    /// The last of each key.
    pub const COMPACT: Self = Self { delete: false, compact: true };
    /// The last of each key, by age and size.
    pub const COMPACT_AND_DELETE: Self = Self { delete: true, compact: true };
}

/// By age and size.
impl Default for Cleanup {
    fn default() -> Self {
        Self::DELETE
    }
}

impl Default for TopicSettings {
    fn default() -> Self {
        Self {
            partitions: 1,
            retention_time: Some(Duration::from_secs(7 * 24 * 3600)),
            retention_size: Some(10 << 30),
            hard_size: None,
            when_full: WhenFull::Block,
            segment_size: 128 << 20,
            cleanup: Cleanup::DELETE,
            max_message_bytes: 1_048_588,
            append_time: false,
            timestamp_before_ms: i64::MAX,
            timestamp_after_ms: 3_600_000,
            compression: None,
            delete_retention: Duration::from_secs(24 * 3600),
            min_dirty_per_mille: 500,
            min_compaction_lag: Duration::ZERO,
            max_compaction_lag: None,
            segment_time: Duration::from_secs(7 * 24 * 3600),
        }
    }
}

/// How the hub is kept.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The data folder; made when it is not there.
    pub data_dir: PathBuf,
    /// When appends are made durable.
    pub flush: Flush,
    /// Appends wait while the disk has less room than this, bytes.
    pub min_free: u64,
    /// Whose acknowledgement makes a record stored.
    pub acks: Acks,
    /// Batches that may wait for the writer.
    pub max_in_flight: usize,
    /// Codec and level of what this process appends.
    pub compression: (Codec, Option<i32>),
    /// For topics that are not named.
    pub topic_defaults: TopicSettings,
    /// Topics by name; made when the hub opens.
    pub topics: BTreeMap<String, TopicSettings>,
    /// Groups that have a sink in this process, and what they read: retention waits for them.
    pub groups: Vec<(String, Vec<crate::hub::TopicSelector>)>,
    /// Shortest session of a member on a socket.
    pub group_min_session_timeout: Duration,
    /// Bytes of an internal topic after which it is written anew.
    pub internal_max_bytes: u64,
}

impl Settings {
    /// Defaults, in that data folder.
    #[must_use]
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            flush: Flush::Every(Duration::from_millis(50)),
            min_free: 256 << 20,
            acks: Acks::All,
            max_in_flight: 5,
            compression: (Codec::Lz4, None),
            topic_defaults: TopicSettings::default(),
            topics: BTreeMap::new(),
            groups: Vec::new(),
            group_min_session_timeout: Duration::from_secs(6),
            internal_max_bytes: 16 << 20,
        }
    }

    /// What members of groups may ask for.
    pub(crate) fn group_limits(&self) -> Limits {
        let shortest = self.group_min_session_timeout.as_millis();
        Limits {
            session_timeout_min_ms: i32::try_from(shortest).unwrap_or(i32::MAX),
            session_timeout_max_ms: 1_800_000,
            initial_rebalance_delay_ms: 10,
            group_size_max: 10_000,
        }
    }

    /// How `topic` is kept.
    #[must_use]
    pub fn topic(&self, topic: &str) -> &TopicSettings {
        self.topics.get(topic).unwrap_or(&self.topic_defaults)
    }
}
