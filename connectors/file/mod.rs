//! Files: a source that follows them, a sink that writes them exactly once.
//!
//! The source is one thread: `follow` is its loop, `sight` finds the files and what they have become,
//! `resume` takes up what an earlier life left (`stored`), `walk` looks through folders, `watch` tells what may have
//! changed and `hear` goes after that, `links` knows what depends on which link, `rotation` keeps hold of those that are
//! renamed, `copies` of those that are copied and truncated, `turn` says when a file is read, `reading` reads it, and
//! `tail` is all that is known of it.

mod copies;
#[cfg(test)]
mod destroyed;
mod discover;
mod durable;
mod exact;
#[cfg(test)]
mod exactness;
mod flights;
mod follow;
mod handles;
mod hear;
mod identity;
#[cfg(test)]
mod killed;
mod links;
mod member;
mod names;
mod open_files;
mod page_cache;
mod patterns;
mod position;
mod probe;
mod reading;
mod reads;
mod rescue;
mod resume;
mod rotate;
mod rotation;
#[cfg(test)]
mod settings_tests;
mod siblings;
mod sight;
mod sink;
mod source;
mod stored;
mod tail;
mod tails;
mod taking_up;
#[cfg(test)]
mod tests;
mod turn;
mod waiting;
mod walk;
mod watch;

pub use member::Compression;
pub use probe::probe;
pub use reads::{Reads, places};
pub use rotate::{Rotate, RotateTime};
pub use sink::{FileSink, SinkConfig};
pub use source::{FileSource, ReadFrom, SourceConfig, WatchMode};
