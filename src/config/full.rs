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
    assert_eq!(not_shown(&with_examples()), Vec::<String>::new());
    let without = FULL.replacen("    when_full: block\n", "", 1);
    assert_eq!(not_shown(&without), ["topic_defaults.retention.when_full"]);
}

#[test]
fn full_yaml_shows_every_setting_of_an_entry_of_a_list() {
    let with = with_examples();
    let HubConfig::Embedded(embedded) = load_str(&with, "full.yaml").unwrap().hub else {
        panic!("not embedded");
    };
    assert_eq!((embedded.listeners.len(), embedded.acls.len()), (1, 1));
    for (setting, path) in [
        ("          principal: subject\n", "hub.embedded.listeners[0].tls.principal"),
        ("          users_file: null\n", "hub.embedded.listeners[0].sasl.users_file"),
        ("        deny: false\n", "hub.embedded.acls[0].deny"),
    ] {
        assert_eq!(not_shown(&with.replacen(setting, "", 1)), [path]);
    }
}

/// The text with its examples of entries, which stand in comments above an empty list, in that list's place.
fn with_examples() -> String {
    let mut text = String::new();
    let mut example = String::new();
    for line in FULL.lines() {
        let shown = line.strip_prefix("    # ");
        match shown.filter(|shown| shown.starts_with("- ") || shown.starts_with("  ")) {
            Some(shown) => example.push_str(&format!("      {shown}\n")),
            None if !example.is_empty() && line.ends_with(": []") => {
                let list = line.strip_suffix(" []").unwrap();
                text.push_str(&format!("{list}\n{}", std::mem::take(&mut example)));
            }
            None => text.push_str(&format!("{line}\n")),
        }
    }
    text
}

#[test]
fn every_setting_in_full_yaml_has_a_line_of_comment() {
    let full = with_examples();
    let mut above = "";
    for (number, line) in full.lines().enumerate() {
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
    let (root, _) = tree::parse(text, 0).unwrap();
    let mut blocks = vec![Vec::new()];
    let mut missing = Vec::new();
    while let Some(path) = blocks.pop() {
        let node = at(&root, &path);
        if let Value::List(items) = &node.value {
            let entries = 0..items.len();
            blocks.extend(entries.map(|index| [path.as_slice(), &[Step::Index(index)]].concat()));
        }
        let Value::Map(entries) = &node.value else {
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
        block = match (step, &mut block.value) {
            (Step::Key(key), Value::Map(entries)) => {
                entries.iter_mut().find(|(name, _)| name == key).map(|(_, node)| node).unwrap()
            }
            (Step::Index(index), Value::List(items)) => &mut items[*index],
            _ => panic!("not there"),
        };
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
