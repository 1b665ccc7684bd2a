//! Keeps hold of files that are renamed and deleted.
//!
//! A file that loses its path is looked for by its inode beside it, and read to its end before the file that has the
//! path now. Files that had the path in between, for too short to be seen, are those with a name of a rotation that are
//! not known and are younger than the last look.
//!
//! Who writes a log may go on with the old file for a while after the new one has come, and then change over. So what
//! is read of a file waits until those that had its path before have been looked at once more: what they have got until
//! then was written before it.
//!
//! Invariant: nothing of a file is read before the hub has a position of each file that had its path before. So what
//! is not known to the next life came after all that is.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::time::Instant;
use tracing::debug;

use super::follower::Follower;
use super::identity::{self, CLOCK_SLACK_MS, Identity, Stat};
use super::position::{Mark, Value};
use super::siblings::{Folders, extends, is_rotation_at};
use super::tail::{Anchor, Tail};
use crate::contract::clock;

impl Follower {
    /// Finds out what has become of the files that lost their paths.
    pub(super) fn settle_lost(&mut self) {
        let mut lost = std::mem::take(&mut self.lost);
        lost.sort_unstable();
        lost.dedup();
        let mut folders = Folders::default();
        let mut paths: HashMap<Arc<Path>, i64> = HashMap::new();
        for identity in &lost {
            let Some(tail) = self.tails.get_mut(identity) else { continue };
            if tail.names == 0 {
                self.find_again(&mut folders, *identity);
            }
            let Some(tail) = self.tails.get(identity) else { continue };
            if tail.rotated {
                let since_ms = paths.entry(Arc::clone(&tail.path)).or_insert(tail.seen_ms);
                *since_ms = tail.seen_ms.min(*since_ms);
            }
            self.read_again(*identity);
            self.schedule(*identity);
        }
        for (path, since_ms) in &paths {
            self.between(&mut folders, path, *since_ms);
        }
    }

    /// Whether a file that had the path before has grown; then it is read first. To be asked after reading, so that
    /// what was read is not older than what is looked for.
    pub(super) fn must_wait(&mut self, identity: Identity) -> bool {
        let Some(tail) = self.tails.get(&identity) else { return false };
        let lineage = self.lineages.get(&tail.path).map(Vec::as_slice).unwrap_or_default();
        let before = lineage.iter().take_while(|one| **one != identity);
        let grown = before.filter(|one| self.tails.get(one).is_some_and(has_grown));
        let grown: Vec<Identity> = grown.copied().collect();
        for before in &grown {
            self.read_again(*before);
        }
        if let Some(tail) = self.tails.get_mut(&identity) {
            tail.after.extend(&grown);
        }
        !grown.is_empty()
    }

    /// Whether a file of which nothing is read yet was copied and truncated while it waited, as it surely was if `is_cut`;
    /// then the copy is read first. To be asked after reading, and what was read then is not to be used.
    pub(super) fn overtaken(&mut self, identity: Identity, is_cut: bool) -> bool {
        let Some(tail) = self.tails.get_mut(&identity) else { return false };
        if tail.mark.offset > 0 || tail.rotated {
            return false;
        }
        let copies = std::mem::take(&mut tail.copies);
        let (path, home) = (Arc::clone(&tail.path), Arc::clone(&tail.home));
        let (since_ms, is_later) = (tail.looked_ms, tail.generation > 0);
        for copy in copies {
            let still = self.tails.get(&copy).is_some_and(|copy| copy.copy_of == Some(identity));
            if still && self.still_copied(copy) {
                self.take_for_copy(copy, identity);
            }
        }
        // A new file that is read at once has had no time for that, and its folder has just changed.
        let waited = is_later || clock::now_ms().abs_diff(since_ms) > CLOCK_SLACK_MS.unsigned_abs();
        let folder = home.parent().and_then(|folder| identity::stat(folder).ok());
        let is_changed = |folder: Stat| folder.modified_ms + CLOCK_SLACK_MS > since_ms;
        let looked_ms = folder.map_or(since_ms, |folder| folder.seen_ms());
        if is_cut || (waited && folder.is_none_or(is_changed)) {
            self.folders.renew(&home);
            let mut folders = std::mem::take(&mut self.folders);
            self.between(&mut folders, &path, since_ms);
            self.folders = folders;
        }
        let Some(tail) = self.tails.get_mut(&identity) else { return false };
        tail.looked_ms = looked_ms;
        !tail.after.is_empty()
    }

