//! Goes after what the watches told.
//!
//! That a file has grown costs little to follow, and is followed at once. Names that come and go cost more, and can be
//! very many: they are looked at for a while in each round, and the others wait.

use std::path::Path;
use std::time::Duration;

use tokio::time::Instant;

use super::follower::{Follower, ROUND};
use super::heard::Heard;
use super::identity;
use super::siblings::originals;
use super::sight::LOOKS_MAX;
use super::walk::{Found, Hit, walk};
use super::watch::Hints;

/// How long what a file gets is read at once, after what may be its copy has come or grown.
const HASTE: Duration = Duration::from_secs(1);
/// Most names that wait to be looked at; with more, everything is looked at.
const HEARD_MAX: usize = 1 << 16;

impl Follower {
    /// Looks at what the watches told of.
    pub(super) fn follow_hints(&mut self, hints: Hints) {
        if hints.everything {
            self.look_everywhere();
        }
        for path in hints.grown {
            match self.paths.get(path.as_path()) {
                Some(identity) => self.enqueue(*identity),
                None => self.look(&path),
            }
            if self.haste.as_ref().is_some_and(|(copy, _)| *copy == path) {
                self.make_haste(&path);
            }
        }
        self.heard.put(hints.files, false);
        self.heard.put(hints.folders, true);
        if self.heard.waiting.len() > HEARD_MAX {
            self.heard = Heard::default();
            self.look_everywhere();
        }
        let end = Instant::now() + ROUND;
        while let Some((path, is_folder)) = self.heard.take() {
            if is_folder {
                self.look_over(&path);
                self.look_through(&path);
            } else {
                self.look_at_name(&path);
            }
            if Instant::now() > end {
                break;
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
        if originals(path).any(|original| self.paths.contains_key(original.as_path())) {
            self.make_haste(path);
        }
        match identity::look(path) {
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

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn a_name_that_waits_is_not_put_twice_and_comes_again_when_it_was_taken() {
        let paths = |names: &[&str]| names.iter().map(PathBuf::from).collect::<Vec<_>>();
        let mut heard = Heard::default();
        heard.put(paths(&["/a", "/b", "/a"]), false);
        heard.put(paths(&["/a"]), true);
        assert_eq!(heard.take(), Some(("/a".into(), false)));
        heard.put(paths(&["/b", "/a"]), false);
        let rest: Vec<_> = std::iter::from_fn(|| heard.take()).collect();
        let wanted = [("/b", false), ("/a", true), ("/a", false)];
        assert_eq!(rest, wanted.map(|(path, is_folder)| (PathBuf::from(path), is_folder)));
        assert!(heard.is_empty());
    }
}
