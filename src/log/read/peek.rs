//! Looking at a partition without writing, beside the process that owns it.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use anabranch_record::TopicPartition;

use crate::log::partition::producers::Producers;
use crate::log::partition::segment_paths;
use crate::log::recovery::resync::{Damaged, resync};
use crate::log::recovery::scan::{note, replay};
use crate::log::segment::{Segment, base_offset};
use crate::log::{LogError, Partition, Settings, scan};

/// How often the files are listed while they are being merged.
const LIST_TRIES: usize = 5;

impl Partition {
    /// Looks at the partition in `folder` without writing, beside the process that owns it: what is there now, from
    /// the offset `start` on. Damage is passed over and left for readers to report.
    ///
    /// # Errors
    /// [`LogError`] when its files cannot be read.
    pub fn peek(folder: &Path, name: TopicPartition, start: i64) -> Result<Self, LogError> {
        let mut seen = list(folder)?;
        for _ in 1..LIST_TRIES {
            if seen.is_whole {
                break;
            }
            seen = list(folder)?;
        }
        let Seen { segments, end, producers, .. } = seen;
        let settings = Settings { segment_bytes: u64::MAX };
        let partition = Self::assemble(folder, name, settings, (segments, end));
        partition.set_producers(producers);
        if start <= end {
            partition.start.fetch_max(start, Ordering::AcqRel);
        }
        Ok(partition)
    }

    /// For a partition that was opened with [`Partition::peek`]: takes in what has been appended, begun and removed
    /// since, without reading again what is known. Says whether there is more.
    ///
    /// # Errors
    /// [`LogError`] when its files cannot be read.
    pub fn refresh(&self) -> Result<bool, LogError> {
        self.forget_removed();
        let before = self.end();
        loop {
            let active = self.segments().pop();
            if let Some(active) = &active
                && active.file_bytes()? > active.size_bytes()
            {
                self.look_on(active, active.size_bytes())?;
            }
            if !self.take_next(active.as_deref())? {
                return Ok(self.end() > before);
            }
        }
    }

    /// A segment that was closed has its successor at the end; says whether it is there.
    fn take_next(&self, active: Option<&Segment>) -> Result<bool, LogError> {
        let base = self.end();
        let path = self.folder.join(format!("{base:020}.log"));
        if active.is_some_and(|active| active.base_offset() >= base) || !path.exists() {
            return Ok(false);
        }
        let segment = Arc::new(Segment::open(&path, false)?);
        self.segments.write().push(Arc::clone(&segment));
        self.look_on(&segment, 0)?;
        Ok(true)
    }

    fn look_on(&self, segment: &Segment, place: u64) -> Result<(), LogError> {
        let mut producers = std::mem::take(&mut *self.producers());
        let end = look(segment, place, self.end(), &mut producers);
        // What is open must be known before its records can be read.
        self.set_producers(producers);
        self.end.store(end?, Ordering::Release);
        Ok(())
    }

    fn forget_removed(&self) {
        let mut segments = self.segments.write();
        let most = segments.len().saturating_sub(1);
        let gone = segments.iter().take(most).take_while(|known| !known.path().exists()).count();
        segments.drain(..gone);
        if let Some(first) = segments.first() {
            self.start.fetch_max(first.base_offset(), Ordering::AcqRel);
        }
    }
}

/// What is there.
struct Seen {
    segments: Vec<Arc<Segment>>,
    /// The offset behind the last.
    end: i64,
    producers: Producers,
    /// Whether none was gone before it could be opened behind one that was there: compaction merges segments.
    is_whole: bool,
}

fn list(folder: &Path) -> Result<Seen, LogError> {
    let (mut segments, mut end, mut is_whole) = (Vec::new(), 0, true);
    let mut producers = Producers::default();
    let paths = segment_paths(folder)?;
    for (number, path) in paths.iter().enumerate() {
        let segment = match Segment::open(path, false) {
            Err(LogError::Io { cause, .. }) if cause.kind() == ErrorKind::NotFound => {
                // Retention was faster, which takes the oldest, or compaction.
                is_whole &= segments.is_empty();
                continue;
            }
            opened => opened?,
        };
        end = segment.base_offset();
        if number + 1 == paths.len() || !segment.load_index() {
            end = look(&segment, 0, end, &mut producers)?;
        } else {
            let next = paths.get(number + 1).and_then(|path| base_offset(path));
            match segment.load_producers(next) {
                Some(known) => producers = known,
                None => replay(&segment, &mut producers)?,
            }
        }
        segments.push(Arc::new(segment));
    }
    Ok(Seen { segments, end, producers, is_whole })
}

