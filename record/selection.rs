//! What a sink gets: records of some stored batches, in order, without a copy.

use std::ops::Range;
use std::sync::Arc;

use super::stored::{Cut, StoredBatch, StoredRecord, Walk, push_record};
use crate::Amount;
use crate::places::Places;

/// A part of one batch: `count` records from the `first` on (by index), which lie in `range` of its section.
#[derive(Debug, Clone)]
struct Slice {
    batch: Arc<StoredBatch>,
    first: usize,
    count: usize,
    range: Range<usize>,
}

impl Slice {
    fn records(&self) -> Walk<'_> {
        self.batch.walk(self.range.start, self.count)
    }

    /// The offset after its last record.
    fn end(&self) -> i64 {
        let is_cut = self.first + self.count < self.batch.count as usize;
        let behind = if is_cut { self.batch.walk(self.range.end, 1).next() } else { None };
        behind.map_or(self.batch.next_offset, |record| record.offset)
    }
}

/// What a sink writes: records of one or several batches and partitions, in order within each partition.
///
/// Records are numbered from 0 in the order of [`Records::iter`]; a sink's answer names them by that number.
#[derive(Debug, Clone, Default)]
pub struct Records {
    slices: Vec<Slice>,
    count: usize,
}

impl Records {
    /// Adds a whole batch.
    pub fn push(&mut self, batch: Arc<StoredBatch>) {
        let count = batch.count as usize;
        self.push_part(batch, 0, count);
    }

    /// Adds `count` records of `batch`, from the `first` on.
    pub fn push_part(&mut self, batch: Arc<StoredBatch>, first: usize, count: usize) {
        if count > 0 {
            self.count += count;
            let range = batch.range_of(first, count);
            self.slices.push(Slice { batch, first, count, range });
        }
    }

