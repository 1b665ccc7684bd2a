//! A data folder: its lock, its identity, its epoch, and the partitions in it.

pub(super) mod checkpoint;

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use anabranch_record::TopicPartition;

use crate::log::private::{self, Narrowed};
use crate::log::{Checkpoint, LogError, disk, write_atomically};

/// The version of the format in [`crate::log`].
const VERSION: &str = "1";
const RECOVERY_POINTS: &str = "recovery-point-checkpoint";
const LOG_STARTS: &str = "log-start-offset-checkpoint";
const CLEANER_OFFSETS: &str = "cleaner-offset-checkpoint";
const UNCHECKED: &str = "unchecked";

/// A data folder, held exclusively.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    meta: Meta,
    epoch: i32,
    clean: bool,
    narrowed: Narrowed,
    _lock: File,
}

/// What names a hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meta {
    /// Unique for ever.
    pub hub_id: String,
}

impl Folder {
    /// Opens a data folder, makes it when it is not there, and holds it.
    ///
    /// `new_id` names the hub if the folder is new.
    ///
    /// # Errors
    /// [`LogError::Locked`] when another process holds it; [`LogError`] when it cannot be made or is not ours.
    pub fn open(path: &Path, new_id: &str) -> Result<Self, LogError> {
        private::create_folders(path).map_err(LogError::io("create", path))?;
        let lock_path = path.join(".lock");
        // Whoever holds it has written its number there.
        let mut lock = private::keep(&lock_path).map_err(LogError::io("create", &lock_path))?;
        if lock.try_lock().is_err() {
            return Err(LogError::Locked { path: path.to_owned(), holder: Self::holder(path) });
        }
        // Only said to others; a full disk is no reason not to start.
        lock.set_len(0).and_then(|()| write!(lock, "{}", std::process::id())).ok();
        let narrowed = private::narrow(path);
        let meta = match Meta::load(path)? {
            Some(meta) => meta,
            None => Meta::create(path, new_id)?,
        };
        for file in [RECOVERY_POINTS, LOG_STARTS] {
            let path = path.join(file);
            match disk::read(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(LogError::io("read", &path)(error));
                }
                _ => {}
            }
        }
        let epoch_path = path.join("leader-epoch");
        let last: Option<i32> = match disk::read(&epoch_path) {
            Ok(bytes) => str::from_utf8(&bytes).ok().and_then(|text| text.trim().parse().ok()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            // An epoch that is given once more would name records that were lost.
            Err(error) => return Err(LogError::io("read", &epoch_path)(error)),
        };
        let mark = path.join("clean-shutdown");
        let clean = last.is_some() && mark.exists();
        let epoch = last.map_or(0, |last| if clean { last } else { last + 1 });
        if last != Some(epoch) {
            store_epoch(&epoch_path, epoch)?;
        }
        if last.is_some() && !clean {
            write_atomically(&path.join(UNCHECKED), "")?;
        }
        // From here on a crash is a crash: the mark must not come back with a power cut.
        if mark.exists() {
            disk::remove_file(&mark).map_err(LogError::io("delete", &mark))?;
            crate::log::sync(path)?;
        }
        Ok(Self { path: path.to_owned(), meta, epoch, clean, narrowed, _lock: lock })
    }

    /// Whether another process holds the folder at `path`; tried without keeping it.
    #[must_use]
    pub fn is_held(path: &Path) -> bool {
        File::open(path.join(".lock")).is_ok_and(|lock| lock.try_lock().is_err())
    }

