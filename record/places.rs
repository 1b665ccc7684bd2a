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

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::header::HeadersRef;
use crate::origin::Origin;
use crate::varint;

/// Name of the header that the last record of a part has: source, key and value of its position, and what is above, each
/// with its length; then what only the hub reads.
pub const MARK: &str = "__anabranch.position";

/// Which bytes the records of a batch are, whose `spans` of its buffer (start, length) are given; `None` when there is none.
pub(crate) fn encode(
    Origin { text, base }: Origin,
    mut spans: impl ExactSizeIterator<Item = (usize, usize)>,
    source: &str,
) -> Option<Vec<u8>> {
    let count = spans.len();
    let (start, length) = spans.next()?;
    let mut out = Vec::with_capacity(24);
    out.extend(xxh3_64_with_seed(source.as_bytes(), text).to_le_bytes());
    varint::push(i64::try_from(base + start as u64).unwrap_or(i64::MAX), &mut out);
    varint::push(varint::length(count), &mut out);
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
    /// Reads them from the headers of a batch's records, about `count`, each given with the length of its value.
    pub(crate) fn of<'a, I>(count: usize, records: I) -> Self
    where
        I: Iterator<Item = (usize, HeadersRef<'a>)>,
    {
        let mut places = Self::default();
        let mut lengths: Vec<usize> = Vec::with_capacity(count);
        // Most records have the headers of the one before, and those that have a mark are few.
        let mut unmarked: &[u8] = &[];
        for (index, (length, headers)) in records.enumerate() {
            lengths.push(length);
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
pub(crate) fn read(
    header: &[u8],
    lengths: &[usize],
    starts: &mut Vec<u64>,
) -> Option<(u64, usize)> {
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
