//! `topics` and `topic_defaults`.

use std::collections::BTreeSet;

use regex::Regex;

use super::findings::{Findings, Invalid};
use super::topic_name::topic_fault;
use crate::config::{Config, TopicConfig, WhenFull};
use crate::topic_name::PARTITIONS_MAX;

/// The topics that a configuration tells of, gathered once.
pub(super) struct Topics<'a> {
    /// Declared, or written by a source.
    known: BTreeSet<&'a str>,
    /// Those that hold dead letters.
    dead: BTreeSet<String>,
}

impl<'a> Topics<'a> {
    /// Those of `config`.
    pub(super) fn of(config: &'a Config) -> Self {
        let written = config.sources.values().map(|source| source.topic.as_str());
        let burying = config.sinks.iter().filter(|(_, sink)| sink.dead_letters);
        Self {
            known: config.topics.keys().map(String::as_str).chain(written).collect(),
            dead: burying.map(|(name, _)| format!("{name}.dlq")).collect(),
        }
    }

    /// Those that are declared or that a source writes.
    pub(super) fn known(&self) -> impl Iterator<Item = &'a str> {
        self.known.iter().copied()
    }

    /// Whether a source or a sink's dead letters make it, or it is declared.
    pub(super) fn is_written(&self, topic: &str) -> bool {
        self.known.contains(topic) || self.dead.contains(topic)
    }

    /// Whether it holds the dead letters of a sink.
    pub(super) fn is_dead(&self, topic: &str) -> bool {
        self.dead.contains(topic)
    }

    /// What a sink reads that wants `topics`: names, and what patterns match.
    pub(super) fn read_by<'t>(&'t self, topics: &'t [String]) -> BTreeSet<&'t str> {
        let (patterns, names): (Vec<_>, Vec<_>) =
            topics.iter().map(String::as_str).partition(|topic| topic.starts_with('^'));
        let patterns: Vec<Regex> =
            patterns.iter().filter_map(|pattern| Regex::new(pattern).ok()).collect();
        let there = self.known.iter().copied().chain(self.dead.iter().map(String::as_str));
        let matched = there.filter(|topic| patterns.iter().any(|pattern| pattern.is_match(topic)));
        names.into_iter().chain(matched).collect()
    }
}

pub(super) fn check(config: &Config, findings: &mut Findings) {
    let mut of_defaults = Findings::default();
    check_topic(&["topic_defaults"], &config.topic_defaults, &mut of_defaults);
    findings.0.extend_from_slice(&of_defaults.0);
    for (name, topic) in &config.topics {
        if let Some((problem, hint)) = topic_fault(name) {
            findings.error(&["topics", name], problem, hint);
        }
        let mut of_topic = Findings::default();
        check_topic(&["topics", name], topic, &mut of_topic);
        // What a topic has from the defaults is said once, there.
        let inherited = |found: &Invalid| {
            let same = |default: &Invalid| {
                default.problem == found.problem && default.path.get(1..) == found.path.get(2..)
            };
            of_defaults.0.iter().any(same)
        };
        findings.0.extend(of_topic.0.into_iter().filter(|found| !inherited(found)));
    }
}

fn check_topic(block: &[&str], topic: &TopicConfig, findings: &mut Findings) {
    let at = |rest: &[&'static str]| [block, rest].concat();
    if topic.partitions == 0 {
        findings.error(&at(&["partitions"]), "is 0", "write at least 1");
    } else if topic.partitions > u32::from(PARTITIONS_MAX) {
        let hint = format!("write at most {PARTITIONS_MAX}");
        findings.error(&at(&["partitions"]), format!("{} are too many", topic.partitions), hint);
    }
    let retention = &topic.retention;
    if retention.time.is_some_and(|time| time.is_zero()) {
        let hint = "write a time such as 7d, or none to keep records for ever";
        findings.error(&at(&["retention", "time"]), "is 0", hint);
    }
    if retention.size.is_some_and(|size| size.0 == 0) {
        let hint = "write a size such as 10GiB, or none for no limit";
        findings.error(&at(&["retention", "size"]), "is 0", hint);
    }
    if let (Some(hard), Some(size)) = (retention.hard_size, retention.size)
        && hard < size
    {
        let problem = format!("{hard} is less than retention.size ({size})");
        let hint = "raise it; unread records are kept from `size` up to `hard_size`";
        findings.error(&at(&["retention", "hard_size"]), problem, hint);
    }
    if retention.when_full == WhenFull::DropOldest && retention.hard_size.is_none() {
        let problem = "does nothing without a limit";
        findings.warning(&at(&["retention", "when_full"]), problem, "set retention.hard_size");
    }
}
