//! Keeps hold of files that are renamed, copied, truncated and deleted.
//!
//! A file that loses its path is looked for by its inode beside it, and read to its end before the file that has the
//! path now. A file whose bytes before the offset have changed is read from its start, and the copy that proves to
//! have those bytes is read from the offset on, in the globs or not. Files that had the path in between, for too short
//! to be seen, are those with a name of a rotation that are not known and are younger than the last look.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirEntryExt;
use std::path::{Path, PathBuf};

use tokio::time::Instant;
use tracing::{debug, warn};

use super::follow::Follower;
use super::identity::{self, Identity, Stat};
use super::position::Mark;
use super::tail::Tail;
use crate::source::Closed;

/// The clock of file systems may be so far behind, milliseconds.
const CLOCK_SLACK_MS: i64 = 20;

/// The names in one folder, sorted.
#[derive(Debug)]
pub(super) struct Listing {
    folder: PathBuf,
    entries: Vec<(OsString, u64)>,
}

impl Listing {
    fn of(folder: &Path) -> Self {
        let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
        let mut entries: Vec<_> = entries.map(|entry| (entry.file_name(), entry.ino())).collect();
        entries.sort_unstable();
        Self { folder: folder.to_path_buf(), entries }
    }

    /// Where in the folder a file is.
    pub(super) fn find(&self, identity: Identity) -> Option<PathBuf> {
        let same = self.entries.iter().filter(|(_, inode)| *inode == identity.inode());
        let mut paths = same.map(|(name, _)| self.folder.join(name));
        paths.find(|path| identity::stat(path).is_ok_and(|found| found.identity == identity))
    }

    /// Files that may be rotations of `path`, other than itself.
    fn siblings(&self, path: &Path) -> Vec<(PathBuf, Stat)> {
        let Some(name) = path.file_name() else { return Vec::new() };
        let stem = stem_of(name.as_bytes());
        let begin = self.entries.partition_point(|(other, _)| other.as_bytes() < stem);
        let entries = self.entries.iter().skip(begin);
        let entries = entries.take_while(|(other, _)| other.as_bytes().starts_with(stem));
        let rotations = entries.filter(|(other, _)| is_rotation(name, other));
        let paths = rotations.map(|(other, _)| self.folder.join(other));
        paths
            .filter_map(|path| Some((identity::stat(&path).ok()?, path)))
            .filter(|(found, _)| found.is_file)
            .map(|(found, path)| (path, found))
            .collect()
    }
}

/// The listing of the folder that `path` is in, made once.
pub(super) fn listing_of<'a>(
    folders: &'a mut HashMap<PathBuf, Listing>,
    path: &Path,
) -> &'a Listing {
    let folder = path.parent().unwrap_or(Path::new("/")).to_path_buf();
    folders.entry(folder).or_insert_with_key(|folder| Listing::of(folder))
}

impl Follower {
    /// Finds out what has become of the files that lost their paths.
    pub(super) fn settle_lost(&mut self) -> Result<(), Closed> {
        let mut lost = std::mem::take(&mut self.lost);
        lost.sort_unstable();
        lost.dedup();
        let mut folders = HashMap::new();
        for identity in &lost {
            let Some(tail) = self.tails.get_mut(identity) else { continue };
            tail.at_end &= tail.file.is_none();
            if tail.names == 0 {
                match listing_of(&mut folders, &tail.place).find(*identity) {
                    Some(place) => self.point(&place, *identity),
                    None => tail.gone = Some(Instant::now()),
                }
            }
            if self.tails.get(identity).is_some_and(|tail| tail.file.is_some() || tail.names > 0) {
                self.enqueue(*identity);
            }
            self.schedule(*identity);
        }
        for identity in &lost {
            if let Some(tail) = self.tails.get(identity).filter(|tail| tail.rotated) {
                let (path, seen_ms) = (tail.path.clone(), tail.seen_ms);
                let listing = listing_of(&mut folders, &path);
                // What has come since must be known, so that a copy of it is told from what was between.
                if identity::stat(&path).is_ok_and(|now| !self.tails.contains_key(&now.identity)) {
                    self.look(&path)?;
                }
                let current = self.paths.get(&path).copied();
                self.between(listing, &path, seen_ms, current);
            }
        }
        Ok(())
    }

