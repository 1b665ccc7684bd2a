//! Anabranch: collects logs and events, keeps them once in a durable hub, and lets any number of systems read them
//! at their own pace.

pub mod admin;
pub mod agent;
pub mod auth;
pub mod bench;
pub mod broker;
pub mod cli;
pub mod client;
pub mod config;
pub mod delivery;
pub mod hub;
pub mod kafka;
pub mod ledger;
pub mod log;
pub mod metrics;
pub mod producer;
pub mod retry;
mod scram;
pub mod streams;
pub mod tasks;
mod topic_name;
pub mod wire;

pub use anabranch_connectors as connectors;
pub use anabranch_record as record;
pub use client::{
    Admin, ClientError, Connection, ConsumedRecord, Consumer, ConsumerSettings, GroupDescription,
    HubHandle, Json, Message, MessagePack, PartitionProgress, Producer, ProducerSettings, Raw,
    RecordMetadata, Serializer, Text, connect, connect_with, is_topic_name,
};
pub use config::{Acks, Compression};
pub use hub::{HubError, Lag, Offset, PartitionInfo, StartAt, TopicInfo};
