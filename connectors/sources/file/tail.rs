//! One file that is followed: its handle, how far it is read, and what is on its way to the hub.

use std::collections::VecDeque;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anabranch_record::origin::text_of;
use anabranch_record::{Chain, Headers, Position};
use tokio::time::Instant;

use super::identity::Identity;
use super::position::{self, Mark, PROOF_MAX, Value};
use super::settings::Settings;
use super::waiting::Waiting;
use crate::contract::clock;

/// Marks of all truncations whose copies may still be found.
const PASSED_MAX: usize = 512;

/// How long an unterminated line is waited for once nobody is expected to write on.
const PARTIAL_ROTATED: Duration = Duration::from_secs(1);

/// A followed file.
#[derive(Debug)]
pub(super) struct Tail {
    /// Which file it is.
    pub(super) identity: Identity,
    /// Path that its records are known by; shared with those who look it up by that.
    pub(super) path: Arc<Path>,
    /// Where it was last seen, links resolved.
    pub(super) place: Arc<Path>,
    /// Where it was when its path led to it, links resolved: beside that it is rotated.
    pub(super) home: Arc<Path>,
    /// The handle, while it is open.
    pub(super) file: Option<File>,
    /// How far it is read and handed on.
    pub(super) mark: Mark,
    /// Marks that it has passed, each with its generation, the latest first; those of an earlier generation begin with
    /// how far it had been read when it was truncated. The copy that a truncation follows may be many reads behind, since
    /// it is brought to the disk first.
    pub(super) passed: VecDeque<(u32, Mark)>,
    /// Names what was in it when it became known, wherever that is read.
    pub(super) first_text: u64,
    /// Counts truncations.
    pub(super) generation: u32,
    /// What was read and goes once more before it: what the files before it have got meanwhile.
    pub(super) waiting: Option<Box<Waiting>>,
    /// How long it was seen to be at most, since it was last truncated.
    pub(super) longest: u64,
    /// Bytes of the line at its end that has no end yet; of a copy in the making, all its bytes.
    pub(super) open_length: u64,
    /// NUL at its end, or as far as that was looked through: passed when something follows.
    pub(super) blank: u64,
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
    /// When its path was last seen to lead to it, as `Stat::seen_ms` tells it.
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
    /// When it became known, as `Stat::begun_ms` tells it.
    pub(super) begun_ms: i64,
    /// When it began to be what it is, or what was between was last looked for, as `Stat::seen_ms` tells it.
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
    pub(super) headers: Headers,
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

impl Tail {
    /// A file that is known by `path` and read from `mark` on.
    pub(super) fn new(
        (identity, path, place): (Identity, impl Into<Arc<Path>>, impl Into<Arc<Path>>),
        host: &str,
        mark: Mark,
    ) -> Self {
        let (path, place): (Arc<Path>, Arc<Path>) = (path.into(), place.into());
        let place = if place == path { Arc::clone(&path) } else { place };
        let name = path.as_os_str().as_bytes();
        let headers = Headers::new().with("host", host.as_bytes()).with("path", name);
        let stream = anabranch_record::batch::stream_of(name);
        Self {
            identity,
            path,
            home: Arc::clone(&place),
            place,
            file: None,
            mark,
            passed: VecDeque::new(),
            first_text: identity.text(),
            generation: 0,
            waiting: None,
            longest: 0,
            open_length: 0,
            blank: 0,
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
            begun_ms: clock::now_ms(),
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

    /// A path that it may know already, shared with it then.
    pub(super) fn share(&self, path: &Path) -> Arc<Path> {
        let known = [&self.path, &self.place, &self.home].into_iter().find(|one| ***one == *path);
        known.map_or_else(|| path.into(), Arc::clone)
    }

    /// Gives back room that it needed while it was read: there may be many that are read once.
    pub(super) fn rest(&mut self) {
        if self.flights.is_empty() {
            self.flights = VecDeque::new();
            self.passed.shrink_to_fit();
        }
    }

    /// Goes on behind `mark`, and remembers where it was and what lies `between`.
    pub(super) fn pass(&mut self, mark: Mark, between: &[Mark]) {
        let before = std::mem::replace(&mut self.mark, mark);
        if before == mark {
            return;
        }
        let generation = self.generation;
        let passed = std::iter::once(&before).chain(between).filter(|one| one.offset > 0);
        passed.for_each(|one| self.passed.push_front((generation, *one)));
        // The further back, the fewer: a copy may end at any of them, mostly a short way back.
        let first = self.passed.iter().filter(|(of, _)| *of == generation);
        let first = first.map(|(_, one)| one.offset).min();
        let mut distance = 0;
        self.passed.retain(|(of, one)| {
            let back = mark.offset.saturating_sub(one.offset);
            let is_kept = back > 2 * distance || (back > 0 && Some(one.offset) == first);
            distance = if *of == generation && is_kept { back } else { distance };
            *of != generation || is_kept
        });
    }

    /// Begins anew: what is there now has not been read.
    pub(super) fn begin_generation(&mut self) {
        self.passed.push_front((self.generation, std::mem::take(&mut self.mark)));
        self.passed.truncate(PASSED_MAX);
        self.generation += 1;
        self.chain = Chain::default();
        self.waiting = None;
        (self.blank, self.longest) = (0, 0);
        self.at_end = false;
    }

    /// Names what is in it now.
    pub(super) fn text(&self) -> u64 {
        self.text_of_generation(self.generation)
    }

    /// Names what was in a generation: each truncation begins a text that follows from the one before, so that it is the
    /// same one when a power cut has taken back that it had been seen.
    pub(super) fn text_of_generation(&self, generation: u32) -> u64 {
        (0..generation).fold(self.first_text, |text, _| text_of(&[&text.to_be_bytes()]))
    }

    /// How far `copy`, of `size` bytes, is read, when it was made of this file in its generation `of`.
    pub(super) fn read_in(&self, copy: &File, size: u64, of: u32) -> Option<Mark> {
        let current = (of == self.generation).then_some(self.mark);
        let passed = self.passed.iter().filter(|(generation, _)| *generation == of);
        let mut marks = current.into_iter().chain(passed.map(|(_, mark)| *mark));
        let last = marks.next()?;
        position::read_in(copy, size, &last, marks)
    }

    /// The same for a copy that was made before one of the truncations.
    pub(super) fn read_before(&self, copy: &File, size: u64) -> Option<(u32, Mark)> {
        let mut generations: Vec<u32> =
            self.passed.iter().map(|(generation, _)| *generation).collect();
        generations.dedup();
        generations.retain(|generation| *generation != self.generation);
        let read = |generation| Some((generation, self.read_in(copy, size, generation)?));
        generations.into_iter().find_map(read)
    }

    /// How long the file was when it was last read.
    pub(super) const fn known_length(&self) -> u64 {
        self.mark.offset + self.open_length + self.blank
    }

    /// The position that says that everything before `mark` is read, also by way of what lies `between`.
    pub(super) fn position(&self, mark: &Mark, between: &[Mark]) -> Position {
        let passed = self.passed.iter().filter(|(of, _)| *of == self.generation);
        let passed = passed.map(|(_, mark)| mark).chain([&self.mark]).chain(between);
        let mut passed: Vec<Mark> = passed.filter(|one| one.offset > 0).copied().collect();
        passed.retain(|one| one.offset < mark.offset);
        passed.sort_unstable_by_key(|one| one.offset);
        passed.dedup_by_key(|one| one.offset);
        // The first that proves much, the last, and one between.
        let first = passed.iter().position(|one| one.offset >= PROOF_MAX as u64).unwrap_or(0);
        let last = passed.len().saturating_sub(1);
        let chosen =
            [first.min(last), first.midpoint(last), last].map(|at| passed.get(at).copied());
        let mut chosen: Vec<Mark> = chosen.into_iter().flatten().collect();
        chosen.dedup_by_key(|one| one.offset);
        let value =
            Value::encode(mark, &chosen, (self.seen_ms, self.text()), &self.path, &self.place);
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
}