    /// Takes up files that had `path` since `since_ms` and were rotated before they were seen; they are read before
    /// `current`, which has the path now.
    pub(super) fn between(
        &mut self,
        listing: &Listing,
        path: &Path,
        since_ms: i64,
        current: Option<Identity>,
    ) {
        let mut files = listing.siblings(path);
        files.retain(|(place, found)| {
            found.born_ms + CLOCK_SLACK_MS > since_ms
                && !self.tails.contains_key(&found.identity)
                && !self.stored.contains_key(&found.identity)
                && !self.settings.globs.excludes(place)
                && (extends(path, place) || !self.settings.globs.matches(place))
        });
        // Copies belong to the file that they were made of, and are found when that is seen to be truncated.
        let kin = if files.is_empty() { Vec::new() } else { self.cut_files(path, current) };
        files.retain(|(place, found)| {
            let older = kin.iter().filter(|one| one.born_ns() <= found.identity.born_ns());
            !older.copied().any(|one| self.seems_copy(place, found.size, one))
        });
        files.sort_by_key(|(_, found)| (found.modified_ms, found.born_ms));
        let current = current.filter(|current| self.tails.contains_key(current));
        let mut after: Vec<Identity> = match current.and_then(|current| self.tails.get(&current)) {
            Some(current) => current.after.clone(),
            None => self.latest.get(path).copied().into_iter().collect(),
        };
        for (place, found) in files {
            debug!(path = %path.display(), place = %place.display(), "rotated before it was seen");
            let names = (found.identity, path.to_path_buf(), place.clone());
            let mut tail = Tail::new(names, &self.settings.host, Mark::default());
            tail.rotated = true;
            tail.modified_ms = found.modified_ms;
            tail.after = std::mem::replace(&mut after, vec![found.identity]);
            self.take_up(tail);
            self.point(&place, found.identity);
            match current.and_then(|current| self.tails.get_mut(&current)) {
                Some(current) => current.after.push(found.identity),
                None => {
                    self.latest.insert(path.to_path_buf(), found.identity);
                }
            }
        }
    }

    /// Files known by `path` that have been truncated, or may be soon.
    fn cut_files(&mut self, path: &Path, current: Option<Identity>) -> Vec<Identity> {
        let kin = self.tails.values().filter(|tail| tail.path == path && tail.copy_of.is_none());
        let mut kin: Vec<Identity> = kin.map(|tail| tail.identity).collect();
        kin.retain(|one| {
            self.open(*one);
            let tail = self.tails.get(one);
            let whole = tail.and_then(|tail| Some(tail.mark.proved_by(tail.file.as_ref()?)));
            Some(*one) == current || whole == Some(false)
        });
        kin
    }

    /// The bytes before the offset have changed: what is there now is read from its start, after what the copy has.
    pub(super) fn truncated(&mut self, identity: Identity) -> Result<(), Closed> {
        let Some(tail) = self.tails.get_mut(&identity) else { return Ok(()) };
        let mark = std::mem::take(&mut tail.mark);
        let open_length = std::mem::take(&mut tail.open_length);
        tail.rewind = None;
        tail.previous = Some(mark);
        tail.generation += 1;
        tail.at_end = false;
        let (path, place, seen_ms) = (tail.path.clone(), tail.place.clone(), tail.seen_ms);
        let listing = Listing::of(place.parent().unwrap_or(Path::new("/")));
        let copy = self.find_copy(&listing, identity, &mark);
        let (offset, copied) = (mark.offset, copy.is_some());
        warn!(path = %path.display(), offset, copied, "truncated or replaced, read from its start");
        if let Some((copy_place, copy)) = copy {
            self.adopt(copy, &copy_place, (&path, mark))?;
            if let Some(tail) = self.tails.get_mut(&identity) {
                tail.after.push(copy);
            }
        } else if open_length > 0 {
            self.emitter.dropped("truncated_before_read", 1);
        }
        self.between(&listing, &path, seen_ms, Some(identity));
        self.enqueue(identity);
        Ok(())
    }

