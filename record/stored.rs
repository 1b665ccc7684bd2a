//! The unit that crosses every wall on the way out: stored batches as the hub gave them.
//!
//! A [`StoredBatch`] holds the records section of one Kafka record batch, decompressed, as one buffer; records are
//! parsed as they are walked and borrow from it. What a sink gets is in `selection.rs`: spans of some batches, in order.
//!
//! One record of the section (all numbers are varints):
//!
//! | field            | note                                  |
//! |------------------|---------------------------------------|
//! | length           | bytes after this field                |
//! | attributes       | one byte, unused                      |
//! | timestamp delta  | to the batch's base timestamp, ms     |
//! | offset delta     | to the batch's base offset            |
//! | key              | length and bytes, -1 for null         |
//! | value            | length and bytes, -1 for null         |
//! | header count     | then each header, see [`crate::header`] |
//!
//! Source: Kafka documentation, "Record Format".

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use xxhash_rust::xxh3::xxh3_64;

use super::digits::{push_decimal, push_hex};
use crate::batch::Record;
pub use crate::cut::Cut;
use crate::header::HeadersRef;
use crate::places::Places;
use crate::varint::{self, Few};
use crate::{Buffer, TopicPartition};

/// The topic that records come from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Topic {
    /// Its name.
    pub name: String,
    /// Unique for ever and everywhere: tells this topic from another of the same name, and this hub from others.
    pub id: String,
}

/// One batch of the hub, decompressed.
#[derive(Debug)]
pub struct StoredBatch {
    /// Where it comes from.
    pub topic: Arc<Topic>,
    /// Its partition.
    pub partition: i32,
    /// The leader epoch under which it was appended: with the offset it names a record for ever.
    pub epoch: i32,
    /// Offset of its first record.
    pub base_offset: i64,
    /// Offset after its last record.
    pub next_offset: i64,
    /// The time that deltas add to, ms.
    pub base_timestamp_ms: i64,
    /// Set when the hub's clock counts for all records (`LogAppendTime`), ms.
    pub append_timestamp_ms: Option<i64>,
    /// Number of records.
    pub count: u32,
    /// The records section.
    pub data: Buffer,
    /// Which bytes of which texts its records are; read when it is asked for.
    pub places: OnceLock<Places>,
    /// Where its bytes were counted up to last.
    pub cut: Cut,
}

/// One record with its place in the hub.
#[derive(Debug, Clone, Copy)]
pub struct StoredRecord<'a> {
    /// The record.
    pub record: Record<'a>,
    /// Its offset.
    pub offset: i64,
    /// The batch that it is in: topic, partition, epoch.
    pub batch: &'a StoredBatch,
}

/// Header that names the topic of a record that was given to one sink again.
pub const ORIGIN: &str = "__anabranch.topic";

impl<'a> StoredRecord<'a> {
    /// The topic that it first came from, which is that of its batch unless it was given to one sink again.
    #[must_use]
    pub fn topic(&self) -> &'a str {
        let here = self.batch.topic.name.as_str();
        if !self.batch.is_mixed() {
            return here;
        }
        let origin = self.record.headers.get(ORIGIN);
        origin.and_then(|origin| str::from_utf8(origin).ok()).unwrap_or(here)
    }

    /// What names this record for ever, in at most 80 bytes of ASCII: the topic's id, and
    ///
    /// - of a line of a file, which text it is of, where in it, and 32 bits of the XXH3 of its bytes: it is the same when it
    ///   is read again because a power cut has taken it back;
    /// - of any other record partition, epoch and offset.
    #[must_use]
    pub fn id(&self) -> String {
        let mut id = self.batch.topic.id.clone().into_bytes();
        self.push_id_in_topic(&mut id);
        String::from_utf8_lossy(&id).into_owned()
    }

    /// Appends what of [`StoredRecord::id`] follows the topic's id.
    pub fn push_id_in_topic(&self, out: &mut Vec<u8>) {
        let batch = self.batch;
        let Some((text, start)) = self.place_in_text() else {
            for number in [i64::from(batch.partition), i64::from(batch.epoch), self.offset] {
                out.push(b'-');
                push_decimal(number, out);
            }
            return;
        };
        let low = |number: u64| u32::try_from(number & u64::from(u32::MAX)).unwrap_or_default();
        out.push(b'-');
        push_hex(low(text >> 32), out);
        push_hex(low(text), out);
        out.push(b'-');
        push_decimal(i64::try_from(start).unwrap_or(i64::MAX), out);
        out.push(b'-');
        push_hex(low(xxh3_64(self.record.value.unwrap_or_default())), out);
    }

    /// The text that it is of, and where in it, if that is known.
    pub(crate) fn place_in_text(&self) -> Option<(u64, u64)> {
        let batch = self.batch;
        // Where compaction has removed records, the lengths of those between are not known.
        let is_whole = batch.next_offset.checked_sub(batch.base_offset)? == i64::from(batch.count);
        let index = usize::try_from(self.offset.checked_sub(batch.base_offset)?).ok();
        let index = index.filter(|_| is_whole)?;
        batch.known_places().get(index)
    }
}

