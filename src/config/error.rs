//! Why a configuration cannot be used.

use std::fmt;
use std::path::PathBuf;

use thiserror::Error;

use super::check::Invalid;

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
    /// A file is not YAML, or a value in it does not fit its setting.
    #[error("{place}: {problem}", problem = with_setting(setting, problem))]
    Faulty {
        /// Where it stands.
        place: Place,
        /// The full path of the setting; empty where it is about the file.
        setting: String,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// Settings that are well-formed and cannot work, all of them.
    #[error("{}", lines(.0))]
    Invalid(Vec<Invalid>),
}

/// A place in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file, as it was named.
    pub file: String,
    /// Line from 1, or 0 for the whole file.
    pub line: usize,
    /// Column from 1, in characters.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => out.write_str(&self.file),
            line => write!(out, "{}:{line}:{}", self.file, self.column),
        }
    }
}

fn with_setting(setting: &str, problem: &str) -> String {
    match setting {
        "" => problem.to_owned(),
        setting => format!("{setting}: {problem}"),
    }
}

fn lines(invalid: &[Invalid]) -> String {
    let lines: Vec<String> = invalid.iter().map(ToString::to_string).collect();
    lines.join("\n")
}
