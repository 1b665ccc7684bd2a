//! Segments that become one: written aside, then put in their place.

use std::sync::Arc;

use crate::log::compact::batches::Batches;
use crate::log::compact::cleaner::{Cleaner, Fate};
use crate::log::partition::producers::Producers;
use crate::log::segment::Segment;
use crate::log::{LogError, Partition, disk, sync_parent};
use crate::wire::{BatchHeader, HEADER_BYTES};

/// Offsets without records.
#[derive(Debug, Clone, Copy)]
struct Hole {
    from: i64,
    to: i64,
    epoch: i32,
}

impl Hole {
    /// Goes on over the offsets of `header`, if one batch can say so.
    fn grow(&mut self, header: &BatchHeader) -> bool {
        let is_next = self.to == header.base_offset && self.epoch == header.epoch;
        let fits = header.next_offset() - self.from <= i64::from(i32::MAX);
        if is_next && fits {
            self.to = header.next_offset();
        }
        is_next && fits
    }

    /// A batch without records, of nobody, whose latest time is before all others.
    fn batch(self) -> Vec<u8> {
        let mut batch = vec![0; HEADER_BYTES];
        let header = BatchHeader {
            base_offset: self.from,
            size_bytes: HEADER_BYTES,
            epoch: self.epoch,
            crc: 0,
            attributes: 0,
            last_offset_delta: i32::try_from(self.to - self.from - 1).unwrap_or(i32::MAX),
            base_timestamp_ms: -1,
            max_timestamp_ms: -1,
            producer_id: -1,
            producer_epoch: -1,
            base_sequence: -1,
            count: 0,
        };
        header.seal(&mut batch);
        batch
    }
}

/// Some segments of a partition, and the one that will replace them.
pub(super) struct Group<'a> {
    partition: &'a Partition,
    sources: Vec<Arc<Segment>>,
    aside: Option<Segment>,
    /// Offset behind the last source.
    end: i64,
    limit_bytes: u64,
    hole: Option<Hole>,
    has_changed: bool,
}

impl<'a> Group<'a> {
    /// Begins a group whose first segment has that base offset; `None` when the partition's folder is gone.
    pub(super) fn begin(partition: &'a Partition, base: i64) -> Result<Option<Self>, LogError> {
        let limit = partition.settings.read().segment_bytes;
        let _held = partition.files.lock();
        if partition.is_deleted() {
            return Ok(None);
        }
        let aside = Segment::create_aside(&partition.folder, base)?;
        Ok(Some(Self {
            partition,
            sources: Vec::new(),
            aside: Some(aside),
            end: base,
            limit_bytes: limit,
            hole: None,
            has_changed: false,
        }))
    }

    /// Whether `segment` comes next and fits, though nothing of it should go.
    pub(super) fn has_room_for(&self, segment: &Segment) -> bool {
        let bytes = self.aside.as_ref().map_or(0, Segment::size_bytes) + segment.size_bytes();
        self.end == segment.base_offset() && bytes <= self.limit_bytes
    }

    /// Takes in what is left of a segment; `false` when told to stop.
    pub(super) fn take(
        &mut self,
        segment: Arc<Segment>,
        cleaner: &mut Cleaner<'_>,
    ) -> Result<bool, LogError> {
        let mut batches = Batches::new(&segment);
        while let Some((header, bytes)) = batches.next()? {
            if cleaner.must_stop() {
                return Ok(false);
            }
            match cleaner.judge(&header, bytes) {
                Fate::Go => self.open_hole(&header)?,
                Fate::Keep => self.put(bytes)?,
                Fate::Become(batch) => {
                    self.has_changed = true;
                    self.put(&batch)?;
                }
            }
        }
        self.end = batches.next_offset();
        self.sources.push(segment);
        Ok(true)
    }

    fn open_hole(&mut self, header: &BatchHeader) -> Result<(), LogError> {
        if self.hole.as_mut().is_some_and(|hole| hole.grow(header)) {
            self.has_changed = true;
            return Ok(());
        }
        self.has_changed |= header.count > 0 || header.producer_id >= 0;
        self.close_hole()?;
        let (from, to) = (header.base_offset, header.next_offset());
        self.hole = Some(Hole { from, to, epoch: header.epoch });
        Ok(())
    }

