//! Records → record batches as the brokers keep them, encoded and compressed in one pass on the caller's thread.

use std::sync::Arc;

use anabranch_record::stored::push_record;
use anabranch_record::{Amount, Buffer, Pool, Record, StoredBatch, Topic};
use parking_lot::Mutex;

use crate::hub::Part;
use crate::kafka::{Batch, Code, Place, State};
use crate::wire::{BatchHeader, Builder, Codec, CompressionError, HEADER_BYTES, Stamp};

/// What a batch and a record need around key, value and headers, at most.
pub(super) const AROUND: usize = 256;

/// What a record needs in its batch around key, value and headers, at most: seven numbers.
const RECORD_AROUND: usize = 40;

/// More than any batch here holds, bytes; there is no damage to be feared in what this process has made.
const SECTION_MAX: usize = 1 << 30;

/// How large batches and records of a topic may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limits {
    /// Records of one batch together, bytes before compression.
    pub(super) batch_max: usize,
    /// Key, value and headers of one record, bytes.
    pub(super) record_max: usize,
}

/// Encodes for all threads; each has a builder while it works.
#[derive(Debug)]
pub(super) struct Encoder {
    compression: (Codec, Option<i32>),
    builders: Mutex<Vec<Builder>>,
    pool: Pool,
}

impl Encoder {
    pub(super) fn new(compression: (Codec, Option<i32>)) -> Self {
        Self { compression, builders: Mutex::default(), pool: Pool::new(32, 2 << 20) }
    }

    /// Gives memory back when there is nothing to encode.
    pub(super) fn shrink(&self) {
        self.builders.lock().clear();
        self.pool.clear();
    }

    /// Encodes all records of `parts` for one partition. A record that is too large stands alone in a batch that
    /// counts as refused.
    pub(super) fn parts(
        &self,
        place: Place,
        limits: Limits,
        parts: &mut [Part],
    ) -> Result<Vec<Batch>, CompressionError> {
        let mut writing = self.begin(place, limits);
        for part in parts {
            let mut stored = Amount::NONE;
            for record in part.batch.iter() {
                writing.push(&record)?;
                stored += Amount::new(1, record.payload_bytes());
            }
            part.set_encoded(stored);
        }
        writing.end()
    }

    /// Begins to encode for one partition.
    pub(super) fn begin(&self, place: Place, limits: Limits) -> Encoding<'_> {
        let known = self.builders.lock().pop();
        let (codec, level) = self.compression;
        let builder = known.unwrap_or_else(|| Builder::new(codec, level));
        Encoding {
            encoder: self,
            builder,
            place,
            limits,
            out: Buffer::default(),
            open: Open::default(),
            done: Vec::new(),
        }
    }
}

/// The batch that is being filled.
#[derive(Debug, Clone, Copy, Default)]
struct Open {
    count: i32,
    bytes: usize,
    base_timestamp_ms: i64,
    max_timestamp_ms: i64,
}

/// Batches in the making, for one partition.
#[derive(Debug)]
pub(super) struct Encoding<'a> {
    encoder: &'a Encoder,
    builder: Builder,
    place: Place,
    limits: Limits,
    out: Buffer,
    open: Open,
    done: Vec<Batch>,
}

impl Encoding<'_> {
    /// Appends a record.
    #[inline]
    pub(super) fn push(&mut self, record: &Record<'_>) -> Result<(), CompressionError> {
        let size = size(record);
        let is_too_large = size > self.limits.record_max;
        let is_full = self.open.bytes + size + RECORD_AROUND > self.limits.batch_max;
        if is_too_large || is_full || self.open.count == 0 {
            self.close()?;
            self.open(record);
        }
        let open = &mut self.open;
        let delta_ms = record.timestamp_ms.wrapping_sub(open.base_timestamp_ms);
        let deltas = (delta_ms, i64::from(open.count));
        push_record(record, deltas, &[], self.builder.records());
        open.bytes += size + RECORD_AROUND;
        open.max_timestamp_ms = open.max_timestamp_ms.max(record.timestamp_ms);
        open.count += 1;
        self.builder.pack(&mut self.out)?;
        if is_too_large {
            self.close()?;
            if let Some(batch) = self.done.last_mut() {
                batch.state = State::Refused(Code::TOO_LARGE);
            }
        }
        Ok(())
    }

    /// The batches.
    pub(super) fn end(mut self) -> Result<Vec<Batch>, CompressionError> {
        self.close()?;
        let mut builders = self.encoder.builders.lock();
        builders.push(self.builder);
        Ok(self.done)
    }

    fn open(&mut self, record: &Record<'_>) {
        self.out = self.encoder.pool.take();
        self.builder.begin(&mut self.out);
        self.open = Open {
            base_timestamp_ms: record.timestamp_ms,
            max_timestamp_ms: record.timestamp_ms,
            ..Open::default()
        };
    }

    fn close(&mut self) -> Result<(), CompressionError> {
        let Open { count, base_timestamp_ms, max_timestamp_ms, .. } =
            std::mem::take(&mut self.open);
        if count == 0 {
            return Ok(());
        }
        let stamp = Stamp { base_timestamp_ms, max_timestamp_ms, count, producer: (-1, -1, -1) };
        self.builder.finish(stamp, &mut self.out)?;
        let bytes = std::mem::take(&mut self.out);
        self.done.push(Batch::new(self.place.clone(), bytes, count));
        Ok(())
    }
}