    /// Has a file read to its end once more, as far as it can be.
    pub(super) fn read_again(&mut self, identity: Identity) {
        let Some(tail) = self.tails.get_mut(&identity) else { return };
        if tail.file.is_some() || tail.names > 0 {
            tail.at_end = false;
            self.enqueue(identity);
        }
    }

    /// Looks for a file that no path is known to lead to.
    fn find_again(&mut self, folders: &mut Folders, identity: Identity) {
        let Some(tail) = self.tails.get_mut(&identity) else { return };
        let open = tail.file.as_ref().and_then(|file| identity::stat_open(file).ok());
        let is_deleted = open.is_some_and(|found| found.links == 0);
        let (place, home) = (Arc::clone(&tail.place), Arc::clone(&tail.home));
        let find = |folders: &mut Folders| {
            let found = folders.find(&place, identity);
            let elsewhere = || home.parent() != place.parent();
            found.or_else(|| if elsewhere() { folders.find(&home, identity) } else { None })
        };
        match if is_deleted { None } else { find(folders) } {
            Some(place) => self.point(&place, identity),
            None => {
                tail.gone.get_or_insert_with(Instant::now);
            }
        }
    }

    /// Looks once more for the files that no path is known to lead to.
    pub(super) fn find_nameless(&mut self) {
        let nameless = self.tails.values().filter(|tail| tail.names == 0);
        let nameless: Vec<Identity> = nameless.map(|tail| tail.identity).collect();
        let mut folders = Folders::default();
        for identity in nameless {
            self.find_again(&mut folders, identity);
            if self.tails.get(&identity).is_some_and(|tail| tail.names > 0) {
                self.enqueue(identity);
            }
            self.schedule(identity);
        }
    }

    /// Takes up files that had `path` since `since_ms` and were rotated before they were seen; they are read before
    /// what has the path now.
    pub(super) fn between(&mut self, folders: &mut Folders, path: &Path, since_ms: i64) {
        let mut files = self.beside(folders, path);
        // Only now, so that it is not older than one of those.
        let current = self.current(path);
        let begun_ms = current.and_then(|current| self.tails.get(&current)).map(|one| one.begun_ms);
        files.retain(|Beside { home, is_left, place, found }| {
            // What comes to where the path led before, after it has led elsewhere, is something else.
            let is_late = begun_ms.is_some_and(|begun| found.born_ms > begun + CLOCK_SLACK_MS);
            found.born_ms + CLOCK_SLACK_MS > since_ms
                && !(*is_left && is_late)
                && !self.tails.contains_key(&found.identity)
                && self.stored.get(found.identity).is_none()
                && !self.settings.globs.excludes(place)
                && (extends(home, place) || !self.settings.globs.matches(place))
        });
        files.sort_by_key(|Beside { found, .. }| found.identity);
        files.dedup_by_key(|Beside { found, .. }| found.identity);
        // Who writes a log ends with one file before beginning the next, but may begin long before its name changes.
        files.sort_by_key(|Beside { found, .. }| (found.modified_ns, found.identity.born_ns()));
        let kin = if files.is_empty() { Vec::new() } else { self.kin(path, current) };
        for Beside { place, found, .. } in files {
            if let Some(value) = self.left_behind(&place, &found) {
                self.take_up_copy(&place, &found, value);
                continue;
            }
            let names = (found.identity, path.to_path_buf(), place.clone());
            let mut tail = Tail::new(names, &self.settings.host, Mark::default());
            tail.rotated = true;
            tail.seen_ms = found.born_ms.max(since_ms);
            tail.modified_ns = found.modified_ns;
            let original = self.original_among(&kin, &place, &found);
            tail.copy_of = original;
            self.take_up(tail);
            match original {
                Some(original) => self.take_for_copy(found.identity, original),
                None => {
                    debug!(path = %path.display(), place = %place.display(), "rotated before it was seen");
                    self.put_before(found.identity, &found, current);
                }
            }
            self.point(&place, found.identity);
        }
    }

