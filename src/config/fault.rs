//! Why a value does not fit its setting, in words for a person.

use std::fmt;

use serde::de::{self, Expected, Unexpected};

use super::foreign;
use super::nearest::nearest;
use super::tree::{Step, render};

/// The connectors of sources and of sinks.
const SOURCES: &[&str] = &["file", "syslog", "http", "stdin"];
const SINKS: &[&str] = &["elasticsearch", "file", "http", "stdout"];

/// A value or a name that does not fit.
#[derive(Debug)]
pub(super) struct Fault {
    /// Steps from the root to the block or setting.
    pub path: Vec<Step>,
    /// The name inside that block that is wrong, if it is a name.
    pub key: Option<String>,
    /// Whether the block as a whole is wrong, because something is missing in it.
    pub incomplete: bool,
    /// Number of the file, as soon as it is known.
    pub file: Option<usize>,
    /// The names that are known in the block where an unknown one stands.
    pub known: &'static [&'static str],
    /// What is wrong.
    pub problem: String,
}

impl Fault {
    pub(super) const fn new(problem: String) -> Self {
        Self { path: Vec::new(), key: None, incomplete: false, file: None, known: &[], problem }
    }

    /// What is wrong, and what to do.
    pub(super) fn sentence(&self) -> String {
        const SHOWN_MAX: usize = 8;
        let problem = &self.problem;
        let Some(field) = self.key.as_deref().filter(|_| !self.known.is_empty()) else {
            return problem.clone();
        };
        let connectors = [SOURCES, SINKS];
        if let Some(hint) = foreign::meant(&self.path, field, connectors) {
            return format!("{problem}; {hint}");
        }
        match nearest(field, self.known) {
            Some(meant) => format!("{problem}; did you mean `{meant}`?"),
            None if self.known.len() <= SHOWN_MAX => {
                format!("{problem}; known here: {}", self.known.join(", "))
            }
            None => format!("{problem}; config/full.yaml shows every setting"),
        }
    }

    /// The fault as seen from the block around it.
    pub(super) fn inside(mut self, step: Step, file: usize) -> Self {
        self.path.insert(0, step);
        self.file = self.file.or(Some(file));
        self
    }

    /// The fault of a name in a block.
    pub(super) fn named(mut self, key: &str, file: usize) -> Self {
        self.key = Some(key.to_owned());
        self.file = self.file.or(Some(file));
        self
    }

    /// The fault of a name that is none of the connectors.
    pub(super) fn of_connector(mut self, name: &str, known: &[&str]) -> Self {
        let meant = foreign::connector(name, known).or_else(|| nearest(name, known));
        let known = known.join(", ");
        self.problem = match (name, meant) {
            ("kafka", _) => format!(
                "Kafka is no connector here but the hub: write `hub: {{ kafka: {{ bootstrap_servers: [\"HOST:9092\"] }} }}`; \
                 known: {known}"
            ),
            ("type" | "kind", _) => {
                format!("the name of the connector is the key here; write one of {known}")
            }
            (_, Some(meant)) => {
                format!("unknown connector `{name}`; did you mean `{meant}`? known: {known}")
            }
            (_, None) => format!("unknown connector `{name}`; known: {known}"),
        };
        self
    }

    /// Takes what came out of a variable, perhaps a secret, out of the message.
    pub(super) fn without(mut self, secret: &str) -> Self {
        const SHORTEST: usize = 4;
        self.problem = self.problem.replace(&format!("\"{secret}\""), "in the variable");
        if secret.len() >= SHORTEST {
            self.problem = self.problem.replace(secret, "***");
        }
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(out, "{}: ", render(&self.path))?;
        }
        out.write_str(&self.sentence())
    }
}

impl std::error::Error for Fault {}

impl de::Error for Fault {
    fn custom<T: fmt::Display>(problem: T) -> Self {
        Self::new(problem.to_string())
    }

    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let expected = expected.to_string();
        let hint = hint(unexpected, &expected);
        Self::new(format!("expected {}, found {}{hint}", in_words(&expected), found(unexpected)))
    }

    fn invalid_value(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(unexpected, expected)
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Self::new(match nearest(variant, expected) {
            Some(meant) => format!("unknown name `{variant}`; did you mean `{meant}`?"),
            None => format!("unknown name `{variant}`; known: {}", expected.join(", ")),
        })
    }

    fn unknown_field(field: &str, known: &'static [&'static str]) -> Self {
        let problem = match known {
            [] => format!("unknown field `{field}`; this block has no settings"),
            _ => format!("unknown field `{field}`"),
        };
        Self { known, ..Self::new(problem) }
    }

    fn missing_field(field: &'static str) -> Self {
        let problem = format!("`{field}` is missing and has no default; write it");
        Self { incomplete: true, ..Self::new(problem) }
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::new(format!("`{field}` is set twice in this block; remove one of them"))
    }
}

/// What a type expects, as people say it.
fn in_words(expected: &str) -> &str {
    match expected {
        "a string" => "text",
        "u8" => "a whole number from 0 to 255",
        "u16" => "a whole number from 0 to 65535",
        "u32" => "a whole number from 0 to 4294967295",
        "u64" | "usize" => "a whole number from 0",
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number",
        "f32" | "f64" => "a number",
        "a boolean" => "true or false",
        "a sequence" => "a list such as [a, b]",
        "a map" => "a block of settings",
        "a duration" => "a duration such as 500ms, 30s or 7d",
        "path string" => "a path",
        "variant identifier" | "field identifier" => "a name",
        block if block.starts_with("struct ") => "a block of settings",
        choice if choice.starts_with("enum ") => "one name, or a block with one key",
        other => other,
    }
}

fn found(unexpected: Unexpected<'_>) -> String {
    if let Unexpected::Str(text) = unexpected {
        return format!("the text \"{text}\"");
    }
    let words = unexpected.to_string();
    match words.as_str() {
        "unit value" | "Option value" => "nothing".to_owned(),
        "sequence" => "a list".to_owned(),
        "map" => "a block".to_owned(),
        value => value
            .replace("boolean", "the word")
            .replace("integer", "the number")
            .replace("floating point", "the number"),
    }
}

fn hint(unexpected: Unexpected<'_>, expected: &str) -> String {
    let number = in_words(expected).contains("number");
    if let Unexpected::Str(text) = unexpected {
        let is_number = text.parse::<f64>().is_ok();
        return match expected {
            "a duration" if is_number => format!("; add a unit, as in {text}s"),
            "a sequence" => format!("; write [{text}]"),
            block if block.starts_with("struct ") => {
                "; a setting is written `name: value`".to_owned()
            }
            "a boolean" if matches!(text, "yes" | "no" | "on" | "off") => {
                "; YAML's words are true and false".to_owned()
            }
            _ if number && is_number => "; remove the quotes".to_owned(),
            _ => String::new(),
        };
    }
    if unexpected == Unexpected::Unit {
        return "; write a value, or remove the line".to_owned();
    }
    String::new()
}
