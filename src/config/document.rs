//! A configuration as it was read: its files, and their settings as one tree.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::Config;
use super::error::{ConfigError, Mistake, Place};
use super::fault::Fault;
use super::locate::{Part, locate};
use super::producer::Acks;
use super::substitute::Variables;
use super::tree::{self, Kind, Node, Step, Value, render};
use super::typed::Typed;
use super::{mistakes, syntax};

/// One file.
struct File {
    name: String,
    text: String,
}

/// The files of a configuration, and their settings as one tree.
pub(super) struct Document {
    files: Vec<File>,
    root: Node,
}

impl Document {
    /// Nothing yet.
    pub(super) const fn new() -> Self {
        let root = Node { value: Value::Scalar(String::new(), Kind::Null), file: 0 };
        Self { files: Vec::new(), root }
    }

    /// Adds what a file sets.
    ///
    /// # Errors
    /// [`ConfigError::Faulty`] when it is not YAML, a variable cannot be filled in, or a setting stands in two files.
    pub(super) fn add(
        &mut self,
        name: &str,
        text: String,
        variables: &Variables<'_>,
    ) -> Result<(), ConfigError> {
        let parsed = tree::parse(&text, self.files.len());
        let mut node = parsed.map_err(|cause| syntax::explain(&cause, name, &text))?;
        self.files.push(File { name: name.to_owned(), text });
        let file = node.file;
        if !matches!(node.value, Value::Map(_)) && !node.is_null() {
            let problem = "expected settings such as `sources:` and `sinks:`; config/quickstart.yaml is an example";
            return Err(self.faulty(file, &[], Part::Value, problem.to_owned()));
        }
        variables
            .substitute(&mut node)
            .map_err(|(path, problem)| self.faulty(file, &path, Part::Value, problem))?;
        self.root.merge(node).map_err(|path| {
            let other = self.deepest(&path).file;
            let other = self.place(other, &path, Part::Key);
            let problem = format!("is set in {other}, too; keep one of the two");
            self.faulty(file, &path, Part::Key, problem)
        })
    }

    /// The settings as types.
    ///
    /// # Errors
    /// [`ConfigError::Faulty`] with the values that do not fit.
    pub(super) fn config(&self) -> Result<Config, ConfigError> {
        if self.root.is_null() {
            let file = self.files.first().map_or("", |file| &file.name).to_owned();
            let problem =
                "nothing is set; config/quickstart.yaml is an example to begin with".to_owned();
            let place = Place { file, line: 0, column: 0 };
            return Err(Mistake { place, setting: String::new(), problem }.into());
        }
        // First as written, so that every fault has the path where it stands; then with the defaults of topics.
        let all =
            |faults: Vec<Fault>| faults.into_iter().map(|fault| self.mistake(fault)).collect();
        let written =
            mistakes::read(&self.root).map_err(|faults| ConfigError::Faulty(all(faults)))?;
        let full = self.with_topic_defaults();
        let topics = full.get("topics").map(|node| BTreeMap::deserialize(Typed(node)));
        let topics = topics.unwrap_or_else(|| Ok(BTreeMap::new()));
        let mut config = Config { topics: topics.map_err(|fault| self.mistake(fault))?, ..written };
        let asked_for = self.root.get("producer").and_then(|block| block.get("idempotence"));
        if config.producer.acks != Acks::All && asked_for.is_none() {
            config.producer.idempotence = false;
        }
        Ok(config)
    }

    /// Where the setting stands, or the nearest block around it.
    pub(super) fn place_of(&self, path: &[Step]) -> Place {
        self.place(self.deepest(path).file, path, Part::Key)
    }

    fn with_topic_defaults(&self) -> Node {
        let mut root = self.root.clone();
        let defaults = self.root.get("topic_defaults");
        if let (Some(defaults), Value::Map(blocks)) = (defaults, &mut root.value) {
            let topics = blocks.iter_mut().find(|(name, _)| name == "topics");
            if let Some((_, Node { value: Value::Map(topics), .. })) = topics {
                topics.iter_mut().for_each(|(_, topic)| topic.fill_from(defaults));
            }
        }
        root
    }

    fn deepest(&self, path: &[Step]) -> &Node {
        let mut node = &self.root;
        for step in path {
            match node.step(step) {
                Some(inner) => node = inner,
                None => return node,
            }
        }
        node
    }

    fn mistake(&self, fault: Fault) -> Mistake {
        let problem = fault.sentence();
        let Fault { mut path, key, incomplete, file, .. } = fault;
        let setting = render(&path);
        let part = if key.is_some() || incomplete { Part::Key } else { Part::Value };
        path.extend(key.map(Step::Key));
        let place = self.place(file.unwrap_or(self.root.file), &path, part);
        Mistake { place, setting, problem }
    }

    fn faulty(&self, file: usize, path: &[Step], part: Part, problem: String) -> ConfigError {
        let place = self.place(file, path, part);
        Mistake { place, setting: render(path), problem }.into()
    }

    fn place(&self, file: usize, path: &[Step], part: Part) -> Place {
        let Some(File { name, text }) = self.files.get(file) else {
            return Place { file: String::new(), line: 0, column: 0 };
        };
        let (line, column) = locate(text, path, part).unwrap_or((0, 0));
        Place { file: name.clone(), line, column }
    }
}
