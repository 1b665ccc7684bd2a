//! The way in: batches are encoded by who brings them, and appended by one thread.

pub(super) mod appender;
pub(super) mod command;
pub(super) mod encode;
mod internal;
pub(super) mod produce;
pub(super) mod queue;
pub(super) mod snapshots;
pub(super) mod writer;
