//! Who may name whom inside of the program: every layer, and nothing that is not in the table.

use std::collections::BTreeSet;

use super::{assert_none, sources, uses};

/// Each module of `src` with those that it may name, from the bottom up.
const LAYERS: [(&str, &[&str]); 23] = [
    ("wire", &[]),
    ("scram", &[]),
    ("topic_name", &[]),
    ("retry", &[]),
    ("tasks", &[]),
    ("ledger", &[]),
    ("metrics", &[]),
    ("auth", &["scram"]),
    ("log", &["wire"]),
    ("kafka", &["scram", "wire"]),
    // `remote` speaks the lines of the admin listener, its other end.
    ("hub", &["admin", "kafka", "ledger", "log", "metrics", "topic_name", "wire"]),
    ("producer", &["hub", "metrics"]),
    ("delivery", &["hub", "ledger", "metrics", "retry"]),
    ("streams", &["hub"]),
    ("config", &["auth", "hub", "producer", "topic_name", "wire"]),
    ("client", &["config", "hub", "producer", "topic_name"]),
    ("broker", &["auth", "hub", "log", "metrics", "scram", "topic_name", "wire"]),
    // The listener is wired by the agent, and asks it to pause and to move.
    (
        "admin",
        &[
            "agent",
            "auth",
            "broker",
            "client",
            "config",
            "hub",
            "ledger",
            "log",
            "metrics",
            "producer",
            "topic_name",
        ],
    ),
    (
        "agent",
        &[
            "admin", "broker", "config", "delivery", "hub", "log", "metrics", "producer", "retry",
            "tasks",
        ],
    ),
    ("bench", &["hub", "log", "metrics", "tasks", "wire"]),
    (
        "cli",
        &[
            "admin", "agent", "bench", "client", "config", "hub", "ledger", "log", "producer",
            "tasks", "wire",
        ],
    ),
    ("main", &[]),
    ("lib", &[]),
];

#[test]
fn each_layer_names_only_those_that_the_table_allows() {
    let mut faults = Vec::new();
    let mut met = BTreeSet::new();
    for (path, text) in sources() {
        let name = path.display().to_string();
        let Some(rest) = name.strip_prefix("src/") else { continue };
        let layer = rest.split('/').next().unwrap().trim_end_matches(".rs").to_owned();
        let Some((_, allowed)) = LAYERS.iter().find(|(known, _)| *known == layer) else {
            faults.push(format!("{name}: `{layer}` is not in the table of layers"));
            continue;
        };
        if name.contains("tests") {
            continue;
        }
        let text = uses::without_comments_and_tests(&text);
        let brought = uses::imports(&text).into_iter().map(|one| one.path);
        for path in brought.chain(uses::paths(&text)).filter(|path| path[0] == "crate") {
            let Some(other) = path.get(1).filter(|other| **other != layer) else { continue };
            if LAYERS.iter().any(|(known, _)| known == other) {
                met.insert((layer.clone(), other.clone()));
                if !allowed.contains(&other.as_str()) {
                    faults.push(format!("{name}: `{layer}` names `{other}`"));
                }
            }
        }
    }
    for (layer, allowed) in LAYERS {
        for other in
            allowed.iter().filter(|other| !met.contains(&(layer.to_owned(), (**other).to_owned())))
        {
            let is_room = layer == "streams";
            if !is_room {
                faults.push(format!(
                    "`{layer}` may name `{other}` and does not: take it out of the table"
                ));
            }
        }
    }
    assert_none(&faults);
}
