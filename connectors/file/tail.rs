//! One file that is followed: its handle, how far it is read, and what is on its way to the hub.

use std::collections::VecDeque;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::Duration;

use rustix::io::Errno;
use tokio::time::Instant;

use super::identity::Identity;
use super::position::{self, Mark, Value};
use super::source::Settings;
use super::waiting::Waiting;
use crate::framing::lines;
use crate::{Batch, Buffer, Chain, Headers, Pool, Position, clock};

/// Bytes that are read at a time.
pub(super) const QUANTUM: usize = 1 << 20;

/// Bytes of a read below which they are copied, so that a trickle does not hold large buffers.
const SMALL: usize = 64 << 10;

/// Marks that are remembered of one generation: the copy that a truncation follows may be many reads behind, since it
/// is brought to the disk first.
const PASSED_MAX: usize = 16;

/// Truncations whose copies may still be found.
const GENERATIONS_MAX: usize = 16;

/// How long an unterminated line is waited for once nobody is expected to write on.
const PARTIAL_ROTATED: Duration = Duration::from_secs(1);

/// A followed file.
#[derive(Debug)]
pub(super) struct Tail {
    /// Which file it is.
    pub(super) identity: Identity,
    /// Path that its records are known by.
    pub(super) path: PathBuf,
    /// Where it was last seen, links resolved.
    pub(super) place: PathBuf,
    /// The handle, while it is open.
    pub(super) file: Option<File>,
    /// How far it is read and handed on.
    pub(super) mark: Mark,
    /// Marks that it has passed, each with its generation, the latest first; those of an earlier generation begin with
    /// how far it had been read when it was truncated.
    pub(super) passed: VecDeque<(u32, Mark)>,
    /// Counts truncations.
    pub(super) generation: u32,
    /// What was read and goes once more before it: what the files before it have got meanwhile.
    pub(super) waiting: Option<Waiting>,
    /// Bytes of the line at its end that has no end yet; of a copy in the making, all its bytes.
    pub(super) open_length: u64,
    /// Whether the last read came to the end.
    pub(super) at_end: bool,
    /// Whether the hub has a position of it.
    pub(super) held: bool,
    /// Whether the hub must have a position before anything is read.
    pub(super) anchor: Anchor,
    /// When bytes last came.
    pub(super) grown: Instant,
    /// Last change when it was last looked at, ns since the Unix epoch.
    pub(super) modified_ns: i128,
    /// When its path was last seen to lead to it, ms since the Unix epoch.
    pub(super) seen_ms: i64,
    /// The same, as the last position that was sent tells it.
    pub(super) sent_ms: i64,
    /// Paths known to lead to it.
    pub(super) names: u32,
    /// Whether it has lost the path that its records are known by.
    pub(super) rotated: bool,
    /// Since when no path is known to lead to it.
    pub(super) gone: Option<Instant>,
    /// The file that it seems to be an unfinished copy of.
    pub(super) copy_of: Option<Identity>,
    /// Files that were taken for unfinished copies of it.
    pub(super) copies: Vec<Identity>,
    /// When it began to be what it is, or what was between was last looked for, ms since the Unix epoch.
    pub(super) looked_ms: i64,
    /// Files that are read before it.
    pub(super) after: Vec<Identity>,
    /// Files that wait for the end of this one.
    pub(super) followers: Vec<Identity>,
    /// Batches on their way.
    pub(super) flights: VecDeque<Flight>,
    /// Where to read again, once all that is on its way has ended.
    pub(super) rewind: Option<Mark>,
    /// Records that are then read again.
    pub(super) refused: u64,
    /// Batches that are handed on build on each other.
    pub(super) chain: Chain,
    /// Not read before this moment.
    pub(super) retry_at: Option<Instant>,
    /// Whether it is in the queue of those to read.
    pub(super) queued: bool,
    /// The moment for which it is in the queue of timers.
    pub(super) timer: Option<Instant>,
    /// What its records belong to, for their order.
    pub(super) stream: u64,
    headers: Headers,
}

