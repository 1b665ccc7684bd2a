//! The dead letters of a sink: where they lie, and how they are read.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::cli::failure::Failure;
use crate::client::{Admin, Consumer, ConsumerSettings, HubHandle};
use crate::hub::{DEAD_LETTERS, HubError, Offset, PartitionInfo, TopicInfo};

/// How long nothing may come before a replay counts as done.
pub(super) const WAIT: Duration = Duration::from_secs(5);

/// The same for one who only looks, once something has come.
const QUIET: Duration = Duration::from_secs(1);

/// The group that knows how far replays are.
pub(super) fn replay_group(sink: &str) -> String {
    format!("{sink}.dlq-replay")
}

/// The ends of the partitions of a sink's dead letters; a sink without any is told.
pub(super) async fn ends(hub: &HubHandle, sink: &str) -> Result<(String, Vec<Offset>), Failure> {
    let topic = format!("{sink}{DEAD_LETTERS}");
    let info = match Admin::new(hub).topic(&topic).await {
        Err(crate::client::ClientError::Hub(HubError::UnknownTopic(_))) => {
            return Err(Failure::failed(format!(
                "sink \"{sink}\" has no dead letters; `anabranch dlq list` shows those that have"
            )));
        }
        found => found?,
    };
    let ends = ends_of(&info);
    Ok((topic, ends))
}

/// The ends of the partitions that are not empty.
pub(super) fn ends_of(topic: &TopicInfo) -> Vec<Offset> {
    let end = |(partition, info): (i32, &PartitionInfo)| Offset {
        topic: topic.name.clone(),
        partition,
        offset: info.end,
        epoch: -1,
    };
    let filled = |(_, info): &(i32, &PartitionInfo)| info.end > info.start;
    (0i32..).zip(&topic.partitions).filter(filled).map(end).collect()
}

/// The offsets of the dead letters that there are, by partition. They are read for that: the marks of transactions
/// take offsets too.
pub(super) async fn letters(
    hub: &HubHandle,
    ends: &[Offset],
) -> Result<BTreeMap<i32, Vec<i64>>, Failure> {
    let mut letters: BTreeMap<i32, Vec<i64>> = BTreeMap::new();
    if ends.is_empty() {
        return Ok(letters);
    }
    let mut consumer = Consumer::new(hub, reading(ends)).await?;
    while !are_reached(ends, &consumer.position()) {
        let wait = if letters.is_empty() { WAIT } else { QUIET };
        let records = consumer.poll(wait).await?;
        if records.is_empty() {
            break;
        }
        for record in &records {
            letters.entry(record.partition).or_default().push(record.offset);
        }
    }
    Ok(letters)
}

/// All of these partitions, without a group.
pub(super) fn reading(ends: &[Offset]) -> ConsumerSettings {
    let settings = ConsumerSettings::new("").auto_commit(None).max_poll_records(10_000);
    ends.iter().fold(settings, |settings, end| settings.assign(&end.topic, end.partition))
}

/// Whether all of these ends were read to.
pub(super) fn are_reached(ends: &[Offset], position: &[Offset]) -> bool {
    ends.iter().all(|end| {
        position.iter().any(|at| at.partition == end.partition && at.offset >= end.offset)
    })
}
