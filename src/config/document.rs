//! A configuration as it was read: its files, and their settings as one tree.

use std::cell::OnceCell;

use super::check::{Invalid, Level, check, check_connectors, doubtful};
use super::error::{ConfigError, Mistake};
use super::fault::Fault;
use super::locate::{Part, locate};
use super::mistakes::Reading;
use super::place::Place;
use super::places::{Places, Position};
use super::substitute::Variables;
use super::tree::{self, Kind, Node, Step, Value, render};
use super::{Config, foreign, substitute, syntax};

/// What is said of a file that sets nothing of a configuration.
const NO_SETTINGS: &str =
    "expected settings such as `sources:` and `sinks:`; config/quickstart.yaml is an example";

/// One file.
struct File {
    name: String,
    text: String,
    places: OnceCell<Places>,
}

/// The files of a configuration, and their settings as one tree.
pub(super) struct Document {
    files: Vec<File>,
    root: Node,
    mistakes: Vec<Mistake>,
    /// Settings that have no value because of a mistake.
    gone: Vec<Vec<Step>>,
    /// Values that name a variable as a shell does.
    bare: Vec<(Vec<Step>, String)>,
    /// Whether a file could not be read as YAML, so that settings are missing.
    is_partial: bool,
}

impl Document {
    /// Nothing yet.
    pub(super) const fn new() -> Self {
        let root = Node { value: Value::Scalar(String::new(), Kind::Null), file: 0 };
        Self {
            files: Vec::new(),
            root,
            mistakes: Vec::new(),
            gone: Vec::new(),
            bare: Vec::new(),
            is_partial: false,
        }
    }

    /// Adds what a file sets, and notes what is wrong with it: that it is not YAML, a variable cannot be filled in, or a
    /// setting stands twice.
    pub(super) fn add(&mut self, name: &str, text: &str, variables: &Variables<'_>) {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let number = self.files.len();
        let (name, text) = (name.to_owned(), text.to_owned());
        self.files.push(File { name, text, places: OnceCell::new() });
        let Some(File { name, text, .. }) = self.files.last() else { return };
        let (mut node, repeats) = match tree::parse(text, number) {
            Ok(parsed) => parsed,
            Err(cause) => {
                let mut mistake = syntax::explain(&cause, name, text);
                if let Some(problem) = foreign::program_of(text) {
                    mistake.problem = problem;
                }
                return self.add_unreadable(mistake);
            }
        };
        if !matches!(node.value, Value::Map(_)) && !node.is_null() {
            let problem = foreign::program_of(text).unwrap_or_else(|| NO_SETTINGS.to_owned());
            return self.note(number, &[], Part::Value, problem);
        }
        if repeats {
            self.note_repeated(number);
        }
        self.bare.extend(substitute::bare_variables(&node));
        for (path, problem) in variables.substitute(&mut node) {
            self.note(number, &path, Part::Value, problem);
            self.gone.push(path);
        }
        for path in self.root.merge(node) {
            let other = self.deepest(&path).file;
            let other = self.place(other, &path, Part::Key);
            let problem = format!("is set in {other}, too; keep one of the two");
            self.note(number, &path, Part::Key, problem);
        }
    }

    /// Notes that a file cannot be read as YAML.
    pub(super) fn add_unreadable(&mut self, mistake: Mistake) {
        self.mistakes.push(mistake);
        self.is_partial = true;
    }

    /// The settings as types.
    ///
    /// # Errors
    /// [`ConfigError::Faulty`] with everything that cannot be read.
    pub(super) fn config(&self) -> Result<Config, ConfigError> {
        let (read, mistakes, _) = self.read();
        read.filter(|_| mistakes.is_empty()).ok_or(ConfigError::Faulty(mistakes))
    }

    /// The settings as types, and what they say about each other.
    ///
    /// # Errors
    /// [`ConfigError::Faulty`] with everything that cannot be read or cannot work, [`ConfigError::Invalid`] when all
    /// can be read.
    pub(super) fn judged(&self) -> Result<(Config, Vec<Invalid>), ConfigError> {
        let (read, mut mistakes, mut reading) = self.read();
        let Some(config) = read.filter(|_| mistakes.is_empty() || !self.is_partial) else {
            return Err(ConfigError::Faulty(mistakes));
        };
        let found = found_in(&config, &mut reading).into_iter();
        let found = found.map(|found| found.placed(|path| self.place_of(path)));
        if mistakes.is_empty() {
            let bare = self.bare.iter().map(|(path, name)| {
                let problem = format!("`${name}` is not filled in");
                let hint = format!("write ${{{name}}}, or $${name} for the text");
                doubtful(path.clone(), problem, hint).placed(|path| self.place_of(path))
            });
            let found: Vec<_> = found.chain(bare).collect();
            return match found.iter().any(|found| found.level == Level::Error) {
                true => Err(ConfigError::Invalid(found)),
                false => Ok((config, found)),
            };
        }
        mistakes.extend(found.filter(|found| found.level == Level::Error).map(Mistake::from));
        self.sort(&mut mistakes);
        Err(ConfigError::Faulty(mistakes))
    }