    /// What may have had `path`: beside where it leads, and at and beside where it led before.
    fn beside(&self, folders: &mut Folders, path: &Path) -> Vec<Beside> {
        let lineage = self.lineages.get(path).into_iter().flatten();
        let known = lineage.filter_map(|one| self.tails.get(one)).map(|one| &*one.home);
        let stored = self.stored.of_path(path).map(|value| value.place.as_path());
        let mut homes = vec![path];
        for home in std::iter::once(self.links.place(path)).chain(known).chain(stored) {
            let is_known = |one: &&Path| *one == home || is_rotation_at(one, home);
            if !homes.iter().any(is_known) {
                homes.push(home);
            }
        }
        let mut files = Vec::new();
        let place = self.links.place(path);
        for old in homes.iter().filter(|home| place != path && **home != place) {
            for (place, found) in folders.between(old, place) {
                files.push(Beside { home: place.clone(), is_left: false, place, found });
            }
        }
        for home in homes {
            let is_left = home != path && home != place;
            let mut put = |place, found| {
                files.push(Beside { home: home.to_path_buf(), is_left, place, found });
            };
            folders.siblings(home).into_iter().for_each(|(place, found)| put(place, found));
            let at = identity::stat(home).ok().filter(|found| home != path && found.is_file);
            at.into_iter().for_each(|found| put(home.to_path_buf(), found));
        }
        files
    }

    /// What has `path` now. It is known then, and when it was truncated, its copy is, too.
    fn current(&mut self, path: &Path) -> Option<Identity> {
        let found = identity::stat(path).ok().map(|found| found.identity);
        if found.as_ref() != self.paths.get(path) {
            self.look(path);
        }
        let current = self.paths.get(path).copied();
        if let Some(current) = current {
            self.prove_taken_up(current);
        }
        current
    }

    /// Takes up a copy of a file that is gone, read as far as that was.
    pub(super) fn take_up_copy(&mut self, place: &Path, found: &Stat, original: Value) {
        let current = self.paths.get(original.path.as_path()).copied();
        let names = (found.identity, original.path, place.to_path_buf());
        let mut tail = Tail::new(names, &self.settings.host, original.mark);
        tail.first_text = original.text.unwrap_or(tail.first_text);
        tail.rotated = true;
        tail.seen_ms = original.seen_ms - 1;
        tail.modified_ns = found.modified_ns;
        tail.anchor = Anchor::Wanted;
        self.take_up(tail);
        self.put_before(found.identity, found, current);
        self.point(place, found.identity);
    }

    /// Has a file read before `current`, which has its path now, and before what is not read yet and was written later.
    pub(super) fn put_before(
        &mut self,
        identity: Identity,
        found: &Stat,
        current: Option<Identity>,
    ) {
        let Some(path) = self.tails.get(&identity).map(|tail| Arc::clone(&tail.path)) else {
            return;
        };
        let key = |found: &Stat| (found.modified_ns, found.identity.born_ns());
        let comes_later = |one: &Identity| {
            let known = self.tails.get(one).filter(|one| one.mark.offset == 0);
            let unread = known.filter(|one| one.flights.is_empty());
            let now = unread.and_then(|one| identity::stat_open(one.file.as_ref()?).ok());
            Some(*one) == current || now.is_some_and(|now| key(&now) > key(found))
        };
        let mut lineage = self.lineages.get(&path).cloned().unwrap_or_default();
        lineage.retain(|one| *one != identity);
        let at = lineage.iter().position(comes_later).unwrap_or(lineage.len());
        let (before, later) = lineage.split_at_checked(at).unwrap_or_default();
        if let Some(tail) = self.tails.get_mut(&identity) {
            tail.after.extend(before.last());
        }
        for one in later {
            if let Some(one) = self.tails.get_mut(one) {
                one.after.push(identity);
                if one.mark.offset == 0 {
                    let one = one.identity;
                    self.read_again(one);
                }
            }
        }
        let lineage = [before, &[identity], later].concat();
        self.lineages.insert(path, lineage);
        self.enqueue(identity);
    }
}

/// A file that may have had a path.
struct Beside {
    /// Where the path led then.
    home: PathBuf,
    /// Whether it leads elsewhere now.
    is_left: bool,
    /// Where the file is now.
    place: PathBuf,
    found: Stat,
}

/// Whether there is more in an open file than is known of it, and nothing keeps it from being read.
fn has_grown(tail: &Tail) -> bool {
    let known = tail.known_length();
    let size = tail.file.as_ref().and_then(|file| identity::stat_open(file).ok());
    tail.retry_at.is_none() && size.is_some_and(|found| found.size != known)
}
