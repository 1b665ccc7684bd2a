//! Partitions of several topics, and the topics that there are.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

/// Partitions by the ids of their topics.
///
/// Invariant: no topic is without partitions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Partitions(BTreeMap<Uuid, BTreeSet<i32>>);

impl Partitions {
    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.values().map(BTreeSet::len).sum()
    }

    /// Whether a partition is among them.
    pub(crate) fn contains(&self, topic: Uuid, number: i32) -> bool {
        self.0.get(&topic).is_some_and(|numbers| numbers.contains(&number))
    }

    /// Whether one of a topic's is among them.
    pub(super) fn has_some_of(&self, topic: Uuid) -> bool {
        self.0.contains_key(&topic)
    }

    /// Adds one.
    pub(crate) fn insert(&mut self, topic: Uuid, number: i32) {
        self.0.entry(topic).or_default().insert(number);
    }

    /// Takes the last one of a topic out, if there is one.
    pub(super) fn pop_of(&mut self, topic: Uuid) -> Option<i32> {
        let numbers = self.0.get_mut(&topic)?;
        let last = numbers.pop_last();
        if numbers.is_empty() {
            self.0.remove(&topic);
        }
        last
    }

    /// Each one.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Uuid, i32)> {
        self.0.iter().flat_map(|(topic, numbers)| numbers.iter().map(|number| (*topic, *number)))
    }

    /// Each topic with the numbers of its partitions.
    pub(crate) fn by_topic(&self) -> impl Iterator<Item = (Uuid, Vec<i32>)> {
        self.0.iter().map(|(topic, numbers)| (*topic, numbers.iter().copied().collect()))
    }

    /// Whether all of them are among `others`.
    pub(super) fn is_subset(&self, others: &Self) -> bool {
        self.iter().all(|(topic, number)| others.contains(topic, number))
    }

    /// Whether one of them is among `others`.
    pub(super) fn intersects(&self, others: &Self) -> bool {
        self.iter().any(|(topic, number)| others.contains(topic, number))
    }
}

impl FromIterator<(Uuid, i32)> for Partitions {
    fn from_iter<T: IntoIterator<Item = (Uuid, i32)>>(all: T) -> Self {
        let mut partitions = Self::default();
        for (topic, number) in all {
            partitions.insert(topic, number);
        }
        partitions
    }
}

/// The topics that exist, as the caller has told it.
#[derive(Debug, Default)]
pub(super) struct Topics {
    by_name: BTreeMap<String, (Uuid, i32)>,
    names: BTreeMap<Uuid, String>,
}

impl Topics {
    /// Takes in a topic with its id and number of partitions, or that there is none of that name.
    pub(super) fn set(&mut self, name: &str, topic: Option<(Uuid, i32)>) {
        let known = match topic {
            Some(topic) => self.by_name.insert(name.to_owned(), topic),
            None => self.by_name.remove(name),
        };
        if let Some((id, _)) = known {
            self.names.remove(&id);
        }
        if let Some((id, _)) = topic {
            self.names.insert(id, name.to_owned());
        }
    }

    /// Id and number of partitions of a topic.
    pub(super) fn get(&self, name: &str) -> Option<(Uuid, i32)> {
        self.by_name.get(name).copied()
    }

    /// The name of the topic with that id.
    pub(super) fn name(&self, id: Uuid) -> Option<&str> {
        self.names.get(&id).map(String::as_str)
    }

    /// The names of all.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }

    /// Partitions with the names of their topics; those of topics that are gone are left out.
    pub(super) fn named(&self, partitions: &Partitions) -> Vec<(String, Vec<i32>)> {
        let named = |(id, numbers): (Uuid, Vec<i32>)| Some((self.name(id)?.to_owned(), numbers));
        partitions.by_topic().filter_map(named).collect()
    }

    /// Partitions by the ids of their topics; what does not exist is left out.
    pub(super) fn identified(&self, named: &[(String, Vec<i32>)]) -> Partitions {
        let each = named.iter().flat_map(|(name, numbers)| {
            let known = self.get(name);
            numbers.iter().filter_map(move |number| {
                let (id, count) = known?;
                (0..count).contains(number).then_some((id, *number))
            })
        });
        each.collect()
    }
}
