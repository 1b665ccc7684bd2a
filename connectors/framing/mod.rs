//! Bytes → messages, shared by the sources that read streams.

pub mod lines;
