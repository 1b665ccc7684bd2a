//! How far groups are behind, as the hub knows it: also of a group that nobody is a member of, or that has never
//! committed anything.

use super::offset::{GroupInfo, PartitionInfo, TopicInfo};
use super::spec::{StartAt, TopicSelector};
use crate::metrics::Lag;

/// A group, and what it reads.
#[derive(Debug, Clone)]
pub struct Reads {
    /// Its name.
    pub group: String,
    /// Which topics.
    pub topics: Vec<TopicSelector>,
    /// Where it begins in a partition of which it has committed nothing.
    pub start: StartAt,
}

impl Reads {
    /// Whether it reads any of `topic`.
    #[must_use]
    pub fn wants(&self, topic: &str) -> bool {
        self.topics.iter().any(|selector| selector.matches(topic))
    }
}

/// How far a group is behind in each partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupLag {
    /// Its name.
    pub group: String,
    /// The partitions of all that it reads.
    pub partitions: Vec<Lag>,
}

/// From what any hub tells of its topics and groups.
pub(super) fn of_group(reads: &Reads, topics: &[TopicInfo], groups: &[GroupInfo]) -> GroupLag {
    let group = groups.iter().find(|group| group.name == reads.group);
    let committed = |topic: &str, number: i32| {
        let mut offsets = group?.offsets.iter();
        let found = offsets.find(|at| at.topic == topic && at.partition == number);
        found.map(|at| at.offset)
    };
    let mut partitions = Vec::new();
    for topic in topics.iter().filter(|topic| reads.wants(&topic.name)) {
        for (number, partition) in (0i32..).zip(&topic.partitions) {
            let at = committed(&topic.name, number);
            let start = TopicSelector::start_of(&reads.topics, &topic.name, reads.start);
            let at = at.unwrap_or_else(|| begins(start, partition)).max(partition.start);
            partitions.push(Lag::of(&topic.name, number, at, partition.end));
        }
    }
    GroupLag { group: reads.group.clone(), partitions }
}

/// Where one begins who has committed nothing; a time is looked up only when it is read.
pub(super) const fn begins(start: StartAt, partition: &PartitionInfo) -> i64 {
    match start {
        StartAt::Earliest | StartAt::Time(_) => partition.start,
        StartAt::Latest => partition.end,
        StartAt::Offset(offset) => offset,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::Offset;

    #[test]
    fn a_group_that_has_committed_nothing_is_behind_all_that_there_is() {
        let partition = |start, end| PartitionInfo { start, end, bytes: None };
        let topics = ["a", "b"].map(|name| TopicInfo {
            name: name.to_owned(),
            partitions: vec![partition(5, 20), partition(0, 7)],
        });
        let committed = Offset { topic: "a".to_owned(), partition: 1, offset: 4, epoch: 0 };
        let groups = [GroupInfo { name: "some".to_owned(), offsets: vec![committed] }];
        let records = |group: &str, start| {
            let reads = Reads {
                group: group.to_owned(),
                topics: vec![TopicSelector::parse("a").unwrap()],
                start,
            };
            let lag = of_group(&reads, &topics, &groups);
            lag.partitions.iter().map(|one| one.records).collect::<Vec<_>>()
        };
        assert_eq!(records("none", StartAt::Earliest), [15, 7]);
        assert_eq!(records("none", StartAt::Latest), [0, 0]);
        assert_eq!(records("some", StartAt::Earliest), [15, 3]);
    }
}
