//! The ends of Anabranch: what a connector is, and every one there is.
//!
//! A **source** turns bytes from somewhere into batches ([`anabranch_record::Batch`]) and hands them to its [`Emitter`]; the
//! [`Receipt`] tells it when the hub has them. A **sink** gets [`anabranch_record::Records`] and says for each of them what
//! became of it. Neither knows the hub, retries, sleeps, or counts: the middle of the program does that once for all.
//!
//! To add a connector: its folder, its `mod` line, its line in [`registry`], an entry in the conformance suite, and its
//! line in README and in `config/full.yaml`.

pub mod contract;
pub mod registry;
pub mod shared;
pub mod sinks;
pub mod sources;

pub use contract::build::{BuildError, Surroundings};
pub use contract::emitter::{Emission, Emitter};
pub use contract::memory::{Memory, Taken};
pub use contract::receipt::Receipt;
pub use contract::sink::{Outcome, Sink, WriteError, Written};
pub use contract::source::{Source, SourceError};
pub use contract::units::ByteSize;
pub use registry::{SinkConfig, SourceConfig};
