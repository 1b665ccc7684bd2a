//! Faults of a configuration as people see them: each with the line that it is in, and colours on a terminal.

use std::io::{self, IsTerminal, Write};

use super::visible::visible;
use crate::config::{ConfigError, Level, Place};

/// What is shown of a long line, characters.
const WIDTH_MAX: usize = 160;

/// Lines and settings with one of these may hold a secret, and are not shown.
const SECRETS: [&str; 10] = [
    "password",
    "passphrase",
    "secret",
    "token",
    "bearer",
    "api_key",
    "credential",
    "authorization",
    "users",
    "headers",
];

/// Whether a stream shows colours: it is a terminal, and nobody asked for none.
pub(super) fn has_colours(stream: &impl IsTerminal) -> bool {
    let none = std::env::var_os("NO_COLOR").is_some_and(|set| !set.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    stream.is_terminal() && !none && !dumb
}

/// Prints everything that is wrong with a configuration.
pub(super) fn print_faults(
    error: &ConfigError,
    out: &mut dyn Write,
    colours: bool,
) -> io::Result<()> {
    match error {
        ConfigError::Read { .. } => print_line(out, Level::Error, &error.to_string(), colours),
        ConfigError::Faulty(mistakes) => mistakes.iter().try_for_each(|mistake| {
            print_line(out, Level::Error, &mistake.to_string(), colours)?;
            print_excerpt(&mistake.place, &mistake.setting, out, colours)
        }),
        ConfigError::Invalid(found) => found.iter().try_for_each(|found| {
            print_line(out, found.level, &found.to_string(), colours)?;
            match &found.place {
                Some(place) => print_excerpt(place, &found.setting, out, colours),
                None => Ok(()),
            }
        }),
    }
}

/// One line that says what is wrong; a warning says itself that it is one.
pub(super) fn print_line(
    out: &mut dyn Write,
    level: Level,
    text: &str,
    colours: bool,
) -> io::Result<()> {
    // Words of the far side may stand in it.
    let text = &visible(text.as_bytes());
    match (level, colours) {
        (Level::Error, false) => writeln!(out, "error: {text}"),
        (Level::Error, true) => writeln!(out, "\x1b[1;31merror:\x1b[0m {text}"),
        (Level::Warning, false) => writeln!(out, "{text}"),
        (Level::Warning, true) => {
            let text = text.replacen("warning:", "\x1b[1;33mwarning:\x1b[0m", 1);
            writeln!(out, "{text}")
        }
    }
}

/// The line, and a caret under the place in it.
pub(super) fn print_excerpt(
    place: &Place,
    setting: &str,
    out: &mut dyn Write,
    colours: bool,
) -> io::Result<()> {
    let Some((line, caret)) = excerpt(place, setting) else { return Ok(()) };
    let number = place.line.to_string();
    let (begin, end) = if colours { ("\x1b[1;31m", "\x1b[0m") } else { ("", "") };
    writeln!(out, "  {number} | {line}")?;
    writeln!(out, "  {:width$} | {caret}{begin}^{end}", "", width = number.len())
}

/// The line that is shown, and what stands in front of the caret.
fn excerpt(place: &Place, setting: &str) -> Option<(String, String)> {
    let is_secret = |text: &str| {
        let text = text.to_lowercase();
        SECRETS.iter().any(|word| text.contains(word))
    };
    if place.line == 0
        || place.text.trim().is_empty()
        || is_secret(&place.text)
        || is_secret(setting)
    {
        return None;
    }
    let letters: Vec<char> = place.text.chars().collect();
    let column = place.column.saturating_sub(1).min(letters.len());
    // A long line is shown from where its fault comes into sight.
    let first = if column < WIDTH_MAX { 0 } else { column - WIDTH_MAX / 2 };
    let plain =
        |letter: &char| if letter.is_control() && *letter != '\t' { '\u{fffd}' } else { *letter };
    let line: String = letters.iter().skip(first).take(WIDTH_MAX).map(plain).collect();
    let before = letters.iter().skip(first).take(column - first);
    let caret = before.map(|letter| if *letter == '\t' { '\t' } else { ' ' }).collect();
    Some((line, caret))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(text: &str, column: usize) -> Place {
        Place { file: "c.yaml".to_owned(), line: 12, column, text: text.to_owned() }
    }

    fn shown(text: &str, column: usize, colours: bool) -> String {
        let mut out = Vec::new();
        print_excerpt(&place(text, column), "log.level", &mut out, colours).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_caret_stands_under_the_fault() {
        assert_eq!(
            shown("log: { level: x }", 15, false),
            "  12 | log: { level: x }\n     |               ^\n"
        );
        assert_eq!(shown("é: x", 4, false), "  12 | é: x\n     |    ^\n");
        assert!(shown("a: x", 4, true).ends_with("\x1b[1;31m^\x1b[0m\n"));
        assert_eq!(shown("short", 99, false), "  12 | short\n     |      ^\n");
    }

    #[test]
    fn a_long_line_is_cut_and_control_letters_do_nothing() {
        let long = format!("{}x", " ".repeat(1000));
        let out = shown(&long, 1001, false);
        assert!(out.lines().all(|line| line.len() < 200) && out.contains('x'), "{out}");
        assert!(!shown("a: \x1b[31m", 1, false).contains('\x1b'));
    }

    #[test]
    fn a_line_that_may_hold_a_secret_is_not_shown() {
        for text in ["auth: { bearer: abc }", "  Password: x", "users: { a: b }"] {
            assert_eq!(shown(text, 1, false), "", "{text}");
        }
        assert_eq!(excerpt(&place("alice: hunter2", 1), "listeners[0].sasl.users.alice"), None);
    }
}
