//! Looks through the folders that can have files that are meant.
//!
//! Links to folders are followed. Behind `**`, where they can lead in circles, a folder is entered once for each way to
//! go on from it, by its device and inode: where it is, if it is reached there, and else by the first link that leads
//! to it. A folder that contains the one that is looked through is never entered again.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs::{self, FileType};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::discover::{Globs, OPTIONS, Part};
use super::links::Way;

/// Folders deeper than this are not entered.
const DEPTH_MAX: usize = 64;

/// What a folder is watched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Interest {
    /// Only for a link that may be switched; where that cannot be watched, the reconcile finds it.
    Links,
    /// Only for names that come: something is to appear in it.
    Names,
    /// For files that grow, too.
    Files,
}

/// What a walk found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Files and links, which may lead to anything.
    pub(super) files: Vec<Hit>,
    /// Folders to watch.
    pub(super) folders: Vec<(PathBuf, Interest)>,
    /// Where the links are that lead to folders.
    pub(super) links: HashSet<PathBuf>,
    /// Folders that could not be listed, and why.
    pub(super) closed: Vec<(PathBuf, std::io::Error)>,
}

/// A path that is meant, and where it leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hit {
    /// The path.
    pub(super) path: PathBuf,
    /// Where it leads.
    pub(super) way: Way,
}

impl Hit {
    /// Where it is, links resolved.
    pub(super) fn place(&self) -> &Path {
        if self.way.has_links() { &self.way.place } else { &self.path }
    }

    /// Looks where `path` leads.
    pub(super) fn of(path: &Path) -> Self {
        Self { path: path.to_path_buf(), way: Way::of(path) }
    }
}

/// A folder on the way, and how deep below the root it is.
#[derive(Debug, Clone, Copy)]
struct Folder<'a> {
    path: &'a Path,
    way: &'a Way,
    depth: usize,
}

/// A name in a folder.
struct Entry {
    path: PathBuf,
    kind: FileType,
}

/// A folder to which a link leads, entered when all that are there themselves have been.
struct Linked<'a> {
    path: PathBuf,
    parts: &'a [Part],
    depth: usize,
}

struct Walk<'a> {
    globs: &'a Globs,
    only: Option<&'a Path>,
    found: Found,
    /// The folders that were entered behind `**`, and how many parts were still to come.
    entered: HashSet<(u64, u64, usize)>,
    linked: Vec<Linked<'a>>,
}

/// Looks through the folders; through those inside `only` alone, when it is given.
pub(super) fn walk(globs: &Globs, only: Option<&Path>) -> Found {
    let (found, entered, linked) = Default::default();
    let mut walk = Walk { globs, only, found, entered, linked };
    for parts in globs.include() {
        walk.entered.clear();
        let root = Path::new("/");
        walk.enter(Folder { path: root, way: &Way::straight(root), depth: 0 }, parts);
        walk.follow_links();
    }
    let mut found = walk.found;
    found.files.sort_unstable_by(|one, other| one.path.cmp(&other.path));
    found.files.dedup_by(|next, kept| next.path == kept.path);
    found.folders.sort_unstable();
    found.folders.dedup_by(|next, kept| {
        let same = next.0 == kept.0;
        kept.1 = if same { kept.1.max(next.1) } else { kept.1 };
        same
    });
    found
}

impl<'a> Walk<'a> {
    fn enter(&mut self, folder: Folder<'_>, parts: &'a [Part]) {
        let Some((part, rest)) = parts.split_first() else { return };
        let beside = self
            .only
            .is_some_and(|only| !folder.path.starts_with(only) && !only.starts_with(folder.path));
        let excluded = folder.depth > 0 && self.globs.excludes(folder.path);
        if folder.depth > DEPTH_MAX || beside || excluded {
            return;
        }
        match part {
            Part::Name(name) => self.take_name(folder, name, rest),
            Part::Form(form) => {
                let interest = if rest.is_empty() { Interest::Files } else { Interest::Names };
                for entry in self.list(folder, interest) {
                    let name = entry.path.file_name().unwrap_or_default().to_string_lossy();
                    if !form.matches_with(&name, OPTIONS) {
                        continue;
                    }
                    if rest.is_empty() {
                        self.take_file(folder, entry);
                    } else if is_folder(&entry) {
                        self.go_down(folder, &entry, rest);
                    }
                }
            }
            Part::Folders if self.enter_once(folder.path, parts.len()) => {
                self.enter(folder, rest);
                for entry in self.list(folder, Interest::Names) {
                    if entry.kind.is_dir() {
                        self.go_down(folder, &entry, parts);
                    } else if is_folder(&entry) {
                        let depth = folder.depth + 1;
                        self.linked.push(Linked { path: entry.path, parts, depth });
                    }
                }
            }
            Part::Folders => {}
        }
    }

