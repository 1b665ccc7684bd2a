//! The sink takes its files up where the committed states say that they are.

use std::io::ErrorKind;

use tokio::time::Instant;

use super::open_files::Failed;
use super::rotate::Place;
use super::settle::settle;
use super::sink::{FileSink, refuse};
use super::state::Known;
use super::which::Which;
use crate::WriteError;
use crate::contract::sink::Resumed;

impl FileSink {
    /// Forgets all that it knows, which may have got into other hands meanwhile, and goes on with what was committed.
    pub(super) fn take_up(&mut self, resumed: &Resumed) -> Result<(), WriteError> {
        self.files.clear();
        (self.state, self.parted) = (None, !resumed.alone);
        let known = self.states.known(resumed).map_err(|reason| WriteError::Fatal {
            target: self.template.base.display().to_string(),
            reason,
            hint: "was the group's offset committed by another program? reset the offsets of the group",
        })?;
        self.settle_all(known, Instant::now()).map_err(refuse)?;
        self.broken = None;
        Ok(())
    }

    /// Cuts files to their committed lengths.
    fn settle_all(&mut self, known: Vec<Known>, now: Instant) -> Result<(), Failed> {
        for (name, place, of) in known {
            let path = self.files.path(&name, place.sequence);
            let committed = place;
            let place = match std::fs::OpenOptions::new().write(true).open(&path) {
                // Nothing of ours is in it yet.
                Ok(_) if place.which == Which::Nobody => place,
                Ok(file) => settle(&file, &path, place).map_err(|error| (path.clone(), error))?,
                Err(missing) if missing.kind() == ErrorKind::NotFound => {
                    if place.length > 0 {
                        tracing::warn!(path = %path.display(), lost = place.length, "a file that was written is gone");
                    }
                    Place { length: 0, which: Which::Nobody, ..place }
                }
                Err(error) => return Err((path, error)),
            };
            if (place.sequence > 0) == self.config.rotate.is_on() {
                // One that has lost something is not where its state says: that is committed before it is written.
                let is_as_committed = place == committed;
                self.files.insert((name, place, of), is_as_committed, now);
                self.files.doubt_folders_of(&path);
            }
        }
        Ok(())
    }
}
