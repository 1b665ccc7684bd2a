//! What must be true of a compacted log.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::{PLAIN, Pair, RETENTION_MS, Seen, batch, compact_all, read};
use crate::log::{Partition, Room, ScanEnd, scan};
use crate::wire::batch_header::BatchHeader;
use crate::wire::{Codec, marker};

/// What was appended, and where compaction stands.
#[derive(Default)]
pub(super) struct Model {
    /// Every record of no transaction, or of one that was committed.
    records: Vec<Seen>,
    open: HashMap<i64, Vec<Seen>>,
    sequences: HashMap<i64, i32>,
    pub(super) now_ms: i64,
    clean_to: i64,
    /// When tombstones may go, by offset.
    horizons: HashMap<i64, i64>,
    /// When the last compaction was.
    compacted_ms: i64,
}

impl Model {
    /// With nothing in it, at that time.
    pub(super) fn at(now_ms: i64) -> Self {
        Self { now_ms, ..Self::default() }
    }

    pub(super) fn append(
        &mut self,
        partition: &Partition,
        pairs: &[Pair],
        codec: Codec,
        producer: i64,
    ) {
        let sequence = self.sequences.entry(producer).or_default();
        let is_transactional = producer != PLAIN;
        let bytes = batch(pairs, codec, (producer, *sequence), is_transactional, self.now_ms);
        let header = BatchHeader::parse(&bytes).unwrap();
        // As the hub does before each append: sequences must be known, compacted and reopened or not.
        assert_eq!(partition.producers().check(&header), Ok(crate::log::Verdict::Append));
        *sequence += header.count;
        let at = partition.append(&bytes, 1).unwrap();
        let seen = pairs.iter().zip(0..).map(|((key, value), number)| {
            (at.base_offset + number, *key, *value, self.now_ms + number)
        });
        if is_transactional {
            self.open.entry(producer).or_default().extend(seen);
        } else {
            self.records.extend(seen);
        }
    }

    pub(super) fn end(&mut self, partition: &Partition, producer: i64, committed: bool) {
        let Some(records) = self.open.remove(&producer) else { return };
        partition.append(&marker((producer, 0), committed, 0, self.now_ms), 1).unwrap();
        if committed {
            self.records.extend(records);
            self.records.sort_unstable();
        }
    }

    pub(super) fn compact(&mut self, partition: &Partition, keys_max: usize) {
        self.clean_to = compact_all(partition, self.clean_to, self.now_ms, keys_max);
        self.compacted_ms = self.now_ms;
        for last in self.last().values().filter(|last| last.2.is_none() && last.0 < self.clean_to) {
            self.horizons.entry(last.0).or_insert(self.now_ms + RETENTION_MS);
        }
    }

    /// For a log that may be as it was before the compaction.
    pub(super) const fn nothing_is_compacted(&mut self) {
        self.clean_to = 0;
    }

    /// The last record of each key.
    fn last(&self) -> BTreeMap<u8, Seen> {
        self.records.iter().filter_map(|seen| seen.1.map(|key| (key, *seen))).collect()
    }

    pub(super) fn check(&self, partition: &Arc<Partition>) {
        let open: Vec<i64> = self.open.values().flatten().map(|seen| seen.0).collect();
        let (mut seen, heads) = read(partition, 0);
        seen.retain(|one| !open.contains(&one.0));
        // Nothing that was not written, and every key with its last value.
        for one in &seen {
            assert!(self.records.contains(one), "{one:?}");
        }
        assert!(seen.is_sorted());
        for (key, last) in self.last() {
            let found = seen.iter().rev().find(|one| one.1 == Some(key));
            match last.2 {
                Some(_) => assert_eq!(found, Some(&last)),
                None => {
                    let horizon = self.horizons.get(&last.0).copied().unwrap_or(i64::MAX);
                    let may_go = horizon <= self.now_ms;
                    assert!(
                        found == Some(&last) || (found.is_none() && may_go),
                        "{found:?} {last:?}"
                    );
                    let must_go = last.0 < self.clean_to && horizon <= self.compacted_ms;
                    assert!(found.is_none() || !must_go, "{last:?} is still there");
                }
            }
        }
        for one in self.records.iter().filter(|one| one.1.is_none()) {
            assert!(seen.contains(one), "{one:?} has no key");
        }
        // Of what is compacted, one record for each key and nothing of aborted transactions.
        let mut keys = std::collections::HashSet::new();
        for one in seen.iter().filter(|one| one.0 < self.clean_to) {
            assert!(one.1.is_none_or(|key| keys.insert(key)), "{one:?} is there twice");
        }
        let aborted = heads.iter().find(|header| {
            header.next_offset() <= self.clean_to
                && header.is_transactional()
                && !header.is_control()
                && partition.producers().is_aborted(header)
        });
        assert_eq!(aborted, None);
        // A client that hears of an aborted transaction waits for its marker; and none stays open for want of one.
        for one in partition.producers().aborted(0, i64::MAX) {
            let is_marker = |header: &&BatchHeader| {
                header.is_control() && header.base_offset == one.last_offset
            };
            assert!(heads.iter().any(|header| is_marker(&header)), "{one:?} has no marker");
        }
        assert_eq!(partition.stable(), open.iter().copied().min().unwrap_or(partition.end()));
        self.check_segments(partition);
        // From any place in the middle the same records are seen, by both kinds of readers.
        for from in [partition.end() / 3, partition.end() / 2] {
            let mut expected = seen.clone();
            expected.retain(|one| one.0 >= from);
            let (mut part, _) = read(partition, from);
            part.retain(|one| one.0 >= from && !open.contains(&one.0));
            assert_eq!(part, expected);
        }
        assert_eq!(raw_heads(partition), heads);
    }

    fn check_segments(&self, partition: &Partition) {
        let mut expected = 0;
        for segment in partition.segments() {
            assert_eq!(segment.base_offset(), expected);
            let ScanEnd { place, next_offset, fault } = scan(&segment, 0, |_, _, _| {}).unwrap();
            assert_eq!((place, fault), (segment.size_bytes(), None));
            expected = next_offset.unwrap_or(expected);
        }
        assert_eq!(expected, partition.end());
    }
}

/// The heads of all batches as clients on sockets get them.
fn raw_heads(partition: &Partition) -> Vec<BatchHeader> {
    let (mut heads, mut offset) = (Vec::new(), 0);
    loop {
        let mut out = Vec::new();
        let read = partition.read_raw(offset, Room::at_least_one(300), i64::MAX, &mut out).unwrap();
        assert_eq!(read.lost, 0);
        if read.bytes == 0 {
            return heads;
        }
        let mut rest = out.as_slice();
        while !rest.is_empty() {
            let header = BatchHeader::verify(rest).unwrap();
            rest = &rest[header.size_bytes..];
            heads.push(header);
        }
        offset = read.next_offset;
    }
}
