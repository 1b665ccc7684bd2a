//! An answer as paths and values, from what `Debug` shows of it.

/// Each field with its path, `topics[0].partitions[1].error_code`, and its value.
pub(super) fn flatten(shown: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    // Indentation, label, and how many unnamed children there were.
    let mut open: Vec<(usize, String, usize)> = Vec::new();
    for line in shown.lines() {
        let indent = line.len() - line.trim_start().len();
        let text = line.trim().trim_end_matches(',');
        if text.is_empty() || text.chars().all(|letter| ")]}".contains(letter)) {
            continue;
        }
        while open.last().is_some_and(|(above, ..)| *above >= indent) {
            open.pop();
        }
        let named = text.split_once(": ").filter(|(name, _)| {
            name.chars().all(|letter| {
                letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_'
            })
        });
        let (label, value) = match (named, open.last_mut()) {
            (Some((name, value)), _) => (name.to_owned(), value),
            (None, Some((_, _, count))) => {
                *count += 1;
                (format!("[{}]", *count - 1), text)
            }
            (None, None) => (String::new(), text),
        };
        if value.ends_with(['(', '[', '{']) {
            open.push((indent, label, 0));
        } else {
            let above: Vec<&str> = open.iter().map(|(_, label, _)| label.as_str()).collect();
            found.push((format!("{}.{label}", above.join(".")), value.to_owned()));
        }
    }
    found
}

/// The name of the field that a path ends with.
pub(super) fn field(path: &str) -> &str {
    let name = path.rsplit('.').find(|part| !part.starts_with('['));
    name.unwrap_or_default()
}

#[test]
fn a_nested_answer_becomes_paths() {
    let shown = format!("{:#?}", Some((vec![Some(7), None], "a: b")));
    let paths = flatten(&shown);
    let values: Vec<&str> = paths.iter().map(|(_, value)| value.as_str()).collect();
    assert_eq!(values, ["7", "None", "\"a: b\""]);
    assert_eq!(field(".topics.[0].error_code"), "error_code");
    assert_eq!(field(".topics.[0].name.[0]"), "name");
}
