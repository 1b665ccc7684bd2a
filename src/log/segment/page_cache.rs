//! Keeps the log from filling the page cache: what is on disk and behind all readers leaves memory.

use crate::log::Partition;

impl Partition {
    /// Lets go of the memory that holds what is on disk and before `offset`: nobody is expected to read it again soon,
    /// and its pages serve better for what is appended. Gives the bytes that were let go.
    pub fn leave_memory(&self, offset: i64) -> u64 {
        let offset = offset.min(self.flushed());
        let (before, active) = {
            let segments = self.segments.read();
            let mut newest = segments.iter().rev().cloned();
            let active = newest.next();
            (newest.next(), active)
        };
        let Some(active) = active else { return 0 };
        let before = before.filter(|_| active.base_offset() <= offset);
        before.map_or(0, |before| before.leave_memory(before.size_bytes()))
            + active.leave_memory(active.look_up(|index| index.before_offset(offset)))
    }
}
