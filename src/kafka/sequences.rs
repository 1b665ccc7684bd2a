//! The sequence numbers of each partition's batches, and whether the brokers are known to follow them.
//!
//! Order rests on the brokers' refusal of a batch whose predecessor is missing, and they refuse only what they
//! remember: to a partition that has nothing of this producer any sequence is welcome. It is so at the beginning of a
//! life, and again after a broker's restart when the records are older than `producer.id.expiration.ms` by their own
//! timestamps. So whenever there was trouble, each partition takes one batch alone before others follow.

use std::collections::HashMap;

use super::batch::next_sequence;
use super::place::Place;

/// What a producer knows of its partitions in one life.
#[derive(Debug, Default)]
pub(super) struct Sequences {
    places: HashMap<Place, Next>,
    troubles: u64,
}

#[derive(Debug, Default)]
struct Next {
    sequence: i32,
    /// How many troubles there had been when a batch was stored last.
    stored_after: Option<u64>,
}

impl Sequences {
    /// The sequence number of the next `count` records.
    pub(super) fn take(&mut self, place: &Place, count: i32) -> i32 {
        let next = self.places.entry(place.clone()).or_default();
        let sequence = next.sequence;
        next.sequence = next_sequence(sequence, count);
        sequence
    }

    /// Something went wrong: what the brokers remember is not certain any more.
    pub(super) fn doubt(&mut self) {
        self.troubles += 1;
    }

    /// A batch of that partition is stored.
    pub(super) fn stored(&mut self, place: &Place) {
        let troubles = Some(self.troubles);
        match self.places.get_mut(place) {
            Some(next) => next.stored_after = troubles,
            None => {
                self.places.insert(place.clone(), Next { sequence: 0, stored_after: troubles });
            }
        }
    }

    /// Whether batches of that partition may follow each other without waiting for the first to be stored.
    pub(super) fn is_sure(&self, place: &Place) -> bool {
        self.places.get(place).is_some_and(|next| next.stored_after == Some(self.troubles))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_is_sure_from_a_stored_batch_to_the_next_trouble() {
        let (one, other): (Place, Place) = (("t".into(), 0), ("t".into(), 1));
        let mut sequences = Sequences::default();
        assert_eq!((sequences.take(&one, 5), sequences.take(&one, 5)), (0, 5));
        assert!(!sequences.is_sure(&one));
        sequences.stored(&one);
        sequences.stored(&other);
        assert!(sequences.is_sure(&one) && sequences.is_sure(&other));
        sequences.doubt();
        assert!(!sequences.is_sure(&one));
        sequences.stored(&one);
        assert!(sequences.is_sure(&one) && !sequences.is_sure(&other));
        assert_eq!((sequences.take(&one, 1), sequences.take(&other, 1)), (10, 0));
    }
}
