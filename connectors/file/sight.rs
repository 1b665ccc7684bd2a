//! What is there to see: finds files, and learns where paths lead.
//!
//! Invariant: `names` of a file is the number of `paths` that lead to it; one that loses its last is in `lost`.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::io::Errno;
use tokio::time::Instant;
use tracing::warn;

use super::discover::{Found, Hit, Interest};
use super::follow::Follower;
use super::handles::hint;
use super::identity::{self, Identity, Stat};
use super::position::Mark;
use super::source::ReadFrom;
use super::tail::{Anchor, Tail};
use super::watch::Hints;
use crate::clock;
use crate::source::Closed;

/// The looking takes at most this part of the time.
const RECONCILE_SHARE: u32 = 20;
/// How long a position is kept whose file cannot be found, milliseconds.
const FORGET_AFTER_MS: i64 = 7 * 24 * 3_600_000;
/// How long it must have been looked for in this life.
const FORGET_UPTIME: Duration = Duration::from_hours(1);
/// Looks in a row while folders keep coming.
const LOOKS_MAX: usize = 8;

impl Follower {
    /// Looks through all folders and at all files: the truth, which hints only bring earlier.
    pub(super) fn reconcile(&mut self, first: bool) -> Result<(), Closed> {
        let began = Instant::now();
        self.pardon();
        let mut found = self.settings.globs.walk(None);
        for _ in 0..LOOKS_MAX {
            if !self.watch_folders(&mut found) {
                break;
            }
            // What came into a folder before it was watched has to be looked for.
            found = self.settings.globs.walk(None);
        }
        for (folder, cause) in found.closed {
            let cause = Errno::from_io_error(&cause).unwrap_or(Errno::IO);
            if cause != Errno::NOENT && cause != Errno::NOTDIR {
                self.refuse(&folder, cause);
            }
        }
        for hit in &found.files {
            self.see(hit, first);
        }
        let seen: HashSet<&Path> = found.files.iter().map(|hit| hit.path.as_path()).collect();
        let others: Vec<PathBuf> =
            self.paths.keys().filter(|path| !seen.contains(path.as_path())).cloned().collect();
        others.iter().for_each(|path| self.look_again(path));
        self.find_nameless();
        self.find_stored();
        self.expire()?;
        self.rest();
        let polling = self.watch.is_none() || self.watch_incomplete;
        let pause =
            if polling { self.settings.poll_interval } else { self.settings.reconcile_interval };
        let now = Instant::now();
        self.reconcile_at = now + pause.max((now - began) * RECONCILE_SHARE);
        Ok(())
    }

    /// Watches what was found; whether there is a folder that was not watched before.
    fn watch_folders(&mut self, found: &mut Found) -> bool {
        let Some(watch) = &mut self.watch else { return false };
        let mut folders: HashMap<PathBuf, Interest> = found.folders.iter().cloned().collect();
        let links = found.files.iter().filter(|hit| hit.is_link).map(Hit::place);
        let places: HashSet<PathBuf> =
            links.chain(self.paths.keys().cloned()).filter_map(|path| folder_of(&path)).collect();
        folders.extend(places.into_iter().map(|folder| (folder, Interest::Files)));
        let folders: Vec<_> = folders.into_iter().map(|(path, why)| (nearest(path), why)).collect();
        match watch.set(&folders) {
            Ok(new) => {
                self.watch_incomplete = false;
                new
            }
            Err((folder, cause)) => {
                if !std::mem::replace(&mut self.watch_incomplete, true) {
                    let hint = match Errno::from_io_error(&cause) {
                        Some(cause @ (Errno::ACCESS | Errno::PERM)) => hint(cause),
                        _ => "raise fs.inotify.max_user_watches",
                    };
                    let folder = folder.display();
                    warn!(%folder, %cause, hint, "cannot watch folder; files are looked at in turn");
                }
                false
            }
        }
    }

