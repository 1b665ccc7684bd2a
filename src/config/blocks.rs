//! The whole tree: all blocks of a configuration.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anabranch_connectors::ByteSize;
use serde::Deserialize;

use super::admin::{AdminConfig, LogConfig};
use super::hub::HubConfig;
use super::producer::ProducerConfig;
use super::sink::SinkBlock;
use super::source::SourceBlock;
use super::topic::TopicConfig;
use super::units;

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
