//! After a failed `fdatasync`.
//!
//! The kernel may have marked the pages as written though they are not on the disk, so that a second try succeeds and
//! proves nothing. So a segment whose sync has failed once counts as not durable for ever: everything in it is written
//! to another file, which takes its place once *that* is synced.

use std::sync::Arc;

use crate::log::partition::Partition;
use crate::log::recovery::scan::scan;
use crate::log::segment::{CLEANED, Segment};
use crate::log::{LogError, disk, sync_parent};
use crate::wire::HEADER_BYTES;

impl Partition {
    /// Whether a sync of its active segment has failed, so that nothing of it is known to be on disk.
    #[must_use]
    pub fn is_suspect(&self) -> bool {
        self.active().is_some_and(|active| active.is_suspect())
    }

    /// Writes the active segment once more, into a file that takes its place; everything in it is durable then. By the
    /// one writer.
    ///
    /// # Errors
    /// [`LogError`] when it cannot be read back or written: nothing has changed then, and it may work later.
    pub fn mend(&self) -> Result<(), LogError> {
        let Some(active) = self.active().filter(|active| active.is_suspect()) else {
            return Ok(());
        };
        let _held = self.files.lock();
        let aside = active.path().with_extension(CLEANED);
        // One that an earlier try has left.
        disk::remove_file(&aside).ok();
        let copy = Segment::create_aside(&self.folder, active.base_offset())?;
        let placed = copy_whole(&active, &copy)
            .and_then(|()| copy.seal_aside(active.modified()))
            .and_then(|()| copy.put_in_place())
            .and_then(|()| sync_parent(copy.path()));
        if let Err(error) = placed {
            copy.discard_aside();
            return Err(error);
        }
        let mut segments = self.segments.write();
        if let Some(last) = segments.last_mut() {
            *last = Arc::new(copy);
        }
        drop(segments);
        active.set_replaced();
        self.cursors.lock().clear();
        self.set_flushed();
        Ok(())
    }
}

/// Appends every batch of `from` to `to`, each with its sum checked.
fn copy_whole(from: &Segment, to: &Segment) -> Result<(), LogError> {
    let mut written = Ok(());
    let end = scan(from, 0, |header, _at, bytes| {
        if let (Ok(()), Some((head, rest))) = (&written, bytes.split_at_checked(HEADER_BYTES)) {
            let offsets = (header.base_offset, header.next_offset());
            written = to.append(head, rest, offsets, header.max_timestamp_ms);
        }
    })?;
    written?;
    end.fault.map_or(Ok(()), |fault| {
        let problem = format!("cannot be read back at byte {}: {fault}", end.place);
        Err(LogError::Format { path: from.path().to_owned(), problem })
    })
}
