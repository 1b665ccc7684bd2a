//! The hub as others see it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread::JoinHandle;

use anabranch_connectors::contract::counters::Account;
use anabranch_record::TopicPartition;
use async_trait::async_trait;
use parking_lot::Mutex;

use super::groups::coordinator::GroupError;
use super::read::consumer::EmbeddedConsumer;
use super::shared::Shared;
use super::write::appender::EmbeddedAppender;
use super::write::command::Command;
use crate::hub::{
    Advance, Appender, Consumer, ConsumerSpec, GroupInfo, GroupLag, Hub, HubError, Offset, Reads,
    TopicInfo, TopicSelector,
};

/// The embedded hub. Closed by [`Hub::close`]; one that is dropped without it is as good as killed.
pub struct Embedded {
    pub(super) shared: Arc<Shared>,
    pub(super) appender: Arc<EmbeddedAppender>,
    pub(super) threads: Mutex<Vec<JoinHandle<()>>>,
}

impl std::fmt::Debug for Embedded {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let folder = &self.shared.settings.data_dir;
        out.debug_struct("Embedded").field("data_dir", folder).finish_non_exhaustive()
    }
}

#[async_trait]
impl Hub for Embedded {
    fn appender(&self) -> Arc<dyn Appender> {
        Arc::clone(&self.appender) as Arc<dyn Appender>
    }

    async fn consumer(&self, spec: ConsumerSpec) -> Result<Box<dyn Consumer>, HubError> {
        for selector in &spec.topics {
            if let TopicSelector::Name(name) = selector {
                self.ensure_topic(name, None).await?;
            }
        }
        Ok(Box::new(EmbeddedConsumer::new(Arc::clone(&self.shared), spec)))
    }

    async fn positions(&self, source: &str) -> Result<Vec<(Vec<u8>, Vec<u8>)>, HubError> {
        Ok(self.shared.positions().of(source))
    }

    async fn create_topic(&self, name: &str, partitions: u32) -> Result<(), HubError> {
        if self.shared.topics.get(name).is_some() {
            return Err(HubError::Exists(name.to_owned()));
        }
        self.ensure_topic(name, Some(partitions)).await
    }

    async fn delete_topic(&self, name: &str) -> Result<(), HubError> {
        self.end_topic(name).await
    }

    async fn delete_records(
        &self,
        topic: &str,
        partition: i32,
        before: i64,
    ) -> Result<(), HubError> {
        let partition = self.shared.partition(topic, partition)?;
        self.delete_before(partition, before).await.map(drop)
    }

    async fn topics(&self) -> Result<Vec<TopicInfo>, HubError> {
        Ok(self.shared.topics.info())
    }

    async fn groups(&self) -> Result<Vec<GroupInfo>, HubError> {
        Ok(self.shared.groups().info())
    }

    async fn set_offsets(&self, group: &str, offsets: &[Offset]) -> Result<(), HubError> {
        self.check_offsets(group, offsets)?;
        let offsets = offsets.iter().map(|offset| (offset.clone(), String::new())).collect();
        self.commit_offsets(group, offsets).await
    }

    async fn advance(&self, step: Advance) -> Result<(), HubError> {
        self.take_step(step).await
    }

    async fn delete_group(&self, name: &str) -> Result<bool, HubError> {
        match self.end_group(name).await? {
            Ok(()) => Ok(true),
            Err(GroupError::GroupIdNotFound) => Ok(false),
            Err(refused) => Err(HubError::NotNow(format!("group \"{name}\": {refused}"))),
        }
    }

    async fn offsets_at(&self, topic: &str, timestamp_ms: i64) -> Result<Vec<Offset>, HubError> {
        let state = self.shared.topics.get(topic);
        let state = state.ok_or_else(|| HubError::UnknownTopic(topic.to_owned()))?;
        let mut offsets = Vec::new();
        for partition in &state.partitions {
            let offset = self.shared.offset_at(partition, timestamp_ms)?;
            let TopicPartition { topic, partition } = partition.name().clone();
            offsets.push(Offset { topic, partition, offset, epoch: -1 });
        }
        Ok(offsets)
    }

    async fn close(&self) {
        let (done, closed) = std::sync::mpsc::sync_channel(1);
        let sent = self.shared.command(Command::Close(done)).is_ok();
        let threads: Vec<_> = self.threads.lock().drain(..).collect();
        let shared = Arc::clone(&self.shared);
        let joined = tokio::task::spawn_blocking(move || {
            if sent && closed.recv().is_ok() {
                for thread in threads {
                    // A panic of the thread was printed when it happened.
                    thread.join().ok();
                }
                let marked = shared.folder().mark_clean();
                if let Err(error) = marked {
                    tracing::warn!(%error, "the next start will check the log");
                }
            }
        });
        // The only error is a panic inside, which was printed.
        joined.await.ok();
    }

    fn state(&self) -> Result<String, String> {
        match self.shared.state.problem() {
            Some(problem) => Err(problem),
            None => Ok(format!("embedded, {}", self.shared.settings.data_dir.display())),
        }
    }

    fn needs_person(&self) -> bool {
        self.shared.state.needs_person()
    }

    async fn lags(&self, reads: &[Reads]) -> Result<Vec<GroupLag>, HubError> {
        self.lags_now(reads)
    }

    async fn lags_in(&self, _: &[TopicInfo], reads: &[Reads]) -> Result<Vec<GroupLag>, HubError> {
        self.lags_now(reads)
    }

    async fn committed(&self, group: &str) -> Result<Vec<(Offset, String)>, HubError> {
        Ok(self.shared.groups().with_metadata(group))
    }

    async fn accounts(&self) -> Result<BTreeMap<String, Account>, HubError> {
        Ok(self.shared.accounts())
    }

    fn keep_for(&self, groups: Vec<(String, Vec<TopicSelector>)>) {
        *self.shared.keep_for.write() = groups;
    }
}
