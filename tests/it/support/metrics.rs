//! Prometheus' text format, as much of it as a test needs.

use std::collections::BTreeMap;

/// Reads every sample; the key is the name with its labels as printed.
pub(super) fn parse(text: &str) -> BTreeMap<String, f64> {
    text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).map(sample).collect()
}

/// `name{label="a value"} 1.5 1700000000000`; labels and the time at the end are optional.
fn sample(line: &str) -> (String, f64) {
    let end = line.rfind('}').map_or_else(|| line.find(' '), |brace| Some(brace + 1));
    let (name, rest) = line.split_at(end.unwrap_or_else(|| panic!("no value in {line:?}")));
    let value = rest.split_whitespace().next().and_then(|value| value.parse().ok());
    (name.to_owned(), value.unwrap_or_else(|| panic!("no number in {line:?}")))
}

#[test]
fn samples_are_read_with_their_labels() {
    let text = "# HELP a b\n# TYPE a counter\na_total 3\n\n\
        b{sink=\"x y\",le=\"+Inf\"} 1.5 1700000000000\nc NaN\n";
    let metrics = parse(text);
    assert_eq!(metrics["a_total"], 3.0);
    assert_eq!(metrics["b{sink=\"x y\",le=\"+Inf\"}"], 1.5);
    assert!(metrics["c"].is_nan());
    assert_eq!(metrics.len(), 3);
}
