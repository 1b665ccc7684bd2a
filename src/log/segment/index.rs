//! The sparse index of a segment: from offset or time to a place in the file. A hint that can always be rebuilt.
//!
//! On disk, beside a closed segment, all integers big-endian:
//!
//! | bytes | field                                                        |
//! |-------|--------------------------------------------------------------|
//! | 8     | bytes of the segment that this index was made from           |
//! | 4     | CRC-32C of the entries                                       |
//! | 20 ×  | entries: offset (8), place (4), latest time up to here (8)   |
//! | 8     | latest time of all                                           |
//!
//! An index that does not fit its segment is thrown away and made anew.

/// Bytes of log between two entries.
const INTERVAL_BYTES: u64 = 64 << 10;
const ENTRY_BYTES: usize = 20;

/// A place in a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    /// Base offset of the batch there.
    pub(super) offset: i64,
    /// Where it begins, bytes from the start of the file.
    pub(super) place: u32,
    /// Latest timestamp of all batches before this one in the segment, ms.
    pub(super) latest_before_ms: i64,
}

/// Where one batch ends and the next one begins, or will.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Border {
    /// Base offset of the batch behind it.
    pub(crate) offset: i64,
    /// Bytes from the start of the file.
    pub(crate) place: u64,
}

/// Entries in the order of the file.
#[derive(Debug, Clone, Default)]
pub(crate) struct Index {
    entries: Vec<Entry>,
    latest_ms: Option<i64>,
    /// Where the last batch ends that was appended in this life.
    end: Option<Border>,
}

impl Index {
    /// Notes a batch that begins at `place`.
    pub(super) fn note(&mut self, offset: i64, place: u64, max_timestamp_ms: i64) {
        let due =
            self.entries.last().is_none_or(|last| place >= u64::from(last.place) + INTERVAL_BYTES);
        if let (true, Ok(place)) = (due, u32::try_from(place)) {
            let latest_before_ms = self.latest_ms.unwrap_or(i64::MIN);
            self.entries.push(Entry { offset, place, latest_before_ms });
        }
        self.latest_ms = Some(self.latest_ms.unwrap_or(i64::MIN).max(max_timestamp_ms));
    }

    /// Notes where the batch ends that was noted last.
    pub(super) fn note_end(&mut self, offset: i64, place: u64) {
        self.end = Some(Border { offset, place });
    }

    /// The last border that is known with at most that place and that offset.
    #[must_use]
    pub(crate) fn border(&self, place: u64, offset: i64) -> Option<Border> {
        let fits = |border: &Border| border.place <= place && border.offset <= offset;
        let of_entry = |entry: &Entry| Border { offset: entry.offset, place: entry.place.into() };
        self.end.filter(fits).or_else(|| {
            let after = self.entries.partition_point(|entry| fits(&of_entry(entry)));
            self.entries.get(after.checked_sub(1)?).map(of_entry)
        })
    }

    /// The first border behind a place that is known, of a batch whose base offset is at least `offset`.
    #[must_use]
    pub(crate) fn border_behind(&self, place: u64, offset: i64) -> Option<Border> {
        let is_behind = |entry: &&Entry| u64::from(entry.place) > place && entry.offset >= offset;
        let first = self.entries.iter().find(is_behind)?;
        Some(Border { offset: first.offset, place: first.place.into() })
    }

    /// Where the batch begins whose base offset is `offset`, if that is known.
    #[must_use]
    pub(crate) fn start_of(&self, offset: i64) -> Option<u64> {
        let at = self.entries.binary_search_by_key(&offset, |entry| entry.offset).ok()?;
        self.entries.get(at).map(|entry| entry.place.into())
    }

    /// Where to begin looking for the batch that holds `offset`.
    #[must_use]
    pub(crate) fn before_offset(&self, offset: i64) -> u64 {
        let after = self.entries.partition_point(|entry| entry.offset <= offset);
        self.place_before(after)
    }

    /// Where to begin looking for the first batch with a timestamp of at least `timestamp_ms`.
    #[must_use]
    pub(crate) fn before_time(&self, timestamp_ms: i64) -> u64 {
        let after = self.entries.partition_point(|entry| entry.latest_before_ms < timestamp_ms);
        self.place_before(after)
    }

    /// Latest timestamp in the segment, ms.
    #[must_use]
    pub(super) const fn latest_ms(&self) -> Option<i64> {
        self.latest_ms
    }

