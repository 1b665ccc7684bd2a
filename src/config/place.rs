//! A place in a file, with the text that stands there, for messages.

use std::fmt;

/// A place in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file, as it was named.
    pub file: String,
    /// Line from 1, or 0 for the whole file.
    pub line: usize,
    /// Column from 1, in characters.
    pub column: usize,
    /// The text of that line.
    pub text: String,
}

impl Place {
    /// A place in the text of a file.
    pub(super) fn new(file: &str, (line, column): (usize, usize), text: &str) -> Self {
        let shown = line.checked_sub(1).and_then(|index| text.lines().nth(index));
        let shown = shown.unwrap_or_default().to_owned();
        Self { file: file.to_owned(), line, column, text: shown }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => out.write_str(&self.file),
            line => write!(out, "{}:{line}:{}", self.file, self.column),
        }
    }
}
