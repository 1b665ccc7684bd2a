//! What is counted of a listener's connections.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

/// Why this side has ended a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ended {
    /// It was silent for longest when another wanted in.
    Crowded,
    /// It was silent for longer than it may be.
    Idle,
    /// What it had begun to send (a request, a handshake) did not come in time.
    Slow,
    /// There was no memory for what it had begun to send.
    Memory,
}

impl Ended {
    /// As it stands in metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Crowded => "crowded",
            Self::Idle => "idle",
            Self::Slow => "slow",
            Self::Memory => "memory",
        }
    }
}

/// The connections of one listener, or of those that share their places.
#[derive(Debug, Default)]
pub struct ConnectionMeter {
    pub(super) max: AtomicU64,
    pub(super) open: AtomicU64,
    pub(super) accepted: AtomicU64,
    pub(super) refused: AtomicU64,
    ended: Mutex<BTreeMap<Ended, u64>>,
}

impl ConnectionMeter {
    /// How many may be open; 0 where nothing listens.
    #[must_use]
    pub fn max(&self) -> u64 {
        self.max.load(Ordering::Relaxed)
    }

    /// How many are open.
    #[must_use]
    pub fn open(&self) -> u64 {
        self.open.load(Ordering::Relaxed)
    }

    /// How many were let in.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    /// How often the system could not give one, for want of open files most likely.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Counts one that this side has ended.
    pub fn count(&self, why: Ended) {
        *self.ended.lock().entry(why).or_default() += 1;
    }

    /// How many this side has ended, by reason; each reason is there.
    #[must_use]
    pub fn ended(&self) -> [(Ended, u64); 4] {
        let ended = self.ended.lock();
        [Ended::Crowded, Ended::Idle, Ended::Slow, Ended::Memory]
            .map(|why| (why, ended.get(&why).copied().unwrap_or_default()))
    }
}