    /// The file that has the bytes which `identity` had before it was truncated.
    fn find_copy(
        &self,
        listing: &Listing,
        identity: Identity,
        mark: &Mark,
    ) -> Option<(PathBuf, Identity)> {
        let tail = self.tails.get(&identity)?;
        let mut files = listing.siblings(&tail.path);
        if tail.place.file_name() != tail.path.file_name() {
            files.extend(listing.siblings(&tail.place));
        }
        files.retain(|(place, found)| {
            let free = match self.tails.get(&found.identity) {
                Some(other) => other.copy_of == Some(identity),
                None => !self.stored.contains_key(&found.identity),
            };
            free && mark.offset > 0
                && found.size >= mark.offset
                && identity::open(place).is_ok_and(|file| mark.proved_by(&file))
        });
        let first = files.into_iter().min_by_key(|(_, found)| found.modified_ms);
        first.map(|(place, found)| (place, found.identity))
    }

    /// Reads a copy on from where its original was read.
    fn adopt(
        &mut self,
        copy: Identity,
        place: &Path,
        (path, mark): (&Path, Mark),
    ) -> Result<(), Closed> {
        let names = (copy, path.to_path_buf(), place.to_path_buf());
        let mut tail = Tail::new(names, &self.settings.host, mark);
        tail.rotated = true;
        if let Some(held) = self.tails.remove(&copy) {
            tail.file = held.file;
            tail.names = held.names;
            tail.timer = held.timer;
            tail.queued = held.queued;
        }
        let (stream, position) = (tail.stream, tail.position(&mark));
        self.tails.insert(copy, tail);
        self.point(place, copy);
        self.open(copy);
        self.enqueue(copy);
        self.store_position(stream, position)
    }

    /// The file that a new one at `path` may be a copy of, made to truncate the original.
    pub(super) fn original_of(&mut self, path: &Path, found: &Stat) -> Option<Identity> {
        let name = path.file_name()?;
        let folder = path.parent()?;
        let cuts = 1..name.len();
        let ends = [&b""[..], name.as_bytes().get(stem_of(name.as_bytes()).len()..)?];
        let shorter = cuts.flat_map(|cut| ends.map(|end| (cut, end)));
        let originals: Vec<Identity> = shorter
            .filter_map(|(cut, end)| {
                let original = [name.as_bytes().get(..cut)?, end].concat();
                let original = OsStr::from_bytes(&original);
                let likely = is_rotation(original, name);
                likely.then(|| self.paths.get(&folder.join(original)).copied()).flatten()
            })
            .filter(|original| *original != found.identity)
            .collect();
        originals.into_iter().find(|original| self.seems_copy(path, found.size, *original))
    }

    fn seems_copy(&mut self, path: &Path, size: u64, original: Identity) -> bool {
        if !self.open(original) {
            return false;
        }
        let (Some(tail), Ok(file)) = (self.tails.get(&original), identity::open(path)) else {
            return false;
        };
        let proves = |mark: &Mark| mark.offset > 0 && size >= mark.offset && mark.proved_by(&file);
        let begun = || tail.file.as_ref().is_some_and(|whole| same_until(whole, &file, size));
        proves(&tail.mark) || tail.previous.as_ref().is_some_and(proves) || begun()
    }

    /// Whether a file that has changed may still be a copy in the making; it is released when it is none.
    pub(super) fn still_copied(&mut self, identity: Identity) -> bool {
        let Some(tail) = self.tails.get_mut(&identity) else { return false };
        let Some(original) = tail.copy_of else { return false };
        tail.grown = Instant::now();
        let place = tail.place.clone();
        let size = identity::stat(&place).map_or(0, |found| found.size);
        let copied = self.seems_copy(&place, size, original);
        if !copied {
            self.release(identity, Mark::default());
        }
        copied
    }

