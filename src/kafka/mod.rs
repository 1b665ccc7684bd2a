//! A small blocking client of Kafka's protocol, for writing: encoded record batches go to the leaders of their
//! partitions, idempotent and in transactions. It knows `wire` and nothing above.
//!
//! Everything happens on the caller's thread. Absent: reading, groups and administration, which are librdkafka's.

mod batch;
mod cluster;
mod code;
mod codec;
mod connection;
mod entry;
mod error;
mod messages;
mod options;
mod place;
mod produce;
mod producer;
#[cfg(test)]
mod producer_tests;
mod reach;
mod sasl;
mod scram;
mod sequences;
mod socket;
mod tls;
mod transaction;

pub use crate::scram::Hash;
pub use batch::{Batch, State};
pub use code::Code;
pub use error::Error;
pub use messages::Identity;
pub use options::{Options, Patience};
pub use place::Place;
pub use producer::{Goal, Producer, ProducerSettings};
pub use reach::reach;
pub use sasl::{Mechanism, Sasl};
pub use tls::{Tls, TlsSettings};
