//! Parts of sources' batches → one record batch, encoded and compressed in one pass.
//!
//! Whose the records are, and the position that travels with a part, become a header of its last record
//! ([`crate::hub::embedded::sources::mark`]).

use anabranch_record::header::HeadersRef;
use anabranch_record::{Amount, Batch, Record, stored};

use crate::hub::Part;
use crate::hub::embedded::sources::mark;
use crate::hub::embedded::sources::totals::Run;
use crate::wire::{Builder, CompressionError, Stamp};

/// Producer id of all that this process appends; a position counts only in a batch of this id. Clients never get it or
/// one above it.
pub(crate) const OWN_PRODUCER: i64 = 1 << 40;

/// Encodes all records of `parts` as one batch into `out`; gives what there is of each source.
pub(super) fn encode(
    builder: &mut Builder,
    parts: &mut [Part],
    out: &mut Vec<u8>,
) -> Result<Vec<Run>, CompressionError> {
    let mut encoding = Encoding::begin(parts.first().map(|part| &part.batch));
    let mut runs: Vec<Run> = Vec::new();
    // What is claimed by parts whose mark comes later.
    let mut unmarked = Amount::NONE;
    builder.begin(out);
    let mut rest = parts.iter_mut().peekable();
    while let Some(part) = rest.next() {
        unmarked += part.claimed();
        let shares_mark = part.batch.position().is_none()
            && rest.peek().is_some_and(|next| next.source == part.source);
        let mark = if shares_mark {
            Vec::new()
        } else {
            let claimed = std::mem::take(&mut unmarked);
            let account = part.account();
            mark::encode(&part.source, &part.batch, claimed, account.as_ref())
        };
        let stored = encoding.add(&part.batch, &mark, builder, out)?;
        part.set_encoded(stored);
        note(&mut runs, part, stored);
    }
    encoding.end(builder, out)?;
    Ok(runs)
}

/// Encodes the records of one batch, without a position.
pub(crate) fn encode_alone(
    builder: &mut Builder,
    batch: &Batch,
    out: &mut Vec<u8>,
) -> Result<i32, CompressionError> {
    let mut encoding = Encoding::begin(Some(batch));
    builder.begin(out);
    encoding.add(batch, &[], builder, out)?;
    encoding.end(builder, out)
}

/// A batch that is being encoded.
struct Encoding {
    base_timestamp_ms: i64,
    max_timestamp_ms: i64,
    count: i32,
}

impl Encoding {
    fn begin(first: Option<&Batch>) -> Self {
        let base_timestamp_ms = first.map_or(0, Batch::timestamp_ms);
        Self { base_timestamp_ms, max_timestamp_ms: i64::MIN, count: 0 }
    }

    /// Adds all records of `batch`, the last with `mark` as one more header; gives what was added.
    fn add(
        &mut self,
        batch: &Batch,
        mark: &[u8],
        builder: &mut Builder,
        out: &mut Vec<u8>,
    ) -> Result<Amount, CompressionError> {
        let last = batch.len().saturating_sub(1);
        let mut added = Amount::NONE;
        for (number, record) in batch.iter().enumerate() {
            let extra = if number == last { mark } else { &[] };
            let delta_ms = record.timestamp_ms.wrapping_sub(self.base_timestamp_ms);
            let deltas = (delta_ms, i64::from(self.count));
            stored::push_record(&record, deltas, extra, builder.records());
            self.max_timestamp_ms = self.max_timestamp_ms.max(record.timestamp_ms);
            self.count += 1;
            added += Amount::new(1, record.payload_bytes());
            builder.pack(out)?;
        }
        Ok(added)
    }

    fn end(self, builder: &mut Builder, out: &mut Vec<u8>) -> Result<i32, CompressionError> {
        let Self { base_timestamp_ms, max_timestamp_ms, count } = self;
        let producer = (OWN_PRODUCER, 0, -1);
        builder.finish(Stamp { base_timestamp_ms, max_timestamp_ms, count, producer }, out)?;
        Ok(count)
    }
}

fn note(runs: &mut Vec<Run>, part: &Part, stored: Amount) {
    match runs.last_mut() {
        Some(run) if run.source == part.source => {
            run.claimed += part.claimed();
            run.stored += stored;
        }
        _ => runs.push(Run {
            source: std::sync::Arc::clone(&part.source),
            claimed: part.claimed(),
            stored,
        }),
    }
}

/// A record of an internal topic.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) value: Option<&'a [u8]>,
    /// An encoded header, or nothing.
    pub(crate) header: &'a [u8],
}

/// Encodes records of an internal topic as one batch.
pub(crate) fn encode_entries(
    entries: &[Entry<'_>],
    timestamp_ms: i64,
    builder: &mut Builder,
    out: &mut Vec<u8>,
) -> Result<(), CompressionError> {
    let mut batch = EntryBatch::begin(timestamp_ms, builder, out);
    entries.iter().try_for_each(|entry| batch.push(*entry))?;
    batch.finish()
}

/// A batch of an internal topic in the making: nothing is held but what is not compressed yet, and what is.
pub(super) struct EntryBatch<'a> {
    timestamp_ms: i64,
    count: i32,
    builder: &'a mut Builder,
    out: &'a mut Vec<u8>,
}

impl<'a> EntryBatch<'a> {
    /// Begins one in `out`, whose content is replaced.
    pub(super) fn begin(timestamp_ms: i64, builder: &'a mut Builder, out: &'a mut Vec<u8>) -> Self {
        builder.begin(out);
        Self { timestamp_ms, count: 0, builder, out }
    }

    /// Adds a record.
    pub(super) fn push(&mut self, entry: Entry<'_>) -> Result<(), CompressionError> {
        let Entry { key, value, header } = entry;
        let (headers, timestamp_ms) = (HeadersRef { common: &[], own: &[] }, self.timestamp_ms);
        let record = Record { key: Some(key), value, timestamp_ms, header_count: 0, headers };
        stored::push_record(&record, (0, i64::from(self.count)), header, self.builder.records());
        self.count += 1;
        self.builder.pack(self.out)
    }

    /// Ends it.
    pub(super) fn finish(self) -> Result<(), CompressionError> {
        let Self { timestamp_ms, count, builder, out } = self;
        let (base_timestamp_ms, max_timestamp_ms) = (timestamp_ms, timestamp_ms);
        let producer = (OWN_PRODUCER, 0, -1);
        builder.finish(Stamp { base_timestamp_ms, max_timestamp_ms, count, producer }, out)
    }
}
