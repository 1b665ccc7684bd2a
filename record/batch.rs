//! The unit that crosses every wall on the way in: one buffer, a table of spans into it, and headers held once.
//!
//! A source reads bytes into the buffer (or moves the buffer that it read into), pushes a span for each record, and
//! hands the batch on. Nothing is allocated for a record; the encoder copies each value once, into the bytes that
//! are compressed.
//!
//! Invariant: every span lies inside its buffer.

use std::ops::Range;

use crate::header::{self, HeadersRef};
use crate::origin::Origin;
use crate::{Amount, Buffer, Chain, Condition, Headers, places};

/// Largest buffer of a batch, bytes. Sources cut at about 1 MiB; this bounds a single huge record.
pub const DATA_MAX: usize = 256 << 20;

/// Where its source will read on once the hub has the batch; stored in the batch, so that both are one append.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// What is positioned, unique within the source: for a file, its identity.
    pub key: Vec<u8>,
    /// Where to read on, in the source's own encoding; `None` forgets the key.
    pub value: Option<Vec<u8>>,
}

/// Smaller ones than of so many bytes are not expected.
const RECORD_LEAST: usize = 64;

/// Records of one stream, in order.
#[derive(Debug, Default)]
pub struct Batch {
    data: Buffer,
    header_data: Vec<u8>,
    spans: Vec<Span>,
    extras: Vec<Extra>,
    headers: Headers,
    timestamp_ms: i64,
    stream: u64,
    position: Option<Position>,
    origin: Option<Origin>,
    chain: Option<Chain>,
    condition: Option<Condition>,
}

/// A value, and where its rarer parts are: `extra` is an index into `extras` plus one, or 0 for none.
#[derive(Debug, Clone, Copy)]
struct Span {
    start: u32,
    length: u32,
    extra: u32,
}

/// What most records do not have.
#[derive(Debug, Clone, Copy, Default)]
struct Extra {
    key: Option<(u32, u32)>,
    null_value: bool,
    headers_start: u32,
    headers_length: u32,
    headers_count: u32,
    timestamp_ms: Option<i64>,
}

/// How much of what there is in a batch.
#[derive(Debug, Clone, Copy, Default)]
pub struct Shape {
    data: usize,
    records: usize,
    extras: usize,
    headers: usize,
}

/// One record, borrowed from its batch.
#[derive(Debug, Clone, Copy, Default)]
pub struct Record<'a> {
    /// The key, if there is one.
    pub key: Option<&'a [u8]>,
    /// The value; `None` is Kafka's tombstone.
    pub value: Option<&'a [u8]>,
    /// Milliseconds since the Unix epoch.
    pub timestamp_ms: i64,
    /// How many headers it has in all.
    pub header_count: u32,
    /// Its headers.
    pub headers: HeadersRef<'a>,
}

impl Record<'_> {
    /// Bytes of key, value and headers.
    #[must_use]
    #[inline]
    pub fn payload_bytes(&self) -> u64 {
        let length = |bytes: Option<&[u8]>| bytes.map_or(0, <[u8]>::len);
        let headers = self.headers.common.len() + self.headers.own.len();
        (length(self.key) + length(self.value) + headers) as u64
    }
}

impl Batch {
    /// A batch over `data`, with no records yet. All its records have `headers` and, unless set, `timestamp_ms`.
    ///
    /// `stream` names what the records come from (see [`stream_of`]): records of one stream stay in order.
    #[must_use]
    pub fn new(data: Buffer, headers: Headers, timestamp_ms: i64, stream: u64) -> Self {
        Self { data, headers, timestamp_ms, stream, ..Self::default() }
    }

    /// How much there is in it.
    pub fn shape(&self) -> Shape {
        let (records, extras) = (self.spans.len(), self.extras.len());
        Shape { data: self.data.len(), records, extras, headers: self.header_data.len() }
    }

    /// Makes room for as many records as the buffer has if they are like those of a batch of that shape.
    pub fn expect(&mut self, before: Shape) {
        let data = self.data.len();
        let share = |of: usize| of.saturating_mul(data) / before.data.max(1);
        // Those before may have been small beyond measure.
        let records = |of: usize| share(of).min(data / RECORD_LEAST);
        self.spans.reserve(records(before.records));
        self.extras.reserve(records(before.extras));
        self.header_data.reserve(share(before.headers).min(data));
    }