    /// Whether a folder behind `**` was not entered yet; those above it cannot be entered then.
    fn enter_once(&mut self, folder: &Path, parts: usize) -> bool {
        let mut above = folder.ancestors().map(fs::metadata);
        let Some(Ok(found)) = above.next() else { return false };
        let is_new = self.entered.insert((found.dev(), found.ino(), parts));
        let mut closed = !is_new;
        while let Some(Ok(found)) = above.next().filter(|_| !closed) {
            closed = !self.entered.insert((found.dev(), found.ino(), parts));
        }
        is_new
    }

    fn follow_links(&mut self) {
        while !self.linked.is_empty() {
            let mut linked = std::mem::take(&mut self.linked);
            linked.sort_unstable_by(|one, other| one.path.cmp(&other.path));
            for Linked { path, parts, depth } in linked {
                let way = Way::of(&path);
                self.found.links.extend(way.turns.iter().cloned());
                self.enter(Folder { path: &path, way: &way, depth }, parts);
            }
        }
    }

    fn go_down(&mut self, folder: Folder<'_>, entry: &Entry, parts: &'a [Part]) {
        let way = way(folder, entry);
        if entry.kind.is_symlink() {
            self.found.links.extend(way.turns.iter().cloned());
        }
        self.enter(Folder { path: &entry.path, way: &way, depth: folder.depth + 1 }, parts);
    }

    fn take_name(&mut self, folder: Folder<'_>, name: &OsStr, rest: &'a [Part]) {
        let path = folder.path.join(name);
        let found = fs::symlink_metadata(&path).ok();
        let entry = found.map(|found| Entry { path, kind: found.file_type() });
        if let Some(entry) = entry.as_ref().filter(|entry| !rest.is_empty() && is_folder(entry)) {
            return self.go_down(folder, entry, rest);
        }
        let interest = if rest.is_empty() { Interest::Files } else { Interest::Names };
        self.note(folder.path, interest);
        if let Some(entry) = entry.filter(|_| rest.is_empty()) {
            self.take_file(folder, entry);
        }
    }

    fn take_file(&mut self, folder: Folder<'_>, entry: Entry) {
        let is_link = entry.kind.is_symlink();
        let wanted = (entry.kind.is_file() || is_link) && !self.globs.excludes(&entry.path);
        if wanted && self.inside(&entry.path) {
            let way = way(folder, &entry);
            self.found.files.push(Hit { path: entry.path, way });
        }
    }

    /// What is in a folder, which is noted to be watched.
    fn list(&mut self, folder: Folder<'_>, interest: Interest) -> Vec<Entry> {
        self.note(folder.path, interest);
        // Above the folder that alone is looked through, nothing but the way to it matters.
        let next = self.only.and_then(|only| only.strip_prefix(folder.path).ok());
        if let Some(name) = next.and_then(|below| below.iter().next()) {
            let path = folder.path.join(name);
            let found = fs::symlink_metadata(&path).ok();
            return found
                .map(|found| Entry { path, kind: found.file_type() })
                .into_iter()
                .collect();
        }
        let entries = match fs::read_dir(folder.path) {
            Ok(entries) => entries,
            Err(cause) => {
                self.found.closed.push((folder.path.to_path_buf(), cause));
                return Vec::new();
            }
        };
        let entries = entries.filter_map(Result::ok);
        let entry =
            |entry: fs::DirEntry| Some(Entry { path: entry.path(), kind: entry.file_type().ok()? });
        entries.filter_map(entry).collect()
    }

    fn note(&mut self, folder: &Path, interest: Interest) {
        if self.inside(folder) {
            self.found.folders.push((folder.to_path_buf(), interest));
        }
    }

    fn inside(&self, path: &Path) -> bool {
        self.only.is_none_or(|only| path.starts_with(only))
    }
}

