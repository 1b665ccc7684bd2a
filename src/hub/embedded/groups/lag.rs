//! How far groups are behind, in records, bytes and time.

use std::sync::Arc;

use super::oldest::Oldest;
use crate::hub::embedded::{Embedded, Shared};
use crate::hub::{GroupLag, HubError, Lag, Reads, StartAt, TopicSelector};
use crate::log::Partition;

impl Embedded {
    /// See [`crate::hub::Hub::lags`].
    pub(crate) fn lags_now(&self, reads: &[Reads]) -> Result<Vec<GroupLag>, HubError> {
        let mut oldest = self.shared.oldest.lock();
        let before = std::mem::take(&mut *oldest);
        let mut lags = Vec::with_capacity(reads.len());
        for reads in reads {
            let mut partitions = Vec::new();
            for state in self.shared.topics.all() {
                if !reads.wants(&state.topic.name) {
                    continue;
                }
                for partition in &state.partitions {
                    let at = self.shared.place_of(reads, partition)?;
                    partitions.push(lag(&reads.group, partition, at, (&before, &mut oldest))?);
                }
            }
            lags.push(GroupLag { group: reads.group.clone(), partitions });
        }
        Ok(lags)
    }
}

impl Shared {
    /// The next offset of a partition that a group will read.
    fn place_of(&self, reads: &Reads, partition: &Arc<Partition>) -> Result<i64, HubError> {
        let committed = self.groups().committed(&reads.group, partition.name()).cloned();
        let topic = &partition.name().topic;
        let at = match (committed, TopicSelector::start_of(&reads.topics, topic, reads.start)) {
            (Some(committed), _) => committed.offset,
            (None, StartAt::Earliest) => partition.start(),
            (None, StartAt::Latest) => partition.end(),
            (None, StartAt::Time(time_ms)) => self.offset_at(partition, time_ms)?,
            (None, StartAt::Offset(offset)) => offset,
        };
        Ok(at.max(partition.start()))
    }
}

fn lag(
    group: &str,
    partition: &Arc<Partition>,
    at: i64,
    (before, oldest): (&Oldest, &mut Oldest),
) -> Result<Lag, HubError> {
    let (name, end) = (partition.name(), partition.end());
    let mut lag = Lag::of(&name.topic, name.partition, at, end);
    if at >= end {
        lag.bytes = Some(0);
        return Ok(lag);
    }
    lag.bytes = Some(partition.bytes_behind(at));
    let key = (group.to_owned(), name.clone());
    let known = before.get(&key).filter(|(offset, _)| *offset == at);
    lag.oldest_ms = match known {
        Some((_, time_ms)) => *time_ms,
        None => partition.time_of(at).map_err(|error| HubError::NotNow(error.to_string()))?,
    };
    oldest.insert(key, (at, lag.oldest_ms));
    Ok(lag)
}
