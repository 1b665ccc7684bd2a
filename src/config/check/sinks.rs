//! `sinks`, as far as the agent deals with them.

use std::collections::BTreeSet;

use anabranch_connectors::contract::settings::{Alone, Topics as ReadTopics};
use regex::Regex;

use super::findings::Findings;
use super::topic_name::topic_fault;
use super::topics::Topics;
use crate::config::nearest::nearest;
use crate::config::{Config, HubConfig, SinkBlock};

pub(super) fn check(config: &Config, topics: &Topics<'_>, findings: &mut Findings) {
    for (name, sink) in &config.sinks {
        check_topics(topics, name, sink, findings);
        check_limits(name, sink, findings);
        check_concurrency(config, name, sink, findings);
        check_fallback(config, name, sink, findings);
    }
}

fn check_fallback(config: &Config, name: &str, sink: &SinkBlock, findings: &mut Findings) {
    let Some(fallback) = &sink.fallback else { return };
    let path = &["sinks", name, "fallback", "sink"];
    let wanted = fallback.sink.as_str();
    if wanted == name {
        findings.error(path, "is this sink itself", "name another sink");
        return;
    }
    let Some(other) = config.sinks.get(wanted) else {
        let known: Vec<&str> = config.sinks.keys().map(String::as_str).collect();
        let hint = match nearest(wanted, &known) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "name one of `sinks`".to_owned(),
        };
        findings.error(path, format!("there is no sink `{wanted}`"), hint);
        return;
    };
    if other.fallback.is_some() {
        let problem = format!("`{wanted}` has a fallback of its own");
        findings.error(path, problem, "records take one turn only; take one of the two away");
    }
}

fn check_topics(topics: &Topics<'_>, name: &str, sink: &SinkBlock, findings: &mut Findings) {
    if sink.topics.is_empty() {
        let hint = "write names of topics, or a pattern such as ^app-.*";
        findings.error(&["sinks", name, "topics"], "is empty", hint);
    }
    let dead_letters = format!("{name}.dlq");
    let mut seen = BTreeSet::new();
    for (index, wanted) in sink.topics.iter().enumerate() {
        let path = &["sinks", name, "topics", &format!("[{index}]")];
        if !seen.insert(wanted) {
            findings.error(
                path,
                format!("\"{wanted}\" is in the list twice"),
                "remove one of them",
            );
        } else if wanted.starts_with('^') {
            match Regex::new(wanted) {
                Err(cause) => {
                    let problem = format!("\"{wanted}\" is not a regular expression");
                    findings.error(path, problem, last_line(&cause.to_string()));
                }
                Ok(pattern) if !topics.known().any(|topic| pattern.is_match(topic)) => {
                    let problem = format!("\"{wanted}\" matches no topic that is known yet");
                    findings.warning(
                        path,
                        problem,
                        "check it, if others do not write such a topic",
                    );
                }
                Ok(_) => {}
            }
        } else if sink.dead_letters && *wanted == dead_letters {
            let problem = format!("`{dead_letters}` holds this sink's own dead letters");
            findings.error(path, problem, "remove it, or set dead_letters: false");
        } else if let Some((problem, hint)) = topic_fault(wanted) {
            let is_glob = wanted.contains('*') && !wanted.contains(".*");
            let pattern = wanted.replace('.', "\\.").replace('*', ".*");
            let hint = if is_glob { format!("write ^{pattern} for a pattern") } else { hint };
            findings.error(path, problem, hint);
        } else if !topics.is_written(wanted) {
            let problem = format!("no source writes the topic `{wanted}`");
            let near = nearest(wanted, &topics.known().collect::<Vec<_>>());
            let hint = match near {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("declare it as topics.{wanted}, if others write it"),
            };
            findings.warning(path, problem, hint);
        }
    }
}

fn check_limits(name: &str, sink: &SinkBlock, findings: &mut Findings) {
    let mut error = |rest: &[&str], problem: String, hint: &str| {
        findings.error(&[&["sinks", name], rest].concat(), problem, hint);
    };
    let zero = || "is 0".to_owned();
    if sink.concurrency == 0 {
        error(&["concurrency"], zero(), "write at least 1");
    }
    if sink.batch.max_records == 0 {
        error(&["batch", "max_records"], zero(), "write at least 1");
    }
    if sink.batch.max_bytes.0 == 0 {
        error(&["batch", "max_bytes"], zero(), "write a size such as 4MiB");
    }
    if sink.retry.backoff.is_zero() {
        error(&["retry", "backoff"], zero(), "write a time such as 100ms");
    } else if sink.retry.backoff > sink.retry.backoff_max {
        let (first, longest) = (sink.retry.backoff, sink.retry.backoff_max);
        let problem = format!("{first:?} is more than backoff_max ({longest:?})");
        error(&["retry", "backoff"], problem, "lower it, or raise backoff_max");
    }
    if sink.commit_interval.is_zero() {
        error(&["commit_interval"], zero(), "write a time such as 500ms");
    }
}

fn check_concurrency(config: &Config, name: &str, sink: &SinkBlock, findings: &mut Findings) {
    let path = &["sinks", name, "concurrency"];
    if sink.concurrency <= 1 {
        return;
    }
    let several = sink.topics.len() > 1 || sink.topics.iter().any(|topic| topic.starts_with('^'));
    let read = if several { ReadTopics::Several } else { ReadTopics::One };
    if let Err(Alone { problem, hint }) = sink.to.side_by_side(read) {
        findings.error(path, problem, hint);
        return;
    }
    let names_only = sink.topics.iter().all(|topic| !topic.starts_with('^'));
    let partitions = sink.topics.iter().map(|topic| config.topic(topic).partitions).max();
    if let (HubConfig::Embedded(_), true, Some(partitions)) = (&config.hub, names_only, partitions)
        && sink.concurrency > partitions
    {
        let problem = format!(
            "{} is more than the partitions of its topics ({partitions})",
            sink.concurrency
        );
        let hint = "raise `partitions` of the topics; a delivery without a partition does nothing";
        findings.warning(path, problem, hint);
    }
}

fn last_line(text: &str) -> String {
    let line = text.lines().last().unwrap_or_default();
    line.trim_start_matches("error: ").to_owned()
}
