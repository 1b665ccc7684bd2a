//! A hub in memory: takes batches, settles receipts, remembers positions, and is there when the source starts again.

use std::collections::HashMap;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anabranch_record::Chain;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use crate::contract::build::Surroundings;
use crate::contract::counters::SourceCounters;
use crate::contract::emitter::Emission;
use crate::contract::receipt::{NotStored, Stored};
use crate::sources::file::{FileSource, SourceConfig};
use crate::{Emitter, Source, SourceError};

/// Longest wait for what has to come.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long nothing more may come.
const QUIET: Duration = Duration::from_millis(120);

/// A folder, a source on it, and what the hub has.
pub(super) struct Bench {
    pub(super) folder: tempfile::TempDir,
    pub(super) settings: serde_json::Value,
    pub(super) lines: Vec<String>,
    pub(super) headers: Vec<(String, bool)>,
    /// Of each line, which text it is of, and where in that it begins.
    pub(super) places: Vec<(u64, u64)>,
    pub(super) positions: HashMap<Vec<u8>, Vec<u8>>,
    counters: Arc<SourceCounters>,
    running: Option<Running>,
}

struct Running {
    stop: CancellationToken,
    source: JoinHandle<Result<(), SourceError>>,
    inlet: mpsc::Receiver<Emission>,
}

impl Bench {
    /// Reads `include` inside a new folder.
    pub(super) fn new(include: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let include = folder.path().join(include);
        let settings = serde_json::json!({
            "include": [include], "rotate_wait": "400ms", "reconcile_interval": "300ms",
            "poll_interval": "20ms",
        });
        let (lines, headers, places, positions, counters) = Default::default();
        Self { folder, settings, lines, headers, places, positions, counters, running: None }
    }

    pub(super) fn with(mut self, setting: &str, value: &str) -> Self {
        self.settings[setting] = value.into();
        self
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(super) fn append(&self, name: &str, text: &str) {
        append(&self.path(name), text);
    }

    pub(super) fn rename(&self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).unwrap();
        tick();
    }

    /// Moves what is rotated up by one number; `name` is what it is called.
    pub(super) fn shift(&self, name: impl Fn(usize) -> String) {
        for number in (1..50).rev().filter(|number| self.path(&name(*number)).exists()) {
            self.rename(&name(number), &name(number + 1));
        }
    }

    pub(super) fn copy_and_truncate(&self, from: &str, to: &str) {
        fs::copy(self.path(from), self.path(to)).unwrap();
        tick();
        OpenOptions::new().write(true).open(self.path(from)).unwrap().set_len(0).unwrap();
    }

    pub(super) fn remove(&self, name: &str) {
        fs::remove_file(self.path(name)).unwrap();
    }

    pub(super) fn positions(&self) -> usize {
        self.positions.len()
    }

    /// Starts the source with the positions that the hub has.
    pub(super) fn start(&mut self) {
        let source = Box::new(self.source());
        let (emitter, inlet) = self.emitter();
        let stop = CancellationToken::new();
        #[expect(clippy::disallowed_methods, reason = "the test waits for it in `stop`")]
        let source = tokio::task::spawn(source.run(emitter, stop.clone()));
        self.running = Some(Running { stop, source, inlet });
    }

    /// The source, not yet running.
    pub(super) fn source(&self) -> FileSource {
        let config: SourceConfig = serde_json::from_value(self.settings.clone()).unwrap();
        FileSource::new(config, &Surroundings { name: "test".into(), host: "here".into() }).unwrap()
    }

    /// The way into the hub, with the positions that it has.
    pub(super) fn emitter(&self) -> (Emitter, mpsc::Receiver<Emission>) {
        let (sender, inlet) = mpsc::channel(64);
        let memory = (crate::Memory::shared(64 << 20), crate::contract::memory::Part::Sources);
        let positions = self.positions.iter().map(|(key, value)| (key.clone(), value.clone()));
        let counters = Arc::clone(&self.counters);
        (Emitter::new("test", [sender].into(), memory, positions.collect(), counters), inlet)
    }