impl StoredBatch {
    /// Which bytes of which texts its records are, read once.
    pub(crate) fn known_places(&self) -> &Places {
        let records = || {
            self.iter().map(|StoredRecord { record, .. }| {
                (record.value.map_or(0, <[u8]>::len), record.headers)
            })
        };
        self.places.get_or_init(|| Places::of(self.count as usize, records()))
    }

    /// The partition that it is of.
    #[must_use]
    pub fn place(&self) -> TopicPartition {
        TopicPartition::new(self.topic.name.clone(), self.partition)
    }

    /// Whether its records come from several topics: it was given to one sink again.
    #[must_use]
    pub fn is_mixed(&self) -> bool {
        self.topic.name.ends_with(".replay")
    }

    /// Whether the section is `count` whole records and nothing else.
    #[must_use]
    pub fn is_framed(&self) -> bool {
        let mut rest = self.data.as_slice();
        for _ in 0..self.count {
            if !matches!(varint::take_bytes(&mut rest), Some(Some(_))) {
                return false;
            }
        }
        rest.is_empty()
    }

    /// Bytes of `count` records from the `first` on (by index), with their lengths.
    #[must_use]
    pub fn bytes_of(&self, first: usize, count: usize) -> u64 {
        self.range_of(first, count).len() as u64
    }

    /// Where in the section `count` records lie from the `first` on (by index).
    pub(crate) fn range_of(&self, first: usize, count: usize) -> Range<usize> {
        let all = self.data.len();
        if first == 0 && count >= self.count as usize {
            return 0..all;
        }
        let (known, at) = self.cut.before(first);
        let mut rest = self.data.get(at..).unwrap_or_default();
        let mut skip = |records: usize| {
            for _ in 0..records {
                if varint::take_bytes(&mut rest).is_none() {
                    rest = &[];
                }
            }
            rest.len()
        };
        let before = skip(first - known);
        let behind = skip(count);
        self.cut.set(first + count, all - behind);
        all - before..all - behind
    }

    /// Where the record ends that begins at `at`.
    pub(crate) fn end_of(&self, at: usize) -> usize {
        let mut rest = self.data.get(at..).unwrap_or_default();
        if varint::take_bytes(&mut rest).is_none() {
            return self.data.len();
        }
        self.data.len() - rest.len()
    }

    /// At most `count` records, from the one that begins at `at`.
    pub fn walk(&self, at: usize, count: usize) -> Walk<'_> {
        Walk { batch: self, rest: self.data.get(at..).unwrap_or_default(), left: count }
    }

    /// Its records, in order.
    pub fn iter(&self) -> Walk<'_> {
        self.walk(0, self.count as usize)
    }
}

/// Walks the records of one batch.
#[derive(Debug, Clone)]
pub struct Walk<'a> {
    batch: &'a StoredBatch,
    rest: &'a [u8],
    left: usize,
}

impl<'a> Iterator for Walk<'a> {
    type Item = StoredRecord<'a>;

    #[inline]
    fn next(&mut self) -> Option<StoredRecord<'a>> {
        self.left = self.left.checked_sub(1)?;
        let body = varint::take_bytes(&mut self.rest)??;
        Some(parse(self.batch, body).unwrap_or_else(|| unparsed(self.batch, body)))
    }

    /// Leaves records out without looking into them.
    fn nth(&mut self, count: usize) -> Option<StoredRecord<'a>> {
        for _ in 0..count {
            self.left = self.left.checked_sub(1)?;
            varint::take_bytes(&mut self.rest)??;
        }
        self.next()
    }
}

#[inline]
fn parse<'a>(batch: &'a StoredBatch, body: &'a [u8]) -> Option<StoredRecord<'a>> {
    let mut rest = body.get(1..)?;
    let timestamp_delta = varint::take(&mut rest)?;
    let offset_delta = varint::take(&mut rest)?;
    let key = varint::take_bytes(&mut rest)?;
    let value = varint::take_bytes(&mut rest)?;
    let header_count = u32::try_from(varint::take(&mut rest)?).ok()?;
    // Times far apart wrap, as in Kafka's clients.
    let own_time = batch.base_timestamp_ms.wrapping_add(timestamp_delta);
    let record = Record {
        key,
        value,
        timestamp_ms: batch.append_timestamp_ms.unwrap_or(own_time),
        header_count,
        headers: HeadersRef { common: &[], own: rest },
    };
    Some(StoredRecord { record, offset: batch.base_offset.checked_add(offset_delta)?, batch })
}

