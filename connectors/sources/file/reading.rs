//! Reads what follows the offset of a file.
//!
//! A byte order mark at the start of a file is no part of its first line. NUL at the start of a line is left out
//! (`framing/lines.rs`); where a whole read is NUL, the file system is asked where data begins again, so that a hole
//! costs nothing. NUL that nothing follows is not passed: it may be space that was set aside, and is still to be written.

use std::fs::File;
use std::ops::Range;

use anabranch_record::origin::Origin;
use anabranch_record::{Batch, Buffer, Pool, Position};
use rustix::fs::SeekFrom;
use rustix::io::Errno;

use super::identity;
use super::position::{self, Mark};
use super::read::Read;
use super::settings::Settings;
use super::tail::Tail;
use crate::contract::clock;
use crate::shared::framing::byte_order_mark;
use crate::shared::framing::lines::{self, Before, Lines, Used};

/// Bytes that are read at a time.
pub(super) const QUANTUM: usize = 1 << 20;

/// Bytes of a read below which they are copied, so that a trickle does not hold large buffers.
const SMALL: usize = 64 << 10;

/// Least distance of marks inside of a read.
const BETWEEN_MIN: usize = 16;

/// What reading needs beside the file; used again for every file.
#[derive(Debug)]
pub(super) struct Desk {
    /// Buffers that batches are made of.
    pub(super) pool: Pool,
    spans: Vec<(usize, usize, bool)>,
}

impl Desk {
    /// With `keep` buffers.
    pub(super) fn new(keep: usize) -> Self {
        Self { pool: Pool::new(keep, QUANTUM * 4), spans: Vec::new() }
    }
}

impl Tail {
    /// Reads up to about [`QUANTUM`] bytes; with `flush`, an unterminated last line too.
    ///
    /// The bytes before the offset are read with the others and prove it. What is left of the last line is read again
    /// the next time: it is never kept in memory.
    ///
    /// `None` when the bytes before the offset are not those that were read.
    ///
    /// # Errors
    /// What the system said.
    pub(super) fn read(
        &self,
        desk: &mut Desk,
        settings: &Settings,
        flush: bool,
    ) -> Result<Option<Read>, Errno> {
        let Some(file) = &self.file else { return Err(Errno::BADF) };
        let tail = self.mark.tail_length as usize;
        let from = self.mark.offset - u64::from(self.mark.tail_length);
        let mut buffer = desk.pool.take();
        // Where a file is written into space that was set aside, each look would read much of that.
        let mut more = if self.blank > 0 { SMALL } else { QUANTUM - tail };
        let mut wanted = tail + more;
        loop {
            let have = buffer.len();
            let ended = position::fill_at(file, from + have as u64, wanted - have, &mut buffer)?;
            if have == 0 && !self.mark.fits(buffer.get(..tail).unwrap_or(&buffer)) {
                return Ok(None);
            }
            let data = buffer.get(tail..).unwrap_or_default();
            let (text, aside, ended) = self.text_in(file, data, ended)?;
            let data = data.get(..text).unwrap_or_default();
            let used = self.split(data, settings, flush && ended, &mut desk.spans);
            let rest = data.get(used.bytes..).unwrap_or_default();
            let blank = if used.is_blank { rest.len() } else { 0 };
            if blank > 0 && used.bytes == 0 {
                return self.read_behind(file, blank as u64, buffer).map(Some);
            }
            if !ended && desk.spans.is_empty() && used.left_out > 0 && used.before == Before::Part {
                return self.skip_hole(file, used).map(Some);
            }
            if used.bytes > 0 || ended {
                let mut mark = self.mark.advance(&buffer, used.bytes);
                mark.before = used.before;
                let open_length = (rest.len() - blank) as u64;
                let (blank, left_out) = (blank as u64 + aside, used.left_out);
                let between = self.between(&buffer, used.bytes);
                let position = self.position(&mark, &between);
                let batch = self.batch(buffer, used.bytes, (position, &desk.spans));
                let read = Read { batch, mark, between, open_length, blank, left_out, ended };
                return Ok(Some(read));
            }
            // A line longer than all this: at least as much again, until it ends or may be cut.
            more = more.max(have);
            wanted += more;
        }
    }

    /// Marks inside of what was read, so that a copy which ends there is known to be one: dense at its end, where a copy
    /// most likely ends that was made while the file grew, and at the start of a file.
    fn between(&self, bytes: &[u8], used: usize) -> Vec<Mark> {
        let halves = |most| {
            let halves = std::iter::successors(Some(most), |step| Some(step / 2));
            halves.take_while(|step| *step >= BETWEEN_MIN)
        };
        let begin = halves(used / 4).filter(|_| self.mark.offset == 0);
        let mut at: Vec<usize> = halves(used / 2).map(|step| used - step).chain(begin).collect();
        at.sort_unstable();
        at.into_iter().map(|used| self.mark.advance(bytes, used)).collect()
    }

