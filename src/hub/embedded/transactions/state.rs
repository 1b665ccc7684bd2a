//! Producer ids and transactions: what the coordinator knows, and as records of a topic of the log.
//!
//! | key                     | value, JSON                                                        |
//! |-------------------------|--------------------------------------------------------------------|
//! | `p`                     | the first producer id that was never handed out                    |
//! | `t` + transactional id  | a [`Transaction`]                                                  |
//! | `o` + transactional id  | offsets of groups that its commit will commit                      |
//!
//! Each change is stored before its answer is given. What is in `Prepare…` after a crash is ended again: markers go
//! only to partitions where the producer still has something open.
//!
//! Sources: KIP-98, KIP-360, Kafka's `TransactionState`.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use anabranch_record::TopicPartition;
use serde::{Deserialize, Serialize};

use super::fault::TransactionFault;
use crate::hub::Offset;
use crate::hub::embedded::write::command::Pairs;

/// Producer ids that are reserved at once.
const BLOCK: i64 = 1000;
/// A transactional id that was not used for so long is forgotten, ms.
const EXPIRES_MS: i64 = 7 * 24 * 3600 * 1000;

/// Where a transaction is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Phase {
    Empty,
    Ongoing,
    PrepareCommit,
    PrepareAbort,
    CompleteCommit,
    CompleteAbort,
}

/// Partitions as they are stored: `[["topic", 0], …]`.
mod pairs {
    use std::collections::BTreeSet;

    use anabranch_record::TopicPartition;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(
        places: &BTreeSet<TopicPartition>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.collect_seq(places.iter().map(|place| (&place.topic, place.partition)))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<BTreeSet<TopicPartition>, D::Error> {
        let pairs = Vec::<(String, i32)>::deserialize(from)?;
        Ok(pairs.into_iter().map(|(topic, number)| TopicPartition::new(topic, number)).collect())
    }
}

/// One transactional id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Transaction {
    pub(crate) producer_id: i64,
    pub(crate) epoch: i16,
    pub(crate) timeout_ms: i32,
    pub(crate) phase: Phase,
    #[serde(with = "pairs")]
    pub(crate) partitions: BTreeSet<TopicPartition>,
    pub(crate) groups: BTreeSet<String>,
    pub(crate) started_ms: i64,
    pub(crate) changed_ms: i64,
    /// Who its producer said that it was when it got this epoch: it asks once more if the answer was lost.
    #[serde(default)]
    pub(crate) before: Option<(i64, i16)>,
}

/// Offsets of groups that wait for the end of a transaction.
pub(crate) type Pending = BTreeMap<String, Vec<(String, i32, i64, i32, String)>>;

/// Everything that the coordinator knows.
#[derive(Debug, Default)]
pub(crate) struct Transactions {
    by_id: BTreeMap<String, Transaction>,
    pending: BTreeMap<String, Pending>,
    by_producer: HashMap<i64, String>,
    /// Whose end somebody is busy with.
    ending: HashSet<String>,
    next_producer: i64,
    reserved: i64,
}

impl Transactions {
    /// The next producer id; and what must be stored before it is used, now and then.
    pub(crate) fn next_producer_id(&mut self) -> (i64, Pairs) {
        let id = self.next_producer;
        self.next_producer += 1;
        if id < self.reserved {
            return (id, Vec::new());
        }
        self.reserved = id + BLOCK;
        (id, vec![(b"p".to_vec(), Some(self.reserved.to_string().into_bytes()))])
    }

    /// Hands out no producer id below `first` any more.
    pub(crate) fn skip_to(&mut self, first: i64) {
        self.next_producer = self.next_producer.max(first);
    }

