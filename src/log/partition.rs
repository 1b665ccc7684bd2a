//! One partition: segments in the order of their offsets, the last of which is appended to.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use crate::log::recovery::{Recovered, recover};
use crate::log::segment::Segment;
use crate::log::{LogError, sync_parent};
use crate::wire::batch_header::{BatchHeader, place};

/// A partition's name: its folder is `<topic>-<partition>`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartitionName {
    /// The topic.
    pub topic: String,
    /// The number, from 0.
    pub partition: i32,
}

impl PartitionName {
    /// From the name of a folder.
    #[must_use]
    pub fn parse(folder: &str) -> Option<Self> {
        let (topic, partition) = folder.rsplit_once('-')?;
        let partition = partition.parse().ok().filter(|number| *number >= 0)?;
        Some(Self { topic: topic.to_owned(), partition })
    }
}

impl fmt::Display for PartitionName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}-{}", self.topic, self.partition)
    }
}

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
    name: PartitionName,
    pub(super) folder: PathBuf,
    settings: RwLock<Settings>,
    pub(super) segments: RwLock<Vec<Arc<Segment>>>,
    pub(super) start: AtomicI64,
    pub(super) end: AtomicI64,
    flushed: AtomicI64,
}

impl Partition {
    /// Opens the partition in `folder`, makes it when it is not there, and finds its end after a crash.
    ///
    /// # Errors
    /// [`LogError`] when its files cannot be read or made.
    pub fn open(
        folder: &Path,
        name: PartitionName,
        settings: Settings,
        recovery_point: i64,
    ) -> Result<(Self, Recovered), LogError> {
        if !folder.exists() {
            std::fs::create_dir_all(folder).map_err(LogError::io("create", folder))?;
            sync_parent(folder)?;
        }
        let mut found = Recovered { epoch: -1, ..Recovered::default() };
        let mut segments = Vec::new();
        let paths = segment_paths(folder)?;
        let mut end = 0;
        for (number, path) in paths.iter().enumerate() {
            let segment = Segment::open(path, true)?;
            let last = number + 1 == paths.len();
            end = end.max(segment.base_offset());
            if last || !segment.load_index() {
                end = recover(&segment, recovery_point, last, &mut found)?;
            }
            segments.push(Arc::new(segment));
        }
        if segments.is_empty() {
            segments.push(Arc::new(Segment::create(folder, 0)?));
            sync_parent(&folder.join("segment"))?;
        }
        if end < recovery_point {
            found.lost = Some((end, recovery_point));
        }
        let partition = Self::assemble(folder, name, settings, (segments, end));
        partition.flush()?;
        Ok((partition, found))
    }

    pub(super) fn assemble(
        folder: &Path,
        name: PartitionName,
        settings: Settings,
        (segments, end): (Vec<Arc<Segment>>, i64),
    ) -> Self {
        let start = segments.first().map_or(0, |segment| segment.base_offset());
        Self {
            name,
            folder: folder.to_owned(),
            settings: RwLock::new(settings),
            segments: RwLock::new(segments),
            start: AtomicI64::new(start),
            end: AtomicI64::new(end),
            flushed: AtomicI64::new(end),
        }
    }

    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &PartitionName {
        &self.name
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
        self.segments.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Changes how it keeps its segments, from the next append on.
    pub fn set_settings(&self, settings: Settings) {
        *self.settings.write().unwrap_or_else(PoisonError::into_inner) = settings;
    }

    /// The segment that holds `offset`, or the last one, and where in it to begin looking.
    pub(super) fn find(&self, offset: i64) -> Option<(Arc<Segment>, u64)> {
        let segments = self.segments.read().unwrap_or_else(PoisonError::into_inner);
        let after = segments.partition_point(|segment| segment.base_offset() <= offset);
        let segment = segments.get(after.saturating_sub(1))?;
        Some((Arc::clone(segment), segment.look_up(|index| index.before_offset(offset))))
    }

    /// The segment that comes after the one that begins with `base_offset`.
    pub(super) fn find_after(&self, base_offset: i64) -> Option<Arc<Segment>> {
        let segments = self.segments.read().unwrap_or_else(PoisonError::into_inner);
        let after = segments.partition_point(|segment| segment.base_offset() <= base_offset);
        segments.get(after).cloned()
    }

    /// Appends one whole batch (by the one writer) and gives it its place.
    ///
    /// # Errors
    /// [`LogError`] when it could not be written; nothing is left of it then.
    pub fn append(&self, batch: &mut [u8], epoch: i32) -> Result<Appended, LogError> {
        let base_offset = self.end();
        place(batch, base_offset, epoch);
        let header = BatchHeader::parse(batch).map_err(|fault| LogError::Format {
            path: self.folder.clone(),
            problem: format!("a batch to append is {fault}"),
        })?;
        let segment = self.segment_for(batch.len() as u64)?;
        segment.append(batch, base_offset, header.max_timestamp_ms)?;
        let next_offset = header.next_offset();
        self.end.store(next_offset, Ordering::Release);
        Ok(Appended { base_offset, next_offset })
    }

    fn active(&self) -> Option<Arc<Segment>> {
        self.segments.read().unwrap_or_else(PoisonError::into_inner).last().cloned()
    }

    fn segment_for(&self, bytes: u64) -> Result<Arc<Segment>, LogError> {
        let limit = self.settings.read().unwrap_or_else(PoisonError::into_inner).segment_bytes;
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
        if let Some(active) = self.active() {
            if active.size_bytes() == 0 {
                return Ok(active);
            }
            active.close()?;
            self.flushed.fetch_max(self.end(), Ordering::AcqRel);
        }
        let segment = Arc::new(Segment::create(&self.folder, self.end())?);
        sync_parent(segment.path())?;
        let mut segments = self.segments.write().unwrap_or_else(PoisonError::into_inner);
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

    /// Removes whole closed segments below `offset`; gives the bytes that were freed.
    ///
    /// # Errors
    /// [`LogError`] when a file cannot be deleted; it is no longer read all the same.
    pub fn delete_before(&self, offset: i64) -> Result<u64, LogError> {
        let removed: Vec<Arc<Segment>> = {
            let mut segments = self.segments.write().unwrap_or_else(PoisonError::into_inner);
            let bases: Vec<i64> = segments.iter().map(|segment| segment.base_offset()).collect();
            let count = bases.iter().skip(1).take_while(|next| **next <= offset).count();
            let removed = segments.drain(..count).collect();
            let start = segments.first().map_or(0, |segment| segment.base_offset());
            self.start.fetch_max(start, Ordering::AcqRel);
            removed
        };
        let mut freed = 0;
        for segment in removed {
            freed += segment.size_bytes();
            segment.delete()?;
        }
        Ok(freed)
    }

    /// The segment and place from which on to look for the first batch with a timestamp of at least `timestamp_ms`;
    /// `None` when every record is older.
    pub(super) fn find_time(&self, timestamp_ms: i64) -> Option<(Arc<Segment>, u64)> {
        let segments = self.segments();
        let new_enough = |segment: &&Arc<Segment>| {
            segment.latest_ms().is_some_and(|latest| latest >= timestamp_ms)
        };
        let segment = segments.iter().find(new_enough)?;
        let place = segment.look_up(|index| index.before_time(timestamp_ms));
        Some((Arc::clone(segment), place))
    }
}

/// The segments in a folder, oldest first.
pub(super) fn segment_paths(folder: &Path) -> Result<Vec<PathBuf>, LogError> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(LogError::io("list", folder))? {
        let path = entry.map_err(LogError::io("list", folder))?.path();
        if path.extension().is_some_and(|extension| extension == "log") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}
