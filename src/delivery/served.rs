//! One sink, and how it is served.

use std::sync::Arc;
use std::time::Duration;

use anabranch_connectors::Sink;

use super::dead_letter::DeadLetters;
use super::fallback::Fallback;
use super::pace::Pace;
use super::share::Share;
use crate::hub::Consumer;
use crate::metrics::SinkMeter;

/// How one sink is served.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Most records of a write.
    pub max_records: usize,
    /// About the most bytes of a write, decompressed.
    pub max_bytes: usize,
    /// How long to wait for a write to become that large.
    pub linger: Duration,
    /// First and longest wait between tries.
    pub backoff: (Duration, Duration),
    /// How often a record may come back while others arrive, before it is dead; 0 for ever.
    pub attempts: u32,
    /// How many records may be refused in a row, with hardly one that arrives, before the sink waits; 0 for ever.
    pub dead_in_a_row: u64,
    /// Longest time between two commits.
    pub commit_interval: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_records: 10_000,
            max_bytes: 1 << 20,
            linger: Duration::ZERO,
            backoff: (Duration::from_millis(100), Duration::from_secs(30)),
            attempts: 30,
            dead_in_a_row: 100,
            commit_interval: Duration::from_millis(500),
        }
    }
}

/// One sink, one member of its group.
pub struct Delivery {
    /// Name of the sink and of the group.
    pub name: String,
    /// Tells the deliveries of one sink apart.
    pub member: u32,
    /// Reads the hub.
    pub consumer: Box<dyn Consumer>,
    /// Writes.
    pub sink: Box<dyn Sink>,
    /// How.
    pub settings: Settings,
    /// Where refused records go.
    pub dead_letters: DeadLetters,
    /// Where records go that cannot be delivered for a while.
    pub fallback: Option<Fallback>,
    /// What is counted.
    pub meter: Arc<SinkMeter>,
    /// What all deliveries of the sink together may ask of the far side.
    pub pace: Arc<Pace>,
    /// What it may hold.
    pub share: Share,
}

impl std::fmt::Debug for Delivery {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Delivery").field("name", &self.name).finish_non_exhaustive()
    }
}
