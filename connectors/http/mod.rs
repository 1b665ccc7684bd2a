//! HTTP: a source that takes events, a sink that posts batches.

mod sink;
pub mod source;

pub use sink::{HttpSink, SinkConfig, probe};
pub use source::{HttpSource, SourceConfig};
