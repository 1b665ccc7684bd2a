//! Which bytes of which text a record is.
//!
//! A place in the hub names a record only as long as the hub has it: a power cut can take records back, and what is read
//! again gets another place. A line of a file is the same line, whenever it is read. So a batch of a source with positions
//! says where its buffer lies in its text, and the position that is stored with it also says which bytes its records are:
//!
//! | bytes   | field                                                                              |
//! |---------|------------------------------------------------------------------------------------|
//! | 8       | the text, little-endian: a hash of the source's name and of what names the text there |
//! | varint  | where in the text the first record begins                                          |
//! | varint  | number of records                                                                  |
//! | varint  | bytes between most records: the length of a line's end                             |
//! | varints | exceptions: how many records behind the one before, and the bytes behind that one  |
//!
//! That is about 13 bytes for each batch, and two for a record behind which something is left out.

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::stored::StoredBatch;
use crate::{Batch, varint};

/// Name of the header that the last record of a part has: source, key and value of its position, and what is above, each
/// with its length; then what only the hub reads.
pub const MARK: &str = "__anabranch.position";

/// Where the buffer of a batch lies in what it was read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// Names the text, for its source: other bytes at the same place are another text.
    pub text: u64,
    /// Where in the text the buffer begins, bytes.
    pub base: u64,
}

/// Which bytes the records of `batch` are; `None` when that is not known.
#[must_use]
pub fn encode(batch: &Batch, source: &str) -> Option<Vec<u8>> {
    let Origin { text, base } = batch.origin()?;
    let mut spans = batch.spans();
    let (start, length) = spans.next()?;
    let mut out = Vec::with_capacity(24);
    out.extend(xxh3_64_with_seed(source.as_bytes(), text).to_le_bytes());
    varint::push(i64::try_from(base + start as u64).unwrap_or(i64::MAX), &mut out);
    varint::push(varint::length(batch.len()), &mut out);
    let (mut end, mut usual, mut since) = (start + length, None, 0);
    for (start, length) in spans {
        let gap = varint::length(start) - varint::length(end);
        if usual.is_none() {
            varint::push(gap, &mut out);
        } else if usual != Some(gap) {
            varint::push(since, &mut out);
            varint::push(gap, &mut out);
            since = 0;
        }
        usual = usual.or(Some(gap));
        since += 1;
        end = start + length;
    }
    Some(out)
}

/// Which bytes of which texts the records of a stored batch are.
#[derive(Debug, Default)]
pub struct Places {
    /// The index behind the last record of each part, and its text; 0 of one that is not known.
    parts: Vec<(usize, u64)>,
    starts: Vec<u64>,
}

impl Places {
    /// Reads them from the headers of a batch.
    pub fn of(batch: &StoredBatch) -> Self {
        let mut places = Self::default();
        let mut lengths: Vec<usize> = Vec::with_capacity(batch.count as usize);
        // Most records have the headers of the one before, and those that have a mark are few.
        let mut unmarked: &[u8] = &[];
        for (index, stored) in batch.iter().enumerate() {
            lengths.push(stored.record.value.map_or(0, <[u8]>::len));
            let headers = stored.record.headers;
            if headers.own == unmarked {
                continue;
            }
            let Some(header) = headers.get(MARK) else {
                unmarked = headers.own;
                continue;
            };
            let first = places.starts.len();
            let part = lengths.get(first..).unwrap_or_default();
            let (text, before) = read(header, part, &mut places.starts).unwrap_or_default();
            places.starts.resize(index + 1, 0);
            // Those before are of a source without texts.
            places.parts.push((first + before, 0));
            places.parts.push((index + 1, text));
        }
        places
    }

    /// Those of one record.
    pub fn one((text, start): (u64, u64)) -> Self {
        Self { parts: vec![(1, text)], starts: vec![start] }
    }

    /// The text of the record with that index, and where in it it begins.
    pub fn get(&self, index: usize) -> Option<(u64, u64)> {
        let at = self.parts.partition_point(|(end, _)| *end <= index);
        let (_, text) = self.parts.get(at).filter(|(_, text)| *text != 0)?;
        Some((*text, *self.starts.get(index)?))
    }
}

/// Appends where the records begin whose values have these lengths: the last ones, as many as the header says. Gives their
/// text, and the number of records before them; `None` when the header does not say it.
fn read(header: &[u8], lengths: &[usize], starts: &mut Vec<u64>) -> Option<(u64, usize)> {
    let mut fields = header;
    for _field in ["source", "key", "value"] {
        varint::take_bytes(&mut fields)?;
    }
    let (text, mut rest) = varint::take_bytes(&mut fields)??.split_first_chunk::<8>()?;
    let mut start = u64::try_from(varint::take(&mut rest)?).ok()?;
    let count = usize::try_from(varint::take(&mut rest)?).ok()?;
    let before = lengths.len().checked_sub(count)?;
    let usual = if count > 1 { varint::take(&mut rest)? } else { 0 };
    let mut exception = next_exception(&mut rest, 0);
    starts.resize(starts.len() + before, 0);
    for (index, length) in lengths.get(before..)?.iter().enumerate() {
        starts.push(start);
        let gap = match exception {
            Some((at, gap)) if at == index => {
                exception = next_exception(&mut rest, index);
                gap
            }
            _ => usual,
        };
        start = start.wrapping_add(*length as u64).wrapping_add_signed(gap);
    }
    Some((u64::from_le_bytes(*text), before))
}

