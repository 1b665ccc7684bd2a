//! What a hub is: topics, appended to and read by consumer groups.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anabranch_connectors::contract::counters::Account;
use anabranch_record::Condition;
use async_trait::async_trait;

use super::advance::Advance;
use super::counted::Counted;
use super::error::HubError;
use super::fetched::Fetched;
use super::lag::{self, GroupLag, Reads};
use super::offset::{GroupInfo, Lasting, Offset, TopicInfo};
use super::part::Part;
use super::spec::{ConsumerSpec, TopicSelector};
use crate::metrics::Lag;

/// A hub: topics with partitions, appended to and read by consumer groups.
#[async_trait]
pub trait Hub: Send + Sync {
    /// The way in.
    fn appender(&self) -> Arc<dyn Appender>;

    /// A new member of a consumer group.
    ///
    /// # Errors
    /// [`HubError`] when the group's state cannot be read.
    async fn consumer(&self, spec: ConsumerSpec) -> Result<Box<dyn Consumer>, HubError>;

    /// The latest position of each key of a source: key and value.
    ///
    /// # Errors
    /// [`HubError`] when they cannot be read; a source must not start without them.
    async fn positions(&self, source: &str) -> Result<Vec<(Vec<u8>, Vec<u8>)>, HubError>;

    /// Makes a topic.
    ///
    /// # Errors
    /// [`HubError::Exists`], or why it could not be made.
    async fn create_topic(&self, name: &str, partitions: u32) -> Result<(), HubError>;

    /// Deletes a topic and its records.
    ///
    /// # Errors
    /// [`HubError::UnknownTopic`], or why it could not be deleted.
    async fn delete_topic(&self, name: &str) -> Result<(), HubError>;

    /// Deletes the records of one partition before an offset.
    ///
    /// # Errors
    /// [`HubError::UnknownTopic`], or why they could not be deleted.
    async fn delete_records(
        &self,
        topic: &str,
        partition: i32,
        before: i64,
    ) -> Result<(), HubError>;

    /// Every topic, by name. Internal ones begin with `__`.
    ///
    /// # Errors
    /// [`HubError`] when the hub does not answer.
    async fn topics(&self) -> Result<Vec<TopicInfo>, HubError>;

    /// Every group with its committed offsets, by name.
    ///
    /// # Errors
    /// [`HubError`] when the hub does not answer.
    async fn groups(&self) -> Result<Vec<GroupInfo>, HubError>;

    /// One group; `None` when it has committed nothing.
    ///
    /// # Errors
    /// [`HubError`] when the hub does not answer.
    async fn group(&self, name: &str) -> Result<Option<GroupInfo>, HubError> {
        Ok(self.groups().await?.into_iter().find(|group| group.name == name))
    }

    /// Sets a group's offsets; the group must have no members.
    ///
    /// # Errors
    /// [`HubError`] when the group is in use or the offsets could not be stored.
    async fn set_offsets(&self, group: &str, offsets: &[Offset]) -> Result<(), HubError>;

    /// Stores records and moves the group that they come from, both or neither.
    ///
    /// # Errors
    /// [`HubError::Moved`] when the group stands elsewhere, and what kept it from being stored. When the answer of a
    /// cluster is lost it may have been: the group tells.
    async fn advance(&self, step: Advance) -> Result<(), HubError> {
        let group = step.group;
        Err(HubError::Fatal(format!("this hub is only read; group \"{group}\" stays where it is")))
    }

    /// Deletes a group with its committed offsets; it must have no members. Says whether there was one.
    ///
    /// # Errors
    /// [`HubError`] when the group is in use or could not be deleted.
    async fn delete_group(&self, name: &str) -> Result<bool, HubError>;

    /// The first offset of each partition of `topic` whose timestamp is at least `timestamp_ms`; the end when there
    /// is none.
    ///
    /// # Errors
    /// [`HubError::UnknownTopic`], or why it could not be looked up.
    async fn offsets_at(&self, topic: &str, timestamp_ms: i64) -> Result<Vec<Offset>, HubError>;

    /// Makes everything durable and lets go of what is held. Nothing may be appended afterwards.
    async fn close(&self);

    /// For `/health`: one line on how the hub is.
    ///
    /// # Errors
    /// What keeps it from storing.
    fn state(&self) -> Result<String, String>;

    /// Whether only a person can make the hub store again.
    fn needs_person(&self) -> bool {
        false
    }

    /// How far groups are behind, whether they have members or not: every partition of what they read.
    ///
    /// # Errors
    /// [`HubError`] when the hub does not answer.
    async fn lags(&self, reads: &[Reads]) -> Result<Vec<GroupLag>, HubError> {
        let topics = self.topics().await?;
        self.lags_in(&topics, reads).await
    }

