//! The topics of the embedded hub: folders of partitions, and an id for each topic that is never used again.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use anabranch_connectors::Topic;
use tracing::{error, info, warn};
use uuid::Uuid;

use super::configs::{self, Overrides};
use super::settings::{Settings, TopicSettings};
use crate::hub::{HubError, PartitionInfo, TopicInfo};
use crate::log::{self, Checkpoint, Folder, LogError, Partition, PartitionName, write_atomically};

/// Keeps the committed offsets of all groups.
pub(super) const OFFSETS: &str = "__consumer_offsets";
/// Keeps the positions of all sources.
pub(super) const POSITIONS: &str = "__source_positions";
/// Keeps what clients have set for topics.
pub(super) const SETTINGS: &str = "__topic_settings";
/// Keeps producer ids and transactions.
pub(super) const TRANSACTIONS: &str = "__transaction_state";
/// The topics that the hub keeps for itself.
pub(super) const INTERNAL: [&str; 4] = [OFFSETS, POSITIONS, SETTINGS, TRANSACTIONS];

/// One topic.
#[derive(Debug, Clone)]
pub(crate) struct TopicState {
    pub(crate) topic: Arc<Topic>,
    /// The topic's id as Kafka writes it (KIP-516): 128 bits, made from the hub's own id for it.
    pub(crate) wire_id: Uuid,
    pub(crate) partitions: Vec<Arc<Partition>>,
    /// How it is kept: as configured, and as clients have set it.
    pub(crate) settings: Arc<TopicSettings>,
    pub(crate) overrides: Arc<Overrides>,
}

impl TopicState {
    /// A topic without partitions yet.
    fn new(topic: Topic, settings: Arc<TopicSettings>, overrides: Arc<Overrides>) -> Self {
        let wire_id = Uuid::from_u128(xxhash_rust::xxh3::xxh3_128(topic.id.as_bytes()));
        let (topic, partitions) = (Arc::new(topic), Vec::new());
        Self { topic, wire_id, partitions, settings, overrides }
    }

    /// Whether it is the hub's own.
    pub(crate) fn is_internal(&self) -> bool {
        INTERNAL.contains(&self.topic.name.as_str())
    }

    /// A partition by its number.
    pub(crate) fn partition(&self, number: i32) -> Option<&Arc<Partition>> {
        self.partitions.get(usize::try_from(number).ok()?)
    }
}

/// All topics.
#[derive(Debug, Default)]
pub(crate) struct Topics {
    known: RwLock<Known>,
    /// Held while folders are made or put aside, which may take long: whoever looks a topic up does not wait for it.
    making: Mutex<()>,
}

/// The topics by name, and by their ids on the wire.
#[derive(Debug, Default)]
struct Known {
    by_name: BTreeMap<String, Arc<TopicState>>,
    by_id: HashMap<Uuid, Arc<TopicState>>,
}

impl Known {
    /// Adds a topic, or says how it is now.
    fn insert(&mut self, state: TopicState) {
        let state = Arc::new(state);
        self.by_id.insert(state.wire_id, Arc::clone(&state));
        self.by_name.insert(state.topic.name.clone(), state);
    }
}

impl Topics {
    pub(crate) fn get(&self, name: &str) -> Option<Arc<TopicState>> {
        self.read().by_name.get(name).cloned()
    }

    /// The topic with that id on the wire.
    pub(crate) fn by_id(&self, id: Uuid) -> Option<Arc<TopicState>> {
        self.read().by_id.get(&id).cloned()
    }

    pub(crate) fn all(&self) -> Vec<Arc<TopicState>> {
        self.read().by_name.values().cloned().collect()
    }

