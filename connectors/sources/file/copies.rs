//! Copies that are made in order to truncate the original (`copytruncate`).
//!
//! A file whose bytes before the offset have changed is read from its start, and the copy that proves to have those
//! bytes is read from the offset on before that, in the globs or not. A file that may be a copy in the making waits
//! until it has come to rest. A copy may be a little shorter than what was read: the file can have grown between the
//! copying and the truncation.
//!
//! A file of which nothing has been read since shows no sign of having been truncated again. So before its first bytes
//! are handed on, what may be a copy of those before them is looked for, and read first (`overtaken` in `rotation`).
//!
//! Invariant: nothing of a truncated file is read before the hub has a position of its copy. Until then the file's own
//! position is the one that finds the copy again.

use std::cmp::Reverse;
use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::time::Instant;
use tracing::{info, warn};

use super::follower::Follower;
use super::identity::{self, Identity, Stat};
use super::position::Mark;
use super::siblings::{Folders, open_near, originals};
use super::tail::{Anchor, Flight, Tail};

/// What a copy takes over from its original.
struct Past {
    /// The original.
    of: Identity,
    /// Path that its records are known by.
    path: Arc<Path>,
    /// Names what is in it.
    text: u64,
    /// How far it is read, as the original was.
    mark: Mark,
    /// Earlier than what the hub has of the original.
    seen_ms: i64,
    /// Batches on their way.
    flights: VecDeque<Flight>,
    /// Where to read again.
    rewind: Option<Mark>,
    /// Records that are read again from there.
    refused: u64,
}

impl Past {
    /// What has been read of a file up to its truncation; batches from before an earlier one are left to it.
    fn take(tail: &mut Tail) -> Self {
        let flights = std::mem::take(&mut tail.flights).into_iter();
        let (flights, older) = flights.partition(|flight| flight.generation == tail.generation);
        tail.flights = older;
        Self {
            of: tail.identity,
            path: Arc::clone(&tail.path),
            text: tail.text(),
            mark: tail.mark,
            seen_ms: tail.sent_ms - 1,
            flights,
            rewind: tail.rewind.take(),
            refused: std::mem::take(&mut tail.refused),
        }
    }

    /// The copy is read up to `end`, and there is nothing behind that to be read again.
    fn end_at(&mut self, end: Mark) {
        let cut = |mark: &mut Mark| *mark = if mark.offset > end.offset { end } else { *mark };
        cut(&mut self.mark);
        self.flights.iter_mut().for_each(|flight| cut(&mut flight.before));
        self.rewind.as_mut().map(cut);
    }
}

impl Follower {
    /// The bytes before the offset have changed: what is there now is read from its start, after what the copy has.
    pub(super) fn truncated(&mut self, identity: Identity) {
        let Some(tail) = self.tails.get_mut(&identity) else { return };
        let (mut past, generation) = (Past::take(tail), tail.generation);
        tail.open_length = 0;
        let longest = tail.longest.saturating_sub(tail.blank).max(past.mark.offset);
        tail.begin_generation();
        let folder = tail.home.parent().and_then(|folder| identity::stat(folder).ok());
        tail.looked_ms = folder.map_or(tail.sent_ms, |folder| folder.seen_ms());
        // It may have been seen since, but not read, and so not known to be whole.
        let (path, offset, since_ms) = (Arc::clone(&tail.path), past.mark.offset, tail.sent_ms);
        let places = [Arc::clone(&path), Arc::clone(&tail.place), Arc::clone(&tail.home)];
        places.iter().for_each(|place| self.folders.renew(place));
        let mut folders = std::mem::take(&mut self.folders);
        let copy = self.find_copy(&mut folders, identity, generation);
        let path_shown = path.display();
        match &copy {
            Some(_) => {
                info!(path = %path_shown, offset, "copied and truncated, read from its start");
            }
            None => warn!(path = %path_shown, offset, "truncated or replaced, read from its start"),
        }
        if let Some((place, copy, mark)) = copy {
            past.end_at(mark);
            self.adopt(copy, &place, past);
            let file = self.tails.get(&copy).and_then(|copy| copy.file.as_ref());
            let end = file.and_then(|file| identity::stat_open(file).ok()).map(|found| found.size);
            if end.is_some_and(|end| longest > end.max(offset)) {
                // At least one line; how many more came to it than were seen, nobody knows.
                self.emitter.dropped("truncated_before_read", 1);
            }
            if let Some(tail) = self.tails.get_mut(&identity) {
                tail.after.push(copy);
            }
        } else {
            if longest > offset {
                self.emitter.dropped("truncated_before_read", 1);
            }
            if past.refused > 0 {
                self.emitter.dropped("truncated_before_stored", past.refused);
            }
            if let Some(tail) = self.tails.get_mut(&identity) {
                tail.flights.append(&mut past.flights);
            }
        }
        self.between(&mut folders, &path, since_ms);
        self.folders = folders;
        self.enqueue(identity);
    }

