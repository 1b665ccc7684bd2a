//! Standard input and output.

mod sink;
mod source;

pub use sink::{SinkConfig, StdoutSink};
pub use source::{SourceConfig, StdinSource};
