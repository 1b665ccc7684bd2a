//! Watches folders, never files; what it says is a hint, and the reconcile is the truth.
//!
//! Linux's inotify is used as it is: the reader gathers events in the kernel, where equal ones that follow each other
//! become one, so a file that is written ten thousand times a second costs a few hundred reads. When the kernel's
//! queue has overflown, or a folder cannot be watched, it is said, and the caller looks for itself.

use std::collections::HashMap;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
use rustix::io::Errno;
use tokio::io::unix::AsyncFd;

use super::discover::Interest;

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
    queue: AsyncFd<OwnedFd>,
    folders: HashMap<i32, Vec<PathBuf>>,
    space: Vec<MaybeUninit<u8>>,
}

/// Bytes of events that are taken at a time; room for about a thousand.
const SPACE: usize = 64 << 10;

impl Watch {
    /// Makes a queue. Must be called inside the runtime.
    ///
    /// # Errors
    /// What the system said; it then has to be done without watches.
    pub(super) fn new() -> std::io::Result<Self> {
        let queue = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
        let space = vec![MaybeUninit::uninit(); SPACE];
        #[expect(deprecated, reason = "its successor is unsafe; an OwnedFd is what it asks for")]
        let queue = AsyncFd::new(queue)?;
        Ok(Self { queue, folders: HashMap::new(), space })
    }

    /// Watches just `folders` from now on, and says whether there is a new one among them: what came into it before
    /// has to be looked for.
    ///
    /// # Errors
    /// The first folder that exists and cannot be watched.
    pub(super) fn set(
        &mut self,
        folders: &[(PathBuf, Interest)],
    ) -> Result<bool, (PathBuf, Errno)> {
        let before = std::mem::take(&mut self.folders);
        let mut problem = None;
        for (path, interest) in folders {
            if let Err(cause) = self.add(path, *interest) {
                problem.get_or_insert_with(|| (path.clone(), cause));
            }
        }
        for watch in before.keys().filter(|watch| !self.folders.contains_key(watch)) {
            // It may have gone with its folder.
            inotify::remove_watch(self.queue.get_ref(), *watch).unwrap_or(());
        }
        let new = self.folders.keys().any(|watch| !before.contains_key(watch));
        problem.map_or(Ok(new), Err)
    }

    /// Watches `path` as well, and says whether it was not watched before.
    ///
    /// # Errors
    /// What the system said; a folder that is not there is not an error.
    pub(super) fn add(&mut self, path: &Path, interest: Interest) -> Result<bool, Errno> {
        let names = WatchFlags::CREATE
            | WatchFlags::MOVED_TO
            | WatchFlags::DELETE_SELF
            | WatchFlags::MOVE_SELF
            | WatchFlags::ONLYDIR
            | WatchFlags::MASK_ADD;
        let flags = match interest {
            Interest::Names => names,
            Interest::Files => {
                names | WatchFlags::MODIFY | WatchFlags::MOVED_FROM | WatchFlags::DELETE
            }
        };
        match inotify::add_watch(self.queue.get_ref(), path, flags) {
            Ok(watch) => {
                let paths = self.folders.entry(watch).or_default();
                let new = paths.is_empty();
                if !paths.iter().any(|known| known == path) {
                    paths.push(path.to_path_buf());
                }
                Ok(new)
            }
            Err(Errno::NOENT | Errno::NOTDIR) => Ok(false),
            Err(cause) => Err(cause),
        }
    }

    /// Waits until there is something to [`Watch::take`]. Cancel safe.
    pub(super) async fn ready(&self) {
        match self.queue.readable().await {
            Ok(mut guard) => guard.clear_ready(),
            // The runtime is going; whoever waits beside this sees it.
            Err(_) => std::future::pending().await,
        }
    }

    /// Takes every event that waits.
    pub(super) fn take(&mut self) -> Hints {
        let mut hints = Hints::default();
        let mut last: (i32, Vec<u8>) = (0, Vec::new());
        let mut reader = Reader::new(self.queue.get_ref(), &mut self.space);
        loop {
            let event = match reader.next() {
                Ok(event) => event,
                Err(Errno::INTR) => continue,
                Err(_) => return hints,
            };
            let flags = event.events();
            let lost = ReadFlags::QUEUE_OVERFLOW | ReadFlags::DELETE_SELF | ReadFlags::MOVE_SELF;
            if flags.intersects(lost | ReadFlags::IGNORED | ReadFlags::UNMOUNT) {
                hints.everything |= !flags.contains(ReadFlags::IGNORED);
                continue;
            }
            let name = event.file_name().map_or(&[][..], |name| name.to_bytes());
            let changed = flags.contains(ReadFlags::MODIFY);
            if changed && last.0 == event.wd() && last.1 == name {
                continue;
            }
            last = (event.wd(), name.to_vec());
            let name = std::ffi::OsStr::from_bytes(name);
            for folder in self.folders.get(&event.wd()).into_iter().flatten() {
                let path = folder.join(name);
                if flags.contains(ReadFlags::ISDIR) {
                    hints.folders.push(path);
                } else if changed {
                    hints.grown.push(path);
                } else {
                    hints.files.push(path);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::time::Duration;

    async fn next(watch: &mut Watch) -> Hints {
        let patience = Duration::from_secs(10);
        tokio::time::timeout(patience, watch.ready()).await.unwrap();
        watch.take()
    }

    #[tokio::test]
    async fn a_folder_tells_of_files_that_come_grow_and_go_and_of_folders() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let mut watch = Watch::new().unwrap();
        let wanted = [(folder.path().to_path_buf(), Interest::Files)];
        assert!(watch.set(&wanted).unwrap());
        for _ in 0..3 {
            fs::write(&path, "x").unwrap();
            let hints = next(&mut watch).await;
            assert!(hints.files.contains(&path) || hints.grown.contains(&path));
        }
        drop(watch.take());
        fs::rename(&path, folder.path().join("b")).unwrap();
        assert_eq!(next(&mut watch).await.files, [path, folder.path().join("b")]);
        fs::create_dir(folder.path().join("c")).unwrap();
        assert_eq!(next(&mut watch).await.folders, [folder.path().join("c")]);
        assert!(!watch.set(&[]).unwrap());
        fs::write(folder.path().join("b"), "x").unwrap();
        assert!(watch.take().grown.is_empty());
        assert!(watch.set(&wanted).unwrap());
        drop(watch.take());
        fs::remove_dir_all(folder.path()).unwrap();
        assert!(next(&mut watch).await.everything);
    }
}
