//! One agent with one sink before one far side: what a scenario is played in.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use super::far::Far;
use super::sinks::Sink;
use crate::support::{
    Agent, SOON, append_lines, assert_each_once, assert_each_once_in_order, get, numbers,
    wait_until,
};

/// For everything in a debug build on two busy cores.
pub(super) const LONG: Duration = Duration::from_secs(90);

/// What a sink is, for the scenarios.
pub(super) struct Entry {
    /// Its name in a configuration.
    pub(super) connector: &'static str,
    /// Makes a far side with its files in a folder; `None` when something is missing on this machine.
    pub(super) open: fn(&Path) -> Option<Box<dyn Far>>,
    /// Each record arrives exactly once, else at least once.
    pub(super) exact: bool,
    /// What arrives can be read in the order in which it came.
    pub(super) ordered: bool,
    /// Deliveries side by side.
    pub(super) concurrency: usize,
    /// So many lines keep it busy for a moment.
    pub(super) burst: usize,
}

/// The scene. Fields are dropped in their order: first who writes, then where to.
pub(super) struct Scene {
    agent: Option<Agent>,
    pub(super) far: Box<dyn Far>,
    pub(super) sink: &'static Sink,
    /// The password that the sink has.
    pub(super) password: Option<&'static str>,
    /// Most records of a window.
    pub(super) max_records: usize,
    folder: TempDir,
}

impl Scene {
    /// One whose agent does not run yet, or `None` without the far side.
    pub(super) fn set(sink: &'static Sink) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("logs")).unwrap();
        let far = (sink.entry.open)(folder.path())?;
        Some(Self { agent: None, far, sink, password: None, max_records: 50, folder })
    }

    fn blocks(&self) -> String {
        format!(
            "topics: {{ logs: {{ partitions: 2 }} }}\n\
             sources: {{ logs: {{ topic: logs, from: {{ file: {{ include: [\"{at}/logs/*.log\"] }} }} }} }}\n\
             sinks:\n  sink:\n    topics: [logs]\n    concurrency: {concurrency}\n    batch: {{ max_records: {max_records} }}\n    \
             retry: {{ backoff: 10ms, backoff_max: 200ms }}\n    to: {{ {to} }}\n",
            at = self.folder.path().display(),
            concurrency = self.sink.entry.concurrency,
            max_records = self.max_records,
            to = self.far.to(self.password),
        )
    }

    /// Starts the agent for the first time.
    pub(super) fn start(&mut self) {
        self.agent = Some(self.far.start(self.folder.path(), &self.blocks()));
    }

    pub(super) fn agent(&mut self) -> &mut Agent {
        self.agent.as_mut().expect("a scene that has begun")
    }

    /// Writes the configuration anew, for a reload or the next start.
    pub(super) fn configure(&mut self) {
        let blocks = self.blocks();
        self.agent().configure(&blocks);
    }

    fn log(&self, origin: &str) -> PathBuf {
        self.folder.path().join("logs").join(origin).with_extension("log")
    }

    /// Has the source read these lines.
    pub(super) fn append(&self, origin: &str, numbers: std::ops::Range<usize>) {
        append_lines(&self.log(origin), origin, numbers);
    }

    /// Has the source read this line.
    pub(super) fn append_line(&self, origin: &str, line: &str) {
        let mut file = std::fs::File::options();
        let mut file = file.create(true).append(true).open(self.log(origin)).unwrap();
        std::io::Write::write_all(&mut file, format!("{line}\n").as_bytes()).unwrap();
    }

    /// Waits until something has arrived beyond `count` texts.
    #[track_caller]
    pub(super) fn wait_beyond(&self, count: usize) {
        wait_until(LONG, "something to arrive", || self.far.count() > count);
    }

    /// Waits until so many different texts have arrived.
    #[track_caller]
    pub(super) fn wait_for(&self, count: usize) {
        wait_until(LONG, &format!("{count} lines to arrive"), || {
            // Only where there are repeats it is worth to look at each.
            let enough = self.far.count() >= count;
            enough && (self.sink.entry.exact || distinct(self.far.arrived()).len() >= count)
        });
    }

    /// Waits until all lines of `origin` below `count` have arrived.
    #[track_caller]
    pub(super) fn wait_for_all_of(&self, origin: &str, count: usize) {
        let mut seen = 0;
        wait_until(LONG, &format!("{count} lines of {origin} to arrive"), || {
            // All of it is read only when there is something new.
            let before = std::mem::replace(&mut seen, self.far.count());
            let texts = if seen == before { Vec::new() } else { self.far.arrived() };
            numbers(&texts, origin).into_iter().collect::<HashSet<_>>().len() >= count
        });
    }

    /// Waits until the hub has so many records.
    #[track_caller]
    pub(super) fn wait_stored(&mut self, count: usize) {
        let agent = self.agent();
        let count = f64::from(u32::try_from(count).unwrap());
        wait_until(LONG, "all records in the hub", || {
            agent.sum("anabranch_partition_end_offset", "topic=\"logs\"") >= count
        });
    }