    /// The process that holds the folder at `path`, in words for a person.
    #[must_use]
    pub fn holder(path: &Path) -> String {
        let number = std::fs::read_to_string(path.join(".lock")).ok();
        let Some(id) = number.and_then(|number| number.trim().parse::<u32>().ok()) else {
            return "another process".to_owned();
        };
        // In another container the number means nothing here.
        match std::fs::read_to_string(format!("/proc/{id}/comm")) {
            Ok(name) => format!("process {id} ({})", name.trim()),
            Err(_unseen) => format!("process {id}"),
        }
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What others had rights to when it was opened.
    #[must_use]
    pub const fn narrowed(&self) -> &Narrowed {
        &self.narrowed
    }

    /// The hub's identity.
    #[must_use]
    pub const fn meta(&self) -> &Meta {
        &self.meta
    }

    /// The leader epoch of this life: one more than before after an unclean end.
    #[must_use]
    pub const fn epoch(&self) -> i32 {
        self.epoch
    }

    /// Whether the last life ended in order.
    #[must_use]
    pub const fn was_clean(&self) -> bool {
        self.clean
    }

    /// Raises the epoch above what was seen in the log (a copied or restored folder). `anew`: also above one of this
    /// life, since offsets of it are given once more.
    ///
    /// # Errors
    /// [`LogError`] when it cannot be stored.
    pub fn raise_epoch(&mut self, seen: i32, anew: bool) -> Result<(), LogError> {
        if seen < self.epoch || (seen == self.epoch && self.clean && !anew) {
            return Ok(());
        }
        self.epoch = seen + 1;
        store_epoch(&self.path.join("leader-epoch"), self.epoch)
    }

    /// Whether a life did not end in order, and not everything was read since.
    #[must_use]
    pub fn must_check(&self) -> bool {
        self.path.join(UNCHECKED).exists()
    }

    /// Notes that everything was read.
    ///
    /// # Errors
    /// [`LogError`] when the mark cannot be removed.
    pub fn mark_checked(&self) -> Result<(), LogError> {
        let path = self.path.join(UNCHECKED);
        disk::remove_file(&path).map_err(LogError::io("delete", &path))
    }

    /// What is known to be on disk.
    #[must_use]
    pub fn recovery_points(&self) -> Checkpoint {
        Checkpoint::load(&self.path.join(RECOVERY_POINTS))
    }

    /// Notes what is known to be on disk.
    ///
    /// # Errors
    /// [`LogError`] when it cannot be stored; recovery would read more than it must.
    pub fn store_recovery_points(&self, points: &Checkpoint) -> Result<(), LogError> {
        points.store(&self.path.join(RECOVERY_POINTS))
    }

    /// Where partitions begin whose first records somebody deleted.
    #[must_use]
    pub fn log_starts(&self) -> Checkpoint {
        log_starts(&self.path)
    }

    /// The file of [`Folder::log_starts`], if it is damaged.
    #[must_use]
    pub fn damaged_log_starts(&self) -> Option<PathBuf> {
        Some(self.path.join(LOG_STARTS)).filter(|path| Checkpoint::is_damaged(path))
    }

    /// Notes where partitions begin.
    ///
    /// # Errors
    /// [`LogError`] when it cannot be stored; deleted records could be read again after the next start.
    pub fn store_log_starts(&self, starts: &Checkpoint) -> Result<(), LogError> {
        starts.store(&self.path.join(LOG_STARTS))
    }

    /// Up to where partitions are compacted.
    #[must_use]
    pub fn cleaner_offsets(&self) -> Checkpoint {
        Checkpoint::load(&self.path.join(CLEANER_OFFSETS))
    }

    /// Notes up to where partitions are compacted.
    ///
    /// # Errors
    /// [`LogError`] when it cannot be stored; they would be compacted from their beginning.
    pub fn store_cleaner_offsets(&self, offsets: &Checkpoint) -> Result<(), LogError> {
        offsets.store(&self.path.join(CLEANER_OFFSETS))
    }

    /// Forgets what is noted of a topic's partitions: one of that name that is made now begins with nothing.
    ///
    /// # Errors
    /// [`LogError`] when it cannot be stored.
    pub fn forget_topic(&self, topic: &str) -> Result<(), LogError> {
        for file in [RECOVERY_POINTS, LOG_STARTS, CLEANER_OFFSETS] {
            let path = self.path.join(file);
            let mut known = Checkpoint::load(&path);
            if known.forget_topic(topic) {
                known.store(&path)?;
            }
        }
        Ok(())
    }

    /// Marks an orderly end; nothing may be appended afterwards.
    ///
    /// # Errors
    /// [`LogError`] when the mark cannot be made; the next start takes longer.
    pub fn mark_clean(&self) -> Result<(), LogError> {
        write_atomically(&self.path.join("clean-shutdown"), "")
    }
}

impl Meta {
    /// Reads `meta.properties`; `None` when there is none.
    ///
    /// # Errors
    /// [`LogError::Format`] when it is not ours or of a later version.
    pub fn load(folder: &Path) -> Result<Option<Self>, LogError> {
        let path = folder.join("meta.properties");
        let text = match disk::read(&path) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(LogError::io("read", &path)(error)),
        };
        let value = |name: &str| {
            let found = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
            found.map(str::trim).ok_or_else(|| {
                let problem = format!(
                    "has no {name}, so it is damaged; remove this file, and the next start makes another: \
                     records and positions stay, only cluster.id is a new one"
                );
                LogError::Format { path: path.clone(), problem }
            })
        };
        let version = value("version")?;
        if version != VERSION {
            let problem = format!("format version {version}; this program reads version {VERSION}");
            return Err(LogError::Format { path, problem });
        }
        let hub_id = value("cluster.id")?.to_owned();
        Ok(Some(Self { hub_id }))
    }

