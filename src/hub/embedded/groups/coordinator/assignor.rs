//! The `range` and `roundrobin` assignors of Kafka's consumer, for members of this process that are elected leader.
//!
//! Static members come first, in the order of their instance ids, then the others in that of their member ids. Strings
//! are in the order of their UTF-16 units, as on the JVM, so that each client assigns alike. Racks do not count: a hub
//! has one.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use super::Assignments;
use super::consumer_protocol::{Assignment, Malformed, Subscription, TopicPartitions};

/// How partitions are shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Assignor {
    /// Topic by topic, each member a run of its partitions; the first members get one more.
    Range,
    /// Partition by partition in turn to each member that is subscribed to the topic.
    RoundRobin,
}

impl Assignor {
    /// The assignor of a protocol's name.
    pub(crate) fn named(protocol: &str) -> Option<Self> {
        match protocol {
            "range" => Some(Self::Range),
            "roundrobin" => Some(Self::RoundRobin),
            _ => None,
        }
    }

    /// Kafka's name for it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Range => "range",
            Self::RoundRobin => "roundrobin",
        }
    }

    /// What each member gets, by its id; `partitions` has the number of partitions of each topic that exists.
    pub(crate) fn assign(
        self,
        subscribers: &[Subscriber],
        partitions: &BTreeMap<String, i32>,
    ) -> BTreeMap<String, TopicPartitions> {
        let mut sorted: Vec<&Subscriber> = subscribers.iter().collect();
        sorted.sort_by(|one, other| one.compare(other));
        let topics: BTreeSet<&String> =
            sorted.iter().flat_map(|subscriber| &subscriber.topics).collect();
        let mut topics: Vec<(&str, i32)> = topics
            .into_iter()
            .filter_map(|topic| Some((topic.as_str(), *partitions.get(topic)?)))
            .collect();
        topics.sort_by(|(one, _), (other, _)| compare(one, other));
        let mut shares: Vec<TopicPartitions> = sorted.iter().map(|_| Vec::new()).collect();
        match self {
            Self::Range => range(&sorted, &topics, &mut shares),
            Self::RoundRobin => round_robin(&sorted, &topics, &mut shares),
        }
        let ids = sorted.iter().map(|subscriber| subscriber.member_id.clone());
        ids.zip(shares).collect()
    }
}

/// A member and its topics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Subscriber {
    /// Its member id.
    pub(crate) member_id: String,
    /// The instance id of a static member.
    pub(crate) instance_id: Option<String>,
    /// The topics that it is subscribed to.
    pub(crate) topics: BTreeSet<String>,
}

impl Subscriber {
    fn compare(&self, other: &Self) -> Ordering {
        match (&self.instance_id, &other.instance_id) {
            (Some(one), Some(other)) => compare(one, other),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => compare(&self.member_id, &other.member_id),
        }
    }
}

fn compare(one: &str, other: &str) -> Ordering {
    one.encode_utf16().cmp(other.encode_utf16())
}

fn range(sorted: &[&Subscriber], topics: &[(&str, i32)], shares: &mut [TopicPartitions]) {
    for (topic, count) in topics {
        let readers = sorted.iter().filter(|subscriber| subscriber.topics.contains(*topic)).count();
        let Ok(readers) = i32::try_from(readers) else { continue };
        if readers == 0 {
            continue;
        }
        let (each, mut more) = (count / readers, count % readers);
        let mut next = 0;
        for (subscriber, share) in sorted.iter().zip(&mut *shares) {
            if subscriber.topics.contains(*topic) {
                let end = next + each + i32::from(more > 0);
                more -= 1;
                if end > next {
                    share.push(((*topic).to_owned(), (next..end).collect()));
                }
                next = end;
            }
        }
    }
}

fn round_robin(sorted: &[&Subscriber], topics: &[(&str, i32)], shares: &mut [TopicPartitions]) {
    let mut turn = 0;
    for (topic, count) in topics {
        for partition in 0..*count {
            // A topic is here because somebody is subscribed to it: one round finds one.
            let places = (turn..sorted.len()).chain(0..turn);
            let reads = |place: &usize| {
                sorted.get(*place).is_some_and(|subscriber| subscriber.topics.contains(*topic))
            };
            let Some(place) = places.into_iter().find(reads) else { break };
            turn = (place + 1) % sorted.len();
            let Some(share) = shares.get_mut(place) else { break };
            match share.last_mut() {
                Some((last, partitions)) if last == topic => partitions.push(partition),
                _ => share.push(((*topic).to_owned(), vec![partition])),
            }
        }
    }
}

/// The assignments that a leader sends, from what its join was answered: each member's id, instance id and metadata.
///
/// # Errors
/// When metadata are no subscription, or a topic's name is too long.
pub(crate) fn assign_group(
    assignor: Assignor,
    members: &[(String, Option<String>, Vec<u8>)],
    partitions: &BTreeMap<String, i32>,
) -> Result<Assignments, Malformed> {
    let mut subscribers = Vec::with_capacity(members.len());
    for (member_id, instance_id, metadata) in members {
        subscribers.push(Subscriber {
            member_id: member_id.clone(),
            instance_id: instance_id.clone(),
            topics: Subscription::decode(metadata)?.topics.into_iter().collect(),
        });
    }
    let shares = assignor.assign(&subscribers, partitions).into_iter();
    let encoded = shares.map(|(member_id, partitions)| {
        let bytes = Assignment { partitions, user_data: None }.encode(0)?;
        Ok((member_id, bytes))
    });
    encoded.collect()
}
