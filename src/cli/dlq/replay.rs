//! Dead letters that are given again, each once: what is stored and how far the replay is are stored together, so one
//! that is killed goes on where it was.

use std::collections::BTreeMap;

use anabranch_record::stored::ORIGIN;
use anabranch_record::{Batch, Headers, Record, copy_record};

use super::letters::{WAIT, are_reached, ends, replay_group};
use crate::cli::failure::Failure;
use crate::cli::filter::{Parsed, REASON};
use crate::client::{Admin, ConsumedRecord, Consumer, ConsumerSettings, HubHandle};
use crate::hub::{Advance, Offset, Placed, REPLAY};
use crate::producer::partitioner::{Partitioner, partition_of};

/// The topic that a dead letter comes from.
const CAME_FROM: &str = "__connect.errors.topic";
/// Beginnings of the names of headers that were added to a dead letter.
const ADDED: [&str; 2] = ["__connect.errors.", "anabranch.dlq."];
/// How many are taken in one step, at most.
const STEP: usize = 500;

/// What becomes of dead letters that were asked for. The others stay, behind those that there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fate {
    /// Back to their topics.
    Again,
    /// To one sink alone.
    To(String),
    Drop,
}

/// Which are taken, and what becomes of them.
#[derive(Debug)]
pub(super) struct How {
    pub(super) count: u64,
    pub(super) filter: Parsed,
    pub(super) fate: Fate,
}

/// Takes dead letters that were not taken yet; how many were stored, by topic.
pub(super) async fn take(
    hub: &HubHandle,
    sink: &str,
    how: How,
) -> Result<BTreeMap<String, u64>, Failure> {
    let (topic, mut ends) = ends(hub, sink).await?;
    let group = replay_group(sink);
    let done = Admin::new(hub).group(&group).await?;
    let done = done.iter().flat_map(|group| &group.partitions).filter(|at| at.topic == topic);
    let mut stands: BTreeMap<i32, i64> = done.map(|at| (at.partition, at.committed)).collect();
    ends.retain(|end| stands.get(&end.partition).is_none_or(|at| *at < end.offset));
    let mut stored = BTreeMap::new();
    if ends.is_empty() {
        return Ok(stored);
    }
    let mut settings = ConsumerSettings::new(&group).auto_commit(None).max_poll_records(STEP);
    for end in &ends {
        settings = settings.assign(&topic, end.partition);
    }
    let mut consumer = Consumer::new(hub, settings).await?;
    let mut step =
        Step { hub, topic: &topic, how, partitions: BTreeMap::new(), placed: Vec::new() };
    while step.how.count > 0 && !are_reached(&ends, &consumer.position()) {
        let mut records = consumer.poll(WAIT).await?;
        // What was put behind the end by this very command is not looked at again.
        records.retain(|record| {
            ends.iter().any(|end| end.partition == record.partition && record.offset < end.offset)
        });
        if records.is_empty() {
            break;
        }
        let taken = step.choose(&records).await?;
        let to = after(records.get(..taken).unwrap_or_default());
        let mut from = to.clone();
        for at in &mut from {
            at.offset = stands.insert(at.partition, at.offset).unwrap_or(-1);
        }
        let records = std::mem::take(&mut step.placed);
        for placed in records.iter().filter(|placed| placed.topic != topic) {
            *stored.entry(placed.topic.clone()).or_default() += placed.batch.len() as u64;
        }
        let group = group.clone();
        hub.hub().advance(Advance { group, from, to, records }).await?;
    }
    Ok(stored)
}

/// What one step stores.
struct Step<'a> {
    hub: &'a HubHandle,
    /// Of the dead letters.
    topic: &'a str,
    how: How,
    partitions: BTreeMap<String, u32>,
    placed: Vec<Placed>,
}

