//! Compaction of topics that keep the last record of each key: when, and on which thread.
//!
//! One thread at a time, started by the keeper when something is due, and joined by it. A partition is due when its
//! closed segments hold enough that was not compacted (`min.cleanable.dirty.ratio`), when what was not is too old
//! (`max.compaction.lag.ms`, KIP-354), or when the time of a tombstone has come (after a restart that is known again
//! from the first round on). Sinks are not waited for, as in Kafka: they may miss values that were overwritten before
//! they read them.
//!
//! Invariant: only segments whose positions lie in a snapshot that is on disk are touched.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

use anabranch_connectors::contract::clock::now_ms;
use anabranch_connectors::contract::memory::Part as MemoryPart;
use tracing::{info, warn};

use crate::hub::embedded::Shared;
use crate::hub::embedded::topics::settings::TopicSettings;
use crate::hub::embedded::topics::table::POSITIONS;
use crate::hub::embedded::write::command::Command;
use crate::log::{
    Checkpoint, Compacted, Compaction, KEYS_MAX, LogError, Partition, Progress, Segment,
};

/// Memory of a key that is noted, bytes.
const KEY_BYTES: usize = 34;
/// Fewest keys of a round, however little memory there is.
const KEYS_MIN: usize = 1000;
/// How much less the thread matters than those that write and read.
const NICE: i32 = 10;
/// The active segment of a compacted topic is closed when it has this part of its segment size, so that there is
/// something to compact.
const ROLL_PART: u64 = 16;
/// And not below this, bytes.
const ROLL_MIN: u64 = 1 << 20;

/// A partition that is due.
struct Job {
    partition: Arc<Partition>,
    settings: Arc<TopicSettings>,
    /// Offset up to which it is compacted.
    from: i64,
    /// Offset behind the closed segments that may be compacted.
    end: i64,
    /// Of a thousand closed bytes, those that were not compacted.
    dirty: u64,
}

/// Starts compaction, one thread at a time.
#[derive(Debug, Default)]
pub(super) struct Compactor {
    thread: Option<JoinHandle<()>>,
}

impl Compactor {
    pub(super) fn new(shared: &Shared) -> Self {
        let clean_to = shared.folder().cleaner_offsets();
        for state in shared.topics.all() {
            for partition in &state.partitions {
                partition.progress().clean_to = clean_to.get(partition.name());
            }
        }
        Self::default()
    }

    /// Closes segments that are due for it, and starts compaction if something is due and none is at work.
    pub(super) fn look(&mut self, shared: &Arc<Shared>) {
        let is_busy = self.thread.as_ref().is_some_and(|thread| !thread.is_finished());
        let (mut jobs, mut uncovered) = (Vec::new(), false);
        for state in shared.topics.all() {
            if state.is_internal() || !state.settings.cleanup.compact {
                continue;
            }
            for partition in &state.partitions {
                if must_roll(partition, &state.settings) {
                    // The writer may be busy; the next look asks again.
                    shared.writer.try_send(Command::Roll(Arc::clone(partition))).ok();
                }
                if is_busy {
                    continue;
                }
                if let Some(job) = due(partition, &state.settings)
                    && has_room(shared, &job)
                {
                    let covered = shared.covered_to(partition.name(), job.end);
                    if covered < job.end { uncovered = true } else { jobs.push(job) }
                }
            }
        }
        if uncovered {
            // Positions are stored together; the next look finds them so.
            shared.writer.try_send(Command::Snapshot).ok();
        }
        if !jobs.is_empty() {
            self.join();
            self.start(shared, jobs);
        }
    }

    fn start(&mut self, shared: &Arc<Shared>, mut jobs: Vec<Job>) {
        jobs.sort_by_key(|job| std::cmp::Reverse(job.dirty));
        let shared = Arc::clone(shared);
        let started =
            std::thread::Builder::new().name("log-compactor".to_owned()).spawn(move || {
                // On Linux it is the thread's alone; without it compaction is only as important as the rest.
                rustix::process::nice(NICE).ok();
                for job in jobs {
                    compact(&shared, &job);
                }
            });
        match started {
            Ok(thread) => self.thread = Some(thread),
            Err(error) => warn!(%error, "compaction could not be started, will retry"),
        }
    }

    /// Waits for what is at work; it stops soon when the hub is closing.
    pub(super) fn join(&mut self) {
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was printed when it happened.
            thread.join().ok();
        }
    }
}

/// Whether a segment of the partition can be written beside those that are there.
fn has_room(shared: &Shared, job: &Job) -> bool {
    let need = job.settings.segment_size.min(job.partition.size_bytes());
    let room = shared.room.load(Ordering::Acquire);
    !shared.disk_full.load(Ordering::Acquire)
        && room.saturating_sub(need) >= shared.settings.min_free
}

/// Whether the active segment is to be closed so that what is in it can be compacted.
fn must_roll(partition: &Partition, settings: &TopicSettings) -> bool {
    let Some(active) = partition.segments().pop() else { return false };
    let lag = settings.max_compaction_lag.unwrap_or(Duration::MAX);
    let is_old = is_older(&active, settings.segment_time.min(lag));
    let bytes = active.size_bytes();
    bytes >= (settings.segment_size / ROLL_PART).max(ROLL_MIN) || (bytes > 0 && is_old)
}

