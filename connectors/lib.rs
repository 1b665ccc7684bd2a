//! The ends of Anabranch: what a connector is, and every one there is.
//!
//! A **source** turns bytes from somewhere into [`Batch`]es and hands them to its [`Emitter`]; the [`Receipt`] tells
//! it when the hub has them. A **sink** gets [`Records`] and says for each of them what became of it. Neither
//! knows the hub, retries, sleeps, or counts: the middle of the program does that once for all of them.
//!
//! To add a connector: its folder, one variant and one arm in [`registry`], a test, an example configuration.

pub mod clock;
mod counters;
pub mod document;
pub mod doubts;
pub mod elasticsearch;
pub mod file;
pub mod framing;
pub mod http;
pub mod memory;
pub mod registry;
pub mod secret;
pub mod shown;
pub mod sink;
pub mod source;
pub mod stdio;
pub mod stream;
pub mod syslog;
pub mod template;
pub mod units;

pub use memory::{Memory, Taken};
pub use registry::{BuildError, SinkConfig, SourceConfig};
pub use sink::{Outcome, Sink, WriteError, Written};
pub use source::{Emission, Emitter, Receipt, Source, SourceError};
pub use units::ByteSize;
