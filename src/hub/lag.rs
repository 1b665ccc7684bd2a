//! How far groups are behind, as the hub knows it: also of a group that nobody is a member of, or that has never
//! committed anything.

use super::{GroupInfo, PartitionInfo, StartAt, TopicInfo, TopicSelector};

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

/// How far a group is behind in one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lag {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// Records between the committed offset and the end.
    pub records: u64,
    /// The offset behind the last record.
    pub end: i64,
    /// About how many bytes those records take in the log; `None` when the hub does not tell.
    pub bytes: Option<u64>,
    /// Time of the oldest of them, ms since the Unix epoch; `None` when there is none, or the hub does not tell.
    pub oldest_ms: Option<i64>,
}

impl Lag {
    /// Of a partition of which only the offsets are known.
    #[must_use]
    pub fn of(topic: &str, partition: i32, committed: i64, end: i64) -> Self {
        let records = u64::try_from(end.saturating_sub(committed)).unwrap_or(0);
        Self { topic: topic.to_owned(), partition, records, end, bytes: None, oldest_ms: None }
    }
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
