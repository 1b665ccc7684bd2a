//! Watches folders, never files, with `notify`; what it says is a hint, and the reconcile is the truth.
//!
//! A hint names a path, never what is to be read there, so a thousand events of a file are one, and when there are too
//! many, or some were lost, the reader looks everywhere instead. How they are gathered is told in
//! [`events`](super::events).
//!
//! Invariant: a folder is watched under one path, its place, by however many paths it is known: the kernel has one
//! watch for it, and `notify` one path for that.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::io;
use std::ops::Bound;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use notify::{RecommendedWatcher, RecursiveMode, Watcher};

use super::discover::Interest;
use super::events::{Listener, Shared};

/// What may have happened since the last look.
#[derive(Debug, Default)]
pub(super) struct Hints {
    /// Files that have grown, or shrunk.
    pub(super) grown: Vec<PathBuf>,
    /// Files that have come, gone or got another name.
    pub(super) files: Vec<PathBuf>,
    /// Folders that have come.
    pub(super) folders: Vec<PathBuf>,
    /// Events were lost, or a watched folder has gone: look everywhere.
    pub(super) everything: bool,
}

/// Watches on folders.
#[derive(Debug)]
pub(super) struct Watch {
    watcher: RecommendedWatcher,
    shared: Arc<Shared>,
    /// Every folder that is watched, by its place.
    folders: BTreeMap<PathBuf, Folder>,
    /// The places, by device and inode.
    places: HashMap<(u64, u64), PathBuf>,
    /// Whether events were lost, so that nobody knows which of the watches are still there.
    stale: bool,
}

#[derive(Debug)]
struct Folder {
    identity: (u64, u64),
    interest: Interest,
    paths: Vec<PathBuf>,
}

impl Watch {
    /// Starts the thread that hears events.
    ///
    /// # Errors
    /// What the system said; it then has to be done without watches.
    pub(super) fn new() -> io::Result<Self> {
        let shared = Arc::<Shared>::default();
        let listener = Listener::new(Arc::clone(&shared));
        let watcher = notify::recommended_watcher(listener).map_err(cause)?;
        let (folders, places) = (BTreeMap::new(), HashMap::new());
        Ok(Self { watcher, shared, folders, places, stale: false })
    }

    /// Watches just `folders` from now on, and says whether there is a new one among them: what came into it before
    /// has to be looked for.
    ///
    /// # Errors
    /// The first folder that exists and cannot be watched.
    pub(super) fn set(
        &mut self,
        folders: &[(PathBuf, Interest)],
    ) -> Result<bool, (PathBuf, io::Error)> {
        self.shared.hurry(true);
        if std::mem::take(&mut self.stale) {
            let places: Vec<PathBuf> = self.folders.keys().cloned().collect();
            places.iter().for_each(|place| self.forget(place));
        }
        for folder in self.folders.values_mut() {
            folder.paths.clear();
            folder.interest = Interest::Names;
        }
        let (mut new, mut problem) = (false, None);
        for (path, interest) in folders {
            match self.enter(path, *interest) {
                Ok(entered) => new |= entered,
                Err(cause) => {
                    problem.get_or_insert_with(|| (path.clone(), cause));
                }
            }
        }
        let unwanted = self.folders.iter().filter(|(_, folder)| folder.paths.is_empty());
        let unwanted: Vec<PathBuf> = unwanted.map(|(place, _)| place.clone()).collect();
        unwanted.iter().for_each(|place| self.forget(place));
        new |= self.ignore_growth();
        self.shared.hurry(false);
        problem.map_or(Ok(new), Err)
    }

    /// Watches `path` as well, and says whether it was not watched before.
    ///
    /// # Errors
    /// What the system said; a folder that is not there is not an error.
    pub(super) fn add(&mut self, path: &Path, interest: Interest) -> io::Result<bool> {
        self.shared.hurry(true);
        let entered = self.enter(path, interest);
        self.heed_growth(path, interest);
        self.shared.hurry(false);
        entered
    }

