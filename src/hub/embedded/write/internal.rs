//! What the writer keeps in topics of its own: committed offsets and snapshots of positions, each written anew when its
//! topic has grown.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use anabranch_connectors::contract::clock::now_ms;
use anabranch_connectors::contract::receipt::Stored;
use anabranch_record::TopicPartition;
use tokio::time::Instant;
use tracing::{info, warn};

use super::command::Pairs;
use super::encode::{Entry, EntryBatch, encode_entries};
use super::writer::Writer;
use crate::hub::embedded::Shared;
use crate::hub::embedded::sources::positions::End;
use crate::hub::embedded::topics::table::{
    KEPT, OFFSETS, POSITIONS, SETTINGS, TRANSACTIONS, TopicState,
};
use crate::hub::embedded::topics::topic_id::short_id;
use crate::hub::{HubError, Part};
use crate::log::{LogError, Partition};
use crate::wire::{Builder, Codec, CompressionError};

/// Positions are stored together at least so often while they change, by time and by bytes appended.
const SNAPSHOT_EVERY: Duration = Duration::from_secs(10);
const SNAPSHOT_BYTES: u64 = 64 << 20;
/// Up to so many positions are stored together often.
const FEW: usize = 1000;

impl Shared {
    /// The offset below which records of a partition may go: the positions in them are in a snapshot, and that is on
    /// disk. With `flush: os` nobody else asks for that, so it is asked for here where `wanted` needs it.
    pub(crate) fn covered_to(&self, name: &TopicPartition, wanted: i64) -> i64 {
        let Some(topic) = self.internal(POSITIONS) else { return 0 };
        let of = |ends: &HashMap<TopicPartition, i64>| ends.get(name).copied().unwrap_or(0);
        let (covered, coming) = {
            let mut positions = self.positions();
            positions.settle_covering(topic.flushed());
            (of(&positions.covered), positions.covering.as_ref().map_or(0, |(_, ends)| of(ends)))
        };
        if covered >= wanted || coming <= covered || self.flush(&topic).is_err() {
            return covered;
        }
        let mut positions = self.positions();
        positions.settle_covering(topic.flushed());
        of(&positions.covered)
    }
}

impl Writer {
    pub(crate) fn append_pairs(&mut self, topic: &str, pairs: &Pairs) -> Result<(), LogError> {
        if pairs.is_empty() {
            return Ok(());
        }
        let mut entries = Vec::with_capacity(pairs.len());
        for (key, value) in pairs {
            entries.push(Entry { key, value: value.as_deref(), header: &[] });
        }
        self.append_entries(topic, &entries)
    }

