//! Files that somebody removes, renames, cuts or replaces while they are written.
//!
//! What they do to what was committed stays: it is theirs. What was written since is not committed yet, so each commit
//! looks first whether the path still leads to the file that is open:
//!
//! | what was done                | what was written since the last commit                            |
//! |------------------------------|-------------------------------------------------------------------|
//! | renamed, or its folder       | is in the renamed file; the next write makes a new one            |
//! | removed, or its folder       | is written again to a new file, from the file that is still open  |
//! | cut                          | is gone, and counted as lost; what is written next follows        |
//! | removed while it was closed (`max_open_files`) | the same                                        |
//!
//! Whether a file was cut is looked at before each write, since a write afterwards hides how far.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

use tracing::warn;

use super::open_files::{CHUNK, Entry, Failed, Files};
use super::page_cache::Trail;
use super::rotate::numbered;
use super::which::Which;

/// What has become of a file since the last commit.
enum Fate {
    /// It is where it was.
    Kept,
    /// It has another name.
    Moved,
    /// It has none any more.
    Removed,
    /// It cannot be read any more.
    Gone,
}

impl Entry {
    /// Takes note of what somebody has cut off since the last write; the number of records that this has cost.
    pub(super) fn miss_what_is_cut(&mut self, path: &Path) -> u64 {
        let found = self.handle.as_ref().and_then(|file| file.metadata().ok());
        let Some(found) = found.filter(|found| found.is_file() && found.nlink() > 0) else {
            return 0;
        };
        if found.len() >= self.place.length {
            return 0;
        }
        let lost = self.lose(self.place.length - found.len());
        let path = numbered(path, self.place.sequence);
        warn!(path = %path.display(), expected = self.place.length, length = found.len(), lost, "somebody else has cut a file of this sink");
        self.place.length = found.len();
        self.since.0 = self.since.0.min(found.len());
        lost
    }

    /// How many of the records since the last commit were in the last `bytes` of the file: all, or their share.
    fn lose(&mut self, bytes: u64) -> u64 {
        let (since, records) = self.since;
        let written = self.place.length.saturating_sub(since);
        let lost = match bytes < written {
            true => records.saturating_mul(bytes).div_ceil(written),
            false => records,
        };
        self.since.1 -= lost;
        lost
    }

    fn fate(&self, path: &Path) -> Fate {
        let found = fs::metadata(path).ok();
        let ours = self.handle.as_ref().and_then(|file| file.metadata().ok());
        let id = |found: &fs::Metadata| (found.dev(), found.ino());
        match (&found, &ours) {
            (Some(found), Some(ours)) if id(found) == id(ours) => Fate::Kept,
            (_, Some(ours)) if ours.nlink() > 0 => Fate::Moved,
            (_, Some(_)) => Fate::Removed,
            (Some(found), None) if !self.place.which.is_other(found) => Fate::Kept,
            (_, None) => Fate::Gone,
        }
    }
}

impl Files {
    /// Looks what somebody else has done to the files that were written since the last commit, and mends what can be.
    ///
    /// # Errors
    /// The file and what the system says; nothing may be committed then.
    pub(super) fn look_first(&mut self) -> Result<(), Failed> {
        let written = |entry: &Entry| entry.dirty || entry.place.length != entry.since.0;
        let written = self.entries.iter().filter(|(_, entry)| written(entry));
        let names: Vec<_> = written.map(|(name, _)| std::sync::Arc::clone(name)).collect();
        for name in names {
            let whole = self.base.join(&*name);
            let Some(entry) = self.entries.get_mut(&name) else { continue };
            let path = numbered(&whole, entry.place.sequence);
            let fate = entry.fate(&path);
            match fate {
                Fate::Kept => self.look_at_length(&name, &path),
                Fate::Moved => {
                    warn!(path = %path.display(), "somebody else has renamed a file of this sink; the next write makes it anew");
                    self.begin_anew(&name, &path);
                }
                Fate::Removed => {
                    self.write_again(&name, &path).map_err(|error| (path, error))?;
                }
                Fate::Gone => {
                    let lost = entry.lose(u64::MAX);
                    warn!(path = %path.display(), lost, "somebody else has removed a file of this sink while it was closed");
                    self.lost += lost;
                    self.begin_anew(&name, &path);
                }
            }
        }
        Ok(())
    }

