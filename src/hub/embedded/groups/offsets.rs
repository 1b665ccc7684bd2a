//! Committed offsets of consumer groups: in memory, and as records of a topic of the log.
//!
//! | key   | bytes   | field                     | value | bytes   | field                      |
//! |-------|---------|---------------------------|-------|---------|----------------------------|
//! |       | 2       | version 1                 |       | 2       | version 3                  |
//! |       | 2 + n   | group                     |       | 8       | offset                     |
//! |       | 2 + n   | topic                     |       | 4       | leader epoch               |
//! |       | 4       | partition                 |       | 2 + n   | metadata                   |
//! |       |         |                           |       | 8       | time of the commit, ms     |
//!
//! One commit is one batch, so all its partitions and the metadata are stored together or not at all. Source: Kafka's
//! `OffsetCommitKey` 1 and `OffsetCommitValue` 3.

use std::collections::BTreeMap;

use anabranch_connectors::contract::sink::Placed;
use anabranch_record::TopicPartition;

use super::fields::{push_text, take, take_text};
use super::states::{Changes, StateKey};
use crate::hub::embedded::write::command::{Pairs, Place};
use crate::hub::{GroupInfo, Offset, state};

/// One partition's commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Committed {
    pub(crate) offset: i64,
    pub(crate) epoch: i32,
    pub(crate) metadata: String,
    pub(super) timestamp_ms: i64,
    /// Rises with every commit; the metadata of the highest is the newest.
    pub(super) sequence: u64,
    /// The leader epoch under which it was stored; the largest number for one of this life.
    life: i32,
}

impl Committed {
    fn new(place: &Place, timestamp_ms: i64, sequence: u64) -> Self {
        let Place { offset, epoch, metadata, .. } = place;
        let (offset, epoch, metadata, life) = (*offset, *epoch, metadata.clone(), i32::MAX);
        Self { offset, epoch, metadata, timestamp_ms, sequence, life }
    }
}

/// All groups.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    groups: BTreeMap<String, BTreeMap<TopicPartition, Committed>>,
    /// Groups with their members, as the coordinators want to have them back.
    states: BTreeMap<StateKey, Vec<u8>>,
    sequence: u64,
}

impl Groups {
    pub(crate) fn committed(&self, group: &str, partition: &TopicPartition) -> Option<&Committed> {
        self.groups.get(group)?.get(partition)
    }

    /// A partition with the state of a sink that its group has committed for it.
    pub(crate) fn placed(&self, group: &str, name: &TopicPartition) -> Placed {
        let committed = self.committed(group, name);
        let state = committed.and_then(|committed| {
            let sequence = i64::try_from(committed.sequence).unwrap_or(i64::MAX);
            Some((sequence, state::decode(&committed.metadata)?.state?.to_owned()))
        });
        Placed { topic: name.topic.clone(), partition: name.partition, state }
    }

    /// What a group has committed with a sink's state, and the metadata without it.
    pub(crate) fn with_states(&self, group: &str) -> Vec<(Offset, String)> {
        let all = self.with_metadata(group).into_iter();
        all.filter(|(_, metadata)| state::is_state(metadata))
            .map(|(offset, metadata)| (offset, state::without_state(&metadata)))
            .collect()
    }

    /// What a group has committed, with its metadata.
    pub(crate) fn with_metadata(&self, group: &str) -> Vec<(Offset, String)> {
        let group = self.groups.get(group).into_iter().flatten();
        let offset = |(name, committed): (&TopicPartition, &Committed)| {
            let (topic, partition) = (name.topic.clone(), name.partition);
            let (offset, epoch) = (committed.offset, committed.epoch);
            (Offset { topic, partition, offset, epoch }, committed.metadata.clone())
        };
        group.map(offset).collect()
    }

    /// The records that say how groups and their members are now, as far as that is new.
    pub(crate) fn state_pairs(&self, changes: &Changes) -> Pairs {
        let is_new =
            |(key, state): &(&StateKey, &Option<Vec<u8>>)| self.states.get(key) != state.as_ref();
        let pair = |(key, state): (&StateKey, &Option<Vec<u8>>)| (key.encode(), state.clone());
        changes.iter().filter(is_new).map(pair).collect()
    }

    /// Takes in how groups and their members are now.
    pub(crate) fn set_states(&mut self, changes: Changes) {
        for (key, state) in changes {
            match state {
                Some(state) => drop(self.states.insert(key, state)),
                None => drop(self.states.remove(&key)),
            }
        }
    }

    /// What is known of groups and their members.
    pub(crate) const fn states(&self) -> &BTreeMap<StateKey, Vec<u8>> {
        &self.states
    }

