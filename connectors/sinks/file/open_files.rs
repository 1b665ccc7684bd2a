//! The files of a sink: what is written to each, and how to take the last write back.
//!
//! Invariant: between two writes every file is exactly `place.length` bytes long, or is marked `torn` and is cut to
//! that length before anything else happens to it.

use std::collections::{BTreeSet, HashMap};
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::time::Instant;
use tracing::debug;

use super::member::Compressor;
use super::page_cache::Trail;
use super::rotate::{Place, numbered};
use super::settle::settle;
use super::state::Known;
use super::which::Which;

/// Bytes that are gathered for one system call, or for one member of a compressed file.
pub(super) const CHUNK: usize = 1 << 20;

/// Bytes that wait, over all files, for a member to be worth it.
const WAITING_MAX: usize = 32 << 20;

/// Emptied buffers that are kept.
const SPARE_MAX: usize = 4;

/// A path and what the system said of it.
pub(super) type Failed = (PathBuf, io::Error);

/// One name, and the file that it stands for at the moment.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) place: Place,
    /// The partition that it is of, where the path has its number.
    pub(super) of: Option<Arc<str>>,
    /// Whether a state that has it where it stands was committed.
    pub(super) covered: bool,
    /// Written since the last checkpoint.
    pub(super) dirty: bool,
    /// It has had its time, and is about to be written.
    pub(super) due: bool,
    /// When it was last written.
    pub(super) used: Instant,
    /// How long the file was at the last commit, and the records that were written to it since.
    pub(super) since: (u64, u64),
    pub(super) handle: Option<File>,
    pub(super) trail: Trail,
    /// Encoded records; those of a compressed file stay over writes until they are worth a member.
    pending: Vec<u8>,
    /// How many they are.
    waiting: u64,
    /// The file may be longer than `place.length`.
    torn: bool,
    /// What to go back to when the write that is going on fails.
    before: Option<Before>,
}

/// Length of a file and its records since the last commit, and of what waits for it.
type Before = ((u64, u64), (usize, u64));

/// All files that may be written without a new state.
#[derive(Debug)]
pub(super) struct Files {
    pub(super) base: PathBuf,
    mode: u32,
    open_max: usize,
    compressor: Compressor,
    pub(super) entries: HashMap<Arc<str>, Entry>,
    touched: Vec<Arc<str>>,
    /// Whose names may not be on the disk.
    pub(super) folders: BTreeSet<PathBuf>,
    spare: Vec<Vec<u8>>,
    pub(super) open: usize,
    /// Records that somebody has destroyed before they were committed.
    pub(super) lost: u64,
}

impl Files {
    pub(super) fn new(base: &Path, mode: u32, open_max: usize, compressor: Compressor) -> Self {
        Self {
            base: base.to_path_buf(),
            mode,
            open_max,
            compressor,
            entries: HashMap::new(),
            touched: Vec::new(),
            folders: BTreeSet::new(),
            spare: Vec::new(),
            open: 0,
            lost: 0,
        }
    }

    pub(super) fn path(&self, name: &str, sequence: u64) -> PathBuf {
        numbered(&self.base.join(name), sequence)
    }

    pub(super) fn get_mut(&mut self, name: &str) -> Option<&mut Entry> {
        self.entries.get_mut(name)
    }

