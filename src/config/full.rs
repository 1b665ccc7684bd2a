//! What `config/full.yaml` and `config/kafka.yaml` promise: every setting, with its default.

use serde::Deserialize;

use super::tree::{self, Node, Step, Value, render};
use super::typed::Typed;
use super::{Config, HubConfig, KafkaConfig, load_str};

const FULL: &str = include_str!("../../config/full.yaml");
const KAFKA: &str = include_str!("../../config/kafka.yaml");

/// Only what has no default.
const REQUIRED: &str = r#"
topics: { app-logs: {} }
sources:
  files: { topic: app-logs, from: { file: { include: ["/var/log/app/*.log"] } } }
  network: { topic: syslog, from: { syslog: { listen: ["udp://0.0.0.0:514", "tcp://0.0.0.0:601"] } } }
  events: { topic: events, from: { http: { listen: "127.0.0.1:8687" } } }
  input: { topic: input, from: { stdin: {} } }
sinks:
  search: { topics: [app-logs], to: { elasticsearch: { endpoints: ["http://127.0.0.1:9200"] } } }
  archive: { topics: [app-logs, syslog], to: { file: { path: "./archive/{topic}/{date}.ndjson" } } }
  webhook: { topics: [events], to: { http: { url: "https://example.com/ingest" } } }
  terminal: { topics: [input], to: { stdout: {} } }
"#;

/// Blocks whose settings are shown in another block of the same kind.
const SHOWN_ELSEWHERE: [&str; 4] =
    ["topics.app-logs", "sinks.archive", "sinks.webhook", "sinks.terminal"];

#[test]
fn full_yaml_shows_the_defaults() {
    let full = load_str(FULL, "full.yaml").unwrap();
    let required = load_str(REQUIRED, "required").unwrap();
    assert_eq!(full, required);
}

#[test]
fn full_yaml_shows_every_setting() {
    assert_eq!(not_shown(FULL), Vec::<String>::new());
    let without = FULL.replacen("    when_full: block\n", "", 1);
    assert_eq!(not_shown(&without), ["topic_defaults.retention.when_full"]);
}

#[test]
fn every_setting_in_full_yaml_has_a_line_of_comment() {
    let mut above = "";
    for (number, line) in FULL.lines().enumerate() {
        let value =
            line.split_once(": ").is_some_and(|(name, _)| !name.trim_start().starts_with('#'));
        let explained = above.trim_start().starts_with('#');
        assert!(!value || explained, "line {}: {line}", number + 1);
        above = line;
    }
}

#[test]
fn kafka_yaml_shows_every_setting_of_that_hub_with_its_default() {
    let missing: Vec<_> =
        not_shown(KAFKA).into_iter().filter(|path| path.starts_with("hub.")).collect();
    assert_eq!(missing, Vec::<String>::new());
    let HubConfig::Kafka(mut kafka) = load_str(KAFKA, "kafka.yaml").unwrap().hub else {
        panic!("not Kafka");
    };
    kafka.options.clear();
    assert_eq!(kafka, KafkaConfig::new(kafka.bootstrap_servers.clone()));
}

/// Paths of settings that the text does not have in a block where they are known.
fn not_shown(text: &str) -> Vec<String> {
    let root = tree::parse(text, 0).unwrap();
    let mut blocks = vec![Vec::new()];
    let mut missing = Vec::new();
    while let Some(path) = blocks.pop() {
        let Value::Map(entries) = &at(&root, &path).value else {
            continue;
        };
        blocks.extend(
            entries.iter().map(|(key, _)| [path.as_slice(), &[Step::Key(key.clone())]].concat()),
        );
        let shown = |name: &str| entries.iter().any(|(key, _)| key == name);
        let absent = known(&root, &path).iter().filter(|name| !shown(name));
        if !SHOWN_ELSEWHERE.contains(&render(&path).as_str()) {
            missing.extend(
                absent.map(|name| {
                    render(&[path.as_slice(), &[Step::Key((*name).to_owned())]].concat())
                }),
            );
        }
    }
    missing
}

/// The names that are known in the block at `path`: a name that no block has brings them out.
fn known(root: &Node, path: &[Step]) -> &'static [&'static str] {
    let mut root = root.clone();
    let mut block = &mut root;
    for step in path {
        let (Step::Key(key), Value::Map(entries)) = (step, &mut block.value) else {
            panic!("not a block");
        };
        block = entries.iter_mut().find(|(name, _)| name == key).map(|(_, node)| node).unwrap();
    }
    let unknown = (String::from("no block has this"), block.clone());
    if let Value::Map(entries) = &mut block.value {
        entries.push(unknown);
    }
    match Config::deserialize(Typed(&root)) {
        Err(fault) if fault.path == path => fault.known,
        _ => &[],
    }
}

fn at<'a>(root: &'a Node, path: &[Step]) -> &'a Node {
    path.iter().fold(root, |node, step| node.step(step).unwrap())
}
