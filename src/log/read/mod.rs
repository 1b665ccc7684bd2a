//! Ways to read a partition: batch by batch, as it lies, beside its owner, and by reference.

pub(super) mod cursor;
pub(super) mod extent;
mod peek;
pub(super) mod raw;
pub(super) mod reader;
