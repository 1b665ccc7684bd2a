//! Positions of sources: each travels in the batch that it describes; from time to time all of them are stored
//! together in a topic of their own, with the offsets up to which they speak.
//!
//! A snapshot is one batch. Its first record has an empty key, and the offsets as text lines
//! `topic partition offset topic-id`; each further one has the key `source 0x00 key`, the position as its value, and,
//! where records must be there for it to count, a header [`ORIGIN`]: the number of the line of their partition and the
//! offset behind them, two varints, again and again. They are those that it came with. One that came without any speaks of
//! what its source had handed on before (so much of a copy is read: by another file), and so of all of that.
//!
//! A snapshot speaks about other files, and a power cut may keep it and take what it speaks about. So recovery takes of
//! each snapshot, oldest first, only what lies within what is there: a position whose records are there, the offsets of
//! a partition that still has what this life of the hub had appended. Then it reads the position headers of the batches
//! behind the offsets that are left.
//!
//! Invariant: a position that counts speaks of records that are there.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use anabranch_record::{Pool, StoredBatch, Topic, TopicPartition, header, varint};

use super::mark;
use super::totals::{Run, Totals};
use crate::hub::embedded::read::decode::decode;
use crate::hub::embedded::write::encode::Entry;
use crate::log::{LogError, Partition, Read, Reader};

/// Name of the header that says with which records a position came.
const ORIGIN: &str = "__anabranch.origin";

/// Positions by source and key, and what has been stored of them.
#[derive(Debug, Default)]
pub(crate) struct Positions {
    by_source: BTreeMap<String, HashMap<Vec<u8>, Kept>>,
    /// What each source has handed on, by partition.
    handed_on: HashMap<String, Origins>,
    /// Up to where the last snapshot that is on disk speaks, for each partition: what lies before it may go.
    pub(crate) covered: HashMap<TopicPartition, i64>,
    /// What the last snapshot covers once its topic is on disk up to this offset.
    pub(crate) covering: Option<(i64, HashMap<TopicPartition, i64>)>,
    /// Up to where the last snapshot spoke, as far as that is there, though not all before it need be; known while recovering.
    spoken: HashMap<TopicPartition, i64>,
    /// Whether anything changed since.
    pub(crate) changed: bool,
    /// What is stored of each source, kept in the same snapshots.
    pub(crate) totals: Totals,
}

/// Records of partitions: all before the offset.
type Origins = BTreeMap<Arc<TopicPartition>, i64>;

/// One position.
#[derive(Debug, Clone, Default)]
struct Kept {
    value: Vec<u8>,
    /// The records without which it does not count: all before an offset of a partition. Mostly one, and of many files.
    origins: Vec<(Arc<TopicPartition>, i64)>,
    /// Whether the last snapshot has it so; known while recovering.
    is_settled: bool,
}

/// A partition of which a snapshot speaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) name: Arc<TopicPartition>,
    pub(crate) offset: i64,
    /// The topic's id; empty in snapshots that have none.
    pub(crate) topic_id: String,
}

impl Positions {
    /// Takes a position in. `origin`: the records that it came with; without any it speaks of those before it.
    pub(crate) fn set(
        &mut self,
        source: &str,
        key: &[u8],
        value: Option<&[u8]>,
        origin: Option<(&Arc<TopicPartition>, i64)>,
    ) {
        self.changed = true;
        if !self.by_source.contains_key(source) {
            self.by_source.insert(source.to_owned(), HashMap::new());
        }
        let Some(keys) = self.by_source.get_mut(source) else { return };
        let Some(value) = value else {
            keys.remove(key);
            return;
        };
        if !keys.contains_key(key) {
            keys.insert(key.to_vec(), Kept::default());
        }
        let Some(kept) = keys.get_mut(key) else { return };
        kept.value.clear();
        kept.value.extend_from_slice(value);
        if let Some((name, offset)) = origin {
            kept.origins.clear();
            kept.origins.reserve_exact(1);
            kept.origins.push((Arc::clone(name), offset));
            self.hand_on(source, name, offset);
        } else if let Some(handed_on) = self.handed_on.get(source) {
            kept.origins = handed_on.iter().map(|(name, at)| (Arc::clone(name), *at)).collect();
        }
    }

    fn hand_on(&mut self, source: &str, name: &Arc<TopicPartition>, offset: i64) {
        if !self.handed_on.contains_key(source) {
            self.handed_on.insert(source.to_owned(), Origins::new());
        }
        let Some(handed_on) = self.handed_on.get_mut(source) else { return };
        match handed_on.get_mut(name) {
            Some(at) => *at = offset.max(*at),
            None => drop(handed_on.insert(Arc::clone(name), offset)),
        }
    }

