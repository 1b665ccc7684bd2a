//! The head of a record batch (magic 2), read and patched in place.
//!
//! | at | bytes | field              | note                                                   |
//! |----|-------|--------------------|--------------------------------------------------------|
//! |  0 |   8   | base offset        | set on append; not covered by the CRC                  |
//! |  8 |   4   | batch length       | bytes after this field                                 |
//! | 12 |   4   | leader epoch       | set on append; not covered by the CRC                  |
//! | 16 |   1   | magic              | 2, else the batch is refused                           |
//! | 17 |   4   | CRC-32C            | of everything from byte 21 to the end                  |
//! | 21 |   2   | attributes         | bits 0–2 codec, 3 log-append time, 4 transactional, 5 control, 6 delete horizon |
//! | 23 |   4   | last offset delta  | record count - 1, unless compacted                     |
//! | 27 |   8   | base timestamp     | ms; with bit 6 the time from which tombstones may go   |
//! | 35 |   8   | max timestamp      | ms                                                     |
//! | 43 |   8   | producer id        | -1 when there is none                                  |
//! | 51 |   2   | producer epoch     |                                                        |
//! | 53 |   4   | base sequence      |                                                        |
//! | 57 |   4   | record count       |                                                        |
//! | 61 |   …   | records            | compressed as the attributes say                       |
//!
//! All integers are big-endian. Source: Kafka documentation, "Record Batch"; KIP-98, KIP-534.

use thiserror::Error;

use crate::wire::Codec;

/// Bytes before the records.
pub const HEADER_BYTES: usize = 61;
/// Bytes before those that the batch length counts.
pub const LENGTH_END: usize = 12;
const CRC_AT: usize = 17;
/// Where what its sum covers begins.
pub const SUMMED_FROM: usize = 21;
const MAGIC: i8 = 2;
/// The bit of the attributes that makes the base timestamp a delete horizon.
pub(crate) const DELETE_HORIZON: i16 = 64;
const TRANSACTIONAL: i16 = 16;

/// The fields of a batch's head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchHeader {
    /// Offset of the first record.
    pub base_offset: i64,
    /// Bytes of the whole batch, with this head.
    pub size_bytes: usize,
    /// Leader epoch under which it was appended.
    pub epoch: i32,
    /// The sum that the head claims.
    pub crc: u32,
    /// Codec, kind of timestamp, transactional, control.
    pub attributes: i16,
    /// Offset of the last record, less the base offset.
    pub last_offset_delta: i32,
    /// What records' time deltas add to, ms.
    pub base_timestamp_ms: i64,
    /// The latest time of a record, ms.
    pub max_timestamp_ms: i64,
    /// The producer's id, -1 for none.
    pub producer_id: i64,
    /// The producer's epoch.
    pub producer_epoch: i16,
    /// Sequence number of the first record.
    pub base_sequence: i32,
    /// Number of records.
    pub count: i32,
}

/// Why bytes are not a good batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum BatchError {
    /// Fewer bytes than the head, or than the head says.
    #[error("cut short: {have} bytes of {need}")]
    Short {
        /// Bytes that are there.
        have: usize,
        /// Bytes that should be.
        need: usize,
    },
    /// Not magic 2.
    #[error("magic {0}, expected 2")]
    Magic(i8),
    /// A length or count that no batch can have.
    #[error("impossible {field} {value}")]
    Impossible {
        /// The field.
        field: &'static str,
        /// Its value.
        value: i64,
    },
    /// The sum does not match.
    #[error("CRC-32C is {computed:08x}, the batch says {claimed:08x}")]
    Crc {
        /// Of the bytes.
        computed: u32,
        /// In the head.
        claimed: u32,
    },
}

impl BatchHeader {
    /// Reads the head at the front of `bytes`; the batch itself need not be whole.
    ///
    /// # Errors
    /// [`BatchError`] when this cannot be the head of a batch.
    pub fn parse(bytes: &[u8]) -> Result<Self, BatchError> {
        let short = BatchError::Short { have: bytes.len(), need: HEADER_BYTES };
        let head: &[u8; HEADER_BYTES] = bytes.first_chunk().ok_or(short)?;
        let magic = i8::from_be_bytes(field(head, 16));
        if magic != MAGIC {
            return Err(BatchError::Magic(magic));
        }
        let length = i32::from_be_bytes(field(head, 8));
        let size_bytes = usize::try_from(length).map_or(0, |length| length + LENGTH_END);
        if size_bytes < HEADER_BYTES {
            return Err(BatchError::Impossible { field: "length", value: length.into() });
        }
        let header = Self {
            base_offset: i64::from_be_bytes(field(head, 0)),
            size_bytes,
            epoch: i32::from_be_bytes(field(head, 12)),
            crc: u32::from_be_bytes(field(head, CRC_AT)),
            attributes: i16::from_be_bytes(field(head, SUMMED_FROM)),
            last_offset_delta: i32::from_be_bytes(field(head, 23)),
            base_timestamp_ms: i64::from_be_bytes(field(head, 27)),
            max_timestamp_ms: i64::from_be_bytes(field(head, 35)),
            producer_id: i64::from_be_bytes(field(head, 43)),
            producer_epoch: i16::from_be_bytes(field(head, 51)),
            base_sequence: i32::from_be_bytes(field(head, 53)),
            count: i32::from_be_bytes(field(head, 57)),
        };
        for (name, value) in [
            ("base offset", header.base_offset),
            ("last offset delta", header.last_offset_delta.into()),
            ("record count", header.count.into()),
        ] {
            if value < 0 {
                return Err(BatchError::Impossible { field: name, value });
            }
        }
        Ok(header)
    }

