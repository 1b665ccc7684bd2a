//! Where paths lead that go over links, and what that depends on.
//!
//! A link can lead to a file in a folder that nobody meant, and the file is rotated there; or the link, or one that it
//! leads to, is switched. So every place is known at which something may change where a path leads, and so is the place
//! where it leads now, there or not.

use std::collections::{HashMap, HashSet, VecDeque};
use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// Most links on one way; the kernel follows as many.
const LINKS_MAX: usize = 40;

/// Where a path leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Way {
    /// The links on it, each at its own place, and what is missing on it; empty when it leads over none.
    pub(super) turns: Arc<[PathBuf]>,
    /// Where it ends, links resolved; what is missing may be there later.
    pub(super) place: PathBuf,
}

impl Way {
    /// That of a path on which there are no links.
    pub(super) fn straight(path: &Path) -> Self {
        Self { turns: Arc::default(), place: path.to_path_buf() }
    }

    /// Finds the way from an absolute path to what it leads to, as far as that is there.
    pub(super) fn of(path: &Path) -> Self {
        let (mut turns, mut place) = (Vec::new(), PathBuf::from("/"));
        let mut ahead: VecDeque<OsString> = VecDeque::new();
        ahead.extend(path.components().filter_map(name));
        let (mut links, mut missing) = (0, false);
        while let Some(next) = ahead.pop_front() {
            if next == ".." {
                place.pop();
                continue;
            }
            place.push(next);
            if missing {
                continue;
            }
            match fs::read_link(&place) {
                Ok(target) if links < LINKS_MAX => {
                    links += 1;
                    turns.push(place.clone());
                    if target.is_absolute() {
                        place = PathBuf::from("/");
                    } else {
                        place.pop();
                    }
                    target
                        .components()
                        .filter_map(name)
                        .rev()
                        .for_each(|part| ahead.push_front(part));
                }
                Err(cause) if cause.kind() == ErrorKind::NotFound => {
                    missing = true;
                    turns.push(place.clone());
                }
                Ok(_) | Err(_) => {}
            }
        }
        if links == 0 {
            turns.clear();
        }
        Self { turns: turns.into(), place }
    }

    /// That of what has `name` in the folder that this one leads to, and is no link.
    pub(super) fn join(&self, name: &Path) -> Self {
        Self { turns: Arc::clone(&self.turns), place: self.place.join(name) }
    }

    /// Whether there are links on it.
    pub(super) fn has_links(&self) -> bool {
        !self.turns.is_empty()
    }
}

fn name(component: Component<'_>) -> Option<OsString> {
    match component {
        Component::Normal(_) | Component::ParentDir => Some(component.as_os_str().to_owned()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    }
}

/// The ways of all paths that are meant and lead over links.
#[derive(Debug, Default)]
pub(super) struct Links {
    ways: HashMap<PathBuf, Way>,
    /// The paths that lead over or to a place.
    over: HashMap<PathBuf, HashSet<PathBuf>>,
    /// Where the links are that lead to folders.
    folders: HashSet<PathBuf>,
}

impl Links {
    /// Takes note of where a path leads; whether that is new.
    pub(super) fn set(&mut self, path: &Path, way: &Way) -> bool {
        if self.ways.get(path).map_or(!way.has_links(), |known| known == way) {
            return false;
        }
        self.remove(path);
        if way.has_links() {
            for place in way.turns.iter().chain([&way.place]) {
                self.over.entry(place.clone()).or_default().insert(path.to_path_buf());
            }
            self.ways.insert(path.to_path_buf(), way.clone());
        }
        true
    }

    fn remove(&mut self, path: &Path) {
        let Some(way) = self.ways.remove(path) else { return };
        for place in way.turns.iter().chain([&way.place]) {
            if let Some(paths) = self.over.get_mut(place) {
                paths.remove(path);
                if paths.is_empty() {
                    self.over.remove(place);
                }
            }
        }
    }

    /// Forgets the ways of all paths but `wanted`, and has these `folders` for the links that lead to folders.
    pub(super) fn keep(&mut self, wanted: impl Fn(&Path) -> bool, folders: HashSet<PathBuf>) {
        let gone = self.ways.keys().filter(|path| !wanted(path)).cloned();
        gone.collect::<Vec<_>>().iter().for_each(|path| self.remove(path));
        self.folders = folders;
    }

    /// The paths that lead over or to `place`, other than itself.
    pub(super) fn over(&self, place: &Path) -> Vec<PathBuf> {
        let paths = self.over.get(place).into_iter().flatten();
        paths.filter(|path| *path != place).cloned().collect()
    }

    /// Whether a link is at `place` that leads to a folder.
    pub(super) fn is_to_folder(&self, place: &Path) -> bool {
        self.folders.contains(place)
    }

    /// Where `path` leads: to itself when there are no links on the way.
    pub(super) fn place<'a>(&'a self, path: &'a Path) -> &'a Path {
        self.ways.get(path).map_or(path, |way| &way.place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_way_names_every_link_on_it_and_what_is_missing() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let at = |name: &str| root.join(name);
        fs::create_dir_all(at("data/v1")).unwrap();
        fs::write(at("data/v1/a"), "x").unwrap();
        symlink("v1", at("data/current")).unwrap();
        symlink(at("data/current/a"), at("one")).unwrap();
        symlink("./data/../one", at("two")).unwrap();
        let way = |name: &str| {
            let way = Way::of(&at(name));
            (way.turns.to_vec(), way.place)
        };
        assert_eq!(way("data/v1/a"), (vec![], at("data/v1/a")));
        assert_eq!(way("nothing/at/all"), (vec![], at("nothing/at/all")));
        let turns = vec![at("two"), at("one"), at("data/current")];
        assert_eq!(way("two"), (turns, at("data/v1/a")));
        assert_eq!(Way::of(&at("two")).place, at("two").canonicalize().unwrap());
        fs::remove_dir_all(at("data/v1")).unwrap();
        let turns = vec![at("one"), at("data/current"), at("data/v1")];
        assert_eq!(way("one"), (turns, at("data/v1/a")));
        symlink("loop", at("loop")).unwrap();
        assert_eq!(way("loop").1, at("loop"));
    }

    #[test]
    fn paths_are_known_by_every_place_on_their_way_until_they_lead_elsewhere() {
        let [path, place, other] = ["/l", "/a", "/b"].map(PathBuf::from);
        let way = |place: &Path| Way { turns: vec![path.clone()].into(), place: place.into() };
        let mut links = Links::default();
        assert!(links.set(&path, &way(&place)) && !links.set(&path, &way(&place)));
        assert_eq!((links.over(&place), links.over(&path)), (vec![path.clone()], vec![]));
        assert!(links.set(&path, &way(&other)));
        assert_eq!((links.over(&place), links.over(&other)), (vec![], vec![path.clone()]));
        links.keep(|_| false, HashSet::new());
        assert_eq!((links.over(&other), links.place(&path)), (vec![], path.as_path()));
    }
}
