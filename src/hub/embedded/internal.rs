//! What the writer keeps in topics of its own: committed offsets and snapshots of positions, each written anew when its
//! topic has grown.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use anabranch_connectors::clock::now_ms;
use anabranch_connectors::source::Stored;
use tokio::time::Instant;
use tracing::warn;

use super::encode::encode_pairs;
use super::topics::{OFFSETS, POSITIONS, SETTINGS, TRANSACTIONS};
use super::writer::Writer;
use crate::log::{LogError, Partition};

/// Positions are stored together at least so often while they change, by time and by bytes appended.
const SNAPSHOT_EVERY: Duration = Duration::from_secs(10);
const SNAPSHOT_BYTES: u64 = 64 << 20;
/// Up to so many positions are stored together often.
const FEW: usize = 1000;
/// Bytes of an internal topic after which it is written anew.
const INTERNAL_MAX: u64 = 16 << 20;

impl Writer {
    pub(super) fn append_pairs(
        &mut self,
        topic: &str,
        pairs: &[(Vec<u8>, Option<Vec<u8>>)],
    ) -> Result<(), LogError> {
        let Some(partition) = self.shared.internal(topic).filter(|_| !pairs.is_empty()) else {
            return Ok(());
        };
        let encoded = encode_pairs(pairs, now_ms(), &mut self.builder, &mut self.scratch);
        encoded.map_err(|error| LogError::Format {
            path: self.shared.settings.data_dir.clone(),
            problem: error.to_string(),
        })?;
        partition.append(&self.scratch, self.shared.epoch)?;
        self.touch(&partition);
        Ok(())
    }

    /// Writes an internal topic anew from `pairs` and drops what was before.
    fn rewrite(
        &mut self,
        topic: &str,
        pairs: &[(Vec<u8>, Option<Vec<u8>>)],
    ) -> Result<(), LogError> {
        let Some(partition) = self.shared.internal(topic) else { return Ok(()) };
        partition.roll()?;
        let base = partition.end();
        self.append_pairs(topic, pairs)?;
        partition.flush()?;
        partition.delete_before(base)?;
        Ok(())
    }

    /// Writes internal topics anew that have grown; everything in them is in memory.
    pub(super) fn compact_internal(&mut self) {
        for topic in [OFFSETS, SETTINGS, TRANSACTIONS] {
            let large = |partition: Arc<Partition>| partition.size_bytes() > INTERNAL_MAX;
            if !self.shared.internal(topic).is_some_and(large) {
                continue;
            }
            let pairs = match topic {
                OFFSETS => self.shared.groups().snapshot(),
                SETTINGS => self.shared.settings_pairs(),
                _ => self.shared.transactions().snapshot(),
            };
            if let Err(error) = self.rewrite(topic, &pairs) {
                warn!(%error, topic, "an internal topic could not be compacted, will retry");
            }
        }
    }

    pub(super) fn snapshot_if_due(&mut self) {
        let changed = self.shared.positions().changed;
        let waiting = !self.position_parts.is_empty();
        let due = self.snapshot_bytes >= SNAPSHOT_BYTES
            || self.snapshot_at.elapsed() >= SNAPSHOT_EVERY
            || (waiting && self.snapshot_at.elapsed() >= self.snapshot_wait());
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

    /// Stores all positions together; from then on retention may remove what they cover.
    pub(super) fn snapshot(&mut self) {
        let mut ends = HashMap::new();
        for state in self.shared.topics.all() {
            for partition in &state.partitions {
                ends.insert(partition.name().clone(), partition.end());
            }
        }
        self.snapshot_at = Instant::now();
        self.snapshot_bytes = 0;
        let pairs = self.shared.positions().snapshot(&ends);
        let large = |partition: Arc<Partition>| partition.size_bytes() > INTERNAL_MAX;
        let stored = if self.shared.internal(POSITIONS).is_some_and(large) {
            self.rewrite(POSITIONS, &pairs)
        } else {
            self.append_pairs(POSITIONS, &pairs)
        };
        if let Err(error) = stored {
            warn!(%error, "positions could not be stored together, will retry");
            return;
        }
        {
            let mut positions = self.shared.positions();
            positions.covered = ends;
            positions.changed = false;
        }
        self.positions_first = false;
        for part in self.position_parts.drain(..) {
            part.settle(Ok(Stored { partition: 0, offset: -1 }));
        }
        self.finish_group();
    }
}
