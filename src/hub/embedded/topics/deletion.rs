//! The end of a topic: nothing that is noted under its name is left for one of that name that comes after it.
//!
//! The writer does it between two appends. With the first folder that is put aside the topic is deleted, and a start
//! finishes what a kill interrupts. Offsets are forgotten after that, or a sink would read again a topic that is still
//! there; and before a topic of that name can be made. What is behind it in the queue knows its partition, and sees
//! that it was deleted.

use std::path::PathBuf;
use std::sync::Arc;

use tracing::warn;

use super::table::{OFFSETS, SETTINGS, TRANSACTIONS, TopicState};
use crate::hub::HubError;
use crate::hub::embedded::write::command::{Command, Deleted, Pairs};
use crate::hub::embedded::write::writer::Writer;
use crate::hub::embedded::{Embedded, local};
use crate::log::{LogError, discard};

impl Embedded {
    /// Deletes a topic with all that is known of it; its room on the disk is free afterwards.
    pub(crate) async fn end_topic(&self, name: &str) -> Result<(), HubError> {
        let deleted = self.ask_writer(|done| Command::DeleteTopic(name.to_owned(), done)).await;
        let folders = deleted?;
        let failed = |error: LogError| HubError::NotNow(error.to_string());
        local::blocking(move || {
            folders.iter().try_for_each(|folder| discard(folder)).map_err(failed)
        })
        .await
    }
}

impl Writer {
    pub(crate) fn delete_topic(&mut self, name: &str, done: Deleted) {
        let deleted = self.delete(name);
        // Who asked may be gone: the next start removes the folders.
        done.send(deleted).ok();
    }

    fn delete(&mut self, name: &str) -> Result<Vec<PathBuf>, HubError> {
        let failed = |error: LogError| HubError::NotNow(error.to_string());
        let unknown = || HubError::UnknownTopic(name.to_owned());
        let state = self.shared.topics.get(name).ok_or_else(unknown)?;
        if state.is_internal() {
            let problem = format!("topic \"{name}\" belongs to the hub itself");
            return Err(HubError::Fatal(problem));
        }
        // The positions that lie in its batches are elsewhere before these are gone.
        self.snapshot();
        let shared = Arc::clone(&self.shared);
        let folders = shared.topics.delete(&state, || self.forget(&state)).map_err(failed)?;
        for partition in &state.partitions {
            self.shared.set_blocked(partition.name(), false);
        }
        // Their parts are handed back to the sources.
        self.parked.retain(|append| !append.partition.is_deleted());
        self.snapshot_without(name);
        self.shared.topic_has_changed(name);
        Ok(folders)
    }

    /// Forgets what is stored of a topic in those of the hub.
    fn forget(&mut self, state: &TopicState) {
        let name = &state.topic.name;
        let goes = |topic: &str| topic == name;
        let offsets = self.shared.groups().forget_topics(goes);
        let held = self.shared.transactions().forget_topics(goes);
        let settings = vec![(name.as_bytes().to_vec(), None)];
        let settings = if state.overrides.is_empty() { Vec::new() } else { settings };
        for (topic, pairs) in [(OFFSETS, offsets), (TRANSACTIONS, held), (SETTINGS, settings)] {
            if pairs.is_empty() {
                continue;
            }
            if let Err(error) = self.store_now(topic, &pairs) {
                warn!(%error, name, topic, "a deleted topic is not forgotten yet, will retry");
                self.owed.push((topic, pairs));
            }
        }
    }

    /// Stores what there was no room for when a topic was deleted; its own may have been freed since.
    pub(crate) fn store_owed(&mut self) {
        for (topic, pairs) in std::mem::take(&mut self.owed) {
            if self.store_now(topic, &pairs).is_err() {
                self.owed.push((topic, pairs));
            }
        }
    }

    fn store_now(&mut self, topic: &str, pairs: &Pairs) -> Result<(), LogError> {
        self.append_pairs(topic, pairs)?;
        self.shared.internal(topic).map_or(Ok(()), |partition| partition.flush())
    }

    /// The positions that lay in a topic's batches must be stored elsewhere, and a snapshot must not speak of offsets
    /// that a new topic will have.
    fn snapshot_without(&mut self, topic: &str) {
        {
            let mut positions = self.shared.positions();
            positions.covered.retain(|name, _| name.topic != topic);
            positions.totals.forget(topic);
            positions.changed = true;
        }
        self.snapshot();
    }
}
