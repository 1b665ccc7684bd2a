//! Judges batch after batch: what stays as it is, what is left of the others.

use std::collections::{HashMap, HashSet};

use anabranch_record::frames::{Frame, frames};

use crate::log::Aborted;
use crate::log::compact::keys::Keys;
use crate::log::compact::round::Compaction;
use crate::wire::batch_header::DELETE_HORIZON;
use crate::wire::{BatchHeader, Codec, HEADER_BYTES, is_commit};

/// Most bytes that one batch may have when it is decompressed.
const PLAIN_MAX: usize = 512 << 20;

/// What becomes of a batch.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It stays as it is.
    Keep,
    /// These bytes take its place.
    Become(Vec<u8>),
    /// Nothing is left of it.
    Go,
}

/// Aborted transactions, by producer.
#[derive(Debug, Default)]
pub(super) struct Aborts {
    by_producer: HashMap<i64, Vec<Aborted>>,
}

impl Aborts {
    pub(super) fn new(all: Vec<Aborted>) -> Self {
        let mut aborts = Self::default();
        for one in all {
            aborts.by_producer.entry(one.producer_id).or_default().push(one);
        }
        aborts
    }

    /// Whether a batch belongs to one of them.
    pub(super) fn contain(&self, header: &BatchHeader) -> bool {
        let offset = header.base_offset;
        header.is_transactional()
            && self.by_producer.get(&header.producer_id).is_some_and(|all| {
                all.iter().any(|one| one.first_offset <= offset && offset <= one.last_offset)
            })
    }
}

/// The records of a batch; `None` when they cannot be taken apart.
pub(super) fn plain_frames<'a>(
    header: &BatchHeader,
    bytes: &[u8],
    plain: &'a mut Vec<u8>,
) -> Option<Vec<Frame<'a>>> {
    let packed = bytes.get(HEADER_BYTES..).unwrap_or_default();
    header.codec()?.decompress(packed, PLAIN_MAX, plain).ok()?;
    frames(plain, header.count)
}

/// The judge of one round.
pub(super) struct Cleaner<'a> {
    round: Compaction<'a>,
    keys: Keys,
    clean_to: i64,
    aborts: Aborts,
    last_batches: HashSet<i64>,
    /// Producers of whose present transaction something is left.
    left: HashSet<i64>,
    /// Markers of aborted transactions that went.
    gone_aborts: Vec<i64>,
    horizon_ms: Option<i64>,
    plain: Vec<u8>,
}

impl<'a> Cleaner<'a> {
    pub(super) fn new(
        round: Compaction<'a>,
        keys: Keys,
        clean_to: i64,
        (aborts, last_batches): (Aborts, HashSet<i64>),
    ) -> Self {
        Self {
            round,
            keys,
            clean_to,
            aborts,
            last_batches,
            left: HashSet::new(),
            gone_aborts: Vec::new(),
            horizon_ms: None,
            plain: Vec::new(),
        }
    }

    /// When the next tombstone or marker may go, ms.
    pub(super) const fn horizon_ms(&self) -> Option<i64> {
        self.horizon_ms
    }

    /// Markers of aborted transactions that went since the last call.
    pub(super) fn take_gone_aborts(&mut self) -> Vec<i64> {
        std::mem::take(&mut self.gone_aborts)
    }

    pub(super) fn must_stop(&self) -> bool {
        (self.round.stop)()
    }

    /// Judges the next batch.
    pub(super) fn judge(&mut self, header: &BatchHeader, bytes: &[u8]) -> Fate {
        if header.base_offset >= self.clean_to {
            return Fate::Keep;
        }
        let fate = if header.is_control() {
            self.judge_marker(header, bytes)
        } else if header.count == 0 || self.aborts.contain(header) {
            Fate::Go
        } else {
            let mut plain = std::mem::take(&mut self.plain);
            let fate = match plain_frames(header, bytes, &mut plain) {
                Some(found) => self.judge_records(header, &found),
                None => Fate::Keep,
            };
            self.plain = plain;
            fate
        };
        if header.is_transactional() && !header.is_control() && fate != Fate::Go {
            self.left.insert(header.producer_id);
        }
        if fate == Fate::Go && self.last_batches.contains(&header.base_offset) {
            return without_records(header);
        }
        fate
    }

