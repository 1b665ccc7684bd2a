//! What members may ask for.

/// What members may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Shortest session timeout.
    pub(crate) session_timeout_min_ms: i32,
    /// Longest session timeout.
    pub(crate) session_timeout_max_ms: i32,
    /// How long a group without members waits for more of them after the first.
    pub(crate) initial_rebalance_delay_ms: i32,
    /// Most members of a group, and most ids given out that were not used yet.
    pub(crate) group_size_max: usize,
}
