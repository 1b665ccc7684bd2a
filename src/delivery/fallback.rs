//! Records that a sink has not been able to deliver for a while go to the topic `<sink>.fallback`, which another sink
//! reads. They are stored as dead letters are, each once; the sink's own offsets then go on.
//!
//! The sink itself is tried now and then, with what comes next. When that arrives it delivers again; what went to the
//! other sink stays there.

use std::sync::atomic::Ordering;
use std::time::Duration;

use anabranch_record::Records;
use tokio::time::Instant;
use tracing::{info, warn};

use super::judge::Away;
use super::{DeadLetters, Halt, Loop};
use crate::ledger::tally::Fate;

/// The way out of a sink that does not deliver.
#[derive(Debug)]
pub struct Fallback {
    /// Stores the records for the other sink.
    pub letters: DeadLetters,
    /// How long nothing must have arrived.
    pub after: Duration,
}

/// Since when nothing arrives, and when the sink is tried next.
#[derive(Debug, Default)]
pub(super) struct Stuck {
    since: Option<Instant>,
    next_try: Option<Instant>,
}

impl Loop {
    /// Something has arrived.
    pub(super) fn is_not_stuck(&mut self) {
        if self.stuck.next_try.is_some() {
            info!(sink = self.name, "delivers again by itself");
        }
        self.stuck = Stuck::default();
    }

    /// Whether the other sink is to have what comes, without a try.
    pub(super) fn is_diverting(&self) -> bool {
        self.stuck.next_try.is_some_and(|next| Instant::now() < next)
    }

    /// Nothing has arrived. After a while the other sink gets `records`; whether it has.
    pub(super) async fn divert(&mut self, records: &Records) -> Result<bool, Halt> {
        let since = *self.stuck.since.get_or_insert_with(Instant::now);
        let Some(fallback) = &self.fallback else { return Ok(false) };
        if since.elapsed() < fallback.after {
            return Ok(false);
        }
        if !self.is_diverting() {
            if self.stuck.next_try.is_none() {
                let topic = fallback.letters.topic();
                warn!(sink = self.name, topic, "nothing arrives: its records go to its fallback");
            }
            self.stuck.next_try = Some(Instant::now() + self.settings.backoff.1);
        }
        self.store_elsewhere(records).await?;
        Ok(true)
    }

    async fn store_elsewhere(&mut self, records: &Records) -> Result<(), Halt> {
        let reason = self.meter.state.problem().unwrap_or_default();
        let all: Vec<(usize, &str)> =
            (0..records.len()).map(|number| (number, reason.as_str())).collect();
        self.put_away(Away::Fallback, records, &all, 0).await?;
        self.meter.diverted.fetch_add(records.len() as u64, Ordering::Relaxed);
        self.progress.count(records, Fate::Diverted);
        Ok(())
    }
}