impl Step<'_> {
    /// Decides on records, until as many were found as are wanted; on how many it has.
    async fn choose(&mut self, records: &[ConsumedRecord]) -> Result<usize, Failure> {
        for (number, record) in records.iter().enumerate() {
            if self.how.count == 0 {
                return Ok(number);
            }
            if !self.how.filter.has(record) {
                self.put(self.topic.to_owned(), record, None).await?;
                continue;
            }
            self.how.count -= 1;
            match self.how.fate.clone() {
                Fate::Drop => {}
                Fate::Again => self.put(came_from(record)?, record, Some("")).await?,
                Fate::To(sink) => {
                    let origin = came_from(record).unwrap_or_default();
                    self.put(format!("{sink}{REPLAY}"), record, Some(&origin)).await?;
                }
            }
        }
        Ok(records.len())
    }

    /// Puts a record where it belongs; with an origin, perhaps an empty one, as it was before it died.
    async fn put(
        &mut self,
        topic: String,
        record: &ConsumedRecord,
        origin: Option<&str>,
    ) -> Result<(), Failure> {
        let partitions = self.partitions_of(&topic).await?;
        let by_key = partition_of(Partitioner::Default, record.key.as_deref(), partitions);
        let same = || record.partition % i32::try_from(partitions).unwrap_or(i32::MAX).max(1);
        let partition = by_key.unwrap_or_else(same);
        let is_it = |placed: &Placed| placed.partition == partition && placed.topic == topic;
        if !self.placed.iter().any(is_it) {
            let batch = Batch::new(Vec::new().into(), Headers::new(), record.timestamp_ms, 0);
            self.placed.push(Placed { topic: topic.clone(), partition, batch });
        }
        if let Some(placed) = self.placed.iter_mut().find(|placed| is_it(placed)) {
            push(record, origin, &mut placed.batch);
        }
        Ok(())
    }

    /// How many partitions a topic has, which is made when it is not there.
    async fn partitions_of(&mut self, topic: &str) -> Result<u32, Failure> {
        if let Some(known) = self.partitions.get(topic) {
            return Ok(*known);
        }
        let (appender, name) = (self.hub.hub().appender(), topic.to_owned());
        let asked = tokio::task::spawn_blocking(move || appender.partitions(&name)).await;
        let partitions = asked.map_err(|error| Failure::failed(error.to_string()))??.max(1);
        self.partitions.insert(topic.to_owned(), partitions);
        Ok(partitions)
    }
}

fn push(record: &ConsumedRecord, origin: Option<&str>, batch: &mut Batch) {
    let is_added = |name: &str| ADDED.iter().any(|prefix| name.starts_with(prefix));
    let headers = record.headers.iter().map(|(name, value)| (name.as_str(), value.as_deref()));
    let headers = headers.filter(|(name, _)| origin.is_none() || !is_added(name));
    let (key, value) = (record.key.as_deref(), record.value.as_deref());
    let timestamp_ms = record.timestamp_ms;
    copy_record(&Record { key, value, timestamp_ms, ..Record::default() }, headers, batch);
    if let Some(origin) = origin.filter(|origin| !origin.is_empty()) {
        batch.set_header(ORIGIN, origin.as_bytes());
    }
}

fn after(records: &[ConsumedRecord]) -> Vec<Offset> {
    let mut last = BTreeMap::new();
    for record in records {
        let place = (record.topic().to_owned(), record.partition);
        last.insert(place, (record.offset + 1, record.epoch));
    }
    let offset = |((topic, partition), (offset, epoch))| Offset { topic, partition, offset, epoch };
    last.into_iter().map(offset).collect()
}

fn came_from(record: &ConsumedRecord) -> Result<String, Failure> {
    let origin = record.header(CAME_FROM).map(|topic| String::from_utf8_lossy(topic).into_owned());
    origin.ok_or_else(|| {
        let (topic, partition, offset) = (record.topic(), record.partition, record.offset);
        let reason = record.header(REASON).map(String::from_utf8_lossy).unwrap_or_default();
        Failure::failed(format!(
            "{topic}-{partition} offset {offset} does not say which topic it comes from {reason}; \
             --to SINK gives it to a sink"
        ))
    })
}
