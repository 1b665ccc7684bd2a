//! Goes after what the watches told.

use std::collections::HashSet;
use std::path::Path;
use std::time::Duration;

use tokio::time::Instant;

use super::follow::Follower;
use super::identity;
use super::siblings::originals;
use super::sight::LOOKS_MAX;
use super::walk::{Found, Hit, walk};
use super::watch::Hints;

/// How long what a file gets is read at once, after what may be its copy has come or grown.
const HASTE: Duration = Duration::from_secs(1);

impl Follower {
    /// Looks at what the watches told of.
    pub(super) fn follow_hints(&mut self, hints: Hints) {
        if hints.everything {
            self.look_everywhere();
        }
        for path in hints.grown {
            match self.paths.get(&path) {
                Some(identity) => self.enqueue(*identity),
                None => self.look(&path),
            }
            if self.haste.as_ref().is_some_and(|(copy, _)| *copy == path) {
                self.make_haste(&path);
            }
        }
        let mut looked = HashSet::new();
        for path in hints.files {
            if !looked.contains(&path) {
                self.look_at_name(&path);
                looked.insert(path);
            }
        }
        for folder in hints.folders {
            if looked.insert(folder.clone()) {
                self.look_over(&folder);
                self.look_through(&folder);
            }
        }
    }

    /// Has everything looked at soon: not sooner than what that costs allows, however often it is asked for.
    fn look_everywhere(&mut self) {
        let soon = Instant::now().max(self.reconcile_not_before);
        self.reconcile_at = self.reconcile_at.min(soon);
    }

    /// Finds what is in a folder that has come.
    fn look_through(&mut self, folder: &Path) {
        let mut found = Found::default();
        for _ in 0..LOOKS_MAX {
            found = walk(&self.settings.globs, Some(folder));
            let Some(watch) = &mut self.watch else { break };
            let mut new = false;
            for (path, interest) in &found.folders {
                new |= watch.add(path, *interest).unwrap_or(false);
            }
            if !new {
                break;
            }
        }
        found.files.iter().for_each(|hit| self.see(hit, false));
    }

    /// Looks at a name that has come or gone: a file, or a link to one or to a folder.
    fn look_at_name(&mut self, path: &Path) {
        if self.links.is_to_folder(path) {
            self.look_everywhere();
        }
        self.look(path);
        if self.paths.contains_key(path) {
            return;
        }
        if originals(path).any(|original| self.paths.contains_key(&original)) {
            self.make_haste(path);
        }
        match identity::stat(path) {
            Ok(found) if found.is_folder => self.look_through(path),
            // A new name of a known file: where it is need not be looked for.
            Ok(found) if self.tails.contains_key(&found.identity) => self.noticed(path, &found),
            Ok(_) | Err(_) => {}
        }
    }

    /// What is written between the copying of a file and its truncation is lost unless it is read before that.
    fn make_haste(&mut self, copy: &Path) {
        self.haste = Some((copy.to_path_buf(), Instant::now() + HASTE));
    }

    /// Looks at the paths that lead over or to a place.
    fn look_over(&mut self, place: &Path) {
        for path in self.links.over(place) {
            self.see(&Hit::of(&path), false);
        }
    }

    /// Looks at a path that something was said of.
    pub(super) fn look(&mut self, path: &Path) {
        self.look_over(path);
        if self.settings.globs.matches(path) {
            self.see(&Hit::of(path), false);
        } else if self.paths.contains_key(path) {
            self.look_again(path);
        }
    }
}
