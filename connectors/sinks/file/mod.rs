//! Writes files, each record exactly once.

mod config;
mod connector;
mod durable;
mod member;
mod names;
mod open_files;
mod page_cache;
mod probe;
mod rescue;
mod resume;
mod rotate;
mod settle;
mod sink;
mod state;
#[cfg(test)]
mod tests;
mod which;

pub use config::SinkConfig;
pub use member::Compression;
pub use rotate::{Rotate, RotateTime};
pub use sink::FileSink;

/// What files are called elsewhere.
const ALSO: &[&str] = &["files", "tail", "log", "logs", "filestream", "filelog", "logfile"];
