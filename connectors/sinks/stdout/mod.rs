//! Writes standard output.

mod sink;

pub use sink::{SinkConfig, StdoutSink};