/// Whether what is in the segment may be older than that.
fn is_older(segment: &Segment, age: Duration) -> bool {
    let oldest_ms = now_ms().saturating_sub(millis(age));
    segment.created_ms().is_some_and(|created| created < oldest_ms)
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

/// What is to be done for a partition, if anything.
fn due(partition: &Arc<Partition>, settings: &Arc<TopicSettings>) -> Option<Job> {
    let Progress { clean_to, horizon_ms, is_damaged, .. } = *partition.progress();
    if is_damaged {
        return None;
    }
    let limit = partition.stable().min(old_enough(partition, settings, clean_to));
    let (closed, end) = partition.closed_below(limit);
    // After a lost tail, or when the file is of another log: what is there is looked at anew.
    let from = if clean_to > end { 0 } else { clean_to };
    let total: u64 = closed.iter().map(|segment| segment.size_bytes()).sum();
    let new = partition.bytes_behind(from).saturating_sub(partition.bytes_behind(end));
    let dirty = new.saturating_mul(1000).checked_div(total)?;
    let is_dirty = from < end && dirty >= u64::from(settings.min_dirty_per_mille);
    let behind = closed.partition_point(|segment| segment.base_offset() <= from);
    let first = behind.checked_sub(1).and_then(|at| closed.get(at)).filter(|_| from < end);
    let is_late = settings
        .max_compaction_lag
        .is_some_and(|lag| first.is_some_and(|segment| is_older(segment, lag)));
    let is_horizon = horizon_ms.is_some_and(|horizon_ms| horizon_ms <= now_ms());
    (is_dirty || is_late || is_horizon).then(|| {
        let (partition, settings) = (Arc::clone(partition), Arc::clone(settings));
        Job { partition, settings, from, end, dirty }
    })
}

/// The offset below which records are old enough (`min.compaction.lag.ms`).
fn old_enough(partition: &Partition, settings: &TopicSettings, clean_to: i64) -> i64 {
    if settings.min_compaction_lag.is_zero() {
        return i64::MAX;
    }
    let newest_ms = now_ms().saturating_sub(millis(settings.min_compaction_lag));
    let segments = partition.segments();
    let is_young = |segment: &&Arc<Segment>| {
        segment.base_offset() >= clean_to
            && segment.latest_ms().is_some_and(|latest| latest > newest_ms)
    };
    segments.iter().find(is_young).map_or(i64::MAX, |segment| segment.base_offset())
}

/// Compacts what may be compacted, due or not, on this thread.
#[cfg(test)]
pub(crate) fn compact_all(shared: &Arc<Shared>) {
    for state in shared.topics.all().into_iter().filter(|state| state.settings.cleanup.compact) {
        for partition in state.partitions.iter().filter(|_| !state.is_internal()) {
            let from = partition.progress().clean_to;
            let (_, end) = partition.closed_below(partition.stable());
            if end > 0 && shared.covered_to(partition.name(), end) >= end {
                let (partition, settings) = (Arc::clone(partition), Arc::clone(&state.settings));
                let job = Job { partition, settings, from: from.min(end), end, dirty: 0 };
                compact(shared, &job);
            }
        }
    }
}

/// Compacts one partition, in as many rounds as its keys need.
fn compact(shared: &Shared, job: &Job) {
    let name = job.partition.name();
    // What a round removes must not be needed to find positions again.
    let stored = shared.internal(POSITIONS).map_or(Ok(()), |positions| positions.flush());
    if let Err(error) = stored {
        warn!(%error, "positions could not be made durable, compaction waits");
        return;
    }
    // Nobody else takes of it, and there is one thread.
    let memory = &shared.metrics.memory;
    let Some(keys) = memory.try_take(MemoryPart::Compaction, KEYS_MAX * KEY_BYTES) else { return };
    let mut from = job.from;
    let stop = || shared.closing.load(Ordering::Acquire);
    while !stop() {
        let round = Compaction {
            from,
            limit: job.end,
            now_ms: now_ms(),
            delete_retention_ms: millis(job.settings.delete_retention),
            keys_max: (keys.bytes() / KEY_BYTES).clamp(KEYS_MIN, KEYS_MAX),
            stop: &stop,
        };
        let Compacted { clean_to, bytes_before, bytes_after, horizon_ms } =
            match job.partition.compact(&round) {
                Ok(None) => return,
                Ok(Some(done)) => done,
                Err(error) => return fail(shared, &job.partition, &error),
            };
        info!(partition = %name, bytes_before, bytes_after, clean_to, "a partition was compacted");
        from = clean_to;
        *job.partition.progress() = Progress { clean_to, horizon_ms, ..Progress::default() };
        store_progress(shared);
        if clean_to >= job.end {
            return;
        }
    }
}

/// Stores how far the partitions are compacted.
fn store_progress(shared: &Shared) {
    let mut offsets = Checkpoint::default();
    for state in shared.topics.all().iter().filter(|state| state.settings.cleanup.compact) {
        for partition in &state.partitions {
            offsets.set(partition.name().clone(), partition.progress().clean_to);
        }
    }
    if let Err(error) = shared.folder().store_cleaner_offsets(&offsets) {
        warn!(%error, "how far compaction has come could not be stored; after a restart it begins anew");
    }
}

fn fail(shared: &Shared, partition: &Partition, error: &LogError) {
    let name = partition.name();
    if shared.topics.get(&name.topic).is_none() {
        return;
    }
    let mut progress = partition.progress();
    let was_failing = std::mem::replace(&mut progress.is_failing, true);
    if matches!(error, LogError::Format { .. }) {
        warn!(partition = %name, %error, "a partition cannot be compacted; it is tried again after a restart");
        progress.is_damaged = true;
    } else if !was_failing {
        warn!(partition = %name, %error, "a partition could not be compacted, will retry");
    }
}
