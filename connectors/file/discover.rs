//! Which files are meant: globs with excludes, as a test on a path and as a walk over the folders that can have any.

use std::ffi::OsStr;
use std::fs::{self, FileType};
use std::path::{Component, Path, PathBuf};

use glob::{MatchOptions, Pattern, PatternError};

/// `*` and `?` stay within one component; nothing is hidden.
const OPTIONS: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: false,
};

/// Folders deeper than this are not entered.
const DEPTH_MAX: usize = 64;

/// One component of a pattern.
#[derive(Debug, Clone)]
enum Part {
    /// Just this name.
    Name(PathBuf),
    /// Names of this form.
    Form(Pattern),
    /// Any number of folders, none too.
    Folders,
}

/// The files that a source is to read.
#[derive(Debug, Clone)]
pub(super) struct Globs {
    include: Vec<Vec<Part>>,
    exclude: Vec<Exclude>,
}

#[derive(Debug, Clone)]
enum Exclude {
    Name(Pattern),
    Path(Pattern),
}

/// What a folder is watched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Interest {
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
    /// Folders that could not be listed, and why.
    pub(super) closed: Vec<(PathBuf, std::io::Error)>,
}

/// A path that is meant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Hit {
    /// The path.
    pub(super) path: PathBuf,
    /// Whether it is a symbolic link.
    pub(super) is_link: bool,
}

impl Hit {
    /// Where it is, links resolved.
    pub(super) fn place(&self) -> PathBuf {
        let real = if self.is_link { self.path.canonicalize().ok() } else { None };
        real.unwrap_or_else(|| self.path.clone())
    }
}

impl Globs {
    /// Reads the patterns; relative ones count from `base`.
    ///
    /// # Errors
    /// The pattern that is not one, and why.
    pub(super) fn new(
        base: &Path,
        include: &[String],
        exclude: &[String],
    ) -> Result<Self, (String, PatternError)> {
        let parts = |text: &String| parts(base, text).map_err(|cause| (text.clone(), cause));
        let read_exclude = |text: &String| {
            let pattern = |text: &str| Pattern::new(text);
            let read = if text.contains('/') {
                let (root, text) = absolute(base, text);
                pattern(&format!("{}{text}", Pattern::escape(&root))).map(Exclude::Path)
            } else {
                pattern(text).map(Exclude::Name)
            };
            read.map_err(|cause| (text.clone(), cause))
        };
        Ok(Self {
            include: include.iter().map(parts).collect::<Result<_, _>>()?,
            exclude: exclude.iter().map(read_exclude).collect::<Result<_, _>>()?,
        })
    }

    /// Whether `path`, absolute, is meant.
    pub(super) fn matches(&self, path: &Path) -> bool {
        let names: Vec<&OsStr> = names(path);
        self.include.iter().any(|parts| fits(parts, &names)) && !self.excludes(path)
    }

    /// Whether `path` is left out.
    pub(super) fn excludes(&self, path: &Path) -> bool {
        self.exclude.iter().any(|exclude| match exclude {
            Exclude::Name(form) => {
                path.file_name().is_some_and(|name| form.matches(&name.to_string_lossy()))
            }
            Exclude::Path(form) => form.matches_path_with(path, OPTIONS),
        })
    }

    /// Looks through the folders; through those inside `only` alone, when it is given.
    pub(super) fn walk(&self, only: Option<&Path>) -> Found {
        let mut walk = Walk { globs: self, only, found: Found::default() };
        for parts in &self.include {
            walk.enter(Path::new("/"), parts, 0);
        }
        let mut found = walk.found;
        found.files.sort_unstable();
        found.files.dedup();
        found.folders.sort_unstable();
        found.folders.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            kept.1 = if same { kept.1.max(next.1) } else { kept.1 };
            same
        });
        found
    }
}

struct Walk<'a> {
    globs: &'a Globs,
    only: Option<&'a Path>,
    found: Found,
}

