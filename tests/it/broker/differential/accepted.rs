//! What may differ between the hub and Kafka, each with its reason.

/// Fields that say who or where a server is, when something was, or how it counts; they are never compared.
pub(super) const NEVER: &[&str] = &[
    "throttle_time_ms",
    "unknown_tagged_fields",
    "host",
    "port",
    "node_id",
    "broker_id",
    "controller_id",
    "cluster_id",
    "topic_id",
    "leader_id",
    "leader_epoch",
    "replica_nodes",
    "isr_nodes",
    "producer_id",
    "log_dir",
    "total_bytes",
    "usable_bytes",
    "partition_size",
    "rack",
    // Words for people.
    "error_message",
    "documentation",
];

/// The beginning of a case's name, the field, and why it may differ.
pub(super) const ACCEPTED: &[(&str, &str, &str)] = &[];
