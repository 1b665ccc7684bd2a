//! Names of sources, sinks and topics.

use super::findings::Findings;
use super::topic_name::topic_fault;
use super::topics::Topics;
use crate::config::Config;

/// Longest name of a source or sink, in bytes.
const NAME_MAX: usize = 64;

pub(super) fn check(config: &Config, topics: &Topics<'_>, findings: &mut Findings) {
    if config.sources.is_empty() && config.sinks.is_empty() {
        let hint = "add a source or a sink; config/quickstart.yaml is an example";
        findings.warning(&[], "neither sources nor sinks are set", hint);
    }
    for (name, source) in &config.sources {
        check_name("sources", name, findings);
        if let Some((problem, hint)) = topic_fault(&source.topic) {
            findings.error(&["sources", name, "topic"], problem, hint);
        }
        if topics.is_dead(&source.topic) {
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
