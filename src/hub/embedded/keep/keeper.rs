//! The thread that keeps the data folder: flushes, checkpoints, retention, room on the disk; it starts compaction.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anabranch_connectors::contract::clock::now_ms;
use tokio::time::Instant;
use tracing::{error, info, warn};

use super::compactor::Compactor;
use super::scrubber::Scrubber;
use super::trouble::ROOM;
use crate::hub::embedded::Shared;
use crate::hub::embedded::topics::settings::{Flush, TopicSettings, WhenFull};
use crate::hub::embedded::topics::table::TopicState;
use crate::hub::embedded::write::command::Command;
use crate::log::{Checkpoint, Partition, Segment};

const SPACE_EVERY: Duration = Duration::from_secs(1);
const KEEP_EVERY: Duration = Duration::from_secs(5);

/// Runs until the hub is closing.
pub(crate) fn run(shared: &Arc<Shared>) {
    let mut compactor = Compactor::new(shared);
    let mut scrubber = Scrubber::start(shared);
    let mut is_full = false;
    let (mut space_at, mut keep_at) = (Instant::now(), Instant::now());
    while !shared.closing.load(Ordering::Acquire) {
        match shared.settings.flush {
            Flush::Every(interval) if shared.is_dirty() => {
                std::thread::park_timeout(interval);
                flush(shared);
            }
            // The writer flushes before it settles, unless receipts do not wait for it (`acks` 0 or 1).
            Flush::Each if shared.is_dirty() => flush(shared),
            // The first append after a pause wakes it, and the interval begins.
            Flush::Each | Flush::Every(_) | Flush::Os => std::thread::park_timeout(SPACE_EVERY),
        }
        if space_at.elapsed() >= SPACE_EVERY {
            space_at = Instant::now();
            is_full = watch_space(shared, is_full);
            shared.members.beat();
            shared.look_for_acknowledgement();
        }
        if keep_at.elapsed() >= KEEP_EVERY {
            keep_at = Instant::now();
            checkpoint(shared);
            retain(shared);
            compactor.look(shared);
        }
    }
    compactor.join();
    scrubber.join();
    end(shared);
}

/// Leaves everything so that the next start need not look.
pub(crate) fn end(shared: &Shared) {
    flush(shared);
    checkpoint(shared);
    for state in shared.topics.all() {
        state.partitions.iter().for_each(|partition| partition.store_hints());
    }
}

/// Makes durable what was appended since the last time.
pub(crate) fn flush(shared: &Shared) {
    for partition in shared.take_dirty() {
        // What could not be made durable is the writer's to write anew; it is told of already.
        shared.flush(&partition).ok();
        partition.leave_memory(shared.read_by_all(&partition.name().topic, &partition));
    }
}

/// Notes what is known to be on disk, so that recovery need not read it.
pub(crate) fn checkpoint(shared: &Shared) {
    let mut points = Checkpoint::default();
    for state in shared.topics.all() {
        for partition in &state.partitions {
            points.set(partition.name().clone(), partition.flushed());
        }
    }
    if let Err(error) = shared.folder().store_recovery_points(&points) {
        warn!(%error, "recovery points could not be stored, will retry");
    }
}

/// Looks whether there is room on the disk; says whether it is full, and logs it when it was not before. The writer may
/// have stopped already by its own count.
fn watch_space(shared: &Shared, was_full: bool) -> bool {
    let Some(free) = free_bytes(&shared.settings.data_dir) else { return was_full };
    shared.room.store(free, Ordering::Release);
    let full = free < shared.settings.min_free;
    shared.disk_full.store(full, Ordering::Release);
    if full && !was_full {
        let folder = shared.settings.data_dir.display();
        let problem =
            format!("only {free} bytes are free on the disk of {folder} (min_free); sources wait");
        if shared.state.fail_as(ROOM, &problem, false) {
            error!("{problem}");
        }
    } else if was_full && !full && shared.state.over(ROOM) {
        info!(free, "there is room on the disk again");
    }
    full
}

