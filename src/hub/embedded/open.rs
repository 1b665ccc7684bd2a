//! Opens a data folder: lock, recovery, groups, positions, and then the threads.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};

use anabranch_connectors::contract::clock::now_ms;
use anabranch_record::{Pool, StoredBatch, TopicPartition};
use parking_lot::{Mutex, RwLock};
use tokio::sync::{oneshot, watch};
use tracing::{error, info, warn};

use super::groups::members::Members;
use super::groups::offsets::Groups;
use super::keep::keeper;
use super::read::decode::decode;
use super::read::fetchers::Fetchers;
use super::sources::positions::{End, Positions};
use super::topics::configs::Overrides;
use super::topics::kept::{Entries, Kept};
use super::topics::settings::{Cleanup, TopicSettings};
use super::topics::table::{
    self, KEPT, OFFSETS, POSITIONS, SETTINGS, TRANSACTIONS, TopicState, Topics,
};
use super::topics::topic_id::short_id;
use super::transactions::orphans::unused_producer;
use super::transactions::state::Transactions;
use super::write::appender::EmbeddedAppender;
use super::write::command::{Command, Pairs};
use super::write::encode::OWN_PRODUCER;
use super::write::queue::Queue;
use super::write::writer::Writer;
use super::{Embedded, Settings, Shared};
use crate::hub::{HubError, Lasting};
use crate::log::{Finding, Folder, LogError, Read, Reader};
use crate::metrics::{Metrics, State};

/// Commands that may wait for the writer; an append is about a mebibyte before it is compressed.
const QUEUE: usize = 32;

impl Embedded {
    /// Opens the hub in its data folder; makes it when it is not there. Blocks while it recovers.
    ///
    /// # Errors
    /// [`HubError::Fatal`] when the folder is in use, cannot be written, or is not ours; [`HubError::NotNow`] when there is
    /// no room for what it lacks.
    pub fn open(settings: Settings, metrics: Arc<Metrics>) -> Result<Arc<Self>, HubError> {
        Self::open_with(settings, metrics, start)
    }

    /// Opens the hub, with those who do its work as `start` makes them.
    pub(super) fn open_with(
        settings: Settings,
        metrics: Arc<Metrics>,
        start: impl FnOnce(&Arc<Shared>) -> Result<Threads, HubError>,
    ) -> Result<Arc<Self>, HubError> {
        let fatal = |error: LogError| match error {
            LogError::NoSpace { .. } => HubError::NotNow(error.to_string()),
            LogError::Io { .. }
            | LogError::Locked { .. }
            | LogError::Deleted { .. }
            | LogError::Format { .. } => HubError::Fatal(error.to_string()),
        };
        let new_id: String = uuid::Uuid::new_v4().simple().to_string().chars().take(12).collect();
        let mut folder = Folder::open(&settings.data_dir, &new_id).map_err(fatal)?;
        say_narrowed(&folder);
        let points = folder.recovery_points();
        let opened = table::open_all(&folder, &settings, &points).map_err(fatal)?;
        let table::Opened { topics, epoch, has_lost, mut findings } = opened;
        // Offsets that are given once more must not name what was lost.
        let seen = if has_lost { epoch.max(folder.epoch()) } else { epoch };
        folder.raise_epoch(seen, has_lost).map_err(fatal)?;
        topics_begin(&folder, &topics).map_err(fatal)?;
        let (mut groups, mut positions) = replay(&topics)?;
        // What a crash has left of topics that were deleted.
        let is_gone = |topic: &str| topics.get(topic).is_none();
        let set = replay_settings(&topics, &settings)?;
        let kept = Kept::new(replay_kept(&topics)?);
        let mut transactions = replay_transactions(&topics)?;
        metrics.take_up(&positions.totals.accounts());
        let covered = positions.covered.len();
        positions.covered.retain(|name, _| !is_gone(&name.topic));
        let speaks_of_gone = positions.covered.len() < covered;
        let stale = groups.forget_topics(is_gone);
        let held = transactions.forget_topics(is_gone);
        let writer = Arc::new(Queue::new(settings.max_in_flight.clamp(1, QUEUE)));
        let shared = Arc::new(Shared {
            hub_id: folder.meta().hub_id.clone(),
            epoch: folder.epoch(),
            folder: Mutex::new(folder),
            topics,
            topics_changed: AtomicU64::new(1),
            groups: Mutex::new(groups),
            transactions: Mutex::new(transactions),
            kept,
            fetchers: Fetchers::default(),
            members: Members::new(settings.group_limits(), Arc::clone(&writer)),
            positions: Mutex::new(positions),
            appended: watch::Sender::new(0),
            state: State::default(),
            metrics,
            dirty: Mutex::default(),
            suspects: Mutex::default(),
            oldest: Mutex::default(),
            blocked: Mutex::new(HashSet::new()),
            keep_for: RwLock::new(settings.groups.clone()),
            disk_full: AtomicBool::new(false),
            room: AtomicU64::new(u64::MAX),
            closing: AtomicBool::new(false),
            writer,
            settings,
        });
        findings.extend(make_topics(&shared)?);
        restore_members(&shared);
        shared.found(&findings);
        shared.show_findings();
        shared.apply_broker_settings();
        let threads = start(&shared)?;
        for (topic, pairs) in [(OFFSETS, stale), (TRANSACTIONS, held), (SETTINGS, set)] {
            let (done, _stored) = oneshot::channel();
            shared.command(Command::Pairs { topic, pairs, done })?;
        }
        if speaks_of_gone {
            shared.command(Command::Snapshot)?;
        }
        clamp(&shared)?;
        let appender = Arc::new(EmbeddedAppender::new(Arc::clone(&shared)));
        Ok(Arc::new(Self { shared, appender, threads: Mutex::new(threads) }))
    }
}

