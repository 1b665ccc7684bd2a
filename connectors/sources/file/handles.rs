//! Open files: taken hold of when they are found, given back when they rest.

use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use rustix::io::Errno;
use tokio::time::Instant;
use tracing::warn;

use super::follower::{Follower, RETRY};
use super::identity::Identity;
use super::refused::{Refused, hint};
use super::siblings::open_near;
use super::tail::Tail;

impl Follower {
    /// Opens a file at its place, unless it is open; whether it is open now.
    pub(super) fn open(&mut self, identity: Identity) -> bool {
        let Some(tail) = self.tails.get(&identity) else { return false };
        if tail.file.is_some() {
            return true;
        }
        let before = Arc::clone(&tail.place);
        let found = match open_near(&before, identity) {
            Err(Errno::MFILE | Errno::NFILE) if self.make_room() > 0 => {
                open_near(&before, identity)
            }
            found => found,
        };
        let Some(tail) = self.tails.get_mut(&identity) else { return false };
        match found {
            Ok((place, file)) => {
                tail.file = Some(file);
                self.opened += 1;
                let pardoned = self.refused.remove(&place).is_some();
                if *before != *place {
                    tail.place = tail.share(&place);
                    self.leave(&before, identity);
                }
                if pardoned {
                    self.tell_trouble();
                }
                return true;
            }
            Err(Errno::NOENT) => self.leave(&before, identity),
            Err(cause) => {
                tail.retry_at = Some(Instant::now() + self.settings.reconcile_interval.max(RETRY));
                self.refuse(&before, cause);
            }
        }
        let Some(tail) = self.tails.get_mut(&identity) else { return false };
        tail.at_end = true;
        let followers = std::mem::take(&mut tail.followers);
        followers.into_iter().for_each(|follower| self.enqueue(follower));
        false
    }

    /// Takes note that a file is no longer at `place`.
    fn leave(&mut self, place: &Path, identity: Identity) {
        if self.paths.get(place) == Some(&identity) {
            self.unpoint(place);
        }
    }

    /// Closes a file that can be found again or is read to its end, when more are open than are kept open without need.
    pub(super) fn let_go(&mut self, identity: Identity) {
        let can_go = |tail: &Tail| tail.names > 0 || tail.at_end;
        if self.opened > self.opened_max && self.tails.get(&identity).is_some_and(can_go) {
            self.close(identity);
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

    /// Takes note that a path cannot be read, and says so once.
    pub(super) fn refuse(&mut self, path: &Path, cause: Errno) {
        let refused = Refused { cause, at: Instant::now() };
        if self.refused.insert(path.to_path_buf(), refused).is_none() {
            let (path, refused, hint) = (path.display(), self.refused.len(), hint(cause));
            warn!(%path, %cause, hint, refused, "cannot read");
            self.tell_trouble();
        }
    }

    /// Forgets what could not be read and can be now, or has gone.
    pub(super) fn pardon(&mut self) {
        if self.refused.is_empty() {
            return;
        }
        let recent = self.settings.reconcile_interval.max(RETRY) * 3;
        self.refused.retain(|path, refused| match refused.cause {
            Errno::ACCESS | Errno::PERM => is_closed(path),
            _ => refused.at.elapsed() < recent,
        });
        self.tell_trouble();
    }

    fn tell_trouble(&self) {
        let trouble = self.refused.first_key_value().map(|(path, Refused { cause, .. })| {
            let (path, more, hint) = (path.display(), self.refused.len() - 1, hint(*cause));
            let more = if more > 0 { format!(" (and {more} more)") } else { String::new() };
            format!("cannot read {path}{more}: {cause}; {hint}")
        });
        self.emitter.trouble(trouble);
    }
}

/// Whether something is there that cannot be opened, by the rights of the agent's user.
fn is_closed(path: &Path) -> bool {
    let opened = std::fs::metadata(path).and_then(|found| {
        if found.is_dir() {
            std::fs::read_dir(path).map(drop)
        } else if found.is_file() {
            File::open(path).map(drop)
        } else {
            Ok(())
        }
    });
    opened.is_err_and(|error| error.kind() == ErrorKind::PermissionDenied)
}
