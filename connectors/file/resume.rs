//! Takes up what an earlier life of the source had read.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use tracing::{info, warn};

use super::follow::Follower;
use super::identity::{self, Identity, Stat};
use super::position::Value;
use super::rotation;
use super::tail::Tail;
use crate::source::Closed;

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
            self.resume_moved()?;
        }
        self.reconcile(first)?;
        info!(files = self.tails.len(), "following files");
        Ok(())
    }

    fn resume_moved(&mut self) -> Result<(), Closed> {
        let mut places: HashMap<Identity, PathBuf> = HashMap::new();
        for hit in self.settings.globs.walk(None).files {
            if let Ok(found) = identity::stat(&hit.path) {
                places.insert(found.identity, hit.place());
            }
        }
        let leads = |path: &Path| identity::stat(path).ok().map(|found| found.identity);
        let stored: Vec<(Identity, Value)> =
            self.stored.iter().map(|(identity, value)| (*identity, value.clone())).collect();
        let (mut moved, still): (Vec<_>, Vec<_>) =
            stored.into_iter().partition(|(identity, value)| leads(&value.path) != Some(*identity));
        moved.sort_by_key(|(_, value)| value.seen_ms);
        let mut folders = HashMap::new();
        for (identity, value) in &moved {
            let listing = rotation::listing_of(&mut folders, &value.place);
            let place = places.get(identity).cloned().or_else(|| listing.find(*identity));
            let place = place
                .or_else(|| (leads(&value.place) == Some(*identity)).then(|| value.place.clone()));
            if let Some(place) = place
                && let Ok(found) = identity::stat(&place)
            {
                self.resume(&place, &found, value.clone())?;
                self.point(&place, *identity);
            }
        }
        // Those that stay come before what was between, so that copies made of them are known.
        for (identity, value) in still {
            if let Some(path) = places.get(&identity).cloned() {
                let found = identity::stat(&path);
                if let Some(found) = found.ok().filter(|found| found.identity == identity) {
                    let path = value.path.clone();
                    self.resume(&value.place.clone(), &found, value)?;
                    self.point(&path, identity);
                }
            }
        }
        for (_, value) in &moved {
            let listing = rotation::listing_of(&mut folders, &value.path);
            let current = self.paths.get(&value.path).copied();
            self.between(listing, &value.path, value.seen_ms, current);
        }
        Ok(())
    }

    /// Takes up a file where an earlier life left it, as far as its bytes prove that.
    pub(super) fn resume(
        &mut self,
        place: &Path,
        found: &Stat,
        value: Value,
    ) -> Result<(), Closed> {
        let identity = found.identity;
        self.stored.remove(&identity);
        let names = (identity, value.path, place.to_path_buf());
        let mut tail = Tail::new(names, &self.settings.host, value.mark);
        tail.seen_ms = value.seen_ms;
        tail.modified_ms = found.modified_ms;
        tail.rotated = true;
        self.insert(tail);
        let proved = self.tails.get(&identity).and_then(|tail| {
            let file = tail.file.as_ref()?;
            Some(found.size >= value.mark.offset && value.mark.proved_by(file))
        });
        if proved == Some(false) { self.truncated(identity) } else { Ok(()) }
    }
}
