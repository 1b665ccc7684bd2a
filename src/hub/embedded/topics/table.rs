//! The topics of the embedded hub: folders of partitions, and an id for each topic that is never used again.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anabranch_connectors::contract::clock::now_ms;
use anabranch_record::{Topic, TopicPartition};
use parking_lot::{Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};
use tracing::{info, warn};
use uuid::Uuid;

use super::configs::{self, Overrides};
use super::settings::{Settings, TopicSettings};
use super::topic_id::{self, short_id};
use crate::hub::embedded::sources::positions;
use crate::hub::{HubError, PartitionInfo, TopicInfo};
use crate::log::{self, Checkpoint, Damage, Finding, Folder, LogError, Partition};

/// Keeps the committed offsets of all groups.
pub(crate) const OFFSETS: &str = "__consumer_offsets";
/// Keeps the positions of all sources.
pub(crate) const POSITIONS: &str = "__source_positions";
/// Keeps what clients have set for topics.
pub(crate) const SETTINGS: &str = "__topic_settings";
/// Keeps what clients have set that belongs to no topic.
pub(crate) const KEPT: &str = "__hub_settings";
/// Keeps producer ids and transactions.
pub(crate) const TRANSACTIONS: &str = "__transaction_state";
/// The topics that the hub keeps for itself.
pub(crate) const INTERNAL: [&str; 5] = [OFFSETS, POSITIONS, SETTINGS, KEPT, TRANSACTIONS];

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
        self.known.read()
    }

    fn making(&self) -> MutexGuard<'_, ()> {
        self.making.lock()
    }

    fn write(&self) -> RwLockWriteGuard<'_, Known> {
        self.known.write()
    }

    pub(crate) fn info(&self) -> Vec<TopicInfo> {
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
    pub(crate) fn ensure(
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
        let id = known.map_or_else(
            || format!("{hub_id}.{}", topic_id::new()),
            |state| state.topic.id.clone(),
        );
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
    pub(crate) fn set_overrides(&self, name: &str, base: &TopicSettings, overrides: Overrides) {
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
pub(crate) fn partition_info(partition: &Partition) -> PartitionInfo {
    PartitionInfo {
        start: partition.start(),
        end: partition.end(),
        bytes: Some(partition.size_bytes()),
    }
}

const fn segment_settings(settings: &TopicSettings) -> log::Settings {
    log::Settings { segment_bytes: settings.segment_size }
}

/// What opening a data folder has found.
#[derive(Debug, Default)]
pub(crate) struct Opened {
    pub(crate) topics: Topics,
    /// The highest leader epoch of a batch; -1 without any.
    pub(crate) epoch: i32,
    /// Whether records that were on disk are gone, so that their offsets are given once more.
    pub(crate) has_lost: bool,
    pub(crate) findings: Vec<Finding>,
}

/// Opens every partition in the data folder, recovering those that need it.
pub(crate) fn open_all(
    folder: &Folder,
    settings: &Settings,
    points: &Checkpoint,
) -> Result<Opened, LogError> {
    finish_deletions(folder)?;
    let mut opened = Opened { epoch: -1, ..Opened::default() };
    let mut partitions = BTreeMap::<String, Vec<(PathBuf, Arc<Partition>)>>::new();
    for (name, path) in log::partitions(folder.path())? {
        let keep = segment_settings(settings.topic(&name.topic));
        let (partition, found) = Partition::open(&path, name.clone(), keep, points.get(&name))?;
        opened.epoch = opened.epoch.max(found.epoch);
        opened.has_lost |= found.lost.is_some();
        opened.findings.extend(report(&name, &found));
        partitions.entry(name.topic).or_default().push((path, Arc::new(partition)));
    }
    let noted = partitions.get(POSITIONS).and_then(|all| all.first());
    let noted = noted.map(|(_, one)| positions::noted_ids(one)).transpose()?.unwrap_or_default();
    for (name, partitions) in partitions {
        let folders: Vec<&Path> = partitions.iter().map(|(path, _)| path.as_path()).collect();
        let (id, finding) = topic_id::settle(&name, &folders, noted.get(&name))?;
        opened.findings.extend(finding);
        let topic = Topic { name: name.clone(), id: format!("{}.{id}", folder.meta().hub_id) };
        let kept = Arc::new(settings.topic(&name).clone());
        let mut state = TopicState::new(topic, kept, Arc::default());
        state.partitions = partitions.into_iter().map(|(_, one)| one).collect();
        state.partitions.sort_by_key(|partition| partition.name().partition);
        opened.findings.extend(fill_gaps(folder.path(), &mut state)?);
        opened.topics.write().insert(state);
    }
    Ok(opened)
}

/// Makes partitions anew whose folders somebody has taken away: a partition's number is its place.
fn fill_gaps(folder: &Path, state: &mut TopicState) -> Result<Vec<Finding>, LogError> {
    let mut findings = Vec::new();
    let last = state.partitions.last().map_or(-1, |partition| partition.name().partition);
    for (at, number) in (0..last).enumerate() {
        if state.partitions.get(at).is_some_and(|partition| partition.name().partition == number) {
            continue;
        }
        let name = TopicPartition { topic: state.topic.name.clone(), partition: number };
        findings.push(Finding {
            time_ms: now_ms(),
            partition: name.to_string(),
            from: 0,
            to: 0,
            what: "its folder is missing, and its records with it; it is made anew".to_owned(),
        });
        state.partitions.insert(at, make(folder, &state.topic, number, &state.settings)?);
    }
    if !findings.is_empty() {
        log::sync(folder)?;
    }
    Ok(findings)
}

/// Makes a partition of a topic; it stays when `folder` is synced as well.
fn make(
    folder: &Path,
    topic: &Topic,
    number: i32,
    settings: &TopicSettings,
) -> Result<Arc<Partition>, LogError> {
    let name = TopicPartition { topic: topic.name.clone(), partition: number };
    let path = folder.join(name.to_string());
    let settings = segment_settings(settings);
    let partition = if path.exists() {
        // It was begun, and there was no room for the rest.
        Partition::open(&path, name, settings, 0)?.0
    } else {
        Partition::create(&path, name, settings)?
    };
    topic_id::store(&path, &topic.id)?;
    Ok(Arc::new(partition))
}

/// Finishes what a crash has interrupted: a topic of which one folder was put aside is deleted.
fn finish_deletions(folder: &Folder) -> Result<(), LogError> {
    let aside = log::deleted_folders(folder.path())?;
    let deleted: Vec<String> = aside.iter().filter_map(|path| topic_id::load(path)).collect();
    for (name, path) in log::partitions(folder.path())? {
        if topic_id::load(&path).is_some_and(|id| deleted.contains(&id)) {
            info!(partition = %name, "its topic was being deleted when the last life ended");
            log::discard(&path)?;
        }
    }
    aside.iter().try_for_each(|path| log::discard(path))
}

/// What a partition has lost, as recovery found it.
fn report(name: &TopicPartition, found: &log::Recovered) -> Vec<Finding> {
    match &found.torn {
        Some((Some(path), bytes)) => {
            let path = path.display();
            warn!(partition = %name, bytes, %path, "the end of the log was torn and is kept aside");
        }
        Some((None, bytes)) => {
            warn!(partition = %name, bytes, "the end of the log was torn; there is no room to keep it aside");
        }
        None => {}
    }
    let gone = found.lost.map(|(from, to)| {
        Damage::new(from, to, "they were known to be on disk and are not there".to_owned())
    });
    found.gaps.iter().chain(&gone).map(|damage| finding(name, damage)).collect()
}

/// What is noted of damage in a partition.
pub(crate) fn finding(name: &TopicPartition, damage: &Damage) -> Finding {
    let Damage { from, to, reason, .. } = damage;
    let what = match follows_from(&name.topic) {
        Some(follows) => format!("{reason}; {follows}"),
        None => reason.clone(),
    };
    Finding { time_ms: now_ms(), partition: name.to_string(), from: *from, to: *to, what }
}

/// What it means when records of an internal topic are gone.
fn follows_from(topic: &str) -> Option<&'static str> {
    Some(match topic {
        OFFSETS => {
            "sinks and groups go on where they were earlier, or begin again where `start` says"
        }
        POSITIONS => "files may be read again",
        SETTINGS => "topics may be kept as the configuration says, not as clients have set it",
        TRANSACTIONS => "transactions of clients that were open are aborted",
        _ => return None,
    })
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
