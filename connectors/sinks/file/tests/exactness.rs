//! Each record is in the files exactly once, whatever happens between: the sink against a model.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use anabranch_record::testing::store;
use anabranch_record::{Batch, Buffer, Headers, Records, StoredBatch};
use proptest::prelude::*;
use serde_json::json;

use crate::contract::build::Surroundings;
use crate::contract::sink::{Placed, Resumed};
use crate::sinks::file::config::SinkConfig;
use crate::sinks::file::sink::FileSink;
use crate::{Sink, WriteError};

pub(super) fn config(folder: &Path, extra: &serde_json::Value) -> SinkConfig {
    let path = folder.join("{topic}/{header.host}.log");
    let mut all = json!({ "path": path, "codec": "raw", "sync": false });
    for (name, value) in extra.as_object().unwrap() {
        all[name] = value.clone();
    }
    serde_json::from_value(all).unwrap()
}

pub(super) fn sink(config: &SinkConfig) -> FileSink {
    FileSink::new(config.clone(), &Surroundings::default()).unwrap()
}

/// A batch of one record for each (host, number).
fn batch(lines: &[(u8, u32)]) -> Arc<StoredBatch> {
    let mut batch = Batch::new(Buffer::default(), Headers::new(), 1000, 0);
    for (host, number) in lines {
        batch.push_copy(format!("{number:06} {}", "x".repeat(*number as usize % 90)).as_bytes());
        batch.set_header("host", format!("h{host}").as_bytes());
    }
    store(&batch)
}

pub(super) fn records(lines: &[(u8, u32)]) -> Records {
    let mut records = Records::default();
    records.push(batch(lines));
    records
}

/// A delivery as the loop does it, which can be killed; `committed` is all that outlives it.
pub(super) struct Delivery {
    config: SinkConfig,
    pub(super) sink: FileSink,
    pub(super) sent: Vec<(u8, u32)>,
    written: usize,
    committed: (usize, Option<String>),
    /// How many of the next commits fail.
    refuses: usize,
}

impl Delivery {
    pub(super) fn new(config: SinkConfig) -> Self {
        let sink = sink(&config);
        Self { config, sink, sent: Vec::new(), written: 0, committed: (0, None), refuses: 0 }
    }

    pub(super) async fn commit(&mut self) {
        let state = self.sink.checkpoint().await.unwrap();
        if self.refuses > 0 {
            self.refuses -= 1;
            return;
        }
        self.committed = (self.written, state);
        self.sink.committed();
    }

    /// Writes what has not been written, at most `most` records.
    pub(super) async fn write(&mut self, most: usize) -> Result<(), WriteError> {
        let end = self.sent.len().min(self.written.saturating_add(most));
        let records = records(&self.sent[self.written..end]);
        while self.sink.prepare(&records).await? {
            self.commit().await;
        }
        self.sink.write(&records).await?;
        self.written = end;
        Ok(())
    }

    pub(super) async fn kill(&mut self) {
        self.sink = sink(&self.config);
        self.written = self.committed.0;
        if let Some(state) = &self.committed.1 {
            self.sink.resume(&alone(state)).await.unwrap();
        }
    }

    pub(super) async fn finish(&mut self) {
        while self.written < self.sent.len() {
            self.write(7).await.unwrap();
        }
        self.commit().await;
    }
}

/// What the files of each host hold, one behind the other in the order of their names.
pub(super) fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut names: Vec<String> = folder
        .join("t")
        .read_dir()
        .into_iter()
        .flatten()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let mut contents: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for name in names {
        let data = std::fs::read(folder.join("t").join(&name)).unwrap();
        let host = name.split('.').next().unwrap().to_owned();
        let plain = contents.entry(host).or_default();
        if name.ends_with(".gz") {
            flate2::read::MultiGzDecoder::new(&data[..]).read_to_end(plain).unwrap();
        } else if name.ends_with(".zst") {
            plain.extend(zstd::decode_all(&data[..]).unwrap());
        } else {
            plain.extend(data);
        }
    }
    contents.retain(|_, plain| !plain.is_empty());
    contents
}

pub(super) fn expected(sent: &[(u8, u32)]) -> BTreeMap<String, Vec<u8>> {
    let mut expected: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for (host, number) in sent {
        let line = format!("{number:06} {}\n", "x".repeat(*number as usize % 90));
        expected.entry(format!("h{host}")).or_default().extend(line.into_bytes());
    }
    expected
}

