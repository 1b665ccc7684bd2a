//! Names that are still to be looked at.

use std::collections::{HashSet, VecDeque};
use std::path::PathBuf;

/// Names that came or went and are still to be looked at.
#[derive(Debug, Default)]
pub(super) struct Heard {
    /// Each, and whether it is a folder that has come.
    pub(super) waiting: VecDeque<(PathBuf, bool)>,
    known: HashSet<(PathBuf, bool)>,
}

impl Heard {
    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// What is to be looked at already is not looked at twice.
    pub(super) fn put(&mut self, paths: Vec<PathBuf>, is_folder: bool) {
        for path in paths {
            if self.known.insert((path.clone(), is_folder)) {
                self.waiting.push_back((path, is_folder));
            }
        }
    }

    pub(super) fn take(&mut self) -> Option<(PathBuf, bool)> {
        let next = self.waiting.pop_front()?;
        self.known.remove(&next);
        Some(next)
    }
}