    fn look_at_length(&mut self, name: &str, path: &Path) {
        let Some(entry) = self.entries.get_mut(name) else { return };
        self.lost += entry.miss_what_is_cut(&self.base.join(name));
        let found = fs::metadata(path).ok().filter(fs::Metadata::is_file);
        let Some(length) = found.map(|found| found.len()) else { return };
        if length != entry.place.length {
            warn!(path = %path.display(), expected = entry.place.length, length, "somebody else has changed a file of this sink; what they did stays");
            entry.place.length = length;
        }
    }

    /// The next write goes behind what stands at the path now.
    fn begin_anew(&mut self, name: &str, path: &Path) {
        self.close(name);
        let Some(entry) = self.entries.get_mut(name) else { return };
        let found = fs::metadata(path).ok().filter(fs::Metadata::is_file);
        entry.place.length = found.map_or(0, |found| found.len());
        entry.place.which = Which::Nobody;
        entry.since = (entry.place.length, 0);
    }

    /// Writes what was written since the last commit to a new file, from the one that has no name any more.
    fn write_again(&mut self, name: &str, path: &Path) -> io::Result<()> {
        let Some(entry) = self.entries.get_mut(name) else { return Ok(()) };
        let Some(old) = entry.handle.take() else { return Ok(()) };
        self.open -= 1;
        let (from, until) = (entry.since.0, entry.place.length);
        // Its own handle only writes.
        let Ok(source) = File::open(format!("/proc/self/fd/{}", old.as_raw_fd())) else {
            let lost = entry.lose(u64::MAX);
            warn!(path = %path.display(), lost, "somebody else has removed a file of this sink, and it cannot be read any more");
            self.lost += lost;
            self.begin_anew(name, path);
            return Ok(());
        };
        self.make_room();
        let copied = self.open(path).and_then(|new| {
            let begin = new.metadata()?.len();
            copy(&source, from..until, &new).inspect_err(|_| {
                // What is there is written anew the next time.
                new.set_len(begin).ok();
            })?;
            Ok((new, begin))
        });
        let Some(entry) = self.entries.get_mut(name) else { return Ok(()) };
        self.open += 1;
        let (new, begin) = match copied {
            Ok(copied) => copied,
            Err(error) => {
                entry.handle = Some(old);
                return Err(error);
            }
        };
        let records = entry.since.1;
        let new_which = new.metadata().map_or(Which::Unsaid, |found| Which::of(&found));
        warn!(path = %path.display(), records, "somebody else has removed a file of this sink; what was not committed yet is written again");
        entry.handle = Some(new);
        entry.trail = Trail::at(begin);
        entry.place.which = new_which;
        entry.place.length = begin + (until - from);
        entry.since.0 = begin;
        entry.dirty = true;
        Ok(())
    }

    /// All that was written is committed.
    pub(super) fn committed(&mut self) {
        for entry in self.entries.values_mut() {
            entry.since = (entry.place.length, 0);
        }
    }
}

fn copy(source: &File, range: std::ops::Range<u64>, mut to: &File) -> io::Result<()> {
    let mut buffer = vec![0; CHUNK];
    let mut at = range.start;
    while at < range.end {
        let most = usize::try_from(range.end - at).unwrap_or(CHUNK).min(CHUNK);
        let part = buffer.get_mut(..most).unwrap_or_default();
        source.read_exact_at(part, at)?;
        to.write_all(part)?;
        at += most as u64;
    }
    Ok(())
}
