//! Watches folders, never files, with inotify; what it says is a hint, and the reconcile is the truth.
//!
//! A hint names a path, never what is to be read there, so a thousand events of a file are one. Events wait in the
//! kernel, which makes one of equal ones that follow each other; nobody is woken for them before they are waited for
//! again. When the kernel's queue has overflowed, the reader looks everywhere.
//!
//! The kernel has one watch for a folder, by however many paths it is known, and gives the same number for it each time.
//! It ends by itself with the folder. So nothing here has to be found by path but what is asked for, and a folder that
//! goes costs the same however many there are.
//!
//! Invariant: every watch of the kernel is in `folders`, but for those whose end is still to be heard.

use std::collections::{HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::io::Errno;
use tokio::io::unix::AsyncFd;

use super::walk::Interest;

/// Bytes of events that are taken from the kernel at a time.
const BUFFER: usize = 64 << 10;
/// Most events that are taken at a time, so that files are read in between.
const EVENTS_MAX: usize = 4096;

/// What may have happened since the last look.
#[derive(Debug, Default)]
pub(super) struct Hints {
    /// Files that have grown, or shrunk.
    pub(super) grown: Vec<PathBuf>,
    /// Files that have come, gone or got another name; folders that have gone.
    pub(super) files: Vec<PathBuf>,
    /// Folders that have come.
    pub(super) folders: Vec<PathBuf>,
    /// Events were lost, or a watched folder has gone: look everywhere.
    pub(super) everything: bool,
}

/// Watches on folders.
#[derive(Debug)]
pub(super) struct Watch {
    inotify: OwnedFd,
    buffer: Box<[MaybeUninit<u8>]>,
    /// Every folder that is watched, by the kernel's number.
    folders: HashMap<i32, Folder>,
}

#[derive(Debug)]
struct Folder {
    interest: Interest,
    paths: Vec<PathBuf>,
}

impl Watch {
    /// Begins without any.
    ///
    /// # Errors
    /// What the system said; it then has to be done without watches.
    pub(super) fn new() -> io::Result<Self> {
        let inotify = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        let buffer = vec![MaybeUninit::uninit(); BUFFER].into();
        Ok(Self { inotify, buffer, folders: HashMap::new() })
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
        let mut before = HashMap::new();
        for (number, folder) in &mut self.folders {
            folder.paths.clear();
            before.insert(*number, std::mem::replace(&mut folder.interest, Interest::Links));
        }
        let (mut new, mut problem) = (false, None);
        for (path, interest) in folders {
            match self.add(path, *interest) {
                Ok(entered) => new |= entered,
                Err(_) if *interest == Interest::Links => {}
                Err(cause) => {
                    problem.get_or_insert_with(|| (path.clone(), cause));
                }
            }
        }
        let inotify = &self.inotify;
        self.folders.retain(|number, folder| {
            let wanted = !folder.paths.is_empty();
            if !wanted {
                // It may have gone, and with it the watch.
                inotify::remove_watch(inotify, *number).ok();
            }
            new |= before.get(number).is_some_and(|before| folder.interest > *before);
            wanted
        });
        problem.map_or(Ok(new), Err)
    }

    /// Watches `path` as well, and says whether it was not watched before.
    ///
    /// # Errors
    /// What the system said; a folder that is not there is not an error.
    pub(super) fn add(&mut self, path: &Path, interest: Interest) -> io::Result<bool> {
        let mut flags = WatchFlags::ONLYDIR | WatchFlags::MASK_ADD;
        flags |= WatchFlags::CREATE | WatchFlags::DELETE | WatchFlags::MOVE;
        flags |= WatchFlags::DELETE_SELF | WatchFlags::MOVE_SELF;
        if interest == Interest::Files {
            flags |= WatchFlags::MODIFY;
        }
        let number = match inotify::add_watch(&self.inotify, path, flags) {
            Ok(number) => number,
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(false),
            Err(Errno::NOSPC) => return Err(io::Error::other("the limit of watches is reached")),
            Err(cause) => return Err(cause.into()),
        };
        let mut new = false;
        let folder = self.folders.entry(number).or_insert_with(|| {
            new = true;
            Folder { interest, paths: Vec::new() }
        });
        folder.interest = folder.interest.max(interest);
        if !folder.paths.iter().any(|known| known == path) {
            folder.paths.push(path.to_path_buf());
        }
        Ok(new)
    }

    /// Waits until there is something to [`Watch::take`]. Cancel safe.
    #[expect(deprecated, reason = "what replaces it is unsafe; a borrowed descriptor stays open")]
    pub(super) async fn ready(&self) {
        // Only while it is waited for: else each event would wake a thread of the runtime.
        let inotify = AsyncFd::with_interest(self.inotify.as_fd(), tokio::io::Interest::READABLE);
        match inotify {
            Ok(inotify) if inotify.readable().await.is_ok() => {}
            // The reconcile will find it.
            Ok(_) | Err(_) => std::future::pending().await,
        }
    }

    /// Takes every hint that waits.
    pub(super) fn take(&mut self) -> Hints {
        let Self { inotify, buffer, folders } = self;
        let mut gathered = Gathered { folders, hints: Hints::default(), grown: HashMap::new() };
        let mut events = inotify::Reader::new(&*inotify, buffer);
        let mut count = 0;
        // What is in the buffer has left the kernel.
        while count < EVENTS_MAX || !events.is_buffer_empty() {
            count += 1;
            let (number, flags, name) = match events.next() {
                Ok(event) => {
                    let name = event.file_name().map(|name| OsStr::from_bytes(name.to_bytes()));
                    (event.wd(), event.events(), name.map(OsStr::to_owned))
                }
                Err(Errno::INTR) => continue,
                Err(_) => break,
            };
            if gathered.put(number, flags, name.as_deref()) {
                // Its paths lead elsewhere by now. It may have gone, and with it the watch.
                inotify::remove_watch(&*inotify, number).ok();
            }
        }
        gathered.hints
    }
}

/// Events, turned into hints.
struct Gathered<'a> {
    folders: &'a mut HashMap<i32, Folder>,
    hints: Hints,
    /// What was told already.
    grown: HashMap<i32, HashSet<OsString>>,
}

