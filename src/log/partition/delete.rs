//! What leaves a partition: its oldest segments, and its folder, which is put aside in one step and removed when there
//! is time.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use parking_lot::MutexGuard;

use crate::log::disk::{self, File};
use crate::log::segment::Segment;
use crate::log::{LogError, Partition};

/// How the name of a folder ends that was put aside. No partition's does: that ends with its number.
const ENDING: &str = "-delete";

impl Partition {
    /// Removes whole closed segments below `offset`; gives the bytes that were freed.
    ///
    /// # Errors
    /// [`LogError`] when a file cannot be deleted; it is no longer read all the same.
    pub fn delete_before(&self, offset: i64) -> Result<u64, LogError> {
        let mut leaving = self.files.lock();
        let before = leaving.len();
        leaving.extend({
            let mut segments = self.segments.write();
            let bases: Vec<i64> = segments.iter().map(|segment| segment.base_offset()).collect();
            let count = bases.iter().skip(1).take_while(|next| **next <= offset).count();
            let removed: Vec<Arc<Segment>> = segments.drain(..count).collect();
            let start = segments.first().map_or(0, |segment| segment.base_offset());
            self.start.fetch_max(start, Ordering::AcqRel);
            removed
        });
        if leaving.len() > before {
            self.cursors.lock().clear();
        }
        self.delete_all(&mut leaving)
    }

    /// Deletes what could not be deleted before; gives the bytes that were freed.
    ///
    /// # Errors
    /// [`LogError`] when it cannot be deleted now either.
    pub fn delete_left(&self) -> Result<u64, LogError> {
        self.delete_all(&mut self.files.lock())
    }

    /// Deletes segments, the oldest first: a file that stays must not have a gap behind it when it is found at the next
    /// start. One that was never used goes before the one that holds its offsets.
    fn delete_all(&self, leaving: &mut VecDeque<Arc<Segment>>) -> Result<u64, LogError> {
        let mut unmade = self.unmade();
        while let Some(one) = unmade.last() {
            one.delete()?;
            unmade.pop();
        }
        drop(unmade);
        let mut freed = 0;
        while let Some(oldest) = leaving.front() {
            oldest.delete()?;
            freed += oldest.size_bytes();
            leaving.pop_front();
        }
        Ok(freed)
    }

    pub(super) fn unmade(&self) -> MutexGuard<'_, Vec<Arc<Segment>>> {
        self.unmade.lock()
    }

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
        let mut leaving = self.files.lock();
        let aside = format!("{topic_id}-{}{ENDING}", self.name().partition);
        let aside = self.folder.with_file_name(aside);
        if self.deleted.swap(true, Ordering::AcqRel) {
            return Ok(aside);
        }
        if let Err(cause) = disk::rename(&self.folder, &aside) {
            self.deleted.store(false, Ordering::Release);
            return Err(LogError::io("rename", &self.folder)(cause));
        }
        // Their names may be another partition's soon.
        leaving.clear();
        self.unmade().clear();
        self.segments.write().clear();
        self.cursors.lock().clear();
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
    use crate::log::disk::simulated::{Disk, Refusal};
    use crate::log::tests::{batch, name};
    use crate::log::{Read, Reader, Settings};

    #[test]
    fn a_segment_that_could_not_be_made_leaves_no_gap_when_its_holder_goes() {
        let folder = tempfile::tempdir().unwrap();
        let mut left = 0;
        for refused in 0..12 {
            let folder = folder.path().join(refused.to_string());
            std::fs::create_dir(&folder).unwrap();
            let disk = Disk::beneath(&folder);
            let path = folder.join("t-0");
            let open =
                || Partition::open(&path, name(), Settings { segment_bytes: 10_000 }, 0).unwrap();
            let (partition, _) = open();
            partition.append(&batch(&[7; 100], 2), 1).unwrap();
            disk.refuse(Some(Refusal { from: disk.steps() + refused, count: 5, full: false }));
            partition.roll().ok();
            disk.refuse(None);
            left += partition.unmade().len();
            for _ in 0..3 {
                if partition.append(&batch(&[7; 100], 2), 1).is_err() {
                    partition.mend().unwrap();
                }
            }
            partition.roll().unwrap();
            partition.append(&batch(&[7; 100], 2), 1).unwrap();
            let (start, end) =
                (partition.segments().last().unwrap().base_offset(), partition.end());
            partition.delete_before(start).unwrap();
            drop(partition);
            let (partition, found) = open();
            assert_eq!((partition.start(), partition.end()), (start, end), "{refused}");
            assert_eq!(found.gaps, [], "{refused}");
            disk.end();
        }
        assert!(left > 0, "nothing was ever left behind");
    }

    #[test]
    fn what_goes_while_it_is_read_was_removed_and_is_not_damaged() {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings { segment_bytes: 1000 };
        let path = folder.path().join("t-0");
        let partition = Arc::new(Partition::open(&path, name(), settings, 0).unwrap().0);
        for _ in 0..20 {
            partition.append(&batch(&[7; 100], 2), 1).unwrap();
        }
        let (mut reader, mut removed) = (Reader::new(Arc::clone(&partition), 0), Vec::new());
        assert!(matches!(reader.read().unwrap(), Read::Batch(..)));
        let start = partition.segments()[3].base_offset();
        partition.delete_before(start).unwrap();
        loop {
            match reader.read().unwrap() {
                Read::End => break,
                Read::Batch(..) => {}
                Read::Damage(damage) => removed.push(damage),
            }
        }
        let [one] = &removed[..] else { panic!("{removed:?}") };
        assert!(one.is_removal && one.to == start, "{one:?}");
    }

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
