//! Texts that nobody would write: no panic, and every refusal has its place.

use anabranch::config::{ConfigError, Mistake, check, load_str};
use proptest::prelude::*;

const FULL: &str = include_str!("../../../config/full.yaml");

/// Loads and judges; a refusal must stand inside the text.
fn survive(text: &str) -> Result<(), TestCaseError> {
    match load_str(text, "any.yaml") {
        Ok(config) => {
            let _judged = check(&config);
        }
        Err(ConfigError::Faulty(mistakes)) => {
            let breaks = ['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}'];
            let lines = text.matches(breaks).count() + 2;
            prop_assert!(!mistakes.is_empty());
            for Mistake { place, problem, .. } in mistakes {
                prop_assert!(place.line <= lines, "{place}");
                prop_assert!(!problem.is_empty());
            }
        }
        Err(other) => prop_assert!(false, "{other}"),
    }
    Ok(())
}

/// What YAML and the configuration give a meaning to.
fn fragment() -> impl Strategy<Value = String> {
    const MARKS: &[&str] = &[
        "\n", "\n  ", "\n    ", ": ", "- ", "{", "}", "[", "]", ", ", "\"", "'", "|\n", ">\n",
        "&a ", "*a", "!t ", "#", "~", "---\n", "\t", "${", "$$", ":-", "<<", "sources", "sinks",
        "topics", "hub", "kafka", "producer", "from", "to", "file", "stdin", "topic", "acks", "1",
        "-1", "1.5", "true", "5ms", "none",
    ];
    prop_oneof![proptest::sample::select(MARKS).prop_map(str::to_owned), ".{0,3}"]
}

proptest! {
    #[test]
    fn any_text_is_loaded_or_refused(text in ".{0,80}") {
        survive(&text)?;
    }

    #[test]
    fn any_heap_of_fragments_is_loaded_or_refused(parts in proptest::collection::vec(fragment(), 0..40)) {
        survive(&parts.concat())?;
    }

    #[test]
    fn the_full_file_with_a_hole_is_loaded_or_refused(start in 0..FULL.len(), length in 1..60usize) {
        let kept: Vec<u8> = FULL.bytes().enumerate()
            .filter(|(at, _)| !(start..start + length).contains(at))
            .map(|(_, byte)| byte)
            .collect();
        survive(&String::from_utf8_lossy(&kept))?;
    }
}

#[test]
fn nesting_and_repetition_are_bounded() {
    let deep = format!("log: {}", "[".repeat(10_000));
    let bomb = "a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1]\n".to_owned()
        + &(b'b'..=b'i')
            .map(|name| {
                let (this, last) = (char::from(name), char::from(name - 1));
                format!("{this}: &{this} [{}*{last}]\n", format!("*{last}, ").repeat(8))
            })
            .collect::<String>();
    for text in [deep, bomb] {
        let refused = load_str(&text, "x.yaml").unwrap_err().to_string();
        assert!(refused.contains("limit exceeded"), "{refused}");
    }
}
