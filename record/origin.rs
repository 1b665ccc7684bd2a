//! Where a batch was read from.

use xxhash_rust::xxh3::xxh3_64;

/// Where the buffer of a batch lies in what it was read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// Names the text, for its source: other bytes at the same place are another text.
    pub text: u64,
    /// Where in the text the buffer begins, bytes.
    pub base: u64,
}

/// Names a text by what tells it from others.
#[must_use]
pub fn text_of(parts: &[&[u8]]) -> u64 {
    xxh3_64(&parts.concat())
}
