//! One partition: segments in the order of their offsets, the last of which is appended to.

pub(super) mod delete;
mod find;
mod mend;
mod open;
pub(super) mod producers;

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicI64, Ordering};

use anabranch_record::TopicPartition;
use parking_lot::{Mutex, MutexGuard, RwLock};

use super::read::cursor::Cursor;
use crate::log::segment::Segment;
use crate::log::{LogError, Progress, disk, sync_parent};
use crate::wire::batch_header::{BatchHeader, HEADER_BYTES, place};
use crate::wire::is_commit;
use producers::{Aborted, Producers};

/// How a partition keeps its segments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// A segment is closed before it would pass this, bytes; at most 1 GiB.
    pub segment_bytes: u64,
}

/// Where an append went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// Offset of the first record.
    pub base_offset: i64,
    /// Offset after the last.
    pub next_offset: i64,
}

/// Shared by one writer and any number of readers.
#[derive(Debug)]
pub struct Partition {
    name: Arc<TopicPartition>,
    pub(super) folder: PathBuf,
    pub(super) settings: RwLock<Settings>,
    /// Held by who replaces or deletes closed segments: those that are not read any more and could not be deleted yet.
    pub(super) files: Mutex<VecDeque<Arc<Segment>>>,
    /// Empty segments that could neither be made durable nor be removed: they are in the folder and nowhere else.
    pub(super) unmade: Mutex<Vec<Arc<Segment>>>,
    /// Its folder is no longer its own: nothing is made or removed there any more, and there is nothing to read.
    pub(super) deleted: AtomicBool,
    pub(super) progress: Mutex<Progress>,
    pub(super) segments: RwLock<Vec<Arc<Segment>>>,
    pub(super) start: AtomicI64,
    pub(super) end: AtomicI64,
    flushed: AtomicI64,
    /// Leader epoch of the last append.
    epoch: AtomicI32,
    /// First offset of the oldest open transaction; the largest number when none is open.
    open_from: AtomicI64,
    producers: Mutex<Producers>,
    pub(super) cursors: Mutex<VecDeque<Cursor>>,
}

impl Partition {
    pub(super) fn assemble(
        folder: &Path,
        name: TopicPartition,
        settings: Settings,
        (segments, end): (Vec<Arc<Segment>>, i64),
    ) -> Self {
        let start = segments.first().map_or(0, |segment| segment.base_offset());
        Self {
            name: Arc::new(name),
            folder: folder.to_owned(),
            settings: RwLock::new(settings),
            files: Mutex::default(),
            unmade: Mutex::default(),
            deleted: AtomicBool::new(false),
            progress: Mutex::default(),
            segments: RwLock::new(segments),
            start: AtomicI64::new(start),
            end: AtomicI64::new(end),
            flushed: AtomicI64::new(end),
            epoch: AtomicI32::new(-1),
            open_from: AtomicI64::new(i64::MAX),
            producers: Mutex::default(),
            cursors: Mutex::default(),
        }
    }

    pub(super) fn set_producers(&self, producers: Producers) {
        let open_from = producers.oldest_open().unwrap_or(i64::MAX);
        self.open_from.store(open_from, Ordering::Release);
        *self.producers() = producers;
    }

