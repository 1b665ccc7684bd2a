//! What the checks find, each with its setting, and what to do about it.

use std::fmt;

use crate::config::place::Place;
use crate::config::tree::{Step, render};

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
    pub(in crate::config) path: Vec<Step>,
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
    pub(in crate::config) fn placed(mut self, place_of: impl FnOnce(&[Step]) -> Place) -> Self {
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

/// What is probably not meant with a setting.
pub(in crate::config) fn doubtful(path: Vec<Step>, problem: String, hint: String) -> Invalid {
    Invalid { level: Level::Warning, setting: render(&path), problem, hint, place: None, path }
}

/// What was found so far.
#[derive(Debug, Default)]
pub(super) struct Findings(pub(super) Vec<Invalid>);

impl Findings {
    /// Notes what cannot work. A part of the path that is a number in brackets is the entry of a list.
    pub(super) fn error(
        &mut self,
        path: &[&str],
        problem: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.push(Level::Error, path, problem.into(), hint.into());
    }

    /// Notes what is probably not meant.
    pub(super) fn warning(
        &mut self,
        path: &[&str],
        problem: impl Into<String>,
        hint: impl Into<String>,
    ) {
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
