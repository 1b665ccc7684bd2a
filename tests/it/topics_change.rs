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
        run(&self.agent, words, input);
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

    fn file(&self) -> Vec<String> {
        let path = self.folder.path().join("out.txt");
        if path.exists() { file_lines(&path) } else { Vec::new() }
    }

    #[track_caller]
    fn has_all(&self) {
        wait_until(SOON, &format!("{} lines", self.lines.len()), || self.file() == self.lines);
    }
}

/// Runs a command of the program and expects it to do well.
fn run(agent: &Agent, words: &[&str], input: &str) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_anabranch"));
    command.args(words).arg("--config").arg(agent.config());
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), input.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success(), "{words:?}");
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

#[test]
fn after_a_deletion_what_is_written_is_known_before_it_is_committed() {
    let mut scene = Scene::new("", &["t"]);
    for round in 0..4 {
        scene.deliver("t", 100);
        scene.run(&["topics", "delete", &scene.name("t"), "--yes"], "");
        let first = scene.lines.len();
        let new: Vec<String> = (first..first + 50).map(|at| format!("t {at}")).collect();
        scene.run(&["produce", &scene.name("t")], &(new.join("\n") + "\n"));
        scene.lines.extend(new);
        scene.has_all();
        scene.agent.kill();
        scene.agent.start_again();
        scene.agent.wait_no_lag(&[&scene.name("out")], SOON);
        assert_eq!(scene.file().len(), scene.lines.len(), "round {round}");
        scene.has_all();
    }
    scene.agent.stop();
}

/// Deliveries of one sink side by side, more and fewer of them, ended in one way or another.
#[test]
fn partitions_that_move_between_deliveries_take_their_files_with_them() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let blocks = |concurrency: u32| {
        format!(
            "topics: {{ t: {{ partitions: 4 }} }}\nsinks:\n  out:\n    topics: [t]\n    concurrency: {concurrency}\n    \
             to: {{ file: {{ path: \"{}/out/{{topic}}-{{partition}}.txt\", codec: raw }} }}\n",
            at.display()
        )
    };
    let mut agent = Agent::start(at, &blocks(1));
    let mut lines: Vec<String> = Vec::new();
    let steps = [
        (2, "reload"),
        (1, "reload"),
        (2, "kill"),
        (4, "stop"),
        (1, "kill"),
        (4, "kill"),
        (2, "reload"),
    ];
    for (concurrency, how) in [(1, "begin")].into_iter().chain(steps) {
        agent.configure(&blocks(concurrency));
        match how {
            "reload" => agent.reload(),
            "stop" => agent.stop(),
            "kill" => agent.kill(),
            _ => {}
        }
        if how == "stop" || how == "kill" {
            agent.start_again();
        }
        for partition in ["0", "1", "2", "3"] {
            let new: Vec<String> =
                (lines.len()..lines.len() + 50).map(|at| at.to_string()).collect();
            let words = ["produce", "t", "--partition", partition];
            run(&agent, &words, &(new.join("\n") + "\n"));
            lines.extend(new);
        }
        let written = || {
            let mut all = Vec::new();
            for entry in fs::read_dir(at.join("out")).into_iter().flatten().flatten() {
                all.extend(file_lines(&entry.path()));
            }
            all.sort_by_key(|line| line.parse::<usize>().unwrap_or(usize::MAX));
            all
        };
        wait_until(SOON, &format!("{} lines after {how} to {concurrency}", lines.len()), || {
            written() == lines
        });
    }
    agent.stop();
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