    /// Number of records.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.count
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Bytes of the batches that it spans, decompressed; an upper bound for its own.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        self.slices.iter().map(|slice| slice.batch.data.len()).sum()
    }

    /// The records, in order.
    pub fn iter(&self) -> impl Iterator<Item = StoredRecord<'_>> {
        self.slices.iter().flat_map(Slice::records)
    }

    /// The batches that it spans, and how many records of each.
    pub fn batches(&self) -> impl Iterator<Item = (&StoredBatch, usize)> {
        self.slices.iter().map(|slice| (slice.batch.as_ref(), slice.count))
    }

    /// The batches that it spans, and what it has of each: records, and their bytes in the log, decompressed.
    pub fn amounts(&self) -> impl Iterator<Item = (&StoredBatch, Amount)> {
        self.slices.iter().map(|Slice { batch, count, range, .. }| {
            (batch.as_ref(), Amount::new(*count as u64, range.len() as u64))
        })
    }

    /// For each span, its batch and the offset after its last record.
    pub fn ends(&self) -> impl Iterator<Item = (&StoredBatch, i64)> {
        self.slices.iter().map(|slice| (slice.batch.as_ref(), slice.end()))
    }

    /// For each span, its batch and the offset of its first record.
    pub fn starts(&self) -> impl Iterator<Item = (&StoredBatch, i64)> {
        self.slices.iter().map(|slice| {
            let first = slice.records().next().map(|record| record.offset);
            (slice.batch.as_ref(), first.unwrap_or(slice.batch.base_offset))
        })
    }

    /// Only the records with these numbers, which must rise.
    #[must_use]
    pub fn select(&self, numbers: &[usize]) -> Self {
        let mut selected = Self::default();
        let (mut wanted, mut base) = (numbers.iter().copied().peekable(), 0);
        for slice in &self.slices {
            while let Some(number) = wanted.next_if(|number| *number < base + slice.count) {
                let first = slice.first + number.saturating_sub(base);
                match selected.slices.last_mut() {
                    Some(last)
                        if Arc::ptr_eq(&last.batch, &slice.batch)
                            && last.first + last.count == first =>
                    {
                        last.count += 1;
                        last.range.end = last.batch.end_of(last.range.end);
                        selected.count += 1;
                    }
                    _ => selected.push_part(Arc::clone(&slice.batch), first, 1),
                }
            }
            base += slice.count;
        }
        selected
    }

    /// Adds the records of `more` behind these.
    pub fn append(&mut self, more: &Self) {
        self.count += more.count;
        self.slices.extend_from_slice(&more.slices);
    }

    /// The last record, with a buffer of its own.
    #[must_use]
    pub fn last_alone(&self) -> Option<Self> {
        let slice = self.slices.last()?;
        let stored = slice.batch.iter().nth((slice.first + slice.count).checked_sub(1)?)?;
        let mut data = Vec::new();
        let base = slice.batch.as_ref();
        let time = stored.record.timestamp_ms.wrapping_sub(base.base_timestamp_ms);
        push_record(&stored.record, (time, 0), &[], &mut data);
        let mut alone = Self::default();
        let place = stored.place_in_text();
        alone.push(Arc::new(StoredBatch {
            topic: Arc::clone(&base.topic),
            places: place.map(|place| Places::one(place).into()).unwrap_or_default(),
            cut: Cut::default(),
            base_offset: stored.offset,
            next_offset: stored.offset + 1,
            count: 1,
            data: data.into(),
            ..*base
        }));
        Some(alone)
    }

    /// Two halves, for a far side that found the whole too large. The second is empty for a single record.
    #[must_use]
    pub fn halves(&self) -> (Self, Self) {
        let middle = self.count.div_ceil(2);
        let first: Vec<usize> = (0..middle).collect();
        let second: Vec<usize> = (middle..self.count).collect();
        (self.select(&first), self.select(&second))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::stored;
    use crate::varint;

    fn values(records: &Records) -> Vec<Vec<u8>> {
        records.iter().map(|stored| stored.record.value.unwrap().to_vec()).collect()
    }

    #[test]
    fn a_selection_keeps_order_over_batches() {
        let mut records = Records::default();
        records.push(stored(&[b"a", b"b", b"c"]));
        records.push_part(stored(&[b"d", b"e", b"f"]), 1, 2);
        assert_eq!(values(&records), [b"a", b"b", b"c", b"e", b"f"]);
        assert_eq!(values(&records.select(&[0, 2, 3])), [b"a", b"c", b"e"]);
        assert_eq!(values(&records.select(&[0, 2, 3]).select(&[1, 2])), [b"c", b"e"]);
        let (first, second) = records.halves();
        assert_eq!(values(&first).len(), 3);
        assert_eq!(values(&second), [b"e", b"f"]);
    }

    #[test]
    fn however_it_is_cut_its_parts_begin_and_end_where_they_do() {
        let batch = stored(&[b"a", b"", &[b'c'; 300], b"d", b"ee"]);
        let of = |records: &Records| {
            let offsets: Vec<i64> = records.iter().map(|stored| stored.offset).collect();
            let sizes: u64 = records.amounts().map(|(_, amount)| amount.bytes).sum();
            let starts: Vec<i64> = records.starts().map(|(_, offset)| offset).collect();
            let ends: Vec<i64> = records.ends().map(|(_, offset)| offset).collect();
            (offsets, sizes, starts, ends)
        };
        for first in 0..5 {
            for end in first + 1..6 {
                let mut part = Records::default();
                part.push_part(Arc::clone(&batch), first, end - first);
                let (from, to) = (10 + varint::length(first), 10 + varint::length(end));
                let bytes = batch.bytes_of(first, end - first);
                let all = ((from..to).collect::<Vec<i64>>(), bytes, vec![from], vec![to]);
                assert_eq!(of(&part), all);
                // The same, chosen one by one of the whole, and of that again.
                let mut whole = Records::default();
                whole.push(Arc::clone(&batch));
                let chosen = whole.select(&(first..end).collect::<Vec<_>>());
                assert_eq!(of(&chosen), all);
                let same: Vec<usize> = (0..end - first).collect();
                assert_eq!(of(&part.select(&same)), all);
            }
        }
    }

    #[test]
    fn the_last_record_alone_is_the_same_record() {
        let mut records = Records::default();
        records.push_part(stored(&[b"a", b"b", b"c"]), 0, 2);
        let alone = records.last_alone().unwrap();
        let (one, same) = (alone.iter().next().unwrap(), records.iter().nth(1).unwrap());
        assert_eq!((one.id(), one.record.value), (same.id(), same.record.value));
        assert_eq!(one.record.headers.get("host"), same.record.headers.get("host"));
        assert_eq!(one.record.timestamp_ms, same.record.timestamp_ms);
        records.append(&alone);
        assert_eq!(values(&records), [b"a", b"b", b"b"]);
    }
}
