//! What a partition knows of its producers: the last sequences, for idempotence, and open and aborted transactions.
//!
//! Everything here is in the batches' heads and can be rebuilt from them; beside a closed segment lies a copy as it was
//! at the segment's end, so that a start need not read old segments. On disk, all integers big-endian: version (4),
//! CRC-32C of the rest (4), offset up to which it speaks (8), then the two tables as their `encode` functions say.
//!
//! Sources: KIP-98 (idempotent producers, transactions), KIP-360.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use thiserror::Error;

use crate::wire::BatchHeader;

/// Batches that are remembered of each producer: as many as a client may have on their way.
const REMEMBERED: usize = 5;
/// A producer that has been silent for so long is forgotten, ms.
const EXPIRES_MS: i64 = 24 * 3600 * 1000;
const VERSION: u32 = 1;

/// One batch that a producer has appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seen {
    first_sequence: i32,
    last_sequence: i32,
    base_offset: i64,
    timestamp_ms: i64,
}

/// One producer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Producer {
    epoch: i16,
    seen: VecDeque<Seen>,
    /// First offset of its open transaction.
    open_from: Option<i64>,
    /// When it was last heard of, ms.
    heard_ms: i64,
}

/// A transaction whose records nobody shall see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Aborted {
    /// Whose.
    pub producer_id: i64,
    /// Its first record.
    pub first_offset: i64,
    /// Its end marker.
    pub last_offset: i64,
}

/// A producer as tools show it (`DescribeProducers`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProducerInfo {
    /// Its id.
    pub producer_id: i64,
    /// Its epoch.
    pub epoch: i16,
    /// The last sequence number; -1 when there is none.
    pub last_sequence: i32,
    /// When it was last heard of, ms.
    pub last_timestamp_ms: i64,
    /// First offset of its open transaction; -1 when there is none.
    pub open_from: i64,
}

/// All producers of one partition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Producers {
    by_id: HashMap<i64, Producer>,
    /// By first offset, so that the oldest is at hand.
    open: BTreeMap<i64, i64>,
    aborted: Vec<Aborted>,
    /// Each leader epoch and the first offset that was appended under it.
    epochs: Vec<(i32, i64)>,
}

/// What is to be done with a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is new.
    Append,
    /// It is there already, at this base offset; its time as the log has it.
    Duplicate(i64, i64),
}

/// Why a producer's batch is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ProducerFault {
    /// A batch before it is missing.
    #[error("sequence {found} of producer {producer_id} does not follow {last}")]
    OutOfOrder {
        /// Whose.
        producer_id: i64,
        /// The last one that is there.
        last: i32,
        /// What came.
        found: i32,
    },
    /// A newer life of the producer has taken over.
    #[error("epoch {found} of producer {producer_id} is older than {current}")]
    OldEpoch {
        /// Whose.
        producer_id: i64,
        /// The newest.
        current: i16,
        /// What came.
        found: i16,
    },
    /// A transactional batch outside of a transaction, or the reverse.
    #[error("producer {0} has an open transaction and sent records outside of it")]
    Transaction(i64),
}

const fn follows(last: i32, next: i32) -> bool {
    if last == i32::MAX { next == 0 } else { next == last + 1 }
}

impl Producers {
    /// Judges a batch before it is appended.
    ///
    /// # Errors
    /// [`ProducerFault`] when it must be refused.
    pub fn check(&self, header: &BatchHeader) -> Result<Verdict, ProducerFault> {
        let producer_id = header.producer_id;
        if producer_id < 0 || header.base_sequence < 0 {
            return Ok(Verdict::Append);
        }
        let Some(known) = self.by_id.get(&producer_id) else { return Ok(Verdict::Append) };
        let found = header.producer_epoch;
        if found < known.epoch {
            return Err(ProducerFault::OldEpoch { producer_id, current: known.epoch, found });
        }
        let first = header.base_sequence;
        if found > known.epoch {
            let last = known.seen.back().map_or(-1, |seen| seen.last_sequence);
            return if first == 0 {
                Ok(Verdict::Append)
            } else {
                Err(ProducerFault::OutOfOrder { producer_id, last, found: first })
            };
        }
        let last_sequence = header.last_sequence();
        let same =
            |seen: &&Seen| seen.first_sequence == first && seen.last_sequence == last_sequence;
        if let Some(seen) = known.seen.iter().find(same) {
            return Ok(Verdict::Duplicate(seen.base_offset, seen.timestamp_ms));
        }
        if known.open_from.is_some() && !header.is_transactional() {
            return Err(ProducerFault::Transaction(producer_id));
        }
        match known.seen.back() {
            Some(seen) if !follows(seen.last_sequence, first) => {
                let last = seen.last_sequence;
                Err(ProducerFault::OutOfOrder { producer_id, last, found: first })
            }
            _ => Ok(Verdict::Append),
        }
    }