    /// Knows of no file any more; what waited for a write comes again.
    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.touched.clear();
        self.open = 0;
    }

    pub(super) fn insert(&mut self, (name, place, of): Known, covered: bool, now: Instant) {
        let entry = Entry {
            place,
            of,
            covered,
            dirty: false,
            due: false,
            used: now,
            since: (place.length, 0),
            handle: None,
            trail: Trail::at(place.length),
            pending: Vec::new(),
            waiting: 0,
            torn: false,
            before: None,
        };
        self.entries.insert(Arc::from(name.as_str()), entry);
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (&str, &mut Entry)> {
        self.entries.iter_mut().map(|(name, entry)| (&**name, entry))
    }

    /// Takes out the buffer into which records for `name` are encoded; `None` when its place is not committed.
    pub(super) fn take(&mut self, name: &str, now: Instant) -> Option<Vec<u8>> {
        let known = self.entries.get_key_value(name).map(|(known, _)| Arc::clone(known))?;
        let is_known = |entry: &&mut Entry| entry.covered && entry.place.which != Which::Nobody;
        let entry = self.entries.get_mut(name).filter(is_known)?;
        if entry.before.is_none() {
            let disk = (entry.place.length, entry.since.1);
            entry.before = Some((disk, (entry.pending.len(), entry.waiting)));
            self.touched.push(known);
        }
        entry.used = now;
        if entry.pending.capacity() == 0 {
            return Some(self.spare.pop().unwrap_or_default());
        }
        Some(std::mem::take(&mut entry.pending))
    }

    /// Gives the buffer of `name` back, with so many records more in it; what is worth it is written.
    ///
    /// # Errors
    /// The file and what the system says.
    pub(super) fn put(
        &mut self,
        name: &str,
        (buffer, records): (Vec<u8>, u64),
    ) -> Result<(), Failed> {
        let full = buffer.len() >= CHUNK && !self.compressor.is_on();
        if let Some(entry) = self.entries.get_mut(name) {
            entry.pending = buffer;
            entry.waiting += records;
        }
        if full { self.flush(name) } else { Ok(()) }
    }

    /// Ends a write: nothing of it is taken back any more. Buffers that are worth it are written first.
    ///
    /// # Errors
    /// The file and what the system says; the write must then be undone.
    pub(super) fn finish(&mut self) -> Result<(), Failed> {
        let waiting: usize = self.entries.values().map(|entry| entry.pending.len()).sum();
        let gather = self.compressor.is_on() && waiting <= WAITING_MAX;
        let touched = std::mem::take(&mut self.touched);
        let due = |entry: &Entry| !gather || entry.pending.len() >= CHUNK;
        for name in &touched {
            if self.entries.get(name).is_some_and(due)
                && let Err(failed) = self.flush(name)
            {
                self.touched = touched;
                return Err(failed);
            }
        }
        for name in &touched {
            if let Some(entry) = self.entries.get_mut(name)
                && let Some(((length, _), _)) = entry.before.take()
                && (entry.place.length != length || !gather)
            {
                recycle(entry, &mut self.spare);
            }
        }
        self.touched = touched;
        self.touched.clear();
        Ok(())
    }

    /// Takes back everything since the last [`Files::finish`].
    pub(super) fn undo(&mut self) {
        for name in std::mem::take(&mut self.touched) {
            let Some(entry) = self.entries.get_mut(&name) else { continue };
            let Some(((length, records), (pending, waiting))) = entry.before.take() else {
                continue;
            };
            (entry.since.1, entry.waiting) = (records, waiting);
            entry.torn |= entry.place.length != length;
            entry.place.length = length;
            entry.pending.truncate(pending);
            if !entry.torn {
                continue;
            }
            if let Err((path, error)) = self.mend(&name) {
                // The write's own error is what is told; before the next write this is tried again.
                debug!(path = %path.display(), %error, "cannot take back half a write yet");
            }
            // Opened anew for the next try: what stands there may be another file by then.
            self.close(&name);
        }
    }

    /// Writes what waits for `name`. On failure the file is cut back before anything else is written to it.
    ///
    /// # Errors
    /// The file and what the system says.
    pub(super) fn flush(&mut self, name: &str) -> Result<(), Failed> {
        self.mend(name)?;
        let Some(entry) = self.entries.get_mut(name) else { return Ok(()) };
        if entry.pending.is_empty() {
            return Ok(());
        }
        self.lost += entry.miss_what_is_cut(&self.base.join(name));
        let packed = self.compressor.pack(&entry.pending);
        let packed = packed.map_err(|error| (self.base.join(name), error))?;
        let Some(file) = &mut entry.handle else { return Ok(()) };
        entry.torn = true;
        let written = file.write_all(packed);
        written.map_err(|error| (numbered(&self.base.join(name), entry.place.sequence), error))?;
        entry.torn = false;
        entry.dirty = true;
        entry.since.1 += std::mem::take(&mut entry.waiting);
        entry.place.length += packed.len() as u64;
        entry.trail.follow(file, entry.place.length);
        if !self.compressor.is_on() {
            entry.pending.clear();
        }
        Ok(())
    }

    /// Writes what waits in any file, outside of a write, and cuts what an undone write has left.
    ///
    /// # Errors
    /// The file and what the system says; it and the others keep what they have.
    pub(super) fn flush_all(&mut self) -> Result<(), Failed> {
        let waits = |(name, entry): (&Arc<str>, &Entry)| {
            (entry.torn || !entry.pending.is_empty()).then(|| Arc::clone(name))
        };
        let waiting: Vec<Arc<str>> = self.entries.iter().filter_map(waits).collect();
        for name in waiting {
            self.flush(&name)?;
            if let Some(entry) = self.entries.get_mut(&name) {
                recycle(entry, &mut self.spare);
            }
        }
        Ok(())
    }

    /// Opens the file of `name` if it is not, and cuts off what is not ours.
    fn mend(&mut self, name: &str) -> Result<(), Failed> {
        let Some(entry) = self.entries.get(name) else { return Ok(()) };
        let opened = entry.handle.is_none();
        let path = self.path(name, entry.place.sequence);
        if opened {
            self.make_room();
            let file = self.open(&path).map_err(|error| (path.clone(), error))?;
            self.open += 1;
            if let Some(entry) = self.entries.get_mut(name) {
                entry.handle = Some(file);
            }
        }
        let Some(entry) = self.entries.get_mut(name) else { return Ok(()) };
        if let Some(file) = entry.handle.as_ref().filter(|_| opened || entry.torn) {
            entry.place = settle(file, &path, entry.place).map_err(|error| (path, error))?;
            entry.torn = false;
        }
        Ok(())
    }

    /// Makes the file of a place in which nothing of ours is yet, or goes on behind what stands there, so that it is known
    /// which file it is before the first byte is written to it.
    ///
    /// # Errors
    /// The file and what the system says.
    pub(super) fn claim(&mut self, name: &str) -> Result<(), Failed> {
        let Some(place) = self.entries.get(name).map(|entry| entry.place) else { return Ok(()) };
        let path = self.path(name, place.sequence);
        self.close(name);
        self.make_room();
        let opened = self.open(&path).and_then(|file| Ok((file.metadata()?, file)));
        let (found, file) = opened.map_err(|error| (path, error))?;
        self.open += 1;
        let Some(entry) = self.entries.get_mut(name) else { return Ok(()) };
        let length = if found.is_file() { found.len() } else { place.length };
        entry.place = Place { length, which: Which::of(&found), ..place };
        entry.since = (length, 0);
        entry.trail = Trail::at(length);
        entry.handle = Some(file);
        entry.covered = false;
        Ok(())
    }

    pub(super) fn open(&mut self, path: &Path) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.append(true).mode(self.mode);
        match options.open(path) {
            Err(missing) if missing.kind() == ErrorKind::NotFound => {}
            opened => return opened,
        }
        let folder = path.parent().unwrap_or(Path::new("."));
        let mut missing = folder;
        while !missing.as_os_str().is_empty() && !missing.exists() {
            missing = missing.parent().unwrap_or(Path::new(""));
            self.folders.insert(missing.to_path_buf());
        }
        fs::create_dir_all(folder)?;
        self.folders.insert(folder.to_path_buf());
        options.create(true).open(path)
    }

    /// Closes the file that has not been written for the longest time when no more may be open.
    pub(super) fn make_room(&mut self) {
        while self.open >= self.open_max {
            let opened = self.entries.values_mut().filter(|entry| entry.handle.is_some());
            let Some(oldest) = opened.min_by_key(|entry| entry.used) else { return };
            oldest.handle = None;
            self.open -= 1;
        }
    }

    /// Closes the file of `name`.
    pub(super) fn close(&mut self, name: &str) {
        if let Some(entry) = self.entries.get_mut(name)
            && entry.handle.take().is_some()
        {
            self.open -= 1;
        }
    }

    /// Forgets the names that nobody has written since `oldest`, and that a committed state covers; returns whether
    /// there were any.
    pub(super) fn forget_idle(&mut self, oldest: Instant) -> bool {
        let (open, known) = (&mut self.open, self.entries.len());
        self.entries.retain(|_, entry| {
            let is_committed = entry.covered && entry.since.0 == entry.place.length;
            let busy = !is_committed || entry.dirty || entry.torn || !entry.pending.is_empty();
            let keep = busy || entry.used >= oldest;
            *open -= usize::from(!keep && entry.handle.is_some());
            keep
        });
        if self.entries.is_empty() {
            self.spare.clear();
        }
        self.entries.len() < known
    }
}

/// Empties the buffer of `entry` and keeps it for another file.
fn recycle(entry: &mut Entry, spare: &mut Vec<Vec<u8>>) {
    let mut buffer = std::mem::take(&mut entry.pending);
    buffer.clear();
    if spare.len() < SPARE_MAX && buffer.capacity() <= 4 * CHUNK {
        spare.push(buffer);
    }
}