    fn read(&self) -> RwLockReadGuard<'_, Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn making(&self) -> MutexGuard<'_, ()> {
        self.making.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Known> {
        self.known.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn info(&self) -> Vec<TopicInfo> {
        let info = |state: &Arc<TopicState>| TopicInfo {
            name: state.topic.name.clone(),
            partitions: state
                .partitions
                .iter()
                .map(|partition| partition_info(partition))
                .collect(),
        };
        self.all().iter().map(info).collect()
    }

    /// Makes a topic, or gives it the partitions that it lacks. Says whether anything was made.
    pub(super) fn ensure(
        &self,
        folder: &Path,
        hub_id: &str,
        name: &str,
        settings: &TopicSettings,
    ) -> Result<bool, HubError> {
        let failed = |error: LogError| HubError::NotNow(error.to_string());
        let _held = self.making();
        let known = self.get(name);
        let have = known.as_ref().map_or(0, |state| state.partitions.len());
        let want = usize::try_from(settings.partitions.max(1)).unwrap_or(1);
        if have >= want {
            return Ok(false);
        }
        let id =
            known.map_or_else(|| format!("{hub_id}.{}", new_id()), |state| state.topic.id.clone());
        let topic = Topic { name: name.to_owned(), id };
        let mut made = Vec::new();
        for number in have..want {
            let number = i32::try_from(number).unwrap_or(i32::MAX);
            made.push(make(folder, &topic, number, settings).map_err(failed)?);
        }
        log::sync(folder).map_err(failed)?;
        let mut topics = self.write();
        // What it is kept by may have been changed meanwhile, but nobody else has made or deleted it.
        let new = || TopicState::new(topic, Arc::new(settings.clone()), Arc::default());
        let known = topics.by_name.get(name);
        let mut state = known.map_or_else(new, |known| TopicState::clone(known));
        state.partitions.append(&mut made);
        topics.insert(state);
        Ok(true)
    }

    /// Keeps a topic from now on as `base` and `overrides` say.
    pub(super) fn set_overrides(&self, name: &str, base: &TopicSettings, overrides: Overrides) {
        let mut topics = self.write();
        let Some(known) = topics.by_name.get(name) else { return };
        let mut state = TopicState::clone(known);
        let settings = configs::apply(base, &overrides);
        for partition in &state.partitions {
            partition.set_settings(segment_settings(&settings));
        }
        state.settings = Arc::new(settings);
        state.overrides = Arc::new(overrides);
        topics.insert(state);
    }

    /// Puts the folders of a topic aside, has `forget` forget what is known of it, and only then is a topic of that
    /// name made anew. Gives the paths of the folders.
    pub(super) fn delete(
        &self,
        state: &TopicState,
        forget: impl FnOnce(),
    ) -> Result<Vec<PathBuf>, LogError> {
        let _held = self.making();
        let mut folders = Vec::new();
        // The first partition goes last: until then a crash leaves a topic whose end the next start finishes.
        for partition in state.partitions.iter().rev() {
            folders.push(partition.put_aside(short_id(&state.topic.id))?);
        }
        if let Some(folder) = folders.first() {
            log::sync_parent(folder)?;
        }
        forget();
        let mut topics = self.write();
        topics.by_name.remove(&state.topic.name);
        topics.by_id.remove(&state.wire_id);
        Ok(folders)
    }
}

/// A partition as it is now.
pub(super) fn partition_info(partition: &Partition) -> PartitionInfo {
    PartitionInfo {
        start: partition.start(),
        end: partition.end(),
        bytes: Some(partition.size_bytes()),
    }
}

const fn segment_settings(settings: &TopicSettings) -> log::Settings {
    log::Settings { segment_bytes: settings.segment_size }
}

/// Opens every partition in the data folder, recovering those that need it. Gives the highest epoch that was seen.
pub(super) fn open_all(
    folder: &Folder,
    settings: &Settings,
    points: &Checkpoint,
) -> Result<(Topics, i32), LogError> {
    finish_deletions(folder)?;
    let (mut by_name, mut epoch) = (BTreeMap::<String, TopicState>::new(), -1);
    for (name, path) in log::partitions(folder.path())? {
        let keep = segment_settings(settings.topic(&name.topic));
        let (partition, found) = Partition::open(&path, name.clone(), keep, points.get(&name))?;
        report(&name, &found);
        epoch = epoch.max(found.epoch);
        let id = match load_id(&path) {
            Some(id) => id,
            None => {
                let id = new_id();
                store_id(&path, &id)?;
                id
            }
        };
        let state = by_name.entry(name.topic.clone()).or_insert_with(|| {
            let id = format!("{}.{id}", folder.meta().hub_id);
            let settings = Arc::new(settings.topic(&name.topic).clone());
            TopicState::new(Topic { name: name.topic.clone(), id }, settings, Arc::default())
        });
        state.partitions.push(Arc::new(partition));
    }
    let topics = Topics::default();
    for mut state in by_name.into_values() {
        state.partitions.sort_by_key(|partition| partition.name().partition);
        fill_gaps(folder.path(), &mut state)?;
        topics.write().insert(state);
    }
    Ok((topics, epoch))
}

/// Makes partitions anew whose folders somebody has taken away: a partition's number is its place.
fn fill_gaps(folder: &Path, state: &mut TopicState) -> Result<(), LogError> {
    let last = state.partitions.last().map_or(-1, |partition| partition.name().partition);
    for (at, number) in (0..last).enumerate() {
        if state.partitions.get(at).is_some_and(|partition| partition.name().partition == number) {
            continue;
        }
        let name = PartitionName { topic: state.topic.name.clone(), partition: number };
        let path = folder.join(name.to_string());
        error!(path = %path.display(), "the folder of a partition is missing, and its records with it; it is made anew");
        state.partitions.insert(at, make(folder, &state.topic, number, &state.settings)?);
    }
    log::sync(folder)
}

/// Makes a partition of a topic; it stays when `folder` is synced as well.
fn make(
    folder: &Path,
    topic: &Topic,
    number: i32,
    settings: &TopicSettings,
) -> Result<Arc<Partition>, LogError> {
    let name = PartitionName { topic: topic.name.clone(), partition: number };
    let path = folder.join(name.to_string());
    let settings = segment_settings(settings);
    let partition = if path.exists() {
        // It was begun, and there was no room for the rest.
        Partition::open(&path, name, settings, 0)?.0
    } else {
        Partition::create(&path, name, settings)?
    };
    store_id(&path, &topic.id)?;
    Ok(Arc::new(partition))
}

/// Finishes what a crash has interrupted: a topic of which one folder was put aside is deleted.
fn finish_deletions(folder: &Folder) -> Result<(), LogError> {
    let aside = log::deleted_folders(folder.path())?;
    let deleted: Vec<String> = aside.iter().filter_map(|path| load_id(path)).collect();
    for (name, path) in log::partitions(folder.path())? {
        if load_id(&path).is_some_and(|id| deleted.contains(&id)) {
            info!(partition = %name, "its topic was being deleted when the last life ended");
            log::discard(&path)?;
        }
    }
    aside.iter().try_for_each(|path| log::discard(path))
}

fn report(name: &PartitionName, found: &log::Recovered) {
    if let Some((path, bytes)) = &found.torn {
        let path = path.display();
        warn!(partition = %name, bytes, %path, "the end of the log was torn and is kept aside");
    }
    if let Some((from, to)) = found.lost {
        warn!(partition = %name, from, to, "records that were on disk are gone");
    }
}

/// Twelve letters and digits that no other topic has.
fn new_id() -> String {
    Uuid::new_v4().simple().to_string().chars().take(12).collect()
}

/// A topic's id without the hub's, as its folders have it.
fn short_id(id: &str) -> &str {
    id.rsplit('.').next().unwrap_or(id)
}

fn store_id(folder: &Path, id: &str) -> Result<(), LogError> {
    let text = format!("version: 0\ntopic_id: {}\n", short_id(id));
    write_atomically(&folder.join("partition.metadata"), &text)
}

pub(super) fn load_id(folder: &Path) -> Option<String> {
    let text = std::fs::read_to_string(folder.join("partition.metadata")).ok()?;
    text.lines().find_map(|line| line.strip_prefix("topic_id: ")).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_waits_while_a_large_topic_is_made() {
        let folder = tempfile::tempdir().unwrap();
        let topics = Topics::default();
        let make = |name: &str, partitions| {
            let settings = TopicSettings { partitions, ..TopicSettings::default() };
            topics.ensure(folder.path(), "hub", name, &settings).unwrap()
        };
        assert!(make("small", 1));
        std::thread::scope(|scope| {
            scope.spawn(|| make("large", 300));
            let mut looked_up = 0;
            while topics.get("large").is_none() {
                if folder.path().join("large-0").exists() && topics.get("small").is_some() {
                    looked_up += 1;
                }
            }
            assert!(looked_up > 100, "{looked_up} times");
        });
        assert!(!make("large", 300));
        assert!(make("large", 301));
        assert_eq!(topics.get("large").unwrap().partitions.len(), 301);
        assert_eq!(log::partitions(folder.path()).unwrap().len(), 302);
    }
}