    /// What its producers have done.
    pub fn producers(&self) -> MutexGuard<'_, Producers> {
        self.producers.lock()
    }

    /// Offset below which no transaction is open (Kafka's last stable offset).
    #[must_use]
    pub fn stable(&self) -> i64 {
        self.end().min(self.open_from.load(Ordering::Acquire))
    }

    /// The newest leader epoch that is not above `epoch`, and the offset at which it ends.
    #[must_use]
    pub fn epoch_end(&self, epoch: i32) -> Option<(i32, i64)> {
        let (found, end) = self.producers().epoch_end(epoch)?;
        Some((found, end.unwrap_or_else(|| self.end())))
    }

    /// Aborted transactions that touch these offsets.
    #[must_use]
    pub fn aborted(&self, from: i64, to: i64) -> Vec<Aborted> {
        self.producers().aborted(from, to)
    }

    /// Lets nobody read below `offset` from now on; whole segments below it are deleted. Gives the start.
    ///
    /// # Errors
    /// [`LogError`] when a file cannot be deleted; it is no longer read all the same.
    pub fn raise_start(&self, offset: i64) -> Result<i64, LogError> {
        let offset = offset.min(self.end());
        self.start.fetch_max(offset, Ordering::AcqRel);
        self.delete_before(offset)?;
        Ok(self.start())
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &TopicPartition {
        &self.name
    }

    /// Its name, for those who keep it.
    #[must_use]
    pub const fn shared_name(&self) -> &Arc<TopicPartition> {
        &self.name
    }

    /// The offset up to which it still has what had been appended when `epoch` was the newest: what follows is newer, or
    /// the end.
    #[must_use]
    pub fn kept_of(&self, epoch: i32) -> i64 {
        let newer = self.producers().newer_than(epoch);
        newer.unwrap_or_else(|| self.end()).min(self.end())
    }

    /// First offset that is kept.
    #[must_use]
    pub fn start(&self) -> i64 {
        self.start.load(Ordering::Acquire)
    }

    /// Offset after the last record.
    #[must_use]
    pub fn end(&self) -> i64 {
        self.end.load(Ordering::Acquire)
    }

    /// Offset below which everything is known to be on disk.
    #[must_use]
    pub fn flushed(&self) -> i64 {
        self.flushed.load(Ordering::Acquire)
    }

    /// Bytes of all segments.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        self.segments().iter().map(|segment| segment.size_bytes()).sum()
    }

    /// Its segments, oldest first.
    #[must_use]
    pub fn segments(&self) -> Vec<Arc<Segment>> {
        self.segments.read().clone()
    }

    /// Changes how it keeps its segments, from the next append on.
    pub fn set_settings(&self, settings: Settings) {
        *self.settings.write() = settings;
    }

    /// Appends one whole batch (by the one writer) and gives it its place.
    ///
    /// # Errors
    /// [`LogError`] when it could not be written; nothing is left of it then.
    pub fn append(&self, batch: &[u8], epoch: i32) -> Result<Appended, LogError> {
        let base_offset = self.end();
        let short = || LogError::Format {
            path: self.folder.clone(),
            problem: format!("a batch to append has {} bytes", batch.len()),
        };
        let mut head: [u8; HEADER_BYTES] = *batch.first_chunk().ok_or_else(short)?;
        place(&mut head, base_offset, epoch);
        let header = BatchHeader::parse(&head).map_err(|fault| LogError::Format {
            path: self.folder.clone(),
            problem: format!("a batch to append is {fault}"),
        })?;
        let segment = self.segment_for(batch.len() as u64)?;
        let rest = batch.get(HEADER_BYTES..).unwrap_or_default();
        let next_offset = header.next_offset();
        segment.append(&head, rest, (base_offset, next_offset), header.max_timestamp_ms)?;
        self.note_producer(&header, batch);
        self.end.store(next_offset, Ordering::Release);
        Ok(Appended { base_offset, next_offset })
    }

    /// What the batch says of its producer; nothing for most, which have none or no sequence.
    fn note_producer(&self, header: &BatchHeader, batch: &[u8]) {
        if self.epoch.swap(header.epoch, Ordering::AcqRel) != header.epoch {
            self.producers().note_epoch(header);
        }
        if header.base_sequence < 0 && !header.is_control() {
            return;
        }
        let committed = if header.is_control() { is_commit(batch) } else { None };
        let mut producers = self.producers();
        producers.note(header, committed);
        let open_from = producers.oldest_open().unwrap_or(i64::MAX);
        self.open_from.store(open_from, Ordering::Release);
    }

    pub(super) fn active(&self) -> Option<Arc<Segment>> {
        self.segments.read().last().cloned()
    }

    fn segment_for(&self, bytes: u64) -> Result<Arc<Segment>, LogError> {
        if self.is_suspect() {
            let cause =
                std::io::Error::other("a sync of its file has failed; it is being written anew");
            return Err(LogError::io("append to", &self.folder)(cause));
        }
        let limit = self.settings.read().segment_bytes;
        match self.active() {
            Some(active) if active.size_bytes() == 0 || active.size_bytes() + bytes <= limit => {
                Ok(active)
            }
            _ => self.roll(),
        }
    }

    /// Closes the active segment and begins a new one at the end; does nothing when the active one is empty.
    ///
    /// # Errors
    /// [`LogError`] when the new segment cannot be made.
    pub fn roll(&self) -> Result<Arc<Segment>, LogError> {
        if self.is_deleted() {
            return Err(LogError::Deleted { partition: self.name().clone() });
        }
        if let Some(active) = self.active() {
            if active.size_bytes() == 0 {
                return Ok(active);
            }
            active.close(&self.producers().encode(self.end()))?;
            self.flushed.fetch_max(self.end(), Ordering::AcqRel);
        }
        let end = self.end();
        self.unmade().retain(|unmade| unmade.base_offset() != end);
        Segment::clear_away(&self.folder, end);
        let segment = Arc::new(Segment::create(&self.folder, end)?);
        if let Err(error) = sync_parent(segment.path()) {
            if segment.delete().is_err() {
                self.unmade().push(segment);
            }
            return Err(error);
        }
        let mut segments = self.segments.write();
        segments.push(Arc::clone(&segment));
        Ok(segment)
    }

    /// Makes everything that was appended before the call durable.
    ///
    /// # Errors
    /// [`LogError`] when the system says no: what was appended may be lost by a power cut.
    pub fn flush(&self) -> Result<(), LogError> {
        let end = self.end();
        if let Some(active) = self.active() {
            active.flush()?;
        }
        self.flushed.fetch_max(end, Ordering::AcqRel);
        Ok(())
    }

    /// Everything that was appended is on disk.
    pub(super) fn set_flushed(&self) {
        self.flushed.fetch_max(self.end(), Ordering::AcqRel);
    }
}

/// The segments in a folder, oldest first.
pub(super) fn segment_paths(folder: &Path) -> Result<Vec<PathBuf>, LogError> {
    let mut paths = Vec::new();
    for path in disk::list(folder).map_err(LogError::io("list", folder))? {
        if path.extension().is_some_and(|extension| extension == "log") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}