    /// The file that has the bytes which `identity` had in a generation, and how far they were read.
    fn find_copy(
        &self,
        folders: &mut Folders,
        identity: Identity,
        generation: u32,
    ) -> Option<(PathBuf, Identity, Mark)> {
        let tail = self.tails.get(&identity)?;
        let named = tail.place.with_file_name(tail.path.file_name()?);
        let mut places: Vec<&Path> = vec![&named, &tail.place, &tail.home];
        places.sort_unstable();
        places.dedup();
        let mut files: Vec<(PathBuf, Stat)> = Vec::new();
        places.iter().for_each(|place| files.extend(folders.siblings(place)));
        files.retain(|(_, found)| match self.tails.get(&found.identity) {
            Some(other) => other.copy_of.is_some(),
            None => self.stored.get(found.identity).is_none(),
        });
        let copies = files.into_iter().filter_map(|(place, found)| {
            let (place, file) = open_near(&place, found.identity).ok()?;
            let size = identity::stat_open(&file).ok()?.size;
            let mark = tail.read_in(&file, size, generation)?;
            Some((Reverse(mark.offset), found.modified_ns, (place, found.identity, mark)))
        });
        copies.min_by_key(|(length, modified_ns, _)| (*length, *modified_ns)).map(|(.., copy)| copy)
    }

    /// Reads a copy on from where its original was read, and again what of that is not stored in the end.
    fn adopt(&mut self, copy: Identity, place: &Path, past: Past) {
        let lineage = self.lineages.entry(Arc::clone(&past.path)).or_default();
        let at = lineage.iter().position(|one| *one == past.of);
        lineage.insert(at.unwrap_or(lineage.len()), copy);
        let names = (copy, past.path, place.to_path_buf());
        let mut tail = Tail::new(names, &self.settings.host, past.mark);
        tail.rotated = true;
        tail.seen_ms = past.seen_ms;
        tail.first_text = past.text;
        tail.anchor = Anchor::Wanted;
        if let Some(held) = self.tails.remove(&copy) {
            tail.file = held.file;
            tail.names = held.names;
            tail.timer = held.timer;
            tail.queued = held.queued;
            tail.followers = held.followers;
        }
        for mut flight in past.flights {
            flight.generation = tail.generation;
            self.flights.pass_on(flight.number, copy);
            tail.flights.push_back(flight);
        }
        match past.rewind {
            Some(mark) if tail.flights.is_empty() => tail.mark = mark,
            rewind => (tail.rewind, tail.refused) = (rewind, past.refused),
        }
        self.tails.insert(tail);
        self.point(place, copy);
        self.open(copy);
        self.enqueue(copy);
    }

    /// Files known by `path`, and whether they have been truncated, or may be soon.
    pub(super) fn kin(&mut self, path: &Path, current: Option<Identity>) -> Vec<(Identity, bool)> {
        let kin = self.tails.of_path(path).filter(|tail| tail.copy_of.is_none());
        let kin: Vec<Identity> = kin.map(|tail| tail.identity).collect();
        let cut = |one: Identity| {
            self.open(one);
            let tail = self.tails.get(&one);
            let whole = tail.and_then(|tail| Some(tail.mark.proved_by(tail.file.as_ref()?)));
            let before = tail.is_some_and(|tail| tail.generation > 0);
            self.let_go(one);
            (one, Some(one) == current || before || whole == Some(false))
        };
        kin.into_iter().map(cut).collect()
    }

    /// The one of `kin` that the file at `place` seems to be a copy of. An empty file can be one in the making only
    /// where something is truncated.
    pub(super) fn original_among(
        &mut self,
        kin: &[(Identity, bool)],
        place: &Path,
        found: &Stat,
    ) -> Option<Identity> {
        let older = kin.iter().filter(|(one, cut)| {
            one.born_ns() <= found.identity.born_ns() && (*cut || found.size > 0)
        });
        older.map(|(one, _)| *one).find(|one| self.seems_copy(place, found, *one))
    }

    /// The file that a new one at `path` may be a copy of, made to truncate the original.
    pub(super) fn original_of(&mut self, path: &Path, found: &Stat) -> Option<Identity> {
        let originals: Vec<PathBuf> = originals(path).collect();
        for original in &originals {
            // What is there now may be as new, and nothing was heard of it yet.
            let now = identity::stat(original).ok().map(|found| found.identity);
            if now.is_some() && now.as_ref() != self.paths.get(original.as_path()) {
                self.look(original);
            }
        }
        let known: Vec<Identity> = originals
            .iter()
            .filter_map(|original| self.paths.get(original.as_path()).copied())
            .collect();
        let mut others = known.into_iter().filter(|original| *original != found.identity);
        others.find(|original| self.seems_copy(path, found, *original))
    }

    /// Whether the bytes of the file at `path` are those of `original`, as it is or as it was.
    fn seems_copy(&mut self, path: &Path, found: &Stat, original: Identity) -> bool {
        if !self.open(original) {
            return false;
        }
        let file = open_near(path, found.identity);
        let (Some(tail), Ok((_, file))) = (self.tails.get(&original), file) else { return false };
        let size = || identity::stat_open(&file).map_or(0, |found| found.size);
        // The copy grows, and then the original is truncated. When it is no longer as long as the copy was just now,
        // the copy is whole by now, and its size has to be asked for once more.
        let begun = tail.file.as_ref().is_some_and(|whole| same_until(whole, &file, size()));
        let seems = begun
            || tail.read_in(&file, size(), tail.generation).is_some()
            || tail.read_before(&file, size()).is_some();
        self.let_go(original);
        seems
    }

