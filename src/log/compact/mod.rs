//! Compaction: of each key only the last record stays; offsets never change.
//!
//! A round reads what is new since the last one (`from`), notes the last offset of each key until its memory is used
//! up, and then writes all closed segments up to there anew, from the first one on. Rules:
//!
//! - A record goes when a later one of its key was noted. One without a key stays.
//! - A record of an aborted transaction goes. The marker that ends a transaction goes as a tombstone does, once
//!   nothing of its transaction is left.
//! - A tombstone (a record without value) stays for `delete_retention_ms` after the round that first met it: that time
//!   becomes the base timestamp of its batch, with bit 6 of the attributes (KIP-534).
//! - A batch that loses records keeps its head but for length, count, latest time and sum. One that loses all becomes
//!   a *hole*: a batch without records over the same offsets; holes side by side become one. The last batch of a
//!   producer stays without records, so that its sequence is known when the hints are lost.
//!
//! Segments are merged while they fit into one. The new segment is written aside (`<base>.log.cleaned`), synced, and
//! renamed over the first of those that it replaces; then the others are deleted. A kill before the rename leaves the
//! old segments, and a file that [`settle`] removes at the next start; a kill behind it leaves old segments whose
//! offsets lie in the new one, and `settle` removes them. The index of the old segment is deleted before the rename.
//! Readers that hold an old segment look the next offset up anew.
//!
//! Limits: a damaged or missing segment ends the round with an error; what is before it may be compacted.
//!
//! Source: Kafka documentation, "Log Compaction"; KIP-534.

mod batches;
mod cleaner;
mod group;
mod keys;
mod leftovers;
mod round;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::log::segment::Segment;
use crate::log::{LogError, Partition};
use batches::Batches;
use cleaner::{Aborts, Cleaner, plain_frames};
use group::Group;
pub(crate) use keys::KEYS_MAX;
use keys::Keys;
pub(super) use leftovers::settle;
use parking_lot::MutexGuard;
pub use round::{Compacted, Compaction, Progress};

impl Partition {
    /// How far it is compacted.
    pub fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock()
    }

    /// Closed segments that lie wholly below `limit`, and the offset behind them.
    #[must_use]
    pub fn closed_below(&self, limit: i64) -> (Vec<Arc<Segment>>, i64) {
        let mut segments = self.segments();
        let bases: Vec<i64> = segments.iter().map(|segment| segment.base_offset()).collect();
        let count = bases.iter().skip(1).take_while(|next| **next <= limit).count();
        segments.truncate(count);
        (segments, bases.get(count).copied().unwrap_or(0))
    }

    /// Does one round; `None` when it was told to stop. There must be no other at work on this partition.
    ///
    /// # Errors
    /// [`LogError`] when a file cannot be read or written, or is damaged. Nothing is lost then.
    pub fn compact(&self, round: &Compaction<'_>) -> Result<Option<Compacted>, LogError> {
        let (mut segments, end) = self.closed_below(round.limit);
        let round = &Compaction { from: round.from.min(end), ..*round };
        let aborts = Aborts::new(self.producers().aborted(0, i64::MAX));
        let Some((keys, clean_to)) = note_keys(&segments, &aborts, round, end)? else {
            return Ok(None);
        };
        segments.retain(|segment| segment.base_offset() < clean_to);
        let last_batches = self.producers().last_batches();
        let mut cleaner = Cleaner::new(*round, keys, clean_to, (aborts, last_batches));
        let bytes_before: u64 = segments.iter().map(|segment| segment.size_bytes()).sum();
        let mut bytes_after = 0;
        let mut group: Option<Group<'_>> = None;
        for segment in segments {
            if let Some(full) = group.take_if(|group| !group.has_room_for(&segment)) {
                bytes_after += full.finish(&mut cleaner)?;
            }
            let open = match &mut group {
                Some(open) => open,
                none => match Group::begin(self, segment.base_offset())? {
                    Some(begun) => none.insert(begun),
                    None => return Ok(None),
                },
            };
            if !open.take(segment, &mut cleaner)? {
                return Ok(None);
            }
        }
        if let Some(last) = group {
            bytes_after += last.finish(&mut cleaner)?;
        }
        let horizon_ms = cleaner.horizon_ms();
        Ok(Some(Compacted { clean_to, bytes_before, bytes_after, horizon_ms }))
    }
}

/// Notes the keys from `from` on; gives the offset behind the last batch that was noted, `None` when told to stop.
fn note_keys(
    segments: &[Arc<Segment>],
    aborts: &Aborts,
    round: &Compaction<'_>,
    end: i64,
) -> Result<Option<(Keys, i64)>, LogError> {
    let (mut keys, mut plain) = (Keys::default(), Vec::new());
    let behind = segments.partition_point(|segment| segment.base_offset() <= round.from);
    for segment in segments.get(behind.saturating_sub(1)..).unwrap_or_default() {
        let mut batches = Batches::new(segment);
        while let Some((header, bytes)) = batches.next()? {
            if (round.stop)() {
                return Ok(None);
            }
            let is_old = header.next_offset() <= round.from;
            if is_old || header.count == 0 || header.is_control() || aborts.contain(&header) {
                continue;
            }
            let count = usize::try_from(header.count).unwrap_or(usize::MAX);
            if keys.len() > 0 && keys.len().saturating_add(count) > round.keys_max {
                return Ok(Some((keys, header.base_offset)));
            }
            for frame in plain_frames(&header, bytes, &mut plain).unwrap_or_default() {
                if let Some(key) = frame.key {
                    keys.note(key, header.base_offset.saturating_add(frame.offset_delta));
                }
            }
        }
    }
    Ok(Some((keys, end)))
}
