//! The block `hub`: where records are kept.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

use anabranch_connectors::ByteSize;
use serde::{Deserialize, Deserializer, de};

use super::listener::{AclConfig, Listen, ListenerConfig};
use super::nearest::with_nearest;
use super::units;
use crate::auth::acl::Acls;
pub use crate::hub::embedded::Flush;

/// Where records are kept; the one key of the block names the kind.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HubConfig {
    /// The log in this process, under `data_dir`.
    Embedded(EmbeddedConfig),
    /// A Kafka cluster.
    Kafka(KafkaConfig),
}

impl Default for HubConfig {
    fn default() -> Self {
        Self::Embedded(EmbeddedConfig::default())
    }
}

/// The log in this process.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EmbeddedConfig {
    /// When appends reach the disk.
    pub flush: Flush,
    /// Room on the disk that is never used; below it appends wait.
    pub min_free: ByteSize,
    /// Size at which a segment is closed and the next begun.
    pub segment_size: ByteSize,
    /// Where clients of Kafka's protocol are answered, without TLS or passwords.
    pub listen: Listen,
    /// Further addresses for such clients, each with its own TLS and SASL.
    pub listeners: Vec<ListenerConfig>,
    /// What clients may do; empty without `super_users`: everything.
    pub acls: Vec<AclConfig>,
    /// Principals such as `User:admin` that may do everything.
    pub super_users: Vec<String>,
    /// Whether a topic is made when a client asks for it.
    pub auto_create_topics: bool,
    /// Most connections of clients at a time; further ones wait.
    pub max_connections: u32,
    /// Largest request of a client.
    pub max_request_size: ByteSize,
    /// Connections that are silent for so long are closed.
    #[serde(with = "humantime_serde")]
    pub idle_timeout: Duration,
    /// Shortest session timeout that a group's member may ask for.
    #[serde(with = "humantime_serde")]
    pub group_min_session_timeout: Duration,
}

impl Default for EmbeddedConfig {
    fn default() -> Self {
        Self {
            flush: Flush::default(),
            min_free: ByteSize::mib(256),
            segment_size: ByteSize::mib(128),
            listen: Listen::default(),
            listeners: Vec::new(),
            acls: Vec::new(),
            super_users: Vec::new(),
            auto_create_topics: true,
            max_connections: 1024,
            max_request_size: ByteSize::mib(100),
            idle_timeout: Duration::from_secs(600),
            group_min_session_timeout: Duration::from_secs(6),
        }
    }
}

impl EmbeddedConfig {
    /// The access control of the hub.
    pub(crate) fn access(&self) -> Acls {
        let rules = self.acls.iter().flat_map(AclConfig::rules).collect();
        Acls::new(rules, self.super_users.clone())
    }
}

impl FromStr for Flush {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "each" => Ok(Self::Each),
            "os" => Ok(Self::Os),
            interval => units::duration(interval).map(Self::Every).map_err(|_unread| {
                let problem = format!("\"{text}\" is not `each`, `os` or a duration such as 50ms");
                with_nearest(problem, text, &["each", "os"])
            }),
        }
    }
}

impl<'de> Deserialize<'de> for Flush {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        String::deserialize(input)?.parse().map_err(de::Error::custom)
    }
}

/// A Kafka cluster.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KafkaConfig {
    /// `host:port` of some of its brokers.
    pub bootstrap_servers: Vec<String>,
    /// Properties of librdkafka, such as `security.protocol`; they win over what the agent sets.
    #[serde(default)]
    pub options: BTreeMap<String, String>,
    /// Replicas of a topic that the agent creates; -1 leaves it to the brokers.
    #[serde(default = "KafkaConfig::default_replication_factor")]
    pub replication_factor: i32,
    /// Whether records and the positions of their sources are written in one transaction.
    #[serde(default = "KafkaConfig::default_transactional")]
    pub transactional: bool,
    /// The compacted topic that keeps the positions of sources.
    #[serde(default = "KafkaConfig::default_positions_topic")]
    pub positions_topic: String,
    /// Longest time that a transaction gathers before it is committed.
    #[serde(default = "KafkaConfig::default_commit_interval", with = "humantime_serde")]
    pub commit_interval: Duration,
}

impl KafkaConfig {
    const fn default_replication_factor() -> i32 {
        -1
    }

    const fn default_transactional() -> bool {
        true
    }

    fn default_positions_topic() -> String {
        "anabranch-positions".to_owned()
    }

    const fn default_commit_interval() -> Duration {
        Duration::from_millis(100)
    }

    /// A cluster at `bootstrap_servers`, with every default.
    #[must_use]
    pub fn new(bootstrap_servers: Vec<String>) -> Self {
        Self {
            bootstrap_servers,
            options: BTreeMap::new(),
            replication_factor: Self::default_replication_factor(),
            transactional: Self::default_transactional(),
            positions_topic: Self::default_positions_topic(),
            commit_interval: Self::default_commit_interval(),
        }
    }
}
