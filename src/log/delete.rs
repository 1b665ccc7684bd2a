//! The end of a partition: its folder is put aside in one step, and removed when there is time.

use std::path::{Path, PathBuf};
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use crate::log::disk::{self, File};
use crate::log::{LogError, Partition};

/// How the name of a folder ends that was put aside. No partition's does: that ends with its number.
const ENDING: &str = "-delete";

impl Partition {
    /// Whether it was deleted.
    #[must_use]
    pub fn is_deleted(&self) -> bool {
        self.deleted.load(Ordering::Acquire)
    }

    /// Deletes it: its folder is put aside under a name that no partition has, to be removed by [`discard`]. Nothing is
    /// read from it or made in it any more. Gives the folder's new path, also the second time.
    ///
    /// # Errors
    /// [`LogError`] when the folder cannot be renamed; the partition is then there still.
    pub fn put_aside(&self, topic_id: &str) -> Result<PathBuf, LogError> {
        let _held = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let aside = format!("{topic_id}-{}{ENDING}", self.name().partition);
        let aside = self.folder.with_file_name(aside);
        if self.deleted.swap(true, Ordering::AcqRel) {
            return Ok(aside);
        }
        if let Err(cause) = disk::rename(&self.folder, &aside) {
            self.deleted.store(false, Ordering::Release);
            return Err(LogError::io("rename", &self.folder)(cause));
        }
        self.segments.write().unwrap_or_else(PoisonError::into_inner).clear();
        self.cursors.lock().unwrap_or_else(PoisonError::into_inner).clear();
        Ok(aside)
    }
}

/// Removes a folder that was put aside. Its files have no room on the disk then, even while somebody holds them open.
///
/// # Errors
/// [`LogError`] when it cannot be removed; the next start tries again.
pub fn discard(folder: &Path) -> Result<(), LogError> {
    for path in disk::list(folder).map_err(LogError::io("list", folder))? {
        // What cannot be cut has its room until it is closed.
        File::open(&path, true).and_then(|file| file.set_len(0)).ok();
    }
    disk::remove_dir_all(folder).map_err(LogError::io("delete", folder))
}

/// The folders in a data folder that were put aside and are there still.
///
/// # Errors
/// [`LogError`] when it cannot be listed.
pub fn deleted_folders(data_folder: &Path) -> Result<Vec<PathBuf>, LogError> {
    let mut found = Vec::new();
    for path in disk::list(data_folder).map_err(LogError::io("list", data_folder))? {
        let name = path.file_name().and_then(|name| name.to_str());
        if name.is_some_and(|name| name.ends_with(ENDING)) && path.is_dir() {
            found.push(path);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::log::tests::{batch, name};
    use crate::log::{Read, Reader, Settings};

    #[test]
    fn a_deleted_partition_is_at_its_end_and_leaves_its_name_and_its_room_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t-0");
        let open =
            || Partition::open(&path, name(), Settings { segment_bytes: 1000 }, 0).unwrap().0;
        let old = Arc::new(open());
        for _ in 0..20 {
            old.append(&batch(&[7; 100], 2), 1).unwrap();
        }
        let mut reader = Reader::new(Arc::clone(&old), 0);
        assert!(matches!(reader.read().unwrap(), Read::Batch(..)));
        let held = old.segments();
        assert!(held.len() > 2);
        let aside = old.put_aside("id").unwrap();
        assert_eq!(deleted_folders(folder.path()).unwrap(), std::slice::from_ref(&aside));

        // Another one has its name now: what the old one is still asked to do must not touch it.
        let new = open();
        new.append(&batch(&[8; 100], 1), 1).unwrap();
        assert!(matches!(old.append(&batch(&[7; 100], 2), 1), Err(LogError::Deleted { .. })));
        assert!(matches!(old.roll(), Err(LogError::Deleted { .. })));
        assert_eq!(old.delete_before(40).unwrap(), 0);
        assert!(matches!(reader.read().unwrap(), Read::End));
        assert_eq!((old.size_bytes(), old.put_aside("id").unwrap()), (0, aside.clone()));

        discard(&aside).unwrap();
        assert!(held.iter().all(|segment| segment.file_bytes().unwrap() == 0));
        assert!(deleted_folders(folder.path()).unwrap().is_empty());
        assert_eq!(std::fs::read_dir(&path).unwrap().count(), 1);
        assert_eq!((new.end(), open().end()), (1, 1));
    }
}
