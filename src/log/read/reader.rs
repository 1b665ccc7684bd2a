//! Reads a partition batch by batch, in order, while it is appended to.

use std::sync::Arc;

use crate::log::recovery::resync::{Damaged, resync};
use crate::log::segment::Segment;
use crate::log::{LogError, Partition};
use crate::wire::{BatchError, BatchHeader};

/// Bytes read at once.
const CHUNK_BYTES: usize = 512 << 10;

/// A reader with its place. Reads ahead about half a mebibyte.
#[derive(Debug)]
pub struct Reader {
    partition: Arc<Partition>,
    next_offset: i64,
    segment: Option<Arc<Segment>>,
    /// Where in the segment the buffer begins.
    place: u64,
    /// Base offset of the next batch in the file, where it is known.
    expected: Option<i64>,
    buffer: Vec<u8>,
    used: usize,
}

/// What comes next.
#[derive(Debug)]
pub enum Read<'a> {
    /// A batch whose sum is right; it may begin before the offset that was asked for.
    Batch(BatchHeader, &'a [u8]),
    /// Offsets that are not there: reading goes on behind them.
    Damage(Damage),
    /// Nothing more for now.
    End,
}

/// A range of offsets that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The first that is lost.
    pub from: i64,
    /// The first that is there again.
    pub to: i64,
    /// Why: damage, or they were removed by retention before they were read.
    pub reason: String,
    /// Whether they were removed, so that nothing is wrong with the log.
    pub is_removal: bool,
}

impl Damage {
    /// Offsets that are damaged or missing.
    #[must_use]
    pub const fn new(from: i64, to: i64, reason: String) -> Self {
        Self { from, to, reason, is_removal: false }
    }
}

impl Reader {
    /// Reads from `offset` on.
    #[must_use]
    pub const fn new(partition: Arc<Partition>, offset: i64) -> Self {
        Self {
            partition,
            next_offset: offset,
            segment: None,
            place: 0,
            expected: None,
            buffer: Vec::new(),
            used: 0,
        }
    }

    /// The offset that comes next.
    #[must_use]
    pub const fn next_offset(&self) -> i64 {
        self.next_offset
    }

    /// The partition that it reads.
    #[must_use]
    pub const fn partition(&self) -> &Arc<Partition> {
        &self.partition
    }

    /// Goes to another offset.
    pub fn seek(&mut self, offset: i64) {
        self.next_offset = offset;
        self.segment = None;
    }

    /// Goes to the first batch that may hold a record of `timestamp_ms` or later; `false` when all are older.
    pub fn seek_time(&mut self, timestamp_ms: i64) -> bool {
        let Some((segment, place)) = self.partition.find_time(timestamp_ms) else {
            self.seek(self.partition.end());
            return false;
        };
        self.next_offset = segment.base_offset();
        self.enter(segment, place);
        true
    }

