//! Names of sources, sinks and topics.

use super::Findings;
use crate::config::Config;

/// Longest name of a source or sink, in bytes.
const NAME_MAX: usize = 64;
/// Longest name of a topic, in bytes; as in Kafka.
const TOPIC_MAX: usize = 249;
/// Topics that begin so belong to the hub.
const INTERNAL: &str = "__";

pub(super) fn check(config: &Config, findings: &mut Findings) {
    if config.sources.is_empty() && config.sinks.is_empty() {
        let hint = "add a source or a sink; config/quickstart.yaml is an example";
        findings.warning(&[], "neither sources nor sinks are set", hint);
    }
    for (name, source) in &config.sources {
        check_name("sources", name, findings);
        if let Some((problem, hint)) = topic_fault(&source.topic) {
            findings.error(&["sources", name, "topic"], problem, hint);
        }
        let owner = source.topic.strip_suffix(".dlq").and_then(|sink| config.sinks.get(sink));
        if owner.is_some_and(|sink| sink.dead_letters) {
            let problem = format!("`{}` holds the dead letters of a sink", source.topic);
            findings.error(&["sources", name, "topic"], problem, "write to another topic");
        }
    }
    for name in config.sinks.keys() {
        check_name("sinks", name, findings);
    }
}

fn check_name(block: &str, name: &str, findings: &mut Findings) {
    let allowed = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_' || byte == b'-'
    };
    if name.is_empty() || !name.bytes().all(allowed) {
        let problem = format!("\"{name}\" cannot be a name");
        findings.error(&[block, name], problem, "use lower-case letters, digits, `_` and `-`");
    } else if name.len() > NAME_MAX {
        let problem = format!("the name has {} characters", name.len());
        findings.error(&[block, name], problem, format!("use at most {NAME_MAX}"));
    }
}

/// Why a topic cannot have this name, and what to do.
pub(super) fn topic_fault(name: &str) -> Option<(String, String)> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    let quoted = format!("\"{name}\" cannot be a topic");
    if name.is_empty() {
        Some(("the topic has no name".to_owned(), "write a name such as app-logs".to_owned()))
    } else if !name.bytes().all(allowed) {
        Some((quoted, "use letters, digits, `.`, `_` and `-`".to_owned()))
    } else if matches!(name, "." | "..") {
        Some((quoted, "use a name with letters".to_owned()))
    } else if name.starts_with(INTERNAL) {
        Some((quoted, "names that begin with `__` belong to the hub".to_owned()))
    } else if name.len() > TOPIC_MAX {
        let problem = format!("the topic's name has {} characters", name.len());
        Some((problem, format!("use at most {TOPIC_MAX}")))
    } else {
        None
    }
}