    /// Whether a file that has changed may still be a copy in the making; it is released when it is none.
    pub(super) fn still_copied(&mut self, identity: Identity) -> bool {
        let Some(tail) = self.tails.get_mut(&identity) else { return false };
        let Some(original) = tail.copy_of else { return false };
        let found = tail.file.as_ref().and_then(|file| identity::stat_open(file).ok());
        let place = Arc::clone(&tail.place);
        let Some(found) = found.or_else(|| identity::stat(&place).ok()) else { return true };
        if std::mem::replace(&mut tail.open_length, found.size) != found.size {
            tail.grown = Instant::now();
        }
        let found = Stat { identity, ..found };
        let original = match self.seems_copy(&place, &found, original) {
            true => Some(original),
            false => self.other_original(&place, &found),
        };
        match original {
            Some(original) => self.take_for_copy(identity, original),
            None => self.release(identity, None),
        }
        original.is_some()
    }

    /// Takes note of which file it seems to be a copy of.
    pub(super) fn take_for_copy(&mut self, identity: Identity, original: Identity) {
        if let Some(tail) = self.tails.get_mut(&identity) {
            tail.copy_of = Some(original);
        }
        if let Some(original) = self.tails.get_mut(&original)
            && !original.copies.contains(&identity)
        {
            original.copies.push(identity);
        }
    }

    /// As long as a copy in the making was empty, it could be one of any file: another of which it seems to be one.
    fn other_original(&mut self, place: &Path, found: &Stat) -> Option<Identity> {
        let path = Arc::clone(&self.tails.get(&found.identity)?.path);
        let current = self.paths.get(&path).copied();
        let kin = self.kin(&path, current);
        self.original_among(&kin, place, found).or_else(|| self.original_of(place, found))
    }

    /// Decides about a file that looked like a copy and has come to rest.
    pub(super) fn judge_copy(&mut self, identity: Identity) {
        let Some(original) = self.tails.get(&identity).and_then(|tail| tail.copy_of) else {
            return;
        };
        if self.open(original) {
            if self.tails.get(&original).is_some_and(|original| original.anchor != Anchor::Down) {
                return self.judge_later(identity);
            }
            // It may have been truncated and not been read since.
            self.prove(original);
        }
        let Some(tail) = self.tails.get(&identity).filter(|tail| tail.copy_of.is_some()) else {
            return;
        };
        if let (Some(file), Some(original)) = (&tail.file, self.tails.get(&original)) {
            let size = identity::stat_open(file).map_or(0, |found| found.size);
            if let Some((generation, mark)) = original.read_before(file, size) {
                let place = Arc::clone(&tail.place);
                let (path, seen_ms) = (Arc::clone(&original.path), original.sent_ms - 1);
                let (flights, rewind, refused) = Default::default();
                let of = original.identity;
                let text = original.text_of_generation(generation);
                let past = Past { of, path, text, mark, seen_ms, flights, rewind, refused };
                return self.adopt(identity, &place, past);
            }
            let whole = original.file.as_ref().is_some_and(|whole| same_until(whole, file, size));
            if whole && size > original.mark.offset {
                // The original may still be truncated before it is read so far.
                return self.judge_later(identity);
            }
            if whole && size > 0 {
                let mark = Mark::at(file, size);
                return self.release(identity, Some(mark));
            }
        }
        self.release(identity, None);
    }

    fn judge_later(&mut self, identity: Identity) {
        if let Some(tail) = self.tails.get_mut(&identity) {
            tail.grown = Instant::now();
        }
    }

    /// Has a file that is no copy read: all of it, or what comes behind the mark.
    fn release(&mut self, identity: Identity, mark: Option<Mark>) {
        let Some(tail) = self.tails.get_mut(&identity) else { return };
        tail.copy_of = None;
        tail.open_length = 0;
        if let Some(mark) = mark {
            tail.mark = mark;
            tail.anchor = Anchor::Wanted;
        }
        let found = tail.file.as_ref().and_then(|file| identity::stat_open(file).ok());
        let (rotated, path) = (tail.rotated, Arc::clone(&tail.path));
        let found = found.filter(|_| mark.is_none());
        match found.filter(|_| rotated) {
            // Its original was truncated before anything of that was read.
            Some(found) => {
                let current = self.paths.get(&path).copied();
                self.put_before(identity, &found, current);
            }
            None if rotated => self.enqueue(identity),
            None => self.put_last(identity),
        }
    }
}

fn same_until(one: &fs::File, other: &fs::File, offset: u64) -> bool {
    let mark = Mark::at(one, offset);
    mark == Mark::at(other, offset) && u64::from(mark.tail_length) == offset.min(4096)
}
