//! What is shown of the hub: looked at when somebody asks, and shown as it was last seen when the hub does not answer at
//! once. A far side that is away keeps nobody waiting who asks how things are.

use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use crate::hub::{GroupLag, Hub, Reads, TopicInfo, sink_rows};
use crate::ledger::rows::SinkRow;

/// How long who asks waits for a look that is under way.
const PATIENCE: Duration = Duration::from_millis(500);

/// What the sinks of the configuration read, as it is now.
pub type SharedReads = Arc<RwLock<Vec<Reads>>>;

/// What was last seen.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// Every topic.
    pub topics: Vec<TopicInfo>,
    /// How far each sink is behind.
    pub lags: Vec<GroupLag>,
    /// What has become of what was stored for each sink.
    pub sinks: Vec<SinkRow>,
    /// When; `None` before the hub has answered for the first time.
    pub at: Option<Instant>,
}

/// Looks at the hub.
pub struct Glance {
    hub: Arc<dyn Hub>,
    reads: SharedReads,
    seen: Mutex<Seen>,
    wanted: Notify,
    looks: watch::Sender<u64>,
}

impl std::fmt::Debug for Glance {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Glance").field("seen", &self.seen).finish_non_exhaustive()
    }
}

impl Glance {
    /// Nothing was seen yet.
    #[must_use]
    pub fn new(hub: Arc<dyn Hub>, reads: SharedReads) -> Self {
        let (seen, wanted) = (Mutex::default(), Notify::new());
        Self { hub, reads, seen, wanted, looks: watch::Sender::new(0) }
    }

    /// What the sinks read.
    #[must_use]
    pub fn reads(&self) -> SharedReads {
        Arc::clone(&self.reads)
    }

    /// Looks whenever somebody asks, for ever.
    pub async fn run(self: Arc<Self>) {
        loop {
            self.wanted.notified().await;
            let reads = self.reads.read().unwrap_or_else(PoisonError::into_inner).clone();
            let (topics, lags) = (self.hub.topics().await, self.hub.lags(&reads).await);
            let sinks = sink_rows(self.hub.as_ref(), Some(&reads)).await;
            if let (Ok(topics), Ok(lags), Ok(sinks)) = (topics, lags, sinks) {
                let at = Some(Instant::now());
                *self.seen.lock().unwrap_or_else(PoisonError::into_inner) =
                    Seen { topics, lags, sinks, at };
            }
            self.looks.send_modify(|looks| *looks += 1);
        }
    }

    /// What is there now, or what was there when the hub last answered.
    pub async fn look(&self) -> Seen {
        let mut looks = self.looks.subscribe();
        self.wanted.notify_one();
        // Either way there is something to show.
        tokio::time::timeout(PATIENCE, looks.changed()).await.ok();
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