    /// What was left out for a reason.
    pub(super) fn dropped(&self, reason: &str) -> u64 {
        self.counters.dropped.lock().get(reason).copied().unwrap_or_default()
    }

    /// Stops the source; what it sent and the hub has not taken is lost, as by a kill.
    pub(super) async fn stop(&mut self) {
        let running = self.running.take().unwrap();
        running.stop.cancel();
        timeout(PATIENCE, running.source).await.unwrap().unwrap().unwrap();
    }

    pub(super) async fn restart(&mut self) {
        self.stop().await;
        self.start();
    }

    /// The next batch, not yet taken.
    pub(super) async fn next(&mut self, patience: Duration) -> Option<Emission> {
        let inlet = &mut self.running.as_mut().unwrap().inlet;
        timeout(patience, inlet.recv()).await.ok().map(|emission| emission.expect("it runs"))
    }

    /// Does what the hub does: has the lines and the position, and says so.
    pub(super) fn take(&mut self, emission: Emission) {
        if emission.batch.chain().is_some_and(Chain::has_failed) {
            return Self::refuse(emission);
        }
        let Emission { batch, settle, .. } = emission;
        let origin = batch.origin();
        let place = |(start, _)| origin.map(|origin| (origin.text, origin.base + start as u64));
        self.places.extend(batch.spans().filter_map(place));
        for record in batch.iter() {
            let value = String::from_utf8_lossy(record.value.unwrap()).into_owned();
            let path = record.headers.get("path").unwrap_or_default();
            assert_eq!(record.headers.get("host"), Some(&b"here"[..]));
            let name = Path::new(std::str::from_utf8(path).unwrap()).file_name().unwrap();
            let continued = record.headers.get("continued") == Some(&b"true"[..]);
            self.headers.push((name.to_string_lossy().into_owned(), continued));
            self.lines.push(value);
        }
        if let Some(position) = batch.position() {
            match &position.value {
                Some(value) => self.positions.insert(position.key.clone(), value.clone()),
                None => self.positions.remove(&position.key),
            };
        }
        // The source may have stopped meanwhile.
        settle.send(Ok(Stored { partition: 0, offset: 0 })).unwrap_or(());
    }

    /// Does not store a batch, nor then what builds on it.
    pub(super) fn refuse(emission: Emission) {
        emission.batch.chain().into_iter().for_each(Chain::fail);
        emission.settle.send(Err(NotStored("no room".into()))).unwrap_or(());
    }

    /// Takes batches until there are `count` lines.
    pub(super) async fn until(&mut self, count: usize) {
        while self.lines.len() < count {
            let Some(emission) = self.next(PATIENCE).await else {
                panic!("{} of {count} lines: {:?}", self.lines.len(), self.lines.last());
            };
            self.take(emission);
        }
    }

    /// Takes batches until `done` or patience ends.
    pub(super) async fn until_true(&mut self, done: impl Fn(&Self) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !done(self) {
            assert!(Instant::now() < end, "it did not come true with {} lines", self.lines.len());
            if let Some(emission) = self.next(Duration::from_millis(20)).await {
                self.take(emission);
            }
        }
    }

    /// The lines are these, and no others come.
    pub(super) async fn expect(&mut self, wanted: &[&str]) {
        self.until(wanted.len()).await;
        while let Some(emission) = self.next(QUIET).await {
            self.take(emission);
        }
        assert_eq!(self.lines, wanted);
    }
}

/// Waits until the clock of the file system has gone on. Files that are written and rotated within one of its ticks, a
/// few milliseconds, have the same times; nobody can know their order, and no program rotates so fast.
pub(super) fn tick() {
    let mut probe = tempfile::tempfile().unwrap();
    let mut touch = || {
        probe.write_all(b"x").unwrap();
        probe.metadata().unwrap().modified().unwrap()
    };
    let before = touch();
    while touch() == before {}
}

pub(super) fn append(path: &Path, text: &str) {
    let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}
