//! Programs of others print the same against the hub as against a real broker; `tests/clients/README.md` lists them.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::{Agent, server};

/// Seconds for all programs of a group against one server.
const PATIENCE: &str = "900";

/// What the programs of `group` print against the server at `address`; `run` begins all their names.
fn said(group: &str, programs: &[&str], address: &str, run: &str) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/run");
    // One that hangs is stopped with all that it started.
    let mut command = Command::new("timeout");
    command
        .args(["-k", "10", PATIENCE])
        .arg(script)
        .args([group, address])
        .args(programs)
        .env("RUN", run)
        .stdin(Stdio::null());
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    eprintln!("{errors}");
    assert!(output.status.success(), "{group} against {address}:\n{text}\n{errors}");
    text
}

/// Fails at the first line that differs, and shows what comes before it.
#[track_caller]
fn assert_same(group: &str, hub: &str, kafka: &str) {
    if hub == kafka {
        return;
    }
    let alike = hub.lines().zip(kafka.lines()).take_while(|(ours, theirs)| ours == theirs).count();
    let part = |text: &str, from: usize, count: usize| {
        text.lines().skip(from).take(count).collect::<Vec<_>>().join("\n")
    };
    panic!(
        "{group}: line {} differs\n{}\n--- the hub\n{}\n--- Kafka\n{}",
        alike + 1,
        part(kafka, alike.saturating_sub(12), alike.min(12)),
        part(hub, alike, 6),
        part(kafka, alike, 6)
    );
}

/// Whether the programs are at hand, and the address of the real broker.
fn kafka() -> Option<String> {
    server("ANABRANCH_CLIENTS").and(server("ANABRANCH_KAFKA"))
}

/// A beginning for names that no other test has. Both servers get the same one: some tools sort by hashes of names.
fn unique() -> String {
    uuid::Uuid::new_v4().simple().to_string().chars().take(10).collect()
}

/// Runs `programs` of `group`, or all when none is named, against both servers at a time.
#[track_caller]
fn assert_same_on_both(group: &str, programs: &[&str]) {
    let Some(kafka) = kafka() else { return };
    let folder = tempfile::tempdir().unwrap();
    let (mut agent, address) = Agent::listening(folder.path(), 4);
    let run = unique();
    let (ours, theirs) = std::thread::scope(|scope| {
        let ours = scope.spawn(|| said(group, programs, &address, &run));
        let theirs = said(group, programs, &kafka, &run);
        (ours.join().expect("programs against the hub"), theirs)
    });
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
fn sarama_franz_go_and_kafka_go_see_no_difference() {
    assert_same_on_both("go", &[]);
}

/// Both versions in one test: one of the tools makes a topic whose name is always the same.
#[test]
fn the_tools_of_kafka_4_and_3_see_no_difference() {
    assert_same_on_both("java-4.3.1", &[]);
    assert_same_on_both(
        "java-3.9.2",
        &["topics", "configs", "groups", "records", "verifiable", "compatibility"],
    );
}

#[test]
fn connect_sees_no_difference() {
    assert_same_on_both("connect", &[]);
}

#[test]
fn spark_sees_no_difference() {
    assert_same_on_both("spark", &[]);
}

/// It wants a broker with the number 0 on port 9092: these fail for that reason against every other one.
#[test]
fn of_the_tests_of_rdkafka_only_those_fail_that_want_another_address() {
    if kafka().is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (mut agent, address) = Agent::listening(folder.path(), 3);
    let said = said("rdkafka", &[], &address, &unique());
    let (passed, failed): (Vec<&str>, Vec<&str>) =
        said.lines().skip(1).partition(|line| line.ends_with(" ... ok"));
    assert_eq!(
        failed,
        [
            "test_admin test_topics ... FAILED",
            "test_high_producers test_future_producer_send ... FAILED",
            "test_high_producers test_future_producer_send_fail ... FAILED",
            "test_metadata test_metadata ... FAILED",
        ]
    );
    assert!(passed.len() >= 40, "only {} tests passed", passed.len());
    agent.stop();
}
