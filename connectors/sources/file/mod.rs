//! Follows files: every line once, in order, whatever happens to them.
//!
//! It is one thread: `follow` is its loop, `sight` finds the files and what they have become,
//! `resume` takes up what an earlier life left (`stored`), `walk` looks through folders, `watch` tells what may have
//! changed and `hear` goes after that, `links` knows what depends on which link, `rotation` keeps hold of those that are
//! renamed, `copies` of those that are copied and truncated, `turn` says when a file is read, `reading` reads it, and
//! `tail` is all that is known of it.

mod config;
mod connector;
mod copies;
mod discover;
mod flights;
mod follow;
mod follower;
mod handles;
mod hear;
mod heard;
mod identity;
mod links;
mod patterns;
mod position;
mod read;
mod reading;
mod reads;
mod refused;
mod resume;
mod rotation;
mod settings;
mod siblings;
mod sight;
mod source;
mod stored;
mod tail;
mod tails;
#[cfg(test)]
mod tests;
mod turn;
mod under_way;
mod waiting;
mod walk;
mod watch;

pub use config::{ReadFrom, SourceConfig, WatchMode};
pub use source::FileSource;