    /// How much of `data` is before the NUL with which the file ends, how much of that there is, and whether the file ends
    /// there. What was set aside is passed nowhere: a line may still be written into it, or be ended.
    fn text_in(&self, file: &File, data: &[u8], ended: bool) -> Result<(usize, u64, bool), Errno> {
        let text = data.len() - lines::nuls_at_end(data);
        if ended || text == data.len() {
            return Ok((text, (data.len() - text) as u64, ended));
        }
        let end = self.mark.offset + data.len() as u64;
        if next_data(file, end)?.is_some() {
            return Ok((data.len(), 0, false));
        }
        let begin = self.mark.offset + text as u64;
        Ok((text, identity::stat_open(file)?.size.saturating_sub(begin), true))
    }

    /// Goes on behind a hole inside of a line, of which nothing but NUL was found so far.
    fn skip_hole(&self, file: &File, used: Used) -> Result<Read, Errno> {
        let end = self.mark.offset + used.bytes as u64;
        let mut mark = Mark::at(file, next_data(file, end)?.unwrap_or(end));
        mark.before = Before::Part;
        let (batch, between, open_length, blank, ended) = Default::default();
        Ok(Read { batch, mark, between, open_length, blank, left_out: used.left_out, ended })
    }

    /// Goes on where something follows NUL at a line's start, of which there are at least `blank` bytes.
    fn read_behind(&self, file: &File, blank: u64, mut buffer: Buffer) -> Result<Read, Errno> {
        let offset = self.mark.offset;
        let known = offset + blank.max(self.blank);
        let read = |mark, blank, left_out, ended| {
            let (batch, between, open_length) = Default::default();
            Ok(Read { batch, mark, between, open_length, blank, left_out, ended })
        };
        let Some(data) = next_data(file, known)? else {
            let size = identity::stat_open(file)?.size;
            return read(self.mark, size.saturating_sub(offset), 0, true);
        };
        buffer.clear();
        let ended = position::fill_at(file, data, QUANTUM, &mut buffer)?;
        let nuls = lines::nuls(&buffer);
        let behind = data + nuls as u64;
        if nuls == buffer.len() {
            return read(self.mark, behind - offset, 0, ended);
        }
        let mut mark = Mark::at(file, behind);
        mark.before = Before::Nuls;
        read(mark, 0, u64::from(self.mark.before != Before::Nuls), false)
    }

    /// Finds the lines of `data` and says how much of it they use up.
    fn split(
        &self,
        data: &[u8],
        settings: &Settings,
        flush: bool,
        spans: &mut Vec<(usize, usize, bool)>,
    ) -> Used {
        spans.clear();
        let skip = match self.mark.offset {
            0 => data.len() - byte_order_mark::strip(data).len(),
            _ => 0,
        };
        let body = data.get(skip..).unwrap_or_default();
        let lines = Lines { length_max: settings.max_line_bytes, keeps_nuls: self.is_wide() };
        let mut push = |range: Range<usize>, more| {
            spans.push((skip + range.start, skip + range.end, more));
        };
        let mut used = lines.split(body, self.mark.before, &mut push);
        if flush {
            used = lines.flush(body, used, push);
        }
        Used { bytes: skip + used.bytes, ..used }
    }

    /// Whether its letters have more than one byte, by how it begins.
    pub(super) fn is_wide(&self) -> bool {
        let mut begin = Vec::new();
        let read = self.file.as_ref().map(|file| position::fill_at(file, 0, 2, &mut begin));
        read.is_some_and(|read| read.is_ok()) && byte_order_mark::is_wide(&begin)
    }

    fn batch(
        &self,
        mut buffer: Buffer,
        used: usize,
        (position, spans): (Position, &[(usize, usize, bool)]),
    ) -> Option<Batch> {
        if spans.is_empty() {
            return None;
        }
        let mut base = self.mark.tail_length as usize;
        if used < SMALL {
            buffer = buffer.get(base..base + used).unwrap_or_default().to_vec().into();
            base = 0;
        } else {
            buffer.truncate(base + used);
        }
        let mut batch = Batch::new(buffer, self.headers.clone(), clock::now_ms(), self.stream);
        for (start, end, continued) in spans {
            batch.push(base + start..base + end);
            if *continued {
                batch.set_header("continued", b"true");
            }
        }
        // The buffer begins so much before the mark.
        let origin = Origin { text: self.text(), base: self.mark.offset - base as u64 };
        batch.set_origin(origin);
        batch.set_position(position);
        batch.set_chain(self.chain.clone());
        Some(batch)
    }
}

/// Where data begins at or behind `offset`; `None` when there is none.
fn next_data(file: &File, offset: u64) -> Result<Option<u64>, Errno> {
    match rustix::fs::seek(file, SeekFrom::Data(offset)) {
        Ok(at) => Ok(Some(at.max(offset))),
        Err(Errno::NXIO) => Ok(None),
        // A file system that does not know holes.
        Err(Errno::INVAL | Errno::OPNOTSUPP | Errno::NOSYS) => Ok(Some(offset)),
        Err(cause) => Err(cause),
    }
}
