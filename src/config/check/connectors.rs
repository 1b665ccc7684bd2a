//! What connectors say about their own blocks.

use anabranch_connectors::contract::build::{BuildError, Surroundings};

use super::findings::Findings;
use crate::config::Config;

pub(super) fn check(config: &Config, findings: &mut Findings) {
    let around = |name: &str| Surroundings { name: name.to_owned(), host: "localhost".to_owned() };
    for (name, source) in &config.sources {
        let block = ["sources", name, "from", source.from.kind()];
        if let Err(fault) = source.from.build(&around(name)) {
            note(&block, &fault, findings);
        }
        for fault in source.from.faults() {
            note(&block, &fault, findings);
        }
        for doubt in source.from.doubts() {
            findings.warning(&[&block[..], &[doubt.setting]].concat(), doubt.problem, doubt.hint);
        }
    }
    for (name, sink) in &config.sinks {
        if let Err(fault) = sink.to.build(&around(name)) {
            note(&["sinks", name, "to", sink.to.kind()], &fault, findings);
        }
    }
}

/// What is probably not meant in them.
pub(super) fn doubt(config: &Config, findings: &mut Findings) {
    for (name, sink) in &config.sinks {
        for doubt in sink.to.doubts() {
            let path = ["sinks", name, "to", sink.to.kind(), doubt.setting];
            findings.warning(&path, doubt.problem, doubt.hint);
        }
    }
}

fn note(block: &[&str], fault: &BuildError, findings: &mut Findings) {
    let inside: Vec<&str> = fault.setting.split('.').filter(|part| !part.is_empty()).collect();
    findings.error(&[block, &inside].concat(), fault.problem.clone(), fault.hint);
}
