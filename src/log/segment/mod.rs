//! One file of a partition: record batches end to end, nothing else (see [`crate::wire::batch_header`]).
//!
//! Limits: a batch never spans two files; a file is closed before it would pass the segment size, and stays below
//! 4 GiB. Written by one writer with plain `pwrite`; read by anyone below [`Segment::size_bytes`].

mod hints;
pub(super) mod index;
mod page_cache;

use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use parking_lot::RwLock;
use rustix::fs::{Advice, fadvise};

use crate::log::disk::{self, File};
use crate::log::{LogError, sync_parent};
use crate::wire::BatchError;
use index::Index;

/// Bytes that stay in memory behind the readers: the log is not told of all of them.
const KEEP_BYTES: u64 = 64 << 20;
/// Bytes that are let go at a time. The largest page that a file system uses divides it.
const STEP_BYTES: u64 = 8 << 20;

/// Bytes that are written once more at a time.
const REWRITE_BYTES: usize = 1 << 20;

/// Extension of a segment that is written aside.
pub(super) const CLEANED: &str = "log.cleaned";

/// A file of batches. Shared by the writer and all readers; a reader that holds one may read on after its deletion.
#[derive(Debug)]
pub struct Segment {
    base_offset: i64,
    path: PathBuf,
    file: File,
    size_bytes: AtomicU64,
    index: RwLock<Index>,
    /// Bytes that it had when it was opened: what is behind them was appended in this life.
    opened_bytes: u64,
    replaced: AtomicBool,
    /// A sync has failed: whatever later ones say, what is in it need not be on disk.
    suspect: AtomicBool,
    /// Something lies behind the last batch that could not be cut off.
    is_ragged: AtomicBool,
    /// Bytes from the front that were let go from memory.
    left: AtomicU64,
}

impl Segment {
    /// Makes an empty segment.
    ///
    /// # Errors
    /// [`LogError`] when the file cannot be made.
    pub fn create(folder: &Path, base_offset: i64) -> Result<Self, LogError> {
        Self::create_as(folder, base_offset, "log")
    }

    /// Removes what an earlier try to make the segment has left, if there is something.
    pub(super) fn clear_away(folder: &Path, base_offset: i64) {
        // Where it cannot be removed, the segment cannot be made, which is told.
        disk::remove_file(&folder.join(format!("{base_offset:020}.log"))).ok();
    }

    /// Makes an empty segment that will replace one or several: it is written aside (see [`Segment::put_in_place`]).
    pub(super) fn create_aside(folder: &Path, base_offset: i64) -> Result<Self, LogError> {
        Self::create_as(folder, base_offset, CLEANED)
    }

    fn create_as(folder: &Path, base_offset: i64, extension: &str) -> Result<Self, LogError> {
        let path = folder.join(format!("{base_offset:020}.log"));
        let made = path.with_extension(extension);
        let file = File::make_new(&made).map_err(LogError::io("create", &made))?;
        Ok(Self {
            base_offset,
            path,
            file,
            size_bytes: AtomicU64::new(0),
            index: RwLock::default(),
            opened_bytes: 0,
            replaced: AtomicBool::new(false),
            suspect: AtomicBool::new(false),
            is_ragged: AtomicBool::new(false),
            left: AtomicU64::new(0),
        })
    }

    /// Opens a segment that is there; its index is empty until it is scanned or loaded.
    ///
    /// # Errors
    /// [`LogError`] when the file cannot be opened, or its name is not an offset.
    pub fn open(path: &Path, writable: bool) -> Result<Self, LogError> {
        let base_offset = base_offset(path).ok_or_else(|| LogError::Format {
            path: path.to_owned(),
            problem: "the name of a segment is its first offset in 20 digits".to_owned(),
        })?;
        let file = File::open(path, writable).map_err(LogError::io("open", path))?;
        let size = file.metadata().map_err(LogError::io("inspect", path))?.len();
        Ok(Self {
            base_offset,
            path: path.to_owned(),
            file,
            size_bytes: AtomicU64::new(size),
            index: RwLock::default(),
            opened_bytes: size,
            replaced: AtomicBool::new(false),
            suspect: AtomicBool::new(false),
            is_ragged: AtomicBool::new(false),
            // What an earlier life has written is not in memory, or because somebody reads it.
            left: AtomicU64::new(size),
        })
    }

    /// First offset that it may hold.
    #[must_use]
    pub const fn base_offset(&self) -> i64 {
        self.base_offset
    }