/// Appends to every file that the committed state allows to be longer; as a kill in the middle of a write does.
fn tear(folder: &Path, state: Option<&String>) {
    let state: serde_json::Value =
        state.map_or(json!({}), |state| serde_json::from_str(state).unwrap());
    for (name, place) in state["files"].as_object().into_iter().flatten() {
        // Nothing is written to one that is nobody's yet.
        if place[4] == 0 {
            continue;
        }
        let path =
            crate::sinks::file::rotate::numbered(&folder.join(name), place[1].as_u64().unwrap());
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut file = std::fs::OpenOptions::new().append(true).create(true).open(path).unwrap();
        std::io::Write::write_all(&mut file, b"half a li").unwrap();
    }
}

#[derive(Debug, Clone)]
enum Step {
    Send(Vec<u8>),
    Write(usize),
    Commit,
    Refuse(usize),
    Checkpoint,
    Kill,
    KillTorn,
    Idle,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => proptest::collection::vec(0_u8..6, 1..30).prop_map(Step::Send),
        4 => (1_usize..40).prop_map(Step::Write),
        2 => Just(Step::Commit),
        2 => (1_usize..4).prop_map(Step::Refuse),
        1 => Just(Step::Checkpoint),
        2 => Just(Step::Kill),
        2 => Just(Step::KillTorn),
        1 => Just(Step::Idle),
    ]
}

async fn run(folder: &Path, extra: &serde_json::Value, steps: Vec<Step>) {
    let mut delivery = Delivery::new(config(folder, extra));
    let mut number = 0;
    for step in steps {
        match step {
            Step::Send(hosts) => {
                for host in hosts {
                    delivery.sent.push((host, number));
                    number += 1;
                }
            }
            Step::Write(most) => delivery.write(most).await.unwrap(),
            Step::Commit => delivery.commit().await,
            Step::Refuse(commits) => delivery.refuses = commits,
            Step::Checkpoint => {
                // The commit behind it is lost with the process.
                delivery.sink.checkpoint().await.unwrap();
                delivery.kill().await;
            }
            Step::Kill => delivery.kill().await,
            Step::KillTorn => {
                tear(folder, delivery.committed.1.as_ref());
                delivery.kill().await;
            }
            Step::Idle => {
                tokio::time::advance(std::time::Duration::from_secs(40)).await;
                delivery.sink.idle().await;
            }
        }
    }
    delivery.refuses = 0;
    delivery.finish().await;
    assert_eq!(contents(folder), expected(&delivery.sent));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]
    #[test]
    fn each_record_is_in_the_files_exactly_once_whenever_the_sink_is_killed(
        steps in proptest::collection::vec(step(), 1..40),
        compression in prop_oneof![Just("none"), Just("gzip"), Just("zstd")],
        rotated in any::<bool>(),
        open in 1_usize..5,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let rotate = if rotated { json!({ "size": 400 }) } else { json!({}) };
        let extra = json!({ "compression": compression, "rotate": rotate, "max_open_files": open });
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time().start_paused(true).build().unwrap();
        runtime.block_on(run(folder.path(), &extra, steps));
    }
}

/// What the only delivery of a sink resumes from.
pub(super) fn alone(state: &str) -> Resumed {
    let state = Some((1, state.to_owned()));
    Resumed { alone: true, places: vec![Placed { topic: "t".to_owned(), partition: 0, state }] }
}

#[tokio::test]
async fn a_write_that_fails_half_way_leaves_nothing_in_any_file() {
    for compression in ["none", "gzip", "zstd"] {
        let folder = tempfile::tempdir().unwrap();
        let config = config(folder.path(), &json!({ "compression": compression, "sync": true }));
        let suffix = config.compression.suffix();
        let mut delivery = Delivery::new(config);
        delivery.sent = vec![(0, 0), (0, 1)];
        delivery.finish().await;
        let full = folder.path().join(format!("t/h1.log{suffix}"));
        std::os::unix::fs::symlink("/dev/full", &full).unwrap();
        // Enough that members of both files are due at once; the first may reach its file.
        delivery
            .sent
            .extend((0..40_000).map(|number| (u8::from(number % 20_000 > 10_000), number)));
        let error = delivery.write(usize::MAX).await.unwrap_err();
        let WriteError::NotNow { target, reason, .. } = &error else { panic!("{error}") };
        assert!(target.contains("h1.log") && reason.contains("free some space"), "{error}");
        std::fs::remove_file(&full).unwrap();
        assert_eq!(contents(folder.path()), expected(&delivery.sent[..2]), "{compression}");
        delivery.finish().await;
        assert_eq!(contents(folder.path()), expected(&delivery.sent), "{compression}");
    }
}

