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
    /// Its address is not one that may connect.
    NotAllowed,
    /// It did not begin with the header of a proxy.
    Header,
    /// The handshake of TLS failed.
    Handshake,
}

impl Ended {
    /// Each of them.
    const ALL: [Self; 7] = [
        Self::Crowded,
        Self::Idle,
        Self::Slow,
        Self::Memory,
        Self::NotAllowed,
        Self::Header,
        Self::Handshake,
    ];

    /// As it stands in metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Crowded => "crowded",
            Self::Idle => "idle",
            Self::Slow => "slow",
            Self::Memory => "memory",
            Self::NotAllowed => "not_allowed",
            Self::Header => "proxy_header",
            Self::Handshake => "tls_handshake",
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
    pub fn ended(&self) -> [(Ended, u64); 7] {
        let ended = self.ended.lock();
        Ended::ALL.map(|why| (why, ended.get(&why).copied().unwrap_or_default()))
    }
}