    /// Its file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes of whole batches.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes.load(Ordering::Acquire)
    }

    pub(super) const fn file(&self) -> &File {
        &self.file
    }

    pub(super) const fn opened_bytes(&self) -> u64 {
        self.opened_bytes
    }

    /// When it was last written to, ms since the Unix epoch.
    #[must_use]
    pub fn written_ms(&self) -> Option<i64> {
        since_epoch_ms(self.file.metadata().ok()?.modified().ok()?)
    }

    /// When it was made, ms since the Unix epoch; `None` when the file system does not know.
    #[must_use]
    pub fn created_ms(&self) -> Option<i64> {
        since_epoch_ms(self.file.metadata().ok()?.created().ok()?)
    }

    /// Latest timestamp in it, ms.
    #[must_use]
    pub fn latest_ms(&self) -> Option<i64> {
        self.look_up(Index::latest_ms)
    }

    /// Appends a batch, whose head is apart, and notes it; a failed write leaves nothing behind.
    pub(super) fn append(
        &self,
        head: &[u8],
        rest: &[u8],
        (first_offset, next_offset): (i64, i64),
        max_timestamp_ms: i64,
    ) -> Result<(), LogError> {
        self.smooth()?;
        let place = self.size_bytes();
        if let Err(cause) = self.file.write_both_at(head, rest, place) {
            // Readers never look beyond the size, but the next start does.
            self.is_ragged.store(self.file.set_len(place).is_err(), Ordering::Release);
            return Err(LogError::io("write", &self.path)(cause));
        }
        let end = place + (head.len() + rest.len()) as u64;
        let mut index = self.index.write();
        index.note(first_offset, place, max_timestamp_ms);
        index.note_end(next_offset, end);
        drop(index);
        self.size_bytes.store(end, Ordering::Release);
        Ok(())
    }

    /// Cuts off what an append that failed has left behind the last batch.
    fn smooth(&self) -> Result<(), LogError> {
        if self.is_ragged.load(Ordering::Acquire) {
            self.truncate(self.size_bytes())?;
            self.is_ragged.store(false, Ordering::Release);
        }
        Ok(())
    }

    pub(super) fn note(&self, offset: i64, place: u64, max_timestamp_ms: i64) {
        let mut index = self.index.write();
        index.note(offset, place, max_timestamp_ms);
    }

    /// Looks something up in the index.
    pub(super) fn look_up<T>(&self, ask: impl FnOnce(&Index) -> T) -> T {
        ask(&self.index.read())
    }

    pub(super) fn set_index(&self, index: Index) {
        *self.index.write() = index;
    }

    /// Reads up to `want` bytes at `place` to the end of `out`; fewer at the end of the segment.
    ///
    /// # Errors
    /// [`LogError`] when the file cannot be read.
    pub fn read_at(&self, place: u64, want: usize, out: &mut Vec<u8>) -> Result<usize, LogError> {
        let left = self.size_bytes().saturating_sub(place);
        let want = want.min(usize::try_from(left).unwrap_or(usize::MAX));
        let used = out.len();
        out.resize(used + want, 0);
        let target = out.get_mut(used..).unwrap_or_default();
        if let Err(cause) = self.file.read_exact_at(target, place) {
            // Nobody may take what was not read for what the file holds.
            out.truncate(used);
            return Err(LogError::io("read", &self.path)(cause));
        }
        Ok(want)
    }

    /// What is wrong, and where in the file.
    pub(super) fn damage_at(&self, place: u64, fault: &BatchError) -> String {
        format!("{} is damaged at byte {place}: {fault}", self.path.display())
    }

    /// Bytes that its file has now: another process may have appended, or be doing so.
    pub(super) fn file_bytes(&self) -> Result<u64, LogError> {
        let metadata = self.file.metadata().map_err(LogError::io("inspect", &self.path))?;
        Ok(metadata.len())
    }

    /// Says how many bytes are whole batches, for one who only looks.
    pub(super) fn set_size_bytes(&self, size_bytes: u64) {
        self.size_bytes.store(size_bytes, Ordering::Release);
    }

    /// Makes what was appended durable; never again after it has failed once.
    pub(super) fn flush(&self) -> Result<(), LogError> {
        let synced = if self.is_suspect() {
            Err(std::io::Error::other("an earlier sync of this file has failed"))
        } else {
            self.file.sync_data()
        };
        synced.map_err(|cause| {
            self.suspect.store(true, Ordering::Release);
            LogError::io("sync", &self.path)(cause)
        })
    }

    /// Writes what lies from the batch of `offset` on once more where it lies, so that the next sync brings it to the disk: an
    /// earlier life may have ended after a sync that failed, and nothing tells which pages it was that are gone.
    pub(super) fn rewrite(&self, offset: i64) -> Result<(), LogError> {
        // What was cut off may be there again as well.
        self.truncate(self.size_bytes())?;
        let mut place = self.look_up(|index| index.before_offset(offset));
        let mut bytes = Vec::new();
        loop {
            bytes.clear();
            if self.read_at(place, REWRITE_BYTES, &mut bytes)? == 0 {
                return Ok(());
            }
            match self
                .file
                .write_both_at(&bytes, &[], place)
                .map_err(LogError::io("write", &self.path))
            {
                // Only where a file system never writes in place; no more is known of it then than before.
                Ok(()) | Err(LogError::NoSpace { .. }) => place += bytes.len() as u64,
                Err(error) => return Err(error),
            }
        }
    }

    /// As after a sync that failed.
    #[cfg(test)]
    pub(crate) fn suspect_for_test(&self) {
        self.suspect.store(true, Ordering::Release);
    }

    /// Whether a sync has failed.
    pub(super) fn is_suspect(&self) -> bool {
        self.suspect.load(Ordering::Acquire)
    }

    /// Lets go of the pages before `place`, but for the last [`KEEP_BYTES`] bytes; in steps, so that most calls do nothing.
    /// Gives the bytes that were let go.
    pub(super) fn leave_memory(&self, place: u64) -> u64 {
        let place = place.saturating_sub(KEEP_BYTES);
        let place = place - place % STEP_BYTES;
        let left = self.left.fetch_max(place, Ordering::AcqRel);
        let bytes = place.saturating_sub(left);
        if let Some(bytes) = NonZeroU64::new(bytes) {
            // A hint: some file systems have no such pages.
            fadvise(self.file.inner(), left, Some(bytes), Advice::DontNeed).ok();
        }
        bytes
    }

    /// Lets go of all pages before `place`, whoever reads them.
    pub(super) fn let_go(&self, place: u64) {
        if let Some(bytes) = NonZeroU64::new(place) {
            // A hint: some file systems have no such pages.
            fadvise(self.file.inner(), 0, Some(bytes), Advice::DontNeed).ok();
        }
    }

    /// Cuts the file; what is beyond `size_bytes` must have been kept elsewhere if anyone wants it.
    pub(super) fn truncate(&self, size_bytes: u64) -> Result<(), LogError> {
        self.file.set_len(size_bytes).map_err(LogError::io("cut", &self.path))?;
        self.size_bytes.store(size_bytes, Ordering::Release);
        Ok(())
    }

    /// Closes it for appends: writes its index and what its producers have done beside it.
    pub(super) fn close(&self, producers: &[u8]) -> Result<(), LogError> {
        self.smooth()?;
        self.flush()?;
        self.write_hints(Some(producers))
    }

    /// Whether another segment holds now what it held.
    pub(super) fn is_replaced(&self) -> bool {
        self.replaced.load(Ordering::Acquire)
    }

    /// Says that another segment holds from now on what it held.
    pub(super) fn set_replaced(&self) {
        self.replaced.store(true, Ordering::Release);
    }

    /// When it was last written to.
    pub(super) fn modified(&self) -> Option<SystemTime> {
        self.file.metadata().ok()?.modified().ok()
    }

    /// Makes a segment that was written aside durable, with the time at which its records were last written.
    pub(super) fn seal_aside(&self, modified: Option<SystemTime>) -> Result<(), LogError> {
        if let Some(modified) = modified {
            // Retention by time only keeps the records longer without it.
            self.file.set_modified(modified).ok();
        }
        self.file.sync_all().map_err(LogError::io("sync", &self.path))
    }

    /// Gives a segment that was written aside the name under which it is found, in place of the one that has it. The
    /// index of that one goes first: it could fit by chance.
    pub(super) fn put_in_place(&self) -> Result<(), LogError> {
        for hint in ["index", "producers"] {
            let path = self.path.with_extension(hint);
            match disk::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(LogError::io("delete", &path)(error));
                }
                _ => {}
            }
        }
        sync_parent(&self.path)?;
        disk::rename(&self.path.with_extension(CLEANED), &self.path)
            .map_err(LogError::io("rename", &self.path))
    }

    /// Removes what was written aside.
    pub(super) fn discard_aside(&self) {
        // The next start removes it as well.
        disk::remove_file(&self.path.with_extension(CLEANED)).ok();
    }

    /// Removes the segment and its hints; readers that hold it may go on.
    pub(super) fn delete(&self) -> Result<(), LogError> {
        // A hint without its segment is harmless, and so is one that was never written.
        disk::remove_file(&self.path.with_extension("producers")).ok();
        disk::remove_file(&self.path.with_extension("index")).ok();
        match disk::remove_file(&self.path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(LogError::io("delete", &self.path)(error))
            }
            _ => Ok(()),
        }
    }
}

/// First offset of the segment at `path`; `None` when its name is not one.
pub(super) fn base_offset(path: &Path) -> Option<i64> {
    path.file_stem()?.to_str()?.parse().ok()
}

fn since_epoch_ms(time: SystemTime) -> Option<i64> {
    i64::try_from(time.duration_since(UNIX_EPOCH).ok()?.as_millis()).ok()
}
