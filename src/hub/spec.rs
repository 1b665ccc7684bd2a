//! What a consumer is to read.

use anabranch_record::TopicPartition;
use regex::Regex;

use crate::hub::{DEAD_LETTERS, FALLBACK, REPLAY};

/// What a new member of a group reads.
#[derive(Debug, Clone)]
pub struct ConsumerSpec {
    /// The group: the name of the sink.
    pub group: String,
    /// Which topics.
    pub topics: Vec<TopicSelector>,
    /// Where partitions without a committed offset are read from.
    pub start: StartAt,
    /// This member's number and how many members this process has in the group.
    pub member: (u32, u32),
    /// Only these partitions, without the group's assignment (a client's `assign`).
    pub assigned: Option<Vec<TopicPartition>>,
}

impl ConsumerSpec {
    /// Whether this member reads any partition of `topic`.
    #[must_use]
    pub fn wants(&self, topic: &str) -> bool {
        match &self.assigned {
            Some(assigned) => assigned.iter().any(|one| one.topic == topic),
            None => self.topics.iter().any(|selector| selector.matches(topic)),
        }
    }

    /// Whether it is the only member that this process has in the group.
    #[must_use]
    pub const fn is_alone(&self) -> bool {
        self.member.1 <= 1
    }

    /// Whether this member reads a partition: it is assigned, or its turn among the members of this process.
    #[must_use]
    pub fn is_mine(&self, name: &TopicPartition) -> bool {
        if let Some(assigned) = &self.assigned {
            return assigned.contains(name);
        }
        let (member, members) = self.member;
        let turn = u32::try_from(name.partition).unwrap_or(0) % members.max(1);
        turn == member && self.wants(&name.topic)
    }
}

/// A topic by name, or all whose name matches.
#[derive(Debug, Clone)]
pub enum TopicSelector {
    /// Just this one.
    Name(String),
    /// The same, once it is there, and from its first record on: it is filled for this group alone.
    Addressed(String),
    /// Every topic that matches, but for internal ones, dead letters, and what is addressed to one sink.
    Pattern(Regex),
}

impl TopicSelector {
    /// From the configuration: a name, or a pattern when it begins with `^`.
    ///
    /// # Errors
    /// What is wrong with the pattern.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.starts_with('^') {
            return Regex::new(text).map(Self::Pattern).map_err(|error| error.to_string());
        }
        Ok(Self::Name(text.to_owned()))
    }

    /// Whether `topic` is meant.
    #[must_use]
    pub fn matches(&self, topic: &str) -> bool {
        match self {
            Self::Name(name) | Self::Addressed(name) => name == topic,
            Self::Pattern(pattern) => {
                let is_special =
                    [DEAD_LETTERS, FALLBACK, REPLAY].iter().any(|end| topic.ends_with(end));
                !topic.starts_with("__") && !is_special && pattern.is_match(topic)
            }
        }
    }

    /// Where a group that reads these begins in a partition of `topic` of which it has committed nothing.
    #[must_use]
    pub fn start_of(selectors: &[Self], topic: &str, start: StartAt) -> StartAt {
        let addressed = |one: &Self| matches!(one, Self::Addressed(name) if name == topic);
        if selectors.iter().any(addressed) { StartAt::Earliest } else { start }
    }
}

/// Where a group starts when it has committed nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartAt {
    /// At the first record that is still kept.
    Earliest,
    /// At the end.
    Latest,
    /// At the first record of that time or later, ms since the Unix epoch.
    Time(i64),
    /// At that offset of each partition, or the nearest that is kept.
    Offset(i64),
}
