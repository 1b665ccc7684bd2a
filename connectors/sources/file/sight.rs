//! What is there to see: finds files, and learns where paths lead.
//!
//! Invariant: `names` of a file is the number of `paths` that lead to it; one that loses its last is in `lost`.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustix::io::Errno;
use tokio::time::Instant;
use tracing::warn;

use super::config::ReadFrom;
use super::follower::Follower;
use super::identity::{self, Identity, Stat};
use super::position::Mark;
use super::refused::hint;
use super::resume::leads;
use super::tail::{Anchor, Tail};
use super::walk::{Found, Hit, Interest, walk};
use crate::contract::clock;
use crate::contract::receipt::Closed;

/// Memory of what is known of a file: its path three times, its marks, what beside it is looked for.
const BYTES_OF_FILE: usize = 1280;
/// The looking takes at most this part of the time.
const RECONCILE_SHARE: u32 = 20;
/// The same while there is always something that only a look at everything can find.
const HURRIED_SHARE: u32 = 4;
/// How long a position is kept whose file cannot be found.
const FORGET_AFTER: Duration = Duration::from_hours(7 * 24);
/// How long it must have been looked for in this life.
const FORGET_UPTIME: Duration = Duration::from_hours(1);
/// Looks in a row while folders keep coming.
pub(super) const LOOKS_MAX: usize = 8;

impl Follower {
    /// Looks through all folders and at all files: the truth, which hints only bring earlier.
    pub(super) fn reconcile(&mut self, first: bool) -> Result<(), Closed> {
        let began = Instant::now();
        self.pardon();
        let mut found = walk(&self.settings.globs, None);
        for _ in 0..LOOKS_MAX {
            if !self.watch_folders(&found) {
                break;
            }
            // What came into a folder before it was watched has to be looked for.
            found = walk(&self.settings.globs, None);
        }
        for (folder, cause) in found.closed {
            let cause = Errno::from_io_error(&cause).unwrap_or(Errno::IO);
            if cause != Errno::NOENT && cause != Errno::NOTDIR {
                self.refuse(&folder, cause);
            }
        }
        let seen: HashSet<&Path> = found.files.iter().map(|hit| hit.path.as_path()).collect();
        self.links.keep(|path| seen.contains(path), found.links);
        for hit in &found.files {
            self.see(hit, first);
        }
        let others: Vec<Arc<Path>> =
            self.paths.keys().filter(|path| !seen.contains(&***path)).cloned().collect();
        others.iter().for_each(|path| self.look_again(path));
        self.find_nameless();
        self.find_stored();
        self.expire()?;
        self.rest();
        self.known.set(self.tails.len() * BYTES_OF_FILE);
        let polling = self.watch.is_none() || self.watch_incomplete;
        let pause =
            if polling { self.settings.poll_interval } else { self.settings.reconcile_interval };
        let now = Instant::now();
        self.reconcile_at = now + pause.max((now - began) * RECONCILE_SHARE);
        self.reconcile_not_before = now + (now - began) * HURRIED_SHARE;
        Ok(())
    }

