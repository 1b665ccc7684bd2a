//! What is counted of a source, and what of it is under way.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use anabranch_record::{Amount, Batch};
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::Notify;

use crate::Taken;
use crate::shared::stream::ConnectionMeter;

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
    pub dropped: Mutex<BTreeMap<&'static str, u64>>,
    /// Everything together, over restarts, changed once for each batch.
    account: Mutex<Account>,
    /// What others have opened to it.
    pub connections: Arc<ConnectionMeter>,
    /// What it cannot reach while it works otherwise, for `/health`.
    pub trouble: Mutex<Option<String>>,
}

/// What became of all that a source has read. Bytes are those of keys, values and headers.
///
/// Each field is counted where it happens, and none from the others: `handed_on` by the source's emitter, `stored` by
/// the hub while it encodes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Account {
    /// Handed on to the hub.
    pub handed_on: Amount,
    /// What the hub has stored.
    pub stored: Amount,
    /// What was handed back.
    pub not_stored: Amount,
    /// What was handed on and is neither stored nor handed back yet.
    pub under_way: Amount,
    /// Records that were left out before they were handed on, by reason.
    pub dropped: BTreeMap<String, u64>,
}

impl Account {
    /// Counts records that were left out.
    pub fn leave_out(&mut self, reason: &str, records: u64) {
        match self.dropped.get_mut(reason) {
            Some(count) => *count += records,
            None => drop(self.dropped.insert(reason.to_owned(), records)),
        }
    }

    /// Adds what was counted elsewhere.
    pub fn add(&mut self, more: &Self) {
        self.handed_on += more.handed_on;
        self.stored += more.stored;
        self.not_stored += more.not_stored;
        self.under_way += more.under_way;
        for (reason, records) in &more.dropped {
            self.leave_out(reason, *records);
        }
    }
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

    /// All that is counted, as it is at one moment.
    #[must_use]
    pub fn account(&self) -> Account {
        self.accounts().clone()
    }

    /// Adds what earlier lives of the program have counted.
    pub fn take_up(&self, kept: &Account) {
        self.accounts().add(kept);
    }

    /// Counts what the source left out.
    pub(crate) fn dropped(&self, reason: &'static str, records: u64) {
        *self.dropped.lock().entry(reason).or_default() += records;
        self.accounts().leave_out(reason, records);
    }

    fn accounts(&self) -> MutexGuard<'_, Account> {
        self.account.lock()
    }
}

/// What a batch takes while it is under way.
#[derive(Debug)]
pub struct Share {
    _bytes: Option<Taken>,
    counters: Arc<SourceCounters>,
    amount: Amount,
    /// What of it is not settled yet.
    left: Mutex<Amount>,
}

impl Share {
    /// The share of `batch`, whose records are handed on and under way from now on.
    #[must_use]
    pub fn new(bytes: Option<Taken>, counters: &Arc<SourceCounters>, batch: &Batch) -> Self {
        let amount = batch.amount();
        counters.under_way.fetch_add(amount.records, Ordering::Relaxed);
        counters.open.fetch_add(1, Ordering::SeqCst);
        {
            let mut account = counters.accounts();
            account.handed_on += amount;
            account.under_way += amount;
        }
        Self { _bytes: bytes, counters: Arc::clone(counters), amount, left: Mutex::new(amount) }
    }

    /// What the batch was when it was handed on.
    #[must_use]
    pub const fn amount(&self) -> Amount {
        self.amount
    }

    /// What all that its source reads has become up to now.
    #[must_use]
    pub fn account(&self) -> Account {
        self.counters.account()
    }

    /// The batch was not handed on after all.
    pub(crate) fn withdraw(self) {
        self.counters.accounts().handed_on -= self.amount;
    }

    /// Of what was handed on, `claimed` is not under way any more: the hub has stored so much of it, or nothing.
    pub fn settle(&self, claimed: Amount, stored: Option<Amount>) {
        let mut left = self.left.lock();
        *left -= claimed;
        let mut account = self.counters.accounts();
        account.under_way -= claimed;
        match stored {
            Some(stored) => account.stored += stored,
            None => account.not_stored += claimed,
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let left = *self.left.get_mut();
        // What nobody has settled is nowhere any more, and the ledger says so.
        self.counters.accounts().under_way -= left;
        self.counters.under_way.fetch_sub(self.amount.records, Ordering::Relaxed);
        if self.counters.open.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.counters.settled.notify_waiters();
        }
    }
}
