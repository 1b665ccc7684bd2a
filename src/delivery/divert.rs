//! Gives what does not arrive to the sink's fallback, and tries the sink itself now and then.

use std::sync::atomic::Ordering;

use anabranch_record::Records;
use tokio::time::Instant;
use tracing::{info, warn};

use super::dead_letter::Away;
use super::fallback::Stuck;
use super::state::{Halt, Loop};
use crate::ledger::tally::Fate;

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
