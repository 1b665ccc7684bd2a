//! What the YAML parser says, with the line and with what usually causes it.

use super::error::Mistake;
use super::place::Place;

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
pub(super) fn explain(cause: &serde_yaml::Error, name: &str, text: &str) -> Mistake {
    let words = cause.to_string();
    if words.contains("more than one document") {
        let line = second_document(text);
        let problem = "a second document begins here; keep one in each file, and name their folder";
        return faulty(name, (line, 1), text, problem);
    }
    let place = cause.location().map_or((0, 0), |place| (place.line(), place.column()));
    let words = words.split(" at line ").next().unwrap_or_default();
    if let Some(line) = line(text, place.0).filter(|line| tab_indents(line)) {
        let column = line.chars().take_while(|letter| *letter != '\t').count() + 1;
        let problem = "a tab in the indentation; YAML allows spaces only";
        return faulty(name, (place.0, column), text, problem);
    }
    if let Some(value) = line(text, place.0).and_then(begins_with_brace) {
        let problem = format!(
            "not valid YAML ({words}); put a value that begins with `{{` into quotes, as in \"{value}\""
        );
        return faulty(name, place, text, &problem);
    }
    let hint = HINTS.iter().find(|(said, _)| words.contains(said)).map(|(_, hint)| *hint);
    let problem = match hint {
        Some(hint) => format!("not valid YAML ({words}); {hint}"),
        None => format!("not valid YAML ({words})"),
    };
    faulty(name, place, text, &problem)
}

/// A file that is not UTF-8, at its first wrong byte.
pub(super) fn not_utf8(name: &str, bytes: &[u8], valid: usize) -> Mistake {
    let before = bytes.get(..valid).unwrap_or_default();
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let column = before.rsplit(|byte| *byte == b'\n').next().map_or(0, <[u8]>::len) + 1;
    let problem = match bytes {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => "UTF-16; save the file as UTF-8",
        _ => "not UTF-8; save the file with this encoding",
    };
    faulty(name, (line, column), "", problem)
}

fn faulty(name: &str, position: (usize, usize), text: &str, problem: &str) -> Mistake {
    let place = Place::new(name, position, text);
    Mistake { place, setting: String::new(), problem: problem.to_owned() }
}

/// A value such as `{topic}.log`, which YAML takes for a block with something behind it.
fn begins_with_brace(line: &str) -> Option<&str> {
    let (_, value) = line.split_once(": {").or_else(|| line.split_once("- {"))?;
    let (inner, behind) = value.split_once('}')?;
    let field = |letter: char| letter.is_alphanumeric() || "._:%|-".contains(letter);
    let goes_on =
        behind.starts_with(|letter: char| letter.is_alphanumeric() || "./-_{".contains(letter));
    if inner.is_empty() || !inner.chars().all(field) || !goes_on {
        return None;
    }
    let start = line.len().checked_sub(value.len() + 1)?;
    line.get(start..)?.split([' ', ',']).next()
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
