//! Groups of running sinks that are moved on Kafka.

use super::anabranch;
use crate::support::{Agent, SOON, file_lines, server, wait_until};

#[test]
fn a_running_sink_goes_on_from_where_its_group_is_moved_to_on_kafka_too() {
    let Some(kafka) = server("ANABRANCH_KAFKA") else { return };
    let folder = tempfile::tempdir().unwrap();
    let name = format!("moved-{}", uuid::Uuid::new_v4().simple());
    let blocks = format!(
        "hub: {{ kafka: {{ bootstrap_servers: [\"{kafka}\"] }} }}\n\
         sinks: {{ {name}: {{ topics: [{name}-t], to: {{ file: {{ path: \"{}/out.txt\", codec: raw }} }} }} }}\n",
        folder.path().display()
    );
    let mut agent = Agent::start(folder.path(), &blocks);
    let run = |line: &str, input: &str| {
        let mut words: Vec<&str> = line.split_whitespace().collect();
        words.extend(["--config", "anabranch.yaml"]);
        anabranch(folder.path(), &words, input).well()
    };
    run(&format!("produce {name}-t"), "one\ntwo\nthree\n");
    let out = folder.path().join("out.txt");
    let lines = || if out.exists() { file_lines(&out) } else { Vec::new() };
    wait_until(SOON, "all records", || lines() == ["one", "two", "three"]);
    agent.wait_no_lag(&[&name], SOON);
    let moved = run(&format!("groups reset {name} --topic {name}-t --to offset 1 --yes"), "");
    assert!(moved.ends_with(&format!("group {name} moved\n")), "{moved}");
    wait_until(SOON, "the last two once more", || lines().len() >= 5);
    agent.wait_no_lag(&[&name], SOON);
    assert_eq!(lines(), ["one", "two", "three", "two", "three"]);
    agent.stop();
}
