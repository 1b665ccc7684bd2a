//! What is beside a file: where it is now, and which files have the name of one of its rotations.
//!
//! A folder cannot be read in one step, and programs that rotate rename many files at once. So a listing counts only
//! when the folder did not change while it was made, and what a name leads to only when that is still what was listed.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirEntryExt;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use super::identity::{self, CLOCK_SLACK_MS, Identity, Stat};
use crate::contract::clock;

/// Looks at a folder that changes all the time.
const LOOKS_MAX: usize = 6;

/// Listings of folders, made when they are asked for.
#[derive(Debug, Default)]
pub(super) struct Folders {
    listings: HashMap<PathBuf, Listing>,
}

/// The names in one folder and their inodes, sorted.
#[derive(Debug)]
struct Listing {
    folder: PathBuf,
    entries: Vec<(OsString, u64)>,
    /// The inodes, sorted, and which of the entries each has.
    inodes: Vec<(u64, usize)>,
    /// Last change of the folder, if it was long enough ago for the clock to tell the next one from it.
    modified_ns: Option<i128>,
}

impl Folders {
    /// Where a file is that was at `place`, or beside it, when it was last seen.
    pub(super) fn find(&mut self, place: &Path, identity: Identity) -> Option<PathBuf> {
        self.look(place, |listing| listing.find(identity))
    }

    /// Files that may be rotations of `path`, other than what is at `path`.
    pub(super) fn siblings(&mut self, path: &Path) -> Vec<(PathBuf, Stat)> {
        self.look(path, |listing| listing.siblings(path))
    }

    /// Files whose names are of the form of both and have numbers between theirs: what a link led to that was switched
    /// from `old` to `new` and, in between, to others.
    pub(super) fn between(&mut self, old: &Path, new: &Path) -> Vec<(PathBuf, Stat)> {
        if old.parent() != new.parent() {
            return Vec::new();
        }
        self.look(old, |listing| listing.between(old, new))
    }

    /// Makes sure that what it has of the folder of `path` is as it is now.
    pub(super) fn renew(&mut self, path: &Path) {
        let folder = path.parent().unwrap_or(Path::new("/"));
        self.listings.retain(|known, listing| known != folder || listing.is_current());
    }

    /// Looks into the folder of `path`, again when what it lists is no longer so.
    fn look<T>(&mut self, path: &Path, look: impl Fn(&Listing) -> (T, bool)) -> T {
        let folder = path.parent().unwrap_or(Path::new("/")).to_path_buf();
        let listing = self.listings.entry(folder);
        let listing = listing.or_insert_with_key(|folder| Listing::of(folder));
        let (mut seen, mut current) = look(listing);
        for _ in 1..LOOKS_MAX {
            if current {
                break;
            }
            *listing = Listing::of(&listing.folder);
            (seen, current) = look(listing);
        }
        seen
    }
}

impl Listing {
    fn of(folder: &Path) -> Self {
        let changed = || identity::stat(folder).map(|found| found.modified_ns);
        let (mut entries, mut modified_ns) = (Vec::new(), None);
        for _ in 0..LOOKS_MAX {
            let before = changed();
            let read = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
            entries = read.map(|entry| (entry.file_name(), entry.ino())).collect();
            if changed() == before {
                let settled_ns = i128::from(clock::now_ms() - CLOCK_SLACK_MS) * 1_000_000;
                modified_ns = before.ok().filter(|modified_ns| *modified_ns < settled_ns);
                break;
            }
        }
        entries.sort_unstable();
        let inodes = entries.iter().enumerate().map(|(at, (_, inode))| (*inode, at));
        let mut inodes: Vec<(u64, usize)> = inodes.collect();
        inodes.sort_unstable();
        Self { folder: folder.to_path_buf(), entries, inodes, modified_ns }
    }

    fn is_current(&self) -> bool {
        let found = identity::stat(&self.folder).ok();
        self.modified_ns.is_some() && found.map(|found| found.modified_ns) == self.modified_ns
    }

