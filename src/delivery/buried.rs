//! Which records lie with the dead letters though their offsets are not committed.
//!
//! A dead letter and the commit of its offset are two appends to two topics, and a kill may fall between them. So each
//! batch of dead letters carries, as a position of a source does, which records from the last committed offset on are
//! among the dead letters: the batch and that note are there or neither is. A delivery that begins at the committed
//! offset leaves those records out. The commit behind them makes the note void, and it is taken away.
//!
//! | part  | text                                                                                   |
//! |-------|----------------------------------------------------------------------------------------|
//! | key   | id of the topic, space, partition, space, name of the topic                            |
//! | value | `1`, space, the first offset that is not committed; then for each run of offsets a space and `EPOCH:FIRST-LAST` |
//!
//! The first offset is that of the last commit that a power cut cannot take back: where there are notes the next commit is
//! such a one, before they go.
//!
//! A delivery that begins before that first offset was set back on purpose: it delivers everything, and notes that are
//! older count no more.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use anabranch_record::{Position, Records, StoredBatch};
use tokio::sync::{Mutex, MutexGuard};

/// What the deliveries of one sink share, over its restarts.
#[derive(Debug, Default)]
pub struct Buried(Mutex<Places>);

/// A partition: id of the topic, number, name of the topic.
type Place = (String, i32, String);

/// The notes of all partitions.
#[derive(Debug, Default)]
pub(super) struct Places(BTreeMap<Place, Note>);

/// The note of one partition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Note {
    since: i64,
    /// Epochs and offsets.
    records: BTreeSet<(i32, i64)>,
}

impl Buried {
    /// The notes; held while dead letters are stored, so that nobody buries a record meanwhile that is being buried.
    pub(super) async fn lock(&self) -> MutexGuard<'_, Places> {
        self.0.lock().await
    }
}

fn place(batch: &StoredBatch) -> Place {
    (batch.topic.id.clone(), batch.partition, batch.topic.name.clone())
}

impl Places {
    /// Takes in what the hub has.
    pub(super) fn load(&mut self, positions: &[(Vec<u8>, Vec<u8>)]) {
        for (key, value) in positions {
            let Some((place, note)) = decode_key(key).zip(decode(value)) else { continue };
            let known = self.0.entry(place).or_default();
            known.since = known.since.max(note.since);
            known.records.extend(note.records);
        }
    }

    /// Parts records into those that do not lie with the dead letters yet, and those that do.
    pub(super) fn without(&mut self, records: &Records) -> (Records, Records) {
        if self.0.is_empty() {
            return (records.clone(), Records::default());
        }
        for (batch, first_offset) in records.starts() {
            let place = place(batch);
            if self.0.get(&place).is_some_and(|note| first_offset < note.since) {
                self.0.remove(&place);
            }
        }
        let (mut left, mut buried) = (Vec::new(), Vec::new());
        for (number, stored) in records.iter().enumerate() {
            let is_buried = self.has(stored.batch, stored.offset);
            if is_buried { buried.push(number) } else { left.push(number) }
        }
        (records.select(&left), records.select(&buried))
    }

    /// Whether a record lies with the dead letters.
    pub(super) fn has(&self, batch: &StoredBatch, offset: i64) -> bool {
        !self.0.is_empty()
            && self
                .0
                .get(&place(batch))
                .is_some_and(|note| note.records.contains(&(batch.epoch, offset)))
    }

    /// Whether there are any.
    pub(super) fn has_any(&self) -> bool {
        !self.0.is_empty()
    }

    /// The note that goes with dead letters of these offsets of `batch`'s partition, of which nothing is committed from
    /// `since` on.
    pub(super) fn position(
        &self,
        batch: &StoredBatch,
        since: i64,
        offsets: &[(i32, i64)],
    ) -> Position {
        let place = place(batch);
        let mut note = self.0.get(&place).cloned().unwrap_or_default();
        note.since = since;
        note.records.extend(offsets);
        Position { key: encode_key(&place), value: Some(encode(&note)) }
    }

    /// The hub has them.
    pub(super) fn add(&mut self, batch: &StoredBatch, since: i64, offsets: &[(i32, i64)]) {
        let note = self.0.entry(place(batch)).or_default();
        note.since = since;
        note.records.extend(offsets);
    }