impl Gathered<'_> {
    /// Takes note of an event; whether its folder is to be watched no longer.
    fn put(&mut self, number: i32, flags: ReadFlags, name: Option<&OsStr>) -> bool {
        if flags.contains(ReadFlags::QUEUE_OVERFLOW) {
            self.hints.everything = true;
            return false;
        }
        let ends = ReadFlags::IGNORED | ReadFlags::DELETE_SELF | ReadFlags::MOVE_SELF;
        if flags.intersects(ends) {
            let known = self.folders.remove(&number).is_some();
            self.hints.everything |= known;
            return known && !flags.contains(ReadFlags::IGNORED);
        }
        let (Some(folder), Some(name)) = (self.folders.get(&number), name) else { return false };
        let paths = folder.paths.iter().map(|known| known.join(name));
        let comes = flags.intersects(ReadFlags::CREATE | ReadFlags::MOVED_TO);
        if comes && flags.contains(ReadFlags::ISDIR) {
            self.hints.folders.extend(paths);
        } else if comes || flags.intersects(ReadFlags::DELETE | ReadFlags::MOVED_FROM) {
            self.hints.files.extend(paths);
        } else if flags.contains(ReadFlags::MODIFY) && folder.interest == Interest::Files {
            let told = self.grown.entry(number).or_default();
            if !told.contains(name) {
                told.insert(name.to_owned());
                self.hints.grown.extend(paths);
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
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
    async fn no_event_is_missed_of_more_than_are_taken_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let mut watch = Watch::new().unwrap();
        watch.set(&[(folder.path().to_path_buf(), Interest::Files)]).unwrap();
        let names: HashSet<PathBuf> =
            (0..2 * EVENTS_MAX).map(|number| folder.path().join(format!("a{number}"))).collect();
        names.iter().for_each(|path| drop(fs::File::create(path).unwrap()));
        let hints = until(&mut watch, |hints| hints.files.len() >= names.len()).await;
        assert_eq!(HashSet::from_iter(hints.files), names);
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
