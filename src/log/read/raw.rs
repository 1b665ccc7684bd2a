//! Reads a partition as it lies: whole batches, byte for byte, for those who decode themselves.

use std::sync::Arc;

use super::cursor::{Cursor, remember};
use crate::log::recovery::resync::{Damaged, resync};
use crate::log::{Extent, LogError, Partition};
use crate::wire::{BatchError, BatchHeader};

/// Bytes that are read to find a batch.
const LOOK_BYTES: usize = 64 << 10;

/// How much a read may give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Bytes at most.
    pub bytes: usize,
    /// Whether the first batch comes whatever its size, so that a reader gets on.
    pub one_at_least: bool,
}

impl Room {
    /// So many bytes, or one batch that is larger.
    #[must_use]
    pub const fn at_least_one(bytes: usize) -> Self {
        Self { bytes, one_at_least: true }
    }

    /// Whether `size` more bytes may come after `taken`.
    const fn has(self, taken: usize, size: usize) -> bool {
        (taken == 0 && self.one_at_least) || taken.saturating_add(size) <= self.bytes
    }
}

/// What a read gave.
#[derive(Debug, Clone, Default)]
pub struct RawRead {
    /// Offset behind the last batch; the one that was asked for when there is none.
    pub next_offset: i64,
    /// Bytes of whole batches.
    pub bytes: usize,
    /// Records that cannot be read and were passed over.
    pub lost: i64,
    /// Where they lie, when they lie together.
    pub extent: Option<Extent>,
}

impl Partition {
    /// Appends whole batches from the one that holds `offset` on to `out`: as many as there is `room` for, and none that
    /// begins at or behind `limit`. Each batch's sum is checked; what is damaged is passed over and counted.
    ///
    /// # Errors
    /// [`LogError`] when the files cannot be read.
    pub fn read_raw(
        &self,
        offset: i64,
        room: Room,
        limit: i64,
        out: &mut Vec<u8>,
    ) -> Result<RawRead, LogError> {
        let mut read = RawRead { next_offset: offset, ..RawRead::default() };
        let Some(mut at) = self.cursor(offset) else { return Ok(read) };
        while read.next_offset < limit && (read.bytes == 0 || read.bytes < room.bytes) {
            let left = at.segment.size_bytes().saturating_sub(at.place);
            if left == 0 {
                let Some((segment, place)) = self.find_after(&at.segment, read.next_offset) else {
                    break;
                };
                at = Cursor::new(read.next_offset, segment, place);
                continue;
            }
            let before = read.bytes;
            let from = read.next_offset;
            if !take(&mut at, from, (room, limit), &mut read, out)? {
                break;
            }
            if read.bytes == before && at.place >= at.segment.size_bytes() {
                continue;
            }
        }
        read.extent = read.extent.take().filter(|extent| extent.bytes() == read.bytes);
        if read.bytes > 0 {
            at.next_offset = read.next_offset;
            remember(&mut self.cursors.lock(), at);
        }
        Ok(read)
    }

    fn cursor(&self, offset: i64) -> Option<Cursor> {
        let mut cursors = self.cursors.lock();
        cursors.retain(|cursor| !cursor.segment.is_replaced());
        let known = cursors.iter().position(|cursor| cursor.next_offset == offset);
        if let Some(known) = known {
            return cursors.remove(known);
        }
        drop(cursors);
        let (segment, place) = self.find(offset)?;
        Some(Cursor::new(offset, segment, place))
    }
}

/// Reads one piece of a segment; `false` when nothing more fits.
fn take(
    at: &mut Cursor,
    offset: i64,
    (room, limit): (Room, i64),
    read: &mut RawRead,
    out: &mut Vec<u8>,
) -> Result<bool, LogError> {
    let start = out.len();
    let want = room.bytes.saturating_sub(read.bytes).max(LOOK_BYTES);
    at.segment.read_at(at.place, want, out)?;
    let (mut used, mut keep_from) = (0, 0);
    loop {
        let rest = out.get(start + used..).unwrap_or_default();
        match BatchHeader::verify(rest) {
            Ok(header) if at.base.is_some_and(|base| base != header.base_offset) => {
                finish(at, read, out, (start, keep_from, used));
                return pass_damage(at, offset.max(read.next_offset), read);
            }
            Ok(header) if header.base_offset >= limit => {
                finish(at, read, out, (start, keep_from, used));
                return Ok(false);
            }
            Ok(header) if header.next_offset() <= offset => {
                at.base = Some(header.next_offset());
                used += header.size_bytes;
                keep_from = used;
            }
            Ok(header) => {
                let taken = used - keep_from + read.bytes;
                if !room.has(taken, header.size_bytes) {
                    finish(at, read, out, (start, keep_from, used));
                    return Ok(false);
                }
                used += header.size_bytes;
                read.next_offset = header.next_offset();
                at.base = Some(read.next_offset);
            }
            Err(BatchError::Short { need, .. })
                if !rest.is_empty() && need as u64 > left(at, used) =>
            {
                // Only whole batches count as there, so it is the length that is wrong.
                finish(at, read, out, (start, keep_from, used));
                return pass_damage(at, offset.max(read.next_offset), read);
            }
            Err(BatchError::Short { need, .. }) => {
                if used == 0 && need > want {
                    // One large batch: it is read whole, if it is wanted at all.
                    if !room.has(read.bytes, need) {
                        out.truncate(start);
                        return Ok(false);
                    }
                    out.truncate(start);
                    if at.segment.read_at(at.place, need, out)? < need {
                        out.truncate(start);
                        return Ok(false);
                    }
                    continue;
                }
                let stuck = used == 0;
                finish(at, read, out, (start, keep_from, used));
                return Ok(!stuck);
            }
            Err(_damage) => {
                finish(at, read, out, (start, keep_from, used));
                return pass_damage(at, offset.max(read.next_offset), read);
            }
        }
    }
}

/// Bytes of the segment behind those that were used.
fn left(at: &Cursor, used: usize) -> u64 {
    at.segment.size_bytes().saturating_sub(at.place + used as u64)
}

/// Keeps the batches that are wanted in `out` and moves the cursor behind them.
fn finish(
    at: &mut Cursor,
    read: &mut RawRead,
    out: &mut Vec<u8>,
    (start, keep_from, used): (usize, usize, usize),
) {
    out.truncate(start + used);
    if keep_from > 0 {
        out.drain(start..start + keep_from);
    }
    let (place, kept) = (at.place + keep_from as u64, used - keep_from);
    if kept > 0 {
        match &mut read.extent {
            Some(extent) => extent.extend(&at.segment, place, (kept, read.next_offset)),
            None if read.bytes == 0 => {
                let segment = Arc::clone(&at.segment);
                read.extent = Some(Extent::new(segment, place, (kept, read.next_offset)));
            }
            None => {}
        }
    }
    read.bytes += kept;
    at.place += used as u64;
}

fn pass_damage(at: &mut Cursor, from: i64, read: &mut RawRead) -> Result<bool, LogError> {
    let damaged =
        Damaged { segment: &at.segment, place: at.place, base: at.base, offset: from, hint: None };
    match resync(damaged)? {
        Some((place, next)) => {
            (at.place, at.base) = (place, Some(next));
            read.lost += (next - from).max(0);
        }
        None => at.place = at.segment.size_bytes(),
    }
    Ok(read.bytes == 0)
}
