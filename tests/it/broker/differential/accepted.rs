//! What may differ between the hub and Kafka, each with its reason.

use std::collections::{BTreeMap, BTreeSet};

use super::flatten::field;

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
    ("delete offsets: negative", "*", "a group without offsets and members is gone at once"),
    ("consumer heartbeat: ", "error_code", "the hub serves no group of that kind, and says so"),
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
    (
        "conversation: transactions: produce ",
        "log_start_offset",
        "Kafka has one in some refusals; it means nothing there",
    ),
    (
        "conversation: transactions: produce a duplicate",
        "log_append_time_ms",
        "Kafka gives the client's own time for a batch again",
    ),
    ("conversation: transactions: a duplicate of it", "log_append_time_ms", "as above"),
    (
        "conversation: transactions: fetch behind it",
        "*",
        "the hub writes no marker where the transaction has written nothing",
    ),
    (
        "conversation: ",
        "coordinator_epoch",
        "the hub does not remember it: only a broker that writes markers would ask",
    ),
    ("conversation: fencing: produce ", "log_start_offset", "as above"),
    ("conversation: sequences: ", "log_start_offset", "as above"),
    (
        "conversation: sequences: batch",
        "log_append_time_ms",
        "Kafka gives the client's own time for a batch again",
    ),
    (
        "conversation: sequences: no epoch",
        "error_code",
        "the hub refuses the batch before it looks at what it knows of the producer",
    ),
    (
        "conversation: sequences: describe producers",
        "last_timestamp",
        "the hub keeps the highest time, so that old records do not make it forget a producer",
    ),
    (
        "conversation: offsets in transactions: under it: committed and stable",
        "*",
        "the plain commit is newer than what waits, so it stays, and the hub knows it",
    ),
    (
        "conversation: offsets in transactions: describe",
        "topics",
        "Kafka shows a partition of its own topic for the group",
    ),
    ("conversation: offsets in transactions: describe", "topic", "as above"),
    ("conversation: offsets in transactions: describe", "partitions", "as above"),
    ("versions", "*", "the hub serves what Kafka 2.8 does; what is not complete is not served"),
];

/// Fields that differ in the answers to what is named so, as `path: hub's, Kafka's`; rows that cover some are noted in
/// `used`.
pub(super) fn differing(
    name: &str,
    ours: &BTreeMap<String, String>,
    theirs: &BTreeMap<String, String>,
    used: &mut BTreeSet<usize>,
) -> Vec<String> {
    let paths: BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
    let mut found = Vec::new();
    for path in paths {
        let (our, their) = (ours.get(path), theirs.get(path));
        if our == their {
            continue;
        }
        let row = ACCEPTED.iter().position(|(of, covered, _)| {
            name.starts_with(of) && (*covered == "*" || *covered == field(path))
        });
        match row {
            Some(row) => drop(used.insert(row)),
            None => found.push(format!(
                "{path}: the hub {}, Kafka {}",
                our.map_or("nothing", String::as_str),
                their.map_or("nothing", String::as_str),
            )),
        }
    }
    found
}

/// Those of the rows that `concern` a test and were not needed in it, as lines.
pub(super) fn unused(used: &BTreeSet<usize>, concern: impl Fn(&str) -> bool) -> String {
    let mut lines = String::new();
    for (row, (of, name, reason)) in ACCEPTED.iter().enumerate() {
        if concern(of) && !used.contains(&row) {
            lines += &format!("not seen any more: {of} {name}: {reason}\n");
        }
    }
    lines
}
