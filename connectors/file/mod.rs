//! Files: a source that follows them, a sink that writes them exactly once.

mod sink;
mod source;

pub use sink::{FileSink, SinkConfig, probe};
pub use source::{FileSource, SourceConfig};