    /// Notes under which leader epoch a batch was appended.
    pub fn note_epoch(&mut self, header: &BatchHeader) {
        if self.epochs.last().is_none_or(|(last, _)| header.epoch > *last) {
            self.epochs.push((header.epoch, header.base_offset));
        }
    }

    /// The newest leader epoch that is not above `epoch` and the offset at which it ends, where that is not the end
    /// of the log; `None` when there is no such epoch.
    #[must_use]
    pub fn epoch_end(&self, epoch: i32) -> Option<(i32, Option<i64>)> {
        let after = self.epochs.partition_point(|(known, _)| *known <= epoch);
        let (found, _) = self.epochs.get(after.checked_sub(1)?)?;
        Some((*found, self.epochs.get(after).map(|(_, start)| *start)))
    }

    /// The first offset that was appended under a leader epoch above `epoch`.
    #[must_use]
    pub fn newer_than(&self, epoch: i32) -> Option<i64> {
        let after = self.epochs.partition_point(|(known, _)| *known <= epoch);
        self.epochs.get(after).map(|(_, start)| *start)
    }

    /// Notes a batch that lies in the log at its base offset; `committed` is the verdict of a marker.
    pub fn note(&mut self, header: &BatchHeader, committed: Option<bool>) {
        if header.producer_id < 0 || (header.base_sequence < 0 && !header.is_control()) {
            return;
        }
        let producer_id = header.producer_id;
        let producer = self.by_id.entry(producer_id).or_default();
        producer.heard_ms = producer.heard_ms.max(header.max_timestamp_ms);
        if header.producer_epoch > producer.epoch {
            producer.epoch = header.producer_epoch;
            producer.seen.clear();
        }
        if header.is_control() {
            if let (Some(first_offset), Some(committed)) = (producer.open_from.take(), committed) {
                self.open.remove(&first_offset);
                let last_offset = header.base_offset;
                if !committed {
                    self.aborted.push(Aborted { producer_id, first_offset, last_offset });
                }
            }
            return;
        }
        if header.is_transactional() && producer.open_from.is_none() {
            producer.open_from = Some(header.base_offset);
            self.open.insert(header.base_offset, producer_id);
        }
        if producer.seen.len() == REMEMBERED {
            producer.seen.pop_front();
        }
        producer.seen.push_back(Seen {
            first_sequence: header.base_sequence,
            last_sequence: header.last_sequence(),
            base_offset: header.base_offset,
            timestamp_ms: header.max_timestamp_ms,
        });
    }

    /// The first offset of the oldest open transaction; `None` when none is open.
    #[must_use]
    pub fn oldest_open(&self) -> Option<i64> {
        self.open.first_key_value().map(|(first, _)| *first)
    }

    /// Whether a producer has an open transaction here.
    #[must_use]
    pub fn is_open(&self, producer_id: i64) -> bool {
        self.by_id.get(&producer_id).is_some_and(|producer| producer.open_from.is_some())
    }

    /// Aborted transactions that touch offsets from `from` up to, not including, `to`.
    #[must_use]
    pub fn aborted(&self, from: i64, to: i64) -> Vec<Aborted> {
        let touches = |one: &&Aborted| one.last_offset >= from && one.first_offset < to;
        self.aborted.iter().filter(touches).copied().collect()
    }

    /// Whether a transactional batch belongs to an aborted transaction.
    #[must_use]
    pub fn is_aborted(&self, header: &BatchHeader) -> bool {
        header.is_transactional()
            && self.aborted.iter().any(|one| {
                one.producer_id == header.producer_id
                    && one.first_offset <= header.base_offset
                    && header.base_offset <= one.last_offset
            })
    }

    /// Base offsets of the last batch of each producer: sequences go on from them.
    #[must_use]
    pub(crate) fn last_batches(&self) -> HashSet<i64> {
        let last = |producer: &Producer| producer.seen.back().map(|seen| seen.base_offset);
        self.by_id.values().filter_map(last).collect()
    }

    /// Forgets aborted transactions whose end markers have these offsets; says whether there were any.
    pub(crate) fn forget_aborted(&mut self, markers: &[i64]) -> bool {
        let before = self.aborted.len();
        self.aborted.retain(|one| !markers.contains(&one.last_offset));
        self.aborted.len() < before
    }

    /// Forgets what lies before `start`, and who has been silent for a day.
    pub fn forget(&mut self, start: i64, now_ms: i64) {
        self.aborted.retain(|one| one.last_offset >= start);
        let oldest = now_ms.saturating_sub(EXPIRES_MS);
        self.by_id
            .retain(|_, producer| producer.open_from.is_some() || producer.heard_ms >= oldest);
    }

