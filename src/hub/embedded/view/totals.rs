//! What is kept of sources, from the files: the last snapshots of positions, and the batches behind them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use anabranch_record::{Pool, StoredBatch, TopicPartition};

use super::{Seen, View};
use crate::hub::HubError;
use crate::hub::embedded::read::decode::decode;
use crate::hub::embedded::sources::positions::{End, Positions};
use crate::hub::embedded::topics::table::POSITIONS;
use crate::hub::embedded::topics::topic_id::short_id;
use crate::hub::embedded::write::encode::OWN_PRODUCER;
use crate::log::{Partition, Read, Reader};

impl View {
    /// Positions and totals as the files have them now.
    pub(in crate::hub::embedded) fn positions(&self) -> Result<Positions, HubError> {
        kept_positions(&self.look(|_name| true)?)
    }
}

/// Positions and totals as `topics` have them.
pub(super) fn kept_positions(topics: &BTreeMap<String, Seen>) -> Result<Positions, HubError> {
    let mut positions = Positions::default();
    if let Some(seen) = topics.get(POSITIONS) {
        each_batch(seen, &HashMap::new(), |batch, _own, _partition| {
            positions.restore(&batch, |end| kept(topics, end));
        })?;
    }
    let covered = positions.covered.clone();
    for (name, seen) in topics {
        if name.starts_with("__") {
            continue;
        }
        each_batch(seen, &covered, |batch, own, partition| {
            if own {
                positions.replay(&batch, partition.shared_name());
            }
        })?;
    }
    Ok(positions)
}

/// The end of a partition; -1 when it is gone, or another one that has its name.
fn kept(topics: &BTreeMap<String, Seen>, end: &End) -> i64 {
    let TopicPartition { topic, partition } = end.name.as_ref();
    let Some(seen) = topics.get(topic) else { return -1 };
    if !end.topic_id.is_empty() && end.topic_id != short_id(&seen.topic.id) {
        return -1;
    }
    let mut partitions = seen.partitions.iter();
    let found = partitions.find(|one| one.name().partition == *partition);
    found.map_or(-1, |one| one.end())
}

/// Shows every readable batch of a topic from the given offsets on, and whether the program itself appended it.
fn each_batch(
    seen: &Seen,
    from: &HashMap<TopicPartition, i64>,
    mut see: impl FnMut(StoredBatch, bool, &Arc<Partition>),
) -> Result<(), HubError> {
    let pool = Pool::new(2, 16 << 20);
    for partition in &seen.partitions {
        let start = from.get(partition.name()).copied().unwrap_or(0).max(partition.start());
        let mut reader = Reader::new(Arc::clone(partition), start);
        loop {
            let read = reader.read().map_err(|error| HubError::NotNow(error.to_string()))?;
            let (header, bytes) = match read {
                Read::End => break,
                Read::Damage(_) => continue,
                Read::Batch(header, bytes) => (header, bytes),
            };
            let place = (&seen.topic, partition.name().partition);
            if let Ok(batch) = decode(&header, bytes, place, &pool) {
                see(batch, header.producer_id == OWN_PRODUCER, partition);
            }
        }
    }
    Ok(())
}
