//! What became of a sink's records.
//!
//! Bytes are those of the records as they stand in the log, decompressed: key, value, headers, and what Kafka's format
//! has around them. They are known without looking into a record.

use anabranch_record::Amount;

/// What became of a record, or of an offset without one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// It arrived.
    Delivered,
    /// Dead: the far side refused it.
    Refused,
    /// Dead: it came back too often.
    GaveUp,
    /// Dead, and not kept: the sink has no dead letters.
    NotKept,
    /// The sink that is the fallback has it.
    Diverted,
    /// No record: the mark of a transaction.
    Mark,
    /// Its producer took it back.
    Aborted,
    /// Compaction removed it before the sink came so far.
    Compacted,
    /// No record for a sink: on Kafka marks, and what was aborted or compacted, look alike.
    NoRecord,
    /// Damaged in the log.
    Damaged,
    /// Retention, or a person, removed it before the sink came so far.
    Removed,
    /// It arrived, and somebody destroyed it before that was committed.
    Destroyed,
}

/// Which side of the equation a fate stands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// Arrived.
    Delivered,
    /// Will never arrive.
    Dead,
    /// Went to another sink.
    Diverted,
    /// Not for a sink.
    Filtered,
    /// Gone.
    Lost,
}

impl Fate {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Delivered,
        Self::Refused,
        Self::GaveUp,
        Self::NotKept,
        Self::Diverted,
        Self::Mark,
        Self::Aborted,
        Self::Compacted,
        Self::NoRecord,
        Self::Damaged,
        Self::Removed,
        Self::Destroyed,
    ];

    /// Its word in answers and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Refused => "refused",
            Self::GaveUp => "gave_up",
            Self::NotKept => "not_kept",
            Self::Diverted => "diverted",
            Self::Mark => "transaction_mark",
            Self::Aborted => "aborted",
            Self::Compacted => "compacted",
            Self::NoRecord => "no_record",
            Self::Damaged => "damaged",
            Self::Removed => "removed_unread",
            Self::Destroyed => "destroyed",
        }
    }

    /// Its letter where an account is kept.
    #[must_use]
    pub const fn letter(self) -> char {
        match self {
            Self::Delivered => 'd',
            Self::Refused => 'r',
            Self::GaveUp => 'g',
            Self::NotKept => 'n',
            Self::Diverted => 'v',
            Self::Mark => 'm',
            Self::Aborted => 'a',
            Self::Compacted => 'c',
            Self::NoRecord => 'o',
            Self::Damaged => 'x',
            Self::Removed => 't',
            Self::Destroyed => 'y',
        }
    }

    /// Where it stands.
    #[must_use]
    pub const fn group(self) -> Group {
        match self {
            Self::Delivered => Group::Delivered,
            Self::Refused | Self::GaveUp | Self::NotKept => Group::Dead,
            Self::Diverted => Group::Diverted,
            Self::Mark | Self::Aborted | Self::Compacted | Self::NoRecord => Group::Filtered,
            Self::Damaged | Self::Removed | Self::Destroyed => Group::Lost,
        }
    }

    const fn index(self) -> usize {
        self as usize
    }
}

/// Records by fate, and what came in to be delivered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Records that were read for the sink, counted before anything is done with them.
    pub taken: Amount,
    fates: [Amount; Fate::ALL.len()],
}

impl Tally {
    /// Nothing.
    pub const NONE: Self = Self { taken: Amount::NONE, fates: [Amount::NONE; Fate::ALL.len()] };

    /// What met this fate.
    #[must_use]
    pub fn of(&self, fate: Fate) -> Amount {
        self.fates.get(fate.index()).copied().unwrap_or_default()
    }

    /// Counts.
    pub fn add(&mut self, fate: Fate, more: Amount) {
        if let Some(amount) = self.fates.get_mut(fate.index()) {
            *amount += more;
        }
    }

    /// Adds another.
    pub fn merge(&mut self, more: &Self) {
        self.taken += more.taken;
        for (amount, more) in self.fates.iter_mut().zip(&more.fates) {
            *amount += *more;
        }
    }

    /// Of what was delivered, up to so many records are destroyed; gives how many there were.
    pub fn destroy(&mut self, records: u64) -> u64 {
        let delivered = self.of(Fate::Delivered);
        let gone = records.min(delivered.records);
        let bytes = if gone == delivered.records {
            delivered.bytes
        } else {
            delivered.bytes / delivered.records.max(1) * gone
        };
        let gone = Amount::new(gone, bytes);
        if let Some(amount) = self.fates.get_mut(Fate::Delivered.index()) {
            *amount -= gone;
        }
        self.add(Fate::Destroyed, gone);
        gone.records
    }

    /// All fates together.
    #[must_use]
    pub fn settled(&self) -> Amount {
        self.fates.iter().copied().sum()
    }

    /// Those of one group.
    #[must_use]
    pub fn sum(&self, group: Group) -> Amount {
        Fate::ALL.into_iter().filter(|fate| fate.group() == group).map(|fate| self.of(fate)).sum()
    }

    /// Whether anything was counted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fate_has_a_word_and_a_letter_of_its_own() {
        for (number, fate) in Fate::ALL.into_iter().enumerate() {
            assert_eq!(fate.index(), number);
            for other in Fate::ALL.into_iter().skip(number + 1) {
                assert_ne!((fate.name(), fate.letter()), (other.name(), other.letter()));
                assert_ne!(fate.letter(), other.letter());
            }
        }
    }

    #[test]
    fn what_is_destroyed_is_delivered_no_more() {
        let mut tally = Tally::default();
        tally.add(Fate::Delivered, Amount::new(4, 40));
        assert_eq!(tally.destroy(1), 1);
        assert_eq!(tally.of(Fate::Delivered), Amount::new(3, 30));
        assert_eq!(tally.destroy(9), 3);
        assert_eq!(tally.sum(Group::Lost), Amount::new(4, 40));
        assert_eq!(tally.settled(), Amount::new(4, 40));
    }
}
