//! What lies behind the last whole batch after a crash.

use std::path::{Path, PathBuf};

use crate::log::segment::Segment;
use crate::log::{LogError, disk};

impl Segment {
    /// Cuts off what lies beyond `place`, and keeps it in a `.torn` file beside the segment, for a person; `None` when
    /// there is no room for that.
    pub(super) fn cut_torn(&self, place: u64) -> Result<Option<PathBuf>, LogError> {
        let mut tail = Vec::new();
        let left = self.size_bytes().saturating_sub(place);
        self.read_at(place, usize::try_from(left).unwrap_or(usize::MAX), &mut tail)?;
        let mut path = self.path().with_extension("torn");
        for number in 1.. {
            if !path.exists() {
                break;
            }
            path = self.path().with_extension(format!("{number}.torn"));
        }
        let keep = |path: &Path| disk::write(path, &tail).map_err(LogError::io("write", path));
        let mut kept = keep(&path);
        let is_full = matches!(kept, Err(LogError::NoSpace { .. }));
        if is_full {
            // What the tail takes is free once it is cut off.
            self.truncate(place)?;
            kept = keep(&path);
        }
        match kept {
            Ok(()) => {}
            Err(LogError::NoSpace { .. }) => {
                disk::remove_file(&path).ok();
                return Ok(None);
            }
            Err(error) => return Err(error),
        }
        self.truncate(place)?;
        Ok(Some(path))
    }
}
