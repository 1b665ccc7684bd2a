//! A hub that can only be read.

use std::collections::BTreeMap;
use std::sync::Arc;

use anabranch_connectors::contract::counters::Account;
use async_trait::async_trait;

use super::{View, consumer};
use crate::hub::embedded::read::times;
use crate::hub::embedded::topics::table::partition_info;
use crate::hub::{
    Appender, Consumer, ConsumerSpec, GroupInfo, Hub, HubError, Offset, Part, TopicInfo,
};

#[async_trait]
impl Hub for View {
    fn appender(&self) -> Arc<dyn Appender> {
        Arc::new(self.clone())
    }

    async fn consumer(&self, spec: ConsumerSpec) -> Result<Box<dyn Consumer>, HubError> {
        Ok(Box::new(consumer::ViewConsumer::new(self.clone(), spec)?))
    }

    async fn positions(&self, _source: &str) -> Result<Vec<(Vec<u8>, Vec<u8>)>, HubError> {
        self.read_only()
    }

    async fn create_topic(&self, _name: &str, _partitions: u32) -> Result<(), HubError> {
        self.read_only()
    }

    async fn delete_topic(&self, _name: &str) -> Result<(), HubError> {
        self.read_only()
    }

    async fn delete_records(&self, _: &str, _: i32, _: i64) -> Result<(), HubError> {
        self.read_only()
    }

    async fn topics(&self) -> Result<Vec<TopicInfo>, HubError> {
        let topics = self.look(|_name| true)?.into_iter();
        Ok(topics
            .map(|(name, seen)| TopicInfo {
                name,
                partitions: seen.partitions.iter().map(|one| partition_info(one)).collect(),
            })
            .collect())
    }

    async fn groups(&self) -> Result<Vec<GroupInfo>, HubError> {
        Ok(self.all_groups()?.info())
    }

    async fn committed(&self, group: &str) -> Result<Vec<(Offset, String)>, HubError> {
        Ok(self.all_groups()?.with_metadata(group))
    }

    async fn accounts(&self) -> Result<BTreeMap<String, Account>, HubError> {
        Ok(self.positions()?.totals.accounts())
    }

    async fn set_offsets(&self, group: &str, offsets: &[Offset]) -> Result<(), HubError> {
        match &self.offsets {
            Some(way) => way.store(group, offsets).await,
            None => self.read_only(),
        }
    }

    async fn delete_group(&self, _name: &str) -> Result<bool, HubError> {
        self.read_only()
    }

    async fn offsets_at(&self, topic: &str, timestamp_ms: i64) -> Result<Vec<Offset>, HubError> {
        let topics = self.look(|name| name.topic == topic)?;
        let seen = topics.get(topic).ok_or_else(|| HubError::UnknownTopic(topic.to_owned()))?;
        let mut offsets = Vec::new();
        for partition in &seen.partitions {
            let offset = times::offset_at(partition, &seen.topic, timestamp_ms)?;
            let partition = partition.name().partition;
            offsets.push(Offset { topic: topic.to_owned(), partition, offset, epoch: -1 });
        }
        Ok(offsets)
    }

    async fn close(&self) {}

    fn state(&self) -> Result<String, String> {
        Ok(format!("embedded, {}, looked at", self.folder.display()))
    }
}

impl Appender for View {
    fn partitions(&self, _topic: &str) -> Result<u32, HubError> {
        self.read_only()
    }

    /// Dropped parts tell their senders that they are not stored.
    fn append(&self, _topic: &str, _partition: i32, _parts: Vec<Part>) {}

    fn store_positions(&self, _parts: Vec<Part>) {}
}
