//! Positions of files that have not been seen in this life, by file and by path.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::identity::Identity;
use super::position::Value;

/// What an earlier life has left, and nobody has taken up yet.
#[derive(Debug, Default)]
pub(super) struct Stored {
    values: HashMap<Identity, Value>,
    /// The files that had a path, which records are known by, and those that were last seen at it.
    of_path: HashMap<PathBuf, Vec<Identity>>,
}

impl Stored {
    /// Whether all have been taken up.
    pub(super) fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Identity, &Value)> {
        self.values.iter().map(|(identity, value)| (*identity, value))
    }

    /// The one of a file.
    pub(super) fn get(&self, identity: Identity) -> Option<&Value> {
        self.values.get(&identity)
    }

    /// Those of the files that had a path, or were at that place when they were last seen.
    pub(super) fn of_path(&self, path: &Path) -> impl Iterator<Item = &Value> {
        let files = self.of_path.get(path).map(Vec::as_slice).unwrap_or_default();
        files.iter().filter_map(|identity| self.values.get(identity))
    }

    /// Adds one.
    pub(super) fn insert(&mut self, identity: Identity, value: Value) {
        self.remove(identity);
        for path in paths(&value) {
            self.of_path.entry(path.to_path_buf()).or_default().push(identity);
        }
        self.values.insert(identity, value);
    }

    /// Takes one away.
    pub(super) fn remove(&mut self, identity: Identity) {
        let Some(value) = self.values.remove(&identity) else { return };
        for path in paths(&value) {
            if let Some(files) = self.of_path.get_mut(path) {
                files.retain(|known| *known != identity);
                if files.is_empty() {
                    self.of_path.remove(path);
                }
            }
        }
    }
}

fn paths(value: &Value) -> impl Iterator<Item = &Path> {
    let place = Some(value.place.as_path()).filter(|place| *place != value.path);
    std::iter::once(value.path.as_path()).chain(place)
}