    /// Everything before these offsets is committed; gives the keys of notes that are void.
    pub(super) fn committed(&mut self, ends: &[(&str, i32, i64)]) -> Vec<Vec<u8>> {
        let mut void = Vec::new();
        if self.0.is_empty() {
            return void;
        }
        for (topic, partition, end) in ends {
            self.0.retain(|place, note| {
                if place.2 != *topic || place.1 != *partition {
                    return true;
                }
                note.since = *end;
                note.records.retain(|(_, offset)| offset >= end);
                let is_left = !note.records.is_empty();
                if !is_left {
                    void.push(encode_key(place));
                }
                is_left
            });
        }
        void
    }

    /// Forgets everything; gives the keys of all notes.
    pub(super) fn forget(&mut self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.0).keys().map(encode_key).collect()
    }
}

fn encode_key((id, partition, topic): &Place) -> Vec<u8> {
    format!("{id} {partition} {topic}").into_bytes()
}

fn decode_key(key: &[u8]) -> Option<Place> {
    let mut words = str::from_utf8(key).ok()?.split(' ');
    let (id, partition, topic) = (words.next()?, words.next()?, words.next()?);
    Some((id.to_owned(), partition.parse().ok()?, topic.to_owned()))
}

fn encode(note: &Note) -> Vec<u8> {
    let mut text = format!("1 {}", note.since);
    let mut run: Option<(i32, i64, i64)> = None;
    for (epoch, offset) in note.records.iter().copied() {
        run = match run {
            Some((same, first, last)) if same == epoch && last + 1 == offset => {
                Some((epoch, first, offset))
            }
            _ => {
                push(run, &mut text);
                Some((epoch, offset, offset))
            }
        };
    }
    push(run, &mut text);
    text.into_bytes()
}

fn push(run: Option<(i32, i64, i64)>, text: &mut String) {
    if let Some((epoch, first, last)) = run {
        // Writing to a string cannot fail.
        write!(text, " {epoch}:{first}-{last}").ok();
    }
}

fn decode(value: &[u8]) -> Option<Note> {
    let mut words = str::from_utf8(value).ok()?.split(' ');
    if words.next()? != "1" {
        return None;
    }
    let mut note = Note { since: words.next()?.parse().ok()?, records: BTreeSet::new() };
    for word in words {
        let (epoch, run) = word.split_once(':')?;
        let (first, last) = run.split_once('-')?;
        let (epoch, first, last) = (epoch.parse().ok()?, first.parse().ok()?, last.parse().ok()?);
        note.records.extend((first..=last).take(RUN_MAX).map(|offset| (epoch, offset)));
    }
    Some(note)
}

/// Longest run that is believed; a write has fewer records.
const RUN_MAX: usize = 1 << 24;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn note(since: i64, records: &[(i32, i64)]) -> Note {
        Note { since, records: records.iter().copied().collect() }
    }

    #[test]
    fn a_note_is_short_for_runs_and_comes_back() {
        let known = note(5, &[(1, 7), (1, 8), (1, 9), (1, 11), (2, 12)]);
        assert_eq!(encode(&known), b"1 5 1:7-9 1:11-11 2:12-12");
        assert_eq!(decode(b"2 5 1:7-9"), None);
        let place = ("hub.t".to_owned(), 3, "t".to_owned());
        assert_eq!(decode_key(&encode_key(&place)), Some(place));
    }

    #[test]
    fn a_commit_makes_notes_void_and_only_those_of_its_partitions() {
        let mut places = Places::default();
        let key = |topic: &str| encode_key(&(format!("id.{topic}"), 0, topic.to_owned()));
        let positions = ["a", "b"].map(|topic| (key(topic), b"1 5 0:7-9".to_vec()));
        places.load(&positions);
        assert_eq!(places.committed(&[("a", 0, 8)]), Vec::<Vec<u8>>::new());
        assert_eq!(places.committed(&[("a", 0, 10), ("a", 1, 99)]), [key("a")]);
        assert_eq!(places.forget(), [key("b")]);
    }

    proptest! {
        #[test]
        fn whatever_is_noted_comes_back(since: i64, records: BTreeSet<(i32, i64)>) {
            let known = Note { since, records: records.into_iter().filter(|(_, at)| *at >= 0 && *at < i64::MAX).collect() };
            prop_assert_eq!(decode(&encode(&known)), Some(known));
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(key: Vec<u8>, value: Vec<u8>) {
            let _any = (decode_key(&key), decode(&value));
        }
    }
}
