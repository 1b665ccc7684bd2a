//! Files: a source that follows them, a sink that writes them exactly once.

mod exact;
#[cfg(test)]
mod exactness;
#[cfg(test)]
mod killed;
mod member;
mod names;
mod open_files;
mod rotate;
mod sink;
mod source;

pub use member::Compression;
pub use rotate::{Rotate, RotateTime};
pub use sink::{FileSink, SinkConfig, probe};
pub use source::{FileSource, SourceConfig};
