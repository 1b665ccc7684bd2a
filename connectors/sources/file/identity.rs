//! Which file it is, whatever it is called: device, inode and time of birth.
//!
//! The clock of a file system need not be that of this machine: it may be another machine's, and either can be set. So
//! how late it was at a look is taken from the stamps that were seen then, and births are compared with that.

use std::fs::File;
use std::path::Path;

use anabranch_record::origin::text_of;
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, Statx, StatxFlags};
use rustix::io::Errno;

use crate::contract::clock;

/// Tells a file from every other, also from a later one that gets its inode (where the file system knows births).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Identity {
    device: u64,
    inode: u64,
    born_ns: i128,
}

impl Identity {
    /// Bytes of an encoded identity.
    pub(super) const LENGTH: usize = 32;

    /// As a position's key.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut key = Vec::with_capacity(Self::LENGTH);
        key.extend(self.device.to_be_bytes());
        key.extend(self.inode.to_be_bytes());
        key.extend(self.born_ns.to_be_bytes());
        key
    }

    /// From a position's key; `None` when it is not one.
    pub(super) fn decode(key: &[u8]) -> Option<Self> {
        let (device, rest) = key.split_first_chunk()?;
        let (inode, rest) = rest.split_first_chunk()?;
        let born = rest.try_into().ok()?;
        Some(Self {
            device: u64::from_be_bytes(*device),
            inode: u64::from_be_bytes(*inode),
            born_ns: i128::from_be_bytes(born),
        })
    }

    /// When it was born, nanoseconds since the Unix epoch; 0 where that is not known.
    pub(super) const fn born_ns(&self) -> i128 {
        self.born_ns
    }

    /// Names the text that the file begins with. Not by its device, which may have another number after the next boot.
    pub(super) fn text(&self) -> u64 {
        text_of(&[&self.inode.to_be_bytes(), &self.born_ns.to_be_bytes()])
    }

    /// The inode alone, as folders list it.
    pub(super) const fn inode(&self) -> u64 {
        self.inode
    }
}

/// What the file system says of a file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stat {
    /// Which file it is.
    pub(super) identity: Identity,
    /// Whether it is a regular file.
    pub(super) is_file: bool,
    /// Whether it is a folder.
    pub(super) is_folder: bool,
    /// Bytes in it.
    pub(super) size: u64,
    /// Last change of its bytes, milliseconds since the Unix epoch.
    pub(super) modified_ms: i64,
    /// The same in nanoseconds.
    pub(super) modified_ns: i128,
    /// Its birth, or its last change where births are not known, milliseconds since the Unix epoch.
    pub(super) born_ms: i64,
    /// Names that it has; 0 once it is deleted.
    pub(super) links: u32,
    /// How late it was at least when this was asked, by the file system's clock, milliseconds since the Unix epoch.
    pub(super) reached_ms: i64,
}

/// The clock of a file system goes in such steps at most, milliseconds.
pub(super) const CLOCK_SLACK_MS: i64 = 20;

impl Stat {
    /// What is born later than this, but for [`CLOCK_SLACK_MS`], was not there yet when this was asked; what is born
    /// earlier was.
    pub(super) fn seen_ms(&self) -> i64 {
        // Nothing has come to the folder since its last change. Right after that, more may come within one step.
        clock::now_ms().min(self.reached_ms + CLOCK_SLACK_MS)
    }

    /// Nothing that is born later than this, but for [`CLOCK_SLACK_MS`], was there when this was asked, nor much later.
    pub(super) fn begun_ms(&self) -> i64 {
        clock::now_ms().max(self.reached_ms)
    }
}

const MASK: StatxFlags = StatxFlags::BASIC_STATS.union(StatxFlags::BTIME);

/// Asks for the file that `path` leads to, links followed.
///
/// # Errors
/// What the system said.
pub(super) fn stat(path: &Path) -> Result<Stat, Errno> {
    rustix::fs::statx(CWD, path, AtFlags::empty(), MASK).map(|found| read(&found))
}

/// The same, with what its folder says of how late it is.
///
/// # Errors
/// What the system said.
pub(super) fn look(path: &Path) -> Result<Stat, Errno> {
    // First, so that what comes to the folder in between is taken for new.
    let folder = path.parent().and_then(|folder| stat(folder).ok());
    let found = stat(path)?;
    let folder = folder.filter(|folder| folder.identity.device == found.identity.device);
    let reached_ms = folder.map_or(found.reached_ms, |one| one.modified_ms.max(found.reached_ms));
    Ok(Stat { reached_ms, ..found })
}

/// Asks for an open file.
///
/// # Errors
/// What the system said.
pub(super) fn stat_open(file: &File) -> Result<Stat, Errno> {
    rustix::fs::statx(file, "", AtFlags::EMPTY_PATH, MASK).map(|found| read(&found))
}

/// Opens a file to read; never waits for the other end of a pipe.
///
/// # Errors
/// What the system said.
pub(super) fn open(path: &Path) -> Result<File, Errno> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    rustix::fs::open(path, flags, Mode::empty()).map(File::from)
}

fn read(found: &Statx) -> Stat {
    let birth = found.stx_btime;
    let born_ns = nanoseconds(birth.tv_sec, birth.tv_nsec);
    let known = StatxFlags::from_bits_retain(found.stx_mask).contains(StatxFlags::BTIME);
    let modified_ms = milliseconds(found.stx_mtime.tv_sec, found.stx_mtime.tv_nsec);
    let device = (u64::from(found.stx_dev_major) << 32) | u64::from(found.stx_dev_minor);
    let kind = FileType::from_raw_mode(found.stx_mode.into());
    Stat {
        identity: Identity {
            device,
            inode: found.stx_ino,
            born_ns: if known { born_ns } else { 0 },
        },
        is_file: kind == FileType::RegularFile,
        is_folder: kind == FileType::Directory,
        size: found.stx_size,
        modified_ms,
        modified_ns: nanoseconds(found.stx_mtime.tv_sec, found.stx_mtime.tv_nsec),
        born_ms: if known { milliseconds(birth.tv_sec, birth.tv_nsec) } else { modified_ms },
        links: found.stx_nlink,
        reached_ms: milliseconds(found.stx_ctime.tv_sec, found.stx_ctime.tv_nsec),
    }
}

fn milliseconds(seconds: i64, nanoseconds: u32) -> i64 {
    seconds.saturating_mul(1000).saturating_add(i64::from(nanoseconds / 1_000_000))
}

fn nanoseconds(seconds: i64, nanoseconds: u32) -> i128 {
    i128::from(seconds) * 1_000_000_000 + i128::from(nanoseconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_survives_a_rename_and_its_encoding_and_ends_with_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let (one, two) = (folder.path().join("one"), folder.path().join("two"));
        std::fs::write(&one, "x").unwrap();
        let first = stat(&one).unwrap().identity;
        let held = open(&one).unwrap();
        std::fs::rename(&one, &two).unwrap();
        std::fs::write(&one, "y").unwrap();
        assert_eq!(stat(&two).unwrap().identity, first);
        assert_ne!(stat(&one).unwrap().identity, first);
        assert_eq!(Identity::decode(&first.encode()), Some(first));
        assert_eq!(first.encode().len(), Identity::LENGTH);
        assert_eq!(Identity::decode(b"short"), None);
        std::fs::remove_file(&two).unwrap();
        assert_eq!(stat_open(&held).unwrap().links, 0);
    }
}
