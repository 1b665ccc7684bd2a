//! Every file that is known, by what it is and by the path that its records are known by.
//!
//! Invariant: the path of a file that is in here does not change.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use super::identity::Identity;
use super::tail::Tail;

/// The files that are known.
#[derive(Debug, Default)]
pub(super) struct Tails {
    /// Boxed, so that the table stays small when it grows.
    files: HashMap<Identity, Box<Tail>>,
    of_path: HashMap<Arc<Path>, Vec<Identity>>,
}

impl Tails {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.files.len()
    }

    /// Whether a file is known.
    pub(super) fn contains_key(&self, identity: &Identity) -> bool {
        self.files.contains_key(identity)
    }

    /// What is known of a file.
    pub(super) fn get(&self, identity: &Identity) -> Option<&Tail> {
        self.files.get(identity).map(Box::as_ref)
    }

    /// The same, to be changed.
    pub(super) fn get_mut(&mut self, identity: &Identity) -> Option<&mut Tail> {
        self.files.get_mut(identity).map(Box::as_mut)
    }

    /// All of them.
    pub(super) fn values(&self) -> impl Iterator<Item = &Tail> {
        self.files.values().map(Box::as_ref)
    }

    /// All of them, to be changed.
    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut Tail> {
        self.files.values_mut().map(Box::as_mut)
    }

    /// Those whose records are known by `path`.
    pub(super) fn of_path(&self, path: &Path) -> impl Iterator<Item = &Tail> {
        let files = self.of_path.get(path).into_iter().flatten();
        files.filter_map(|identity| self.get(identity))
    }

    /// Adds one, in the place of what was known of that file.
    pub(super) fn insert(&mut self, tail: Tail) {
        self.remove(&tail.identity);
        let known = self.of_path.entry(Arc::clone(&tail.path)).or_default();
        // Most paths have one file, and there may be many of them.
        known.reserve_exact(1);
        known.push(tail.identity);
        self.files.insert(tail.identity, Box::new(tail));
    }

    /// Takes one away.
    pub(super) fn remove(&mut self, identity: &Identity) -> Option<Tail> {
        let tail = self.files.remove(identity)?;
        if let Some(files) = self.of_path.get_mut(&tail.path) {
            files.retain(|one| one != identity);
            if files.is_empty() {
                self.of_path.remove(&tail.path);
            }
        }
        Some(*tail)
    }
}
