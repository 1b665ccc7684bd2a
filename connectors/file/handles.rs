//! Open files: taken hold of when they are found, given back when they rest.

use std::fs::File;
use std::path::Path;

use rustix::io::Errno;
use tokio::time::Instant;
use tracing::warn;

use super::follow::{Follower, RETRY};
use super::identity::{self, Identity};
use super::siblings::Folders;
use super::tail::Tail;

impl Follower {
    /// Opens a file at its place, unless it is open; whether it is open now.
    pub(super) fn open(&mut self, identity: Identity) -> bool {
        let Some(tail) = self.tails.get(&identity) else { return false };
        if tail.file.is_some() {
            return true;
        }
        let mut place = tail.place.clone();
        let mut found = self.open_at(&place, identity);
        if matches!(found, Ok(None) | Err(Errno::NOENT)) {
            // It may have been renamed just now.
            let beside = Folders::default().find(&place, identity);
            if let Some(beside) = beside {
                place = beside;
                found = self.open_at(&place, identity);
            }
        }
        let Some(tail) = self.tails.get_mut(&identity) else { return false };
        match found {
            Ok(Some(file)) => {
                tail.file = Some(file);
                self.opened += 1;
                self.refused.remove(&place);
                let before = std::mem::replace(&mut tail.place, place.clone());
                if before != place {
                    self.leave(&before, identity);
                }
                return true;
            }
            Ok(None) | Err(Errno::NOENT) => {
                let before = tail.place.clone();
                self.leave(&before, identity);
            }
            Err(cause) => {
                tail.retry_at = Some(Instant::now() + self.settings.reconcile_interval.max(RETRY));
                self.refuse(&place, cause);
            }
        }
        let Some(tail) = self.tails.get_mut(&identity) else { return false };
        tail.at_end = true;
        let followers = std::mem::take(&mut tail.followers);
        followers.into_iter().for_each(|follower| self.enqueue(follower));
        false
    }

    /// Opens what is at `place`, if it is that file.
    fn open_at(&mut self, place: &Path, identity: Identity) -> Result<Option<File>, Errno> {
        let file = match identity::open(place) {
            Err(Errno::MFILE | Errno::NFILE) if self.make_room() > 0 => identity::open(place)?,
            opened => opened?,
        };
        let found = identity::stat_open(&file)?.identity;
        Ok((found == identity).then_some(file))
    }

    /// Takes note that a file is no longer at `place`.
    fn leave(&mut self, place: &Path, identity: Identity) {
        if self.paths.get(place) == Some(&identity) {
            self.unpoint(place);
        }
    }

    /// Closes a file.
    pub(super) fn close(&mut self, identity: Identity) {
        if let Some(tail) = self.tails.get_mut(&identity)
            && let Some(file) = tail.file.take()
        {
            drop(file);
            self.opened -= 1;
        }
    }

    /// Closes some files that are read to their end and can be found again.
    fn make_room(&mut self) -> usize {
        let idle = |tail: &&mut Tail| tail.file.is_some() && tail.at_end && tail.names > 0;
        let mut closed = 0;
        for tail in self.tails.values_mut().filter(idle).take(64) {
            tail.file = None;
            closed += 1;
        }
        self.opened -= closed;
        closed
    }

    /// Says once that a path cannot be read.
    pub(super) fn refuse(&mut self, path: &Path, cause: Errno) {
        if self.refused.insert(path.to_path_buf()) {
            let hint = match cause {
                Errno::ACCESS | Errno::PERM => "let the agent's user read it, e.g. by its group",
                Errno::MFILE | Errno::NFILE => "raise the limit of open files (LimitNOFILE)",
                _ => "it is tried again",
            };
            let (path, refused) = (path.display(), self.refused.len());
            warn!(%path, %cause, hint, refused, "cannot read file");
        }
    }
}