/// Brings back the members of groups, which look at the topics that there are; the hub's own are among them.
fn restore_members(shared: &Shared) {
    for state in shared.topics.all() {
        shared.members.set_topic(&state.topic.name, Some(&state));
    }
    let states = shared.groups().states().clone();
    shared.members.restore(&states);
}

fn make_topics(shared: &Shared) -> Result<Vec<Finding>, HubError> {
    let mut findings = Vec::new();
    let folder = &shared.settings.data_dir;
    let has_records = || {
        shared.topics.all().iter().any(|state| {
            !state.is_internal() && state.partitions.iter().any(|partition| partition.end() > 0)
        })
    };
    for topic in table::INTERNAL {
        let settings = TopicSettings { cleanup: Cleanup::COMPACT, ..TopicSettings::default() };
        let is_new = shared.topics.ensure(folder, &shared.hub_id, topic, &settings)?;
        let lost = match topic {
            OFFSETS => "how far groups had read; sinks begin again where `start` says",
            POSITIONS => "how far sources had read; files are read again from their beginning",
            _ => continue,
        };
        if is_new && has_records() {
            findings.push(Finding {
                time_ms: now_ms(),
                partition: format!("{topic}-0"),
                from: 0,
                to: 0,
                what: format!("was missing, and with it {lost}"),
            });
        }
    }
    for topic in shared.settings.topics.keys() {
        shared.ensure(topic, None)?;
    }
    Ok(findings)
}

pub(super) type Threads = Vec<std::thread::JoinHandle<()>>;

fn start(shared: &Arc<Shared>) -> Result<Threads, HubError> {
    let failed = |error: std::io::Error| HubError::Fatal(format!("cannot start a thread: {error}"));
    let kept = Arc::clone(shared);
    let keeper = std::thread::Builder::new()
        .name("log-keeper".to_owned())
        .spawn(move || keeper::run(&kept))
        .map_err(failed)?;
    let writing = Writer::new(Arc::clone(shared), keeper.thread().clone());
    let writer = std::thread::Builder::new()
        .name("log-writer".to_owned())
        .spawn(move || writing.run())
        .map_err(failed)?;
    Ok(vec![writer, keeper])
}

