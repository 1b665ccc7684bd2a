//! A record batch on its way to its partition's leader.

use anabranch_record::Buffer;

use super::code::Code;
use super::messages::Identity;
use super::place::Place;
use crate::wire::batch_header;

/// Batches of several partitions share a request up to this size, bytes.
const REQUEST_BYTES: usize = 1 << 20;

/// An encoded record batch, and how far it is.
#[derive(Debug)]
pub struct Batch {
    /// Where it goes.
    pub place: Place,
    /// The batch as [`crate::wire::Builder`] makes it.
    pub bytes: Buffer,
    /// Number of its records.
    pub count: i32,
    /// How far it is.
    pub state: State,
    /// Number of the append that it belongs to, as its owner counts.
    pub owner: Option<usize>,
    /// The offset of its first record, once the leader has told it.
    pub offset: Option<i64>,
    /// How often it was sent.
    pub(super) tries: u32,
    /// The sequence number of its first record, once it has one under the producer's present identity.
    pub(super) sequence: Option<i32>,
}

/// How far a batch is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// To be sent, perhaps again.
    Waiting,
    /// Sent, not answered.
    OnTheWay,
    /// Stored.
    Stored,
    /// Refused for good.
    Refused(Code),
}

impl Batch {
    /// A batch that is to be sent.
    #[must_use]
    pub fn new(place: Place, bytes: Buffer, count: i32) -> Self {
        let state = State::Waiting;
        Self { place, bytes, count, state, owner: None, offset: None, tries: 0, sequence: None }
    }

    /// Whether it is to be sent.
    pub(super) fn is_waiting(&self) -> bool {
        self.state == State::Waiting
    }

    /// Forgets that it was sent: it is sent anew, under whatever identity the producer has then.
    pub fn begin_again(&mut self) {
        (self.state, self.tries, self.sequence) = (State::Waiting, 0, None);
        self.offset = None;
    }

    /// Writes the producer's identity and the batch's sequence into its head.
    pub(super) fn stamp(&mut self, producer: Identity, sequence: i32, is_transactional: bool) {
        self.sequence = Some(sequence);
        let producer = (producer.id, producer.epoch, sequence);
        batch_header::stamp(&mut self.bytes, producer, is_transactional);
    }
}

/// The sequence number that follows `count` records after `sequence`; they begin again at 0 after the largest.
pub(super) fn next_sequence(sequence: i32, count: i32) -> i32 {
    let next = i64::from(sequence) + i64::from(count);
    i32::try_from(next & i64::from(i32::MAX)).unwrap_or(0)
}

/// The batches that are not all stored.
pub(super) fn open(batches: &[Batch], first: usize) -> &[Batch] {
    batches.get(first..).unwrap_or_default()
}

/// Why the first of those that were refused was.
pub(super) fn first_refused(batches: &[Batch]) -> Option<String> {
    batches.iter().find_map(|batch| match batch.state {
        State::Refused(code) => {
            let (topic, partition) = &batch.place;
            Some(format!("topic \"{topic}\", partition {partition}: {code}"))
        }
        State::Waiting | State::OnTheWay | State::Stored => None,
    })
}

/// Whether a batch of that partition has been sent and not been answered.
pub(super) fn is_on_the_way(batches: &[Batch], place: &Place) -> bool {
    batches.iter().any(|batch| batch.state == State::OnTheWay && batch.place == *place)
}

/// Whether one more batch may be part of a request: one of each partition, and not too many bytes.
pub(super) fn fits(request: &[usize], batches: &[Batch], number: usize) -> bool {
    let Some(batch) = batches.get(number) else { return false };
    let others = || request.iter().filter_map(|number| batches.get(*number));
    let bytes: usize = others().map(|other| other.bytes.len()).sum();
    request.is_empty()
        || (bytes + batch.bytes.len() <= REQUEST_BYTES
            && others().all(|other| other.place != batch.place))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_begin_again_at_zero_after_the_largest() {
        assert_eq!(next_sequence(5, 10), 15);
        assert_eq!(next_sequence(i32::MAX, 1), 0);
        assert_eq!(next_sequence(i32::MAX - 1, 4), 2);
    }
}
