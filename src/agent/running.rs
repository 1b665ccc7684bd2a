//! What a running agent has.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use tokio::sync::mpsc;

use super::clients::Clients;
use super::control::{Control, Orders};
use super::parts::Part;
use crate::admin::SharedReads;
use crate::config::Config;
use crate::delivery::Buried;
use crate::hub::Hub;
use crate::metrics::Metrics;
use crate::producer::{Producer, Routes};
use crate::tasks::Tasks;

/// How long parts may take to end.
pub(super) const GRACE: Duration = Duration::from_secs(2);

/// A running agent.
pub struct Agent {
    pub(super) config: Config,
    pub(super) hub: Arc<dyn Hub>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) routes: Routes,
    pub(super) producer: Producer,
    pub(super) workers: Tasks,
    pub(super) admin: Tasks,
    pub(super) broker: Tasks,
    pub(super) clients: Option<Clients>,
    pub(super) sources: BTreeMap<String, Part>,
    pub(super) sinks: BTreeMap<String, Part>,
    /// What of each sink lies with its dead letters.
    pub(super) buried: BTreeMap<String, Arc<Buried>>,
    /// Deliveries that share the memory of sinks.
    pub(super) deliveries: Arc<AtomicUsize>,
    /// Sinks that an operator has paused.
    pub(super) paused: BTreeSet<String>,
    pub(super) orders: Orders,
    pub(super) control: Control,
    pub(super) reads: SharedReads,
    pub(super) failures: (mpsc::Sender<String>, mpsc::Receiver<String>),
}

impl std::fmt::Debug for Agent {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Agent").field("config", &self.config).finish_non_exhaustive()
    }
}