    fn enter(&mut self, path: &Path, interest: Interest) -> io::Result<bool> {
        let Some(identity) = identity(path)? else { return Ok(false) };
        if let Some(folder) = self.places.get(&identity).and_then(|at| self.folders.get_mut(at)) {
            folder.interest = folder.interest.max(interest);
            if !folder.paths.iter().any(|known| known == path) {
                folder.paths.push(path.to_path_buf());
            }
            return Ok(false);
        }
        if self.folders.contains_key(path) {
            // Another folder was there, which may be known by other paths that then have to be watched again.
            self.forget(path);
            self.stale = true;
        }
        match self.watcher.watch(path, RecursiveMode::NonRecursive).map_err(cause) {
            Ok(()) => {}
            Err(cause) if is_missing(&cause) => return Ok(false),
            Err(cause) => return Err(cause),
        }
        let place = path.to_path_buf();
        let folder = Folder { identity, interest, paths: vec![place.clone()] };
        self.places.insert(identity, place.clone());
        self.folders.insert(place, folder);
        Ok(true)
    }

    fn forget(&mut self, place: &Path) {
        if let Some(folder) = self.folders.remove(place) {
            self.places.remove(&folder.identity);
        }
        // It may have gone with its folder.
        self.watcher.unwatch(place).unwrap_or(());
    }

    /// Forgets the folders at and below `path`, which has gone, and says whether there were any.
    ///
    /// `notify` drops its watches on them by itself in some of the cases. It does so right after it has told, and
    /// before it is asked for a new watch, so from here both sides agree again.
    fn forget_below(&mut self, path: &Path) -> bool {
        let below = self
            .folders
            .range::<Path, _>((Bound::Included(path), Bound::Unbounded))
            .map(|(place, _)| place);
        let below: Vec<PathBuf> =
            below.take_while(|place| place.starts_with(path)).cloned().collect();
        below.iter().for_each(|place| self.forget(place));
        !below.is_empty()
    }

    /// Has growth ignored where only names are of interest; whether it matters somewhere where it did not.
    fn ignore_growth(&self) -> bool {
        let names = self.folders.iter().filter(|(_, folder)| folder.interest == Interest::Names);
        let ignored: HashSet<PathBuf> = names.map(|(place, _)| place.clone()).collect();
        let before = std::mem::replace(&mut self.shared.lock().growth_ignored, ignored);
        let files = |place| self.folders.get(place).map(|folder| folder.interest);
        before.iter().any(|place| files(place) == Some(Interest::Files))
    }

    /// Has growth at `path` no longer ignored, when files are of interest there.
    fn heed_growth(&self, path: &Path, interest: Interest) {
        if interest == Interest::Files
            && let Ok(Some(identity)) = identity(path)
            && let Some(place) = self.places.get(&identity)
        {
            self.shared.lock().growth_ignored.remove(place);
        }
    }

    /// Waits until there is something to [`Watch::take`]. Cancel safe.
    pub(super) async fn ready(&self) {
        while self.shared.lock().is_empty() {
            self.shared.arrived.notified().await;
        }
    }

    /// Takes every hint that waits.
    pub(super) fn take(&mut self) -> Hints {
        let mut pending = self.shared.lock();
        let grown = std::mem::take(&mut pending.grown);
        let named = std::mem::take(&mut pending.named);
        self.stale |= std::mem::take(&mut pending.lost);
        drop(pending);
        let mut hints = Hints { everything: self.stale, ..Hints::default() };
        if named.iter().any(|(_, gone)| *gone) {
            self.shared.hurry(true);
        }
        for (path, gone) in named {
            let known = self.known_as(&path);
            if gone {
                hints.everything |= self.forget_below(&path);
            }
            let is_folder = !gone && fs::symlink_metadata(&path).is_ok_and(|found| found.is_dir());
            let which = if is_folder { &mut hints.folders } else { &mut hints.files };
            which.extend(known);
        }
        self.shared.hurry(false);
        hints.grown.extend(grown.iter().flat_map(|path| self.known_as(path)));
        hints
    }

    /// The paths that something at `path`, in a watched place, is known by.
    fn known_as(&self, path: &Path) -> Vec<PathBuf> {
        let folder = path.parent().and_then(|place| self.folders.get(place));
        let (Some(folder), Some(name)) = (folder, path.file_name()) else { return Vec::new() };
        folder.paths.iter().map(|known| known.join(name)).collect()
    }
}

/// The device and inode of a folder, unless there is none.
fn identity(path: &Path) -> io::Result<Option<(u64, u64)>> {
    match fs::metadata(path) {
        Ok(found) => Ok(found.is_dir().then(|| (found.dev(), found.ino()))),
        Err(cause) if is_missing(&cause) => Ok(None),
        Err(cause) => Err(cause),
    }
}