fn free_bytes(folder: &Path) -> Option<u64> {
    let stat = rustix::fs::statvfs(folder).ok()?;
    Some(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// Removes what is old, and was read.
pub(crate) fn retain(shared: &Arc<Shared>) {
    let mut uncovered = false;
    for state in shared.topics.all() {
        if state.is_internal() {
            continue;
        }
        for partition in &state.partitions {
            uncovered |= retain_partition(shared, &state, partition);
            if state.settings.cleanup.delete && is_old(partition, &state.settings) {
                // The writer may be busy; the next round asks again.
                shared.writer.try_send(Command::Roll(Arc::clone(partition))).ok();
            }
        }
    }
    if uncovered {
        shared.writer.try_send(Command::Snapshot).ok();
    }
}

/// Deletes what may go; says whether positions must be stored together before more can.
fn retain_partition(shared: &Shared, state: &TopicState, partition: &Partition) -> bool {
    let settings = &state.settings;
    let segments = partition.segments();
    let wanted = if settings.cleanup.delete { expired(&segments, settings, now_ms()) } else { 0 };
    let read = shared.read_by_all(&state.topic.name, partition);
    let hard = settings.hard_size.map_or(0, |most| beyond_size(&segments, most));
    let unread = hard > read;
    let blocked = unread && settings.when_full == WhenFull::Block;
    shared.set_blocked(partition.name(), blocked);
    let mut target = wanted.min(read);
    if unread && settings.when_full == WhenFull::DropOldest {
        target = target.max(hard);
    }
    if target <= partition.start() {
        // What is in the way was told when it was first met.
        partition.delete_left().ok();
        return false;
    }
    let covered = shared.covered_to(partition.name(), target);
    match partition.delete_before(target.min(covered)) {
        Ok(0) => {}
        Ok(bytes) => info!(partition = %partition.name(), bytes, "old records were removed"),
        Err(error) => warn!(%error, "old records could not be removed, will retry"),
    }
    target > covered
}

/// The offset below which records may go by age and size.
fn expired(segments: &[Arc<Segment>], settings: &TopicSettings, now_ms: i64) -> i64 {
    let by_size = settings.retention_size.map_or(0, |most| beyond_size(segments, most));
    let by_time = settings.retention_time.map_or(0, |age| {
        let oldest_ms = now_ms - i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
        let is_old = |segment: &Arc<Segment>| {
            // Records that came in with old times of their own are kept as long as others.
            let written = segment.written_ms().is_some_and(|written| written < oldest_ms);
            written && segment.latest_ms().is_none_or(|latest| latest < oldest_ms)
        };
        let count = segments.iter().take_while(|segment| is_old(segment)).count();
        base_of(segments, count)
    });
    by_size.max(by_time)
}

/// The offset at which the newest segments together have at most `most` bytes.
fn beyond_size(segments: &[Arc<Segment>], most: u64) -> i64 {
    let mut total: u64 = segments.iter().map(|segment| segment.size_bytes()).sum();
    let mut count = 0;
    for segment in segments {
        if total <= most {
            break;
        }
        total -= segment.size_bytes();
        count += 1;
    }
    base_of(segments, count)
}

/// Base offset of the segment with that number; of the last one at most (it is never removed).
fn base_of(segments: &[Arc<Segment>], count: usize) -> i64 {
    let at = count.min(segments.len().saturating_sub(1));
    segments.get(at).map_or(0, |segment| segment.base_offset())
}

/// Whether the active segment holds records that should go by age, so that it must be closed first.
fn is_old(partition: &Partition, settings: &TopicSettings) -> bool {
    let Some(age) = settings.retention_time else { return false };
    let oldest_ms = now_ms() - i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
    let active = partition.segments().pop();
    active.is_some_and(|active| {
        active.size_bytes() > 0 && active.created_ms().is_some_and(|created| created < oldest_ms)
    })
}