    /// Where a file is, and whether the listing is right about that.
    fn find(&self, identity: Identity) -> (Option<PathBuf>, bool) {
        let begin = self.inodes.partition_point(|(inode, _)| *inode < identity.inode());
        let same = self.inodes.iter().skip(begin);
        let same = same.take_while(|(inode, _)| *inode == identity.inode());
        let mut current = true;
        for (name, _) in same.filter_map(|(_, at)| self.entries.get(*at)) {
            let path = self.folder.join(name);
            match identity::stat(&path) {
                Ok(found) if found.identity == identity => return (Some(path), true),
                Ok(found) => current &= found.identity.inode() == identity.inode(),
                Err(_) => current = false,
            }
        }
        (None, current)
    }

    /// The rotations of `path`, and whether the listing is right about them.
    fn siblings(&self, path: &Path) -> (Vec<(PathBuf, Stat)>, bool) {
        let Some(name) = path.file_name() else { return (Vec::new(), true) };
        let stem = stem_of(name.as_bytes());
        let begin = self.entries.partition_point(|(other, _)| other.as_bytes() < stem);
        let entries = self.entries.iter().skip(begin);
        let entries = entries.take_while(|(other, _)| other.as_bytes().starts_with(stem));
        let (mut files, mut current) = (Vec::new(), true);
        for (other, inode) in entries.filter(|(other, _)| is_rotation(name, other)) {
            let place = self.folder.join(other);
            let found = identity::stat(&place);
            // A link's inode is not that of the file that it leads to.
            let is_link = || fs::symlink_metadata(&place).is_ok_and(|found| found.is_symlink());
            current &= found.is_ok_and(|found| found.identity.inode() == *inode) || is_link();
            files.extend(found.ok().filter(|found| found.is_file).map(|found| (place, found)));
        }
        (files, current)
    }
}

impl Listing {
    fn between(&self, old: &Path, new: &Path) -> (Vec<(PathBuf, Stat)>, bool) {
        let (old, new) = (old.file_name().unwrap_or_default(), new.file_name().unwrap_or_default());
        let (old, new) = (Form::of(old.as_bytes()), Form::of(new.as_bytes()));
        let names = self.entries.iter().filter(|(name, _)| {
            let form = Form::of(name.as_bytes());
            form.text == old.text
                && form.text == new.text
                && old.numbers < form.numbers
                && form.numbers < new.numbers
        });
        let (mut files, mut current) = (Vec::new(), true);
        for (name, inode) in names {
            let place = self.folder.join(name);
            let found = identity::stat(&place).ok();
            current &= found.is_some_and(|found| found.identity.inode() == *inode);
            files.extend(found.filter(|found| found.is_file).map(|found| (place, found)));
        }
        (files, current)
    }
}

/// A name with its numbers taken out.
struct Form {
    text: Vec<u8>,
    /// Each by its length and its digits, without zeros before them.
    numbers: Vec<(usize, Vec<u8>)>,
}

impl Form {
    fn of(name: &[u8]) -> Self {
        let (mut text, mut numbers) = (Vec::new(), Vec::new());
        for part in name.chunk_by(|one, next| one.is_ascii_digit() == next.is_ascii_digit()) {
            if part.first().is_some_and(u8::is_ascii_digit) {
                let zeros = part.iter().take_while(|digit| **digit == b'0').count();
                let digits = part.get(zeros..).unwrap_or_default();
                numbers.push((digits.len(), digits.to_vec()));
                text.push(b'0');
            } else {
                text.extend(part);
            }
        }
        Self { text, numbers }
    }
}