fn way(folder: Folder<'_>, entry: &Entry) -> Way {
    match entry.path.file_name() {
        Some(name) if !entry.kind.is_symlink() => folder.way.join(Path::new(name)),
        _ => Way::of(&entry.path),
    }
}

fn is_folder(entry: &Entry) -> bool {
    entry.kind.is_dir() || (entry.kind.is_symlink() && entry.path.is_dir())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn globs(base: &Path, include: &str, exclude: &str) -> Globs {
        Globs::new(base, &[include.to_owned()], &[exclude.to_owned()]).unwrap()
    }

    #[test]
    fn a_path_matches_just_when_the_walk_finds_it() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        for name in ["a.log", "b.log.gz", "sub/c.log", "sub/deep/er/d.log", "sub/deep/e.txt"] {
            let path = root.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        }
        for (include, exclude, wanted) in [
            ("*.log", "x", vec!["a.log"]),
            ("./*.log*", "*.gz", vec!["a.log"]),
            ("**/*.log", "x", vec!["a.log", "sub/c.log", "sub/deep/er/d.log"]),
            ("**/*.log", "sub/deep/**", vec!["a.log", "sub/c.log"]),
            ("**", "*.log*", vec!["sub/deep/e.txt"]),
            ("s*/c.log", "x", vec!["sub/c.log"]),
            ("sub/**/er/*", "x", vec!["sub/deep/er/d.log"]),
            ("a.log", "x", vec!["a.log"]),
            ("*", "?.log", vec!["b.log.gz"]),
        ] {
            let globs = globs(&root, include, exclude);
            let found = walk(&globs, None).files;
            let found: Vec<_> =
                found.iter().map(|hit| hit.path.strip_prefix(&root).unwrap()).collect();
            assert_eq!(found, wanted.iter().map(Path::new).collect::<Vec<_>>(), "{include}");
            assert!(wanted.iter().all(|name| globs.matches(&root.join(name))), "{include}");
            assert!(!globs.matches(&root.join("sub/deep/c.log.gz")), "{include}");
        }
    }

    #[test]
    fn a_walk_inside_one_folder_lists_no_other_and_what_is_not_there_yet_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        fs::create_dir_all(root.join("one/two")).unwrap();
        fs::create_dir_all(root.join("other")).unwrap();
        fs::write(root.join("one/two/a.log"), "x").unwrap();
        fs::write(root.join("other/b.log"), "x").unwrap();
        let found = walk(&globs(&root, "**/*.log", "x"), Some(&root.join("one")));
        assert_eq!(found.files.len(), 1);
        let folders: Vec<_> = found.folders.iter().map(|(path, _)| path.clone()).collect();
        assert_eq!(folders, [root.join("one"), root.join("one/two")]);
        let found = walk(&globs(&root, "new/**/*.log", "x"), None);
        assert_eq!(found.folders, [(root, Interest::Names)]);
    }

    #[test]
    fn links_to_folders_are_followed_once_and_never_in_a_circle() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        for name in ["logs/z/a.log", "logs/b/c/b.log", "else/where/c.log", "else/d.log"] {
            let path = root.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        }
        for (to, at) in [
            ("../z", "logs/b/to-z"),
            ("../../..", "logs/b/c/up"),
            (".", "logs/here"),
            ("/", "logs/root"),
            ("../else/where", "logs/other"),
            ("../else/where", "logs/other-again"),
            ("../../logs", "else/where/back"),
            ("d.log", "else/e.log"),
            ("../else/d.log", "logs/file.log"),
        ] {
            symlink(to, root.join(at)).unwrap();
        }
        let found = walk(&globs(&root, "logs/**/*.log", "x"), None);
        let names: Vec<_> =
            found.files.iter().map(|hit| hit.path.strip_prefix(&root).unwrap()).collect();
        let wanted = ["logs/b/c/b.log", "logs/file.log", "logs/other/c.log", "logs/z/a.log"];
        assert_eq!(names, wanted.map(Path::new));
        let places: Vec<_> =
            found.files.iter().map(|hit| hit.place().strip_prefix(&root).unwrap()).collect();
        let wanted = ["logs/b/c/b.log", "else/d.log", "else/where/c.log", "logs/z/a.log"];
        assert_eq!(places, wanted.map(Path::new));
        assert!(found.links.contains(&root.join("logs/other")));
    }
}
