//! The codecs of record batches, framed as Java's clients frame them.

use std::io::Write;

use super::codec::read_all;
pub use super::codec::{Codec, CompressionError};
use super::{lz4_frame, snappy_frame};

impl Codec {
    /// Decompresses into `out`, whose content is replaced; what it held before saves filling it with zeros.
    ///
    /// # Errors
    /// [`CompressionError`] when the bytes are damaged or decompress to more than `limit` bytes.
    pub fn decompress(
        self,
        packed: &[u8],
        limit: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), CompressionError> {
        match self {
            Self::None => {
                if packed.len() > limit {
                    return Err(CompressionError::TooLarge { limit });
                }
                out.clear();
                out.extend_from_slice(packed);
                Ok(())
            }
            Self::Gzip => read_all(self, flate2::read::MultiGzDecoder::new(packed), limit, out),
            Self::Snappy => snappy_frame::decompress(packed, limit, out),
            Self::Lz4 => lz4_frame::decompress(packed, limit, out),
            Self::Zstd => {
                let decoder = zstd::stream::read::Decoder::with_buffer(packed);
                let decoder = decoder.map_err(|error| self.damaged(&error))?;
                read_all(self, decoder, limit, out)
            }
        }
    }

    /// Appends `plain` compressed as one piece. The builder does `None` and `Lz4` piece by piece.
    ///
    /// # Errors
    /// [`CompressionError`] when the codec's library fails.
    pub fn compress(
        self,
        plain: &[u8],
        level: Option<i32>,
        out: &mut Vec<u8>,
    ) -> Result<(), CompressionError> {
        match self {
            Self::None => out.extend_from_slice(plain),
            Self::Gzip => {
                let level = level.and_then(|level| u32::try_from(level).ok()).unwrap_or(6).min(9);
                let mut encoder =
                    flate2::write::GzEncoder::new(out, flate2::Compression::new(level));
                encoder.write_all(plain).map_err(|error| self.damaged(&error))?;
                encoder.finish().map_err(|error| self.damaged(&error))?;
            }
            Self::Snappy => snappy_frame::compress(plain, out)?,
            Self::Lz4 => lz4_frame::compress(plain, out)?,
            Self::Zstd => {
                let mut encoder = zstd::stream::write::Encoder::new(out, level.unwrap_or(3))
                    .map_err(|error| self.damaged(&error))?;
                encoder.write_all(plain).map_err(|error| self.damaged(&error))?;
                encoder.finish().map_err(|error| self.damaged(&error))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CODECS: [Codec; 5] = [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];

    proptest! {
        #[test]
        fn what_is_compressed_comes_back(
            piece in prop::collection::vec(any::<u8>(), 0..2000), times in 0usize..600, codec in 0usize..5,
        ) {
            let plain = piece.repeat(times);
            let (mut packed, mut back) = (Vec::new(), vec![7; 10]);
            CODECS[codec].compress(&plain, None, &mut packed).unwrap();
            CODECS[codec].decompress(&packed, 64 << 20, &mut back).unwrap();
            prop_assert!(back == plain);
            if !plain.is_empty() {
                let small = CODECS[codec].decompress(&packed, plain.len() - 1, &mut back);
                prop_assert_eq!(small, Err(CompressionError::TooLarge { limit: plain.len() - 1 }));
            }
        }

        #[test]
        fn damaged_bytes_are_an_error_and_never_a_panic(
            mut packed: Vec<u8>, codec in 0usize..5, start in 0usize..3,
        ) {
            if start > 0 {
                let mut good = Vec::new();
                CODECS[codec].compress(&packed.repeat(50), None, &mut good).unwrap();
                let at = good.len() / (start + 1);
                if let Some(byte) = good.get_mut(at) { *byte ^= 0x55; }
                packed = good;
            }
            let mut out = Vec::new();
            let _any = CODECS[codec].decompress(&packed, 1 << 20, &mut out);
            prop_assert!(out.capacity() <= 16 << 20);
        }
    }
}
