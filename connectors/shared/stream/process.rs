//! How many of the process's open files are for connections. The others are kept back for its own work: files that are
//! read, the log, checkpoints, folders that are listed, connections that it opens itself.

use std::sync::atomic::{AtomicU64, Ordering};

use rustix::process::{Resource, getrlimit};

/// The part of the open files that is for connections.
const SHARE: u64 = 3;

/// Connections of all listeners.
static OPEN: AtomicU64 = AtomicU64::new(0);

/// How many connections all listeners together may have.
pub(super) fn most() -> u64 {
    getrlimit(Resource::Nofile).current.map_or(u64::MAX, |limit| (limit / SHARE).max(1))
}

/// A connection's part of them; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Share(());

impl Share {
    /// Takes one, if there is one.
    pub(super) fn take() -> Option<Self> {
        let most = most();
        let next = |open: u64| (open < most).then_some(open + 1);
        OPEN.fetch_update(Ordering::AcqRel, Ordering::Acquire, next).ok().map(|_before| Self(()))
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        OPEN.fetch_sub(1, Ordering::AcqRel);
    }
}
