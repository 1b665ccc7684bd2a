//! The equations of the ledger, and whether they balance.

use std::collections::BTreeMap;

use anabranch_connectors::contract::counters::Account;
use anabranch_record::{Amount, TopicPartition};
use serde::{Deserialize, Serialize};

use super::progress::Progress;
use super::tally::{Fate, Group, Tally};

/// Records and bytes, as they are shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// Records.
    pub records: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl From<Amount> for Shown {
    fn from(Amount { records, bytes }: Amount) -> Self {
        Self { records, bytes }
    }
}

/// What one side of an equation has more than the other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// Records; below zero when more has come out than went in.
    pub records: i64,
    /// Bytes.
    pub bytes: i64,
}

impl Difference {
    /// What `all` has more than `parts`.
    #[must_use]
    pub fn between(all: Amount, parts: Amount) -> Self {
        let more = |all: u64, parts: u64| signed(all).saturating_sub(signed(parts));
        Self { records: more(all.records, parts.records), bytes: more(all.bytes, parts.bytes) }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A source: read = stored + not stored + dropped + under way. Bytes are those of keys, values and headers; of what was
/// dropped they are not known, and on neither side.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceRow {
    /// Its name.
    pub name: String,
    /// What it has read, with what it left out.
    pub read: Shown,
    /// What the hub has of that, or had.
    pub stored: Shown,
    /// What was handed back.
    pub not_stored: Shown,
    /// Records that it left out, by reason.
    pub dropped: BTreeMap<String, u64>,
    /// What is on its way.
    pub under_way: Shown,
    /// What was read and is nowhere.
    pub difference: Difference,
    /// Whether there is nothing of that kind.
    pub balanced: bool,
}

impl SourceRow {
    /// The row of a source.
    #[must_use]
    pub fn new(name: &str, account: &Account) -> Self {
        let Account { handed_on, stored, not_stored, under_way, dropped } = account;
        let left_out = Amount::new(dropped.values().sum(), 0);
        let read = *handed_on + left_out;
        let parts = *stored + *not_stored + left_out + *under_way;
        let difference = Difference::between(read, parts);
        Self {
            name: name.to_owned(),
            read: read.into(),
            stored: (*stored).into(),
            not_stored: (*not_stored).into(),
            dropped: dropped.clone(),
            under_way: (*under_way).into(),
            difference,
            balanced: difference.is_none(),
        }
    }
}

/// A partition of a sink.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// Counted from this offset on: where the sink began, or was last set to.
    pub base: i64,
    /// The committed offset; -1 when nothing is committed.
    pub committed: i64,
    /// The first offset that is kept.
    pub start: i64,
    /// The offset behind the last record.
    pub end: i64,
    /// Records that were delivered and that a power cut has taken back since.
    pub taken_back: i64,
}

/// A sink: stored for it = delivered + dead + diverted + filtered + lost + lag. Bytes are those of the records as they
/// stand in the log, decompressed, and of what the sink has settled: those of the lag are not known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SinkRow {
    /// Its name.
    pub name: String,
    /// What was stored for it, from the offset on from which it counts; bytes of what it has taken of that.
    pub stored: Shown,
    /// What arrived.
    pub delivered: Shown,
    /// What will never arrive, by reason.
    pub dead: BTreeMap<String, Shown>,
    /// What went to its fallback.
    pub diverted: Shown,
    /// What was not for it, by reason.
    pub filtered: BTreeMap<String, Shown>,
    /// What is gone, by reason.
    pub lost: BTreeMap<String, Shown>,
    /// Records that it has not settled.
    pub lag: u64,
    /// What was stored for it and is nowhere.
    pub difference: Difference,
    /// Whether there is nothing of that kind.
    pub balanced: bool,
    /// The partitions that it reads, or has an account of.
    pub partitions: Vec<Place>,
}

/// What is known of a sink in one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Topic and partition.
    pub place: TopicPartition,
    /// First offset that is kept, and the offset behind the last record.
    pub kept: (i64, i64),
    /// Where it begins if it has committed nothing.
    pub begins: i64,
    /// What is committed, and the account with it.
    pub committed: Option<(i64, Option<Progress>)>,
}

impl SinkRow {
    /// The row of a sink.
    #[must_use]
    pub fn new(name: &str, places: &[Known]) -> Self {
        let mut row = Self { name: name.to_owned(), ..Self::default() };
        let (mut stored, mut tally) = (0i64, Tally::default());
        for known in places {
            stored = stored.saturating_add(row.add(known, &mut tally));
        }
        let stored = Amount::new(unsigned(stored), tally.taken.bytes);
        let parts = tally.settled() + Amount::new(row.lag, 0);
        row.stored = stored.into();
        row.delivered = tally.of(Fate::Delivered).into();
        row.diverted = tally.of(Fate::Diverted).into();
        row.dead = by_reason(&tally, Group::Dead);
        row.filtered = by_reason(&tally, Group::Filtered);
        row.lost = by_reason(&tally, Group::Lost);
        row.difference = Difference::between(stored, parts);
        row.balanced = row.difference.is_none();
        row
    }