    /// Goes after what the watches told.
    pub(super) fn follow_hints(&mut self, hints: Hints) {
        if hints.everything {
            self.reconcile_at = Instant::now();
        }
        for path in hints.grown {
            match self.paths.get(&path) {
                Some(identity) => self.enqueue(*identity),
                None => self.look(&path),
            }
        }
        let mut looked = HashSet::new();
        for path in hints.files {
            if !looked.contains(&path) {
                self.look(&path);
                looked.insert(path);
            }
        }
        for folder in hints.folders {
            if looked.insert(folder.clone()) {
                self.look_through(&folder);
            }
        }
    }

    /// Finds what is in a folder that has come.
    fn look_through(&mut self, folder: &Path) {
        let mut found = Found::default();
        for _ in 0..LOOKS_MAX {
            found = self.settings.globs.walk(Some(folder));
            let Some(watch) = &mut self.watch else { break };
            let mut new = false;
            for (path, interest) in &found.folders {
                new |= watch.add(path, *interest).unwrap_or(false);
            }
            if !new {
                break;
            }
        }
        found.files.iter().for_each(|hit| self.see(hit, false));
    }

    /// Looks at a path that something was said of.
    pub(super) fn look(&mut self, path: &Path) {
        if self.settings.globs.matches(path) {
            let is_link = fs::symlink_metadata(path).is_ok_and(|found| found.is_symlink());
            self.see(&Hit { path: path.to_path_buf(), is_link }, false);
        } else if self.paths.contains_key(path) {
            self.look_again(path);
        }
    }

    /// Looks at a path that is only known because a known file was there.
    fn look_again(&mut self, path: &Path) {
        match identity::stat(path) {
            Ok(found) if self.tails.contains_key(&found.identity) => self.noticed(path, &found),
            _ => self.unpoint(path),
        }
    }

    /// Looks at a path that is meant to be read.
    fn see(&mut self, hit: &Hit, first: bool) {
        let path = &hit.path;
        let found = match identity::stat(path) {
            Ok(found) if found.is_file => found,
            Ok(_) | Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {
                self.unpoint(path);
                // Another may have come and been rotated since the last look.
                self.lost.extend(self.lineages.get(path).and_then(|lineage| lineage.last()));
                return;
            }
            Err(cause) => {
                self.refuse(path, cause);
                return;
            }
        };
        let known = self.tails.contains_key(&found.identity);
        if !known && !self.begin(hit, &found, first) {
            self.unpoint(path);
            return;
        }
        self.noticed(path, &found);
        if hit.is_link {
            let place = hit.place();
            self.point(&place, found.identity);
            if let Some(tail) = self.tails.get_mut(&found.identity) {
                tail.place = place;
            }
        }
    }

    /// Takes note that `path` leads to a known file, which is read when it has changed.
    fn noticed(&mut self, path: &Path, found: &Stat) {
        self.point(path, found.identity);
        let Some(tail) = self.tails.get_mut(&found.identity) else { return };
        if path == tail.path {
            tail.seen_ms = clock::now_ms();
        }
        let known = tail.mark.offset + tail.open_length;
        if found.size != known || found.modified_ns != tail.modified_ns {
            tail.modified_ns = found.modified_ns;
            self.enqueue(found.identity);
        }
    }

    /// Takes up a file that is not known; `false` when it is left alone.
    fn begin(&mut self, hit: &Hit, found: &Stat, first: bool) -> bool {
        let place = hit.place();
        if let Some(value) = self.stored.get(found.identity) {
            let value = value.clone();
            self.resume(&place, found.identity, value, false);
            self.prove_taken_up(found.identity);
            return true;
        }
        if let Some(value) = self.left_behind(&place, found) {
            self.take_up_copy(&place, found, value);
            return true;
        }
        let age_ms = clock::now_ms().saturating_sub(found.modified_ms);
        let age = Duration::from_millis(u64::try_from(age_ms).unwrap_or(0));
        if self.settings.ignore_older.is_some_and(|limit| age > limit) {
            return false;
        }
        let identity = found.identity;
        let copy_of = self.original_of(&hit.path, found);
        if self.tails.contains_key(&identity) {
            // One of its originals is a link to it, and was looked at for that.
            return true;
        }
        let names = (identity, hit.path.clone(), place);
        let mut tail = Tail::new(names, &self.settings.host, Mark::default());
        tail.modified_ns = found.modified_ns;
        tail.copy_of = copy_of;
        self.insert(tail);
        if first && self.settings.read_from == ReadFrom::End && self.open(identity) {
            self.begin_at_end(identity, found.size);
        }
        true
    }

