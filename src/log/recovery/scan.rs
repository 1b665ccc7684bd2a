//! Finds the end of a segment after a crash, and rebuilds its index on the way.

use std::path::PathBuf;

use super::resync::{Damaged, resync};
use crate::log::partition::producers::Producers;
use crate::log::segment::Segment;
use crate::log::segment::index::Index;
use crate::log::{Damage, LogError};
use crate::wire::{BatchError, BatchHeader, HEADER_BYTES, is_commit};

/// Bytes read at once.
const CHUNK_BYTES: usize = 1 << 20;

/// What recovery found in a partition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Bytes that were read.
    pub scanned_bytes: u64,
    /// Where the torn tail was put (`None` when there was no room for it), and its bytes.
    pub torn: Option<(Option<PathBuf>, u64)>,
    /// Offsets that were known to be on disk and are not: first, and the one after the last.
    pub lost: Option<(i64, i64)>,
    /// Offsets that are damaged, or whose file is missing, with whole batches behind them.
    pub gaps: Vec<Damage>,
    /// The highest leader epoch that was seen; -1 when no batch was.
    pub epoch: i32,
}

/// Where a scan ended, and why.
#[derive(Debug, PartialEq, Eq)]
pub struct ScanEnd {
    /// Bytes of good batches before it.
    pub place: u64,
    /// Offset after the last good batch, if there was one.
    pub next_offset: Option<i64>,
    /// What ended it; `None` at the end of the file.
    pub fault: Option<BatchError>,
}

/// Verifies batch after batch from `place` on and shows each to `see` with its place and its bytes.
///
/// Offsets follow each other without a gap: a batch that does not begin where the one before it ended has a damaged
/// base offset, which no sum covers.
///
/// # Errors
/// [`LogError`] when the file cannot be read.
pub fn scan(
    segment: &Segment,
    mut place: u64,
    mut see: impl FnMut(&BatchHeader, u64, &[u8]),
) -> Result<ScanEnd, LogError> {
    let mut buffer = Vec::new();
    let mut next_offset = None;
    let mut expected = (place == 0).then(|| segment.base_offset());
    let mut want = CHUNK_BYTES;
    loop {
        buffer.clear();
        let got = segment.read_at(place, want, &mut buffer)?;
        if got == 0 {
            return Ok(ScanEnd { place, next_offset, fault: None });
        }
        let (used, fault) = scan_buffer(&buffer, &mut expected, |header, at, bytes| {
            next_offset = Some(header.next_offset());
            see(header, place + at, bytes);
        });
        place += used as u64;
        let at_end = place + (got - used) as u64 >= segment.size_bytes();
        match fault {
            Some(BatchError::Short { need, .. }) if !at_end => want = need.max(CHUNK_BYTES),
            Some(fault) => return Ok(ScanEnd { place, next_offset, fault: Some(fault) }),
            None => want = CHUNK_BYTES,
        }
    }
}

/// Whole good batches at the front of `buffer`: their bytes, and what is wrong with what follows.
fn scan_buffer(
    buffer: &[u8],
    expected: &mut Option<i64>,
    mut see: impl FnMut(&BatchHeader, u64, &[u8]),
) -> (usize, Option<BatchError>) {
    let mut used = 0;
    while let Some(rest) = buffer.get(used..).filter(|rest| !rest.is_empty()) {
        match BatchHeader::verify(rest) {
            Ok(header) if expected.is_some_and(|expected| header.base_offset != expected) => {
                let value = header.base_offset;
                return (used, Some(BatchError::Impossible { field: "base offset", value }));
            }
            Ok(header) => {
                see(&header, used as u64, rest.get(..header.size_bytes).unwrap_or_default());
                *expected = Some(header.next_offset());
                used += header.size_bytes;
            }
            Err(fault) => return (used, Some(fault)),
        }
    }
    (used, None)
}

/// Rebuilds the index of a segment and finds its end.
///
/// Damage below `recovery_point` (known to be on disk) is passed over and left for readers to report; the first fault
/// at or beyond it ends the segment when it is the `last` one: what follows is kept aside and cut off.
pub(crate) fn recover(
    segment: &Segment,
    recovery_point: i64,
    (last, hint): (bool, Option<&Index>),
    found: &mut Recovered,
    producers: &mut Producers,
) -> Result<i64, LogError> {
    let (mut place, mut next_offset) = (0, segment.base_offset());
    loop {
        let end = scan(segment, place, |header, at, bytes| {
            segment.note(header.base_offset, at, header.max_timestamp_ms);
            note(producers, header, bytes);
            found.epoch = found.epoch.max(header.epoch);
        })?;
        found.scanned_bytes += end.place - place;
        next_offset = end.next_offset.unwrap_or(next_offset);
        let Some(fault) = end.fault else { return Ok(next_offset) };
        let behind = if next_offset < recovery_point || !last {
            let (place, base) = (end.place, Some(next_offset));
            resync(Damaged { segment, place, base, offset: next_offset, hint })?
        } else {
            None
        };
        match behind {
            Some((good, offset)) => {
                if offset > next_offset {
                    let reason = segment.damage_at(end.place, &fault);
                    found.gaps.push(Damage::new(next_offset, offset, reason));
                }
                (place, next_offset) = (good, offset);
            }
            None if last => {
                let torn = segment.size_bytes() - end.place;
                found.torn = Some((segment.cut_torn(end.place)?, torn));
                return Ok(next_offset);
            }
            None => return Ok(next_offset),
        }
    }
}

/// Takes in what a batch says of its producer.
pub(crate) fn note(producers: &mut Producers, header: &BatchHeader, bytes: &[u8]) {
    let committed = if header.is_control() { is_commit(bytes) } else { None };
    producers.note_epoch(header);
    producers.note(header, committed);
}

/// Reads only the heads of a closed segment, for what they say of producers.
///
/// # Errors
/// [`LogError`] when the file cannot be read.
pub(crate) fn replay(segment: &Segment, producers: &mut Producers) -> Result<(), LogError> {
    let (mut place, mut head) = (0, Vec::new());
    loop {
        head.clear();
        // A marker's verdict stands right behind the head: a record of 17 bytes, and more for its time once compacted.
        segment.read_at(place, HEADER_BYTES + 32, &mut head)?;
        let Ok(header) = BatchHeader::parse(&head) else { return Ok(()) };
        note(producers, &header, &head);
        place += header.size_bytes as u64;
    }
}
