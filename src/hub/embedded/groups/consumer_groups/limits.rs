//! How often members are heard, and for how long they may be silent.

/// After how many milliseconds without a heartbeat a member is removed (Kafka's `group.consumer.session.timeout.ms`).
pub(super) const SESSION_MS: i64 = 45_000;
/// How often members send heartbeats, ms (Kafka's `group.consumer.heartbeat.interval.ms`).
pub(super) const HEARTBEAT_MS: i32 = 5_000;