    /// The records of a commit. Once they are stored, [`Groups::commit`] takes it in.
    pub(crate) fn records(group: &str, offsets: &[Place], timestamp_ms: i64) -> Pairs {
        let record = |place: &Place| {
            let key = encode_key(group, place.partition.name());
            (key, Some(encode_value(&Committed::new(place, timestamp_ms, 0))))
        };
        offsets.iter().map(record).collect()
    }

    /// Takes a commit in.
    pub(crate) fn commit(&mut self, group: &str, offsets: &[Place], timestamp_ms: i64) {
        self.sequence += 1;
        let sequence = self.sequence;
        let partitions = self.groups.entry(group.to_owned()).or_default();
        for place in offsets {
            let committed = Committed::new(place, timestamp_ms, sequence);
            partitions.insert(place.partition.name().clone(), committed);
        }
    }

    /// Everything, oldest commit first, for a fresh start of the topic.
    pub(crate) fn snapshot(&self) -> Vec<(Vec<u8>, Option<Vec<u8>>)> {
        let mut all: Vec<_> = self
            .groups
            .iter()
            .flat_map(|(group, partitions)| {
                partitions.iter().map(move |(name, committed)| (group, name, committed))
            })
            .collect();
        all.sort_by_key(|(_, _, committed)| committed.sequence);
        let pair = |(group, name, committed): (&String, &TopicPartition, &Committed)| {
            (encode_key(group, name), Some(encode_value(committed)))
        };
        let state = |(key, state): (&StateKey, &Vec<u8>)| (key.encode(), Some(state.clone()));
        self.states.iter().map(state).chain(all.into_iter().map(pair)).collect()
    }

    /// Takes a record of the topic in that was stored under the leader epoch `life`; damaged ones say so.
    pub(crate) fn replay(
        &mut self,
        key: &[u8],
        value: Option<&[u8]>,
        life: i32,
    ) -> Result<(), String> {
        if let Some(key) = StateKey::decode(key) {
            match value {
                Some(value) => drop(self.states.insert(key, value.to_vec())),
                None => drop(self.states.remove(&key)),
            }
            return Ok(());
        }
        let (group, name) = decode_key(key).ok_or("a damaged key")?;
        let Some(value) = value else {
            if let Some(partitions) = self.groups.get_mut(&group) {
                partitions.remove(&name);
            }
            return Ok(());
        };
        self.sequence += 1;
        let committed = decode_value(value, self.sequence, life).ok_or("a damaged value")?;
        self.groups.entry(group).or_default().insert(name, committed);
        Ok(())
    }

    /// Sets commits that lie beyond what is left of that which was there when they were stored back to its end, and
    /// says which. `kept` gives that end for a partition and the leader epoch of the commit.
    pub(crate) fn clamp(
        &mut self,
        kept: impl Fn(&TopicPartition, i32) -> Option<i64>,
    ) -> Vec<(String, Offset)> {
        let mut clamped = Vec::new();
        for (group, partitions) in &mut self.groups {
            for (name, committed) in partitions {
                let end = kept(name, committed.life).filter(|end| committed.offset > *end);
                let Some(end) = end else { continue };
                // Whoever reads on before this is stored begins there, too.
                committed.offset = end;
                let TopicPartition { topic, partition } = name.clone();
                clamped.push((
                    group.clone(),
                    Offset { topic, partition, offset: end, epoch: committed.epoch },
                ));
            }
        }
        clamped
    }

    /// Forgets a group, or those of its partitions; gives the tombstones.
    pub(crate) fn forget(
        &mut self,
        group: &str,
        partitions: Option<&[TopicPartition]>,
    ) -> Vec<(Vec<u8>, Option<Vec<u8>>)> {
        let mut tombstones = Pairs::new();
        if partitions.is_none() {
            let gone = self.states.keys().filter(|key| key.group == group);
            let gone: Changes = gone.map(|key| (key.clone(), None)).collect();
            tombstones = self.state_pairs(&gone);
            self.set_states(gone);
        }
        let Some(known) = self.groups.get_mut(group) else { return tombstones };
        let goes = |name: &TopicPartition| partitions.is_none_or(|some| some.contains(name));
        let gone: Vec<TopicPartition> = known.keys().filter(|name| goes(name)).cloned().collect();
        for name in &gone {
            known.remove(name);
        }
        if known.is_empty() {
            self.groups.remove(group);
        }
        tombstones.extend(gone.iter().map(|name| (encode_key(group, name), None)));
        tombstones
    }

    /// What a group has committed, by partition; `None` when it has committed nothing.
    pub(crate) fn of(&self, group: &str) -> Option<&BTreeMap<TopicPartition, Committed>> {
        self.groups.get(group)
    }

    /// The names of all groups that have committed something.
    pub(crate) fn names(&self) -> Vec<String> {
        self.groups.keys().cloned().collect()
    }