    /// Counts one partition; gives what was stored in it for the sink.
    fn add(&mut self, known: &Known, tally: &mut Tally) -> i64 {
        let (start, end) = known.kept;
        let at = known.committed.as_ref().map_or(known.begins, |(offset, _)| *offset);
        let end = end.max(at);
        let account = known.committed.as_ref().and_then(|(_, account)| *account);
        let account = account.unwrap_or_else(|| Progress::from(at));
        tally.merge(&account.tally);
        // What retention has taken meanwhile, its reader will find gone.
        let removed = unsigned(start.min(end).saturating_sub(at));
        tally.add(Fate::Removed, Amount::new(removed, 0));
        self.lag += unsigned(end.saturating_sub(at.max(start)));
        let TopicPartition { topic, partition } = known.place.clone();
        self.partitions.push(Place {
            topic,
            partition,
            base: account.base,
            committed: known.committed.as_ref().map_or(-1, |(offset, _)| *offset),
            start,
            end,
            taken_back: account.taken_back.saturating_add(account.through.saturating_sub(at)),
        });
        end.saturating_sub(at).saturating_add(account.stored())
    }
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

fn by_reason(tally: &Tally, group: Group) -> BTreeMap<String, Shown> {
    let of_group = Fate::ALL.into_iter().filter(|fate| fate.group() == group);
    let met = of_group.filter(|fate| tally.of(*fate) != Amount::NONE);
    met.map(|fate| (fate.name().to_owned(), tally.of(fate).into())).collect()
}

/// What counting anew from the log has shown.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verified {
    /// Records that were read.
    pub records: u64,
    /// Their bytes, decompressed.
    pub bytes: u64,
    /// What does not agree with what is kept.
    pub faults: Vec<String>,
    /// What could not be counted anew, and why.
    pub notes: Vec<String>,
}

/// All rows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// Whether all of them balance.
    pub balanced: bool,
    /// Sources, by name.
    pub sources: Vec<SourceRow>,
    /// Sinks, by name.
    pub sinks: Vec<SinkRow>,
    /// What the log says, when it was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified: Option<Verified>,
}

impl Ledger {
    /// Of these rows.
    #[must_use]
    pub fn new(sources: Vec<SourceRow>, sinks: Vec<SinkRow>) -> Self {
        let balanced =
            sources.iter().all(|row| row.balanced) && sinks.iter().all(|row| row.balanced);
        Self { balanced, sources, sinks, verified: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_source_of_which_a_record_is_nowhere_does_not_balance() {
        let mut account = Account {
            handed_on: Amount::new(10, 100),
            stored: Amount::new(6, 60),
            not_stored: Amount::new(1, 10),
            under_way: Amount::new(3, 30),
            ..Account::default()
        };
        account.leave_out("nul", 5);
        let row = SourceRow::new("s", &account);
        assert!(row.balanced, "{row:?}");
        assert_eq!(row.read, Shown { records: 15, bytes: 100 });
        account.stored = Amount::new(5, 50);
        let row = SourceRow::new("s", &account);
        assert_eq!((row.balanced, row.difference), (false, Difference { records: 1, bytes: 10 }));
    }

    fn known(kept: (i64, i64), committed: Option<(i64, Option<Progress>)>) -> Known {
        Known { place: TopicPartition::new("t", 0), kept, begins: kept.0, committed }
    }

    #[test]
    fn what_retention_took_from_a_sink_that_stands_still_is_lost() {
        let row = SinkRow::new("s", &[known((40, 100), Some((10, Some(Progress::from(10)))))]);
        assert_eq!((row.stored.records, row.lag, row.balanced), (90, 60, true), "{row:?}");
        assert_eq!(row.lost.get("removed_unread").unwrap().records, 30);
        let fresh = SinkRow::new("s", &[known((40, 100), None)]);
        assert_eq!((fresh.stored.records, fresh.lag, fresh.balanced), (60, 60, true));
    }

    proptest! {
        /// A sink that settles everything balances at each commit, and one that forgets a record never does.
        #[test]
        fn one_record_that_is_settled_nowhere_is_seen(
            steps in proptest::collection::vec((1u64..50, 0usize..12), 1..30), base in 0i64..1000,
            forgotten in proptest::option::of(0usize..30),
        ) {
            let mut progress = Progress::from(base);
            let mut is_forgotten = false;
            for (number, (records, fate)) in steps.iter().enumerate() {
                let amount = Amount::new(*records, records * 10);
                let mut tally = Tally::default();
                tally.taken = amount;
                let mut met = amount;
                if forgotten == Some(number) {
                    met -= Amount::new(1, 10);
                    is_forgotten = true;
                }
                tally.add(Fate::ALL[*fate], met);
                progress = progress.after(progress.through + records.cast_signed(), &tally);
            }
            let committed = Some((progress.through, Some(progress)));
            let row = SinkRow::new("s", &[known((0, progress.through + 7), committed)]);
            prop_assert_eq!(row.lag, 7);
            prop_assert_eq!(row.balanced, !is_forgotten);
            prop_assert_eq!(row.difference.records, i64::from(is_forgotten));
        }
    }
}
