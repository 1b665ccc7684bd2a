//! When the positions were last stored together.

use tokio::time::Instant;

/// What is known of the snapshots of positions.
#[derive(Debug)]
pub(super) struct Snapshots {
    /// When the last one was tried.
    pub(super) at: Instant,
    /// Bytes of records since.
    pub(super) bytes: u64,
    /// Whether it could not be stored, which was said.
    pub(super) fails: bool,
}

impl Default for Snapshots {
    fn default() -> Self {
        Self { at: Instant::now(), bytes: 0, fails: false }
    }
}
