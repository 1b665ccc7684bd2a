//! Reads a data folder beside the agent that writes to it.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use anabranch_connectors::contract::sink::Resumed;
use anabranch_record::Pool;
use async_trait::async_trait;
use tokio::time::Instant;

use super::View;
use crate::hub::embedded::read::partition_reader::PartitionReader;
use crate::hub::embedded::read::times;
use crate::hub::{Consumer, ConsumerSpec, Fetched, FetchedBatch, HubError, Lag, Offset, StartAt};
use crate::log::LogError;

/// How often the end of the log is looked at while nothing comes.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How often new topics and partitions are looked for.
const TOPICS_EVERY: Duration = Duration::from_secs(1);

/// The consumer.
pub(super) struct ViewConsumer {
    view: View,
    spec: ConsumerSpec,
    readers: Vec<Mine>,
    listed: Option<Instant>,
    turn: usize,
    pool: Pool,
    resumed: bool,
}

struct Mine {
    reader: PartitionReader,
    committed: i64,
}

impl ViewConsumer {
    pub(super) fn new(view: View, spec: ConsumerSpec) -> Result<Self, HubError> {
        let pool = Pool::new(4, 8 << 20);
        let mut consumer =
            Self { view, spec, readers: Vec::new(), listed: None, turn: 0, pool, resumed: false };
        consumer.list()?;
        Ok(consumer)
    }

    /// Takes partitions in that are not known yet.
    fn list(&mut self) -> Result<(), HubError> {
        let is_first = self.listed.is_none();
        self.listed = Some(Instant::now());
        // One that was deleted and made anew is another one.
        self.readers.retain(|mine| {
            self.view.is_there(mine.reader.partition().name(), &mine.reader.topic.id)
        });
        let known: HashSet<_> =
            self.readers.iter().map(|mine| mine.reader.partition().name().clone()).collect();
        let topics = self.view.look(|name| self.spec.is_mine(name) && !known.contains(name))?;
        if topics.is_empty() {
            return Ok(());
        }
        let groups = self.view.all_groups()?;
        for seen in topics.values() {
            for partition in &seen.partitions {
                let name = partition.name();
                let committed = groups.committed(&self.spec.group, name);
                let start = if is_first { self.spec.start } else { StartAt::Earliest };
                let from = match (committed, start) {
                    (Some(committed), _) => committed.offset.max(partition.start()),
                    (None, StartAt::Earliest) => partition.start(),
                    (None, StartAt::Latest) => partition.end(),
                    (None, StartAt::Offset(at)) => at.clamp(partition.start(), partition.end()),
                    (None, StartAt::Time(ms)) => times::offset_at(partition, &seen.topic, ms)?,
                };
                let topic = Arc::clone(&seen.topic);
                let reader = PartitionReader::new(topic, Arc::clone(partition), from);
                self.readers.push(Mine { reader, committed: from });
            }
        }
        Ok(())
    }

    fn gather(&mut self, max_bytes: usize) -> Result<Vec<FetchedBatch>, HubError> {
        let (mut batches, mut bytes, mut idle) = (Vec::new(), 0, 0);
        while idle < self.readers.len() && bytes < max_bytes {
            let turn = self.turn % self.readers.len();
            let Some(mine) = self.readers.get_mut(turn) else { break };
            match mine.reader.next(&self.pool, &self.spec.group, |_records| {})? {
                Some(fetched) => {
                    bytes += fetched.batch.data.len();
                    batches.push(fetched);
                    idle = 0;
                }
                None => {
                    idle += 1;
                    self.turn += 1;
                }
            }
        }
        Ok(batches)
    }

    fn refresh(&self) -> Result<(), HubError> {
        for mine in &self.readers {
            mine.reader.partition().refresh().map_err(|error| not_now(&error))?;
        }
        Ok(())
    }
}

fn not_now(error: &LogError) -> HubError {
    HubError::NotNow(error.to_string())
}

#[async_trait]
impl Consumer for ViewConsumer {
    async fn fetch(&mut self, max_bytes: usize, wait: Duration) -> Result<Fetched, HubError> {
        let deadline = Instant::now() + wait;
        loop {
            if !self.resumed && self.readers.is_empty() {
                self.list()?;
            }
            let resumed = (!std::mem::replace(&mut self.resumed, true)).then(Resumed::default);
            let batches = self.gather(max_bytes)?;
            let passed: Vec<_> =
                self.readers.iter_mut().filter_map(|mine| mine.reader.passed()).collect();
            if !batches.is_empty() || !passed.is_empty() || resumed.is_some() {
                return Ok(Fetched { resumed, batches, passed, rebalancing: false });
            }
            if Instant::now() >= deadline {
                return Ok(Fetched::default());
            }
            tokio::time::sleep_until(deadline.min(Instant::now() + LOOK_EVERY)).await;
            if self.listed.is_none_or(|at| at.elapsed() >= TOPICS_EVERY) {
                self.list()?;
            }
            self.refresh()?;
        }
    }

    async fn commit(&mut self, offsets: &[Offset], _: Option<&str>) -> Result<(), HubError> {
        use crate::hub::Hub;
        self.view.set_offsets(&self.spec.group, offsets).await?;
        for Offset { topic, partition, offset, .. } in offsets {
            for mine in &mut self.readers {
                let name = mine.reader.partition().name();
                if name.topic == *topic && name.partition == *partition {
                    mine.committed = *offset;
                }
            }
        }
        Ok(())
    }

    fn rewind(&mut self) {
        self.readers.clear();
        self.resumed = false;
    }

    async fn seek(&mut self, topic: &str, partition: i32, offset: i64) -> Result<i64, HubError> {
        self.refresh()?;
        let mut readers = self.readers.iter_mut();
        let mine = readers.find(|mine| mine.reader.is_of(topic, partition));
        Ok(mine.ok_or_else(|| HubError::not_read(topic, partition))?.reader.seek(offset))
    }

    async fn lag(&mut self) -> Vec<Lag> {
        let lag = |mine: &Mine| {
            let partition = mine.reader.partition();
            let (name, at) = (partition.name(), mine.committed.max(partition.start()));
            Lag::of(&name.topic, name.partition, at, partition.end())
        };
        self.readers.iter().map(lag).collect()
    }
}
