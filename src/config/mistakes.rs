//! Reads the types of a configuration; what does not fit is taken out, and the rest is read again, so that all mistakes
//! are told at once.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::Config;
use super::fault::Fault;
use super::producer::Acks;
use super::tree::{Node, Step, Value};
use super::typed::Typed;

/// Mistakes that are looked for at most; each costs another reading.
const TOLD_MAX: usize = 100;

/// Shortest name that is no word of a sentence by chance, in bytes.
const NAME_MIN: usize = 4;

/// A configuration that is read while what does not fit is taken out of it.
pub(super) struct Reading {
    rest: Node,
    gone: Vec<Vec<Step>>,
    /// What does not fit.
    pub(super) faults: Vec<Fault>,
}

impl Reading {
    /// Begins without what stands at the paths in `gone`, of which more is known already.
    pub(super) fn new(root: &Node, gone: &[Vec<Step>]) -> Self {
        let mut reading = Self { rest: root.clone(), gone: Vec::new(), faults: Vec::new() };
        for path in gone {
            reading.take_out(path.clone());
        }
        reading
    }

    /// The settings as types, without what does not fit; `None` when nothing can be read at all.
    pub(super) fn read(&mut self) -> Option<Config> {
        // Besides its own, a fault takes out the blocks that cannot be without it.
        for _round in 0..4 * TOLD_MAX {
            let fault = match typed(&self.rest) {
                Ok(config) => return Some(config),
                Err(fault) => fault,
            };
            let place = place_of(&fault);
            // A block may only lack what was taken out of it; then it goes, too.
            let lacks =
                |path: &Vec<Step>| path.split_last().is_some_and(|(_, of)| of == fault.path);
            if fault.key.is_some() || !self.gone.iter().any(lacks) {
                self.faults.push(fault);
            }
            if !self.take_out(place) || self.faults.len() == TOLD_MAX {
                return None;
            }
        }
        None
    }

    /// Takes out what stands at `path`; whether there was anything.
    pub(super) fn take_out(&mut self, path: Vec<Step>) -> bool {
        let was_there = self.rest.cut(&path);
        self.gone.push(path);
        was_there
    }

    /// Whether what is said about `path` in these words may follow from what was taken out: because it is about the
    /// same, or names it.
    pub(super) fn is_doubtful(&self, path: &[Step], said: &str) -> bool {
        let words = || said.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
        let names = |gone: &Vec<Step>| match gone.last() {
            Some(Step::Key(key)) => key.len() >= NAME_MIN && words().any(|word| word == key),
            Some(Step::Index(_)) | None => false,
        };
        self.is_gone(path) || self.gone.iter().any(names)
    }

    /// Whether `path`, or a part of it, was taken out.
    pub(super) fn is_gone(&self, path: &[Step]) -> bool {
        self.gone.iter().any(|gone| path.starts_with(gone) || gone.starts_with(path))
    }
}

/// The settings as types: first as written, so that every fault has the path where it stands; then with the defaults
/// of topics.
fn typed(root: &Node) -> Result<Config, Fault> {
    let written = Config::deserialize(Typed(root))?;
    let topics = match with_topic_defaults(root) {
        Some(topics) => BTreeMap::deserialize(Typed(&topics))
            .map_err(|fault| fault.inside(Step::Key("topics".to_owned()), topics.file))?,
        None => written.topics,
    };
    let mut config = Config { topics, ..written };
    let asked_for = root.get("producer").and_then(|block| block.get("idempotence"));
    if config.producer.acks != Acks::All && asked_for.is_none() {
        config.producer.idempotence = false;
    }
    Ok(config)
}

fn with_topic_defaults(root: &Node) -> Option<Node> {
    let defaults = root.get("topic_defaults")?;
    let mut topics = root.get("topics")?.clone();
    if let Value::Map(topics) = &mut topics.value {
        topics.iter_mut().for_each(|(_, topic)| topic.fill_from(defaults));
    }
    Some(topics)
}

/// What is to be taken out.
fn place_of(fault: &Fault) -> Vec<Step> {
    let key = fault.key.clone().map(Step::Key);
    fault.path.iter().cloned().chain(key).collect()
}
