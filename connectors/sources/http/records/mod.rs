//! Cuts a body into records, without copying where it is not large.

use std::fmt;
use std::ops::Range;

use anabranch_record::{Batch, Buffer, Headers, Pool};
use hyper::StatusCode;
use memchr::{memchr, memrchr};
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::answer::Refusal;
use super::config::Format;
use crate::shared::framing::byte_order_mark;

/// Larger bodies are cut into batches of about this many bytes, at the borders of records.
const BATCH_BYTES: usize = 1 << 20;

/// Most records of one request: a record takes memory beside its bytes, so a small body of empty lines must not become
/// a large one.
const RECORDS_MAX: usize = 1_000_000;

/// What the batches of one request have in common.
#[derive(Debug)]
pub(super) struct Common {
    pub(super) headers: Headers,
    pub(super) timestamp_ms: i64,
    pub(super) stream: u64,
    pub(super) key: Option<Vec<u8>>,
    pub(super) pool: Pool,
}

/// The batches of `body`; none when it has no records.
pub(super) fn batches(
    mut body: Buffer,
    format: Format,
    common: &Common,
) -> Result<Vec<Batch>, Refusal> {
    if format != Format::Bytes {
        let mark = body.len() - byte_order_mark::strip(&body).len();
        body.drain(..mark);
    }
    let separator = if format == Format::Json { b',' } else { b'\n' };
    // Commas stand inside of objects too, so for JSON this is only a first bound.
    let bound = if format == Format::Json { 8 * RECORDS_MAX } else { RECORDS_MAX };
    if format != Format::Bytes && memchr::memchr_iter(separator, &body).count() > bound {
        return Err(too_many());
    }
    let ranges = match format {
        Format::Json => elements(&body)?,
        Format::Bytes => std::iter::once(0..body.len()).collect(),
        Format::Auto | Format::Ndjson | Format::Lines => Vec::new(),
    };
    if ranges.len() > RECORDS_MAX {
        return Err(too_many());
    }
    let fill = |batch: &mut Batch| match format {
        Format::Ndjson => json_lines(batch, common),
        Format::Auto | Format::Json | Format::Lines | Format::Bytes => lines(batch, common),
    };
    let batches = match format {
        Format::Json | Format::Bytes => by_ranges(body, &ranges, common),
        Format::Auto | Format::Ndjson | Format::Lines => by_lines(body, common, fill),
    };
    Ok(batches.into_iter().filter(|batch| !batch.is_empty()).collect())
}

fn too_many() -> Refusal {
    let message = format!("more than {RECORDS_MAX} records in one request; send them in several");
    Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, message)
}

fn batch(data: Buffer, common: &Common) -> Batch {
    Batch::new(data.fitted(), common.headers.clone(), common.timestamp_ms, common.stream)
}

/// Appends a record; a key goes behind the values, so the ranges stay what they are.
#[inline]
fn push(batch: &mut Batch, range: Range<usize>, common: &Common) {
    batch.push(range);
    if let Some(key) = &common.key {
        batch.set_key(key);
    }
}

fn by_ranges(body: Buffer, ranges: &[Range<usize>], common: &Common) -> Vec<Batch> {
    let mut batches = Vec::new();
    if body.len() <= 2 * BATCH_BYTES {
        let mut one = batch(body, common);
        for range in ranges {
            push(&mut one, range.clone(), common);
        }
        return vec![one];
    }
    let mut ranges = ranges.iter().peekable();
    while ranges.peek().is_some() {
        let mut data = common.pool.take();
        let mut placed = Vec::new();
        while let Some(range) =
            ranges.next_if(|range| data.is_empty() || data.len() + range.len() <= BATCH_BYTES)
        {
            let start = data.len();
            data.extend_from_slice(body.get(range.clone()).unwrap_or_default());
            placed.push(start..data.len());
        }
        let mut next = batch(data, common);
        placed.into_iter().for_each(|range| push(&mut next, range, common));
        batches.push(next);
    }
    batches
}

fn by_lines(body: Buffer, common: &Common, fill: impl Fn(&mut Batch)) -> Vec<Batch> {
    if body.len() <= 2 * BATCH_BYTES {
        let mut one = batch(body, common);
        fill(&mut one);
        return vec![one];
    }
    let mut batches = Vec::new();
    let mut rest = body.as_slice();
    while !rest.is_empty() {
        let (part, left) = rest.split_at(cut(rest));
        rest = left;
        let mut data = common.pool.take();
        data.extend_from_slice(part);
        let mut next = batch(data, common);
        fill(&mut next);
        batches.push(next);
    }
    batches
}

/// Where a batch of whole lines ends.
fn cut(rest: &[u8]) -> usize {
    let Some((front, behind)) = rest.split_at_checked(BATCH_BYTES) else {
        return rest.len();
    };
    let after = || memchr(b'\n', behind).map_or(rest.len(), |at| BATCH_BYTES + at + 1);
    memrchr(b'\n', front).map_or_else(after, |at| at + 1)
}

