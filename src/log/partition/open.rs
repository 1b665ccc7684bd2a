//! Opens a partition, and finds its end after a crash.

use std::path::Path;
use std::sync::Arc;

use anabranch_record::TopicPartition;

use crate::log::compact::settle;
use crate::log::recovery::scan::{Recovered, recover, replay};
use crate::log::segment::{Segment, base_offset};
use crate::log::{Damage, LogError, Partition, Settings, disk, sync_parent};

impl Partition {
    /// Opens the partition in `folder`, makes it when it is not there, and finds its end after a crash.
    ///
    /// # Errors
    /// [`LogError`] when its files cannot be read or made.
    pub fn open(
        folder: &Path,
        name: TopicPartition,
        settings: Settings,
        recovery_point: i64,
    ) -> Result<(Self, Recovered), LogError> {
        if !folder.exists() {
            disk::create_folder(folder).map_err(LogError::io("create", folder))?;
            sync_parent(folder)?;
        }
        let mut found = Recovered { epoch: -1, ..Recovered::default() };
        let mut segments = Vec::new();
        let paths = settle(folder)?;
        let mut end = 0;
        let mut producers = None;
        for (number, (path, heads_end)) in paths.iter().enumerate() {
            let segment = Segment::open(path, true)?;
            let last = number + 1 == paths.len();
            let before = std::mem::take(&mut producers);
            if number > 0 && end < segment.base_offset() {
                let reason =
                    "a file of the log is missing, or the end of one is damaged".to_owned();
                found.gaps.push(Damage::new(end, segment.base_offset(), reason));
            }
            end = end.max(segment.base_offset());
            if last || !segment.load_index() {
                let mut known = before.unwrap_or_default();
                let hint = segment.hint().filter(|_| last);
                let is = (last, hint.as_ref());
                end = recover(&segment, recovery_point, is, &mut found, &mut known)?;
                producers = Some(known);
            } else {
                end = heads_end.unwrap_or(end);
                let next = paths.get(number + 1).and_then(|(path, _)| base_offset(path));
                producers = segment.load_producers(next);
                if producers.is_none() {
                    let mut known = before.unwrap_or_default();
                    replay(&segment, &mut known)?;
                    producers = Some(known);
                }
            }
            segments.push(Arc::new(segment));
        }
        if segments.is_empty() {
            segments.push(Arc::new(Segment::create(folder, 0)?));
        }
        if end < recovery_point {
            found.lost = Some((end, recovery_point));
        }
        let partition = Self::assemble(folder, name, settings, (segments, end));
        partition.set_producers(producers.unwrap_or_default());
        partition.make_durable(recovery_point)?;
        Ok((partition, found))
    }

    /// Makes durable what an earlier life may have left behind without: the name of its last file, and what it has appended
    /// since `recovery_point`.
    fn make_durable(&self, recovery_point: i64) -> Result<(), LogError> {
        let Some(active) = self.active() else { return Ok(()) };
        if self.end() > recovery_point {
            active.rewrite(recovery_point)?;
        }
        if self.end() > recovery_point || active.size_bytes() == 0 {
            sync_parent(active.path())?;
        }
        self.flush()
    }

    /// Makes the partition in `folder`, which must not be there. A power cut takes it away again unless its folder and
    /// the one above are synced.
    ///
    /// # Errors
    /// [`LogError`] when its files cannot be made.
    pub fn create(
        folder: &Path,
        name: TopicPartition,
        settings: Settings,
    ) -> Result<Self, LogError> {
        disk::create_folder(folder).map_err(LogError::io("create", folder))?;
        let segment = Arc::new(Segment::create(folder, 0)?);
        Ok(Self::assemble(folder, name, settings, (vec![segment], 0)))
    }
}
