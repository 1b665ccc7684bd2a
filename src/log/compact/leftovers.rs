//! What a kill in the middle of a compaction leaves in a folder.

use std::path::{Path, PathBuf};

use crate::log::partition::segment_paths;
use crate::log::recovery::scan::scan;
use crate::log::segment::{Segment, base_offset};
use crate::log::{LogError, disk};
use crate::wire::BatchHeader;

/// Bytes read at once.
const CHUNK_BYTES: usize = 64 << 10;

/// Removes from a folder what a compaction left there; gives the segments, oldest first, and the offset at which
/// each but the last one ends.
///
/// # Errors
/// [`LogError`] when a file cannot be read or deleted.
pub(in crate::log) fn settle(folder: &Path) -> Result<Vec<(PathBuf, Option<i64>)>, LogError> {
    for path in disk::list(folder).map_err(LogError::io("list", folder))? {
        if path.extension().is_some_and(|extension| extension == "cleaned") {
            disk::remove_file(&path).map_err(LogError::io("delete", &path))?;
        }
    }
    let mut kept = Vec::new();
    let paths = segment_paths(folder)?;
    let (mut holder, mut covered_to) = (None, 0);
    for (number, path) in paths.iter().enumerate() {
        let is_last = number + 1 == paths.len();
        let overlaps = base_offset(path).is_some_and(|base| base < covered_to);
        if overlaps && if is_last { is_empty(path) } else { is_held(holder.as_deref(), path)? } {
            Segment::open(path, true)?.delete()?;
            continue;
        }
        let ends = if is_last { None } else { Some(end(path)?) };
        if let Some(ends) = ends {
            covered_to = ends;
            holder = Some(path.clone());
        }
        kept.push((path.clone(), ends));
    }
    Ok(kept)
}

/// Whether a segment was begun and never used: one that could not be made durable, and not be removed either.
fn is_empty(path: &Path) -> bool {
    path.metadata().is_ok_and(|found| found.len() == 0)
}

/// Whether every offset of the segment at `path` lies in the whole and undamaged one at `holder`.
fn is_held(holder: Option<&Path>, path: &Path) -> Result<bool, LogError> {
    let Some(holder) = holder else { return Ok(false) };
    let whole = |path: &Path| -> Result<Option<i64>, LogError> {
        let segment = Segment::open(path, false)?;
        let scanned = scan(&segment, 0, |_header, _at, _bytes| {})?;
        let end = scanned.next_offset.unwrap_or(segment.base_offset());
        Ok(scanned.fault.is_none().then_some(end))
    };
    let (holder_end, end) = (whole(holder)?, whole(path)?);
    Ok(holder_end.zip(end).is_some_and(|(holder_end, end)| end <= holder_end))
}

/// The offset behind the last batch, as the heads say; damage hides what is behind it.
fn end(path: &Path) -> Result<i64, LogError> {
    let segment = Segment::open(path, false)?;
    let mut place = if segment.load_index() {
        segment.look_up(|index| index.before_offset(i64::MAX))
    } else {
        0
    };
    let (mut buffer, mut next_offset) = (Vec::new(), segment.base_offset());
    loop {
        buffer.clear();
        segment.read_at(place, CHUNK_BYTES, &mut buffer)?;
        let mut used = 0;
        while let Ok(header) = BatchHeader::parse(buffer.get(used..).unwrap_or_default()) {
            next_offset = header.next_offset();
            used += header.size_bytes;
        }
        if used == 0 {
            return Ok(next_offset);
        }
        place += used as u64;
    }
}
