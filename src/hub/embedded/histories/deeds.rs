//! What is done with the hub, one thing at a time.

use std::sync::Arc;

use anabranch_connectors::Emitter;
use anabranch_record::{Batch, Headers, Position, TopicPartition};
use tokio::sync::oneshot;

use super::model::{Id, Trouble, read_next};
use super::rig::{FILES, GROUPS, Rig};
use crate::hub::embedded::keep::{compactor, keeper, scrubber};
use crate::hub::embedded::write::command::Command;
use crate::hub::embedded::write::encode::{Entry, encode_entries};
use crate::hub::{Appender, Lasting, Offset, Part};
use crate::log::disk::simulated::{Disk, Refusal};
use crate::log::{self, Reader};
use crate::wire::batch_header::place;
use crate::wire::{Builder, Codec};

impl Rig {
    /// Hands lines of a file on, with their position.
    pub(super) fn append(&mut self) -> Result<(), String> {
        let file = self.random.up_to(FILES - 1);
        let (topic, partition) =
            if file == FILES - 1 { ("c", 0) } else { ("t", i32::try_from(file % 2).unwrap()) };
        let mut batch = Batch::new(Vec::new().into(), Headers::new(), 1000, file as u64);
        let count = 1 + self.random.below(4);
        for _ in 0..count {
            let handed = &mut self.handed[file];
            let id = Id { file: file as u64, line: *handed, serial: self.serial };
            *handed += 1;
            self.serial += 1;
            let rest = match self.random.below(4) {
                0 => self.pose(),
                _ => vec![b'.'; self.random.up_to(300)],
            };
            batch.push_copy(&id.value(&rest));
            batch.set_key(file.to_string().as_bytes());
        }
        let value = self.handed[file].to_string().into_bytes();
        batch.set_position(Position { key: file.to_string().into_bytes(), value: Some(value) });
        self.hand_on(batch, Some((topic, partition)))
    }

    /// What a sender may put into a record: whole batches of the log, with offsets that could be.
    fn pose(&mut self) -> Vec<u8> {
        let invented = Id { file: 77, line: 0, serial: 0 };
        let mut posed = Vec::new();
        let base = self.serial + self.random.below(20);
        for number in 0..self.random.below(3) {
            let (mut builder, mut batch) = (Builder::new(Codec::None, None), Vec::new());
            let value = invented.value(b"");
            let entry = Entry { key: b"k", value: Some(&value), header: &[] };
            encode_entries(&[entry], 1000, &mut builder, &mut batch).unwrap();
            place(&mut batch, i64::try_from(base + number).unwrap(), 0);
            posed.extend_from_slice(&batch);
        }
        posed.resize(posed.len() + self.random.up_to(30), 0);
        posed
    }

    /// A position that comes without records.
    pub(super) fn position(&mut self) -> Result<(), String> {
        if !self.look()? || !self.life().writer.parked.is_empty() {
            return Ok(());
        }
        let all = self.model.partitions.values().flat_map(|known| &known.all);
        let before = all.map(|found| found.id.serial).collect();
        self.copies.push((self.serial, before, self.disk.refused()));
        let mut batch = Batch::new(Vec::new().into(), Headers::new(), 1000, 9);
        let value = self.serial.to_string().into_bytes();
        batch.set_position(Position { key: b"copy".to_vec(), value: Some(value) });
        self.hand_on(batch, None)
    }

    fn hand_on(&mut self, batch: Batch, to: Option<(&str, i32)>) -> Result<(), String> {
        let count = batch.len();
        let (emitter, mut outlet) = Emitter::channel(1);
        let (receipt, emission) = self.runtime.block_on(async {
            let sent = emitter.send(batch).await.unwrap();
            (sent, outlet.recv().await.unwrap())
        });
        let mut part = Part::from(emission);
        part.source = Arc::from("s");
        let life = self.life();
        match to {
            Some((topic, partition)) => life.hub.appender.append(topic, partition, vec![part]),
            None => life.hub.appender.store_positions(vec![part]),
        }
        life.receipts.push((receipt, count));
        self.turn()
    }

    /// A group reads on, some batches, and perhaps commits.
    pub(super) fn read(&mut self) -> Result<(), String> {
        let group = GROUPS[self.random.up_to(1)];
        let hub = Arc::clone(&self.life().hub);
        let all = hub.shared.topics.all();
        let data: Vec<_> = all.iter().filter(|state| !state.is_internal()).collect();
        let state = data[self.random.up_to(data.len() - 1)];
        let partition = &state.partitions[self.random.up_to(state.partitions.len() - 1)];
        let name = partition.name().clone();
        let batches = 1 + self.random.below(3);
        let commits = self.random.below(2) == 0;
        let life = self.life();
        let key = (group, name.clone());
        let (reader, seen) = life.readers.entry(key).or_insert_with(|| {
            let groups = hub.shared.groups();
            let at = groups.committed(group, &name).map_or(0, |committed| committed.offset);
            (Reader::new(Arc::clone(partition), at), Vec::new())
        });
        for _ in 0..batches {
            match read_next(state, reader) {
                Ok(Some(found)) => seen.extend(found.iter().map(|found| found.id)),
                Ok(None) => break,
                Err(Trouble::Disk) => return Ok(()),
                Err(Trouble::Wrong(wrong)) => return Err(wrong),
            }
        }
        let at = reader.next_offset();
        if !commits {
            return Ok(());
        }
        let seen = std::mem::take(seen);
        self.model.read.entry(group.to_owned()).or_default().extend(seen);
        let TopicPartition { topic, partition } = name.clone();
        let offset = Offset { topic, partition, offset: at, epoch: hub.shared.epoch };
        let offsets = hub.shared.places(vec![(offset, String::new())]).unwrap();
        let (done, committed) = oneshot::channel();
        let command = Command::Commit {
            group: group.to_owned(),
            offsets,
            lasting: Lasting::AsConfigured,
            done,
        };
        hub.shared.command(command).unwrap();
        self.life().commits.push((committed, group, name, at));
        self.turn()
    }

