//! What lies beneath the log: each file of a data folder is made, written, synced, renamed and removed here.
//!
//! So a test can put a disk beneath the whole hub that forgets what was not synced and refuses what it is told to
//! ([`simulated`]). In every other build what watches is [`Nothing`]: a type without a size, whose functions are empty.

mod beneath;
#[cfg(test)]
pub(crate) mod random;
#[cfg(test)]
pub(crate) mod simulated;
#[cfg(test)]
mod surface;

use std::io::{self, IoSlice};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::log::private;
use beneath::Beneath;

#[cfg(not(test))]
type Watch = beneath::Nothing;
#[cfg(test)]
type Watch = simulated::Watch;

/// A file of a data folder.
#[derive(Debug)]
pub(super) struct File {
    inner: std::fs::File,
    watch: Watch,
}

/// Watching costs nothing where nobody watches.
#[cfg(not(test))]
const _: () = assert!(size_of::<File>() == size_of::<std::fs::File>());

impl File {
    /// Makes a file, or empties the one that is there.
    pub(super) fn make(path: &Path) -> io::Result<Self> {
        let watch = Watch::create(path)?;
        Ok(Self { inner: private::create(path)?, watch })
    }

    /// Makes a file that must not be there.
    pub(super) fn make_new(path: &Path) -> io::Result<Self> {
        if path.exists() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let watch = Watch::create(path)?;
        Ok(Self { inner: private::create_new(path)?, watch })
    }

    /// Opens a file that is there.
    pub(super) fn open(path: &Path, writable: bool) -> io::Result<Self> {
        let watch = Watch::open(path)?;
        let inner = std::fs::OpenOptions::new().read(true).write(writable).open(path)?;
        Ok(Self { inner, watch })
    }

    /// The file itself, for those who read it without this process looking at the bytes, and for hints.
    pub(super) const fn inner(&self) -> &std::fs::File {
        &self.inner
    }

    pub(super) fn metadata(&self) -> io::Result<std::fs::Metadata> {
        self.inner.metadata()
    }

    /// Fills `target`.
    pub(super) fn read_exact_at(&self, target: &mut [u8], place: u64) -> io::Result<()> {
        self.watch.read()?;
        self.inner.read_exact_at(target, place)
    }

    /// Writes two pieces one behind the other, in one call most times.
    pub(super) fn write_both_at(&self, head: &[u8], rest: &[u8], place: u64) -> io::Result<()> {
        self.watch.write(&self.inner, (head, rest), place)?;
        let pieces = [IoSlice::new(head), IoSlice::new(rest)];
        let written = rustix::io::pwritev(&self.inner, &pieces, place)?;
        if written < head.len() {
            let left = head.get(written..).unwrap_or_default();
            self.inner.write_all_at(left, place + written as u64)?;
            return self.inner.write_all_at(rest, place + head.len() as u64);
        }
        let left = rest.get(written - head.len()..).unwrap_or_default();
        self.inner.write_all_at(left, place + written as u64)
    }

    pub(super) fn set_len(&self, size_bytes: u64) -> io::Result<()> {
        self.watch.set_len(size_bytes)?;
        self.inner.set_len(size_bytes)
    }

    pub(super) fn sync_data(&self) -> io::Result<()> {
        self.watch.sync()?;
        self.inner.sync_data()
    }

    pub(super) fn sync_all(&self) -> io::Result<()> {
        self.watch.sync()?;
        self.inner.sync_all()
    }

    pub(super) fn set_modified(&self, time: SystemTime) -> io::Result<()> {
        self.inner.set_modified(time)
    }
}

/// The bytes of a file.
pub(super) fn read(path: &Path) -> io::Result<Vec<u8>> {
    Watch::open(path)?.read()?;
    std::fs::read(path)
}

/// Makes a file of these bytes, in the place of the one that may be there.
pub(super) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    File::make(path)?.write_both_at(bytes, &[], 0)
}

pub(super) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    Watch::rename(from, to)?;
    std::fs::rename(from, to)
}

pub(super) fn remove_file(path: &Path) -> io::Result<()> {
    Watch::remove(path)?;
    std::fs::remove_file(path)
}

pub(super) fn remove_dir_all(path: &Path) -> io::Result<()> {
    Watch::remove(path)?;
    std::fs::remove_dir_all(path)
}

/// Makes a folder that must not be there.
pub(super) fn create_folder(path: &Path) -> io::Result<()> {
    if path.exists() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    Watch::create_folder(path)?;
    private::create_folder(path)
}

/// Makes the names in a folder durable.
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    Watch::sync_folder(path)?;
    std::fs::File::open(path)?.sync_all()
}

/// The paths in a folder, in no order.
pub(super) fn list(folder: &Path) -> io::Result<Vec<PathBuf>> {
    std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect()
}
