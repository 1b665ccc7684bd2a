//! Parts of sources' batches → one record batch, encoded and compressed in one pass.
//!
//! The position that travels with a part becomes a header of its last record ([`POSITION`]):
//! source, key and value, each a varint length and bytes.

use anabranch_connectors::{Batch, Headers, header, records, varint};

use crate::hub::Part;
use crate::wire::{Builder, CompressionError, Stamp};

/// Name of the header that carries a source's position.
pub(super) const POSITION: &str = "__anabranch.position";
/// Producer id of all that this process appends; a position counts only in a batch of this id. Clients never get it or
/// one above it.
pub(crate) const OWN_PRODUCER: i64 = 1 << 40;

/// Encodes all records of `parts` as one batch into `out`; gives their number.
pub(super) fn encode(
    builder: &mut Builder,
    parts: &[Part],
    out: &mut Vec<u8>,
) -> Result<i32, CompressionError> {
    let mut encoding = Encoding::begin(parts.first().map(|part| &part.batch));
    builder.begin(out);
    for part in parts {
        encoding.add(&part.batch, &encode_position(part), builder, out)?;
    }
    encoding.end(builder, out)
}

/// Encodes the records of one batch, without a position.
pub(super) fn encode_alone(
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

    /// Adds all records of `batch`, the last with `position` as one more header.
    fn add(
        &mut self,
        batch: &Batch,
        position: &[u8],
        builder: &mut Builder,
        out: &mut Vec<u8>,
    ) -> Result<(), CompressionError> {
        let last = batch.len().saturating_sub(1);
        for (number, record) in batch.iter().enumerate() {
            let extra = if number == last { position } else { &[] };
            let delta_ms = record.timestamp_ms.wrapping_sub(self.base_timestamp_ms);
            let deltas = (delta_ms, i64::from(self.count));
            records::push_record(&record, deltas, extra, builder.records());
            self.max_timestamp_ms = self.max_timestamp_ms.max(record.timestamp_ms);
            self.count += 1;
            builder.pack(out)?;
        }
        Ok(())
    }

    fn end(self, builder: &mut Builder, out: &mut Vec<u8>) -> Result<i32, CompressionError> {
        let Self { base_timestamp_ms, max_timestamp_ms, count } = self;
        let producer = (OWN_PRODUCER, 0, -1);
        builder.finish(Stamp { base_timestamp_ms, max_timestamp_ms, count, producer }, out)?;
        Ok(count)
    }
}

fn encode_position(part: &Part) -> Vec<u8> {
    let Some(position) = part.batch.position() else { return Vec::new() };
    let mut value = Vec::new();
    varint::push_bytes(Some(part.source.as_bytes()), &mut value);
    varint::push_bytes(Some(&position.key), &mut value);
    varint::push_bytes(position.value.as_deref(), &mut value);
    let mut encoded = Vec::new();
    header::push(POSITION, Some(&value), &mut encoded);
    encoded
}

/// A position as it stands in a header.
pub(super) struct StoredPosition<'a> {
    pub(super) source: &'a str,
    pub(super) key: &'a [u8],
    pub(super) value: Option<&'a [u8]>,
}

/// Reads a position header; `None` when it is damaged.
pub(super) fn decode_position(mut bytes: &[u8]) -> Option<StoredPosition<'_>> {
    let source = str::from_utf8(varint::take_bytes(&mut bytes)??).ok()?;
    let key = varint::take_bytes(&mut bytes)??;
    let value = varint::take_bytes(&mut bytes)?;
    Some(StoredPosition { source, key, value })
}

/// A record of an internal topic.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry<'a> {
    pub(super) key: &'a [u8],
    pub(super) value: Option<&'a [u8]>,
    /// An encoded header, or nothing.
    pub(super) header: &'a [u8],
}

/// Encodes records of an internal topic as one batch.
pub(super) fn encode_entries(
    entries: &[Entry<'_>],
    timestamp_ms: i64,
    builder: &mut Builder,
    out: &mut Vec<u8>,
) -> Result<(), CompressionError> {
    let mut batch = Batch::new(Vec::new().into(), Headers::new(), timestamp_ms, 0);
    for Entry { key, value, .. } in entries.iter().copied() {
        batch.push_copy(value.unwrap_or_default());
        if value.is_none() {
            batch.set_null_value();
        }
        batch.set_key(key);
    }
    builder.begin(out);
    let mut count = 0i32;
    for (record, Entry { header, .. }) in batch.iter().zip(entries) {
        records::push_record(&record, (0, i64::from(count)), header, builder.records());
        count += 1;
        builder.pack(out)?;
    }
    let producer = (OWN_PRODUCER, 0, -1);
    let stamp =
        Stamp { base_timestamp_ms: timestamp_ms, max_timestamp_ms: timestamp_ms, count, producer };
    builder.finish(stamp, out)
}
