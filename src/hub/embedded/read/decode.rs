//! Record batches as they lie in the log → decompressed batches for consumers.

use std::sync::Arc;

use anabranch_record::{Buffer, Pool, StoredBatch, Topic};

use crate::wire::{BatchHeader, CompressionError, HEADER_BYTES};

/// Most bytes that one batch may have when it is decompressed.
const PLAIN_MAX: usize = 512 << 20;

/// Decompresses one verified batch into a buffer of `pool`.
///
/// # Errors
/// What is wrong with its records, as a sentence.
pub fn decode(
    header: &BatchHeader,
    bytes: &[u8],
    place: (&Arc<Topic>, i32),
    pool: &Pool,
) -> Result<StoredBatch, String> {
    decode_within(PLAIN_MAX, header, bytes, place, pool)
}

/// Decompresses one verified batch that may have `most` bytes then.
pub(crate) fn decode_within(
    most: usize,
    header: &BatchHeader,
    bytes: &[u8],
    place: (&Arc<Topic>, i32),
    pool: &Pool,
) -> Result<StoredBatch, String> {
    let codec = header.codec().ok_or_else(|| format!("unknown codec {}", header.attributes & 7))?;
    let mut data: Buffer = pool.take_as_is();
    let packed = bytes.get(HEADER_BYTES..).unwrap_or_default();
    codec
        .decompress(packed, most, &mut data)
        .map_err(|error: CompressionError| error.to_string())?;
    let (topic, partition) = place;
    let batch = StoredBatch {
        topic: Arc::clone(topic),
        partition,
        epoch: header.epoch,
        base_offset: header.base_offset,
        next_offset: header.next_offset(),
        base_timestamp_ms: header.base_timestamp_ms,
        append_timestamp_ms: header.append_timestamp_ms(),
        count: u32::try_from(header.count).unwrap_or(0),
        data,
        places: std::sync::OnceLock::new(),
        cut: anabranch_record::stored::Cut::default(),
    };
    if batch.is_framed() { Ok(batch) } else { Err("its records are not whole".to_owned()) }
}
