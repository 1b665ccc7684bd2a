//! Where in a partition to look for an offset or a time.

use std::sync::Arc;

use crate::log::segment::Segment;
use crate::log::{LogError, Partition};
use crate::wire::BatchHeader;

/// Bytes that are read at once to find a batch's head.
const LOOK_BYTES: usize = 16 << 10;

impl Partition {
    /// Leaves a hint of the borders in its active segment, for a next life that finds damage there.
    pub fn store_hints(&self) {
        if let Some(active) = self.active().filter(|active| active.size_bytes() > 0) {
            // Without it more is lost around damage that takes a batch's head.
            active.write_hints(None).ok();
        }
    }

    /// About how many bytes lie behind `offset`.
    #[must_use]
    pub fn bytes_behind(&self, offset: i64) -> u64 {
        let segments = self.segments.read();
        let behind = segments.partition_point(|segment| segment.base_offset() <= offset);
        let later = segments.get(behind..).unwrap_or_default();
        let whole: u64 = later.iter().map(|segment| segment.size_bytes()).sum();
        let here = behind.checked_sub(1).and_then(|at| segments.get(at));
        let here = here.map_or(0, |segment| {
            segment.size_bytes() - segment.look_up(|index| index.before_offset(offset))
        });
        whole + here
    }

    /// Base time of the batch that holds `offset`, or of the next one, ms; `None` when there is none.
    ///
    /// # Errors
    /// [`LogError`] when its file cannot be read.
    pub fn time_of(&self, offset: i64) -> Result<Option<i64>, LogError> {
        let Some((segment, mut place)) = self.find(offset) else { return Ok(None) };
        let mut heads = Vec::new();
        loop {
            heads.clear();
            segment.read_at(place, LOOK_BYTES, &mut heads)?;
            let mut used = 0;
            while let Ok(header) = BatchHeader::parse(heads.get(used..).unwrap_or_default()) {
                if header.next_offset() > offset {
                    return Ok(Some(header.base_timestamp_ms));
                }
                used += header.size_bytes;
            }
            if used == 0 {
                return Ok(None);
            }
            place += used as u64;
        }
    }

    /// The segment that holds `offset`, or the last one, and where in it to begin looking.
    pub(crate) fn find(&self, offset: i64) -> Option<(Arc<Segment>, u64)> {
        let segments = self.segments.read();
        let after = segments.partition_point(|segment| segment.base_offset() <= offset);
        let segment = segments.get(after.saturating_sub(1))?;
        Some((Arc::clone(segment), segment.look_up(|index| index.before_offset(offset))))
    }

    /// For one who has read `segment` to its end: where `next_offset` is to be looked for. That is the start of the
    /// segment that comes after it, unless `segment` has been replaced by one that holds more.
    pub(crate) fn find_after(
        &self,
        segment: &Segment,
        next_offset: i64,
    ) -> Option<(Arc<Segment>, u64)> {
        let segments = self.segments.read();
        let behind = |offset| segments.partition_point(|segment| segment.base_offset() <= offset);
        if segment.is_replaced() {
            let here = segments.get(behind(next_offset).saturating_sub(1))?;
            return Some((
                Arc::clone(here),
                here.look_up(|index| index.before_offset(next_offset)),
            ));
        }
        let next = segments.get(behind(segment.base_offset()))?;
        Some((Arc::clone(next), 0))
    }

    /// The segment and place from which on to look for the first batch with a timestamp of at least `timestamp_ms`;
    /// `None` when every record is older.
    pub(crate) fn find_time(&self, timestamp_ms: i64) -> Option<(Arc<Segment>, u64)> {
        let segments = self.segments();
        let new_enough = |segment: &&Arc<Segment>| {
            segment.latest_ms().is_some_and(|latest| latest >= timestamp_ms)
        };
        let segment = segments.iter().find(new_enough)?;
        let place = segment.look_up(|index| index.before_time(timestamp_ms));
        Some((Arc::clone(segment), place))
    }
}