    /// Watches what was found; whether there is a folder that was not watched before.
    fn watch_folders(&mut self, found: &Found) -> bool {
        let Some(watch) = &mut self.watch else { return false };
        let mut folders: HashMap<PathBuf, Interest> = HashMap::new();
        let mut want = |folder: Option<&Path>, interest: Interest| {
            if let Some(folder) = folder {
                match folders.get_mut(folder) {
                    Some(known) => *known = interest.max(*known),
                    None => {
                        folders.insert(folder.to_path_buf(), interest);
                    }
                }
            }
        };
        found.folders.iter().for_each(|(folder, interest)| want(Some(folder), *interest));
        found.links.iter().for_each(|link| want(link.parent(), Interest::Links));
        for hit in found.files.iter().filter(|hit| hit.way.has_links()) {
            hit.way.turns.iter().for_each(|turn| want(turn.parent(), Interest::Links));
            want(hit.place().parent(), Interest::Files);
        }
        self.paths.keys().for_each(|path| want(path.parent(), Interest::Files));
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

    /// Looks at a path that is only known because a known file was there.
    pub(super) fn look_again(&mut self, path: &Path) {
        match identity::look(path) {
            Ok(found) if self.tails.contains_key(&found.identity) => self.noticed(path, &found),
            _ => self.unpoint(path),
        }
    }

    /// Looks at a path that is meant to be read.
    pub(super) fn see(&mut self, hit: &Hit, first: bool) {
        let path = &hit.path;
        let hit = &self.keep_sight(hit);
        let found = match identity::look(path) {
            Ok(found) if found.is_file => found,
            Ok(_) | Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {
                self.unpoint(path);
                // Another may have come and been rotated since the last look.
                self.lost
                    .extend(self.lineages.get(path.as_path()).and_then(|lineage| lineage.last()));
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
        let place = hit.place();
        if hit.way.has_links() && leads(place, found.identity) {
            self.point(place, found.identity);
        }
        if let Some(tail) = self.tails.get_mut(&found.identity).filter(|tail| *tail.path == **path)
        {
            tail.home = tail.share(place);
            if hit.way.has_links() {
                tail.place = Arc::clone(&tail.home);
            }
        }
    }

    /// Takes note of where a path leads, and has what that depends on watched before it is looked at.
    fn keep_sight(&mut self, hit: &Hit) -> Hit {
        let mut hit = hit.clone();
        for _ in 0..LOOKS_MAX {
            if !self.links.set(&hit.path, &hit.way) {
                break;
            }
            let Some(watch) = self.watch.as_mut().filter(|_| hit.way.has_links()) else { break };
            let turns = hit.way.turns.iter().map(|turn| (turn.parent(), Interest::Links));
            let place = (hit.place().parent(), Interest::Files);
            let mut new = false;
            for (folder, interest) in turns.chain([place]) {
                // What cannot be watched is said by the next look at everything.
                let added = folder.map(|folder| watch.add(folder, interest).unwrap_or(false));
                new |= added.unwrap_or(false);
            }
            if !new {
                break;
            }
            hit = Hit::of(&hit.path);
        }
        hit
    }

    /// Takes note that `path` leads to a known file, which is read when it has changed.
    pub(super) fn noticed(&mut self, path: &Path, found: &Stat) {
        self.point(path, found.identity);
        let Some(tail) = self.tails.get_mut(&found.identity) else { return };
        if *path == *tail.path {
            tail.seen_ms = found.seen_ms();
        }
        let known = tail.known_length();
        tail.longest = tail.longest.max(found.size);
        if found.size != known || found.modified_ns != tail.modified_ns {
            tail.modified_ns = found.modified_ns;
            self.enqueue(found.identity);
        }
    }

    /// Takes up a file that is not known; `false` when it is left alone.
    fn begin(&mut self, hit: &Hit, found: &Stat, first: bool) -> bool {
        let place = hit.place().to_path_buf();
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
        (tail.begun_ms, tail.looked_ms) = (found.begun_ms(), found.seen_ms());
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
        let lineage = self.lineages.entry(Arc::clone(&tail.path)).or_default();
        lineage.reserve_exact(1);
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
        self.tails.insert(tail);
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
                let tail = self.tails.get(&identity);
                let path = tail.map_or_else(|| path.into(), |tail| tail.share(path));
                self.paths.insert(path, identity);
            }
        }
        if let Some(tail) = self.tails.get_mut(&identity) {
            tail.names += 1;
            tail.gone = None;
            tail.place = tail.share(path);
            if *path == *tail.path {
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
        if *path == *tail.path {
            tail.rotated = true;
        }
        if tail.names == 0 || *path == *tail.path {
            self.lost.push(identity);
        }
    }

    /// Forgets positions whose files have long gone.
    fn expire(&mut self) -> Result<(), Closed> {
        if self.started.elapsed() < FORGET_UPTIME {
            return Ok(());
        }
        let after_ms = i64::try_from(FORGET_AFTER.as_millis()).unwrap_or(i64::MAX);
        let limit = clock::now_ms().saturating_sub(after_ms);
        let gone = |tail: &&Tail| {
            let long = tail.gone.is_some_and(|gone| gone.elapsed() > FORGET_AFTER);
            long && tail.names == 0 && tail.file.is_none()
        };
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

/// The folder, or the nearest above it that is there: in it the way to the folder has to appear.
fn nearest(folder: PathBuf) -> PathBuf {
    let there = folder.ancestors().find(|above| above.is_dir()).map(Path::to_path_buf);
    there.unwrap_or(folder)
}
