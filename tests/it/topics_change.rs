//! A sink with a state whose topics go: they are deleted, or taken out of its configuration. What it has written stays.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use super::support::{Agent, SOON, file_lines, server, wait_until};

/// How the topic `t` goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Deleted,
    Reload,
    Restart,
}

/// A file sink that reads topics of a hub.
struct Scene {
    folder: tempfile::TempDir,
    agent: Agent,
    hub: String,
    prefix: String,
    lines: Vec<String>,
}

impl Scene {
    fn new(hub: &str, topics: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let id = uuid::Uuid::new_v4().simple().to_string();
        let prefix = id.get(..8).unwrap().to_owned();
        let blocks = blocks(folder.path(), hub, &prefix, topics);
        fs::write(folder.path().join("hub.yaml"), hub).unwrap();
        for topic in topics.iter().filter(|_| !hub.is_empty()) {
            let topic = format!("{prefix}-{topic}");
            let words = ["topics", "create", &topic, "--partitions", "1", "--config", "hub.yaml"];
            let mut command = Command::new(env!("CARGO_BIN_EXE_anabranch"));
            let made = command.args(words).current_dir(folder.path()).output().unwrap();
            assert!(made.status.success(), "{made:?}");
        }
        let agent = Agent::start(folder.path(), &blocks);
        Self { folder, agent, hub: hub.to_owned(), prefix, lines: Vec::new() }
    }

    fn configure(&self, topics: &[&str]) {
        self.agent.configure(&blocks(self.folder.path(), &self.hub, &self.prefix, topics));
    }

    fn restart(&mut self) {
        self.agent.stop();
        self.agent.start_again();
    }

    /// Runs a command on the topic and expects it to do well.
    fn run(&self, words: &[&str], input: &str) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_anabranch"));
        command.args(words).arg("--config").arg(self.agent.config());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), input.as_bytes()).unwrap();
        assert!(child.wait().unwrap().success(), "{words:?}");
    }

    fn name(&self, topic: &str) -> String {
        format!("{}-{topic}", self.prefix)
    }

    /// Has `count` more lines delivered from a topic, and their offsets committed.
    fn deliver(&mut self, topic: &str, count: usize) {
        let first = self.lines.len();
        let new: Vec<String> = (first..first + count).map(|at| format!("{topic} {at}")).collect();
        self.run(&["produce", &self.name(topic)], &(new.join("\n") + "\n"));
        self.lines.extend(new);
        self.has_all();
        self.agent.wait_no_lag(&[&self.name("out")], SOON);
    }

    #[track_caller]
    fn has_all(&self) {
        let path = self.folder.path().join("out.txt");
        wait_until(SOON, &format!("{} lines", self.lines.len()), || {
            path.exists() && file_lines(&path) == self.lines
        });
    }
}

fn blocks(folder: &Path, hub: &str, prefix: &str, topics: &[&str]) -> String {
    let topics: Vec<String> = topics.iter().map(|topic| format!("{prefix}-{topic}")).collect();
    format!(
        "{hub}sinks:\n  {prefix}-out:\n    topics: [{}]\n    to: {{ file: {{ path: \"{}/out.txt\", codec: raw }} }}\n",
        topics.join(", "),
        folder.display()
    )
}

fn what_was_written_stays(hub: &str) {
    for way in [Way::Deleted, Way::Reload, Way::Restart] {
        let mut scene = Scene::new(hub, &["t", "u"]);
        scene.deliver("u", 10);
        // From now on nothing comes from `u`: the state that was committed for it gets old.
        scene.restart();
        scene.deliver("t", 100);
        match way {
            Way::Deleted => scene.run(&["topics", "delete", &scene.name("t"), "--yes"], ""),
            Way::Reload => {
                scene.configure(&["u"]);
                scene.agent.reload();
            }
            Way::Restart => {
                scene.configure(&["u"]);
                scene.restart();
            }
        }
        scene.deliver("u", 10);
        if hub.is_empty() {
            scene.agent.kill();
            scene.agent.start_again();
        } else {
            // Kafka waits long for a member that was killed.
            scene.restart();
        }
        scene.deliver("u", 10);
        scene.agent.stop();
    }
}

#[test]
fn what_a_sink_wrote_stays_when_a_topic_of_it_goes() {
    what_was_written_stays("");
}

#[test]
fn what_a_sink_wrote_stays_when_a_topic_of_it_goes_from_kafka() {
    let Some(server) = server("ANABRANCH_KAFKA") else { return };
    what_was_written_stays(&format!("hub: {{ kafka: {{ bootstrap_servers: [\"{server}\"] }} }}\n"));
}

fn what_was_written_stays_when_topics_are_exchanged(hub: &str) {
    let mut scene = Scene::new(hub, &["u", "t"]);
    scene.configure(&["u"]);
    scene.restart();
    scene.deliver("u", 10);
    for topic in ["t", "u", "t"] {
        scene.configure(&[topic]);
        scene.restart();
        scene.has_all();
        scene.deliver(topic, 10);
    }
    scene.agent.stop();
}

#[test]
fn what_a_sink_wrote_stays_when_its_topics_are_exchanged_and_back_again() {
    what_was_written_stays_when_topics_are_exchanged("");
}

#[test]
fn what_a_sink_wrote_stays_when_its_topics_of_kafka_are_exchanged_and_back_again() {
    let Some(server) = server("ANABRANCH_KAFKA") else { return };
    let hub = format!("hub: {{ kafka: {{ bootstrap_servers: [\"{server}\"] }} }}\n");
    what_was_written_stays_when_topics_are_exchanged(&hub);
}
