//! What is counted of a source, and what of it is under way.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::sync::{Notify, OwnedSemaphorePermit};

use crate::Batch;
use crate::stream::ConnectionMeter;

/// What a source read and what it left out, for the ledger.
#[derive(Debug, Default)]
pub struct SourceCounters {
    /// Records handed on.
    pub records: AtomicU64,
    /// Bytes of their values.
    pub bytes: AtomicU64,
    /// Records that were handed on and of which it is not known yet what becomes of them.
    pub under_way: AtomicU64,
    /// Batches of that kind.
    open: AtomicU64,
    settled: Notify,
    /// How often the source was started; what an earlier start left behind cannot hand on any more.
    life: AtomicU64,
    /// Whether it does what it is there for: it listens, or has looked at its files.
    pub is_ready: AtomicBool,
    /// What was left out on purpose: reason and count.
    pub dropped: std::sync::Mutex<std::collections::BTreeMap<&'static str, u64>>,
    /// What others have opened to it.
    pub connections: Arc<ConnectionMeter>,
    /// What it cannot reach while it works otherwise, for `/health`.
    pub trouble: std::sync::Mutex<Option<String>>,
}

impl SourceCounters {
    /// How often the source was started.
    pub(crate) fn life(&self) -> u64 {
        self.life.load(Ordering::SeqCst)
    }

    /// Begins a new life of the source: emitters of earlier ones are closed from now on. Then waits until nothing that
    /// they handed on is under way any more, so that what the hub knows of the source is all there is to know.
    pub async fn begin_life(&self) {
        self.life.fetch_add(1, Ordering::SeqCst);
        loop {
            let settled = self.settled.notified();
            if self.open.load(Ordering::SeqCst) == 0 {
                return;
            }
            settled.await;
        }
    }
}

/// What a batch takes while it is under way.
#[derive(Debug)]
pub struct Share {
    _bytes: Option<OwnedSemaphorePermit>,
    counters: Arc<SourceCounters>,
    records: u64,
}

impl Share {
    /// The share of `batch`, whose records are under way from now on.
    #[must_use]
    pub fn new(
        bytes: Option<OwnedSemaphorePermit>,
        counters: &Arc<SourceCounters>,
        batch: &Batch,
    ) -> Self {
        let records = batch.len() as u64;
        counters.under_way.fetch_add(records, Ordering::Relaxed);
        counters.open.fetch_add(1, Ordering::SeqCst);
        Self { _bytes: bytes, counters: Arc::clone(counters), records }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.counters.under_way.fetch_sub(self.records, Ordering::Relaxed);
        if self.counters.open.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.counters.settled.notify_waiters();
        }
    }
}