fn is_missing(cause: &io::Error) -> bool {
    matches!(cause.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn cause(error: notify::Error) -> io::Error {
    match error.kind {
        notify::ErrorKind::Io(cause) => cause,
        notify::ErrorKind::PathNotFound => io::ErrorKind::NotFound.into(),
        notify::ErrorKind::MaxFilesWatch => io::Error::other("the limit of watches is reached"),
        notify::ErrorKind::Generic(_)
        | notify::ErrorKind::WatchNotFound
        | notify::ErrorKind::InvalidConfig(_) => io::Error::other(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// Gathers hints until there are enough.
    async fn until(watch: &mut Watch, enough: impl Fn(&Hints) -> bool) -> Hints {
        let mut all = Hints::default();
        let gather = async {
            while !enough(&all) {
                watch.ready().await;
                let hints = watch.take();
                all.grown.extend(hints.grown);
                all.files.extend(hints.files);
                all.folders.extend(hints.folders);
                all.everything |= hints.everything;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), gather).await.unwrap();
        all
    }

    #[tokio::test]
    async fn a_folder_tells_of_files_that_come_grow_and_go_and_of_folders() {
        let folder = tempfile::tempdir().unwrap();
        let (path, other) = (folder.path().join("a"), folder.path().join("b"));
        let mut watch = Watch::new().unwrap();
        let wanted = [(folder.path().to_path_buf(), Interest::Files)];
        assert!(watch.set(&wanted).unwrap());
        fs::write(&path, "x").unwrap();
        until(&mut watch, |hints| hints.files.contains(&path) && hints.grown.contains(&path)).await;
        for _ in 0..3 {
            fs::write(&path, "x").unwrap();
            until(&mut watch, |hints| hints.grown.contains(&path)).await;
        }
        fs::rename(&path, &other).unwrap();
        let hints = until(&mut watch, |hints| hints.files.len() > 1).await;
        assert_eq!(hints.files, [path, other.clone()]);
        fs::create_dir(folder.path().join("c")).unwrap();
        let hints = until(&mut watch, |hints| !hints.folders.is_empty()).await;
        assert_eq!(hints.folders, [folder.path().join("c")]);
        assert!(!watch.set(&[]).unwrap());
        watch.take();
        fs::write(&other, "x").unwrap();
        assert!(watch.set(&wanted).unwrap());
        assert!(watch.take().grown.is_empty());
        fs::remove_dir_all(folder.path()).unwrap();
        assert!(until(&mut watch, |hints| hints.everything).await.everything);
        fs::create_dir(folder.path()).unwrap();
        assert!(watch.set(&wanted).unwrap());
        fs::write(&other, "x").unwrap();
        until(&mut watch, |hints| hints.grown.contains(&other)).await;
    }

    #[tokio::test]
    async fn a_folder_with_two_paths_tells_by_both() {
        let root = tempfile::tempdir().unwrap();
        let paths = ["folder", "link"].map(|name| root.path().join(name));
        fs::create_dir(&paths[0]).unwrap();
        std::os::unix::fs::symlink(&paths[0], &paths[1]).unwrap();
        let mut watch = Watch::new().unwrap();
        assert!(watch.set(&paths.clone().map(|path| (path, Interest::Files))).unwrap());
        fs::write(paths[0].join("a"), "x").unwrap();
        let both = |hints: &Hints| paths.iter().all(|path| hints.grown.contains(&path.join("a")));
        until(&mut watch, both).await;
    }

    #[tokio::test]
    async fn where_only_names_matter_growth_is_not_told_until_it_does() {
        let folder = tempfile::tempdir().unwrap();
        let (path, other) = (folder.path().join("a"), folder.path().join("b"));
        let mut watch = Watch::new().unwrap();
        assert!(watch.set(&[(folder.path().to_path_buf(), Interest::Names)]).unwrap());
        fs::write(&path, "x").unwrap();
        fs::write(&other, "x").unwrap();
        let hints = until(&mut watch, |hints| hints.files.contains(&other)).await;
        assert!(hints.grown.is_empty());
        assert!(watch.set(&[(folder.path().to_path_buf(), Interest::Files)]).unwrap());
        fs::write(&path, "x").unwrap();
        until(&mut watch, |hints| hints.grown.contains(&path)).await;
    }
}
