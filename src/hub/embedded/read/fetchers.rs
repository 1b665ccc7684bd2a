//! Who waits for records of which partition: an append wakes those who wait for it, and nobody else.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::Notify;

use crate::log::Partition;

type Waiting = HashMap<usize, Vec<Arc<Notify>>>;

/// All who wait.
#[derive(Debug, Default)]
pub(crate) struct Fetchers {
    waiting: Mutex<Waiting>,
    count: AtomicUsize,
}

/// One who waits, until it is dropped.
pub(crate) struct Waiter<'a> {
    fetchers: &'a Fetchers,
    keys: Vec<usize>,
    notify: Arc<Notify>,
}

/// A partition's place in memory names it while somebody holds it.
fn key(partition: &Arc<Partition>) -> usize {
    Arc::as_ptr(partition).addr()
}

impl Fetchers {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock()
    }

    /// Waits from now on for appends to any of `partitions`, which the caller must hold meanwhile.
    pub(crate) fn wait(&self, partitions: &[Arc<Partition>]) -> Waiter<'_> {
        let notify = Arc::new(Notify::new());
        let keys: Vec<usize> = partitions.iter().map(key).collect();
        let mut waiting = self.waiting();
        for key in &keys {
            waiting.entry(*key).or_default().push(Arc::clone(&notify));
        }
        self.count.fetch_add(1, Ordering::AcqRel);
        Waiter { fetchers: self, keys, notify }
    }

    /// Wakes who waits for one of `touched`.
    pub(crate) fn wake(&self, touched: &[Arc<Partition>]) {
        if self.count.load(Ordering::Acquire) == 0 {
            return;
        }
        let waiting = self.waiting();
        for partition in touched {
            for notify in waiting.get(&key(partition)).into_iter().flatten() {
                notify.notify_one();
            }
        }
    }
}

impl Waiter<'_> {
    /// Resolves when something was appended since it was made or since the last time.
    pub(crate) async fn appended(&self) {
        self.notify.notified().await;
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        let mut waiting = self.fetchers.waiting();
        for key in &self.keys {
            if let Some(known) = waiting.get_mut(key) {
                known.retain(|notify| !Arc::ptr_eq(notify, &self.notify));
                if known.is_empty() {
                    waiting.remove(key);
                }
            }
        }
        self.fetchers.count.fetch_sub(1, Ordering::AcqRel);
    }
}
