//! Which codecs there are, and why their bytes may be no use.

use std::io::Read;

use thiserror::Error;

/// How the records of a batch are compressed; the numbers are those of the attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub enum Codec {
    /// Not at all.
    #[default]
    None,
    /// RFC 1952.
    Gzip,
    /// Blocks in the framing of xerial's snappy-java.
    Snappy,
    /// LZ4 frames with independent blocks.
    Lz4,
    /// RFC 8878.
    Zstd,
}

/// Records that could not be compressed or decompressed.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum CompressionError {
    /// The bytes are damaged.
    #[error("{codec:?}: {cause}")]
    Damaged {
        /// The codec.
        codec: Codec,
        /// What its library said.
        cause: String,
    },
    /// More plain bytes than allowed.
    #[error("more than {limit} bytes when decompressed")]
    TooLarge {
        /// The most that is allowed, bytes.
        limit: usize,
    },
}

impl Codec {
    /// From the attributes of a batch; `None` for a number that no codec has.
    #[must_use]
    pub const fn from_attributes(attributes: i16) -> Option<Self> {
        Some(match attributes & 7 {
            0 => Self::None,
            1 => Self::Gzip,
            2 => Self::Snappy,
            3 => Self::Lz4,
            4 => Self::Zstd,
            _ => return None,
        })
    }

    /// Its number in the attributes.
    #[must_use]
    pub const fn attributes(self) -> i16 {
        match self {
            Self::None => 0,
            Self::Gzip => 1,
            Self::Snappy => 2,
            Self::Lz4 => 3,
            Self::Zstd => 4,
        }
    }

    /// What its library said of damaged bytes.
    pub(super) fn damaged(self, cause: &impl ToString) -> CompressionError {
        CompressionError::Damaged { codec: self, cause: cause.to_string() }
    }
}

/// Reads a decoder to its end, at most `limit` bytes.
pub(super) fn read_all(
    codec: Codec,
    decoder: impl Read,
    limit: usize,
    out: &mut Vec<u8>,
) -> Result<(), CompressionError> {
    out.clear();
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    decoder.take(most).read_to_end(out).map_err(|error| codec.damaged(&error))?;
    if out.len() > limit { Err(CompressionError::TooLarge { limit }) } else { Ok(()) }
}
