//! The way out: what members of groups read of the log of this process.

pub(super) mod consumer;
pub(crate) mod decode;
pub(super) mod fetchers;
pub(super) mod partition_reader;
pub(super) mod times;