    /// What tools show, by id.
    #[must_use]
    pub fn info(&self) -> Vec<ProducerInfo> {
        let info = |(id, producer): (&i64, &Producer)| ProducerInfo {
            producer_id: *id,
            epoch: producer.epoch,
            last_sequence: producer.seen.back().map_or(-1, |seen| seen.last_sequence),
            last_timestamp_ms: producer.heard_ms,
            open_from: producer.open_from.unwrap_or(-1),
        };
        let mut all: Vec<_> = self.by_id.iter().map(info).collect();
        all.sort_by_key(|one| one.producer_id);
        all
    }

    /// The file beside a closed segment that ends at `end`.
    #[must_use]
    pub fn encode(&self, end: i64) -> Vec<u8> {
        let mut body = end.to_be_bytes().to_vec();
        body.extend_from_slice(&length(self.by_id.len()));
        for (id, producer) in &self.by_id {
            body.extend_from_slice(&id.to_be_bytes());
            body.extend_from_slice(&producer.epoch.to_be_bytes());
            body.extend_from_slice(&producer.open_from.unwrap_or(-1).to_be_bytes());
            body.extend_from_slice(&producer.heard_ms.to_be_bytes());
            body.extend_from_slice(&length(producer.seen.len()));
            for seen in &producer.seen {
                body.extend_from_slice(&seen.first_sequence.to_be_bytes());
                body.extend_from_slice(&seen.last_sequence.to_be_bytes());
                body.extend_from_slice(&seen.base_offset.to_be_bytes());
                body.extend_from_slice(&seen.timestamp_ms.to_be_bytes());
            }
        }
        body.extend_from_slice(&length(self.aborted.len()));
        for one in &self.aborted {
            body.extend_from_slice(&one.producer_id.to_be_bytes());
            body.extend_from_slice(&one.first_offset.to_be_bytes());
            body.extend_from_slice(&one.last_offset.to_be_bytes());
        }
        body.extend_from_slice(&length(self.epochs.len()));
        for (epoch, offset) in &self.epochs {
            body.extend_from_slice(&epoch.to_be_bytes());
            body.extend_from_slice(&offset.to_be_bytes());
        }
        let mut file = VERSION.to_be_bytes().to_vec();
        file.extend_from_slice(&crc32c::crc32c(&body).to_be_bytes());
        file.extend_from_slice(&body);
        file
    }

    /// The offset up to which such a file speaks.
    pub(crate) fn speaks_up_to(file: &[u8]) -> Option<i64> {
        file.get(8..)?.first_chunk().map(|bytes| i64::from_be_bytes(*bytes))
    }

    /// Reads the file beside a segment; `None` when it is damaged.
    #[must_use]
    pub fn decode(file: &[u8]) -> Option<Self> {
        let mut rest = file;
        let version = u32::from_be_bytes(take(&mut rest)?);
        let crc = u32::from_be_bytes(take(&mut rest)?);
        if version != VERSION || crc != crc32c::crc32c(rest) {
            return None;
        }
        let _speaks_up_to = i64::from_be_bytes(take(&mut rest)?);
        let mut producers = Self::default();
        for _ in 0..u32::from_be_bytes(take(&mut rest)?) {
            let id = i64::from_be_bytes(take(&mut rest)?);
            let producer = decode_producer(&mut rest)?;
            if let Some(first) = producer.open_from {
                producers.open.insert(first, id);
            }
            producers.by_id.insert(id, producer);
        }
        for _ in 0..u32::from_be_bytes(take(&mut rest)?) {
            producers.aborted.push(Aborted {
                producer_id: i64::from_be_bytes(take(&mut rest)?),
                first_offset: i64::from_be_bytes(take(&mut rest)?),
                last_offset: i64::from_be_bytes(take(&mut rest)?),
            });
        }
        for _ in 0..u32::from_be_bytes(take(&mut rest)?) {
            let epoch = i32::from_be_bytes(take(&mut rest)?);
            producers.epochs.push((epoch, i64::from_be_bytes(take(&mut rest)?)));
        }
        Some(producers)
    }
}

fn decode_producer(rest: &mut &[u8]) -> Option<Producer> {
    let epoch = i16::from_be_bytes(take(rest)?);
    let open_from = Some(i64::from_be_bytes(take(rest)?)).filter(|first| *first >= 0);
    let heard_ms = i64::from_be_bytes(take(rest)?);
    let mut seen = VecDeque::new();
    for _ in 0..u32::from_be_bytes(take(rest)?) {
        seen.push_back(Seen {
            first_sequence: i32::from_be_bytes(take(rest)?),
            last_sequence: i32::from_be_bytes(take(rest)?),
            base_offset: i64::from_be_bytes(take(rest)?),
            timestamp_ms: i64::from_be_bytes(take(rest)?),
        });
    }
    Some(Producer { epoch, seen, open_from, heard_ms })
}

fn length(count: usize) -> [u8; 4] {
    u32::try_from(count).unwrap_or(u32::MAX).to_be_bytes()
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (head, rest) = bytes.split_first_chunk::<N>()?;
    *bytes = rest;
    Some(*head)
}
