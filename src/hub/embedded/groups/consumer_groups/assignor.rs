//! The assignors of the server: `uniform` and `range`.
//!
//! `uniform` gives everybody as much as the others, as far as the subscriptions allow it, and moves no more for it than
//! it must: what a member has it keeps, what nobody has goes to the one with the least, and only while one has two more
//! than another does a partition move. `range` gives each member a run of each topic's partitions, in the order of the
//! instance ids and then of the member ids, so that topics with as many partitions are shared alike. Source: KIP-848.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::rc::Rc;

use uuid::Uuid;

use super::partitions::Partitions;

/// How partitions are shared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Assignor {
    /// Evenly, with few moves.
    #[default]
    Uniform,
    /// In runs of each topic.
    Range,
}

impl Assignor {
    /// The assignor of a name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "uniform" => Some(Self::Uniform),
            "range" => Some(Self::Range),
            _ => None,
        }
    }

    /// Kafka's name for it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Uniform => "uniform",
            Self::Range => "range",
        }
    }

    /// What each is to have, in the order of `subscribers`; `counts` has the number of partitions of each topic.
    pub(super) fn assign(
        self,
        subscribers: &[Subscriber<'_>],
        counts: &BTreeMap<Uuid, i32>,
    ) -> Vec<Partitions> {
        let mut readers: BTreeMap<Uuid, Vec<usize>> = BTreeMap::new();
        for (at, subscriber) in subscribers.iter().enumerate() {
            for topic in subscriber.topics.iter().filter(|topic| counts.contains_key(topic)) {
                readers.entry(*topic).or_default().push(at);
            }
        }
        match self {
            Self::Uniform => uniform(subscribers, counts, readers),
            Self::Range => range(subscribers, counts, readers),
        }
    }
}

/// A member, what it wants and what it is to have until now.
#[derive(Debug)]
pub(super) struct Subscriber<'a> {
    pub(super) member_id: &'a str,
    pub(super) instance_id: Option<&'a str>,
    pub(super) topics: Rc<BTreeSet<Uuid>>,
    pub(super) has: &'a Partitions,
}

/// Members by topic, as their places in the list of subscribers.
type Readers = BTreeMap<Uuid, Vec<usize>>;

fn range(
    subscribers: &[Subscriber<'_>],
    counts: &BTreeMap<Uuid, i32>,
    readers: Readers,
) -> Vec<Partitions> {
    let mut shares = vec![Partitions::default(); subscribers.len()];
    for (topic, mut readers) in readers {
        readers.sort_by_key(|at| {
            let reader = subscribers.get(*at);
            let instance_id = reader.and_then(|reader| reader.instance_id);
            (instance_id.is_none(), instance_id, reader.map(|reader| reader.member_id))
        });
        let count = usize::try_from(counts.get(&topic).copied().unwrap_or(0)).unwrap_or(0);
        let (each, more) = (count / readers.len(), count % readers.len());
        let mut numbers = 0..counts.get(&topic).copied().unwrap_or(0);
        for (place, at) in readers.into_iter().enumerate() {
            let run = numbers.by_ref().take(each + usize::from(place < more));
            if let Some(share) = shares.get_mut(at) {
                run.for_each(|number| share.insert(topic, number));
            }
        }
    }
    shares
}

/// Shares as they grow.
struct Shares {
    of: Vec<Partitions>,
    loads: Vec<usize>,
}

impl Shares {
    fn load(&self, at: usize) -> usize {
        self.loads.get(at).copied().unwrap_or(0)
    }

    fn give(&mut self, at: usize, topic: Uuid, number: i32) {
        if let (Some(share), Some(load)) = (self.of.get_mut(at), self.loads.get_mut(at)) {
            share.insert(topic, number);
            *load += 1;
        }
    }

    fn take(&mut self, at: usize, topic: Uuid) -> Option<i32> {
        let number = self.of.get_mut(at)?.pop_of(topic)?;
        *self.loads.get_mut(at)? -= 1;
        Some(number)
    }

    fn has_of(&self, at: usize, topic: Uuid) -> bool {
        self.of.get(at).is_some_and(|share| share.has_some_of(topic))
    }

    /// Moves partitions of a topic from who has most to who has least, while it is two more; whether one was moved.
    fn even_out(&mut self, topic: Uuid, readers: &[usize]) -> bool {
        let mut moved = false;
        loop {
            let givers = readers.iter().copied().filter(|at| self.has_of(*at, topic));
            let Some(most) = givers.max_by_key(|at| (self.load(*at), Reverse(*at))) else { break };
            let takers = readers.iter().copied();
            let Some(least) = takers.min_by_key(|at| (self.load(*at), *at)) else { break };
            if self.load(most) < self.load(least) + 2 {
                break;
            }
            let Some(number) = self.take(most, topic) else { break };
            self.give(least, topic, number);
            moved = true;
        }
        moved
    }
}

fn uniform(
    subscribers: &[Subscriber<'_>],
    counts: &BTreeMap<Uuid, i32>,
    readers: Readers,
) -> Vec<Partitions> {
    let count = subscribers.len();
    let mut shares = Shares { of: vec![Partitions::default(); count], loads: vec![0; count] };
    let mut taken = Partitions::default();
    for (at, subscriber) in subscribers.iter().enumerate() {
        for (topic, number) in subscriber.has.iter() {
            let exists = counts.get(&topic).is_some_and(|count| number < *count);
            if exists && subscriber.topics.contains(&topic) && !taken.contains(topic, number) {
                taken.insert(topic, number);
                shares.give(at, topic, number);
            }
        }
    }
    // Topics that few read come first: their readers cannot be relieved later.
    let mut by_readers: Vec<(Uuid, Vec<usize>)> = readers.into_iter().collect();
    by_readers.sort_by_key(|(_, readers)| readers.len());
    for (topic, readers) in &by_readers {
        let entry = |at: &usize| Reverse((shares.load(*at), *at));
        let mut least: BinaryHeap<_> = readers.iter().map(entry).collect();
        for number in 0..counts.get(topic).copied().unwrap_or(0) {
            if taken.contains(*topic, number) {
                continue;
            }
            let Some(Reverse((load, at))) = least.pop() else { break };
            shares.give(at, *topic, number);
            least.push(Reverse((load + 1, at)));
        }
    }
    // Each move makes the sum of the squares of the loads smaller, so it ends.
    while by_readers
        .iter()
        .fold(false, |moved, (topic, readers)| shares.even_out(*topic, readers) || moved)
    {}
    shares.of
}