    pub(crate) fn get(&self, id: &str) -> Option<&Transaction> {
        self.by_id.get(id)
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = (&String, &Transaction)> {
        self.by_id.iter()
    }

    /// Takes a new state in and gives its record.
    pub(crate) fn set(&mut self, id: &str, transaction: Transaction) -> Pairs {
        let value = serde_json::to_vec(&transaction).unwrap_or_default();
        if let Some(before) = self.by_id.get(id) {
            self.by_producer.remove(&before.producer_id);
        }
        self.by_producer.insert(transaction.producer_id, id.to_owned());
        self.by_id.insert(id.to_owned(), transaction);
        vec![(key(b't', id), Some(value))]
    }

    /// The transaction of `id`, if that producer may speak for it.
    pub(crate) fn of(
        &self,
        id: &str,
        (producer_id, epoch): (i64, i16),
    ) -> Result<&Transaction, TransactionFault> {
        let known = self.by_id.get(id).ok_or(TransactionFault::UnknownProducer)?;
        if known.producer_id != producer_id {
            return Err(TransactionFault::UnknownProducer);
        }
        if known.epoch != epoch {
            return Err(TransactionFault::Fenced);
        }
        Ok(known)
    }

    /// Makes partitions or a group part of the open transaction; opens one if none is.
    pub(crate) fn add(
        &mut self,
        (id, producer): (&str, (i64, i16)),
        partitions: impl IntoIterator<Item = TopicPartition>,
        group: Option<&str>,
        now_ms: i64,
    ) -> Result<Pairs, TransactionFault> {
        let mut next = self.of(id, producer)?.clone();
        match next.phase {
            Phase::PrepareCommit | Phase::PrepareAbort => return Err(TransactionFault::Concurrent),
            Phase::Ongoing => {}
            Phase::Empty | Phase::CompleteCommit | Phase::CompleteAbort => {
                next.partitions.clear();
                next.groups.clear();
                next.phase = Phase::Ongoing;
                next.started_ms = now_ms;
            }
        }
        next.changed_ms = now_ms;
        next.partitions.extend(partitions);
        next.groups.extend(group.map(str::to_owned));
        if self.by_id.get(id) == Some(&next) {
            return Ok(Vec::new());
        }
        Ok(self.set(id, next))
    }

    /// Begins the end of an open transaction, under the next epoch if its producer is to be `fenced` off; the caller
    /// completes it and then calls [`Transactions::ended`].
    pub(crate) fn prepare(
        &mut self,
        id: &str,
        (committed, fenced): (bool, bool),
        now_ms: i64,
    ) -> Result<(Transaction, Pairs), TransactionFault> {
        let mut next = self.by_id.get(id).ok_or(TransactionFault::UnknownProducer)?.clone();
        match next.phase {
            Phase::Ongoing => {}
            Phase::PrepareCommit | Phase::PrepareAbort => return Err(TransactionFault::Concurrent),
            Phase::Empty | Phase::CompleteCommit | Phase::CompleteAbort => {
                return Err(TransactionFault::InvalidState);
            }
        }
        next.phase = if committed { Phase::PrepareCommit } else { Phase::PrepareAbort };
        next.epoch = next.epoch.saturating_add(i16::from(fenced));
        next.changed_ms = now_ms;
        self.ending.insert(id.to_owned());
        let pairs = self.set(id, next.clone());
        Ok((next, pairs))
    }

    /// Takes over the ends that were begun and that nobody is busy with.
    pub(crate) fn half_ended(&mut self) -> Vec<(String, Transaction)> {
        let is_half = |(id, known): &(&String, &Transaction)| {
            matches!(known.phase, Phase::PrepareCommit | Phase::PrepareAbort)
                && !self.ending.contains(*id)
        };
        let half: Vec<(String, Transaction)> = self
            .by_id
            .iter()
            .filter(is_half)
            .map(|(id, known)| (id.clone(), known.clone()))
            .collect();
        self.ending.extend(half.iter().map(|(id, _)| id.clone()));
        half
    }

    /// Nobody is busy with this end any more.
    pub(crate) fn ended(&mut self, id: &str) {
        self.ending.remove(id);
    }

    /// Keeps offsets of a group until the transaction ends.
    pub(crate) fn hold(&mut self, id: &str, group: &str, offsets: Vec<(Offset, String)>) -> Pairs {
        let pending = self.pending.entry(id.to_owned()).or_default();
        let known = pending.entry(group.to_owned()).or_default();
        for (Offset { topic, partition, offset, epoch }, metadata) in offsets {
            known.retain(|held| held.0 != topic || held.1 != partition);
            known.push((topic, partition, offset, epoch, metadata));
        }
        vec![(key(b'o', id), Some(serde_json::to_vec(pending).unwrap_or_default()))]
    }

    /// The held offsets, by group.
    pub(crate) fn held(&self, id: &str) -> Vec<(String, Vec<(Offset, String)>)> {
        let offsets = |held: &Vec<(String, i32, i64, i32, String)>| {
            held.iter()
                .map(|(topic, partition, offset, epoch, metadata)| {
                    let (topic, partition) = (topic.clone(), *partition);
                    (Offset { topic, partition, offset: *offset, epoch: *epoch }, metadata.clone())
                })
                .collect()
        };
        let pending = self.pending.get(id).into_iter().flatten();
        pending.map(|(group, held)| (group.clone(), offsets(held))).collect()
    }

    /// Lets go of held offsets; gives the record.
    pub(crate) fn release(&mut self, id: &str) -> Pairs {
        match self.pending.remove(id) {
            Some(_) => vec![(key(b'o', id), None)],
            None => Vec::new(),
        }
    }

    /// Whether offsets of a group's partition wait for the end of a transaction.
    pub(crate) fn is_pending(&self, group: &str, name: &TopicPartition) -> bool {
        let waits = |pending: &Pending| {
            pending.get(group).is_some_and(|held| {
                held.iter().any(|one| one.0 == name.topic && one.1 == name.partition)
            })
        };
        self.pending.values().any(waits)
    }

    /// The groups with offsets that wait for the end of a transaction.
    pub(crate) fn pending_groups(&self) -> impl Iterator<Item = &String> {
        self.pending.values().flat_map(BTreeMap::keys)
    }

    /// Forgets offsets of a group that wait, all or those of some partitions; gives the records.
    pub(crate) fn forget_pending(
        &mut self,
        group: &str,
        partitions: Option<&[TopicPartition]>,
    ) -> Pairs {
        let goes = |topic: &str, partition: i32| {
            let named = |one: &TopicPartition| one.topic == topic && one.partition == partition;
            partitions.is_none_or(|partitions| partitions.iter().any(named))
        };
        let mut pairs = Pairs::new();
        for (id, pending) in &mut self.pending {
            let Some(held) = pending.get_mut(group) else { continue };
            let before = held.len();
            held.retain(|one| !goes(&one.0, one.1));
            if held.len() == before {
                continue;
            }
            pending.retain(|_, held| !held.is_empty());
            let left =
                (!pending.is_empty()).then(|| serde_json::to_vec(pending).unwrap_or_default());
            pairs.push((key(b'o', id), left));
        }
        self.pending.retain(|_, pending| !pending.is_empty());
        pairs
    }

    /// Forgets offsets of topics that wait; gives the records.
    pub(crate) fn forget_topics(&mut self, goes: impl Fn(&str) -> bool) -> Pairs {
        let waiting = self.pending.values().flat_map(BTreeMap::iter);
        let named = waiting.flat_map(|(group, held)| held.iter().map(move |one| (group, one)));
        let named = named.filter(|(_, one)| goes(&one.0));
        let named: Vec<_> = named
            .map(|(group, one)| {
                let (topic, partition) = (one.0.clone(), one.1);
                (group.clone(), TopicPartition { topic, partition })
            })
            .collect();
        let forget =
            |(group, name): (String, TopicPartition)| self.forget_pending(&group, Some(&[name]));
        named.into_iter().flat_map(forget).collect()
    }

    /// Whether a producer may append to a partition within its transaction.
    pub(crate) fn check_produce(
        &self,
        (id, epoch): (i64, i16),
        name: &TopicPartition,
    ) -> Result<(), TransactionFault> {
        let known = self.by_producer.get(&id).and_then(|name| self.by_id.get(name));
        let known = known.ok_or(TransactionFault::UnknownProducer)?;
        if known.epoch != epoch {
            return Err(TransactionFault::Fenced);
        }
        let is_part = known.partitions.contains(name);
        if known.phase == Phase::Ongoing && is_part {
            Ok(())
        } else {
            Err(TransactionFault::InvalidState)
        }
    }

    /// Ids of transactions that have lasted too long, or whose end was begun before a crash.
    pub(crate) fn overdue(&self, now_ms: i64) -> Vec<String> {
        let late = |(_, known): &(&String, &Transaction)| {
            known.phase == Phase::Ongoing
                && now_ms.saturating_sub(known.started_ms) > i64::from(known.timeout_ms)
        };
        self.by_id.iter().filter(late).map(|(id, _)| id.clone()).collect()
    }

    /// Forgets ids that nobody has used for a week; gives the tombstones.
    pub(crate) fn expire(&mut self, now_ms: i64) -> Pairs {
        let open = [Phase::Ongoing, Phase::PrepareAbort, Phase::PrepareCommit];
        let old = |known: &Transaction| {
            !open.contains(&known.phase) && now_ms.saturating_sub(known.changed_ms) > EXPIRES_MS
        };
        let gone: Vec<String> =
            self.by_id.iter().filter(|(_, known)| old(known)).map(|(id, _)| id.clone()).collect();
        for id in &gone {
            if let Some(known) = self.by_id.remove(id) {
                self.by_producer.remove(&known.producer_id);
            }
        }
        gone.iter().map(|id| (key(b't', id), None)).collect()
    }

    /// Everything, for a fresh start of the topic.
    pub(crate) fn snapshot(&self) -> Pairs {
        let mut pairs = vec![(b"p".to_vec(), Some(self.reserved.to_string().into_bytes()))];
        for (id, transaction) in &self.by_id {
            pairs.push((key(b't', id), Some(serde_json::to_vec(transaction).unwrap_or_default())));
        }
        for (id, pending) in &self.pending {
            pairs.push((key(b'o', id), Some(serde_json::to_vec(pending).unwrap_or_default())));
        }
        pairs
    }

    /// Takes a record of the topic in; damaged ones say so.
    pub(crate) fn replay(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<(), String> {
        let (kind, id) = key.split_first().ok_or("an empty key")?;
        let id = String::from_utf8(id.to_vec()).map_err(|error| error.to_string())?;
        let problem = |error: serde_json::Error| error.to_string();
        match (kind, value) {
            (b'p', Some(value)) => {
                self.reserved = serde_json::from_slice(value).map_err(problem)?;
                self.next_producer = self.reserved;
            }
            (b't', Some(value)) => {
                let transaction = serde_json::from_slice(value).map_err(problem)?;
                drop(self.set(&id, transaction));
            }
            (b't', None) => {
                if let Some(known) = self.by_id.remove(&id) {
                    self.by_producer.remove(&known.producer_id);
                }
            }
            (b'o', Some(value)) => {
                self.pending.insert(id, serde_json::from_slice(value).map_err(problem)?);
            }
            (b'o', None) => drop(self.pending.remove(&id)),
            _ => return Err(format!("an unknown kind of key {kind}")),
        }
        Ok(())
    }
}

fn key(kind: u8, id: &str) -> Vec<u8> {
    let mut key = vec![kind];
    key.extend_from_slice(id.as_bytes());
    key
}
