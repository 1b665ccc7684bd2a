//! Numbered lines: what a test sends in, and how it sees that each came out exactly once and in order.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use serde_json::Value;

/// The line with this number from `origin`, about 100 bytes, without a line end.
fn line(origin: &str, number: usize) -> String {
    let filler = "the quick brown fox jumps over the lazy dog, again and again and again";
    format!("{origin}#{number:07} {filler}")
}

/// The lines from `numbers`, each with its line end.
pub(crate) fn lines(origin: &str, numbers: std::ops::Range<usize>) -> String {
    numbers.map(|number| line(origin, number) + "\n").collect()
}

/// Appends the lines from `numbers` to the file at `path`, which is made if it is not there.
pub(crate) fn append_lines(path: &Path, origin: &str, numbers: std::ops::Range<usize>) {
    let mut file = File::options().create(true).append(true).open(path).unwrap();
    file.write_all(lines(origin, numbers).as_bytes()).unwrap();
}

/// The numbers of the lines from `origin`, wherever in `texts` they stand, one for each text that has one.
pub(crate) fn numbers(texts: &[String], origin: &str) -> Vec<usize> {
    let mark = format!("{origin}#");
    let number = |text: &String| {
        let digits = text.split(&mark).nth(1)?.get(..7)?;
        digits.parse().ok()
    };
    texts.iter().filter_map(number).collect()
}

/// Expects that `texts` have every line of `origin` below `count` exactly once.
#[track_caller]
pub(crate) fn assert_each_once(texts: &[String], origin: &str, count: usize) {
    let mut seen = BTreeMap::<usize, usize>::new();
    for number in numbers(texts, origin) {
        *seen.entry(number).or_default() += 1;
    }
    let missing: Vec<_> = (0..count).filter(|number| !seen.contains_key(number)).collect();
    let twice: Vec<_> = seen.iter().filter(|(_, times)| **times > 1).map(|(one, _)| *one).collect();
    assert!(
        missing.is_empty() && twice.is_empty() && seen.len() == count,
        "of {count} lines from {origin}: {} missing ({}), {} more than once ({}), {} different",
        missing.len(),
        ranges(&missing),
        twice.len(),
        ranges(&twice),
        seen.len()
    );
}

/// As [`assert_each_once`], and in the order of their numbers.
#[track_caller]
pub(crate) fn assert_each_once_in_order(texts: &[String], origin: &str, count: usize) {
    assert_each_once(texts, origin, count);
    let numbers = numbers(texts, origin);
    let wrong = numbers.windows(2).find(|pair| pair[0] > pair[1]);
    assert_eq!(wrong, None, "lines from {origin} are not in order");
}

/// `1-3, 7`: the first few runs of sorted numbers.
fn ranges(numbers: &[usize]) -> String {
    let runs = numbers.chunk_by(|one, next| one + 1 == *next);
    let runs = runs.map(|run| format!("{}-{}", run[0], run[run.len() - 1]));
    runs.take(5).collect::<Vec<_>>().join(", ")
}

/// The lines of the file at `path`; none when it is not there.
pub(crate) fn file_lines(path: &Path) -> Vec<String> {
    let bytes = fs::read(path).unwrap_or_default();
    String::from_utf8_lossy(&bytes).lines().map(str::to_owned).collect()
}

/// How many lines the file at `path` has; none when it is not there.
pub(crate) fn file_line_count(path: &Path) -> usize {
    fs::read(path).unwrap_or_default().iter().filter(|byte| **byte == b'\n').count()
}

/// The `message` of each of the documents that a search gave.
pub(crate) fn messages(hits: &[Value]) -> Vec<String> {
    let message = |hit: &Value| hit["_source"]["message"].as_str().unwrap_or_default().to_owned();
    hits.iter().map(message).collect()
}

#[test]
fn what_is_missing_twice_or_out_of_order_is_seen() {
    let texts = |numbers: &[usize]| -> Vec<_> {
        numbers.iter().map(|number| format!("<13>1 {}", line("a", *number))).collect()
    };
    let fails = |check: fn(&[String], &str, usize), numbers: &[usize]| {
        let texts = texts(numbers);
        std::panic::catch_unwind(move || check(&texts, "a", 3)).is_err()
    };
    assert!(!fails(assert_each_once, &[0, 2, 1]));
    assert!(fails(assert_each_once, &[0, 1]));
    assert!(fails(assert_each_once, &[0, 1, 2, 2]));
    assert!(fails(assert_each_once, &[0, 1, 2, 3]));
    assert!(!fails(assert_each_once_in_order, &[0, 1, 2]));
    assert!(fails(assert_each_once_in_order, &[0, 2, 1]));
    assert_eq!(ranges(&[1, 2, 3, 7]), "1-3, 7-7");
}