fn next_exception(rest: &mut &[u8], index: usize) -> Option<(usize, i64)> {
    let behind = usize::try_from(varint::take(rest)?).ok()?;
    Some((index.checked_add(behind)?, varint::take(rest)?))
}

/// Names a text by what tells it from others.
#[must_use]
pub fn text_of(parts: &[&[u8]]) -> u64 {
    xxh3_64(&parts.concat())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::stored::{Cut, Topic, push_record};
    use crate::{Buffer, Headers, header};

    /// Batches as one of the hub, each with its position on the last record.
    fn store(batches: &[(Batch, Option<Vec<u8>>)]) -> StoredBatch {
        let (mut data, mut count) = (Vec::new(), 0);
        for (batch, position) in batches {
            for (index, record) in batch.iter().enumerate() {
                let is_last = index + 1 == batch.len();
                let mut extra = Vec::new();
                if let Some(position) = position.as_ref().filter(|_| is_last) {
                    header::push(MARK, Some(position), &mut extra);
                }
                push_record(&record, (0, count), &extra, &mut data);
                count += 1;
            }
        }
        StoredBatch {
            topic: Arc::new(Topic { name: "t".into(), id: "hub.t".into() }),
            partition: 0,
            epoch: 0,
            base_offset: 100,
            next_offset: 100 + count,
            base_timestamp_ms: 0,
            append_timestamp_ms: None,
            count: u32::try_from(count).unwrap(),
            data: data.into(),
            places: std::sync::OnceLock::new(),
            cut: Cut::default(),
        }
    }

    fn position(batch: &Batch) -> Vec<u8> {
        let mut value = Vec::new();
        for field in ["s", "key", "value"] {
            varint::push_bytes(Some(field.as_bytes()), &mut value);
        }
        varint::push_bytes(encode(batch, "s").as_deref(), &mut value);
        value
    }

    fn lines(text: &[u8], base: u64) -> Batch {
        let mut batch = Batch::new(Buffer::from(text.to_vec()), Headers::new(), 0, 0);
        let mut at = 0;
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            let end = at + line.trim_ascii_end().len();
            batch.push(at..end);
            at += line.len();
        }
        batch.set_origin(Origin { text: 7, base });
        batch
    }

    #[test]
    fn a_line_that_is_read_again_elsewhere_is_the_same_line() {
        let text = b"one\ntwo\r\n\nfour\n";
        let first = lines(text, 0);
        let (other, same) = (lines(b"zero\n", 0), lines(&text[4..], 4));
        let placed = |batch: Batch| {
            let position = position(&batch);
            (batch, Some(position))
        };
        let one = store(&[placed(first)]);
        let mut plain = lines(b"syslog\n", 0);
        plain.set_position(crate::Position { key: Vec::new(), value: None });
        let two = store(&[(plain, None), placed(same), placed(other)]);
        let ids = |batch: &StoredBatch| batch.iter().map(|one| one.id()).collect::<Vec<_>>();
        let (one, two) = (ids(&one), ids(&two));
        assert_eq!(one[1..], two[1..4]);
        assert_eq!(two[0], "hub.t-0-0-100");
        assert_ne!(one[0], two[4], "other bytes at the same place are another line");
        assert!(one.iter().all(|id| id.len() <= 80), "{one:?}");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            records in prop::collection::vec((0usize..20, 0usize..3), 1..40),
            base in 0u64..1 << 40,
        ) {
            let mut batch = Batch::new(Buffer::from(vec![b'x'; 2000]), Headers::new(), 0, 0);
            let (mut at, mut expected) = (0, Vec::new());
            for (length, gap) in &records {
                batch.push(at..at + length);
                expected.push(base + at as u64);
                at += length + gap;
            }
            batch.set_origin(Origin { text: 9, base });
            let value = position(&batch);
            let stored = store(&[(batch, Some(value))]);
            let places = Places::of(&stored);
            let found: Vec<u64> =
                (0..records.len()).map(|index| places.get(index).unwrap().1).collect();
            prop_assert_eq!(found, expected);
        }

        #[test]
        fn any_header_is_read_without_a_panic(bytes: Vec<u8>, lengths in prop::collection::vec(0usize..9, 0..9)) {
            let mut header = Vec::new();
            for _ in 0..3 {
                varint::push_bytes(Some(b"x"), &mut header);
            }
            varint::push_bytes(Some(&bytes), &mut header);
            let mut starts = Vec::new();
            let _read = read(&header, &lengths, &mut starts);
            prop_assert!(starts.len() <= lengths.len());
        }
    }
}
