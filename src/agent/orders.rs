//! What the API asks, done: sinks paused and taken up again, groups of sinks moved.

use std::collections::BTreeSet;

use tracing::info;

use super::control::{Asked, Order, keep_paused};
use super::running::{Agent, GRACE};
use crate::hub::{HubError, Offset};

impl Agent {
    /// Does what was asked, and says so.
    pub(super) async fn obey(&mut self, Asked((order, answer)): Asked) {
        let done = match order {
            Order::Pause(sink) => self.pause(&sink).await,
            Order::Resume(sink) => self.resume(&sink).await,
            Order::Move { group, offsets } => self.move_group(&group, &offsets).await,
        };
        // Who asked may be gone.
        answer.send(done).ok();
    }

    async fn pause(&mut self, sink: &str) -> Result<(), HubError> {
        self.is_known(sink)?;
        let mut paused = self.paused.clone();
        paused.insert(sink.to_owned());
        self.store_paused(paused)?;
        if let Some(part) = self.sinks.remove(sink) {
            part.stop(GRACE).await;
        }
        self.metrics.sink(sink).set_paused(true);
        info!(sink, "is paused");
        Ok(())
    }

    async fn resume(&mut self, sink: &str) -> Result<(), HubError> {
        self.is_known(sink)?;
        let mut paused = self.paused.clone();
        paused.remove(sink);
        self.store_paused(paused)?;
        self.start_again(sink).await?;
        info!(sink, "goes on");
        Ok(())
    }

    /// Starts a sink unless it runs or is paused.
    async fn start_again(&mut self, sink: &str) -> Result<(), HubError> {
        if self.sinks.contains_key(sink) {
            return Ok(());
        }
        self.start_sink(sink).await.map_err(|error| HubError::NotNow(error.to_string()))
    }

    async fn move_group(&mut self, group: &str, offsets: &[Offset]) -> Result<(), HubError> {
        if let Some(part) = self.sinks.remove(group) {
            part.stop(GRACE).await;
        }
        let moved = self.hub.set_offsets(group, offsets).await;
        if moved.is_ok() {
            // What is delivered once more may die once more.
            let are_kept = self.config.sinks.get(group).is_some_and(|sink| sink.dead_letters);
            self.dead_letters(group, are_kept).forget().await;
            info!(sink = group, "its group was moved");
        }
        self.start_again(group).await.and(moved)
    }

    fn is_known(&self, sink: &str) -> Result<(), HubError> {
        if self.config.sinks.contains_key(sink) {
            return Ok(());
        }
        let known: Vec<&str> = self.config.sinks.keys().map(String::as_str).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        Err(HubError::Fatal(format!("there is no sink \"{sink}\"; there are: {known}")))
    }

    fn store_paused(&mut self, paused: BTreeSet<String>) -> Result<(), HubError> {
        keep_paused(&self.config.data_dir, &paused)?;
        self.paused = paused;
        Ok(())
    }
}