    fn append_entries(&mut self, topic: &str, entries: &[Entry<'_>]) -> Result<(), LogError> {
        let mut bytes = std::mem::take(&mut self.scratch);
        let encoded = encode_entries(entries, now_ms(), &mut self.builder, &mut bytes);
        let encoded = encoded.map_err(|error| self.not_encoded(&error));
        let appended = encoded.and_then(|()| self.append_batch(topic, &bytes));
        self.scratch = bytes;
        appended
    }

    fn append_batch(&mut self, topic: &str, bytes: &[u8]) -> Result<(), LogError> {
        let Some(partition) = self.shared.internal(topic) else { return Ok(()) };
        partition.append(bytes, self.shared.epoch)?;
        self.touch(&partition);
        Ok(())
    }

    fn not_encoded(&self, error: &CompressionError) -> LogError {
        LogError::Format { path: self.shared.settings.data_dir.clone(), problem: error.to_string() }
    }

    /// Writes an internal topic anew, as `append` does it, and drops what was before.
    fn rewrite(
        &mut self,
        topic: &str,
        append: impl FnOnce(&mut Self) -> Result<(), LogError>,
    ) -> Result<(), LogError> {
        let Some(partition) = self.shared.internal(topic) else { return Ok(()) };
        partition.roll()?;
        let base = partition.end();
        append(self)?;
        // What was before counts as long as what it speaks about may still be lost.
        self.flush_records()?;
        partition.delete_before(base)?;
        Ok(())
    }

    /// Makes everything durable that was appended.
    pub(super) fn flush_records(&self) -> Result<(), LogError> {
        for state in self.shared.topics.all() {
            for spoken_of in state.partitions.iter().filter(|one| one.flushed() < one.end()) {
                self.shared.flush(spoken_of)?;
            }
        }
        Ok(())
    }

    /// Writes internal topics anew that have grown; everything in them is in memory.
    pub(super) fn compact_internal(&mut self) {
        for topic in [OFFSETS, SETTINGS, KEPT, TRANSACTIONS] {
            let most = self.shared.settings.internal_max_bytes;
            let large = |partition: Arc<Partition>| partition.size_bytes() > most;
            if !self.shared.internal(topic).is_some_and(large) {
                continue;
            }
            let pairs = match topic {
                OFFSETS => self.shared.groups().snapshot(),
                SETTINGS => self.shared.settings_pairs(),
                KEPT => self.shared.kept.snapshot(),
                _ => self.shared.transactions().snapshot(),
            };
            if let Err(error) = self.rewrite(topic, |writer| writer.append_pairs(topic, &pairs)) {
                warn!(%error, topic, "an internal topic could not be compacted, will retry");
            }
        }
    }

    /// Stores how groups and their members are now. What finds no room is kept for the next time.
    pub(super) fn store_group_states(&mut self) {
        let shared = Arc::clone(&self.shared);
        let outbox = shared.members.outbox();
        let (changes, waiting) = outbox.take();
        let pairs = self.shared.groups().state_pairs(&changes);
        match self.append_pairs(OFFSETS, &pairs) {
            Ok(()) => {
                self.shared.groups().set_states(changes);
                self.commits.extend(waiting);
            }
            Err(error) => {
                warn!(%error, "the members of groups are not stored yet; after a restart they would join again");
                outbox.put_back(changes, waiting, &HubError::NotNow(error.to_string()));
            }
        }
        self.compact_internal();
    }

    pub(super) fn snapshot_if_due(&mut self) {
        if self.snapshots.at.elapsed() >= SNAPSHOT_EVERY {
            self.note_rest();
        }
        let changed = self.shared.positions().changed;
        let waiting = !self.position_parts.is_empty();
        let due = self.snapshots.bytes >= SNAPSHOT_BYTES
            || self.snapshots.at.elapsed() >= SNAPSHOT_EVERY
            || (waiting && self.snapshots.at.elapsed() >= self.snapshot_wait());
        if changed && due {
            self.snapshot();
        }
    }

    /// How long positions that came without records wait to be stored: a source reads a new file only when the hub
    /// knows of it, so not long while there are few.
    pub(super) fn snapshot_wait(&self) -> Duration {
        let few = self.shared.positions().len() <= FEW;
        if few { Duration::from_millis(50) } else { Duration::from_secs(1) }
    }

    /// Takes in the positions of parts that are appended.
    pub(super) fn note_positions(
        &self,
        parts: &[Part],
        origin: Option<(&Arc<TopicPartition>, i64)>,
    ) {
        if parts.iter().all(|part| part.batch.position().is_none()) {
            return;
        }
        let mut positions = self.shared.positions();
        for part in parts {
            if let Some(position) = part.batch.position() {
                positions.set(&part.source, &position.key, position.value.as_deref(), origin);
            }
        }
    }

    /// Takes in what sources were handed back and have left out, which no append carries.
    pub(super) fn note_rest(&self) {
        let accounts = self.shared.metrics.accounts();
        let mut positions = self.shared.positions();
        for (source, account) in &accounts {
            positions.changed |= positions.totals.raise(source, account);
        }
    }

    /// Stores all positions together; from then on retention may remove what they cover.
    pub(crate) fn snapshot(&mut self) {
        self.note_rest();
        let ends = self.ends();
        self.snapshots.at = Instant::now();
        self.snapshots.bytes = 0;
        let most = self.shared.settings.internal_max_bytes;
        let large = |partition: &Arc<Partition>| partition.size_bytes() > most;
        let topic = self.shared.internal(POSITIONS);
        let speaks_alone = self.positions_first;
        // One that came without records says that all before it were read, and all behind it build on it: whatever
        // `flush` says, a power cut must not keep one of these without the others.
        let stored = if speaks_alone { self.flush_records() } else { Ok(()) };
        let stored = stored.and_then(|()| {
            if topic.as_ref().is_some_and(large) {
                self.rewrite(POSITIONS, |writer| writer.append_snapshot(&ends))
            } else {
                self.append_snapshot(&ends)
            }
        });
        let stored = stored.and_then(|()| match &topic {
            Some(topic) if speaks_alone => self.shared.flush(topic),
            _ => Ok(()),
        });
        if let Err(error) = stored {
            // It is tried with whatever comes next.
            if !std::mem::replace(&mut self.snapshots.fails, true) {
                warn!(%error, "positions could not be stored together, will retry");
            }
            return;
        }
        if std::mem::take(&mut self.snapshots.fails) {
            info!("positions are stored together again");
        }
        {
            let mut positions = self.shared.positions();
            let covered = ends.into_iter().map(|end| (end.name.as_ref().clone(), end.offset));
            let needs = topic.map_or(i64::MAX, |topic| topic.end());
            positions.covering = Some((needs, covered.collect()));
            positions.changed = false;
        }
        self.positions_first = false;
        for part in self.position_parts.drain(..) {
            part.settle(Ok(Stored { partition: 0, offset: -1 }));
        }
        self.finish_group();
    }

    /// Compressed as it is made, since there may be a position for each of many files.
    fn append_snapshot(&mut self, ends: &[End]) -> Result<(), LogError> {
        let (mut builder, mut bytes) = (Builder::new(Codec::Lz4, None), Vec::new());
        let mut batch = EntryBatch::begin(now_ms(), &mut builder, &mut bytes);
        let encoded = self.shared.positions().snapshot(ends, |entry| batch.push(entry));
        let encoded = encoded.and_then(|()| batch.finish());
        encoded.map_err(|error| self.not_encoded(&error))?;
        self.append_batch(POSITIONS, &bytes)
    }

    /// How far each partition is now.
    fn ends(&self) -> Vec<End> {
        let end = |topic_id: &str, partition: &Arc<Partition>| End {
            name: Arc::clone(partition.shared_name()),
            offset: partition.end(),
            topic_id: topic_id.to_owned(),
        };
        let all = self.shared.topics.all();
        let of_topic = |state: &Arc<TopicState>| {
            let id = short_id(&state.topic.id);
            state.partitions.iter().map(|partition| end(id, partition)).collect::<Vec<_>>()
        };
        all.iter().flat_map(of_topic).collect()
    }
}
