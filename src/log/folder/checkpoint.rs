//! An offset for each partition in a small text file, in Kafka's format: version, number of lines, then
//! `topic partition offset`. Written aside and renamed; a file that is damaged counts as empty, which costs time only.

use std::collections::BTreeMap;
use std::path::Path;

use anabranch_record::TopicPartition;

use crate::log::{LogError, disk, write_atomically};

/// Offsets by partition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Checkpoint {
    offsets: BTreeMap<TopicPartition, i64>,
}

impl Checkpoint {
    /// Reads the file; empty when it is missing or damaged.
    #[must_use]
    pub fn load(path: &Path) -> Self {
        let bytes = disk::read(path).unwrap_or_default();
        str::from_utf8(&bytes).ok().and_then(Self::parse).unwrap_or_default()
    }

    /// Whether the file is there and cannot be read.
    #[must_use]
    pub fn is_damaged(path: &Path) -> bool {
        disk::read(path)
            .is_ok_and(|bytes| str::from_utf8(&bytes).ok().and_then(Self::parse).is_none())
    }

    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        if lines.next()? != "0" {
            return None;
        }
        let count: usize = lines.next()?.parse().ok()?;
        let mut offsets = BTreeMap::new();
        for line in lines {
            let mut words = line.split(' ');
            let topic = words.next()?.to_owned();
            let partition = words.next()?.parse().ok()?;
            offsets.insert(TopicPartition { topic, partition }, words.next()?.parse().ok()?);
        }
        (offsets.len() == count).then_some(Self { offsets })
    }

    /// Writes the file.
    ///
    /// # Errors
    /// [`LogError`] when it cannot be written; the old one is then still there.
    pub fn store(&self, path: &Path) -> Result<(), LogError> {
        let mut text = format!("0\n{}\n", self.offsets.len());
        for (TopicPartition { topic, partition }, offset) in &self.offsets {
            text.push_str(&format!("{topic} {partition} {offset}\n"));
        }
        write_atomically(path, &text)
    }

    /// The offset of a partition; 0 when unknown.
    #[must_use]
    pub fn get(&self, name: &TopicPartition) -> i64 {
        self.offsets.get(name).copied().unwrap_or(0)
    }

    /// Forgets the partitions of a topic; says whether any were known.
    pub fn forget_topic(&mut self, topic: &str) -> bool {
        let before = self.offsets.len();
        self.offsets.retain(|name, _| name.topic != topic);
        self.offsets.len() < before
    }

    /// Sets the offset of a partition.
    pub fn set(&mut self, name: TopicPartition, offset: i64) {
        self.offsets.insert(name, offset);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_checkpoint_is_loaded_and_a_damaged_one_is_empty() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("points");
        let name = |topic: &str, partition| TopicPartition { topic: topic.into(), partition };
        let mut points = Checkpoint::default();
        points.set(name("a", 0), 5);
        points.set(name("a", 1), 7);
        points.store(&path).unwrap();
        assert_eq!(Checkpoint::load(&path), points);
        assert_eq!(points.get(&name("b", 0)), 0);
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text, "0\n2\na 0 5\na 1 7\n");
        for damaged in ["", "1\n0\n", "0\n3\na 0 5\n", "0\n1\na x 5\n"] {
            std::fs::write(&path, damaged).unwrap();
            assert_eq!(Checkpoint::load(&path), Checkpoint::default(), "{damaged:?}");
        }
    }
}
