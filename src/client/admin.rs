//! Topics and groups of a hub.

use std::collections::BTreeMap;

use super::HubHandle;
use super::error::{ClientError, check_topic};
use crate::hub::{GroupInfo, HubError, Offset, TopicInfo};
use crate::topic_name::PARTITIONS_MAX;

/// Makes, lists and changes topics and groups.
#[derive(Debug, Clone)]
pub struct Admin {
    hub: HubHandle,
}

/// A group's progress.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupDescription {
    /// The group.
    pub name: String,
    /// Partitions that it has committed offsets of, by topic and number.
    pub partitions: Vec<PartitionProgress>,
}

/// A group's progress in one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionProgress {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The next offset to read.
    pub committed: i64,
    /// Offset after the last record.
    pub end: i64,
    /// Records between the two that are still kept.
    pub lag: u64,
}

impl Admin {
    /// For that hub.
    #[must_use]
    pub fn new(hub: &HubHandle) -> Self {
        Self { hub: hub.clone() }
    }

    /// Makes a topic.
    ///
    /// # Errors
    /// [`ClientError::TopicName`], [`ClientError::Internal`] and [`ClientError::Partitions`], or [`ClientError::Hub`]
    /// when it exists or cannot be made.
    pub async fn create_topic(&self, name: &str, partitions: u32) -> Result<(), ClientError> {
        check_topic(name)?;
        if !(1..=u32::from(PARTITIONS_MAX)).contains(&partitions) {
            return Err(ClientError::Partitions(partitions));
        }
        Ok(self.hub.hub().create_topic(name, partitions).await?)
    }

    /// Deletes the records of one partition before an offset.
    ///
    /// # Errors
    /// [`ClientError::Internal`], or [`ClientError::Hub`] when they cannot be deleted.
    pub async fn delete_records(
        &self,
        topic: &str,
        partition: i32,
        before: i64,
    ) -> Result<(), ClientError> {
        check_topic(topic)?;
        Ok(self.hub.hub().delete_records(topic, partition, before).await?)
    }

    /// Deletes a topic and its records.
    ///
    /// # Errors
    /// [`ClientError::Internal`], or [`ClientError::Hub`] when it does not exist or cannot be deleted.
    pub async fn delete_topic(&self, name: &str) -> Result<(), ClientError> {
        check_topic(name)?;
        Ok(self.hub.hub().delete_topic(name).await?)
    }

    /// Every topic, by name; internal ones, which begin with `__`, only when `internal`.
    ///
    /// # Errors
    /// [`ClientError::Hub`] when the hub does not answer.
    pub async fn topics(&self, internal: bool) -> Result<Vec<TopicInfo>, ClientError> {
        let mut topics = self.hub.hub().topics().await?;
        topics.retain(|topic| internal || !topic.name.starts_with("__"));
        Ok(topics)
    }

    /// One topic.
    ///
    /// # Errors
    /// [`ClientError::Hub`] when it does not exist or the hub does not answer.
    pub async fn topic(&self, name: &str) -> Result<TopicInfo, ClientError> {
        let found = self.hub.hub().topics().await?.into_iter().find(|topic| topic.name == name);
        found.ok_or_else(|| HubError::UnknownTopic(name.to_owned()).into())
    }

    /// Every group that has committed offsets, by name.
    ///
    /// # Errors
    /// [`ClientError::Hub`] when the hub does not answer.
    pub async fn groups(&self) -> Result<Vec<GroupDescription>, ClientError> {
        let topics = self.topics_by_name().await?;
        let groups = self.hub.hub().groups().await?.into_iter();
        Ok(groups.map(|group| described(group, &topics)).collect())
    }

    async fn topics_by_name(&self) -> Result<BTreeMap<String, TopicInfo>, ClientError> {
        let topics = self.hub.hub().topics().await?.into_iter();
        Ok(topics.map(|topic| (topic.name.clone(), topic)).collect())
    }

    /// One group; `None` when it has committed nothing.
    ///
    /// # Errors
    /// [`ClientError::Hub`] when the hub does not answer.
    pub async fn group(&self, name: &str) -> Result<Option<GroupDescription>, ClientError> {
        let Some(group) = self.hub.hub().group(name).await? else { return Ok(None) };
        Ok(Some(described(group, &self.topics_by_name().await?)))
    }

    /// Sets a group's offsets; it must have no members.
    ///
    /// # Errors
    /// [`ClientError::Hub`] when the group is in use or the offsets could not be stored.
    pub async fn set_offsets(&self, group: &str, offsets: &[Offset]) -> Result<(), ClientError> {
        Ok(self.hub.hub().set_offsets(group, offsets).await?)
    }

    /// Deletes a group with its offsets; it must have no members. Says whether there was one.
    ///
    /// # Errors
    /// [`ClientError::Hub`] when the group is in use or could not be deleted.
    pub async fn delete_group(&self, name: &str) -> Result<bool, ClientError> {
        Ok(self.hub.hub().delete_group(name).await?)
    }

    /// For each partition the first offset whose time is at least `timestamp_ms`; the end when there is none.
    ///
    /// # Errors
    /// [`ClientError::Hub`] when the topic does not exist or the hub does not answer.
    pub async fn offsets_for_time(
        &self,
        topic: &str,
        timestamp_ms: i64,
    ) -> Result<Vec<Offset>, ClientError> {
        Ok(self.hub.hub().offsets_at(topic, timestamp_ms).await?)
    }
}

fn described(group: GroupInfo, topics: &BTreeMap<String, TopicInfo>) -> GroupDescription {
    let partitions = group.offsets.iter().map(|offset| progress(offset, topics)).collect();
    GroupDescription { name: group.name, partitions }
}

fn progress(offset: &Offset, topics: &BTreeMap<String, TopicInfo>) -> PartitionProgress {
    let number = usize::try_from(offset.partition).unwrap_or(usize::MAX);
    let topic = topics.get(&offset.topic);
    let info = topic.and_then(|topic| topic.partitions.get(number)).copied().unwrap_or_default();
    let lag = u64::try_from(info.end - offset.offset.max(info.start)).unwrap_or(0);
    PartitionProgress {
        topic: offset.topic.clone(),
        partition: offset.partition,
        committed: offset.offset,
        end: info.end,
        lag,
    }
}
