//! A file's turn: whether it may be read now, reading it once, and handing on what was read.
//!
//! Invariant: what was read of a file is handed on only when those that had its path before have been looked at after
//! that, and read if they had grown. If it was truncated meanwhile, its copy has what was read.

use std::sync::Arc;

use tokio::time::Instant;
use tracing::{debug, warn};

use super::follower::{Follower, RETRY};
use super::identity::Identity;
use super::read::Read;
use super::tail::Anchor;
use super::waiting::Waiting;
use crate::contract::receipt::Closed;

/// Most batches of one file on their way.
const FILE_FLIGHTS_MAX: usize = 4;

impl Follower {
    /// Reads one file once, if nothing speaks against it.
    pub(super) fn turn(&mut self, identity: Identity, flush: bool) -> Result<(), Closed> {
        self.go_back(identity);
        if self.still_copied(identity)
            || !self.anchored(identity)?
            || !self.may_read(identity)
            || !self.open(identity)
        {
            return Ok(());
        }
        let Some(tail) = self.tails.get_mut(&identity) else { return Ok(()) };
        let mut is_cut = false;
        if let Some(waiting) = tail.waiting.take() {
            let Waiting { read, .. } = *waiting;
            if tail.file.as_ref().is_some_and(|file| read.mark.proved_by(file)) {
                return self.take_read(identity, read);
            }
            is_cut = true;
        }
        let read = match tail.read(&mut self.desk, &self.settings, flush) {
            Ok(Some(read)) => read,
            Ok(None) => {
                self.truncated(identity);
                return Ok(());
            }
            Err(cause) => {
                let path = Arc::clone(&tail.place);
                tail.retry_at = Some(Instant::now() + RETRY);
                tail.at_end = true;
                self.refuse(&path, cause);
                return Ok(());
            }
        };
        if self.overtaken(identity, is_cut) {
            self.enqueue(identity);
            return Ok(());
        }
        if read.batch.is_none() || !self.must_wait(identity) {
            return self.take_read(identity, read);
        }
        if let Some(tail) = self.tails.get_mut(&identity) {
            // What finds no room is read anew.
            tail.waiting = self.room.keep(read).map(Box::new);
            tail.at_end = false;
        }
        self.enqueue(identity);
        Ok(())
    }

    /// Hands on what was read.
    fn take_read(&mut self, identity: Identity, read: Read) -> Result<(), Closed> {
        let Some(tail) = self.tails.get_mut(&identity) else { return Ok(()) };
        let Read { batch, mark, between, open_length, blank, left_out, ended } = read;
        if mark != tail.mark || open_length != tail.open_length || blank != tail.blank {
            tail.grown = Instant::now();
        }
        let before = tail.mark;
        if before.offset == 0 && mark.offset > 0 && tail.is_wide() {
            let path = tail.path.display();
            warn!(%path, "begins with a byte order mark of UTF-16; it is stored as it is, line feed by line feed");
        }
        if left_out > 0 {
            self.emitter.dropped("nul", left_out);
            let (path, offset) = (tail.path.display(), before.offset);
            debug!(%path, offset, to = mark.offset, left_out, "left out NUL at the start of lines");
        }
        tail.pass(mark, &between);
        (tail.open_length, tail.blank) = (open_length, blank);
        tail.longest = tail.longest.max(tail.known_length());
        tail.at_end = ended;
        if batch.is_none() && ended && !tail.held && tail.flights.is_empty() {
            // Nothing to store yet, but it shall be found again should it be rotated meanwhile.
            tail.anchor = Anchor::Wanted;
            self.enqueue(identity);
        }
        if let Some(batch) = batch {
            self.send(identity, before, batch)?;
        }
        self.read_on(identity, ended);
        Ok(())
    }

    fn read_on(&mut self, identity: Identity, ended: bool) {
        if !ended {
            self.enqueue(identity);
            self.let_go(identity);
            return;
        }
        let Some(tail) = self.tails.get_mut(&identity) else { return };
        // Else they would be asked in vain until the hub has something of it, and then they are woken anyway.
        let is_known = tail.held && tail.anchor == Anchor::Down;
        let followers = if is_known { std::mem::take(&mut tail.followers) } else { Vec::new() };
        for follower in followers {
            self.enqueue(follower);
        }
        self.let_go(identity);
    }

    /// Whether nothing speaks against reading it now; what does will put it into the queue again.
    fn may_read(&mut self, identity: Identity) -> bool {
        let Some(tail) = self.tails.get_mut(&identity) else { return false };
        let busy = tail.flights.len() >= FILE_FLIGHTS_MAX;
        if busy || tail.rewind.is_some() || tail.retry_at.is_some() {
            // What ends this state reads on.
            tail.at_end = false;
            return false;
        }
        for before in std::mem::take(&mut tail.after) {
            let Some(earlier) = self.tails.get_mut(&before) else { continue };
            let held = earlier.held || earlier.file.is_none();
            let anchored = earlier.anchor == Anchor::Down;
            if (earlier.at_end && held && anchored) || before == identity {
                continue;
            }
            if !earlier.followers.contains(&identity) {
                earlier.followers.push(identity);
            }
            self.enqueue(before);
            if let Some(tail) = self.tails.get_mut(&identity) {
                tail.after.push(before);
            }
        }
        self.tails.get(&identity).is_some_and(|tail| tail.after.is_empty())
    }
}
