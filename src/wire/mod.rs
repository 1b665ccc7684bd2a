//! Kafka's bytes: record batches and their codecs. No I/O, no async, no clock.
//!
//! Absent here: topics, files, sockets; who stores or sends the bytes.

pub mod batch_header;
pub mod builder;
mod codec;
pub mod compression;
mod control;
mod lz4_frame;
mod snappy_frame;

pub use batch_header::{BatchError, BatchHeader, HEADER_BYTES, SUMMED_FROM};
pub use builder::{Builder, Stamp};
pub use codec::{Codec, CompressionError};
pub use control::{is_commit, marker};
