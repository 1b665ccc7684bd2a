//! The embedded hub as one sees it who only looks: reads the data folder without its lock, beside a running agent.
//!
//! What would write is refused; a group's progress may be stored by another way in (see [`View::storing_offsets`]).

mod consumer;
mod hub;
mod totals;
mod verify;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anabranch_record::{Pool, Topic, TopicPartition};
use async_trait::async_trait;

use super::groups::offsets::Groups;
use super::read::decode::decode;
use super::topics::table::OFFSETS;
use super::topics::topic_id;
use crate::hub::{HubError, Offset};
use crate::log::{self, LogError, Meta, Partition, Read, Reader};

/// Where one who only looks has a group's progress stored.
#[async_trait]
pub trait StoresOffsets: Send + Sync {
    /// Stores it.
    ///
    /// # Errors
    /// [`HubError`] when it could not be stored.
    async fn store(&self, group: &str, offsets: &[Offset]) -> Result<(), HubError>;
}

/// A data folder, read only.
#[derive(Clone)]
pub struct View {
    folder: PathBuf,
    hub_id: String,
    offsets: Option<Arc<dyn StoresOffsets>>,
}

impl std::fmt::Debug for View {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("View").field("folder", &self.folder).finish_non_exhaustive()
    }
}

/// A topic as it lies on disk.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) topic: Arc<Topic>,
    pub(crate) partitions: Vec<Arc<Partition>>,
}

impl View {
    /// Looks at a data folder; nothing in it is changed.
    ///
    /// # Errors
    /// [`HubError::Fatal`] when there is no data folder of ours.
    pub fn open(folder: &Path) -> Result<Self, HubError> {
        let meta = Meta::load(folder).map_err(|error| HubError::Fatal(error.to_string()))?;
        let missing = || {
            let folder = folder.display();
            HubError::Fatal(format!(
                "{folder} is not a data folder: it has no meta.properties; name the `data_dir` of an agent"
            ))
        };
        let hub_id = meta.ok_or_else(missing)?.hub_id;
        Ok(Self { folder: folder.to_owned(), hub_id, offsets: None })
    }

    /// The data folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Has the progress of groups stored by `offsets`.
    #[must_use]
    pub fn storing_offsets(mut self, offsets: Arc<dyn StoresOffsets>) -> Self {
        self.offsets = Some(offsets);
        self
    }

    /// The partitions that `wanted` wants as they are on disk now, by topic.
    pub(crate) fn look(
        &self,
        wanted: impl Fn(&TopicPartition) -> bool,
    ) -> Result<BTreeMap<String, Seen>, HubError> {
        let not_now = |error: LogError| HubError::NotNow(error.to_string());
        let mut topics: BTreeMap<String, Seen> = BTreeMap::new();
        let starts = log::log_starts(&self.folder);
        for (name, path) in log::partitions(&self.folder).map_err(not_now)? {
            if !wanted(&name) {
                continue;
            }
            let topic = name.topic.clone();
            let start = starts.get(&name);
            let partition = match Partition::peek(&path, name, start) {
                // Deleted a moment ago.
                Err(_) if !path.exists() => continue,
                seen => Arc::new(seen.map_err(not_now)?),
            };
            let id = topic_id::load(&path).unwrap_or_default();
            let seen = topics.entry(topic.clone()).or_insert_with(|| {
                let id = format!("{}.{id}", self.hub_id);
                Seen { topic: Arc::new(Topic { name: topic, id }), partitions: Vec::new() }
            });
            seen.partitions.push(partition);
        }
        for seen in topics.values_mut() {
            seen.partitions.sort_by_key(|partition| partition.name().partition);
        }
        Ok(topics)
    }

    /// Whether a partition is still that of the topic with this id.
    fn is_there(&self, name: &TopicPartition, id: &str) -> bool {
        let found = topic_id::load(&self.folder.join(name.to_string())).unwrap_or_default();
        format!("{}.{found}", self.hub_id) == id
    }

    fn all_groups(&self) -> Result<Groups, HubError> {
        let mut groups = Groups::default();
        let topics = self.look(|name| name.topic == OFFSETS)?;
        let pool = Pool::new(1, 1 << 20);
        for seen in topics.values() {
            for partition in &seen.partitions {
                let mut reader = Reader::new(Arc::clone(partition), partition.start());
                loop {
                    let read =
                        reader.read().map_err(|error| HubError::NotNow(error.to_string()))?;
                    let Read::Batch(header, bytes) = read else {
                        if matches!(read, Read::End) {
                            break;
                        }
                        continue;
                    };
                    let place = (&seen.topic, partition.name().partition);
                    let Ok(batch) = decode(&header, bytes, place, &pool) else { continue };
                    for stored in batch.iter() {
                        let key = stored.record.key.unwrap_or_default();
                        // A damaged commit is the agent's to report.
                        groups.replay(key, stored.record.value, batch.epoch).ok();
                    }
                }
            }
        }
        Ok(groups)
    }

    fn read_only<T>(&self) -> Result<T, HubError> {
        let folder = self.folder.display();
        Err(HubError::Fatal(format!("{folder} is only looked at; nothing in it can be changed")))
    }
}