    fn begin_at_end(&mut self, identity: Identity, size: u64) {
        let Some(tail) = self.tails.get_mut(&identity) else { return };
        if let Some(file) = &tail.file {
            tail.mark = Mark::at(file, size);
            tail.anchor = Anchor::Wanted;
        }
    }

    /// Makes a file known, behind the one that had its path before, and takes hold of it.
    pub(super) fn insert(&mut self, tail: Tail) {
        let (identity, is_copy) = (tail.identity, tail.copy_of.is_some());
        self.take_up(tail);
        if !is_copy {
            self.put_last(identity);
        }
    }

    /// Has a file read behind the one that had its path before.
    pub(super) fn put_last(&mut self, identity: Identity) {
        let Some(tail) = self.tails.get_mut(&identity) else { return };
        let lineage = self.lineages.entry(tail.path.clone()).or_default();
        lineage.retain(|one| *one != identity);
        let before = lineage.last().copied();
        lineage.push(identity);
        tail.after.extend(before);
        if let Some(before) = before {
            // It may have grown before this one came.
            self.read_again(before);
            self.lost.push(before);
        }
        self.enqueue(identity);
    }

    /// Makes a file known and takes hold of it, unless that would be too many: then it is opened in its turn.
    pub(super) fn take_up(&mut self, tail: Tail) {
        let identity = tail.identity;
        self.tails.insert(identity, tail);
        if self.opened < self.opened_max {
            self.open(identity);
        }
        self.enqueue(identity);
        self.schedule(identity);
    }

    /// Takes note that `path` leads to `identity`.
    pub(super) fn point(&mut self, path: &Path, identity: Identity) {
        match self.paths.get_mut(path) {
            Some(known) if *known == identity => return,
            Some(known) => {
                let old = std::mem::replace(known, identity);
                self.lose(path, old);
            }
            None => {
                self.paths.insert(path.to_path_buf(), identity);
            }
        }
        if let Some(tail) = self.tails.get_mut(&identity) {
            tail.names += 1;
            tail.gone = None;
            tail.place = path.to_path_buf();
            if path == tail.path {
                tail.rotated = false;
            }
        }
    }

    /// Takes note that `path` leads nowhere that is known.
    pub(super) fn unpoint(&mut self, path: &Path) {
        if let Some(old) = self.paths.remove(path) {
            self.lose(path, old);
        }
    }

    fn lose(&mut self, path: &Path, identity: Identity) {
        let Some(tail) = self.tails.get_mut(&identity) else { return };
        tail.names = tail.names.saturating_sub(1);
        if path == tail.path {
            tail.rotated = true;
        }
        if tail.names == 0 || path == tail.path {
            self.lost.push(identity);
        }
    }

    /// Forgets positions whose files have long gone.
    fn expire(&mut self) -> Result<(), Closed> {
        if self.started.elapsed() < FORGET_UPTIME {
            return Ok(());
        }
        let limit = clock::now_ms() - FORGET_AFTER_MS;
        let gone = |tail: &&Tail| tail.names == 0 && tail.file.is_none() && tail.seen_ms < limit;
        let stored = self.stored.iter().filter(|(_, value)| value.seen_ms < limit);
        let mut old: Vec<Identity> = stored.map(|(identity, _)| identity).collect();
        old.extend(self.tails.values().filter(gone).map(|tail| tail.identity));
        for identity in old {
            self.stored.remove(identity);
            self.forget(identity);
            self.forget_position(0, identity)?;
        }
        Ok(())
    }
}

fn folder_of(path: &Path) -> Option<PathBuf> {
    path.parent().map(Path::to_path_buf)
}

/// The folder, or the nearest above it that is there: in it the way to the folder has to appear.
fn nearest(folder: PathBuf) -> PathBuf {
    let there = folder.ancestors().find(|above| above.is_dir()).map(Path::to_path_buf);
    there.unwrap_or(folder)
}
