//! What ran for which sink, printed at the end.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::Command;

use parking_lot::Mutex;

use super::scene::{LONG, Scene};
use super::sinks::{Answer, SINKS};
use crate::support::holds_within;

/// Every scenario, as the functions are named.
const SCENARIOS: [&str; 11] = [
    "once",
    "order",
    "dead_letter",
    "busy",
    "too_large",
    "down_and_back",
    "killed",
    "restarted",
    "wrong_credentials",
    "full_queue_at_the_stop",
    "topic_deleted",
];

/// How a scenario of a sink stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stands {
    Running,
    Passed,
    Failed,
    /// A server is missing.
    Skipped,
}

/// Sink, scenario, how it stands.
static PLAYED: Mutex<Vec<(&str, &str, Stands)>> = Mutex::new(Vec::new());

fn note(sink: &'static str, scenario: &'static str, stands: Stands) {
    // A thread that failed while it held the lock has left nothing half done.
    let mut played = PLAYED.lock();
    played.retain(|(one, other, _)| (*one, *other) != (sink, scenario));
    played.push((sink, scenario, stands));
}

fn stands(sink: &str, scenario: &str) -> Option<Stands> {
    let played = PLAYED.lock();
    let mut played = played.iter().filter(|(one, other, _)| (*one, *other) == (sink, scenario));
    played.next().map(|(_, _, stands)| *stands)
}

/// Notes how a scenario ended, also when it panicked.
struct Ends(&'static str, &'static str, Stands);

impl Drop for Ends {
    fn drop(&mut self) {
        note(self.0, self.1, self.2);
    }
}

/// Plays one scenario with one sink.
pub(super) fn play(sink: &'static str, scenario: &'static str, play: fn(Scene)) {
    let found = SINKS.iter().find(|one| one.name == sink).expect("a sink of the list");
    note(sink, scenario, Stands::Running);
    let mut ends = Ends(sink, scenario, Stands::Failed);
    ends.2 = match Scene::set(found) {
        None => Stands::Skipped,
        Some(scene) => {
            play(scene);
            Stands::Passed
        }
    };
}

/// Named so that it comes after the scenarios; those that still run are waited for.
#[test]
fn every_sink_has_an_answer_to_every_scenario() {
    for sink in SINKS {
        let names: Vec<&str> = sink.answers.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, SCENARIOS, "the answers of {}", sink.name);
        let without = sink.answers.iter().find(|(_, answer)| *answer == Answer::Lacks(""));
        assert_eq!(without, None, "{} lacks it without a reason", sink.name);
    }
    holds_within(LONG * 2, || {
        let played = PLAYED.lock();
        played.iter().all(|(_, _, stands)| *stands != Stands::Running)
    });
    // Past the test harness, which shows what a test prints only when it fails.
    std::io::stderr().write_all(table().as_bytes()).unwrap();
}

fn table() -> String {
    let mut table = format!("\n{:23}", "scenario");
    for sink in SINKS {
        write!(table, " | {}", sink.name).unwrap();
    }
    let mut reasons = String::new();
    for scenario in SCENARIOS {
        write!(table, "\n{scenario:23}").unwrap();
        for sink in SINKS {
            let lacks = sink.answers.iter().find_map(|(name, answer)| match answer {
                Answer::Lacks(why) if *name == scenario => Some(*why),
                Answer::Lacks(_) | Answer::Runs => None,
            });
            let cell = match (lacks, stands(sink.name, scenario)) {
                (Some(why), _) => {
                    writeln!(reasons, "- {} {scenario}: {why}", sink.name).unwrap();
                    "-"
                }
                (None, Some(Stands::Passed)) => "ok",
                (None, Some(Stands::Failed)) => "FAILED",
                (None, Some(Stands::Skipped)) => "skipped",
                (None, Some(Stands::Running)) => "running",
                (None, None) => "not run",
            };
            write!(table, " | {cell:width$}", width = sink.name.len().max(2)).unwrap();
        }
    }
    format!("{table}\n{reasons}")
}

/// The program itself says which sinks it has, to somebody who asks for one that there is not.
#[test]
fn every_sink_of_the_program_has_an_entry() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("anabranch.yaml");
    std::fs::write(&config, "sinks: { s: { topics: [t], to: { qqqq: {} } } }\n").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_anabranch"));
    let output = command.arg("check").arg(&config).output().unwrap();
    let words = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    let known = words.split("known: ").nth(1).and_then(|rest| rest.lines().next());
    let known: Vec<&str> = known.unwrap_or_default().split(", ").collect();
    assert!(known.contains(&"file"), "{words}");
    for connector in known {
        let has = SINKS.iter().any(|sink| sink.entry.connector == connector);
        assert!(has, "the sink {connector} has no entry in tests/it/conformance/sinks.rs");
    }
}
