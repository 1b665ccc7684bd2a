//! Where readers stopped, so that one who reads on need not look for his batch.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::log::segment::Segment;

/// Places that are remembered of a partition, so that one who reads on need not look for his batch.
pub(super) const CURSORS: usize = 16;

/// Where a reader stopped.
#[derive(Debug, Clone)]
pub(crate) struct Cursor {
    pub(super) next_offset: i64,
    pub(super) segment: Arc<Segment>,
    pub(super) place: u64,
    /// The base offset of the batch there, if it is known. No sum covers it, but offsets follow each other without a
    /// gap.
    pub(super) base: Option<i64>,
}

impl Cursor {
    /// To read from `next_offset` on, at or behind `place`.
    pub(super) fn new(next_offset: i64, segment: Arc<Segment>, place: u64) -> Self {
        let base = (place == 0).then(|| segment.base_offset());
        Self { next_offset, segment, place, base }
    }
}

/// Keeps a place, instead of the oldest one when there are many.
pub(super) fn remember(cursors: &mut VecDeque<Cursor>, cursor: Cursor) {
    if cursors.len() == CURSORS {
        cursors.pop_front();
    }
    cursors.push_back(cursor);
}