impl Walk<'_> {
    fn enter(&mut self, folder: &Path, parts: &[Part], depth: usize) {
        let Some((part, rest)) = parts.split_first() else { return };
        let beside =
            self.only.is_some_and(|only| !folder.starts_with(only) && !only.starts_with(folder));
        if depth > DEPTH_MAX || beside || (depth > 0 && self.globs.excludes(folder)) {
            return;
        }
        match part {
            Part::Name(name) => self.take_name(&folder.join(name), rest, (folder, depth)),
            Part::Form(form) => {
                let interest = if rest.is_empty() { Interest::Files } else { Interest::Names };
                for (path, kind) in self.list(folder, interest) {
                    let name = path.file_name().unwrap_or_default().to_string_lossy();
                    if !form.matches_with(&name, OPTIONS) {
                        continue;
                    }
                    if rest.is_empty() {
                        self.take_file(path, kind);
                    } else if kind.is_dir() || (kind.is_symlink() && path.is_dir()) {
                        self.enter(&path, rest, depth + 1);
                    }
                }
            }
            Part::Folders => {
                self.enter(folder, rest, depth);
                for (path, kind) in self.list(folder, Interest::Names) {
                    if kind.is_dir() {
                        self.enter(&path, parts, depth + 1);
                    }
                }
            }
        }
    }

    fn take_name(&mut self, path: &Path, rest: &[Part], (folder, depth): (&Path, usize)) {
        if !rest.is_empty() && path.is_dir() {
            self.enter(path, rest, depth + 1);
            return;
        }
        let interest = if rest.is_empty() { Interest::Files } else { Interest::Names };
        if self.inside(folder) {
            self.found.folders.push((folder.to_path_buf(), interest));
        }
        if rest.is_empty()
            && let Ok(found) = fs::symlink_metadata(path)
        {
            self.take_file(path.to_path_buf(), found.file_type());
        }
    }

    fn take_file(&mut self, path: PathBuf, kind: FileType) {
        let wanted = (kind.is_file() || kind.is_symlink()) && !self.globs.excludes(&path);
        if wanted && self.inside(&path) {
            self.found.files.push(Hit { path, is_link: kind.is_symlink() });
        }
    }

    /// What is in `folder`, which is noted to be watched.
    fn list(&mut self, folder: &Path, interest: Interest) -> Vec<(PathBuf, FileType)> {
        if self.inside(folder) {
            self.found.folders.push((folder.to_path_buf(), interest));
        }
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(cause) => {
                self.found.closed.push((folder.to_path_buf(), cause));
                return Vec::new();
            }
        };
        let entries = entries.filter_map(Result::ok);
        entries.filter_map(|entry| Some((entry.path(), entry.file_type().ok()?))).collect()
    }

    fn inside(&self, path: &Path) -> bool {
        self.only.is_none_or(|only| path.starts_with(only))
    }
}

fn fits(parts: &[Part], names: &[&OsStr]) -> bool {
    let Some((part, rest)) = parts.split_first() else { return names.is_empty() };
    let Some((name, others)) = names.split_first() else { return false };
    match part {
        Part::Name(wanted) => wanted.as_os_str() == *name && fits(rest, others),
        Part::Form(form) => {
            form.matches_with(&name.to_string_lossy(), OPTIONS) && fits(rest, others)
        }
        Part::Folders => fits(rest, names) || fits(parts, others),
    }
}

fn names(path: &Path) -> Vec<&OsStr> {
    let normal = |component| match component {
        Component::Normal(name) => Some(name),
        Component::ParentDir => Some(OsStr::new("..")),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    };
    path.components().filter_map(normal).collect()
}

/// The root that a pattern starts from and the pattern itself, which is then absolute.
fn absolute(base: &Path, text: &str) -> (String, String) {
    if text.starts_with('/') {
        return (String::new(), text.to_owned());
    }
    let text = text.strip_prefix("./").unwrap_or(text);
    (base.to_string_lossy().trim_end_matches('/').to_owned(), format!("/{text}"))
}

fn parts(base: &Path, text: &str) -> Result<Vec<Part>, PatternError> {
    Pattern::new(text)?;
    let (root, text) = absolute(base, text);
    let mut parts: Vec<Part> = names(Path::new(&root)).into_iter().map(name_part).collect();
    for name in names(Path::new(&text)) {
        let name = name.to_string_lossy();
        if name == "**" {
            parts.push(Part::Folders);
        } else if name.contains(['*', '?', '[']) {
            parts.push(Part::Form(Pattern::new(&name)?));
        } else {
            parts.push(name_part(OsStr::new(&*name)));
        }
    }
    if matches!(parts.last(), Some(Part::Folders)) {
        parts.push(Part::Form(Pattern::new("*")?));
    }
    Ok(parts)
}

fn name_part(name: &OsStr) -> Part {
    Part::Name(PathBuf::from(name))
}

#[cfg(test)]
mod tests {
    use super::*;

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
            let found = globs.walk(None).files;
            let found: Vec<_> =
                found.iter().map(|hit| hit.path.strip_prefix(&root).unwrap()).collect();
            assert_eq!(found, wanted.iter().map(Path::new).collect::<Vec<_>>(), "{include}");
            assert!(wanted.iter().all(|name| globs.matches(&root.join(name))), "{include}");
            assert!(!globs.matches(&root.join("sub/deep/c.log.gz")), "{include}");
        }
        assert!(Globs::new(&root, &["a[".to_owned()], &[]).is_err());
        assert!(Globs::new(&root, &["a**b".to_owned()], &[]).is_err());
    }

    #[test]
    fn a_walk_inside_one_folder_lists_no_other_and_what_is_not_there_yet_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        fs::create_dir_all(root.join("one/two")).unwrap();
        fs::create_dir_all(root.join("other")).unwrap();
        fs::write(root.join("one/two/a.log"), "x").unwrap();
        fs::write(root.join("other/b.log"), "x").unwrap();
        let found = globs(&root, "**/*.log", "x").walk(Some(&root.join("one")));
        assert_eq!(found.files.len(), 1);
        let folders: Vec<_> = found.folders.iter().map(|(path, _)| path.clone()).collect();
        assert_eq!(folders, [root.join("one"), root.join("one/two")]);
        let found = globs(&root, "new/**/*.log", "x").walk(None);
        assert_eq!(found.folders, [(root, Interest::Names)]);
    }
}
