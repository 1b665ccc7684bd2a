//! What an operator sees: lag whatever state a sink is in, every part from the beginning, metrics without waiting.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::support::{
    Agent, SOON, append_lines, assert_each_once_in_order, file_line_count, file_lines, free_port,
    get, wait_until,
};

const LONG: Duration = Duration::from_secs(90);

fn file_source(folder: &Path, more: &str) -> String {
    let logs = folder.join("logs");
    fs::create_dir_all(&logs).unwrap();
    let include = format!("{}/*.log", logs.display());
    format!("  app: {{ topic: app, from: {{ file: {{ include: [\"{include}\"]{more} }} }} }}\n")
}

#[test]
fn a_sink_that_has_never_delivered_is_behind_all_that_there_is() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let source = file_source(folder, "");
    append_lines(&folder.join("logs/one.log"), "one", 0..100);
    let blocks = format!(
        "sources:\n{}sinks:\n  dead: {{ topics: [app], to: {{ http: {{ url: \"http://127.0.0.1:{}/\" }} }} }}\n",
        source,
        free_port(),
    );
    let mut agent = Agent::start(folder, &blocks);
    let lag = |unit: &str| agent.sum(&format!("anabranch_group_lag_{unit}"), "group=\"dead\"");
    wait_until(SOON, "all lines as lag", || lag("records") == 100.0);
    assert!(lag("bytes") > 0.0);
    wait_until(SOON, "an age", || lag("seconds") > 0.0);
    let health = || get(&format!("http://{}/health", agent.admin)).unwrap().body;
    wait_until(SOON, "a failing sink", || {
        let health: serde_json::Value = serde_json::from_str(&health()).unwrap();
        health["sinks"]["dead"]["state"] == "failing" && health["sources"]["app"]["state"] == "ok"
    });
    let mut command = Command::new(env!("CARGO_BIN_EXE_anabranch"));
    command.args(["groups", "describe", "dead", "--config"]).arg(agent.config());
    let described = String::from_utf8(command.output().unwrap().stdout).unwrap();
    let row = described.lines().find(|line| line.starts_with("app")).unwrap_or_default();
    let words: Vec<&str> = row.split_whitespace().collect();
    assert_eq!(words, ["app", "0", "none", "100", "100"], "{described}");
    agent.stop();
}

#[test]
fn a_source_that_is_changed_while_its_file_grows_hands_nothing_on_twice() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let log = folder.join("logs/grows.log");
    fs::create_dir(folder.join("logs")).unwrap();
    append_lines(&log, "grows", 0..1);
    let out = folder.join("out.txt");
    let config = |round: usize| {
        let source = file_source(folder, &format!(", max_line_bytes: {}KiB", 64 + round));
        let to = format!("file: {{ path: \"{}\", codec: raw }}", out.display());
        format!("sources:\n{source}sinks:\n  out: {{ topics: [app], to: {{ {to} }} }}\n")
    };
    let mut agent = Agent::start(folder, &config(0));
    let done = AtomicBool::new(false);
    let written = std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut written = 1;
            while !done.load(Ordering::Relaxed) {
                append_lines(&log, "grows", written..written + 30);
                written += 30;
                std::thread::park_timeout(Duration::from_millis(10));
            }
            written
        });
        for round in 1..=30 {
            let before = agent.log().matches("the configuration was reloaded").count();
            agent.configure(&config(round));
            agent.reload();
            wait_until(LONG, "a reload", || {
                agent.log().matches("the configuration was reloaded").count() > before
            });
        }
        done.store(true, Ordering::Relaxed);
        writer.join().unwrap()
    });
    wait_until(LONG, "all lines", || file_line_count(&out) >= written);
    agent.wait_no_lag(&["out"], SOON);
    agent.stop();
    let texts = file_lines(&out);
    assert_eq!(texts.len(), written);
    assert_each_once_in_order(&texts, "grows", written);
}

#[test]
fn metrics_and_health_do_not_wait_for_a_kafka_that_is_away() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let blocks = format!(
        "hub: {{ kafka: {{ bootstrap_servers: [\"127.0.0.1:{}\"] }} }}\nsources:\n{}",
        free_port(),
        file_source(folder, ""),
    );
    let mut agent = Agent::start(folder, &blocks);
    // The test's own client gives up after five seconds; a look at the brokers takes ten.
    for _ in 0..3 {
        assert!(agent.metrics().contains_key("anabranch_build_info{version=\"0.1.0\"}"));
    }
    let id = fs::read_to_string(folder.join("data/agent-id")).unwrap();
    assert!(id.starts_with("anabranch-"), "{id}");
    agent.kill();
}

#[test]
fn a_configuration_that_is_watched_is_read_again_when_it_changes() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let sink = |name: &str| {
        format!(
            "  {name}: {{ topics: [app], to: {{ file: {{ path: \"{}/{name}\" }} }} }}\n",
            folder.display()
        )
    };
    let blocks = |sinks: &str| format!("sources:\n{}sinks:\n{sinks}", file_source(folder, ""));
    let mut agent = Agent::start_watching(folder, &blocks(&sink("first")));
    append_lines(&folder.join("logs/one.log"), "one", 0..10);
    agent.configure("sinks: nonsense");
    wait_until(SOON, "a refusal", || agent.log().contains("the new configuration is refused"));
    agent.configure(&blocks(&(sink("first") + &sink("second"))));
    wait_until(SOON, "a second sink", || file_line_count(&folder.join("second")) == 10);
    agent.stop();
}