    /// What `/health` says of the sink.
    pub(super) fn health(&mut self) -> Value {
        let health = get(&format!("http://{}/health", self.agent().admin)).unwrap().body;
        serde_json::from_str::<Value>(&health).unwrap()["sinks"]["sink"].clone()
    }

    /// Waits until `/health` says that the sink fails, in these words, and it has tried several times since.
    #[track_caller]
    pub(super) fn wait_failing(&mut self, words: &str) {
        wait_until(SOON, &format!("the sink to be failing: {words}"), || {
            let health = self.health();
            health["state"] == "failing" && health.to_string().contains(words)
        });
        let tries = self.tries();
        wait_until(SOON, "further tries", || self.tries() >= tries + 3.0);
    }

    /// Has the source read more lines from `a`, the first of them of number `count`, until `/health` says that the sink
    /// fails; gives the number behind the last.
    #[track_caller]
    pub(super) fn append_until_failing(&mut self, mut count: usize) -> usize {
        wait_until(SOON, "the sink to be failing", || {
            self.append("a", count..count + 20);
            count += 20;
            self.health()["state"] == "failing"
        });
        self.wait_failing("");
        count
    }

    /// Writes that have failed, wholly or in part, in this life.
    fn tries(&mut self) -> f64 {
        let names = ["errors_total", "again_records_total", "held_total"];
        let agent = self.agent();
        names.iter().map(|name| agent.sum(&format!("anabranch_sink_{name}"), "\"sink\"")).sum()
    }

    /// Runs a command of the program, which has to do well, and gives what it printed.
    #[track_caller]
    pub(super) fn run(&self, words: &[&str]) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_anabranch"));
        command.args(words).current_dir(self.folder.path()).env_remove("RUST_LOG");
        let output = command.output().unwrap();
        let (out, error) = (output.stdout, output.stderr);
        let error = String::from_utf8_lossy(&error);
        assert!(output.status.success(), "{words:?}: {error}{}", String::from_utf8_lossy(&out));
        String::from_utf8_lossy(&out).into_owned()
    }

    /// Waits until everything is where it belongs and stops the agent: of each origin so many lines have arrived, or lie
    /// with the dead letters, as those from `a` of these numbers do for this reason.
    #[track_caller]
    pub(super) fn end(mut self, origins: &[(&str, usize)], (dead, reason): (&[usize], &str)) {
        let total: usize = origins.iter().map(|(_, count)| *count).sum();
        self.wait_for(total - dead.len());
        self.agent().wait_no_lag(&["sink"], LONG);
        wait_until(SOON, "the sink to be well", || self.health()["state"] == "ok");
        self.agent().stop();

        let letters = if dead.is_empty() { Vec::new() } else { self.dead_letters() };
        assert_eq!(numbers(&letters, "a"), dead);
        for letter in &letters {
            assert!(letter.contains(reason), "no {reason} in {letter:.2000}");
        }
        self.assert_arrived(origins, &letters);
        self.assert_balanced(dead.len());
    }

    /// Expects each line of these origins once, or at least once where the sink promises no more; in its place at the far
    /// side, but where it may have been given back, or among `letters`.
    #[track_caller]
    fn assert_arrived(&self, origins: &[(&str, usize)], letters: &[String]) {
        let Entry { exact, ordered, .. } = self.sink.entry;
        let mut texts = self.far.arrived();
        let count = texts.len();
        texts = distinct(texts);
        assert!(!exact || texts.len() == count, "{} have arrived twice", count - texts.len());
        texts.extend_from_slice(letters);
        for (origin, count) in origins {
            if ordered && letters.is_empty() {
                assert_each_once_in_order(&texts, origin, *count);
            } else {
                assert_each_once(&texts, origin, *count);
            }
        }
    }

    /// Expects that the ledger has every record, also counted anew from the log, and so many as dead and none as lost.
    #[track_caller]
    fn assert_balanced(&self, dead: usize) {
        let ledger = self.run(&["ledger", "anabranch.yaml", "--verify", "--json"]);
        let ledger: Value = serde_json::from_str(&ledger).unwrap();
        assert_eq!(ledger["verified"]["faults"], serde_json::json!([]), "{ledger:#}");
        let mut rows = ledger["sinks"].as_array().unwrap().iter();
        let row = rows.find(|row| row["name"] == "sink").unwrap();
        let sum = |term: &str| -> u64 {
            let reasons = row[term].as_object().into_iter().flatten();
            reasons.filter_map(|(_, shown)| shown["records"].as_u64()).sum()
        };
        assert_eq!((sum("dead"), sum("lost")), (dead as u64, 0), "{row:#}");
    }

    /// Each dead letter with its headers.
    fn dead_letters(&self) -> Vec<String> {
        let config = ["--config", "anabranch.yaml", "--format", "%v %h\\n"];
        let shown = self.run(&[&["dlq", "show", "sink"][..], &config].concat());
        shown.lines().map(str::to_owned).collect()
    }
}

/// Each text once, where it came first.
pub(super) fn distinct(texts: Vec<String>) -> Vec<String> {
    let mut seen = HashSet::new();
    texts.into_iter().filter(|text| seen.insert(text.clone())).collect()
}