/// Bytes of key, value and headers.
pub(super) fn size(record: &Record<'_>) -> usize {
    record.key.map_or(0, <[u8]>::len)
        + record.value.map_or(0, <[u8]>::len)
        + record.headers.common.len()
        + record.headers.own.len()
}

/// The records of a batch that was encoded here; `None` when it is damaged.
pub(super) fn decode(batch: &Batch) -> Option<StoredBatch> {
    let header = BatchHeader::parse(&batch.bytes).ok()?;
    let mut data = Buffer::default();
    let packed = batch.bytes.get(HEADER_BYTES..)?;
    header.codec()?.decompress(packed, SECTION_MAX, &mut data).ok()?;
    let (name, partition) = (batch.place.0.to_string(), batch.place.1);
    Some(StoredBatch {
        topic: Arc::new(Topic { name, id: String::new() }),
        partition,
        epoch: 0,
        base_offset: 0,
        next_offset: i64::from(header.count),
        base_timestamp_ms: header.base_timestamp_ms,
        append_timestamp_ms: None,
        count: u32::try_from(header.count).ok()?,
        data,
        places: std::sync::OnceLock::new(),
        cut: anabranch_record::stored::Cut::default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use anabranch_record::{Batch as Records, Headers};

    fn encode(limits: Limits, values: &[&[u8]]) -> Vec<Batch> {
        let headers = Headers::new().with("host", b"web");
        let mut records = Records::new(Vec::new().into(), headers, 1000, 0);
        for (value, time) in values.iter().zip(1000i64..) {
            records.push_copy(value);
            records.set_timestamp_ms(2000 - time);
        }
        let encoder = Encoder::new((Codec::Lz4, None));
        let mut writing = encoder.begin(("logs".into(), 3), limits);
        for record in records.iter() {
            writing.push(&record).unwrap();
        }
        writing.end().unwrap()
    }

    fn values(batch: &Batch) -> Vec<Vec<u8>> {
        let decoded = decode(batch).unwrap();
        assert!(BatchHeader::verify(&batch.bytes).is_ok() && decoded.is_framed());
        decoded.iter().map(|stored| stored.record.value.unwrap().to_vec()).collect()
    }

    #[test]
    fn batches_are_cut_at_their_limit_and_hold_every_record_once() {
        let limits = Limits { batch_max: 130, record_max: 1000 };
        let batches = encode(limits, &[b"one", b"two", b"three", &[b'x'; 200], b"four"]);
        let all: Vec<Vec<Vec<u8>>> = batches.iter().map(values).collect();
        let texts = |texts: &[&[u8]]| texts.iter().map(|text| text.to_vec()).collect::<Vec<_>>();
        let expected = [
            texts(&[b"one", b"two"]),
            texts(&[b"three"]),
            texts(&[&[b'x'; 200]]),
            texts(&[b"four"]),
        ];
        assert_eq!(all, expected);
        let first = decode(&batches[0]).unwrap();
        let second = first.iter().nth(1).unwrap();
        assert_eq!((second.offset, second.record.timestamp_ms), (1, 999));
        assert_eq!(second.record.headers.get("host"), Some(&b"web"[..]));
    }

    #[test]
    fn a_record_that_is_too_large_stands_alone_and_counts_as_refused() {
        let limits = Limits { batch_max: 1 << 20, record_max: 100 };
        let batches = encode(limits, &[b"one", &[b'x'; 200], b"two", b"three"]);
        let states: Vec<_> = batches.iter().map(|batch| (batch.count, batch.state)).collect();
        let refused = State::Refused(Code::TOO_LARGE);
        assert_eq!(states, [(1, State::Waiting), (1, refused), (2, State::Waiting)]);
    }
}