    /// Reads the head and checks that the batch at the front of `bytes` is whole and its sum right.
    ///
    /// # Errors
    /// [`BatchError`] says what is wrong.
    pub fn verify(bytes: &[u8]) -> Result<Self, BatchError> {
        let header = Self::parse(bytes)?;
        let short = BatchError::Short { have: bytes.len(), need: header.size_bytes };
        let summed = bytes.get(SUMMED_FROM..header.size_bytes).ok_or(short)?;
        let computed = crc32c::crc32c(summed);
        if computed == header.crc {
            Ok(header)
        } else {
            Err(BatchError::Crc { computed, claimed: header.crc })
        }
    }

    /// Offset after the last record.
    #[must_use]
    pub fn next_offset(&self) -> i64 {
        self.base_offset.saturating_add(i64::from(self.last_offset_delta)).saturating_add(1)
    }

    /// How the records are compressed; `None` for a codec that does not exist.
    #[must_use]
    pub fn codec(&self) -> Option<Codec> {
        Codec::from_attributes(self.attributes)
    }

    /// The hub's time for all records, when that is the one that counts (`LogAppendTime`), ms.
    #[must_use]
    pub const fn append_timestamp_ms(&self) -> Option<i64> {
        if self.attributes & 8 == 0 { None } else { Some(self.max_timestamp_ms) }
    }

    /// The time from which on its tombstones, or the marker in it, may be removed, ms; `None` before it was compacted.
    #[must_use]
    pub const fn delete_horizon_ms(&self) -> Option<i64> {
        if self.attributes & DELETE_HORIZON == 0 { None } else { Some(self.base_timestamp_ms) }
    }

    /// Sequence number of the last record; numbers begin again at 0 behind 2³¹ - 1.
    #[must_use]
    pub fn last_sequence(&self) -> i32 {
        let last = i64::from(self.base_sequence) + i64::from(self.last_offset_delta);
        i32::try_from(last % (1 << 31)).unwrap_or(0)
    }

    /// Whether it is part of a transaction.
    #[must_use]
    pub const fn is_transactional(&self) -> bool {
        self.attributes & 16 != 0
    }

    /// Whether it holds markers of transactions and no records for consumers.
    #[must_use]
    pub const fn is_control(&self) -> bool {
        self.attributes & 32 != 0
    }

    /// Writes the head in front of `batch`, whose first [`HEADER_BYTES`] bytes are overwritten, and sums it.
    pub fn seal(self, batch: &mut [u8]) {
        let length = i32::try_from(batch.len() - LENGTH_END).unwrap_or(i32::MAX);
        let mut put = |at: usize, bytes: &[u8]| {
            if let Some(place) = batch.get_mut(at..at + bytes.len()) {
                place.copy_from_slice(bytes);
            }
        };
        put(0, &self.base_offset.to_be_bytes());
        put(8, &length.to_be_bytes());
        put(12, &self.epoch.to_be_bytes());
        put(16, &MAGIC.to_be_bytes());
        put(SUMMED_FROM, &self.attributes.to_be_bytes());
        put(23, &self.last_offset_delta.to_be_bytes());
        put(27, &self.base_timestamp_ms.to_be_bytes());
        put(35, &self.max_timestamp_ms.to_be_bytes());
        put(43, &self.producer_id.to_be_bytes());
        put(51, &self.producer_epoch.to_be_bytes());
        put(53, &self.base_sequence.to_be_bytes());
        put(57, &self.count.to_be_bytes());
        let crc = crc32c::crc32c(batch.get(SUMMED_FROM..).unwrap_or_default());
        if let Some(place) = batch.get_mut(CRC_AT..SUMMED_FROM) {
            place.copy_from_slice(&crc.to_be_bytes());
        }
    }
}

/// Gives a batch its place: base offset and leader epoch, both outside the sum.
pub fn place(batch: &mut [u8], base_offset: i64, epoch: i32) {
    if let Some(head) = batch.first_chunk_mut::<HEADER_BYTES>() {
        let (offset, rest) = head.split_at_mut(8);
        offset.copy_from_slice(&base_offset.to_be_bytes());
        if let Some(place) = rest.get_mut(4..8) {
            place.copy_from_slice(&epoch.to_be_bytes());
        }
    }
}

/// Gives a batch its producer, `(id, epoch, base sequence)`, says whether it belongs to a transaction, and sums it
/// again.
pub fn stamp(batch: &mut [u8], producer: (i64, i16, i32), is_transactional: bool) {
    let Ok(mut header) = BatchHeader::parse(batch) else { return };
    (header.producer_id, header.producer_epoch, header.base_sequence) = producer;
    header.attributes = if is_transactional {
        header.attributes | TRANSACTIONAL
    } else {
        header.attributes & !TRANSACTIONAL
    };
    header.seal(batch);
}

/// The `N` bytes at `at`; a place outside the head reads as zeros (the callers' places are constants inside it).
fn field<const N: usize>(head: &[u8; HEADER_BYTES], at: usize) -> [u8; N] {
    head.get(at..).and_then(<[u8]>::first_chunk).copied().unwrap_or([0; N])
}
