//! The library's way to a hub: [`Producer`], [`Consumer`] and [`Admin`], the same on the embedded log and on Kafka.
//!
//! ```no_run
//! # async fn example() -> Result<(), anabranch::ClientError> {
//! use anabranch::{Connection, Message, Producer, ProducerSettings};
//!
//! let hub = anabranch::connect(Connection::Embedded("./data".into())).await?;
//! let producer = Producer::new(&hub, ProducerSettings::default())?;
//! let stored = producer.send(Message::new("events").key("user-7").value("signed in")).await?;
//! assert_eq!(stored.topic, "events");
//! producer.close().await;
//! hub.close().await;
//! # Ok(())
//! # }
//! ```

mod admin;
mod connect;
mod consumer;
mod error;
mod message;
mod producer;
mod sending;
mod serializer;
mod settings;
#[cfg(test)]
mod tests;
mod worker;

pub use admin::{Admin, GroupDescription, PartitionProgress};
pub(crate) use connect::kafka_settings;
pub use connect::{Connection, HubHandle, connect, connect_with};
pub use consumer::{ConsumedRecord, Consumer};
pub use error::{ClientError, is_topic_name};
pub use message::{Message, RecordMetadata};
pub use producer::Producer;
pub use serializer::{Json, MessagePack, Raw, Serializer, Text};
pub use settings::{ConsumerSettings, ProducerSettings};
