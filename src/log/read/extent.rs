//! Batches where they lie in a file, for those who hand them on without looking at them.
//!
//! Only what was appended in this life of the process is given so: it was whole and its sums were right when it came.
//! Everything else is read and checked (see [`Partition::read_raw`]), and is given so then.

use std::num::NonZeroU64;
use std::sync::Arc;

use rustix::fs::{Advice, fadvise};

use super::cursor::{Cursor, remember};
use crate::log::segment::Segment;
use crate::log::{LogError, Partition};

/// Bytes between the places that are looked at to see whether all is in the page cache; less than is read ahead.
const LOAD_STEP: usize = 64 << 10;

/// Whole batches, end to end, in one file. It stays readable when the segment is deleted.
#[derive(Debug, Clone)]
pub struct Extent {
    segment: Arc<Segment>,
    place: u64,
    bytes: usize,
    next_offset: i64,
}

impl Extent {
    /// Batches that were read at `place`, and checked.
    pub(super) const fn new(
        segment: Arc<Segment>,
        place: u64,
        (bytes, next_offset): (usize, i64),
    ) -> Self {
        Self { segment, place, bytes, next_offset }
    }

    /// Takes in those that follow, if they follow at once.
    pub(super) fn extend(
        &mut self,
        segment: &Arc<Segment>,
        place: u64,
        (bytes, next_offset): (usize, i64),
    ) {
        if Arc::ptr_eq(segment, &self.segment) && place == self.place + self.bytes as u64 {
            self.bytes += bytes;
            self.next_offset = next_offset;
        }
    }

    /// The file.
    #[must_use]
    pub fn file(&self) -> &std::fs::File {
        self.segment.file().inner()
    }

    /// Where in the file it begins.
    #[must_use]
    pub const fn place(&self) -> u64 {
        self.place
    }

    /// Its length in bytes.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Offset behind its last batch.
    #[must_use]
    pub const fn next_offset(&self) -> i64 {
        self.next_offset
    }

    /// Brings it into the page cache, so that the next who reads it need not wait for the disk. Blocks.
    pub fn load(&self) {
        let Some(bytes) = NonZeroU64::new(self.bytes as u64) else { return };
        // A hint: some file systems have no such pages.
        fadvise(self.file(), self.place, Some(bytes), Advice::WillNeed).ok();
        let end = self.place + bytes.get();
        for place in (self.place..end).step_by(LOAD_STEP).chain([end - 1]) {
            // Waits until it is there. An error is for who reads it.
            std::os::unix::fs::FileExt::read_at(self.file(), &mut [0], place).ok();
        }
    }

    /// Appends up to `want` of its bytes, from `skip` on, to `out`; gives their number.
    ///
    /// # Errors
    /// [`LogError`] when the file cannot be read.
    pub fn read(&self, skip: usize, want: usize, out: &mut Vec<u8>) -> Result<usize, LogError> {
        let want = want.min(self.bytes.saturating_sub(skip));
        self.segment.read_at(self.place + skip as u64, want, out)
    }
}

impl Partition {
    /// Batches that begin with the one at `offset`: `least` to `most` bytes, none of them at or behind `limit`. `None`
    /// when they are not known to lie so; they may be there all the same.
    #[must_use]
    pub fn extent(&self, offset: i64, least: usize, most: usize, limit: i64) -> Option<Extent> {
        let mut cursors = self.cursors.lock();
        let known = cursors.iter().position(|cursor| cursor.next_offset == offset);
        let at = match known.and_then(|known| cursors.get(known)) {
            Some(cursor) => cursor.clone(),
            None => self.indexed(offset)?,
        };
        if at.segment.is_replaced() || at.place < at.segment.opened_bytes() {
            return None;
        }
        let until = at.place.saturating_add(most as u64);
        let border = at.segment.look_up(|index| index.border(until, limit))?;
        let bytes = usize::try_from(border.place.checked_sub(at.place)?).ok()?;
        if bytes < least {
            return None;
        }
        if let Some(known) = known {
            cursors.remove(known);
        }
        let (segment, next_offset) = (Arc::clone(&at.segment), border.offset);
        let base = Some(next_offset);
        remember(&mut cursors, Cursor { next_offset, segment, place: border.place, base });
        Some(Extent { segment: at.segment, place: at.place, bytes, next_offset })
    }