    /// Appends a record whose value is `range` of the buffer. A range outside the buffer is cut to it.
    #[inline]
    pub fn push(&mut self, range: Range<usize>) {
        let end = range.end.min(self.data.len());
        let start = range.start.min(end);
        self.spans.push(Span { start: narrow(start), length: narrow(end - start), extra: 0 });
    }

    /// Copies `value` to the end of the buffer and appends it as a record.
    pub fn push_copy(&mut self, value: &[u8]) {
        let start = self.data.len();
        self.data.extend_from_slice(value);
        self.push(start..self.data.len());
    }

    /// Gives the last record a header of its own.
    pub fn set_header(&mut self, name: &str, value: &[u8]) {
        self.copy_header(name, Some(value));
    }

    /// As [`Batch::set_header`] for one that may have no value.
    pub fn copy_header(&mut self, name: &str, value: Option<&[u8]>) {
        let start = narrow(self.header_data.len());
        header::push(name, value, &mut self.header_data);
        self.count_headers(start, 1);
    }

    /// Gives the last record `count` headers of its own that are encoded already (see [`header`]), copied.
    pub fn set_encoded_headers(&mut self, encoded: &[u8], count: u32) {
        let start = narrow(self.header_data.len());
        self.header_data.extend_from_slice(encoded);
        self.count_headers(start, count);
    }

    fn count_headers(&mut self, start: u32, count: u32) {
        let end = narrow(self.header_data.len());
        if let Some(extra) = self.last_extra() {
            if extra.headers_count == 0 {
                extra.headers_start = start;
            }
            extra.headers_length = end - extra.headers_start;
            extra.headers_count += count;
        }
    }

    /// Gives the last record a key, copied.
    pub fn set_key(&mut self, key: &[u8]) {
        let start = narrow(self.data.len());
        self.data.extend_from_slice(key);
        let length = narrow(key.len());
        if let Some(extra) = self.last_extra() {
            extra.key = Some((start, length));
        }
    }

    /// Gives the last record a time of its own.
    pub fn set_timestamp_ms(&mut self, timestamp_ms: i64) {
        if let Some(extra) = self.last_extra() {
            extra.timestamp_ms = Some(timestamp_ms);
        }
    }

    /// Makes the last record a tombstone.
    pub fn set_null_value(&mut self) {
        if let Some(extra) = self.last_extra() {
            extra.null_value = true;
        }
    }

    /// Says where the source reads on once the hub has this batch.
    pub fn set_position(&mut self, position: Position) {
        self.position = Some(position);
    }

    /// Says where its buffer lies in what it was read from.
    pub fn set_origin(&mut self, origin: Origin) {
        self.origin = Some(origin);
    }

    /// Where its buffer lies in what it was read from.
    #[must_use]
    pub const fn origin(&self) -> Option<Origin> {
        self.origin
    }

    /// Which bytes of which text of `source` its records are, as it is stored; `None` when that is not known.
    #[must_use]
    pub fn places(&self, source: &str) -> Option<Vec<u8>> {
        places::encode(self.origin?, self.spans(), source)
    }

