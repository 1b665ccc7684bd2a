//! House is kept: flushes, checkpoints, retention, compaction, room on the disk, and what the disk does.

pub(super) mod compactor;
pub(super) mod keeper;
pub(super) mod scrubber;
mod trouble;
