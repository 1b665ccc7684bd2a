//! All checks, in the order of the configuration's blocks.

use super::findings::{Findings, Invalid};
use super::{
    admin, circles, connectors, hub, listeners, loops, names, paths, producer, sinks, topics,
};
use crate::config::Config;

/// Judges what settings say about each other; in the order of the configuration's blocks.
#[must_use]
pub fn check(config: &Config) -> Vec<Invalid> {
    let mut findings = Findings::default();
    hub::check(config, &mut findings);
    topics::check(config, &mut findings);
    producer::check_memory(config, &mut findings);
    producer::check(&config.producer, &mut findings);
    let topics = topics::Topics::of(config);
    names::check(config, &topics, &mut findings);
    sinks::check(config, &topics, &mut findings);
    loops::check(config, &topics, &mut findings);
    admin::check(&config.admin, &mut findings);
    paths::check(config, &mut findings);
    listeners::check(config, &mut findings);
    circles::check(config, &topics, &mut findings);
    connectors::doubt(config, &mut findings);
    connectors::check(config, &mut findings);
    findings.0
}

/// What connectors say about their own blocks, of each the first fault; part of what [`check`] tells.
pub(in crate::config) fn check_connectors(config: &Config) -> Vec<Invalid> {
    let mut findings = Findings::default();
    connectors::check(config, &mut findings);
    findings.0
}
