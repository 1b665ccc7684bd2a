//! A hub without threads of its own, on a simulated disk: who tests it says what is done next.

use std::collections::BTreeMap;
use std::sync::Arc;

use anabranch_connectors::Receipt;
use anabranch_record::TopicPartition;
use parking_lot::Mutex;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::super::Embedded;
use super::model::{Id, Model};
use crate::hub::embedded::topics::settings::{Cleanup, Flush, Settings, TopicSettings};
use crate::hub::embedded::write::writer::Writer;
use crate::hub::{HubError, TopicSelector};
use crate::log::disk::random::Random;
use crate::log::disk::simulated::Disk;
use crate::log::{self, Reader};
use crate::wire::Codec;

/// Files whose lines are read; the last one goes to the compacted topic.
pub(super) const FILES: usize = 4;
pub(super) const GROUPS: [&str; 2] = ["g", "h"];

/// A commit that may not be done yet: of which group, and where.
type Commit = (oneshot::Receiver<Result<(), HubError>>, &'static str, TopicPartition, i64);

/// One life of the hub.
pub(super) struct Life {
    pub(super) hub: Arc<Embedded>,
    pub(super) writer: Writer,
    pub(super) readers: BTreeMap<(&'static str, TopicPartition), (Reader, Vec<Id>)>,
    pub(super) receipts: Vec<(Receipt, usize)>,
    pub(super) commits: Vec<Commit>,
}

/// A hub, its disk, and what must be there.
pub(super) struct Rig {
    pub(super) folder: tempfile::TempDir,
    pub(super) disk: Arc<Disk>,
    pub(super) runtime: Runtime,
    pub(super) random: Random,
    flush: Flush,
    pub(super) life: Option<Life>,
    pub(super) model: Model,
    /// Lines of each file that were handed on.
    pub(super) handed: [u64; FILES],
    pub(super) serial: u64,
    /// Positions without records that were handed on, each with the records before it, and how much was refused by then.
    pub(super) copies: Vec<(u64, Vec<u64>, u64)>,
    pub(super) says: bool,
}

impl Rig {
    pub(super) fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let memory = std::path::Path::new("/dev/shm");
        let folder =
            if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
        let folder = folder.unwrap();
        let disk = Disk::beneath(folder.path());
        let flush = match random.below(3) {
            0 => Flush::Each,
            1 => Flush::Every(std::time::Duration::from_millis(50)),
            _ => Flush::Os,
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        Self {
            folder,
            disk,
            runtime,
            random,
            flush,
            life: None,
            model: Model::default(),
            handed: [0; FILES],
            serial: 1,
            copies: Vec::new(),
            says: false,
        }
    }

    pub(super) fn disk(&self) -> &Arc<Disk> {
        &self.disk
    }

    fn settings(&self) -> Settings {
        let mut settings = Settings::new(self.folder.path());
        settings.flush = self.flush;
        settings.compression = (Codec::None, None);
        settings.min_free = 0;
        settings.max_in_flight = 32;
        settings.internal_max_bytes = 3000;
        let kept = TopicSettings {
            partitions: 2,
            segment_size: 1200,
            retention_size: Some(2500),
            retention_time: None,
            ..TopicSettings::default()
        };
        let compacted = TopicSettings { partitions: 1, cleanup: Cleanup::COMPACT, ..kept };
        settings.topic_defaults.segment_size = 2000;
        settings.topics = BTreeMap::from([("c".to_owned(), compacted), ("t".to_owned(), kept)]);
        let reads = vec![TopicSelector::parse("t").unwrap()];
        settings.groups = vec![("g".to_owned(), reads)];
        settings
    }

    /// Opens the hub, and looks at what it has.
    pub(super) fn open(&mut self, after_cut: bool) -> Result<(), String> {
        self.start()?;
        self.turn()?;
        self.say("opened");
        self.check_opened(after_cut)
    }

    pub(super) fn start(&mut self) -> Result<(), String> {
        for _ in 0..100 {
            let made = Mutex::new(None);
            let opened = Embedded::open_with(self.settings(), Arc::default(), |shared| {
                *made.lock() = Some(Writer::new(Arc::clone(shared), std::thread::current()));
                Ok(Vec::new())
            });
            let writer = made.into_inner();
            if let Err(HubError::Fatal(why)) = &opened
                && why.to_lowercase().contains("no space")
            {
                return Err(format!("a full disk is no reason to give up: {why}"));
            }
            let (Ok(hub), Some(writer)) = (opened, writer) else {
                if self.disk.refused() == 0 {
                    return Err("the hub does not open".to_owned());
                }
                // As after the disk has been put right.
                self.disk.refuse(None);
                continue;
            };
            self.disk.refuse(None);
            let (readers, receipts, commits) = (BTreeMap::new(), Vec::new(), Vec::new());
            self.life = Some(Life { hub, writer, readers, receipts, commits });
            return Ok(());
        }
        Err("the hub does not open".to_owned())
    }

    fn check_opened(&mut self, after_cut: bool) -> Result<(), String> {
        let hub = Arc::clone(&self.life().hub);
        // One step may be refused.
        if !self.model.look(&hub, after_cut)? && !self.model.look(&hub, after_cut)? {
            return Err("what is there cannot be read".to_owned());
        }
        let findings = log::findings(self.folder.path());
        if !findings.is_empty() {
            return Err(format!("nothing was damaged, and it says {findings:?}"));
        }
        self.check_positions(&hub)?;
        for group in GROUPS {
            for (name, known) in &self.model.partitions {
                let groups = hub.shared.groups();
                let at = groups.committed(group, name).map_or(0, |committed| committed.offset);
                self.model.hides_nothing(group, name, at)?;
                let key = (group.to_owned(), name.clone());
                let durable = self.model.committed.get(&key).copied().unwrap_or(0);
                if at < durable.min(known.end) {
                    return Err(format!("{group} was at {durable} of {name} and is at {at}"));
                }
            }
        }
        let ends: BTreeMap<TopicPartition, i64> =
            self.model.partitions.iter().map(|(name, known)| (name.clone(), known.end)).collect();
        for ((_, name), at) in &mut self.model.committed {
            *at = (*at).min(ends.get(name).copied().unwrap_or(0));
        }
        Ok(())
    }

    /// Each file's position is where its lines end that are there; files are read on from it.
    fn check_positions(&mut self, hub: &Embedded) -> Result<(), String> {
        let positions: BTreeMap<Vec<u8>, Vec<u8>> =
            hub.shared.positions().of("s").into_iter().collect();
        let copy = positions.get(&b"copy"[..]);
        let copy = copy.map_or(0, |at| String::from_utf8_lossy(at).parse().unwrap());
        self.check_copy(copy)?;
        for file in 0..FILES {
            let value = positions.get(&file.to_string().into_bytes());
            let at = value.map_or(0, |at| String::from_utf8_lossy(at).parse().unwrap());
            let lines = self.model.lines(file as u64)?;
            if at != lines {
                return Err(format!(
                    "the position of file {file} is {at}, and {lines} lines are there"
                ));
            }
            if let Some(handed) = self.handed.get_mut(file) {
                *handed = at;
            }
        }
        Ok(())
    }

    /// For a person who looks for what went wrong.
    pub(super) fn say(&self, what: &str) {
        if !self.says {
            return;
        }
        eprintln!("{what}, flush {:?}, step {}", self.flush, self.disk.steps());
        for (name, known) in &self.model.partitions {
            let place = |found: &super::model::Found| {
                (found.offset, found.epoch, found.id.file, found.id.line)
            };
            let places: Vec<_> = known.all.iter().map(place).collect();
            eprintln!("  {name} {}..{} {places:?}", known.start, known.end);
        }
    }

    /// A position without records is there only with all that was handed on before it; and what was handed on after it is
    /// there only with it, where the disk has not refused to keep it.
    fn check_copy(&mut self, copy: u64) -> Result<(), String> {
        let ids = || self.model.partitions.values().flat_map(|known| &known.all).map(|one| one.id);
        let there: std::collections::HashSet<u64> = ids().map(|id| id.serial).collect();
        for (value, before, refused) in &self.copies {
            if *value <= copy
                && let Some(lost) = before.iter().find(|serial| !there.contains(serial))
            {
                return Err(format!(
                    "a position says that record {lost} was read, and it is not there"
                ));
            }
            if *value > copy
                && *refused == self.disk.refused()
                && let Some(late) = there.iter().find(|serial| *serial >= value)
            {
                return Err(format!(
                    "record {late} is there without the position {value} before it"
                ));
            }
        }
        self.copies.retain(|(value, ..)| *value <= copy);
        Ok(())
    }

    pub(super) fn life(&mut self) -> &mut Life {
        self.life.as_mut().unwrap()
    }

    /// The writer does what is waiting, until nothing is.
    pub(super) fn turn(&mut self) -> Result<(), String> {
        let life = self.life();
        let queue = Arc::clone(&life.hub.shared.writer);
        life.writer.mend_at.0 = Instant::now();
        loop {
            let first = queue.try_take();
            let is_last = first.is_none();
            life.writer.turn(first, &queue);
            if is_last {
                break;
            }
        }
        self.settle()
    }

    /// What was promised is so.
    fn settle(&mut self) -> Result<(), String> {
        let is_each = self.flush == Flush::Each;
        let life = self.life();
        let mut wrong = None;
        let hub = Arc::clone(&life.hub);
        life.receipts.retain_mut(|(receipt, count)| match receipt.poll() {
            None => true,
            Some(Ok(stored)) if is_each && stored.offset >= 0 => {
                let all = hub.shared.topics.all();
                let data = all.iter().filter(|state| !state.is_internal());
                let reached = |at: i64| at >= stored.offset + i64::try_from(*count).unwrap();
                let mut of = data.filter_map(|state| state.partition(stored.partition));
                if !of.any(|partition| reached(partition.flushed())) {
                    wrong = Some(format!("{stored:?} is settled and not on disk"));
                }
                false
            }
            Some(Ok(_)) => false,
            Some(Err(refused)) => {
                wrong = Some(refused.to_string());
                false
            }
        });
        let mut done = Vec::new();
        life.commits.retain_mut(|(receiver, group, name, at)| match receiver.try_recv() {
            Err(oneshot::error::TryRecvError::Empty) => true,
            Ok(Ok(())) => {
                done.push(((*group).to_owned(), name.clone(), *at));
                false
            }
            _ => false,
        });
        if is_each {
            for (group, name, at) in done {
                self.model.committed.insert((group, name), at);
            }
        }
        wrong.map_or(Ok(()), Err)
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.life = None;
        self.disk.end();
    }
}