    /// The batch at `offset`, if the index names it.
    fn indexed(&self, offset: i64) -> Option<Cursor> {
        let (segment, _) = self.find(offset)?;
        let place = segment.look_up(|index| index.start_of(offset))?;
        Some(Cursor { next_offset: offset, segment, place, base: Some(offset) })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::log::tests::{batch, name};
    use crate::log::{Extent, Settings};
    use crate::wire::BatchHeader;

    const LARGE: Settings = Settings { segment_bytes: 1 << 20 };

    fn content(extent: &Extent) -> Vec<u8> {
        let (mut bytes, mut step) = (Vec::new(), 7);
        while extent.read(bytes.len(), step, &mut bytes).unwrap() > 0 {
            step += 1000;
        }
        assert_eq!(bytes.len(), extent.bytes());
        bytes
    }

    proptest! {
        #[test]
        fn an_extent_is_what_a_reader_reads(
            sizes in proptest::collection::vec(1usize..60_000, 1..60),
            asks in proptest::collection::vec((0usize..60, 1usize..300_000, 0i64..200), 1..20),
        ) {
            let folder = tempfile::tempdir().unwrap();
            let open = || Partition::open(&folder.path().join("t-0"), name(), LARGE, 0).unwrap().0;
            let partition = open();
            let mut starts = vec![0];
            for (number, size) in sizes.iter().enumerate() {
                let count = i32::try_from(number % 3 + 1).unwrap();
                let appended = partition.append(&batch(&vec![7; *size], count), 1).unwrap();
                starts.push(appended.next_offset);
            }
            for (at, most, limit) in asks {
                let offset = starts[at % starts.len()];
                let limit = limit.min(partition.end());
                let Some(extent) = partition.extent(offset, 1, most, limit) else { continue };
                prop_assert!(extent.bytes() <= most && extent.next_offset() <= limit);
                let bytes = content(&extent);
                let (mut used, mut next) = (0, offset);
                while used < bytes.len() {
                    let header = BatchHeader::verify(&bytes[used..]).unwrap();
                    prop_assert_eq!(header.base_offset, next);
                    (used, next) = (used + header.size_bytes, header.next_offset());
                }
                prop_assert_eq!(next, extent.next_offset());
            }
            let whole = partition.extent(0, 1, usize::MAX, partition.end()).unwrap();
            prop_assert_eq!(whole.place(), 0);
            drop(partition);
            // What an earlier life has written is to be checked first.
            prop_assert!(open().extent(0, 1, usize::MAX, i64::MAX).is_none());
        }
    }

    #[test]
    fn one_reads_on_where_the_last_extent_ended_and_never_in_the_midst_of_a_batch() {
        let folder = tempfile::tempdir().unwrap();
        let (partition, _) = Partition::open(&folder.path().join("t-0"), name(), LARGE, 0).unwrap();
        for _ in 0..3 {
            partition.append(&batch(&[7; 100], 2), 1).unwrap();
        }
        let first = partition.extent(0, 1, usize::MAX, i64::MAX).unwrap();
        assert_eq!(first.next_offset(), 6);
        assert!(partition.extent(6, 1, usize::MAX, i64::MAX).is_none());
        partition.append(&batch(&[7; 100], 2), 1).unwrap();
        assert!(partition.extent(7, 1, usize::MAX, i64::MAX).is_none());
        assert!(partition.extent(6, 1000, usize::MAX, i64::MAX).is_none());
        let second = partition.extent(6, 1, usize::MAX, i64::MAX).unwrap();
        assert_eq!((second.next_offset(), second.bytes()), (8, first.bytes() / 3));
        partition.roll().unwrap();
        partition.append(&batch(&[7; 100], 2), 1).unwrap();
        partition.delete_before(8).unwrap();
        first.load();
        assert_eq!(content(&first).len(), first.bytes());
    }
}