    /// Forgets what all groups have committed for topics; gives the tombstones.
    pub(crate) fn forget_topics(&mut self, goes: impl Fn(&str) -> bool) -> Pairs {
        let mut tombstones = Vec::new();
        for (group, partitions) in &mut self.groups {
            partitions.retain(|name, _| {
                let gone = goes(&name.topic);
                if gone {
                    tombstones.push((encode_key(group, name), None));
                }
                !gone
            });
        }
        self.groups.retain(|_, partitions| !partitions.is_empty());
        tombstones
    }

    pub(crate) fn info(&self) -> Vec<GroupInfo> {
        let info =
            |(group, partitions): (&String, &BTreeMap<TopicPartition, Committed>)| GroupInfo {
                name: group.clone(),
                offsets: partitions
                    .iter()
                    .map(|(name, committed)| Offset {
                        topic: name.topic.clone(),
                        partition: name.partition,
                        offset: committed.offset,
                        epoch: committed.epoch,
                    })
                    .collect(),
            };
        self.groups.iter().map(info).collect()
    }
}

fn encode_key(group: &str, name: &TopicPartition) -> Vec<u8> {
    let mut key = 1i16.to_be_bytes().to_vec();
    push_text(group, &mut key);
    push_text(&name.topic, &mut key);
    key.extend_from_slice(&name.partition.to_be_bytes());
    key
}

fn decode_key(mut key: &[u8]) -> Option<(String, TopicPartition)> {
    let version = i16::from_be_bytes(take(&mut key)?);
    let group = take_text(&mut key).filter(|_| version == 1)?;
    let topic = take_text(&mut key)?;
    Some((group, TopicPartition { topic, partition: i32::from_be_bytes(take(&mut key)?) }))
}

fn encode_value(committed: &Committed) -> Vec<u8> {
    let mut value = 3i16.to_be_bytes().to_vec();
    value.extend_from_slice(&committed.offset.to_be_bytes());
    value.extend_from_slice(&committed.epoch.to_be_bytes());
    push_text(&committed.metadata, &mut value);
    value.extend_from_slice(&committed.timestamp_ms.to_be_bytes());
    value
}

fn decode_value(mut value: &[u8], sequence: u64, life: i32) -> Option<Committed> {
    let version = i16::from_be_bytes(take(&mut value)?);
    let offset = i64::from_be_bytes(take(&mut value).filter(|_| version == 3)?);
    let epoch = i32::from_be_bytes(take(&mut value)?);
    let metadata = take_text(&mut value)?;
    let timestamp_ms = i64::from_be_bytes(take(&mut value)?);
    Some(Committed { offset, epoch, metadata, timestamp_ms, sequence, life })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::Partition;
    use proptest::prelude::*;

    fn offset(topic: &str, partition: i32, offset: i64) -> Offset {
        Offset { topic: topic.into(), partition, offset, epoch: 2 }
    }

    #[test]
    fn what_is_committed_is_replayed_and_the_newest_metadata_found() {
        let folder = tempfile::tempdir().unwrap();
        let place = |metadata: &str, number, offset| {
            let name = TopicPartition { topic: "a".into(), partition: number };
            let settings = crate::log::Settings { segment_bytes: 1 << 20 };
            let path = folder.path().join(name.to_string());
            let (partition, _) = Partition::open(&path, name, settings, 0).unwrap();
            Place { partition: partition.into(), offset, epoch: 2, metadata: metadata.to_owned() }
        };
        let mut groups = Groups::default();
        let first = vec![place("1 one", 0, 5), place("1 one", 1, 7)];
        let mut records = Vec::new();
        for offsets in [first, vec![place("1 two", 1, 9)]] {
            let before = groups.info();
            records.extend(Groups::records("g", &offsets, 1000));
            assert_eq!(groups.info(), before, "what is not stored yet is not committed");
            groups.commit("g", &offsets, 1000);
        }
        let mut again = Groups::default();
        for (key, value) in &records {
            again.replay(key, value.as_deref(), 0).unwrap();
        }
        assert_eq!(again.info(), groups.info());
        let names = [0, 1].map(|partition| TopicPartition { topic: "a".into(), partition });
        let state = |name| again.placed("g", name).state.unwrap();
        let (first, second) = (state(&names[0]), state(&names[1]));
        assert_eq!((first.1.as_str(), second.1.as_str()), ("one", "two"));
        assert!(first.0 < second.0);
        let clamped = again.clamp(|name, _life| Some(if name.partition == 1 { 8 } else { 100 }));
        assert_eq!(clamped, [("g".to_owned(), offset("a", 1, 8))]);
        assert_eq!(again.forget_topics(|topic| topic == "b"), []);
        assert_eq!(again.forget_topics(|topic| topic == "a").len(), 2);
        assert_eq!(again.info(), []);
    }

    proptest! {
        #[test]
        fn any_record_is_replayed_without_a_panic(key: Vec<u8>, value: Option<Vec<u8>>) {
            let _any = Groups::default().replay(&key, value.as_deref(), 0);
        }
    }
}