    /// The settings as types, the mistakes in them, and how they were read.
    fn read(&self) -> (Option<Config>, Vec<Mistake>, Reading) {
        let mut reading = Reading::new(&self.root, &self.gone);
        let mut mistakes = self.mistakes.clone();
        if self.root.is_null() {
            if mistakes.is_empty() {
                let file = self.files.first().map_or("", |file| &file.name);
                let problem = "nothing is set; config/quickstart.yaml is an example to begin with";
                let (place, setting) = (Place::new(file, (0, 0), ""), String::new());
                mistakes.push(Mistake { place, setting, problem: problem.to_owned() });
            }
            return (None, mistakes, reading);
        }
        let config = reading.read();
        for fault in std::mem::take(&mut reading.faults) {
            // What is missing may stand in the file that cannot be read.
            if !(fault.incomplete && self.is_partial) {
                mistakes.push(self.mistake(fault));
            }
        }
        self.sort(&mut mistakes);
        (config, mistakes, reading)
    }

    /// By the order of the files and of the lines in them.
    fn sort(&self, mistakes: &mut [Mistake]) {
        mistakes.sort_by_key(|Mistake { place, .. }| {
            let file = self.files.iter().position(|file| file.name == place.file);
            (file, place.line, place.column)
        });
    }

    /// Where the setting stands, or the nearest block around it.
    fn place_of(&self, path: &[Step]) -> Place {
        let Some(file) = self.files.get(self.deepest(path).file) else {
            return Place::new("", (0, 0), "");
        };
        let position = file.position(path).unwrap_or((0, 0));
        Place::new(&file.name, position, &file.text)
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

    fn note_repeated(&mut self, file: usize) {
        let Some(File { name, text, places }) = self.files.get(file) else { return };
        let places = places.get_or_init(|| Places::of(text));
        let again =
            |path: &[Step]| places.repeated.iter().any(|(block, _)| block.as_slice() == path);
        let repeated = places.repeated.iter().filter_map(|(path, position)| {
            // What a whole block repeats is said of the block.
            if (1..path.len()).any(|length| path.get(..length).is_some_and(again)) {
                return None;
            }
            let (Step::Key(key), block) = path.split_last()? else { return None };
            let problem = format!("`{key}` is set twice in this block; remove one of them");
            let place = Place::new(name, *position, text);
            Some(Mistake { place, setting: render(block), problem })
        });
        let repeated: Vec<Mistake> = repeated.collect();
        self.mistakes.extend(repeated);
    }

    fn note(&mut self, file: usize, path: &[Step], part: Part, problem: String) {
        let place = self.place(file, path, part);
        self.mistakes.push(Mistake { place, setting: render(path), problem });
    }

    fn place(&self, file: usize, path: &[Step], part: Part) -> Place {
        let Some(File { name, text, .. }) = self.files.get(file) else {
            return Place::new("", (0, 0), "");
        };
        Place::new(name, locate(text, path, part).unwrap_or((0, 0)), text)
    }
}

impl File {
    /// Where the setting stands, or the nearest block around it.
    fn position(&self, path: &[Step]) -> Option<Position> {
        let places = self.places.get_or_init(|| Places::of(&self.text));
        let mut inner = path;
        while let Some((last, around)) = inner.split_last() {
            if let Some(position) = places.get(inner) {
                return Some(position);
            }
            if matches!(last, Step::Index(_)) {
                break;
            }
            inner = around;
        }
        locate(&self.text, inner, Part::Key)
    }
}

/// What the settings say about each other, as far as it does not follow from mistakes. A connector tells one fault of
/// its block at a time, so what it names is taken out and it is asked again.
fn found_in(config: &Config, reading: &mut Reading) -> Vec<Invalid> {
    let is_sure = |found: &Invalid, reading: &Reading| {
        !reading.is_doubtful(&found.path, &format!("{} {}", found.problem, found.hint))
    };
    let mut found = check(config);
    found.retain(|found| is_sure(found, reading));
    let mut last = check_connectors(config);
    last.retain(|found| found.level == Level::Error && is_sure(found, reading));
    while !last.is_empty() {
        for found in &last {
            reading.take_out(found.path.clone());
        }
        let Some(rest) = reading.read() else { break };
        last = check_connectors(&rest);
        last.retain(|found| found.level == Level::Error && !reading.is_gone(&found.path));
        found.extend(last.iter().cloned());
    }
    found
}
