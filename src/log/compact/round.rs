//! One round of compaction: what it is to do, and what it has done.

use std::fmt;

/// How far a partition is compacted; kept for who schedules the rounds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Offset up to which it is compacted.
    pub clean_to: i64,
    /// When a tombstone or marker may go, ms; `None` when there is none, or before the first round of this life.
    pub horizon_ms: Option<i64>,
    /// Whether a round found damage.
    pub is_damaged: bool,
    /// Whether the last round failed.
    pub is_failing: bool,
}

/// What one round of compaction is to do.
#[derive(Clone, Copy)]
pub struct Compaction<'a> {
    /// Offset up to which the partition has been compacted.
    pub from: i64,
    /// Only closed segments below this offset are touched; no transaction may be open below it.
    pub limit: i64,
    /// The present time, ms.
    pub now_ms: i64,
    /// How long tombstones stay, ms.
    pub delete_retention_ms: i64,
    /// Keys that are noted at most.
    pub keys_max: usize,
    /// Asked for each batch whether to give up.
    pub stop: &'a dyn Fn() -> bool,
}

/// What one round has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compacted {
    /// Offset up to which the partition is compacted now.
    pub clean_to: i64,
    /// Bytes of the segments before.
    pub bytes_before: u64,
    /// Bytes of the segments that are left of them.
    pub bytes_after: u64,
    /// When the next tombstone or marker may go, ms.
    pub horizon_ms: Option<i64>,
}

impl fmt::Debug for Compaction<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, limit, .. } = self;
        out.debug_struct("Compaction")
            .field("from", from)
            .field("limit", limit)
            .finish_non_exhaustive()
    }
}