/// A position that is stored by itself, before anything is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchor {
    /// Not needed, or stored.
    Down,
    /// To be sent.
    Wanted,
    /// On its way.
    Sent,
}

/// A batch on its way.
#[derive(Debug)]
pub(super) struct Flight {
    /// Its number.
    pub(super) number: u64,
    /// Where it begins.
    pub(super) before: Mark,
    /// Of which generation of the file.
    pub(super) generation: u32,
    /// Records in it; 0 of an anchor.
    pub(super) records: u64,
}

/// What follows the offset.
#[derive(Debug)]
pub(super) struct Read {
    /// Lines, if there are any.
    pub(super) batch: Option<Batch>,
    /// The mark behind them.
    pub(super) mark: Mark,
    /// Bytes of the unterminated line behind the mark.
    pub(super) open_length: u64,
    /// Whether the file ended there.
    pub(super) ended: bool,
}

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
    /// A file that is known by `path` and read from `mark` on.
    pub(super) fn new(
        (identity, path, place): (Identity, PathBuf, PathBuf),
        host: &str,
        mark: Mark,
    ) -> Self {
        let name = path.as_os_str().as_bytes();
        let headers = Headers::new().with("host", host.as_bytes()).with("path", name);
        let stream = crate::batch::stream_of(name);
        Self {
            identity,
            path,
            place,
            file: None,
            mark,
            passed: VecDeque::new(),
            generation: 0,
            waiting: None,
            open_length: 0,
            at_end: false,
            held: false,
            anchor: Anchor::Down,
            grown: Instant::now(),
            modified_ns: 0,
            seen_ms: clock::now_ms(),
            sent_ms: 0,
            names: 0,
            rotated: false,
            gone: None,
            copy_of: None,
            copies: Vec::new(),
            looked_ms: clock::now_ms(),
            after: Vec::new(),
            followers: Vec::new(),
            flights: VecDeque::new(),
            rewind: None,
            refused: 0,
            chain: Chain::default(),
            retry_at: None,
            queued: false,
            timer: None,
            headers,
            stream,
        }
    }

    /// Goes on behind `mark`, and remembers where it was.
    pub(super) fn pass(&mut self, mark: Mark) {
        let before = std::mem::replace(&mut self.mark, mark);
        if before.offset > 0 && before != mark {
            let generation = self.generation;
            self.passed.push_front((generation, before));
            if self.passed.get(PASSED_MAX).is_some_and(|(of, _)| *of == generation) {
                // Every second one, so that one of long ago is always among them.
                let mut numbers = 0..;
                self.passed.retain(|(of, _)| {
                    *of != generation || numbers.next().is_none_or(|number| number % 2 == 0)
                });
            }
        }
    }

    /// Begins anew: what is there now has not been read.
    pub(super) fn begin_generation(&mut self) {
        self.passed.push_front((self.generation, std::mem::take(&mut self.mark)));
        self.passed.truncate(PASSED_MAX * GENERATIONS_MAX);
        self.generation += 1;
        self.chain = Chain::default();
        self.waiting = None;
        self.at_end = false;
        self.looked_ms = clock::now_ms();
    }

    /// How far `copy`, of `size` bytes, is read, when it was made of this file in its generation `of`.
    ///
    /// That is as far as the file was read, or to the copy's end, if the file has grown and was read on after that.
    pub(super) fn read_in(&self, copy: &File, size: u64, of: u32) -> Option<Mark> {
        let current = (of == self.generation).then_some(self.mark);
        let passed = self.passed.iter().filter(|(generation, _)| *generation == of);
        let mut marks = current.into_iter().chain(passed.map(|(_, mark)| *mark));
        let last = marks.next().filter(|mark| mark.offset > 0)?;
        if size >= last.offset {
            return last.proved_by(copy).then_some(last);
        }
        let below = marks.filter(|mark| mark.offset <= size).max_by_key(|mark| mark.offset)?;
        below.proved_by(copy).then(|| Mark::at(copy, size))
    }

    /// The same for a copy that was made before one of the truncations.
    pub(super) fn read_before(&self, copy: &File, size: u64) -> Option<Mark> {
        let mut generations: Vec<u32> =
            self.passed.iter().map(|(generation, _)| *generation).collect();
        generations.dedup();
        generations.retain(|generation| *generation != self.generation);
        generations.into_iter().find_map(|generation| self.read_in(copy, size, generation))
    }

    /// The position that says that everything before `mark` is read.
    pub(super) fn position(&self, mark: &Mark) -> Position {
        let value = Value::encode(mark, self.seen_ms, &self.path, &self.place);
        Position { key: self.identity.encode(), value: Some(value) }
    }

    /// Whether the unterminated line has been waited for long enough.
    pub(super) fn partial_due(&self, settings: &Settings) -> Option<Instant> {
        let left = self.rotated || self.gone.is_some();
        let wait = settings.partial_line_timeout;
        let wait = if left { wait.min(PARTIAL_ROTATED) } else { wait };
        (self.open_length > 0 && self.at_end && self.copy_of.is_none()).then(|| self.grown + wait)
    }

    /// When the handle is to be closed, or for a copy when it is to be judged.
    pub(super) fn close_due(&self, settings: &Settings) -> Option<Instant> {
        if self.copy_of.is_some() {
            return Some(self.grown + settings.rotate_wait);
        }
        if !self.at_end || (self.file.is_none() && self.gone.is_none()) {
            return None;
        }
        match self.gone {
            Some(gone) => Some(self.grown.max(gone) + settings.rotate_wait),
            None if self.rotated => Some(self.grown + settings.rotate_wait),
            None => Some(self.grown + settings.close_idle),
        }
    }

    /// The next moment at which something is due without anybody writing.
    pub(super) fn due(&self, settings: &Settings) -> Option<Instant> {
        let dues = [self.retry_at, self.partial_due(settings), self.close_due(settings)];
        dues.into_iter().flatten().min()
    }

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
        let mut more = QUANTUM - tail;
        let mut wanted = tail + more;
        loop {
            let have = buffer.len();
            let ended = position::fill_at(file, from + have as u64, wanted - have, &mut buffer)?;
            if have == 0 && !self.mark.fits(buffer.get(..tail).unwrap_or(&buffer)) {
                return Ok(None);
            }
            let data = buffer.get(tail..).unwrap_or_default();
            let used = self.split(data, settings, flush && ended, &mut desk.spans);
            if used > 0 || ended {
                let mark = self.mark.advance(&buffer, used);
                let open_length = (data.len() - used) as u64;
                let batch = self.batch(buffer, used, (&mark, &desk.spans));
                return Ok(Some(Read { batch, mark, open_length, ended }));
            }
            // A line longer than all this: at least as much again, until it ends or may be cut.
            more = more.max(have);
            wanted += more;
        }
    }

    /// Finds the lines of `data` and says how much of it they use up.
    fn split(
        &self,
        data: &[u8],
        settings: &Settings,
        flush: bool,
        spans: &mut Vec<(usize, usize, bool)>,
    ) -> usize {
        spans.clear();
        // The end of a line that was flushed without it is not a line.
        let skip = match data {
            [b'\n', ..] if self.mark.inside_line => 1,
            [b'\r', b'\n', ..] if self.mark.inside_line => 2,
            _ => 0,
        };
        let body = data.get(skip..).unwrap_or_default();
        let mut used = lines::split(body, settings.max_line_bytes, |range, more| {
            spans.push((skip + range.start, skip + range.end, more));
        });
        let rest = body.get(used..).unwrap_or_default();
        // The carriage return may belong to a line end that is still to come.
        let rest = rest.strip_suffix(b"\r").unwrap_or(rest);
        if flush && !rest.is_empty() {
            let end = used + rest.len();
            lines::cut(used..end, settings.max_line_bytes, &mut |range, more| {
                spans.push((skip + range.start, skip + range.end, more));
            });
            used = end;
        }
        skip + used
    }

    fn batch(
        &self,
        mut buffer: Buffer,
        used: usize,
        (mark, spans): (&Mark, &[(usize, usize, bool)]),
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
        batch.set_position(self.position(mark));
        batch.set_chain(self.chain.clone());
        Some(batch)
    }
}
