//! What is stored of each source, and what its emitter says that it has handed on: two counts of the same records, by
//! partition, so that whatever a crash takes back it takes back in both.
//!
//! They are kept in the snapshots of positions, and what lies behind a snapshot is counted from the marks in the log
//! ([`super::mark`]).

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use anabranch_connectors::contract::counters::Account;
use anabranch_record::{Amount, StoredBatch, TopicPartition};

use super::mark;
use crate::ledger::account;

/// The beginning of the keys of totals in a snapshot. Keys of positions have a zero byte, these have none.
const KEY: &str = "ledger ";

/// What one append has of a source: records that follow each other in one batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) source: Arc<str>,
    /// What the emitter has handed on.
    pub(crate) claimed: Amount,
    /// What was encoded.
    pub(crate) stored: Amount,
}

/// Of all sources.
#[derive(Debug, Clone, Default)]
pub(crate) struct Totals {
    places: BTreeMap<String, HashMap<Arc<TopicPartition>, (Amount, Amount)>>,
    /// What does not lie in a partition that there is: handed back, left out, or stored in a topic that is gone.
    rest: BTreeMap<String, Account>,
}

impl Totals {
    /// Counts what was appended to a partition.
    pub(super) fn add(&mut self, runs: &[Run], name: &Arc<TopicPartition>) {
        for Run { source, claimed, stored } in runs {
            self.count(source, name, (*claimed, *stored));
        }
    }

    fn count(&mut self, source: &str, name: &Arc<TopicPartition>, more: (Amount, Amount)) {
        if !self.places.contains_key(source) {
            self.places.insert(source.to_owned(), HashMap::new());
        }
        let Some(places) = self.places.get_mut(source) else { return };
        let (claimed, stored) = places.entry(Arc::clone(name)).or_default();
        *claimed += more.0;
        *stored += more.1;
    }

    /// Takes in what a source was handed back and has left out in all; says whether any of it is new.
    pub(crate) fn raise(&mut self, source: &str, account: &Account) -> bool {
        if account.not_stored == Amount::NONE && account.dropped.is_empty() {
            return false;
        }
        let rest = self.rest.entry(source.to_owned()).or_default();
        let before = rest.clone();
        if account.not_stored.records > rest.not_stored.records {
            rest.not_stored = account.not_stored;
        }
        for (reason, records) in &account.dropped {
            let known = rest.dropped.entry(reason.clone()).or_default();
            *known = (*known).max(*records);
        }
        *rest != before
    }

    /// Counts the records of a batch of this program from the marks in it.
    pub(super) fn replay(&mut self, batch: &StoredBatch, name: &Arc<TopicPartition>) {
        each_run(batch, |mark, stored| {
            let claimed = mark.claimed.unwrap_or(stored);
            self.count(mark.source, name, (claimed, stored));
            self.raise(mark.source, &mark.rest);
        });
    }

    /// A topic is gone: what was stored in it stays counted.
    pub(crate) fn forget(&mut self, topic: &str) {
        for (source, places) in &mut self.places {
            let gone = places.extract_if(|name, _| name.topic == topic);
            let gone = gone.fold((Amount::NONE, Amount::NONE), |sum, (_, (claimed, stored))| {
                (sum.0 + claimed, sum.1 + stored)
            });
            if gone != (Amount::NONE, Amount::NONE) {
                let rest = self.rest.entry(source.clone()).or_default();
                rest.handed_on += gone.0;
                rest.stored += gone.1;
            }
        }
    }

    /// The account of each source.
    pub(crate) fn accounts(&self) -> BTreeMap<String, Account> {
        let mut accounts = self.rest.clone();
        for (source, places) in &self.places {
            let account = accounts.entry(source.clone()).or_default();
            for (claimed, stored) in places.values() {
                account.handed_on += *claimed;
                account.stored += *stored;
            }
        }
        accounts
    }

    /// What each source claims and has in a partition.
    pub(crate) fn of_place(&self, name: &TopicPartition) -> BTreeMap<&str, (Amount, Amount)> {
        let mut found = BTreeMap::new();
        for (source, places) in &self.places {
            if let Some(amounts) = places.get(name) {
                found.insert(source.as_str(), *amounts);
            }
        }
        found
    }

    /// The records of a snapshot, key and value, whose lines number the partitions as `numbers` does.
    pub(super) fn entries(
        &self,
        numbers: &HashMap<&TopicPartition, i64>,
    ) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut entries = Vec::new();
        let mut push = |line: &str, source: &str, account: &Account| {
            let key = format!("{KEY}{line} {source}");
            entries.push((key.into_bytes(), account::encode(account).into_bytes()));
        };
        for (source, places) in &self.places {
            for (name, (handed_on, stored)) in places {
                let Some(number) = numbers.get(name.as_ref()) else { continue };
                let (handed_on, stored) = (*handed_on, *stored);
                let account = Account { handed_on, stored, ..Account::default() };
                push(&number.to_string(), source, &account);
            }
        }
        for (source, account) in &self.rest {
            push("-", source, account);
        }
        entries
    }

    /// Takes in a record of a snapshot, if it is one of these. `place` gives the partition of a line, and whether the
    /// snapshot is right about it: `None` when that is gone. Of those that it is not right about, what `before` knew
    /// counts.
    pub(super) fn restore(
        &mut self,
        (key, value): (&[u8], &[u8]),
        before: &Self,
        place: impl Fn(usize) -> Option<(Arc<TopicPartition>, bool)>,
    ) -> bool {
        let Some((line, source)) = parse_key(key) else { return false };
        let account = account::decode(value);
        let place = line.map(place);
        match place {
            Some(Some((name, true))) => {
                self.count(source, &name, (account.handed_on, account.stored));
            }
            Some(Some((name, false))) => {
                let older = before.places.get(source).and_then(|places| places.get(&name));
                if let Some(older) = older {
                    self.count(source, &name, *older);
                }
            }
            Some(None) | None => self.rest.entry(source.to_owned()).or_default().add(&account),
        }
        true
    }
}

fn parse_key(key: &[u8]) -> Option<(Option<usize>, &str)> {
    let (line, source) = str::from_utf8(key).ok()?.strip_prefix(KEY)?.split_once(' ')?;
    match line {
        "-" => Some((None, source)),
        number => Some((Some(number.parse().ok()?), source)),
    }
}

/// Shows each run of records of one source in a batch: its mark, and what there is.
pub(crate) fn each_run(batch: &StoredBatch, mut see: impl FnMut(mark::Mark<'_>, Amount)) {
    let mut stored = Amount::NONE;
    for one in batch.iter() {
        let mut bytes = one.record.payload_bytes();
        let Some(value) = one.record.headers.get(mark::NAME) else {
            stored += Amount::new(1, bytes);
            continue;
        };
        bytes = bytes.saturating_sub(mark::size(value));
        stored += Amount::new(1, bytes);
        if let Some(mark) = mark::decode(value) {
            see(mark, std::mem::take(&mut stored));
        }
    }
}
