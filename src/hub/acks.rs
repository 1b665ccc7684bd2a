//! Whose acknowledgement makes a record stored.

/// What the hub must have done before records count as stored; Kafka's `acks`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Acks {
    /// `0`: nothing; stored is what has been sent.
    None,
    /// `1`: the leader has them.
    Leader,
    /// `all`: every replica in sync has them; on Kafka the producer is idempotent.
    #[default]
    All,
}
