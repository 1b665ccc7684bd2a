//! The configuration: the whole tree as types. [`load`] reads and types it, [`check`] judges what is related.
//!
//! What stands outside `from` and `to` is defined here; what stands inside belongs to one connector and is defined
//! beside it. The name of a connector, or of a kind of hub, is the key of its block.

mod admin;
mod blocks;
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
mod place;
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
pub use blocks::Config;
pub use check::{Invalid, Level, check, open_to_all};
pub use error::{ConfigError, Mistake};
pub use hub::{EmbeddedConfig, Flush, HubConfig, KafkaConfig};
pub use listener::{
    AclConfig, Listen, ListenerConfig, Mechanism, Operation, PrincipalPart, SaslConfig, TlsConfig,
};
pub use load::{filled_in, load, load_checked, load_str};
pub use place::Place;
pub use producer::{Acks, Compression, Partitioner, ProducerConfig};
pub use sink::{BatchConfig, RetryConfig, SinkBlock, Start};
pub use source::SourceBlock;
pub use topic::{Cleanup, RetentionConfig, TopicConfig, WhenFull};
