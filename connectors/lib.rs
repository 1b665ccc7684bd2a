//! The ends of Anabranch: what a connector is, and every one there is.
//!
//! A **source** turns bytes from somewhere into [`Batch`]es and hands them to its [`Emitter`]; the [`Receipt`] tells
//! it when the hub has them. A **sink** gets [`Records`] and says for each of them what became of it. Neither
//! knows the hub, retries, sleeps, or counts: the middle of the program does that once for all of them.
//!
//! To add a connector: its folder, one variant and one arm in [`registry`], a test, an example configuration.

mod amount;
pub mod batch;
#[cfg(test)]
mod batch_tests;
pub mod chain;
pub mod clock;
pub mod condition;
mod counters;
mod cut;
pub mod document;
pub mod doubts;
pub mod elasticsearch;
pub mod file;
pub mod framing;
pub mod header;
pub mod http;
pub mod memory;
pub mod origin;
pub mod pool;
pub mod records;
pub mod registry;
pub mod secret;
pub mod selection;
pub mod shown;
pub mod sink;
pub mod source;
pub mod stdio;
pub mod stream;
pub mod syslog;
pub mod template;
pub mod units;
pub mod varint;

pub use amount::Amount;
pub use batch::{Batch, Position, Record};
pub use chain::Chain;
pub use condition::Condition;
pub use header::Headers;
pub use memory::{Memory, Taken};
pub use pool::{Buffer, Pool};
pub use records::{StoredBatch, StoredRecord, Topic};
pub use registry::{BuildError, SinkConfig, SourceConfig};
pub use selection::Records;
pub use sink::{Outcome, Sink, WriteError, Written};
pub use source::{Emission, Emitter, Receipt, Source, SourceError};
pub use units::ByteSize;