/// A record whose inside is damaged although its batch's sum is right: its bytes are the value, nothing is lost.
fn unparsed<'a>(batch: &'a StoredBatch, body: &'a [u8]) -> StoredRecord<'a> {
    let timestamp_ms = batch.append_timestamp_ms.unwrap_or(batch.base_timestamp_ms);
    let record = Record { value: Some(body), timestamp_ms, ..Record::default() };
    StoredRecord { record, offset: batch.base_offset, batch }
}

/// Appends one record to a records section; `deltas` are those of time (ms) and offset to the batch's base.
///
/// `extra` is one more encoded header (or empty), for what travels with the last record of a batch.
#[inline]
pub fn push_record(record: &Record<'_>, deltas: (i64, i64), extra: &[u8], out: &mut Vec<u8>) {
    let HeadersRef { common, own } = record.headers;
    let length = |bytes: Option<&[u8]>| bytes.map_or(-1, |bytes| varint::length(bytes.len()));
    let (key, value) = (record.key.unwrap_or_default(), record.value.unwrap_or_default());
    let header_count = i64::from(record.header_count) + i64::from(!extra.is_empty());
    let mut numbers = Few::new();
    for number in [0, deltas.0, deltas.1, length(record.key)] {
        numbers.push(number);
    }
    let key_at = numbers.len();
    numbers.push(length(record.value));
    let numbers = numbers.bytes();
    let size = numbers.len()
        + key.len()
        + value.len()
        + varint::size(header_count)
        + common.len()
        + own.len()
        + extra.len();
    out.reserve(size + varint::LONGEST);
    varint::push(varint::length(size), out);
    if key.is_empty() {
        out.extend_from_slice(numbers);
    } else {
        let (before, behind) = numbers.split_at_checked(key_at).unwrap_or_default();
        out.extend_from_slice(before);
        out.extend_from_slice(key);
        out.extend_from_slice(behind);
    }
    out.extend_from_slice(value);
    varint::push(header_count, out);
    for headers in [common, own, extra] {
        if !headers.is_empty() {
            out.extend_from_slice(headers);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::stored;
    use proptest::prelude::*;

    #[test]
    fn any_time_is_kept() {
        for timestamp_ms in [i64::MIN, -5, i64::MAX] {
            let mut batch = crate::Batch::new(Buffer::default(), crate::Headers::new(), 1000, 0);
            batch.push_copy(b"v");
            batch.set_timestamp_ms(timestamp_ms);
            let stored = crate::testing::store(&batch);
            let record = stored.iter().next().unwrap().record;
            assert_eq!((record.timestamp_ms, record.value), (timestamp_ms, Some(&b"v"[..])));
        }
    }

    #[test]
    fn the_bytes_of_parts_are_those_of_the_whole() {
        let batch = stored(&[b"a", b"bb", &[b'c'; 300], b""]);
        let all = batch.bytes_of(0, 4);
        assert_eq!(all, batch.data.len() as u64);
        // In whatever order they are asked for.
        for cut in [0, 1, 2, 3, 4, 2, 0] {
            assert_eq!(batch.bytes_of(cut, 4 - cut) + batch.bytes_of(0, cut), all);
            assert_eq!(batch.bytes_of(0, cut) + batch.bytes_of(cut, 4 - cut), all);
            assert_eq!(batch.bytes_of(cut, 9), all - batch.bytes_of(0, cut));
        }
    }

    #[test]
    fn a_record_knows_its_place_and_its_headers() {
        let batch = stored(&[b"a", b"b"]);
        assert!(batch.is_framed());
        let second = batch.iter().nth(1).unwrap();
        assert_eq!((second.offset, second.id()), (11, "hub.t-2-1-11".to_owned()));
        assert_eq!(second.record.headers.get("host"), Some(&b"h"[..]));
        assert_eq!(second.record.timestamp_ms, 1000);
    }

    proptest! {
        #[test]
        fn any_bytes_are_walked_without_a_panic(data: Vec<u8>, count in 0u32..50) {
            let good = stored(&[]);
            let batch = StoredBatch {
                topic: Arc::clone(&good.topic), partition: 0, epoch: 0, base_offset: 0, next_offset: 0,
                base_timestamp_ms: 0, append_timestamp_ms: None, count, data: data.into(), places: OnceLock::new(), cut: Cut::default(),
            };
            let seen = batch.iter().count();
            prop_assert!(seen <= count as usize);
            if batch.is_framed() { prop_assert_eq!(seen, count as usize); }
        }
    }
}
