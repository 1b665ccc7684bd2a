//! Snappy as Java's clients frame it (xerial's snappy-java), and bare blocks as librdkafka sends them.
//!
//! | bytes | field                                   |
//! |-------|-----------------------------------------|
//! | 8     | magic `82 53 4e 41 50 50 59 00`         |
//! | 4     | version, 1                              |
//! | 4     | compatible from version, 1              |
//! | 4 + n | blocks: size, big-endian; a snappy block |

use super::codec::{Codec, CompressionError};

const HEAD: [u8; 16] = [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0, 0, 0, 0, 1, 0, 0, 0, 1];
const MAGIC_BYTES: usize = 8;
/// Plain bytes of a block, as snappy-java's default.
const BLOCK_BYTES: usize = 32 << 10;

/// Appends `plain`, framed.
pub(super) fn compress(plain: &[u8], out: &mut Vec<u8>) -> Result<(), CompressionError> {
    out.extend_from_slice(&HEAD);
    let mut encoder = snap::raw::Encoder::new();
    let mut packed = vec![0; snap::raw::max_compress_len(BLOCK_BYTES)];
    for block in plain.chunks(BLOCK_BYTES) {
        let size =
            encoder.compress(block, &mut packed).map_err(|error| Codec::Snappy.damaged(&error))?;
        out.extend_from_slice(&u32::try_from(size).unwrap_or(u32::MAX).to_be_bytes());
        out.extend_from_slice(packed.get(..size).unwrap_or_default());
    }
    Ok(())
}

/// Decompresses framed or bare snappy.
pub(super) fn decompress(
    packed: &[u8],
    limit: usize,
    out: &mut Vec<u8>,
) -> Result<(), CompressionError> {
    out.clear();
    if packed.get(..MAGIC_BYTES) != HEAD.get(..MAGIC_BYTES) {
        return block(packed, limit, out);
    }
    let cut = || Codec::Snappy.damaged(&"cut short");
    let mut rest = packed.get(HEAD.len()..).ok_or_else(cut)?;
    while let Some((size, tail)) = rest.split_first_chunk::<4>() {
        let size = u32::from_be_bytes(*size) as usize;
        let (one, tail) = tail.split_at_checked(size).ok_or_else(cut)?;
        block(one, limit, out)?;
        rest = tail;
    }
    if rest.is_empty() { Ok(()) } else { Err(cut()) }
}

fn block(packed: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<(), CompressionError> {
    let size = snap::raw::decompress_len(packed).map_err(|error| Codec::Snappy.damaged(&error))?;
    let used = out.len();
    if size > limit.saturating_sub(used) {
        return Err(CompressionError::TooLarge { limit });
    }
    // A snappy element of 3 bytes makes at most 64: a length beyond that is a lie that must not be allocated.
    if size > packed.len().saturating_mul(64) {
        return Err(Codec::Snappy.damaged(&"impossible length"));
    }
    out.resize(used + size, 0);
    let place = out.get_mut(used..).unwrap_or_default();
    snap::raw::Decoder::new()
        .decompress(packed, place)
        .map_err(|error| Codec::Snappy.damaged(&error))?;
    Ok(())
}