    /// The same in topics that were looked up just before.
    ///
    /// # Errors
    /// [`HubError`] when the hub does not answer.
    async fn lags_in(
        &self,
        topics: &[TopicInfo],
        reads: &[Reads],
    ) -> Result<Vec<GroupLag>, HubError> {
        let groups = self.groups().await?;
        Ok(reads.iter().map(|reads| lag::of_group(reads, topics, &groups)).collect())
    }

    /// What a group has committed, with its metadata; of a sink the account is in there ([`account_of`](crate::hub::account_of)).
    ///
    /// # Errors
    /// [`HubError`] when the hub does not answer.
    async fn committed(&self, group: &str) -> Result<Vec<(Offset, String)>, HubError>;

    /// What the hub keeps of what has become of each source's records.
    ///
    /// # Errors
    /// [`HubError`] when the hub does not answer.
    async fn accounts(&self) -> Result<BTreeMap<String, Account>, HubError>;

    /// Names the groups that must have read records before retention removes them.
    fn keep_for(&self, groups: Vec<(String, Vec<TopicSelector>)>) {
        let _unused = groups;
    }
}

/// Takes batches in. Called from the producer's worker threads.
pub trait Appender: Send + Sync {
    /// How many partitions `topic` has; it is made with the defaults when it does not exist. May block.
    ///
    /// # Errors
    /// [`HubError`] when the topic can be neither found nor made.
    fn partitions(&self, topic: &str) -> Result<u32, HubError>;

    /// As [`Appender::partitions`], and gives up after `limit`.
    ///
    /// # Errors
    /// [`HubError`] when the topic can be neither found nor made in that time.
    fn partitions_within(&self, topic: &str, limit: Duration) -> Result<u32, HubError> {
        let _is_quick = limit;
        self.partitions(topic)
    }

    /// Appends the records of `parts` to one partition, in order, and settles each part when it is as durable as
    /// configured. Appends of one caller to one partition keep their order. Blocks while too much is under way.
    fn append(&self, topic: &str, partition: i32, parts: Vec<Part>);

    /// The largest record that `topic` takes, bytes, for those who would rather be told than have it cut. The topic is
    /// known: [`Appender::partitions`] was asked.
    fn record_max(&self, topic: &str) -> usize {
        let _any = topic;
        usize::MAX
    }

    /// Stores positions that come without records, and settles their parts.
    fn store_positions(&self, parts: Vec<Part>);
}

/// Reads as one member of a group. Owned by one delivery.
#[async_trait]
pub trait Consumer: Send {
    /// What comes next, about `max_bytes` of it (at least one batch), waiting at most `wait`.
    ///
    /// Cancel safe: a dropped call has moved nothing.
    ///
    /// # Errors
    /// [`HubError`]; the call may be repeated.
    async fn fetch(&mut self, max_bytes: usize, wait: Duration) -> Result<Fetched, HubError>;

    /// Stores the group's progress, with the sink's state as metadata, in one step.
    ///
    /// # Errors
    /// [`HubError`]; nothing of it was stored, or it is not known.
    async fn commit(&mut self, offsets: &[Offset], metadata: Option<&str>) -> Result<(), HubError>;

    /// As [`Consumer::commit`], and when it returns so much is on the disk, whatever is configured.
    ///
    /// # Errors
    /// [`HubError`]; nothing of it was stored, or it is not known.
    async fn commit_lasting(
        &mut self,
        offsets: &[Offset],
        metadata: Option<&str>,
        _lasting: Lasting,
    ) -> Result<(), HubError> {
        self.commit(offsets, metadata).await
    }

    /// Says what has become of the records before the offsets of the next commit, since the last one. The group keeps
    /// it with the offsets, and beside it the offsets that its reader has found without a record. Who reads without
    /// saying so, before the first fetch, keeps no account.
    fn account(&mut self, counted: Vec<Counted>) {
        drop(counted);
    }

    /// Holds as long as nobody else may have read what it has fetched and not committed. `None` when nobody else can.
    fn condition(&self) -> Option<Condition> {
        None
    }

    /// Begins anew at what is committed with the next fetch, which says so ([`Fetched::resumed`]). What was read and not
    /// committed comes again, to whoever has its partition by then.
    fn rewind(&mut self);

    /// Reads on in that partition at `offset`, or at the nearest that is kept; gives the offset.
    ///
    /// # Errors
    /// [`HubError::NotNow`] when the partition is not one that it reads, or the hub does not answer.
    async fn seek(&mut self, topic: &str, partition: i32, offset: i64) -> Result<i64, HubError>;

    /// For each partition that it reads, the committed offset and the end.
    async fn lag(&mut self) -> Vec<Lag>;
}
