//! What the listener shows and acts on.

use std::path::PathBuf;
use std::sync::Arc;

use super::glance::Glance;
use crate::agent::Control;
use crate::broker::{Addresses, Broker};
use crate::hub::Hub;
use crate::metrics::Metrics;
use crate::producer::Producer;

/// What the listener shows and acts on.
#[derive(Clone)]
pub struct State {
    /// The hub.
    pub hub: Arc<dyn Hub>,
    /// Knows what access control allows; where the hub is Kafka, its brokers know.
    pub broker: Option<Arc<Broker>>,
    /// Looks at it.
    pub glance: Arc<Glance>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// For the bytes that are under way.
    pub producer: Producer,
    /// Pauses sinks, and moves their groups.
    pub control: Control,
    /// The agent's data folder.
    pub data_dir: PathBuf,
    /// Where clients of Kafka's protocol reach the hub, each such as `SASL_SSL://10.0.0.7:9093`.
    pub listening: Addresses,
}

impl std::fmt::Debug for State {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("State").field("data_dir", &self.data_dir).finish_non_exhaustive()
    }
}
