//! Takes up what an earlier life of the source had read.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tracing::{info, warn};

use super::follower::Follower;
use super::identity::{self, Identity, Stat};
use super::position::{Value, read_in};
use super::siblings::{Folders, open_near, originals};
use super::tail::Tail;
use super::walk::walk;
use crate::contract::receipt::Closed;

impl Follower {
    /// Takes up what an earlier life left: first the files that have moved since, in their order, then all others.
    pub(super) fn start(&mut self) -> Result<(), Closed> {
        let emitter = self.emitter.clone();
        for (key, value) in emitter.positions() {
            match (Identity::decode(key), Value::decode(value)) {
                (Some(identity), Some(value)) => {
                    self.stored.insert(identity, value);
                }
                _ => warn!("a stored position cannot be read, its file is read from its start"),
            }
        }
        let first = emitter.positions().is_empty();
        if !first {
            self.resume_all();
        }
        self.reconcile(first)?;
        info!(files = self.tails.len(), "following files");
        Ok(())
    }

    fn resume_all(&mut self) {
        let mut places: HashMap<Identity, PathBuf> = HashMap::new();
        for hit in walk(&self.settings.globs, None).files {
            self.links.set(&hit.path, &hit.way);
            if let Ok(found) = identity::stat(&hit.path) {
                places.insert(found.identity, hit.place().to_path_buf());
            }
        }
        // The paths that others may have had meanwhile, and since when.
        let mut paths: HashMap<PathBuf, i64> = HashMap::new();
        for (identity, value) in self.stored.iter() {
            if value.mark.offset == 0 || !leads(&value.path, identity) {
                let since_ms = paths.entry(value.path.clone()).or_insert(value.seen_ms);
                *since_ms = value.seen_ms.min(*since_ms);
            }
        }
        self.resume_found(&places, false);
        let mut folders = Folders::default();
        for (path, since_ms) in paths {
            self.between(&mut folders, &path, since_ms);
        }
    }

    /// Looks once more for the files of positions that have not been found.
    pub(super) fn find_stored(&mut self) {
        if !self.stored.is_empty() {
            self.resume_found(&HashMap::new(), true);
        }
    }

    /// Takes up the files that are found: at `places`, or beside where they were. Those that come `late` are not the
    /// latest of their paths.
    fn resume_found(&mut self, places: &HashMap<Identity, PathBuf>, late: bool) {
        let mut folders = Folders::default();
        let mut found = Vec::new();
        for (identity, value) in self.stored.iter() {
            let still = leads(&value.path, identity);
            let place = places.get(&identity).cloned();
            let place = place.or_else(|| match still {
                // It is where it was, but no longer wanted.
                true => None,
                false => folders.find(&value.place, identity),
            });
            let unlisted = || leads(&value.place, identity).then(|| value.place.clone());
            if let Some(place) = place.or_else(|| if still { None } else { unlisted() }) {
                found.push((still, value.seen_ms, identity.born_ns(), identity, place));
            }
        }
        found.sort_unstable();
        for (_, _, _, identity, place_then) in &found {
            if let Some(value) = self.stored.get(*identity).cloned() {
                self.resume(place_then, *identity, value, late);
                // It may have been renamed since, and was found again when it was opened.
                let place = self.tails.get(identity).map(|tail| Arc::clone(&tail.place));
                self.point(place.as_deref().unwrap_or(place_then), *identity);
            }
        }
        // All are known now, so that none is taken for a copy or for a file that was between.
        for (_, _, _, identity, _) in &found {
            self.prove_taken_up(*identity);
        }
    }

    /// The position of a file that has gone, when the one at `place` is a copy of it. That is how it looks when a file
    /// was copied, truncated and deleted, or only copied and deleted.
    pub(super) fn left_behind(&self, place: &Path, found: &Stat) -> Option<Value> {
        let mut gone = Vec::new();
        for original in originals(place) {
            let stored = self.stored.of_path(&original);
            gone.extend(stored.filter(|value| value.mark.offset > 0));
        }
        if gone.is_empty() {
            return None;
        }
        let (_, file) = open_near(place, found.identity).ok()?;
        let read =
            |value: &Value| read_in(&file, found.size, &value.mark, value.passed.iter().copied());
        let proved = gone.into_iter().filter_map(|value| Some((read(value)?, value)));
        let (mark, value) = proved.max_by_key(|(mark, _)| mark.offset)?;
        Some(Value { mark, ..value.clone() })
    }

    /// Takes up a file where an earlier life left it; it is to be proved then.
    pub(super) fn resume(&mut self, place: &Path, identity: Identity, value: Value, late: bool) {
        self.stored.remove(identity);
        let names = (identity, value.path, place.to_path_buf());
        let mut tail = Tail::new(names, &self.settings.host, value.mark);
        tail.first_text = value.text.unwrap_or(tail.first_text);
        tail.home = tail.share(&value.place);
        tail.passed.extend(value.passed.into_iter().rev().map(|mark| (0, mark)));
        tail.seen_ms = value.seen_ms;
        tail.sent_ms = value.seen_ms;
        if let Ok(found) = identity::look(place) {
            (tail.begun_ms, tail.looked_ms) = (found.begun_ms(), found.seen_ms());
        }
        tail.rotated = true;
        tail.held = true;
        if late {
            self.take_up(tail);
        } else {
            self.insert(tail);
        }
    }

    /// Proves a file that may not be open.
    pub(super) fn prove_taken_up(&mut self, identity: Identity) {
        self.open(identity);
        self.prove(identity);
        self.let_go(identity);
    }

    /// Reads a file from its start when its bytes do not prove how far it is said to be read.
    pub(super) fn prove(&mut self, identity: Identity) {
        let proved = self.tails.get(&identity).and_then(|tail| {
            let file = tail.file.as_ref()?;
            let size = identity::stat_open(file).ok()?.size;
            Some(size >= tail.mark.offset && tail.mark.proved_by(file))
        });
        if proved == Some(false) {
            self.truncated(identity);
        }
    }
}

/// Whether `path` leads to that file.
pub(super) fn leads(path: &Path, identity: Identity) -> bool {
    identity::stat(path).is_ok_and(|found| found.identity == identity)
}
