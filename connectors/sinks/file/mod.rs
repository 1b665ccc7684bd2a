//! Writes files, each record exactly once.

mod durable;
mod member;
mod names;
mod open_files;
mod page_cache;
mod probe;
mod rescue;
mod resume;
mod rotate;
mod sink;
mod state;
#[cfg(test)]
mod tests;

pub use member::Compression;
pub use probe::probe;
pub use rotate::{Rotate, RotateTime};
pub use sink::{FileSink, SinkConfig};