/// Opens a file that was at `place`, or beside it, when it was last seen.
///
/// # Errors
/// What the system said; [`Errno::NOENT`] when it is no longer there.
pub(super) fn open_near(place: &Path, identity: Identity) -> Result<(PathBuf, fs::File), Errno> {
    let mut place = place.to_path_buf();
    for _ in 0..LOOKS_MAX {
        match identity::open(&place) {
            Ok(file) if identity::stat_open(&file)?.identity == identity => {
                return Ok((place, file));
            }
            Ok(_) | Err(Errno::NOENT) => {}
            Err(cause) => return Err(cause),
        }
        // It may have been renamed just now.
        place = Folders::default().find(&place, identity).ok_or(Errno::NOENT)?;
    }
    Err(Errno::NOENT)
}

/// The name without what is behind its last dot.
pub(super) fn stem_of(name: &[u8]) -> &[u8] {
    let dot = name.iter().rposition(|byte| *byte == b'.').filter(|at| *at > 0);
    name.get(..dot.unwrap_or(name.len())).unwrap_or(name)
}

/// Whether the name at `place` is that of `path` and more.
pub(super) fn extends(path: &Path, place: &Path) -> bool {
    let (Some(name), Some(other)) = (path.file_name(), place.file_name()) else { return false };
    other.as_bytes().starts_with(name.as_bytes())
}

/// The paths of which the one at `place` may be a rotation.
pub(super) fn originals(place: &Path) -> impl Iterator<Item = PathBuf> {
    let folder = place.parent().unwrap_or(Path::new("/"));
    let name = place.file_name().unwrap_or_default();
    let end = name.as_bytes().get(stem_of(name.as_bytes()).len()..).unwrap_or_default();
    // A name without an end would give each path twice.
    let ends = std::iter::once(&b""[..]).chain(Some(end).filter(|end| !end.is_empty()));
    let shorter = (1..name.len()).flat_map(move |cut| ends.clone().map(move |end| (cut, end)));
    shorter.filter_map(move |(cut, end)| {
        let original = [name.as_bytes().get(..cut)?, end].concat();
        let original = OsStr::from_bytes(&original);
        is_rotation(original, name).then(|| folder.join(original))
    })
}

/// Whether the one at `other` has a name of a rotation of what was at `place`.
pub(super) fn is_rotation_at(place: &Path, other: &Path) -> bool {
    let names = place.file_name().zip(other.file_name());
    place.parent() == other.parent() && names.is_some_and(|(name, other)| is_rotation(name, other))
}

/// Whether `other` is how rotation names what was `name`: `app.log.1`, `app.log-20260131`, `app-2026.01.31.log`,
/// `app.log.old`.
pub(super) fn is_rotation(name: &OsStr, other: &OsStr) -> bool {
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
    fn the_original_of_a_rotation_is_among_those_that_it_may_be_of() {
        let of = |place: &str| originals(Path::new(place)).collect::<Vec<_>>();
        assert_eq!(of("/a/app.log.1"), [Path::new("/a/app.log")]);
        assert_eq!(of("/a/app.old"), [Path::new("/a/app")]);
        assert!(of("/a/app-2026-01-31.log").contains(&PathBuf::from("/a/app.log")));
        assert!(of("/a/app.log").is_empty() && of("/").is_empty());
    }

    #[test]
    fn names_between_two_are_of_their_form_and_in_the_order_of_their_numbers() {
        let folder = tempfile::tempdir().unwrap();
        for name in [
            "a-2026-9-1.log",
            "a-2026-10-02.log",
            "a-2026-010-03.log",
            "a-2026-11-1.log",
            "b-2026-10-5.log",
        ] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        let between = |old: &str, new: &str| {
            let (old, new) = (folder.path().join(old), folder.path().join(new));
            let files = Folders::default().between(&old, &new);
            files.iter().map(|(place, _)| place.file_name().unwrap().to_owned()).collect::<Vec<_>>()
        };
        let found = between("a-2026-9-1.log", "a-2026-11-1.log");
        assert_eq!(found, ["a-2026-010-03.log", "a-2026-10-02.log"]);
        assert!(between("a-2026-11-1.log", "a-2026-9-1.log").is_empty());
        assert!(between("a-2026-9-1.log", "b-2026-11-1.log").is_empty());
    }

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
