//! The last offset of each key, in bounded memory: keys stand as 16-byte hashes.

use std::collections::HashMap;

use xxhash_rust::xxh3::xxh3_128;

/// Most keys of one round: with 25 bytes for each of 2¹⁹ places, seven eighths of them used, about 13 MiB.
pub(crate) const KEYS_MAX: usize = 458_752;

/// Keys and offsets.
#[derive(Debug, Default)]
pub(super) struct Keys {
    offsets: HashMap<[u8; 16], i64>,
}

impl Keys {
    pub(super) fn len(&self) -> usize {
        self.offsets.len()
    }

    /// Notes a record; offsets rise.
    pub(super) fn note(&mut self, key: &[u8], offset: i64) {
        self.offsets.insert(xxh3_128(key).to_be_bytes(), offset);
    }

    /// Whether a record of that key lies behind `offset`.
    pub(super) fn has_later(&self, key: &[u8], offset: i64) -> bool {
        self.offsets.get(&xxh3_128(key).to_be_bytes()).is_some_and(|last| *last > offset)
    }
}
