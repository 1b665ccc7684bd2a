//! Builds a record batch: records go in one after another, compressed bytes come out, written once.
//!
//! With `lz4` (the default) a block is compressed as soon as 64 KiB of records are there, while they are still in the
//! processor's cache; the other codecs compress the whole at the end.

use crate::wire::batch_header::{BatchHeader, HEADER_BYTES};
use crate::wire::lz4_frame::{BLOCK_BYTES, FrameWriter};
use crate::wire::{Codec, CompressionError};

/// What the head of a finished batch says beside its length and sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// What the records' time deltas add to, ms.
    pub base_timestamp_ms: i64,
    /// The latest time of a record, ms.
    pub max_timestamp_ms: i64,
    /// Number of records; their offset deltas are 0 to this less 1.
    pub count: i32,
    /// Producer id, epoch and base sequence; -1 each for none.
    pub producer: (i64, i16, i32),
}

/// Builds one batch after another; its buffers are used again.
#[derive(Debug)]
pub struct Builder {
    codec: Codec,
    level: Option<i32>,
    plain: Vec<u8>,
    frame: FrameWriter,
}

impl Builder {
    /// A builder for that codec; `level` is the codec's own, and its default when `None`.
    #[must_use]
    pub fn new(codec: Codec, level: Option<i32>) -> Self {
        Self { codec, level, plain: Vec::new(), frame: FrameWriter::default() }
    }

    /// Begins a batch in `out`, whose content is replaced.
    pub fn begin(&mut self, out: &mut Vec<u8>) {
        self.plain.clear();
        out.clear();
        out.resize(HEADER_BYTES, 0);
        if self.codec == Codec::Lz4 {
            FrameWriter::begin(out);
        }
    }

    /// Where the next record is to be appended, encoded.
    #[inline]
    pub fn records(&mut self) -> &mut Vec<u8> {
        &mut self.plain
    }

    /// Compresses what is full; to be called after each record (it is a comparison, most times).
    ///
    /// # Errors
    /// [`CompressionError`] when the codec's library fails.
    #[inline]
    pub fn pack(&mut self, out: &mut Vec<u8>) -> Result<(), CompressionError> {
        if self.plain.len() < BLOCK_BYTES || self.codec != Codec::Lz4 {
            return Ok(());
        }
        self.pack_full_blocks(out)
    }

    #[cold]
    fn pack_full_blocks(&mut self, out: &mut Vec<u8>) -> Result<(), CompressionError> {
        let full = self.plain.len() - self.plain.len() % BLOCK_BYTES;
        for block in self.plain.get(..full).unwrap_or_default().chunks(BLOCK_BYTES) {
            self.frame.block(block, out)?;
        }
        self.plain.drain(..full);
        Ok(())
    }

    /// Ends the batch: compresses the rest, writes the head, sums it. Base offset and epoch are 0 until it is placed.
    ///
    /// # Errors
    /// [`CompressionError`] when the codec's library fails.
    pub fn finish(&mut self, stamp: Stamp, out: &mut Vec<u8>) -> Result<(), CompressionError> {
        if self.codec == Codec::Lz4 {
            self.frame.block(&self.plain, out)?;
            FrameWriter::end(out);
        } else {
            self.codec.compress(&self.plain, self.level, out)?;
        }
        let (producer_id, producer_epoch, base_sequence) = stamp.producer;
        let header = BatchHeader {
            base_offset: 0,
            size_bytes: out.len(),
            epoch: 0,
            crc: 0,
            attributes: self.codec.attributes(),
            last_offset_delta: stamp.count - 1,
            base_timestamp_ms: stamp.base_timestamp_ms,
            max_timestamp_ms: stamp.max_timestamp_ms,
            producer_id,
            producer_epoch,
            base_sequence,
            count: stamp.count,
        };
        header.seal(out);
        Ok(())
    }

    /// Lets go of large buffers, for a producer that has gone idle.
    pub fn shrink(&mut self) {
        self.plain = Vec::new();
        self.frame = FrameWriter::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::batch_header::{BatchError, place, stamp};

    fn build(codec: Codec, section: &[u8], count: i32) -> Vec<u8> {
        let mut builder = Builder::new(codec, None);
        let mut out = vec![9; 3];
        builder.begin(&mut out);
        for record in section.chunks(1000) {
            builder.records().extend_from_slice(record);
            builder.pack(&mut out).unwrap();
        }
        let stamp =
            Stamp { base_timestamp_ms: 5, max_timestamp_ms: 9, count, producer: (-1, -1, -1) };
        builder.finish(stamp, &mut out).unwrap();
        out
    }

    #[test]
    fn a_batch_is_verified_placed_and_read_back_in_every_codec() {
        let section = b"a line of a log that is like many others\n".repeat(30_000);
        for codec in [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
            let mut batch = build(codec, &section, 30_000);
            place(&mut batch, 1234, 7);
            let header = BatchHeader::verify(&batch).unwrap();
            assert_eq!((header.base_offset, header.epoch, header.next_offset()), (1234, 7, 31_234));
            assert_eq!((header.codec(), header.max_timestamp_ms), (Some(codec), 9));
            let mut back = Vec::new();
            codec.decompress(&batch[HEADER_BYTES..], section.len(), &mut back).unwrap();
            assert!(back == section, "{codec:?}");
        }
    }

    #[test]
    fn a_batch_can_be_given_another_producer_and_is_whole_after_it() {
        let mut batch = build(Codec::Lz4, b"some records", 1);
        let before = BatchHeader::verify(&batch).unwrap();
        stamp(&mut batch, (7, 3, 40), true);
        let after = BatchHeader::verify(&batch).unwrap();
        assert_eq!((after.producer_id, after.producer_epoch, after.base_sequence), (7, 3, 40));
        assert_eq!((after.attributes, after.codec()), (before.attributes | 16, before.codec()));
        stamp(&mut batch, (-1, -1, -1), false);
        assert_eq!(BatchHeader::verify(&batch).unwrap(), before);
    }

    #[test]
    fn a_flipped_bit_and_a_missing_byte_are_found() {
        let good = build(Codec::None, b"some records", 1);
        for at in 21..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            assert!(BatchHeader::verify(&bad).is_err(), "byte {at}");
        }
        let short = BatchHeader::verify(&good[..good.len() - 1]);
        let expected = BatchError::Short { have: good.len() - 1, need: good.len() };
        assert_eq!(short, Err(expected));
        assert_eq!(
            BatchHeader::verify(&good[..60]).map(|_| ()).unwrap_err().to_string(),
            "cut short: 60 bytes of 61"
        );
    }
}
