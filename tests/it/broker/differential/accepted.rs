//! What may differ between the hub and Kafka, each with its reason.

use std::collections::{BTreeMap, BTreeSet};

use super::flatten::field;

/// Fields that must differ, with why; everything else is compared.
pub(super) const NEVER: &[(&str, &str)] = &[
    ("host", "where a server is"),
    ("port", "where a server is"),
    ("cluster_id", "each has its own"),
    ("topic_id", "each gives its own; whether there is one is compared"),
    ("producer_id", "each gives its own"),
    ("log_dir", "where a server has its files"),
    ("total_bytes", "the disk's"),
    ("usable_bytes", "the disk's"),
    ("partition_size", "Kafka's files have other batches around the same records"),
    ("documentation", "the hub's own words; whether there are any is compared"),
];

/// A field as it is compared; `None` for one that is not.
pub(super) fn compared(path: String, value: String) -> Option<(String, String)> {
    let name = field(&path);
    let is_nothing = matches!(value.as_str(), "None" | "00000000-0000-0000-0000-000000000000");
    match name {
        "topic_id" | "documentation" if is_nothing => Some((path, "nothing".to_owned())),
        "topic_id" | "documentation" => Some((path, "something".to_owned())),
        _ => NEVER.iter().all(|(never, _)| *never != name).then_some((path, value)),
    }
}

/// The beginning of a case's name, the field, and why it may differ.
pub(super) const ACCEPTED: &[(&str, &str, &str)] = &[
    ("refused: ", "*", "the hub has nothing of the kind, and says so"),
    ("consumer heartbeat: ", "error_message", "the hub's own words"),
    ("describe consumer group: ", "error_message", "the hub's own words"),
    ("conversation: consumers: ", "error_message", "the hub's own words"),
    ("conversation: static consumers: ", "error_message", "the hub's own words"),
    ("conversation: moves: ", "error_message", "the hub's own words"),
    (
        "what has settings: 32",
        "*",
        "conversations have Kafka assign at once, by settings of groups",
    ),
    ("create: ", "topic_id", "Kafka gives an id to a topic that is only checked"),
    (
        "alter: 4 \"\" (\"message.max.bytes\"",
        "*",
        "Kafka keeps a setting of its own there, which must stay",
    ),
    (
        "delete users: ",
        "error_code",
        "only where there is access control does the hub change users",
    ),
    ("delete users: ", "error_message", "as above"),
    ("quorum: __cluster_metadata", "leader_epoch", "the hub's epoch counts its lives"),
    ("quorum: __cluster_metadata", "high_watermark", "there is no log of metadata"),
    ("quorum: __cluster_metadata", "log_end_offset", "there is no log of metadata"),
    ("quorum: __cluster_metadata", "last_fetch_timestamp", "now"),
    ("quorum: __cluster_metadata", "last_caught_up_timestamp", "now"),
    (
        "produce: far in the future",
        "batch_index_error_message",
        "it has the time of the answer in it",
    ),
    ("produce: no records", "*", "Kafka does not answer; the hub says which partition is wrong"),
    ("produce: unknown codec", "error_code", "Kafka says that it does not know what is wrong"),
    (
        "produce: idempotent",
        "log_append_time_ms",
        "Kafka gives the client's own time for a batch again",
    ),
    ("produce: unknown producer not at 0", "log_append_time_ms", "as above: asked in two versions"),
    ("delete offsets: negative", "*", "a group without offsets and members is gone at once"),
    ("create: ", "config_source", "Kafka's file sets segment.bytes or the like"),
    ("create: ", "value", "the hub has other defaults, see README"),
    ("create: \"differential-new\", -1", "num_partitions", "what the server is configured to"),
    (
        "conversation: transactions: produce ",
        "log_start_offset",
        "Kafka has one in some refusals; it means nothing there",
    ),
    (
        "conversation: transactions: produce",
        "log_append_time_ms",
        "Kafka gives the client's own time for a batch again",
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
    ("conversation: offsets in transactions: describe", "unknown_tagged_fields", "as above"),
    ("conversation: offsets in transactions: describe", "partitions", "as above"),
    ("versions", "*", "what is not complete is not served, see README"),
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