/// What a power cut took back, groups have not read: their offsets are set back to the end, and said so.
fn clamp(shared: &Arc<Shared>) -> Result<(), HubError> {
    let kept = |name: &TopicPartition, life| {
        let partition = shared.partition(&name.topic, name.partition).ok()?;
        Some(partition.kept_of(life))
    };
    let clamped = shared.groups().clamp(kept);
    for (group, offset) in clamped {
        let (topic, partition) = (&offset.topic, offset.partition);
        warn!(
            group,
            topic,
            partition,
            offset = offset.offset,
            "a committed offset was beyond what is left of the log and is set back to its end"
        );
        let metadata = shared
            .groups()
            .committed(&group, &TopicPartition { topic: topic.clone(), partition })
            .map(|committed| committed.metadata.clone());
        let (done, _stored) = oneshot::channel();
        let offsets = vec![(offset, metadata.unwrap_or_default())];
        let offsets = shared.places(offsets)?;
        shared.command(Command::Commit { group, offsets, lasting: Lasting::AsConfigured, done })?;
    }
    Ok(())
}

/// The offset up to which a partition still has what it had when `epoch` was the newest; -1 when it is gone, or
/// another one that has its name.
fn kept(topics: &Topics, end: &End, epoch: i32) -> i64 {
    let state = topics.get(&end.name.topic);
    let same = |state: &Arc<TopicState>| {
        end.topic_id.is_empty() || end.topic_id == short_id(&state.topic.id)
    };
    let state = state.filter(same);
    let partition = state.and_then(|state| state.partition(end.name.partition).cloned());
    partition.map_or(-1, |partition| partition.kept_of(epoch))
}

/// Groups and positions as the log has them.
fn replay(topics: &Topics) -> Result<(Groups, Positions), HubError> {
    let mut groups = Groups::default();
    if let Some(state) = topics.get(OFFSETS) {
        each_batch(&state, &HashMap::new(), |batch, _own| {
            for stored in batch.iter() {
                let key = stored.record.key.unwrap_or_default();
                if let Err(problem) = groups.replay(key, stored.record.value, batch.epoch) {
                    warn!(offset = stored.offset, problem, "a committed offset cannot be read");
                }
            }
        })?;
    }
    let mut positions = Positions::default();
    if let Some(state) = topics.get(POSITIONS) {
        each_batch(&state, &HashMap::new(), |batch, _own| {
            positions.restore(&batch, |end| kept(topics, end, batch.epoch));
        })?;
    }
    let covered = positions.covered.clone();
    for state in topics.all() {
        if state.is_internal() {
            continue;
        }
        each_batch(&state, &covered, |batch, own| {
            let name = state.partition(batch.partition).map(|one| one.shared_name());
            if let (true, Some(name)) = (own, name) {
                positions.replay(&batch, name);
            }
        })?;
    }
    Ok((groups, positions))
}

/// What others had rights to is a matter for a person: somebody may have read it.
fn say_narrowed(folder: &Folder) {
    let (narrowed, path) = (folder.narrowed(), folder.path().display());
    if narrowed.changed > 0 {
        let count = narrowed.changed;
        warn!(%path, count, "others had rights to files or folders of the data folder; they are the owner's alone now");
    }
    if let Some((file, error)) = &narrowed.refused {
        let file = file.display();
        warn!(%file, %error, "others have rights to what is kept here, which cannot be taken from them; \
            the data folder should belong to the agent's user");
    }
}

/// Sets the start of partitions whose first records somebody deleted.
fn topics_begin(folder: &Folder, topics: &Topics) -> Result<(), LogError> {
    if let Some(path) = folder.damaged_log_starts() {
        let path = path.display();
        error!(%path, "a damaged file; records that somebody deleted may be there again");
    }
    let starts = folder.log_starts();
    for state in topics.all() {
        for partition in &state.partitions {
            let (start, end) = (starts.get(partition.name()), partition.end());
            if start > end {
                let partition = partition.name();
                error!(%partition, start, end, "is said to begin behind its end; all of it is kept");
            } else {
                partition.raise_start(start)?;
            }
        }
    }
    Ok(())
}

