//! Programs of others print the same against the hub as against a real broker; `tests/clients/README.md` lists them.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::{Agent, free_port, server};

/// An agent that does nothing but listen, and its address.
fn hub(folder: &Path) -> (Agent, String) {
    let address = format!("127.0.0.1:{}", free_port());
    let blocks = format!(
        "hub: {{ embedded: {{ listen: \"{address}\" }} }}\ntopic_defaults: {{ partitions: 4 }}\n"
    );
    (Agent::start(folder, &blocks), address)
}

/// What the programs of `group` print against the server at `address`; `run` begins all their names.
fn said(group: &str, programs: &[&str], address: &str, run: &str) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/run");
    let output = Command::new(script)
        .args([group, address])
        .args(programs)
        .env("RUN", run)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    eprintln!("{errors}");
    assert!(output.status.success(), "{group} against {address}:\n{text}\n{errors}");
    text
}

/// Fails at the first line that differs, with what comes before it.
#[track_caller]
fn assert_same(group: &str, hub: &str, kafka: &str) {
    let differs = hub.lines().zip(kafka.lines()).position(|(ours, theirs)| ours != theirs);
    let all_alike = hub.lines().count() == kafka.lines().count();
    if differs.is_none() && all_alike {
        return;
    }
    let at = differs.unwrap_or(hub.lines().count().min(kafka.lines().count()));
    let before: Vec<&str> = kafka.lines().take(at).collect();
    let before = before[before.len().saturating_sub(12)..].join("\n");
    let rest = |text: &str| text.lines().skip(at).take(6).collect::<Vec<_>>().join("\n");
    panic!(
        "{group}: line {} differs\n{before}\n--- the hub\n{}\n--- Kafka\n{}",
        at + 1,
        rest(hub),
        rest(kafka)
    );
}

/// Runs `programs` of `group` (all, when none is named) against both, one after the other.
#[track_caller]
fn assert_same_on_both(group: &str, programs: &[&str]) {
    let (Some(_there), Some(kafka)) = (server("ANABRANCH_CLIENTS"), server("ANABRANCH_KAFKA")) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let (mut agent, address) = hub(folder.path());
    let run = uuid::Uuid::new_v4().simple().to_string();
    let run = &run[..10];
    let ours = said(group, programs, &address, run);
    let theirs = said(group, programs, &kafka, run);
    assert_same(group, &ours, &theirs);
    agent.stop();
}

#[test]
fn kafka_python_3_sees_no_difference() {
    assert_same_on_both("python-3", &[]);
}

#[test]
fn kafka_python_2_3_sees_no_difference() {
    assert_same_on_both("python-2.3", &[]);
}

#[test]
fn librdkafka_and_aiokafka_see_no_difference() {
    assert_same_on_both("librdkafka", &[]);
    assert_same_on_both("aiokafka", &[]);
}

#[test]
fn kcat_sees_no_difference() {
    assert_same_on_both("kcat", &[]);
}

#[test]
fn sarama_and_franz_go_see_no_difference() {
    assert_same_on_both("go", &[]);
}

/// Both versions in one test: one of the tools makes a topic whose name is always the same.
#[test]
fn the_tools_of_kafka_4_and_3_see_no_difference() {
    assert_same_on_both("java-4.3.1", &[]);
    assert_same_on_both("java-3.9.2", &[]);
}

#[test]
fn connect_sees_no_difference() {
    assert_same_on_both("connect", &[]);
}

#[test]
fn spark_sees_no_difference() {
    assert_same_on_both("spark", &[]);
}