#[tokio::test]
async fn thousands_of_files_in_one_write_are_exact_as_well() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t/{header.host}.log");
    let config = config(
        folder.path(),
        &json!({ "path": path, "base_dir": folder.path(), "max_open_files": 3 }),
    );
    let mut delivery = Delivery::new(config);
    let hosts = |round: u32| (0..=255_u8).map(move |host| (host, round));
    for round in 0..3 {
        delivery.sent.extend(hosts(round));
        delivery.write(usize::MAX).await.unwrap();
        delivery.kill().await;
    }
    assert!(delivery.committed.1.as_ref().unwrap().len() < 4096);
    delivery.finish().await;
    assert_eq!(contents(folder.path()), expected(&delivery.sent));
}

#[tokio::test]
async fn only_a_new_file_or_a_full_one_asks_for_a_commit() {
    let folder = tempfile::tempdir().unwrap();
    let mut delivery =
        Delivery::new(config(folder.path(), &json!({ "rotate": { "size": 40, "keep": 1 } })));
    for (line, asks) in
        [((0, 1), true), ((0, 2), false), ((0, 3), false), ((0, 30), false), ((0, 4), true)]
    {
        delivery.sent.push(line);
        assert_eq!(delivery.sink.prepare(&records(&[line])).await.unwrap(), asks, "{line:?}");
        delivery.write(1).await.unwrap();
    }
    for number in [50, 51, 52] {
        delivery.sent.push((0, number));
        delivery.finish().await;
    }
    let mut names: Vec<_> = folder
        .path()
        .join("t")
        .read_dir()
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    names.sort();
    assert_eq!(names, ["h0.000004.log"], "the next one begins with its first record");
}

#[tokio::test]
async fn a_write_without_a_commit_of_its_new_files_is_refused_whole() {
    let folder = tempfile::tempdir().unwrap();
    let mut sink = sink(&config(folder.path(), &json!({})));
    assert!(sink.write(&records(&[(0, 1)])).await.is_err());
    assert!(sink.prepare(&records(&[(0, 1)])).await.unwrap());
    assert!(sink.write(&records(&[(0, 1)])).await.is_err());
    sink.checkpoint().await.unwrap();
    assert!(sink.write(&records(&[(0, 1)])).await.is_err(), "the commit can have failed");
    sink.committed();
    assert!(sink.write(&records(&[(0, 1), (1, 2)])).await.is_err());
    assert_eq!(contents(folder.path()), expected(&[]));
    sink.write(&records(&[(0, 1)])).await.unwrap();
    assert_eq!(contents(folder.path()), expected(&[(0, 1)]));
}

#[tokio::test]
async fn a_file_that_somebody_renames_or_removes_is_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let mut delivery = Delivery::new(config(folder.path(), &json!({})));
    let path = folder.path().join("t/h0.log");
    delivery.sent = vec![(0, 1)];
    delivery.finish().await;
    std::fs::rename(&path, folder.path().join("t/old")).unwrap();
    delivery.sent.push((0, 2));
    delivery.finish().await;
    delivery.sent.push((0, 3));
    delivery.finish().await;
    delivery.kill().await;
    assert_eq!(std::fs::read(&path).unwrap(), expected(&[(0, 3)])["h0"]);
    assert_eq!(
        std::fs::read(folder.path().join("t/old")).unwrap(),
        expected(&[(0, 1), (0, 2)])["h0"]
    );
}

#[tokio::test]
async fn a_file_that_is_gone_at_the_start_is_committed_anew_before_it_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let mut delivery = Delivery::new(config(folder.path(), &json!({})));
    delivery.sent = (0..9).map(|number| (0, number)).collect();
    delivery.finish().await;
    std::fs::remove_file(folder.path().join("t/h0.log")).unwrap();
    delivery.kill().await;
    delivery.sent.push((0, 9));
    delivery.write(1).await.unwrap();
    delivery.kill().await;
    delivery.finish().await;
    assert_eq!(contents(folder.path()), expected(&delivery.sent[9..]));
}

#[tokio::test]
async fn a_folder_that_cannot_be_made_is_fatal_with_a_hint() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("t"), b"a file").unwrap();
    let mut delivery = Delivery::new(config(folder.path(), &json!({})));
    delivery.sent = vec![(0, 1)];
    let error = delivery.write(1).await.unwrap_err();
    assert!(
        matches!(&error, WriteError::Fatal { hint, .. } if hint.contains("remove it")),
        "{error}"
    );
}
