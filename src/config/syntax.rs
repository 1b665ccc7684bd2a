//! What the YAML parser says, with the line and with what usually causes it.

use super::error::{ConfigError, Mistake, Place};

/// Part of the parser's words, and what usually helps.
const HINTS: [(&str, &str); 14] = [
    (
        "mapping values are not allowed",
        "check the indentation of this line and of the one before it, or put a value with `: ` in it into quotes",
    ),
    (
        "did not find expected key",
        "check the indentation; blocks that belong together begin in the same column",
    ),
    (
        "could not find expected ':'",
        "a setting is written `name: value`, with a space after the colon",
    ),
    (
        "did not find expected ',' or ']'",
        "close the list with `]`, and put entries with special characters into quotes",
    ),
    (
        "did not find expected ',' or '}'",
        "close the block with `}`, and put values with special characters into quotes",
    ),
    ("found unexpected end of stream", "a quote or bracket is not closed"),
    (
        "found unknown escape character",
        "inside double quotes a backslash begins an escape; use single quotes",
    ),
    (
        "did not find expected alphabetic or numeric character",
        "put a value that begins with `*` or `&` into quotes",
    ),
    (
        "block sequence entries are not allowed",
        "begin the list in a line of its own, or write it as [a, b]",
    ),
    (
        "did not find expected '-' indicator",
        "check the indentation; the entries of a list begin in the same column",
    ),
    (
        "found character that cannot start any token",
        "put a value that begins with `@`, `%` or a backquote into quotes",
    ),
    (
        "did not find expected comment or line break",
        "write `|` or `>` alone at the end of the line, or put the value into quotes",
    ),
    ("unknown anchor", "put a value that begins with `*` into quotes"),
    ("recursion limit exceeded", "blocks are nested too deep"),
];

/// The parser's error with its place, in our words.
pub(super) fn explain(cause: &serde_yaml::Error, name: &str, text: &str) -> ConfigError {
    let words = cause.to_string();
    if words.contains("more than one document") {
        let line = second_document(text);
        let problem = "a second document begins here; keep one in each file, and name their folder";
        return faulty(name, (line, 1), problem.to_owned());
    }
    let place = cause.location().map_or((0, 0), |place| (place.line(), place.column()));
    let words = words.split(" at line ").next().unwrap_or_default();
    if let Some(line) = line(text, place.0).filter(|line| tab_indents(line)) {
        let column = line.chars().take_while(|letter| *letter != '\t').count() + 1;
        let problem = "a tab in the indentation; YAML allows spaces only";
        return faulty(name, (place.0, column), problem.to_owned());
    }
    if let Some((path, problem)) = words.rsplit_once(": ").filter(|(_, said)| ours(said)) {
        let place = Place { file: name.to_owned(), line: place.0, column: place.1 };
        let (setting, problem) = (path.to_owned(), problem.to_owned());
        return Mistake { place, setting, problem }.into();
    }
    let hint = HINTS.iter().find(|(said, _)| words.contains(said)).map(|(_, hint)| *hint);
    let problem = match hint {
        Some(hint) => format!("not valid YAML ({words}); {hint}"),
        None if ours(words) => words.to_owned(),
        None => format!("not valid YAML ({words})"),
    };
    faulty(name, place, problem)
}

/// A file that is not UTF-8, at its first wrong byte.
pub(super) fn not_utf8(name: &str, bytes: &[u8], valid: usize) -> ConfigError {
    let before = bytes.get(..valid).unwrap_or_default();
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let column = before.rsplit(|byte| *byte == b'\n').next().map_or(0, <[u8]>::len) + 1;
    faulty(name, (line, column), "not UTF-8; save the file with this encoding".to_owned())
}

fn faulty(name: &str, (line, column): (usize, usize), problem: String) -> ConfigError {
    let place = Place { file: name.to_owned(), line, column };
    Mistake { place, setting: String::new(), problem }.into()
}

/// Whether these are our own words for what the YAML parser accepts.
fn ours(words: &str) -> bool {
    words.contains("is set twice in this block") || words.contains("is a YAML tag")
}

fn tab_indents(line: &str) -> bool {
    line.trim_start_matches(' ').starts_with('\t')
}

fn line(text: &str, number: usize) -> Option<&str> {
    number.checked_sub(1).and_then(|index| text.lines().nth(index))
}

fn second_document(text: &str) -> usize {
    let marks = text.lines().enumerate().filter(|(_, line)| line.starts_with("---"));
    let first_is_empty = text
        .lines()
        .all(|line| line.trim().is_empty() || line.starts_with('#') || line.starts_with("---"));
    let set = |index: usize| {
        let mut before = text.lines().take(index);
        first_is_empty
            || before.any(|line| !line.trim().is_empty() && !line.starts_with(['#', '-']))
    };
    marks.map(|(index, _)| index).find(|index| set(*index)).map_or(1, |index| index + 1)
}
