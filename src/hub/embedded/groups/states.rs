//! Where the state of groups is kept beside their offsets, in the records of one topic; and what is on its way there.
//!
//! | key | bytes | field |
//! |---|---|---|
//! | | 2 | 2: a classic group with its members; 3: a group of the new protocol; 5: one member of it |
//! | | 2 + n | group |
//! | | 2 + n | member id, with 5 |
//!
//! The numbers are those of Kafka's `GroupMetadataKey`, `ConsumerGroupMetadataKey` and `ConsumerGroupMemberMetadataKey`.
//! The values are ours, JSON.

use std::collections::BTreeMap;

use parking_lot::{Mutex, MutexGuard};

use super::fields::{push_text, take, take_text};
use crate::hub::HubError;
use crate::hub::embedded::write::command::Done;

/// What a record is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    /// A classic group with its members.
    Classic,
    /// A group of the new protocol.
    Consumer,
    /// A member of such a group, by its id.
    Member(String),
}

/// The key of a record.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct StateKey {
    /// The group's name.
    pub(crate) group: String,
    /// What of it.
    pub(crate) part: Part,
}

impl StateKey {
    /// The bytes of it.
    pub(super) fn encode(&self) -> Vec<u8> {
        let version: i16 = match self.part {
            Part::Classic => 2,
            Part::Consumer => 3,
            Part::Member(_) => 5,
        };
        let mut key = version.to_be_bytes().to_vec();
        push_text(&self.group, &mut key);
        if let Part::Member(member) = &self.part {
            push_text(member, &mut key);
        }
        key
    }

    /// Reads the bytes; `None` for other keys.
    pub(super) fn decode(mut key: &[u8]) -> Option<Self> {
        let version = i16::from_be_bytes(take(&mut key)?);
        let group = take_text(&mut key)?;
        let part = match version {
            2 => Part::Classic,
            3 => Part::Consumer,
            5 => Part::Member(take_text(&mut key)?),
            _ => return None,
        };
        Some(Self { group, part })
    }
}

/// Keys with their values; `None`: it is gone.
pub(super) type Changes = BTreeMap<StateKey, Option<Vec<u8>>>;

/// What is to be stored, the newest of each key, and who waits for it.
#[derive(Debug, Default)]
pub(crate) struct Outbox(Mutex<(Changes, Vec<Done>)>);

impl Outbox {
    fn inner(&self) -> MutexGuard<'_, (Changes, Vec<Done>)> {
        self.0.lock()
    }

    /// Adds changes; those before of the same keys are not stored any more. `done` hears when they are stored; it is
    /// given back when there are none.
    pub(super) fn add(
        &self,
        changes: Vec<(StateKey, Option<Vec<u8>>)>,
        done: Option<Done>,
    ) -> Option<Done> {
        if changes.is_empty() {
            return done;
        }
        let mut inner = self.inner();
        inner.0.extend(changes);
        inner.1.extend(done);
        None
    }

    /// Whether there is nothing to be stored.
    pub(super) fn is_empty(&self) -> bool {
        self.inner().0.is_empty()
    }

    /// Takes everything out.
    pub(crate) fn take(&self) -> (Changes, Vec<Done>) {
        std::mem::take(&mut *self.inner())
    }

    /// Puts back what could not be stored, unless there is something newer, and says so to those who wait.
    pub(crate) fn put_back(&self, changes: Changes, waiting: Vec<Done>, error: &HubError) {
        let mut inner = self.inner();
        for (key, state) in changes {
            inner.0.entry(key).or_insert(state);
        }
        drop(inner);
        for done in waiting {
            // Who asked may be gone.
            done.send(Err(error.clone())).ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(part: Part) -> StateKey {
        StateKey { group: "g".to_owned(), part }
    }

    #[test]
    fn what_could_not_be_stored_waits_unless_there_is_something_newer() {
        let outbox = Outbox::default();
        let (done, mut outcome) = tokio::sync::oneshot::channel();
        let (member, group) = (key(Part::Member("m".to_owned())), key(Part::Consumer));
        let both = vec![(member.clone(), Some(vec![1])), (group.clone(), Some(vec![1]))];
        assert!(outbox.add(both, Some(done)).is_none());
        let (changes, waiting) = outbox.take();
        assert!(outbox.is_empty());
        outbox.add(vec![(member.clone(), None)], None);
        outbox.put_back(changes, waiting, &HubError::NotNow("full".to_owned()));
        assert!(outcome.try_recv().unwrap().is_err());
        let expected = BTreeMap::from([(member, None), (group, Some(vec![1]))]);
        assert_eq!(outbox.take().0, expected);
        let (done, _outcome) = tokio::sync::oneshot::channel();
        assert!(outbox.add(Vec::new(), Some(done)).is_some());
    }

    proptest! {
        #[test]
        fn a_key_is_read_as_it_was_written(group in ".{0,40}", member in ".{0,40}", kind in 0..3) {
            let part = match kind {
                0 => Part::Classic,
                1 => Part::Consumer,
                _ => Part::Member(member),
            };
            let key = StateKey { group, part };
            prop_assert_eq!(StateKey::decode(&key.encode()), Some(key));
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes: Vec<u8>) {
            let _any = StateKey::decode(&bytes);
        }
    }
}
