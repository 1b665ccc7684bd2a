//! What the disk does to the hub: syncs that fail, what was found damaged, what is said of both.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anabranch_record::TopicPartition;
use parking_lot::MutexGuard;
use tokio::time::Instant;
use tracing::{error, info, warn};

use crate::hub::HubError;
use crate::hub::embedded::Shared;
use crate::hub::embedded::write::writer::Writer;
use crate::log::{self, Finding, LogError, Partition};

/// Kinds of trouble of the hub, each shown and told apart from the others.
const APPEND: &str = "append";
pub(super) const ROOM: &str = "room";
const SYNC: &str = "sync";
const DAMAGE: &str = "damage";

/// First and longest wait before a partition is written anew once more.
const MEND_FIRST: Duration = Duration::from_millis(200);
const MEND_LONGEST: Duration = Duration::from_secs(30);

impl Shared {
    /// Notes whether a partition waits for a sink to read on.
    pub(crate) fn set_blocked(&self, name: &TopicPartition, is_blocked: bool) {
        let mut blocked = self.blocked.lock();
        if is_blocked && blocked.insert(name.clone()) {
            let problem = format!(
                "{name} has reached its hard size and a sink has not read it; its sources wait"
            );
            if self.state.fail_as(&blocked_kind(name), &problem, false) {
                warn!("{problem}");
            }
        } else if !is_blocked && blocked.remove(name) && self.state.over(&blocked_kind(name)) {
            info!(partition = %name, "its sources go on");
        }
    }

    /// Partitions whose sync has failed, for the writer to write anew.
    pub(crate) fn suspects(&self) -> MutexGuard<'_, Vec<Arc<Partition>>> {
        self.suspects.lock()
    }

    /// Makes a partition durable. One whose disk refuses takes no more appends until it is written anew.
    pub(crate) fn flush(&self, partition: &Arc<Partition>) -> Result<(), LogError> {
        partition.flush().inspect_err(|error| {
            self.refused_sync(partition, error);
        })
    }

    /// Makes an internal topic durable, where something of it is not.
    pub(crate) fn flush_internal(&self, topic: &str) -> Result<(), HubError> {
        let Some(partition) = self.internal(topic) else { return Ok(()) };
        if partition.flushed() >= partition.end() {
            return Ok(());
        }
        self.flush(&partition).map_err(|error| HubError::NotNow(error.to_string()))
    }

    /// Has a partition written anew if a sync of it has failed; says whether that is so.
    pub(super) fn refused_sync(&self, partition: &Arc<Partition>, error: &LogError) -> bool {
        if !partition.is_suspect() {
            return false;
        }
        let mut suspects = self.suspects();
        if suspects.iter().any(|known| Arc::ptr_eq(known, partition)) {
            return true;
        }
        suspects.push(Arc::clone(partition));
        let problem = format!(
            "{error}; nothing more is stored in {} until it has been written anew",
            partition.name()
        );
        if self.state.fail_as(SYNC, &problem, true) {
            error!("{problem}");
        }
        true
    }

    /// Takes in what was found damaged or missing: told now, and shown until somebody acknowledges it.
    pub(crate) fn found(&self, found: &[Finding]) {
        if found.is_empty() {
            return;
        }
        match log::add_findings(&self.settings.data_dir, found) {
            Ok(new) => {
                for finding in new {
                    error!("{finding}");
                }
            }
            Err(error) => {
                for finding in found {
                    error!("{finding}");
                }
                warn!(%error, "what was found damaged could not be noted");
            }
        }
        self.show_findings();
    }

    /// Whether somebody has acknowledged what was found damaged, from outside of this process.
    pub(crate) fn look_for_acknowledgement(&self) {
        if self.state.has(DAMAGE) && !log::has_findings(&self.settings.data_dir) {
            self.show_findings();
        }
    }

    /// Shows what nobody has acknowledged yet.
    pub(crate) fn show_findings(&self) {
        let folder = &self.settings.data_dir;
        let open = log::findings(folder);
        let records = open.iter().map(Finding::records).sum();
        self.metrics.hub_damaged.store(records, std::sync::atomic::Ordering::Relaxed);
        match open.as_slice() {
            [] => {
                if self.state.over(DAMAGE) {
                    info!("what was found damaged is acknowledged");
                }
            }
            [first, rest @ ..] => {
                self.state.fail_as(DAMAGE, &in_words(first, rest, folder), false);
            }
        }
    }
}

fn in_words(first: &Finding, rest: &[Finding], folder: &Path) -> String {
    let more = match rest.len() {
        0 => String::new(),
        more => format!(" (and {more} more)"),
    };
    let folder = folder.display();
    format!("{first}{more}; shown until `anabranch log ack {folder}`")
}

/// The kind of trouble of a partition that waits for a sink.
fn blocked_kind(name: &TopicPartition) -> String {
    format!("blocked {name}")
}

impl Writer {
    /// Writes partitions anew whose sync has failed.
    pub(crate) fn mend(&mut self) {
        let (due, wait) = self.mend_at;
        if self.shared.suspects().is_empty() || Instant::now() < due {
            return;
        }
        let suspects = self.shared.suspects().clone();
        for partition in suspects {
            if let Err(error) = partition.mend() {
                let problem = format!(
                    "{error}; {} is not known to be on disk, and takes no more records",
                    partition.name()
                );
                if self.shared.state.fail_as(SYNC, &problem, true) {
                    error!("{problem}");
                }
                self.mend_at = (Instant::now() + wait, (wait * 2).min(MEND_LONGEST));
                continue;
            }
            self.shared.suspects().retain(|known| !Arc::ptr_eq(known, &partition));
            info!(partition = %partition.name(), "was written anew after its sync had failed");
        }
        if self.shared.suspects().is_empty() {
            self.mend_at = (Instant::now(), MEND_FIRST);
            self.shared.state.over(SYNC);
        }
    }

    /// An append was refused: says so, once. Gives the problem.
    pub(crate) fn refused(&mut self, partition: &Arc<Partition>, error: &LogError) -> String {
        self.is_refused = true;
        if self.shared.refused_sync(partition, error) {
            return error.to_string();
        }
        let folder = self.shared.settings.data_dir.display();
        let is_full = matches!(error, LogError::NoSpace { .. });
        let problem = if is_full {
            format!("no space left on the disk of {folder}; sources wait")
        } else {
            format!("{error}; sources wait")
        };
        if self.shared.state.fail_as(APPEND, &problem, !is_full) {
            error!("{problem}");
        }
        problem
    }

    /// An append has worked: if one before was refused, that is over.
    pub(crate) fn taken_again(&mut self) {
        if std::mem::take(&mut self.is_refused) && self.shared.state.over(APPEND) {
            info!("records are stored again");
        }
    }
}
