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
pub(super) const ACCEPTED: &[(&str, &str, &str)] = &[
    ("produce: no records", "*", "Kafka does not answer; the hub says which partition is wrong"),
    ("produce: unknown codec", "error_code", "Kafka says that it does not know what is wrong"),
    ("produce: ", "log_start_offset", "Kafka has one in some refusals; it means nothing there"),
    (
        "produce: idempotent",
        "log_append_time_ms",
        "Kafka gives the client's own time for a batch again",
    ),
    ("produce: unknown producer not at 0", "log_append_time_ms", "as above: asked in two versions"),
    (
        "produce: far in the future",
        "record_errors",
        "the hub refuses the batch and looks at no record",
    ),
    ("produce: far in the future", "batch_index", "as above"),
    ("produce: far in the future", "batch_index_error_message", "as above"),
    ("fetch: unknown", "aborted_transactions", "null and empty say the same"),
    ("fetch: negative partition", "aborted_transactions", "null and empty say the same"),
    ("delete offsets: negative", "*", "a group without offsets and members is gone at once"),
    ("list groups", "*", "each server lists its own groups; those of other tests among them"),
    ("create: ", "config_source", "Kafka's file sets segment.bytes or the like"),
    ("create: ", "value", "the hub has other defaults, see README"),
    ("create: \"differential-new\", -1", "num_partitions", "what the server is configured to"),
    (
        "describe configs: 2 ",
        "name",
        "the hub names the broker's setting; Kafka has none in its file",
    ),
    ("describe configs: 2 ", "source", "as above"),
    ("describe configs: 2 ", "value", "as above"),
    ("versions", "*", "the hub serves what Kafka 2.8 does; what is not complete is not served"),
];
