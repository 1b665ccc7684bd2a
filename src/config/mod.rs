//! The configuration: the whole tree as types. [`load`] reads and types it, [`check`] judges what is related.
//!
//! What stands outside `from` and `to` is defined here; what stands inside belongs to one connector and is defined
//! beside it. The name of a connector, or of a kind of hub, is the key of its block.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anabranch_connectors::ByteSize;
use serde::Deserialize;

mod admin;
mod check;
mod document;
mod error;
mod fault;
mod foreign;
#[cfg(test)]
mod full;
mod hub;
mod listener;
mod load;
mod locate;
mod mistakes;
mod nearest;
mod places;
mod producer;
mod sink;
mod source;
mod substitute;
mod syntax;
mod topic;
mod tree;
mod typed;
mod units;

pub use admin::{AdminConfig, ApiListen, LogConfig, LogFormat};
pub use check::{Invalid, Level, check, open_to_all};
pub use error::{ConfigError, Mistake, Place};
pub use hub::{EmbeddedConfig, Flush, HubConfig, KafkaConfig};
pub use listener::{
    AclConfig, Listen, ListenerConfig, Mechanism, Operation, PrincipalPart, SaslConfig, TlsConfig,
};
pub use load::{filled_in, load, load_checked, load_str};
pub use producer::{Acks, Compression, Partitioner, ProducerConfig};
pub use sink::{BatchConfig, RetryConfig, SinkBlock, Start};
pub use source::SourceBlock;
pub use topic::{Cleanup, RetentionConfig, TopicConfig, WhenFull};

/// A whole configuration.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The only folder where state is kept.
    pub data_dir: PathBuf,
    /// Memory of the process; `None` (written `auto`) takes two thirds of the container's limit, or a quarter of the machine's
    /// memory, and at most 1 GiB.
    #[serde(deserialize_with = "units::size_or_auto")]
    pub memory: Option<ByteSize>,
    /// Where records are kept.
    pub hub: HubConfig,
    /// What a topic is like whose own block does not say otherwise.
    pub topic_defaults: TopicConfig,
    /// Topics by name; what a block leaves out it has from `topic_defaults`.
    pub topics: BTreeMap<String, TopicConfig>,
    /// How records are gathered, compressed and appended.
    pub producer: ProducerConfig,
    /// Sources by name.
    pub sources: BTreeMap<String, SourceBlock>,
    /// Sinks by name; the name is the consumer group.
    pub sinks: BTreeMap<String, SinkBlock>,
    /// Health, metrics and the API.
    pub admin: AdminConfig,
    /// What the agent says about itself.
    pub log: LogConfig,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from("./data"),
            memory: None,
            hub: HubConfig::default(),
            topic_defaults: TopicConfig::default(),
            topics: BTreeMap::new(),
            producer: ProducerConfig::default(),
            sources: BTreeMap::new(),
            sinks: BTreeMap::new(),
            admin: AdminConfig::default(),
            log: LogConfig::default(),
        }
    }
}

impl Config {
    /// The settings of the topic `name`: its own block, or `topic_defaults`.
    #[must_use]
    pub fn topic(&self, name: &str) -> &TopicConfig {
        self.topics.get(name).unwrap_or(&self.topic_defaults)
    }
}