/// Notes every good batch from `place` on, and gives the offset after the last.
fn look(
    segment: &Segment,
    mut place: u64,
    mut next_offset: i64,
    producers: &mut Producers,
) -> Result<i64, LogError> {
    segment.set_size_bytes(segment.file_bytes()?);
    loop {
        let end = scan(segment, place, |header, at, bytes| {
            segment.note(header.base_offset, at, header.max_timestamp_ms);
            note(producers, header, bytes);
        })?;
        next_offset = end.next_offset.unwrap_or(next_offset);
        let behind = match end.fault {
            Some(_) => {
                let (place, base) = (end.place, Some(next_offset));
                resync(Damaged { segment, place, base, offset: next_offset, hint: None })?
            }
            None => None,
        };
        let Some((good, offset)) = behind else {
            // What follows is being written now, or was torn: the owner will judge it.
            segment.set_size_bytes(end.place);
            return Ok(next_offset);
        };
        (place, next_offset) = (good, offset);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::{Read, Reader};
    use crate::wire::{Builder, Codec, Stamp, batch_header, marker};

    fn batch(count: i32) -> Vec<u8> {
        let (mut builder, mut out) = (Builder::new(Codec::None, None), Vec::new());
        builder.begin(&mut out);
        builder.records().extend_from_slice(&[7; 100]);
        let stamp =
            Stamp { base_timestamp_ms: 1, max_timestamp_ms: 2, count, producer: (-1, -1, -1) };
        builder.finish(stamp, &mut out).unwrap();
        out
    }

    /// One record of a transaction of producer 7.
    fn of_transaction(sequence: i32) -> Vec<u8> {
        let mut batch = batch(1);
        batch_header::stamp(&mut batch, (7, 0, sequence), true);
        batch
    }

    #[test]
    fn one_who_looks_sees_growth_new_segments_and_what_retention_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t-0");
        let name = TopicPartition { topic: "t".into(), partition: 0 };
        let settings = Settings { segment_bytes: 400 };
        let (owner, _) = Partition::open(&path, name.clone(), settings, 0).unwrap();
        owner.append(&batch(2), 0).unwrap();

        let seen = Arc::new(Partition::peek(&path, name, 0).unwrap());
        assert_eq!((seen.start(), seen.end()), (0, 2));
        assert!(!seen.refresh().unwrap());
        for _ in 0..9 {
            owner.append(&batch(2), 0).unwrap();
        }
        assert!(seen.refresh().unwrap());
        assert_eq!(seen.end(), 20);
        assert_eq!(seen.segments().len(), owner.segments().len());
        let mut reader = Reader::new(Arc::clone(&seen), 0);
        let mut offsets = Vec::new();
        while let Read::Batch(header, _) = reader.read().unwrap() {
            offsets.push(header.base_offset);
        }
        assert_eq!(offsets, (0..10).map(|number| number * 2).collect::<Vec<_>>());

        owner.delete_before(10).unwrap();
        seen.refresh().unwrap();
        assert_eq!(seen.start(), owner.start());
    }

    #[test]
    fn one_who_looks_knows_transactions_and_where_the_partition_begins() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t-0");
        let name = TopicPartition { topic: "t".into(), partition: 0 };
        let settings = Settings { segment_bytes: 400 };
        let (owner, _) = Partition::open(&path, name.clone(), settings, 0).unwrap();
        let mut seen: Option<Partition> = None;
        for round in 0..6 {
            owner.append(&of_transaction(round), 0).unwrap();
            owner.append(&batch(1), 0).unwrap();
            let fresh = Partition::peek(&path, name.clone(), 2).unwrap();
            let seen = seen.get_or_insert_with(|| Partition::peek(&path, name.clone(), 0).unwrap());
            seen.refresh().unwrap();
            assert_eq!((fresh.start(), seen.start()), (2, 0));
            for one in [&fresh, seen] {
                assert_eq!(one.stable(), owner.stable());
                assert_eq!(one.aborted(0, 100), owner.aborted(0, 100));
            }
            owner.append(&marker((7, 0), round % 2 == 0, 0, 2), 0).unwrap();
        }
        assert!(owner.segments().len() > 3);
        assert_eq!(owner.aborted(0, 100).len(), 3);
    }
}