    /// Where in the buffer each record begins, and its length.
    pub fn spans(&self) -> impl ExactSizeIterator<Item = (usize, usize)> + '_ {
        self.spans.iter().map(|span| (span.start as usize, span.length as usize))
    }

    /// Says which batches it builds on.
    pub fn set_chain(&mut self, chain: Chain) {
        self.chain = Some(chain);
    }

    /// Says what must be so when it is stored.
    pub fn set_condition(&mut self, condition: Condition) {
        self.condition = Some(condition);
    }

    /// What must be so when it is stored.
    #[must_use]
    pub const fn condition(&self) -> Option<&Condition> {
        self.condition.as_ref()
    }

    /// The same in a buffer of its size, when most of its own would lie idle.
    #[must_use]
    pub fn fitted(mut self) -> Self {
        self.data = std::mem::take(&mut self.data).fitted();
        self
    }

    /// The buffer, for a source that writes values straight into it.
    pub fn data_mut(&mut self) -> &mut Vec<u8> {
        &mut self.data
    }

    /// The buffer.
    #[must_use]
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// The position that travels with the batch.
    #[must_use]
    pub const fn position(&self) -> Option<&Position> {
        self.position.as_ref()
    }

    /// What it builds on, if that is more than what is stored.
    #[must_use]
    pub const fn chain(&self) -> Option<&Chain> {
        self.chain.as_ref()
    }

    /// Headers common to all its records.
    #[must_use]
    pub const fn headers(&self) -> &Headers {
        &self.headers
    }

    /// What its records come from.
    #[must_use]
    pub const fn stream(&self) -> u64 {
        self.stream
    }

    /// When it was read, milliseconds since the Unix epoch.
    #[must_use]
    pub const fn timestamp_ms(&self) -> i64 {
        self.timestamp_ms
    }

    /// Number of records.
    #[must_use]
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether it has no record (it may still have a position).
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// Whether any record has a key, so that a partitioner must look at each.
    #[must_use]
    pub fn has_keys(&self) -> bool {
        self.extras.iter().any(|extra| extra.key.is_some())
    }

    /// Bytes that it holds in memory, for the budget.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        let records = self.spans.len() * size_of::<Span>() + self.extras.len() * size_of::<Extra>();
        self.data.len() + self.header_data.len() + records
    }

    /// Bytes of all values.
    #[must_use]
    pub fn value_bytes(&self) -> u64 {
        self.spans.iter().map(|span| u64::from(span.length)).sum()
    }

    /// Its records, and the bytes of their keys, values and headers as a hub stores them.
    #[must_use]
    pub fn amount(&self) -> Amount {
        let mut bytes = self.headers.bytes().len() as u64 * self.len() as u64;
        for span in &self.spans {
            bytes += u64::from(span.length);
            if span.extra == 0 {
                continue;
            }
            let Some(extra) = self.extras.get(span.extra as usize - 1) else { continue };
            bytes += u64::from(extra.headers_length);
            bytes += extra.key.map_or(0, |(_, length)| u64::from(length));
            if extra.null_value {
                bytes -= u64::from(span.length);
            }
        }
        Amount::new(self.len() as u64, bytes)
    }

    /// The records, in order, borrowed.
    pub fn iter(&self) -> impl Iterator<Item = Record<'_>> {
        self.spans.iter().map(|span| self.view(*span))
    }

    #[inline]
    fn view(&self, span: Span) -> Record<'_> {
        let mut record = Record {
            key: None,
            value: Some(slice(&self.data, span.start, span.length)),
            timestamp_ms: self.timestamp_ms,
            header_count: self.headers.count(),
            headers: HeadersRef { common: self.headers.bytes(), own: &[] },
        };
        if span.extra != 0
            && let Some(extra) = self.extras.get(span.extra as usize - 1)
        {
            record.key = extra.key.map(|(start, length)| slice(&self.data, start, length));
            record.value = record.value.filter(|_| !extra.null_value);
            record.timestamp_ms = extra.timestamp_ms.unwrap_or(self.timestamp_ms);
            record.header_count += extra.headers_count;
            record.headers.own =
                slice(&self.header_data, extra.headers_start, extra.headers_length);
        }
        record
    }

    fn last_extra(&mut self) -> Option<&mut Extra> {
        let span = self.spans.last_mut()?;
        if span.extra == 0 {
            self.extras.push(Extra::default());
            span.extra = narrow(self.extras.len());
        }
        self.extras.get_mut(span.extra as usize - 1)
    }
}

/// The number of a stream: a hash of what names it (a file's path, a peer's address, a host).
#[must_use]
pub fn stream_of(name: &[u8]) -> u64 {
    xxhash_rust::xxh3::xxh3_64(name)
}

#[inline]
fn slice(data: &[u8], start: u32, length: u32) -> &[u8] {
    data.get(start as usize..start as usize + length as usize).unwrap_or_default()
}

/// Invariant: buffers stay below [`DATA_MAX`], so the number fits; a longer one would be cut, not wrapped.
#[inline]
fn narrow(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}