    fn close_hole(&mut self) -> Result<(), LogError> {
        match self.hole.take() {
            Some(hole) => self.put(&hole.batch()),
            None => Ok(()),
        }
    }

    fn put(&mut self, batch: &[u8]) -> Result<(), LogError> {
        self.close_hole()?;
        let (Some(aside), Ok(header)) = (&self.aside, BatchHeader::parse(batch)) else {
            return Ok(());
        };
        let span = (header.base_offset, header.next_offset());
        aside.append(batch, &[], span, header.max_timestamp_ms)
    }

    /// Puts the new segment in the place of the old ones, if it differs; gives its bytes.
    pub(super) fn finish(mut self, cleaner: &mut Cleaner<'_>) -> Result<u64, LogError> {
        self.close_hole()?;
        let bytes = self.sources.iter().map(|segment| segment.size_bytes()).sum();
        let gone_aborts = cleaner.take_gone_aborts();
        if !self.has_changed && self.sources.len() < 2 {
            return Ok(bytes);
        }
        let written = self.sources.iter().filter_map(|segment| segment.modified()).max();
        if let Some(aside) = &self.aside {
            aside.seal_aside(written)?;
        }
        let _held = self.partition.files.lock();
        if self.partition.is_deleted() || !self.partition.holds(&self.sources) {
            // Retention or a person was faster.
            return Ok(bytes);
        }
        self.partition.forget_aborted(&gone_aborts)?;
        let Some(aside) = self.aside.take() else { return Ok(bytes) };
        self.replace(aside)
    }

    fn replace(&self, aside: Segment) -> Result<u64, LogError> {
        // What producers had done by the end of the last of them holds at the end of the new one.
        let last = self.sources.last();
        let producers =
            last.and_then(|last| disk::read(&last.path().with_extension("producers")).ok());
        if let Err(error) = aside.put_in_place() {
            aside.discard_aside();
            return Err(error);
        }
        let segment = Arc::new(aside);
        self.partition.swap(&self.sources, &segment);
        sync_parent(segment.path())?;
        segment.write_hints(producers.as_deref())?;
        for source in self.sources.iter().skip(1) {
            source.delete()?;
        }
        sync_parent(segment.path())?;
        Ok(segment.size_bytes())
    }
}

impl Drop for Group<'_> {
    fn drop(&mut self) {
        if let Some(aside) = &self.aside {
            aside.discard_aside();
        }
    }
}

impl Partition {
    /// Whether these segments are still there, side by side.
    fn holds(&self, sources: &[Arc<Segment>]) -> bool {
        let segments = self.segments();
        let same = |window: &[Arc<Segment>]| {
            window.iter().zip(sources).all(|(one, other)| Arc::ptr_eq(one, other))
        };
        segments.windows(sources.len().max(1)).any(same)
    }

    /// From now on readers find `segment` in place of `sources`.
    fn swap(&self, sources: &[Arc<Segment>], segment: &Arc<Segment>) {
        let mut segments = self.segments.write();
        let is_first =
            |one: &Arc<Segment>| sources.first().is_some_and(|first| Arc::ptr_eq(one, first));
        let Some(at) = segments.iter().position(is_first) else { return };
        let behind = (at + sources.len()).min(segments.len());
        segments.splice(at..behind, [Arc::clone(segment)]);
        for source in sources {
            source.set_replaced();
        }
        drop(segments);
        self.cursors.lock().clear();
    }

    /// Forgets aborted transactions whose markers go, in memory and in the hints: a reader would wait for them.
    fn forget_aborted(&self, markers: &[i64]) -> Result<(), LogError> {
        if markers.is_empty() {
            return Ok(());
        }
        self.producers().forget_aborted(markers);
        for segment in self.segments() {
            let path = segment.path().with_extension("producers");
            let Ok(file) = disk::read(&path) else { continue };
            let Some(mut known) = Producers::decode(&file) else { continue };
            let end = Producers::speaks_up_to(&file).unwrap_or_default();
            if known.forget_aborted(markers) {
                disk::write(&path, &known.encode(end)).map_err(LogError::io("write", &path))?;
            }
        }
        Ok(())
    }
}
