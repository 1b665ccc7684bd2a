//! Why librdkafka did not take a record.

/// Why not everything could be handed over.
#[derive(Debug)]
pub(super) enum Refused {
    /// Librdkafka would not take it, or could not deliver what went before.
    Kafka(String),
    /// The time to stop has come.
    Stopping,
}
