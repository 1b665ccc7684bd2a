//! Sinks that an operator pauses, and sinks that have a fallback.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use super::support::{
    Agent, Receiver, SOON, append_lines, assert_each_once, assert_each_once_in_order,
    file_line_count, file_lines, get, wait_until,
};

const LONG: Duration = Duration::from_secs(90);

fn source(folder: &Path) -> String {
    fs::create_dir_all(folder.join("logs")).unwrap();
    let include = format!("{}/logs/*.log", folder.display());
    format!(
        "sources: {{ logs: {{ topic: logs, from: {{ file: {{ include: [\"{include}\"] }} }} }} }}\n"
    )
}

fn file_sink(folder: &Path, name: &str) -> String {
    let path = format!("{}/{name}.txt", folder.display());
    format!("  {name}: {{ topics: [logs], to: {{ file: {{ path: \"{path}\", codec: raw }} }} }}\n")
}

fn order(agent: &Agent, words: &[&str]) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_anabranch"));
    let done = command.arg("sinks").args(words).arg("--config").arg(agent.config()).output();
    let done = done.unwrap();
    let text = [done.stdout, done.stderr].concat();
    (done.status.success(), String::from_utf8(text).unwrap())
}

#[test]
fn a_sink_that_is_paused_rests_over_restarts_and_goes_on_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let sinks = [file_sink(folder, "rests"), file_sink(folder, "works")].concat();
    let mut agent = Agent::start(folder, &format!("{}sinks:\n{sinks}", source(folder)));
    let (log, rests, works) =
        (folder.join("logs/a.log"), folder.join("rests.txt"), folder.join("works.txt"));
    append_lines(&log, "a", 0..1000);
    wait_until(SOON, "the first lines", || file_line_count(&rests) >= 1000);

    let (done, text) = order(&agent, &["pause", "rests"]);
    assert!(done && text.contains("is paused"), "{text}");
    let (done, text) = order(&agent, &["pause", "nobody"]);
    assert!(
        !done && text.contains("there is no sink \"nobody\"; there are: rests, works"),
        "{text}"
    );
    append_lines(&log, "a", 1000..2000);
    wait_until(SOON, "the lines of the other", || file_line_count(&works) >= 2000);
    let health: Value =
        serde_json::from_str(&get(&format!("http://{}/health", agent.admin)).unwrap().body)
            .unwrap();
    assert_eq!(
        (&health["sinks"]["rests"]["state"], &health["status"]),
        (&"paused".into(), &"ok".into())
    );
    assert_eq!(agent.metrics()["anabranch_sink_paused{sink=\"rests\"}"], 1.0);

    agent.kill();
    agent.start_again();
    append_lines(&log, "a", 2000..3000);
    wait_until(SOON, "the lines of the other", || file_line_count(&works) >= 3000);
    assert_eq!(file_line_count(&rests), 1000, "a sink that is paused has written");
    let (_, text) = order(&agent, &["list"]);
    for (sink, state) in [("rests", "paused"), ("works", "ok")] {
        let mut lines = text.lines().filter(|line| line.starts_with(sink));
        assert!(lines.next().is_some_and(|line| line.ends_with(state)), "{text}");
    }

    let (done, text) = order(&agent, &["resume", "rests"]);
    assert!(done, "{text}");
    wait_until(SOON, "all lines", || file_line_count(&rests) >= 3000);
    agent.wait_no_lag(&["rests", "works"], SOON);
    agent.stop();
    for path in [rests, works] {
        assert_each_once_in_order(&file_lines(&path), "a", 3000);
    }
}

#[test]
fn what_a_sink_cannot_deliver_for_a_while_is_at_its_fallback_once() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut receiver = Receiver::start();
    let blocks = format!(
        "{}sinks:\n  web:\n    topics: [logs]\n    batch: {{ max_records: 100 }}\n    \
         retry: {{ backoff: 10ms, backoff_max: 200ms }}\n    fallback: {{ sink: other, after: 300ms }}\n    \
         to: {{ http: {{ url: \"{}\", format: lines }} }}\n  \
         other: {{ topics: [nothing], to: {{ file: {{ path: \"{}/other.txt\", codec: raw }} }} }}\n",
        source(folder),
        receiver.url("/"),
        folder.display(),
    );
    let mut agent = Agent::start(folder, &blocks);
    let (log, other) = (folder.join("logs/a.log"), folder.join("other.txt"));
    append_lines(&log, "a", 0..500);
    receiver.wait_for_lines(500, LONG);
    agent.wait_no_lag(&["web"], LONG);
    receiver.go_away();
    append_lines(&log, "a", 500..1500);
    wait_until(LONG, "the lines at the fallback", || file_line_count(&other) >= 1000);
    agent.kill();
    receiver.come_back();
    agent.start_again();
    append_lines(&log, "a", 1500..2000);
    wait_until(LONG, "the last lines", || receiver.lines().len() + file_line_count(&other) >= 2000);
    agent.wait_no_lag(&["web", "other"], LONG);
    agent.stop();
    assert_each_once(&[receiver.lines(), file_lines(&other)].concat(), "a", 2000);
}