    fn place_before(&self, after: usize) -> u64 {
        let entry = after.checked_sub(1).and_then(|at| self.entries.get(at));
        entry.map_or(0, |entry| u64::from(entry.place))
    }

    /// The file beside a closed segment of `segment_bytes`.
    #[must_use]
    pub(super) fn encode(&self, segment_bytes: u64) -> Vec<u8> {
        let mut entries = Vec::with_capacity(self.entries.len() * ENTRY_BYTES + 16);
        for entry in &self.entries {
            entries.extend_from_slice(&entry.offset.to_be_bytes());
            entries.extend_from_slice(&entry.place.to_be_bytes());
            entries.extend_from_slice(&entry.latest_before_ms.to_be_bytes());
        }
        entries.extend_from_slice(&self.latest_ms.unwrap_or(i64::MIN).to_be_bytes());
        let mut file = segment_bytes.to_be_bytes().to_vec();
        file.extend_from_slice(&crc32c::crc32c(&entries).to_be_bytes());
        file.extend_from_slice(&entries);
        file
    }

    /// Reads the file beside a segment of `segment_bytes`; `None` when it does not fit it.
    #[must_use]
    pub(super) fn decode(file: &[u8], segment_bytes: u64) -> Option<Self> {
        let (bytes, _) = file.split_first_chunk::<8>()?;
        if u64::from_be_bytes(*bytes) != segment_bytes {
            return None;
        }
        Self::decode_any(file)
    }

    /// Reads the file beside a segment that may have grown since; `None` when it is damaged.
    #[must_use]
    pub(super) fn decode_any(file: &[u8]) -> Option<Self> {
        let (_, rest) = file.split_first_chunk::<8>()?;
        let (crc, body) = rest.split_first_chunk::<4>()?;
        if u32::from_be_bytes(*crc) != crc32c::crc32c(body) {
            return None;
        }
        let (entries, latest) = body.split_last_chunk::<8>()?;
        let latest_ms = Some(i64::from_be_bytes(*latest)).filter(|time| *time != i64::MIN);
        let mut index = Self { entries: Vec::new(), latest_ms, end: None };
        for entry in entries.chunks_exact(ENTRY_BYTES) {
            let (offset, rest) = entry.split_first_chunk::<8>()?;
            let (place, rest) = rest.split_first_chunk::<4>()?;
            index.entries.push(Entry {
                offset: i64::from_be_bytes(*offset),
                place: u32::from_be_bytes(*place),
                latest_before_ms: i64::from_be_bytes(*rest.first_chunk()?),
            });
        }
        Some(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn look_ups_begin_at_or_before_what_is_sought() {
        let mut index = Index::default();
        for batch in 0..100i64 {
            index.note(batch * 10, u64::try_from(batch).unwrap() * 40_000, 1000 + batch);
        }
        for offset in [0, 5, 10, 555, 990, 5000] {
            let place = index.before_offset(offset);
            assert!(place <= u64::try_from(offset / 10 * 40_000).unwrap().min(99 * 40_000));
        }
        assert_eq!(index.before_offset(0), 0);
        assert!(index.before_offset(990) >= 96 * 40_000);
        assert_eq!(index.before_time(0), 0);
        assert!(index.before_time(1099) >= 96 * 40_000);
        assert!(index.before_time(1050) <= 50 * 40_000);
        index.note_end(1000, 4_000_000);
        assert_eq!(index.border(u64::MAX, 1000), Some(Border { offset: 1000, place: 4_000_000 }));
        for (place, offset) in [(u64::MAX, 999), (3_999_999, 1000), (50 * 40_000, 2000), (0, 0)] {
            let border = index.border(place, offset).unwrap();
            assert!(border.place <= place && border.offset <= offset, "{border:?}");
            assert_eq!(border.place, u64::try_from(border.offset / 10 * 40_000).unwrap());
        }
        for offset in [0, 20, 980] {
            assert_eq!(index.start_of(offset), Some(u64::try_from(offset / 10 * 40_000).unwrap()));
            assert_eq!(index.start_of(offset + 1), None);
        }
        let file = index.encode(77);
        let again = Index::decode(&file, 77).unwrap();
        assert_eq!((again.entries, again.latest_ms), (index.entries, Some(1099)));
        assert!(Index::decode(&file, 78).is_none());
        for at in 8..file.len() {
            let mut bad = file.clone();
            bad[at] ^= 1;
            assert!(Index::decode(&bad, 77).is_none());
        }
    }
}
