//! One block of `sinks`.

use std::str::FromStr;
use std::time::Duration;

use anabranch_connectors::{ByteSize, SinkConfig};
use serde::{Deserialize, Deserializer, de};

use super::nearest::with_nearest;

/// One sink: what the agent does around it, and in `to` the connector itself.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SinkBlock {
    /// Names of topics; what begins with `^` is a regular expression over names.
    pub topics: Vec<String>,
    /// Where a group begins that has committed nothing yet.
    #[serde(default)]
    pub start: Start,
    /// Deliveries of the group, side by side; at least 1.
    #[serde(default = "SinkBlock::default_concurrency")]
    pub concurrency: u32,
    /// How batches are cut.
    #[serde(default)]
    pub batch: BatchConfig,
    /// What happens when the far side does not take it.
    #[serde(default)]
    pub retry: RetryConfig,
    /// Whether records that it will never take go to the topic `<sink>.dlq`; otherwise they are counted and left out.
    #[serde(default = "SinkBlock::default_dead_letters")]
    pub dead_letters: bool,
    /// Longest time between a delivery and the commit of its offsets.
    #[serde(default = "SinkBlock::default_commit_interval", with = "humantime_serde")]
    pub commit_interval: Duration,
    /// Another sink, which gets the records that this one could not deliver for a while.
    #[serde(default)]
    pub fallback: Option<FallbackConfig>,
    /// The connector.
    pub to: SinkConfig,
}

impl SinkBlock {
    const fn default_concurrency() -> u32 {
        1
    }

    const fn default_dead_letters() -> bool {
        true
    }

    const fn default_commit_interval() -> Duration {
        Duration::from_millis(500)
    }

    /// A sink of `topics` with every default.
    #[must_use]
    pub fn new(topics: Vec<String>, to: SinkConfig) -> Self {
        Self {
            topics,
            start: Start::default(),
            concurrency: Self::default_concurrency(),
            batch: BatchConfig::default(),
            retry: RetryConfig::default(),
            dead_letters: Self::default_dead_letters(),
            commit_interval: Self::default_commit_interval(),
            fallback: None,
            to,
        }
    }
}

/// Where records go that a sink cannot deliver.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FallbackConfig {
    /// The other sink.
    pub sink: String,
    /// How long nothing must have arrived before that.
    #[serde(default = "FallbackConfig::default_after", with = "humantime_serde")]
    pub after: Duration,
}

impl FallbackConfig {
    const fn default_after() -> Duration {
        Duration::from_secs(600)
    }
}

/// Where a group begins that has committed nothing yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Start {
    /// `earliest`: at the oldest record that is kept.
    #[default]
    Earliest,
    /// `latest`: at what comes next.
    Latest,
    /// A time such as `2026-11-20T08:00:00Z`: at the first record not older; in ms since 1970.
    At(i64),
}

impl FromStr for Start {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "earliest" => Ok(Self::Earliest),
            "latest" => Ok(Self::Latest),
            time => time.parse::<jiff::Timestamp>().map(|at| Self::At(at.as_millisecond())).map_err(
                |_no_time| {
                    let problem = format!(
                        "\"{text}\" is not `earliest`, `latest` or a time such as 2026-11-20T08:00:00Z"
                    );
                    with_nearest(problem, text, &["earliest", "latest"])
                },
            ),
        }
    }
}

impl<'de> Deserialize<'de> for Start {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        String::deserialize(input)?.parse().map_err(de::Error::custom)
    }
}

/// How batches are cut: whichever limit is reached first.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BatchConfig {
    /// Most records in a batch.
    pub max_records: u32,
    /// Most bytes of values in a batch.
    pub max_bytes: ByteSize,
    /// Longest wait for a batch to fill; 0s takes what is there.
    #[serde(with = "humantime_serde")]
    pub linger: Duration,
}

impl Default for BatchConfig {
    fn default() -> Self {
        Self { max_records: 10_000, max_bytes: ByteSize::mib(4), linger: Duration::ZERO }
    }
}

/// What happens when the far side does not take it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RetryConfig {
    /// First wait; it doubles, with jitter.
    #[serde(with = "humantime_serde")]
    pub backoff: Duration,
    /// Longest wait.
    #[serde(with = "humantime_serde")]
    pub backoff_max: Duration,
    /// How often one record may come back while others arrive before it counts as dead; 0 is for ever. A far side that
    /// is away or takes nothing counts nothing.
    pub attempts: u32,
    /// How many records may be refused in a row, with fewer than one in twenty arriving, before the sink waits for
    /// something to arrive; 0 is for ever.
    pub dead_in_a_row: u64,
}

impl Default for RetryConfig {
    fn default() -> Self {
        Self {
            backoff: Duration::from_millis(100),
            backoff_max: Duration::from_secs(30),
            attempts: 30,
            dead_in_a_row: 100,
        }
    }
}
