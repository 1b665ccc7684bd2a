//! What is shown of the hub: looked at when somebody asks, and shown as it was last seen when the hub does not answer at
//! once. A far side that is away keeps nobody waiting who asks how things are.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use crate::hub::{GroupLag, Hub, HubError, Reads, TopicInfo, sink_rows_and_topics};
use crate::ledger::rows::SinkRow;

/// How long who asks waits for a look that is under way.
const PATIENCE: Duration = Duration::from_millis(500);
/// So many times as long as a look took it is not looked again, and who asks meanwhile is shown what was seen: of a cluster
/// with many topics a look is many questions.
const PAUSE: u32 = 20;
/// The longest of these pauses: what a look had to wait for may be over.
const PAUSE_MAX: Duration = Duration::from_secs(2);

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
    /// When the hub may be looked at again.
    rests_until: Mutex<Instant>,
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
        let (seen, wanted, looks) = (Mutex::default(), Notify::new(), watch::Sender::new(0));
        Self { hub, reads, seen, wanted, looks, rests_until: Mutex::new(Instant::now()) }
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
            let reads = self.reads.read().clone();
            let begin = Instant::now();
            if let Ok(seen) = self.see(&reads).await {
                *self.seen.lock() = seen;
            }
            let rests = Instant::now() + (begin.elapsed() * PAUSE).min(PAUSE_MAX);
            *self.rests_until.lock() = rests;
            self.looks.send_modify(|looks| *looks += 1);
        }
    }

    /// Looks each topic up once.
    async fn see(&self, reads: &[Reads]) -> Result<Seen, HubError> {
        let (sinks, topics) = sink_rows_and_topics(self.hub.as_ref(), Some(reads)).await?;
        let lags = self.hub.lags_in(&topics, reads).await?;
        Ok(Seen { topics, lags, sinks, at: Some(Instant::now()) })
    }

    /// What is there now, or what was there when the hub last answered.
    pub async fn look(&self) -> Seen {
        let seen = || self.seen.lock().clone();
        let rests_until = *self.rests_until.lock();
        if Instant::now() < rests_until {
            return seen();
        }
        let mut looks = self.looks.subscribe();
        self.wanted.notify_one();
        // Either way there is something to show.
        tokio::time::timeout(PATIENCE, looks.changed()).await.ok();
        seen()
    }
}
