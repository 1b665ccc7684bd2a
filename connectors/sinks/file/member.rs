//! Compression of files: each flush is a whole gzip member or zstd frame.
//!
//! Members and frames may stand one behind the other (RFC 1952 section 2.2, RFC 8878 section 3), so a file that is
//! cut where a flush ended is a whole file.

use std::io::{self, Write};

use flate2::write::GzEncoder;
use serde::Deserialize;

/// How files are compressed; `compression` of the `file` block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Compression {
    /// As they are.
    #[default]
    None,
    /// Members of gzip.
    Gzip,
    /// Frames of Zstandard.
    Zstd,
}

impl Compression {
    /// What a file's name ends in.
    pub(super) const fn suffix(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Gzip => ".gz",
            Self::Zstd => ".zst",
        }
    }
}

/// Compresses, with the memory of the last time.
pub(super) struct Compressor {
    kind: Compression,
    zstd: Option<zstd::bulk::Compressor<'static>>,
    out: Vec<u8>,
}

impl std::fmt::Debug for Compressor {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Compressor").field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl Compressor {
    pub(super) const fn new(kind: Compression) -> Self {
        Self { kind, zstd: None, out: Vec::new() }
    }

    pub(super) fn is_on(&self) -> bool {
        self.kind != Compression::None
    }

    /// `data` as it stands in the file: itself, or one member.
    ///
    /// # Errors
    /// When the library has no memory.
    pub(super) fn pack<'a>(&'a mut self, data: &'a [u8]) -> io::Result<&'a [u8]> {
        self.out.clear();
        match self.kind {
            Compression::None => return Ok(data),
            Compression::Gzip => {
                let mut encoder = GzEncoder::new(&mut self.out, flate2::Compression::default());
                encoder.write_all(data)?;
                encoder.finish()?;
            }
            Compression::Zstd => {
                self.out.reserve(zstd::zstd_safe::compress_bound(data.len()));
                if self.zstd.is_none() {
                    let mut made = zstd::bulk::Compressor::new(zstd::DEFAULT_COMPRESSION_LEVEL)?;
                    made.include_checksum(true)?;
                    self.zstd = Some(made);
                }
                if let Some(zstd) = &mut self.zstd {
                    zstd.compress_to_buffer(data, &mut self.out)?;
                }
            }
        }
        Ok(&self.out)
    }
}