    /// The next batch.
    ///
    /// # Errors
    /// [`LogError`] when the files cannot be read.
    pub fn read(&mut self) -> Result<Read<'_>, LogError> {
        loop {
            if self.next_offset >= self.partition.end() || self.partition.is_deleted() {
                return Ok(Read::End);
            }
            let Some(segment) = self.here()? else {
                if self.partition.is_deleted() {
                    return Ok(Read::End);
                }
                return Ok(Read::Damage(self.removed()));
            };
            let rest = self.buffer.get(self.used..).unwrap_or_default();
            let at_end = rest.is_empty();
            let header = match BatchHeader::verify(rest) {
                Ok(header) => header,
                Err(BatchError::Short { need, .. }) if self.fill(&segment, need)? => continue,
                Err(BatchError::Short { .. }) if at_end && self.go_on(&segment) => {
                    if let Some(gap) = self.gap() {
                        return Ok(Read::Damage(gap));
                    }
                    continue;
                }
                Err(BatchError::Short { .. }) if at_end => return Ok(Read::End),
                Err(fault) => match self.skip_damage(&segment, &fault)? {
                    Some(damage) => return Ok(Read::Damage(damage)),
                    None => continue,
                },
            };
            if self.expected.is_some_and(|expected| header.base_offset != expected) {
                let value = header.base_offset;
                let fault = BatchError::Impossible { field: "base offset", value };
                match self.skip_damage(&segment, &fault)? {
                    Some(damage) => return Ok(Read::Damage(damage)),
                    None => continue,
                }
            }
            self.expected = Some(header.next_offset());
            let start = self.used;
            self.used += header.size_bytes;
            if header.next_offset() <= self.next_offset {
                continue;
            }
            self.next_offset = header.next_offset();
            let batch = self.buffer.get(start..self.used).unwrap_or_default();
            return Ok(Read::Batch(header, batch));
        }
    }

    /// Lets go of the memory that holds what it has read of its segment.
    pub fn leave_memory(&self) {
        if let Some(segment) = &self.segment {
            segment.let_go(self.place);
        }
    }

    /// Gives back the memory of what was read ahead, if all of it was used.
    pub fn release(&mut self) {
        if self.used == self.buffer.len() {
            self.place += self.used as u64;
            self.used = 0;
            self.buffer = Vec::new();
        }
    }

    /// The segment in hand; looked up when there is none. `None` when the offset is no longer kept.
    fn here(&mut self) -> Result<Option<Arc<Segment>>, LogError> {
        if let Some(segment) = self.segment.as_ref().filter(|segment| !segment.is_replaced()) {
            return Ok(Some(Arc::clone(segment)));
        }
        if self.next_offset < self.partition.start() {
            return Ok(None);
        }
        let Some((segment, place)) = self.partition.find(self.next_offset) else {
            return Ok(None);
        };
        self.enter(Arc::clone(&segment), place);
        Ok(Some(segment))
    }

    fn enter(&mut self, segment: Arc<Segment>, place: u64) {
        self.expected = (place == 0).then(|| segment.base_offset());
        self.segment = Some(segment);
        self.place = place;
        self.buffer.clear();
        self.used = 0;
    }

    /// Reads on in the segment until `need` bytes are there; `false` at its end.
    fn fill(&mut self, segment: &Segment, need: usize) -> Result<bool, LogError> {
        self.buffer.drain(..self.used);
        self.place += self.used as u64;
        self.used = 0;
        let have = self.buffer.len();
        let want = need.max(CHUNK_BYTES) - have.min(need);
        let got = segment.read_at(self.place + have as u64, want, &mut self.buffer)?;
        Ok(got > 0)
    }

    /// Goes to the segment after `segment`; `false` when there is none.
    fn go_on(&mut self, segment: &Segment) -> bool {
        let next = self.partition.find_after(segment, self.next_offset);
        let Some((next, place)) = next else { return false };
        self.enter(next, place);
        true
    }

    /// What is missing before the segment that was entered: files that retention has removed meanwhile, or one that
    /// was taken away.
    fn gap(&mut self) -> Option<Damage> {
        let (from, to) = (self.next_offset, self.segment.as_ref()?.base_offset());
        if to <= from {
            return None;
        }
        if from < self.partition.start() {
            return Some(self.removed());
        }
        self.next_offset = to;
        Some(Damage::new(from, to, "a file of the log is missing".to_owned()))
    }

    fn removed(&mut self) -> Damage {
        let (from, to) = (self.next_offset, self.partition.start().max(self.next_offset + 1));
        self.seek(to);
        let reason = "removed by retention before it was read".to_owned();
        Damage { from, to, reason, is_removal: true }
    }

    /// Goes on behind damage; `None` when all that was wanted is there.
    fn skip_damage(
        &mut self,
        segment: &Arc<Segment>,
        fault: &BatchError,
    ) -> Result<Option<Damage>, LogError> {
        let place = self.place + self.used as u64;
        let from = self.next_offset;
        let (base, hint) = (self.expected, None);
        match resync(Damaged { segment, place, base, offset: from, hint })? {
            Some((good, base)) => {
                self.enter(Arc::clone(segment), good);
                self.expected = Some(base);
                self.next_offset = base.max(from);
            }
            None if from < self.partition.start() => return Ok(Some(self.removed())),
            None => {
                let next = self.partition.find_after(segment, from);
                let base = next.map(|(next, _place)| next.base_offset().max(from + 1));
                self.seek(base.unwrap_or_else(|| self.partition.end()));
            }
        }
        let to = self.next_offset;
        let damage = || Damage::new(from, to, segment.damage_at(place, fault));
        Ok((to > from).then(damage))
    }
}