    /// Counts what was appended of sources.
    pub(crate) fn note_stored(&mut self, runs: &[Run], name: &Arc<TopicPartition>) {
        self.changed |= !runs.is_empty();
        self.totals.add(runs, name);
    }

    pub(crate) fn len(&self) -> usize {
        self.by_source.values().map(HashMap::len).sum()
    }

    pub(crate) fn of(&self, source: &str) -> Vec<(Vec<u8>, Vec<u8>)> {
        let Some(keys) = self.by_source.get(source) else { return Vec::new() };
        keys.iter().map(|(key, kept)| (key.clone(), kept.value.clone())).collect()
    }

    /// Gives `push` the records of a snapshot that speaks up to `ends`, one by one: there may be many.
    pub(crate) fn snapshot<E>(
        &self,
        ends: &[End],
        mut push: impl FnMut(Entry<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut lines = String::new();
        let mut numbers = HashMap::new();
        for (number, End { name, offset, topic_id }) in (0i64..).zip(ends) {
            lines.push_str(&format!("{} {} {offset} {topic_id}\n", name.topic, name.partition));
            numbers.insert(name.as_ref(), number);
        }
        push(Entry { key: &[], value: Some(lines.as_bytes()), header: &[] })?;
        for (key, value) in self.totals.entries(&numbers) {
            push(Entry { key: &key, value: Some(&value), header: &[] })?;
        }
        let (mut full, mut header) = (Vec::new(), Vec::new());
        for (source, keys) in &self.by_source {
            for (key, kept) in keys {
                full.clear();
                full.extend_from_slice(source.as_bytes());
                full.push(0);
                full.extend_from_slice(key);
                let origins = kept.origins.iter();
                let origins =
                    origins.filter_map(|(name, at)| Some((*numbers.get(name.as_ref())?, *at)));
                header.clear();
                encode_origins(origins, &mut header);
                push(Entry { key: &full, value: Some(&kept.value), header: &header })?;
            }
        }
        Ok(())
    }

    /// Takes of a snapshot's batch what lies within what is there, in place of what older ones have said. `there` gives
    /// the offset up to which a partition still has what had been appended when the snapshot was; -1 when the topic is
    /// another one by now.
    pub(crate) fn restore(&mut self, batch: &StoredBatch, there: impl Fn(&End) -> i64) {
        let (mut ends, mut limits, mut is_whole) = (Vec::new(), Vec::new(), true);
        let mut found: BTreeMap<String, HashMap<Vec<u8>, Kept>> = BTreeMap::new();
        let mut totals = Totals::default();
        for stored in batch.iter() {
            let (Some(key), Some(value)) = (stored.record.key, stored.record.value) else {
                continue;
            };
            if key.is_empty() {
                ends = parse_ends(value);
                limits = ends.iter().map(&there).collect();
                is_whole = ends.iter().zip(&limits).all(|(end, limit)| end.offset <= *limit);
                continue;
            }
            let place = |line: usize| {
                let (end, limit) = (ends.get(line)?, *limits.get(line)?);
                (limit >= 0).then(|| (Arc::clone(&end.name), end.offset <= limit))
            };
            if totals.restore((key, value), &self.totals, place) {
                continue;
            }
            let Some(at) = key.iter().position(|byte| *byte == 0) else { continue };
            let (source, key) = key.split_at(at);
            let source = String::from_utf8_lossy(source);
            let key = key.get(1..).unwrap_or_default();
            let origins = stored.record.headers.get(ORIGIN).map(decode_origins).unwrap_or_default();
            // Before origins were noted, nothing tells which positions an incomplete snapshot is right about.
            let notes_origins = ends.iter().any(|end| !end.topic_id.is_empty());
            let is_there =
                origins.iter().all(|(line, at)| limits.get(*line).is_some_and(|limit| at <= limit))
                    && (is_whole || notes_origins || !origins.is_empty());
            let kept = if is_there {
                let named =
                    |(line, at): (usize, i64)| Some((Arc::clone(&ends.get(line)?.name), at));
                let origins = origins.into_iter().filter_map(named).collect();
                Some(Kept { value: value.to_vec(), origins, is_settled: true })
            } else {
                let before = self.by_source.get(source.as_ref()).and_then(|keys| keys.get(key));
                before.map(|kept| Kept { is_settled: false, ..kept.clone() })
            };
            if let Some(kept) = kept {
                found.entry(source.into_owned()).or_default().insert(key.to_vec(), kept);
            }
        }
        if !is_whole {
            // That something of the snapshot is gone may be why a position is not in it.
            self.keep_older(&mut found);
        }
        self.handed_on.clear();
        for (source, keys) in &found {
            for (name, at) in keys.values().flat_map(|kept| &kept.origins) {
                self.hand_on(source, name, *at);
            }
        }
        (self.by_source, self.totals) = (found, totals);
        self.spoken.clear();
        for (end, limit) in ends.iter().zip(&limits) {
            // What lies behind that which is left of its time is newer, whatever its offsets are.
            self.spoken.insert(end.name.as_ref().clone(), end.offset.min(*limit));
            if end.offset <= *limit {
                self.covered.insert(end.name.as_ref().clone(), end.offset);
            } else if *limit < 0 {
                self.covered.remove(end.name.as_ref());
            }
        }
        self.changed = !is_whole;
    }

    fn keep_older(&mut self, found: &mut BTreeMap<String, HashMap<Vec<u8>, Kept>>) {
        for (source, keys) in std::mem::take(&mut self.by_source) {
            let newer = found.entry(source).or_default();
            for (key, kept) in keys {
                newer.entry(key).or_insert(Kept { is_settled: false, ..kept });
            }
        }
    }

    /// Takes the position headers of a batch in, unless the last snapshot has spoken of it and is right.
    pub(crate) fn replay(&mut self, batch: &StoredBatch, name: &Arc<TopicPartition>) {
        let is_old = self.spoken.get(name.as_ref()).is_some_and(|at| batch.next_offset <= *at);
        for stored in batch.iter() {
            let Some(value) = stored.record.headers.get(mark::NAME) else { continue };
            let Some(found) = mark::decode(value) else { continue };
            let Some((key, value)) = found.position else { continue };
            let known = self.by_source.get(found.source).and_then(|keys| keys.get(key));
            if is_old && known.is_some_and(|kept| kept.is_settled) {
                continue;
            }
            self.set(found.source, key, value, Some((name, batch.next_offset)));
        }
        self.totals.replay(batch, name);
    }

    /// The last snapshot is on disk: what it covers may go.
    pub(crate) fn settle_covering(&mut self, flushed: i64) {
        if let Some((_, ends)) = self.covering.take_if(|(needs, _)| *needs <= flushed) {
            self.covered = ends;
        }
    }
}

/// The ids of topics as the last snapshot in `partition` names them.
///
/// # Errors
/// [`LogError`] when its files cannot be read.
pub(crate) fn noted_ids(partition: &Arc<Partition>) -> Result<HashMap<String, String>, LogError> {
    let topic = Arc::new(Topic { name: partition.name().topic.clone(), id: String::new() });
    let pool = Pool::new(1, 1 << 20);
    let mut reader = Reader::new(Arc::clone(partition), partition.start());
    let mut ids = HashMap::new();
    loop {
        let (header, bytes) = match reader.read()? {
            Read::End => return Ok(ids),
            Read::Damage(_) => continue,
            Read::Batch(header, bytes) => (header, bytes),
        };
        let Ok(batch) = decode(&header, bytes, (&topic, 0), &pool) else { continue };
        let mut records = batch.iter();
        let Some(first) = records.next().filter(|first| first.record.key == Some(&[])) else {
            continue;
        };
        let ends = parse_ends(first.record.value.unwrap_or_default());
        let named = ends.into_iter().filter(|end| !end.topic_id.is_empty());
        ids = named.map(|end| (end.name.topic.clone(), end.topic_id)).collect();
    }
}

fn encode_origins(origins: impl Iterator<Item = (i64, i64)>, encoded: &mut Vec<u8>) {
    let mut value = Vec::new();
    for (line, at) in origins {
        varint::push(line, &mut value);
        varint::push(at, &mut value);
    }
    if !value.is_empty() {
        header::push(ORIGIN, Some(&value), encoded);
    }
}

fn decode_origins(mut bytes: &[u8]) -> Vec<(usize, i64)> {
    let mut origins = Vec::new();
    while let (Some(line), Some(at)) = (varint::take(&mut bytes), varint::take(&mut bytes)) {
        // A line that cannot be one is nowhere, and so is what came with it.
        origins.push((usize::try_from(line).unwrap_or(usize::MAX), at));
    }
    origins
}

fn parse_ends(text: &[u8]) -> Vec<End> {
    let text = String::from_utf8_lossy(text);
    let parse = |line: &str| {
        let mut words = line.split(' ');
        let topic = words.next()?.to_owned();
        let name = TopicPartition { topic, partition: words.next()?.parse().ok()? };
        let offset = words.next()?.parse().ok()?;
        let topic_id = words.next().unwrap_or_default().to_owned();
        Some(End { name: Arc::new(name), offset, topic_id })
    };
    text.lines().filter_map(parse).collect()
}