/// The next line from `start` of `length` bytes of the batch's buffer: its range without the delimiter, and what is
/// behind it. Keys may stand behind `length`.
#[inline]
fn line(batch: &Batch, start: usize, length: usize) -> Option<(&[u8], usize)> {
    let rest = batch.data().get(start..length).filter(|rest| !rest.is_empty())?;
    let end = memchr(b'\n', rest).unwrap_or(rest.len());
    let text = rest.get(..end)?;
    Some((text.strip_suffix(b"\r").unwrap_or(text), start + end + 1))
}

fn lines(batch: &mut Batch, common: &Common) {
    let (mut start, length) = (0, batch.data().len());
    while let Some((text, next)) = line(batch, start, length) {
        let end = start + text.len();
        push(batch, start..end, common);
        start = next;
    }
}

/// Blank lines are no records; lines that are no JSON are marked.
fn json_lines(batch: &mut Batch, common: &Common) {
    let (mut start, length) = (0, batch.data().len());
    while let Some((text, next)) = line(batch, start, length) {
        let end = start + text.len();
        let looks = matches!((text.first(), text.last()), (Some(b'{'), Some(b'}')));
        let (is_blank, is_json) =
            if looks { (false, true) } else { (is_blank(text), is_json(text)) };
        if !is_blank {
            push(batch, start..end, common);
        }
        if !is_blank && !is_json {
            batch.set_header("parse_error", b"the line is not a JSON value");
        }
        start = next;
    }
}

fn is_blank(text: &[u8]) -> bool {
    text.trim_ascii().is_empty()
}

/// For the rare line that is not an object without blanks around it.
fn is_json(text: &[u8]) -> bool {
    let text = text.trim_ascii();
    let ends =
        matches!((text.first(), text.last()), (Some(b'{'), Some(b'}')) | (Some(b'['), Some(b']')));
    ends || serde_json::from_slice::<IgnoredAny>(text).is_ok()
}

/// The elements of an array, or the one object.
fn elements(body: &[u8]) -> Result<Vec<Range<usize>>, Refusal> {
    let malformed = |error: serde_json::Error| {
        let message = format!("the body is malformed JSON: {error}; nothing was stored");
        Refusal::new(StatusCode::BAD_REQUEST, message)
    };
    match body.trim_ascii_start().first() {
        Some(b'[') => {
            let mut input = serde_json::Deserializer::from_slice(body);
            let ranges = Elements { base: body.as_ptr().addr() }.deserialize(&mut input);
            let ranges = ranges.map_err(malformed)?;
            input.end().map_err(malformed)?;
            Ok(ranges)
        }
        Some(b'{') => {
            let object: &RawValue = serde_json::from_slice(body).map_err(malformed)?;
            Ok(vec![range(object, body.as_ptr().addr())])
        }
        _ => {
            let message = "the body is neither a JSON array nor an object; nothing was stored";
            Err(Refusal::new(StatusCode::BAD_REQUEST, message))
        }
    }
}

/// Where a value stands in the body that it is borrowed from, which begins at `base`.
fn range(value: &RawValue, base: usize) -> Range<usize> {
    let start = value.get().as_ptr().addr().saturating_sub(base);
    start..start + value.get().len()
}

/// Notes where the elements of an array are.
struct Elements {
    base: usize,
}

impl<'de> DeserializeSeed<'de> for Elements {
    type Value = Vec<Range<usize>>;

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<Self::Value, D::Error> {
        input.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Elements {
    type Value = Vec<Range<usize>>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Self::Value, A::Error> {
        let mut ranges = Vec::new();
        while let Some(element) = array.next_element::<&RawValue>()? {
            ranges.push(range(element, self.base));
        }
        Ok(ranges)
    }
}

/// What `Content-Type` says, or what the first bytes look like.
pub(super) fn format(content_type: Option<&[u8]>, body: &[u8]) -> Format {
    let kind = content_type.unwrap_or_default();
    let kind = kind.split(|byte| *byte == b';').next().unwrap_or_default();
    match kind.trim_ascii().to_ascii_lowercase().as_slice() {
        b"application/x-ndjson"
        | b"application/ndjson"
        | b"application/jsonl"
        | b"application/x-jsonlines" => Format::Ndjson,
        b"application/json" => Format::Json,
        b"text/plain" => Format::Lines,
        b"application/octet-stream" => Format::Bytes,
        _ => sniff(body),
    }
}

/// JSON, if the first line is not a value of its own with more to come.
fn sniff(body: &[u8]) -> Format {
    let body = byte_order_mark::strip(body).trim_ascii();
    let close = match body.first() {
        Some(b'{') => b'}',
        Some(b'[') => b']',
        _ => return Format::Lines,
    };
    let first = memchr(b'\n', body).and_then(|end| body.get(..end));
    let alone = first.is_some_and(|line| {
        line.trim_ascii().last() == Some(&close)
            && serde_json::from_slice::<IgnoredAny>(line).is_ok()
    });
    if alone { Format::Ndjson } else { Format::Json }
}

#[cfg(test)]
mod tests;