    /// Decides about a file that looked like a copy and has come to rest.
    pub(super) fn judge_copy(&mut self, identity: Identity) -> Result<(), Closed> {
        let Some(tail) = self.tails.get(&identity) else { return Ok(()) };
        let original = tail.copy_of.and_then(|original| self.tails.get(&original));
        let size = identity::stat(&tail.place).map_or(0, |found| found.size);
        if let (Some(file), Some(original)) = (&tail.file, original) {
            let cut = original.previous;
            if let Some(mark) =
                cut.filter(|mark| mark.offset > 0 && size >= mark.offset && mark.proved_by(file))
            {
                let (path, place) = (original.path.clone(), tail.place.clone());
                return self.adopt(identity, &place, (&path, mark));
            }
            let whole = original.file.as_ref().is_some_and(|whole| same_until(whole, file, size));
            if whole && size > original.mark.offset {
                // The original may still be truncated before it is read so far.
                if let Some(tail) = self.tails.get_mut(&identity) {
                    tail.grown = Instant::now();
                }
                return Ok(());
            }
            if whole && size > 0 {
                let mark = Mark::at(file, size);
                let (stream, position) = (tail.stream, tail.position(&mark));
                self.release(identity, mark);
                return self.store_position(stream, position);
            }
        }
        self.release(identity, Mark::default());
        Ok(())
    }

    fn release(&mut self, identity: Identity, mark: Mark) {
        if let Some(tail) = self.tails.get_mut(&identity) {
            tail.copy_of = None;
            tail.mark = mark;
            self.enqueue(identity);
        }
    }
}

fn same_until(one: &fs::File, other: &fs::File, offset: u64) -> bool {
    let mark = Mark::at(one, offset);
    mark == Mark::at(other, offset) && u64::from(mark.tail_length) == offset.min(4096)
}

fn stem_of(name: &[u8]) -> &[u8] {
    let dot = name.iter().rposition(|byte| *byte == b'.').filter(|at| *at > 0);
    name.get(..dot.unwrap_or(name.len())).unwrap_or(name)
}

/// Whether the name at `place` is that of `path` and more.
fn extends(path: &Path, place: &Path) -> bool {
    let (Some(name), Some(other)) = (path.file_name(), place.file_name()) else { return false };
    other.as_bytes().starts_with(name.as_bytes())
}

/// Whether `other` is how rotation names what was `name`: `app.log.1`, `app.log-20260131`, `app-2026.01.31.log`,
/// `app.log.old`.
fn is_rotation(name: &OsStr, other: &OsStr) -> bool {
    let (name, other) = (name.as_bytes(), other.as_bytes());
    let stem = stem_of(name);
    let end = name.get(stem.len()..).unwrap_or_default();
    let added = match other.strip_prefix(name) {
        Some(added) => added,
        None if end.is_empty() => return false,
        None => match other.strip_prefix(stem).and_then(|rest| rest.strip_suffix(end)) {
            Some(added) => added,
            None => return false,
        },
    };
    let sign = |byte: &u8| b".-_:+TZ".contains(byte) || byte.is_ascii_digit();
    let dated = added.iter().all(sign) && added.iter().any(u8::is_ascii_digit);
    matches!(added, b".old" | b".bak" | b".prev" | b"~")
        || (dated && added.first().is_some_and(|byte| b".-_".contains(byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_rotations_are_told_from_names_of_other_files() {
        for (name, other, wanted) in [
            ("app.log", "app.log.1", true),
            ("app.log", "app.log-20260131", true),
            ("app.log", "app.log.2026-01-31T10:00:00Z", true),
            ("app.log", "app-2026-01-31.log", true),
            ("app.log", "app.log.old", true),
            ("app", "app.1", true),
            ("app.log", "app.log", false),
            ("app.log", "app1.log", false),
            ("app.log", "app.log.gz", false),
            ("app.log", "app.log.1.gz", false),
            ("app.log", "app-error.log", false),
            ("app.log", "other.log.1", false),
        ] {
            assert_eq!(is_rotation(OsStr::new(name), OsStr::new(other)), wanted, "{name} {other}");
        }
    }
}