    pub(super) fn snapshot(&mut self) -> Result<(), String> {
        self.life().hub.shared.command(Command::Snapshot).unwrap();
        self.turn()
    }

    pub(super) fn roll(&mut self) -> Result<(), String> {
        let hub = Arc::clone(&self.life().hub);
        for state in hub.shared.topics.all() {
            let partition = &state.partitions[self.random.up_to(state.partitions.len() - 1)];
            if self.random.below(3) == 0 {
                hub.shared.command(Command::Roll(Arc::clone(partition))).unwrap();
            }
        }
        self.turn()
    }

    pub(super) fn flush(&mut self) {
        keeper::flush(&self.life().hub.shared);
    }

    pub(super) fn checkpoint(&mut self) {
        keeper::checkpoint(&self.life().hub.shared);
    }

    pub(super) fn retain(&mut self) -> Result<(), String> {
        if self.look()? {
            keeper::retain(&self.life().hub.shared);
        }
        self.turn()
    }

    pub(super) fn compact(&mut self) -> Result<(), String> {
        if self.look()? {
            compactor::compact_all(&self.life().hub.shared);
        }
        self.turn()
    }

    /// Some of the next steps are refused.
    pub(super) fn refuse(&mut self) {
        let from = self.disk.steps() + self.random.below(30);
        let count = 1 + self.random.below(20);
        let full = self.random.below(3) == 0;
        self.disk.refuse(Some(Refusal { from, count, full }));
    }

    /// Looks at what is there while it runs.
    pub(super) fn look(&mut self) -> Result<bool, String> {
        let hub = Arc::clone(&self.life().hub);
        self.model.look(&hub, false)
    }

    /// The hub stops in order, is killed, or the power is cut; then it opens again.
    pub(super) fn end(&mut self) -> Result<(), String> {
        let refusing = self.random.below(4) == 0;
        self.disk.refuse(None);
        self.look()?;
        let way = self.random.below(4);
        if way == 0 {
            self.turn()?;
            let life = self.life();
            life.writer.close();
            keeper::end(&life.hub.shared);
            // Without the mark the next start looks closer.
            life.hub.shared.folder().mark_clean().ok();
            self.look()?;
        }
        let claimed: Vec<(TopicPartition, i64)> = self.flushed();
        self.say(&format!("end, way {way}"));
        self.life = None;
        if way > 1 {
            self.disk.cut_power(&mut self.random);
        }
        self.say("cut");
        if refusing {
            self.refuse();
        }
        self.open(way > 1)?;
        for (name, flushed) in claimed {
            let end = self.model.partitions.get(&name).map_or(0, |known| known.end);
            if end < flushed {
                return Err(format!("{name} was on disk up to {flushed} and ends at {end}"));
            }
        }
        Ok(())
    }

    /// One bit flips while the hub is away; then it says what is missing, and has nothing else.
    pub(super) fn damage(&mut self) -> Result<(), String> {
        self.disk.refuse(None);
        self.look()?;
        self.life = None;
        let mut files: Vec<_> = ["c-0", "t-0", "t-1"]
            .iter()
            .flat_map(|name| std::fs::read_dir(self.folder.path().join(name)).unwrap())
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "log"))
            .collect();
        files.sort();
        let file = files[self.random.up_to(files.len() - 1)].clone();
        let place = Disk::flip(&file, &mut self.random);
        self.start()?;
        let hub = Arc::clone(&self.life().hub);
        scrubber::check_all(&hub.shared, || false).map_err(|error| error.to_string())?;
        let told = log::findings(self.folder.path());
        let is_told = |name: &TopicPartition, offset| {
            told.iter().any(|one| {
                one.partition == name.to_string() && (one.from..one.to).contains(&offset)
            })
        };
        let torn: Vec<_> = files
            .iter()
            .map(|path| path.with_extension("torn"))
            .filter(|path| path.exists())
            .collect();
        self.model
            .survives_damage(&hub, |name, offset| {
                // Behind the last recovery point the end of the log is not known.
                let points = hub.shared.folder().recovery_points();
                is_told(name, offset) || (offset >= points.get(name) && !torn.is_empty())
            })
            .map_err(|wrong| {
                format!("{} damaged at {place:?}: {wrong}\n told {told:?}", file.display())
            })
    }

    fn flushed(&mut self) -> Vec<(TopicPartition, i64)> {
        let all = self.life().hub.shared.topics.all();
        let data = all.iter().filter(|state| !state.is_internal());
        let partitions = data.flat_map(|state| state.partitions.clone());
        partitions.map(|partition| (partition.name().clone(), partition.flushed())).collect()
    }
}