    fn judge_records(&mut self, header: &BatchHeader, found: &[Frame<'_>]) -> Fate {
        let is_due = header.delete_horizon_ms().is_some_and(|horizon| horizon <= self.round.now_ms);
        let stays = |frame: &&Frame<'_>| {
            let Some(key) = frame.key else { return true };
            let offset = header.base_offset.saturating_add(frame.offset_delta);
            !self.keys.has_later(key, offset) && (frame.has_value || !is_due)
        };
        let kept: Vec<&Frame<'_>> = found.iter().filter(stays).collect();
        if kept.is_empty() {
            return Fate::Go;
        }
        let has_tombstones = kept.iter().any(|frame| frame.key.is_some() && !frame.has_value);
        let is_new = has_tombstones && header.delete_horizon_ms().is_none();
        if has_tombstones {
            self.note_horizon(header);
        }
        if kept.len() == found.len() && !is_new {
            return Fate::Keep;
        }
        rebuild(header, &kept, is_new.then(|| self.new_horizon_ms()))
    }

    fn judge_marker(&mut self, header: &BatchHeader, bytes: &[u8]) -> Fate {
        let Some(committed) = is_commit(bytes) else { return Fate::Keep };
        if self.left.remove(&header.producer_id) {
            return Fate::Keep;
        }
        match header.delete_horizon_ms() {
            Some(horizon) if horizon <= self.round.now_ms => {
                if !committed {
                    self.gone_aborts.push(header.base_offset);
                }
                Fate::Go
            }
            Some(_) => {
                self.note_horizon(header);
                Fate::Keep
            }
            None => {
                self.note_horizon(header);
                let records = bytes.get(HEADER_BYTES..).unwrap_or_default();
                let Some(found) = frames(records, header.count) else { return Fate::Keep };
                let kept: Vec<&Frame<'_>> = found.iter().collect();
                rebuild(header, &kept, Some(self.new_horizon_ms()))
            }
        }
    }

    const fn new_horizon_ms(&self) -> i64 {
        self.round.now_ms.saturating_add(self.round.delete_retention_ms)
    }

    fn note_horizon(&mut self, header: &BatchHeader) {
        let horizon = header.delete_horizon_ms().unwrap_or_else(|| self.new_horizon_ms());
        self.horizon_ms = Some(self.horizon_ms.map_or(horizon, |known| known.min(horizon)));
    }
}

/// The batch with only these records; `horizon_ms` becomes its base timestamp, and its records keep their times.
fn rebuild(header: &BatchHeader, kept: &[&Frame<'_>], horizon_ms: Option<i64>) -> Fate {
    let mut next = *header;
    let own_time = |frame: &&Frame<'_>| header.base_timestamp_ms.wrapping_add(frame.time_delta_ms);
    if header.append_timestamp_ms().is_none() {
        next.max_timestamp_ms = kept.iter().map(own_time).max().unwrap_or(-1);
    }
    let mut section = Vec::new();
    if let Some(horizon_ms) = horizon_ms {
        next.attributes |= DELETE_HORIZON;
        next.base_timestamp_ms = horizon_ms;
        for frame in kept {
            frame.push_at(own_time(frame).wrapping_sub(horizon_ms), &mut section);
        }
    } else {
        for frame in kept {
            section.extend_from_slice(frame.bytes);
        }
    }
    next.count = i32::try_from(kept.len()).unwrap_or(i32::MAX);
    let mut batch = vec![0; HEADER_BYTES];
    let codec = header.codec().unwrap_or(Codec::None);
    if codec.compress(&section, None, &mut batch).is_err() {
        return Fate::Keep;
    }
    next.seal(&mut batch);
    Fate::Become(batch)
}

/// The batch as one that only says which sequence its producer had. It is no part of a transaction any more.
fn without_records(header: &BatchHeader) -> Fate {
    let next = BatchHeader { attributes: 0, max_timestamp_ms: -1, count: 0, ..*header };
    if header.count == 0 && header.attributes == 0 {
        return Fate::Keep;
    }
    let mut batch = vec![0; HEADER_BYTES];
    next.seal(&mut batch);
    Fate::Become(batch)
}
