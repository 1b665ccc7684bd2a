//! Positions of sources: each travels in the batch that it describes; from time to time all of them are stored
//! together in a topic of their own, with the offsets up to which they speak.
//!
//! A snapshot is one batch. Its first record has an empty key, and the offsets as text lines `topic partition offset`;
//! each further one has the key `source 0x00 key` and the position as its value. Recovery takes the last snapshot and
//! then the position headers of the batches behind its offsets.

use std::collections::{BTreeMap, HashMap};

use anabranch_connectors::StoredBatch;

use super::encode::{POSITION, decode_position};
use crate::log::PartitionName;

/// Positions by source and key, and what has been stored of them.
#[derive(Debug, Default)]
pub(super) struct Positions {
    by_source: BTreeMap<String, HashMap<Vec<u8>, Vec<u8>>>,
    /// Up to where the last snapshot speaks, for each partition.
    pub(super) covered: HashMap<PartitionName, i64>,
    /// Whether anything changed since.
    pub(super) changed: bool,
}

impl Positions {
    pub(super) fn set(&mut self, source: &str, key: &[u8], value: Option<&[u8]>) {
        self.changed = true;
        if !self.by_source.contains_key(source) {
            self.by_source.insert(source.to_owned(), HashMap::new());
        }
        let Some(keys) = self.by_source.get_mut(source) else { return };
        match value {
            None => {
                keys.remove(key);
            }
            Some(value) => match keys.get_mut(key) {
                Some(known) => {
                    known.clear();
                    known.extend_from_slice(value);
                }
                None => {
                    keys.insert(key.to_vec(), value.to_vec());
                }
            },
        }
    }

    pub(super) fn len(&self) -> usize {
        self.by_source.values().map(HashMap::len).sum()
    }

    pub(super) fn of(&self, source: &str) -> Vec<(Vec<u8>, Vec<u8>)> {
        let Some(keys) = self.by_source.get(source) else { return Vec::new() };
        keys.iter().map(|(key, value)| (key.clone(), value.clone())).collect()
    }

    /// The records of a snapshot that speaks up to `ends`.
    pub(super) fn snapshot(
        &self,
        ends: &HashMap<PartitionName, i64>,
    ) -> Vec<(Vec<u8>, Option<Vec<u8>>)> {
        let mut offsets = String::new();
        for (name, end) in ends {
            offsets.push_str(&format!("{} {} {end}\n", name.topic, name.partition));
        }
        let mut pairs = vec![(Vec::new(), Some(offsets.into_bytes()))];
        for (source, keys) in &self.by_source {
            for (key, value) in keys {
                let mut full = source.clone().into_bytes();
                full.push(0);
                full.extend_from_slice(key);
                pairs.push((full, Some(value.clone())));
            }
        }
        pairs
    }

    /// Takes a snapshot's batch in, in place of what was known.
    pub(super) fn restore(batch: &StoredBatch) -> Self {
        let mut restored = Self::default();
        for stored in batch.iter() {
            let (Some(key), Some(value)) = (stored.record.key, stored.record.value) else {
                continue;
            };
            if key.is_empty() {
                restored.covered = parse_offsets(value);
            } else if let Some(at) = key.iter().position(|byte| *byte == 0) {
                let (source, key) = key.split_at(at);
                let source = String::from_utf8_lossy(source);
                restored.set(&source, key.get(1..).unwrap_or_default(), Some(value));
            }
        }
        restored.changed = false;
        restored
    }

    /// Takes the position headers of a batch in.
    pub(super) fn replay(&mut self, batch: &StoredBatch) {
        for stored in batch.iter() {
            if let Some(value) = stored.record.headers.get(POSITION)
                && let Some(found) = decode_position(value)
            {
                self.set(found.source, found.key, found.value);
            }
        }
    }
}

fn parse_offsets(text: &[u8]) -> HashMap<PartitionName, i64> {
    let text = String::from_utf8_lossy(text);
    let parse = |line: &str| {
        let mut words = line.split(' ');
        let topic = words.next()?.to_owned();
        let partition = words.next()?.parse().ok()?;
        Some((PartitionName { topic, partition }, words.next()?.parse().ok()?))
    };
    text.lines().filter_map(parse).collect()
}
