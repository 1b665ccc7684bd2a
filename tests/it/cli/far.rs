//! Hubs behind a network: what is told when they cannot be reached, and what needs no rights.

use std::path::Path;

use super::{Ran, anabranch};
use crate::support::{Agent, Broker, free_port, server};

const LISTENER: &str =
    "sasl: { mechanisms: [PLAIN, SCRAM-SHA-256], users: { admin: a-pass, reader: r-pass } }";

/// Runs with `--bootstrap`, and the options of a user when there is one.
fn at(folder: &Path, words: &str, address: &str, user: Option<(&str, &str)>) -> Ran {
    let mut words: Vec<String> = words.split(' ').map(str::to_owned).collect();
    words.extend(["--bootstrap".to_owned(), address.to_owned()]);
    if let Some((name, password)) = user {
        for option in [
            "security.protocol=SASL_PLAINTEXT".to_owned(),
            "sasl.mechanism=SCRAM-SHA-256".to_owned(),
            format!("sasl.username={name}"),
            format!("sasl.password={password}"),
        ] {
            words.extend(["--option".to_owned(), option]);
        }
    }
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    anabranch(folder, &words, "x\n")
}

/// One that asks for passwords and lets `reader` read the topic `t` and nothing else.
fn secured(folder: &Path) -> (Agent, String) {
    let address = format!("127.0.0.1:{}", free_port());
    let hub = format!(
        "hub:\n  embedded:\n    listen: none\n    listeners: [{{ address: \"{address}\", {LISTENER} }}]\n    \
         super_users: [\"User:admin\"]\n    acls: [{{ principal: \"User:reader\", operations: [read], topic: t }}]\n"
    );
    (Agent::start(folder, &hub), address)
}

#[test]
fn every_command_names_the_broker_that_refuses_and_why() {
    let folder = tempfile::tempdir().unwrap();
    let address = format!("127.0.0.1:{}", free_port());
    for words in [
        "consume t",
        "produce t",
        "topics list",
        "groups list",
        "dlq list",
        "groups delete g --yes",
    ] {
        let ran = at(folder.path(), words, &address, None);
        assert_eq!(ran.code, 1, "{words}: {}", ran.err);
        assert!(ran.err.contains(&format!("broker {address}: ")), "{words}: {}", ran.err);
        assert!(ran.err.contains("refused"), "{words}: {}", ran.err);
    }
}

#[test]
fn a_wrong_password_a_missing_login_and_a_name_that_is_none_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let (_agent, address) = secured(folder.path());
    let wrong = at(folder.path(), "topics list", &address, Some(("admin", "guess")));
    assert!(wrong.err.contains("does not accept the credentials: user \"admin\""), "{}", wrong.err);
    assert!(
        wrong.err.contains(&address) && wrong.err.contains("check sasl.username"),
        "{}",
        wrong.err
    );
    let none = at(folder.path(), "topics list", &address, None);
    assert!(none.err.contains(&address) && none.err.contains("security.protocol"), "{}", none.err);
    let name = at(folder.path(), "topics list", "no-such-host.invalid:9092", None);
    assert!(name.err.contains("no-such-host.invalid:9092"), "{}", name.err);
    assert!(name.err.contains("is the name right?"), "{}", name.err);
    assert!(at(folder.path(), "topics list", &address, Some(("admin", "a-pass"))).code == 0);
}

#[test]
fn records_are_read_without_any_right_on_groups() {
    let folder = tempfile::tempdir().unwrap();
    let (_agent, address) = secured(folder.path());
    at(folder.path(), "produce t", &address, Some(("admin", "a-pass"))).well();
    let read = at(folder.path(), "consume t", &address, Some(("reader", "r-pass")));
    assert_eq!(read.well(), "x\n");
    let last =
        at(folder.path(), "consume t --from end --until-end", &address, Some(("reader", "r-pass")));
    assert_eq!(last.well(), "");
}

#[test]
fn records_of_kafka_are_read_without_any_right_on_groups() {
    if server("ANABRANCH_KAFKA").is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start_guarded(folder.path());
    at(folder.path(), "produce t", &broker.address(), None).well();
    at(folder.path(), "produce s.dlq", &broker.address(), None).well();
    for topic in ["t", "s.dlq"] {
        broker.let_agent_read(topic);
    }
    // The listener with SASL and without TLS.
    let address = format!("127.0.0.1:{}", broker.port(4));
    let read = |words: &str| at(folder.path(), words, &address, Some(("agent", "agent-secret")));
    assert_eq!(read("consume t").well(), "x\n");
    assert_eq!(read("consume t --partition 0 --from 1").well(), "");
    assert_eq!(read("dlq show s --format %v").well(), "x");
    let refused = read("consume t --group g");
    assert!(refused.err.to_lowercase().contains("group"), "{}", refused.err);
    assert_eq!(refused.code, 1, "{}", refused.err);
}

#[test]
fn the_group_of_a_running_sink_is_refused_by_its_address_too() {
    let folder = tempfile::tempdir().unwrap();
    let address = format!("127.0.0.1:{}", free_port());
    let blocks = format!(
        "hub: {{ embedded: {{ listen: \"{address}\" }} }}\nsources: {{ in: {{ topic: t, from: {{ http: {{ listen: \"127.0.0.1:{}\" }} }} }} }}\n\
         sinks: {{ out: {{ topics: [t], to: {{ file: {{ path: \"{}/out.log\" }} }} }} }}\n",
        free_port(),
        folder.path().display()
    );
    let _agent = Agent::start(folder.path(), &blocks);
    at(folder.path(), "produce t", &address, None).well();
    let refused = at(folder.path(), "consume t --group out", &address, None);
    assert_eq!(refused.code, 2, "{}", refused.err);
    assert!(refused.err.contains("group \"out\" is that of a sink"), "{}", refused.err);
    assert_eq!(at(folder.path(), "consume t --group other", &address, None).well(), "x\n");
}

#[test]
fn a_folder_in_use_names_the_process_that_has_it() {
    let folder = tempfile::tempdir().unwrap();
    let agent = Agent::start(folder.path(), "");
    let second = anabranch(folder.path(), &["run", agent.config().to_str().unwrap()], "");
    assert_eq!(second.code, 1, "{}", second.err);
    let named = second.err.split("is in use by process ").nth(1).unwrap_or_default();
    let id: u32 = named.split(' ').next().unwrap_or_default().parse().unwrap_or_default();
    assert!(Path::new(&format!("/proc/{id}/exe")).exists(), "{}", second.err);
    assert!(named.contains("(anabranch)"), "{}", second.err);
}
