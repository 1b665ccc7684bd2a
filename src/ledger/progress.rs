//! A sink's account in one partition, kept as metadata of its committed offset, so that both are one step.
//!
//! `BASE:THROUGH:TAKEN_RECORDS:TAKEN_BYTES` and for each fate that occurred `:` its letter, records, `.`, bytes; then `:b`, offsets, `.0`
//! if some were taken back. Some
//! hundred bytes. `BASE` is the offset from which on the account counts: where the sink began, or where it was set to.
//! `THROUGH` is the offset that it was committed with; one that is higher than the committed offset has been set back
//! since to what a power cut has left of the log.

use std::collections::VecDeque;
use std::fmt::Write;

use anabranch_record::Amount;

use super::tally::{Fate, Tally};

/// The letter of what was taken back.
const BACK: char = 'b';

/// The account.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Where counting began.
    pub base: i64,
    /// Up to where it speaks.
    pub through: i64,
    /// What became of everything between the two.
    pub tally: Tally,
    /// How much of that a power cut has taken back from the log after it was settled; `base` is as much lower.
    pub taken_back: i64,
}

impl Progress {
    /// Counts from `base` on.
    #[must_use]
    pub const fn from(base: i64) -> Self {
        Self { base, through: base, tally: Tally::NONE, taken_back: 0 }
    }

    /// The account of a partition that is read from `offset` on, of which `kept` was committed there.
    #[must_use]
    pub fn resumed(kept: Option<Self>, offset: i64) -> Self {
        let Some(mut kept) = kept else { return Self::from(offset) };
        // What a power cut has taken back was delivered all the same; its offsets are given once more.
        let back = kept.through.saturating_sub(offset);
        kept.base = kept.base.saturating_sub(back);
        kept.taken_back = kept.taken_back.saturating_add(back);
        kept.through = offset;
        kept
    }

    /// The account once `through` is committed and `more` has become of what lies before it.
    #[must_use]
    pub fn after(&self, through: i64, more: &Tally) -> Self {
        let mut next = *self;
        next.through = through;
        next.tally.merge(more);
        next
    }

    /// Records, or offsets without one, that were there for the sink up to where the account speaks.
    #[must_use]
    pub const fn stored(&self) -> i64 {
        self.through.saturating_sub(self.base)
    }

    /// As it is kept.
    #[must_use]
    pub fn encode(&self) -> String {
        let Self { base, through, tally, taken_back } = self;
        let Amount { records, bytes } = tally.taken;
        let mut text = format!("{base}:{through}:{records}:{bytes}");
        for fate in Fate::ALL {
            let Amount { records, bytes } = tally.of(fate);
            if records > 0 || bytes > 0 {
                // Writing to a string cannot fail.
                write!(text, ":{}{records}.{bytes}", fate.letter()).ok();
            }
        }
        if *taken_back != 0 {
            write!(text, ":{BACK}{taken_back}.0").ok();
        }
        text
    }

    /// What [`Progress::encode`] made; `None` for anything else.
    #[must_use]
    pub fn decode(text: &str) -> Option<Self> {
        let mut parts = text.split(':');
        let mut progress = Self::from(parts.next()?.parse().ok()?);
        progress.through = parts.next()?.parse().ok()?;
        let records = parts.next()?.parse().ok()?;
        progress.tally.taken = Amount::new(records, parts.next()?.parse().ok()?);
        for part in parts {
            let mut letters = part.chars();
            let letter = letters.next()?;
            let (records, bytes) = letters.as_str().split_once('.')?;
            if letter == BACK {
                progress.taken_back = records.parse().ok()?;
                continue;
            }
            let amount = Amount::new(records.parse().ok()?, bytes.parse().ok()?);
            if let Some(fate) = Fate::ALL.into_iter().find(|fate| fate.letter() == letter) {
                progress.tally.add(fate, amount);
            }
        }
        Some(progress)
    }
}

/// Offsets without a record for a sink, as its reader met them, until they are committed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Gaps(VecDeque<Gap>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Gap {
    from: i64,
    to: i64,
    fate: Fate,
}

