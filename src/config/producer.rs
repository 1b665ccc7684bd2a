//! The block `producer`: how records are gathered, compressed and appended. Settings have the names of Kafka's clients.

use std::str::FromStr;
use std::time::Duration;

use anabranch_connectors::ByteSize;
use serde::{Deserialize, Deserializer, de};

use super::nearest::with_nearest;
use super::units;
pub use crate::hub::Acks;
pub use crate::producer::Partitioner;
use crate::wire::Codec;

/// How records are gathered, compressed and appended.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ProducerConfig {
    /// What the hub must have done before a source is told that its records are stored.
    pub acks: Acks,
    /// How often an append is tried again.
    pub retries: u32,
    /// First wait before an append is tried again; it doubles, with jitter.
    #[serde(with = "humantime_serde")]
    pub retry_backoff: Duration,
    /// Longest wait before an append is tried again.
    #[serde(with = "humantime_serde")]
    pub retry_backoff_max: Duration,
    /// Longest time from a record's arrival to its append; `None` (written `never`) does not give up.
    #[serde(deserialize_with = "units::duration_or_never")]
    pub delivery_timeout: Option<Duration>,
    /// Longest wait of a record for others to share its batch.
    #[serde(with = "humantime_serde")]
    pub linger: Duration,
    /// Most bytes of a batch, before compression.
    pub batch_size: ByteSize,
    /// Most bytes of sources that are under way; then sources wait. `None` (written `auto`) takes an eighth of `memory`, and at
    /// most 64 MiB.
    #[serde(deserialize_with = "units::size_or_auto")]
    pub buffer_memory: Option<ByteSize>,
    /// How batches are compressed.
    pub compression: Compression,
    /// Level of the compression; `None` (written `default`) takes the codec's own.
    #[serde(deserialize_with = "units::number_or_default")]
    pub compression_level: Option<i32>,
    /// Most appends of a partition under way at once; 1 to 5 with `idempotence`.
    pub max_in_flight: u32,
    /// Which partition a record goes to.
    pub partitioner: Partitioner,
    /// Whether the hub drops what was sent twice. Off by itself when `acks` is not `all`.
    pub idempotence: bool,
    /// Threads that gather and compress; 0 takes one for each core.
    pub workers: u32,
}

impl Default for ProducerConfig {
    fn default() -> Self {
        Self {
            acks: Acks::All,
            retries: 2_147_483_647,
            retry_backoff: Duration::from_millis(100),
            retry_backoff_max: Duration::from_secs(10),
            delivery_timeout: None,
            linger: Duration::from_millis(5),
            batch_size: ByteSize::mib(1),
            buffer_memory: None,
            compression: Compression::Lz4,
            compression_level: None,
            max_in_flight: 5,
            partitioner: Partitioner::Default,
            idempotence: true,
            workers: 0,
        }
    }
}

impl FromStr for Acks {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "0" => Ok(Self::None),
            "1" => Ok(Self::Leader),
            "all" | "-1" => Ok(Self::All),
            _ => Err(with_nearest(format!("\"{text}\" is not 0, 1 or all"), text, &["all"])),
        }
    }
}

impl<'de> Deserialize<'de> for Acks {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        String::deserialize(input)?.parse().map_err(de::Error::custom)
    }
}

/// How batches are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Compression {
    /// Not at all.
    None,
    /// Widely known, slow.
    Gzip,
    /// Fast.
    Snappy,
    /// Fastest.
    #[default]
    Lz4,
    /// Smallest for its speed.
    Zstd,
}

impl Compression {
    /// The codec of record batches that it names.
    #[must_use]
    pub const fn codec(self) -> Codec {
        match self {
            Self::None => Codec::None,
            Self::Gzip => Codec::Gzip,
            Self::Snappy => Codec::Snappy,
            Self::Lz4 => Codec::Lz4,
            Self::Zstd => Codec::Zstd,
        }
    }
}
