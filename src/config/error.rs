//! Why a configuration cannot be used.

use std::fmt;
use std::path::PathBuf;

use thiserror::Error;

use super::check::Invalid;
use super::place::Place;

/// Why a configuration cannot be used.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// A file or folder could not be read.
    #[error("cannot read {}: {cause}; {hint}", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        cause: String,
        /// What to do.
        hint: &'static str,
    },
    /// A file is not YAML, or values in it do not fit their settings, all that were found.
    #[error("{}", lines(.0))]
    Faulty(Vec<Mistake>),
    /// Settings that are well-formed and cannot work, all of them.
    #[error("{}", lines(.0))]
    Invalid(Vec<Invalid>),
}

/// What does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Where it stands.
    pub place: Place,
    /// The full path of the setting; empty where it is about the file.
    pub setting: String,
    /// What is wrong, and what to do.
    pub problem: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, setting, problem } = self;
        match setting.as_str() {
            "" => write!(out, "{place}: {problem}"),
            setting => write!(out, "{place}: {setting}: {problem}"),
        }
    }
}

impl From<Invalid> for Mistake {
    fn from(found: Invalid) -> Self {
        let Invalid { setting, problem, hint, place, .. } = found;
        let place = place.unwrap_or_else(|| Place::new("", (0, 0), ""));
        Self { place, setting, problem: format!("{problem}; {hint}") }
    }
}

fn lines(found: &[impl fmt::Display]) -> String {
    let lines: Vec<String> = found.iter().map(ToString::to_string).collect();
    lines.join("\n")
}