/// Keeps topics as clients have set it; gives what forgets the settings of those that are gone.
fn replay_settings(topics: &Topics, settings: &Settings) -> Result<Pairs, HubError> {
    let Some(state) = topics.get(SETTINGS) else { return Ok(Pairs::new()) };
    let mut found: BTreeMap<String, Overrides> = BTreeMap::new();
    each_batch(&state, &HashMap::new(), |batch, _own| {
        for stored in batch.iter() {
            let name = String::from_utf8_lossy(stored.record.key.unwrap_or_default()).into_owned();
            match stored.record.value.map(serde_json::from_slice) {
                None => drop(found.remove(&name)),
                Some(Ok(overrides)) => drop(found.insert(name, overrides)),
                Some(Err(error)) => warn!(topic = name, %error, "its settings cannot be read"),
            }
        }
    })?;
    let mut stale = Pairs::new();
    for (name, overrides) in found {
        if topics.get(&name).is_none() {
            stale.push((name.into_bytes(), None));
        } else {
            topics.set_overrides(&name, settings.topic(&name), overrides);
        }
    }
    Ok(stale)
}

/// What clients have set that belongs to no topic.
fn replay_kept(topics: &Topics) -> Result<Entries, HubError> {
    let mut entries = Entries::new();
    let Some(state) = topics.get(KEPT) else { return Ok(entries) };
    each_batch(&state, &HashMap::new(), |batch, _own| {
        for stored in batch.iter() {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let key = text(stored.record.key.unwrap_or_default());
            match stored.record.value {
                None => drop(entries.remove(&key)),
                Some(value) => drop(entries.insert(key, text(value))),
            }
        }
    })?;
    Ok(entries)
}

fn replay_transactions(topics: &Topics) -> Result<Transactions, HubError> {
    let mut transactions = Transactions::default();
    if let Some(state) = topics.get(TRANSACTIONS) {
        each_batch(&state, &HashMap::new(), |batch, _own| {
            for stored in batch.iter() {
                let key = stored.record.key.unwrap_or_default();
                if let Err(problem) = transactions.replay(key, stored.record.value) {
                    warn!(offset = stored.offset, problem, "a transaction's state cannot be read");
                }
            }
        })?;
    }
    transactions.skip_to(unused_producer(topics));
    Ok(transactions)
}

/// Shows every readable batch of a topic from the given offsets on, and whether this program appended it.
fn each_batch(
    state: &TopicState,
    from: &HashMap<TopicPartition, i64>,
    mut see: impl FnMut(StoredBatch, bool),
) -> Result<(), HubError> {
    let pool = Pool::new(2, 16 << 20);
    let mut records = 0i64;
    for partition in &state.partitions {
        let start = from.get(partition.name()).copied().unwrap_or(0).max(partition.start());
        let mut reader = Reader::new(Arc::clone(partition), start);
        loop {
            let read = reader.read().map_err(|error| HubError::Fatal(error.to_string()))?;
            match read {
                Read::End => break,
                Read::Damage(damage) => {
                    let (from, to) = (damage.from, damage.to);
                    warn!(partition = %partition.name(), from, to, reason = damage.reason, "records cannot be read");
                }
                Read::Batch(header, bytes) => {
                    records += i64::from(header.count);
                    let place = (&state.topic, partition.name().partition);
                    match decode(&header, bytes, place, &pool) {
                        Ok(batch) => see(batch, header.producer_id == OWN_PRODUCER),
                        Err(reason) => {
                            warn!(partition = %partition.name(), reason, "a batch cannot be decoded");
                        }
                    }
                }
            }
        }
    }
    if records > 100_000 {
        info!(topic = state.topic.name, records, "positions were recovered from the log");
    }
    Ok(())
}