    fn create(folder: &Path, hub_id: &str) -> Result<Self, LogError> {
        let path = folder.join("meta.properties");
        write_atomically(&path, &format!("version={VERSION}\ncluster.id={hub_id}\n"))?;
        Ok(Self { hub_id: hub_id.to_owned() })
    }
}

/// Stores the epoch; on a full disk in place, since the few bytes have their block already.
fn store_epoch(path: &Path, epoch: i32) -> Result<(), LogError> {
    let text = format!("{epoch}\n");
    match write_atomically(path, &text) {
        Err(LogError::NoSpace { .. }) if path.exists() => {
            let file = disk::File::open(path, true).map_err(LogError::io("open", path))?;
            file.write_both_at(text.as_bytes(), &[], 0).map_err(LogError::io("write", path))?;
            file.sync_all().map_err(LogError::io("sync", path))
        }
        stored => stored,
    }
}

/// Where partitions begin whose first records somebody deleted; for the folder's owner and for those who only look.
#[must_use]
pub fn log_starts(folder: &Path) -> Checkpoint {
    Checkpoint::load(&folder.join(LOG_STARTS))
}

/// The partitions in a data folder, in order; for its owner and for those who only look.
///
/// # Errors
/// [`LogError`] when it cannot be listed.
pub fn partitions(folder: &Path) -> Result<Vec<(TopicPartition, PathBuf)>, LogError> {
    let mut found = Vec::new();
    for path in disk::list(folder).map_err(LogError::io("list", folder))? {
        let name = path.file_name().and_then(|name| name.to_str()).and_then(TopicPartition::parse);
        if let (Some(name), true) = (name, path.is_dir()) {
            found.push((name, path));
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damaged_properties_say_what_helps_and_it_does() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("meta.properties");
        for (damaged, missing) in [
            (&b"\xff\x00garbage"[..], "version"),
            (b"", "version"),
            (b"version=1\n", "cluster.id"),
            (b"cluster.id=abc\n", "version"),
        ] {
            std::fs::write(&path, damaged).unwrap();
            let error = Folder::open(folder.path(), "new").unwrap_err().to_string();
            let expected =
                format!("{}: has no {missing}, so it is damaged; remove", path.display());
            assert!(error.starts_with(&expected), "{error}");
            std::fs::remove_file(&path).unwrap();
            assert_eq!(Folder::open(folder.path(), "new").unwrap().meta.hub_id, "new");
        }
        std::fs::write(&path, "version=7\ncluster.id=abc\n").unwrap();
        let error = Folder::open(folder.path(), "new").unwrap_err().to_string();
        assert!(error.ends_with("format version 7; this program reads version 1"), "{error}");
    }
}
