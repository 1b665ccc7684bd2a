//! Dead letters that are given again: each once, to those who are meant, whoever is killed meanwhile.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::{Ran, anabranch};
use crate::support::{
    Agent, Broker, Receiver, append_lines, assert_each_once, file_line_count, file_lines,
    holds_within, lines, server, wait_until,
};

/// Lines that die.
const DIE: usize = 100;
/// Dead letters; several steps of a replay.
const COUNT: usize = 1800;
/// In a debug build on two busy cores.
const LONG: Duration = Duration::from_secs(120);

fn run(folder: &Path, line: &str) -> Ran {
    let mut words: Vec<&str> = line.split_whitespace().collect();
    words.extend(["--config", "anabranch.yaml"]);
    anabranch(folder, &words, "")
}

fn begin(folder: &Path, line: &str) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_anabranch"));
    command.args(line.split_whitespace()).args(["--config", "anabranch.yaml"]);
    command.current_dir(folder).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap()
}

/// A sink whose far side refuses everything, one that gets the same, and one that gets nothing.
fn blocks(folder: &Path, hub: &str, receiver: &Receiver) -> String {
    let at = folder.display();
    format!(
        "{hub}sources: {{ logs: {{ topic: logs, from: {{ file: {{ include: [\"{at}/logs/*.log\"] }} }} }} }}\n\
         sinks:\n  \
           web: {{ topics: [logs], retry: {{ dead_in_a_row: 0 }}, to: {{ http: {{ url: \"{url}\", format: ndjson }} }} }}\n  \
           all: {{ topics: [\"^l.*\"], to: {{ file: {{ path: \"{at}/all.txt\", codec: raw }} }} }}\n  \
           spare: {{ topics: [nothing], start: latest, to: {{ file: {{ path: \"{at}/spare-{{topic}}.txt\", codec: raw }} }} }}\n",
        url = receiver.url("/in"),
    )
}

fn dead_letters_are_given_again_once(folder: &Path, hub: &str) {
    let receiver = Receiver::start();
    receiver.answer(400);
    std::fs::create_dir(folder.join("logs")).unwrap();
    append_lines(&folder.join("logs/a.log"), "a", 0..DIE);
    let mut agent = Agent::start(folder, &blocks(folder, hub, &receiver));
    wait_until(LONG, "all lines among the dead letters", || {
        agent.metrics()["anabranch_sink_dead_records_total{sink=\"web\"}"] == 100.0
    });
    // More of them, as the delivery stores them.
    let more = "produce web.dlq --header __connect.errors.topic=logs --header anabranch.dlq.attempts=1 \
                --header __connect.errors.exception.message=HTTP_400 --config anabranch.yaml";
    let more: Vec<&str> = more.split_whitespace().collect();
    anabranch(folder, &more, lines("a", DIE..COUNT)).well();
    let list = || run(folder, "dlq list").well();
    assert_eq!(
        list().lines().last().unwrap().split_whitespace().collect::<Vec<_>>(),
        ["web", "1800", "1800"]
    );
    let wrong = run(folder, "dlq replay web --to spar");
    assert_eq!(wrong.code, 2, "{}", wrong.err);
    assert!(wrong.err.contains("no sink \"spar\"; there are: all, spare, web"), "{}", wrong.err);

    let spare = folder.join("spare-logs.txt");
    let mut kills = 0;
    loop {
        let before = file_line_count(&spare);
        let mut replay = begin(folder, "dlq replay web --to spare");
        let mut ended = None;
        holds_within(LONG, || {
            ended = replay.try_wait().unwrap();
            ended.is_some() || file_line_count(&spare) > before
        });
        if ended.is_some_and(|status| status.success()) {
            break;
        }
        replay.kill().unwrap();
        replay.wait().unwrap();
        kills += 1;
        if kills == 1 {
            agent.kill();
            agent.start_again();
        }
        assert!(kills < 100, "the replay does not come to an end");
    }
    wait_until(LONG, "all lines given to the other sink", || file_line_count(&spare) >= COUNT);
    agent.wait_no_lag(&["spare", "all"], LONG);
    assert_each_once(&file_lines(&spare), "a", COUNT);
    assert_eq!(file_line_count(&folder.join("all.txt")), DIE, "a sink that was not meant");
    let none = run(folder, "dlq replay web --to spare").well();
    assert_eq!(none, "web has no dead letters that were not replayed yet\n");

    // Set back, they are given to the sink that had refused them.
    run(folder, "groups reset web.dlq-replay --topic web.dlq --to earliest --yes").well();
    receiver.answer(200);
    run(folder, "dlq replay web --to web --reason 400").well();
    let taken = || -> Vec<String> {
        let bodies = receiver.taken().into_iter().map(|taken| taken.text());
        bodies.flat_map(|body| body.lines().map(message).collect::<Vec<_>>()).collect()
    };
    wait_until(LONG, "all lines taken by the far side", || taken().len() >= COUNT);
    agent.wait_no_lag(&["web", "all"], LONG);
    assert_each_once(&taken(), "a", COUNT);
    assert_eq!(file_line_count(&folder.join("all.txt")), DIE, "a sink that was not meant");
    assert_eq!(
        list().lines().last().unwrap().split_whitespace().collect::<Vec<_>>(),
        ["web", "1800", "0"]
    );
    agent.stop();
}

fn message(line: &str) -> String {
    let document: serde_json::Value = serde_json::from_str(line).unwrap();
    assert_eq!(document["event"]["dataset"], "logs", "the topic that it came from");
    document["message"].as_str().unwrap().to_owned()
}

#[test]
fn dead_letters_are_given_again_once_on_the_embedded_hub_whoever_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    dead_letters_are_given_again_once(folder.path(), "");
}

#[test]
fn dead_letters_are_given_again_once_on_kafka_whoever_is_killed() {
    if server("ANABRANCH_KAFKA").is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(folder.path());
    let hub = format!("hub: {{ kafka: {{ bootstrap_servers: [\"{}\"] }} }}\n", broker.address());
    dead_letters_are_given_again_once(folder.path(), &hub);
}
