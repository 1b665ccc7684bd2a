//! What a configuration's settings say about each other: everything that can only go wrong, all at once.
//!
//! Nothing is bound or connected here; only certificates and files of users are read.

use std::fmt;

use super::Config;
use super::error::Place;
use super::tree::{Step, render};

mod acls;
mod admin;
mod circles;
mod clients;
mod connectors;
mod hub;
mod listeners;
mod log;
mod loops;
mod names;
mod paths;
mod producer;
mod reach;
mod sinks;
mod topics;

pub use reach::open_to_all;

/// A setting that is well-formed and cannot work, or probably is not what was meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    /// How bad it is.
    pub level: Level,
    /// The full path of the setting, such as `sinks.search.batch.max_records`.
    pub setting: String,
    /// What is wrong with it.
    pub problem: String,
    /// What to do.
    pub hint: String,
    /// Where it stands, once that is looked up.
    pub place: Option<Place>,
    pub(super) path: Vec<Step>,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// It works, perhaps not as meant.
    Warning,
    /// It cannot work.
    Error,
}

impl Invalid {
    /// Looks up where it stands.
    pub(super) fn placed(mut self, place_of: impl FnOnce(&[Step]) -> Place) -> Self {
        self.place = Some(place_of(&self.path));
        self
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(out, "{place}: ")?;
        }
        if self.level == Level::Warning {
            out.write_str("warning: ")?;
        }
        if !self.setting.is_empty() {
            write!(out, "{}: ", self.setting)?;
        }
        write!(out, "{}; {}", self.problem, self.hint)
    }
}

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
pub(super) fn check_connectors(config: &Config) -> Vec<Invalid> {
    let mut findings = Findings::default();
    connectors::check(config, &mut findings);
    findings.0
}

/// What is probably not meant with a setting.
pub(super) fn doubtful(path: Vec<Step>, problem: String, hint: String) -> Invalid {
    Invalid { level: Level::Warning, setting: render(&path), problem, hint, place: None, path }
}

/// What was found so far.
#[derive(Debug, Default)]
struct Findings(Vec<Invalid>);

impl Findings {
    /// Notes what cannot work. A part of the path that is a number in brackets is the entry of a list.
    fn error(&mut self, path: &[&str], problem: impl Into<String>, hint: impl Into<String>) {
        self.push(Level::Error, path, problem.into(), hint.into());
    }

    /// Notes what is probably not meant.
    fn warning(&mut self, path: &[&str], problem: impl Into<String>, hint: impl Into<String>) {
        self.push(Level::Warning, path, problem.into(), hint.into());
    }

    fn push(&mut self, level: Level, path: &[&str], problem: String, hint: String) {
        let path: Vec<Step> = path.iter().map(|part| step(part)).collect();
        self.0.push(Invalid { level, setting: render(&path), problem, hint, place: None, path });
    }
}

fn step(part: &str) -> Step {
    let number = part.strip_prefix('[').and_then(|part| part.strip_suffix(']'));
    match number.and_then(|number| number.parse().ok()) {
        Some(index) => Step::Index(index),
        None => Step::Key(part.to_owned()),
    }
}