impl Gaps {
    /// Notes that the offsets from `from` up to `to` hold nothing; none when there are none.
    pub fn push(&mut self, from: i64, to: i64, fate: Fate) {
        if to <= from {
            return;
        }
        match self.0.back_mut() {
            Some(last) if last.to == from && last.fate == fate => last.to = to,
            _ => self.0.push_back(Gap { from, to, fate }),
        }
    }

    /// Those before `through`, by fate.
    #[must_use]
    pub fn before(&self, through: i64) -> Tally {
        let mut tally = Tally::default();
        for gap in self.0.iter().take_while(|gap| gap.from < through) {
            let offsets = u64::try_from(gap.to.min(through) - gap.from).unwrap_or(0);
            tally.add(gap.fate, Amount::new(offsets, 0));
        }
        tally
    }

    /// Forgets those before `through`.
    pub fn forget(&mut self, through: i64) {
        while self.0.front().is_some_and(|gap| gap.to <= through) {
            self.0.pop_front();
        }
        if let Some(first) = self.0.front_mut() {
            first.from = first.from.max(through);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tally(amounts: &[(usize, u64)]) -> Tally {
        let mut tally = Tally::default();
        for (fate, count) in amounts {
            tally.add(Fate::ALL[fate % Fate::ALL.len()], Amount::new(*count, count * 7));
            tally.taken += Amount::new(*count, count * 7);
        }
        tally
    }

    #[test]
    fn what_a_power_cut_took_back_stays_counted_and_its_offsets_count_again() {
        let known = Progress::from(10).after(50, &tally(&[(0, 40)]));
        let again = Progress::resumed(Some(known), 45);
        assert_eq!((again.stored(), again.base, again.taken_back), (40, 5, 5));
        let after = again.after(60, &tally(&[(0, 15)]));
        assert_eq!(after.stored(), 55);
        assert_eq!(after.tally.settled().records, 55);
        assert_eq!(Progress::resumed(None, 45), Progress::from(45));
    }

    #[test]
    fn an_account_is_short() {
        let all: Vec<_> = (0..Fate::ALL.len()).map(|fate| (fate, 1 << 56)).collect();
        let (base, through, taken_back) = (i64::MAX - 1, i64::MAX, 1);
        let progress = Progress { base, through, tally: tally(&all), taken_back };
        assert!(progress.encode().len() < 600, "{}", progress.encode().len());
        let usual: Vec<_> = (0..Fate::ALL.len()).map(|fate| (fate, 10_000_000_000)).collect();
        let (base, through) = (1 << 33, 1 << 40);
        let progress = Progress { base, through, tally: tally(&usual), taken_back };
        assert!(progress.encode().len() < 400, "{}", progress.encode().len());
    }

    proptest! {
        #[test]
        fn an_account_comes_back(
            base: i64, through: i64, taken_back: i64, amounts in proptest::collection::vec((0usize..12, 0u64..1 << 40), 0..20),
        ) {
            let progress = Progress { base, through, tally: tally(&amounts), taken_back };
            let text = progress.encode();
            prop_assert!(!text.contains(' '));
            prop_assert_eq!(Progress::decode(&text), Some(progress));
        }

        #[test]
        fn any_text_is_read_without_a_panic(text: String) {
            let _any = Progress::decode(&text);
        }

        /// Whatever is committed at whatever offsets, every offset of a gap is counted once.
        #[test]
        fn gaps_are_counted_once(
            lengths in proptest::collection::vec((0i64..5, 0i64..5, 0usize..12), 0..20),
            commits in proptest::collection::vec(0i64..200, 0..10),
        ) {
            let (mut gaps, mut at, mut all) = (Gaps::default(), 0, 0);
            for (records, gap, fate) in lengths {
                at += records;
                gaps.push(at, at + gap, Fate::ALL[fate]);
                at += gap;
                all += gap;
            }
            let mut counted = 0;
            let mut commits = commits;
            commits.sort_unstable();
            for through in commits.into_iter().chain([at]) {
                counted += gaps.before(through).settled().records;
                gaps.forget(through);
            }
            prop_assert_eq!(counted, u64::try_from(all).unwrap());
            prop_assert_eq!(gaps, Gaps::default());
        }
    }
}
