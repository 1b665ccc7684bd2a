//! What the source needs of its configuration, checked.

use std::time::Duration;

use super::config::{ReadFrom, WatchMode};
use super::discover::Globs;

/// What the follower needs of the configuration, checked.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    /// The files to read.
    pub(super) globs: Globs,
    /// Where to begin at the very first start.
    pub(super) read_from: ReadFrom,
    /// Age from which unknown files are left alone.
    pub(super) ignore_older: Option<Duration>,
    /// Longest record, bytes.
    pub(super) max_line_bytes: usize,
    /// How long the end of a last line is waited for.
    pub(super) partial_line_timeout: Duration,
    /// When idle files are closed.
    pub(super) close_idle: Duration,
    /// How long renamed and deleted files are kept open.
    pub(super) rotate_wait: Duration,
    /// How often the folders are looked through.
    pub(super) reconcile_interval: Duration,
    /// Whether to watch.
    pub(super) watch: WatchMode,
    /// How often to look where it cannot be watched.
    pub(super) poll_interval: Duration,
    /// This machine's name.
    pub(super) host: String,
}
