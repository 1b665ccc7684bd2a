//! The known name that someone probably meant.

/// Names that other programs use for what has another name here.
const SYNONYMS: &[(&str, &str)] = &[
    ("brokers", "bootstrap_servers"),
    ("bootstrap.servers", "bootstrap_servers"),
    ("servers", "bootstrap_servers"),
    ("hosts", "endpoints"),
    ("urls", "endpoints"),
    ("url", "endpoints"),
    ("endpoint", "url"),
    ("uri", "url"),
    ("path", "include"),
    ("paths", "include"),
    ("files", "include"),
    ("address", "listen"),
    ("port", "listen"),
    ("inputs", "topics"),
    ("encoding", "codec"),
    ("cert_file", "certificate"),
    ("key_file", "key"),
    ("ca_file", "client_ca"),
    ("err", "error"),
    ("critical", "error"),
    ("fatal", "error"),
    ("panic", "error"),
    ("notice", "info"),
    ("normal", "info"),
    ("verbose", "debug"),
    ("silent", "off"),
    ("quiet", "off"),
    ("none", "off"),
    ("beginning", "earliest"),
    ("oldest", "earliest"),
    ("start", "beginning"),
    ("head", "beginning"),
    ("newest", "latest"),
    ("end", "latest"),
    ("tail", "end"),
    ("always", "each"),
    ("sync", "each"),
    ("every", "each"),
    ("never", "os"),
    ("async", "os"),
    ("quorum", "all"),
    ("gz", "gzip"),
    ("zstandard", "zstd"),
    ("deflate", "gzip"),
    ("off", "none"),
    ("disabled", "none"),
    ("false", "none"),
    ("text", "raw"),
    ("plain", "raw"),
    ("pretty", "json_pretty"),
    ("ndjson", "json"),
    ("jsonl", "json"),
    ("json_lines", "ndjson"),
    ("jsonl", "ndjson"),
    ("text", "lines"),
    ("drop", "drop_oldest"),
    ("inotify", "auto"),
    ("polling", "poll"),
];

/// Shortest beginning of a name that can stand for it, in bytes.
const SHORT_MIN: usize = 3;

/// The name in `known` that is nearest to `name`, if one is near enough to be meant.
pub(super) fn nearest<'k>(name: &str, known: &[&'k str]) -> Option<&'k str> {
    let spelling = |text: &str| text.to_lowercase().replace(['-', '.', ' '], "_");
    let name = spelling(name);
    let close = known
        .iter()
        .filter_map(|candidate| {
            let limit = 1.max(candidate.len().min(name.len()) / 3);
            Some((distance(&name, &spelling(candidate), limit)?, *candidate))
        })
        .min_by_key(|(distance, _)| *distance);
    let meant = || {
        let meant = SYNONYMS.iter().filter(|(other, _)| spelling(other) == name);
        meant
            .flat_map(|(_, ours)| known.iter().find(|candidate| *candidate == ours))
            .next()
            .copied()
    };
    let longer =
        || known.iter().find(|candidate| name.len() >= SHORT_MIN && candidate.starts_with(&name));
    let shorter = || {
        let begins = known.iter().filter(|candidate| {
            candidate.len() >= SHORT_MIN && name.starts_with(&spelling(candidate))
        });
        begins.max_by_key(|candidate| candidate.len()).copied()
    };
    let close = close.map(|(_, candidate)| candidate);
    close.or_else(|| longer().copied()).or_else(meant).or_else(shorter)
}

/// What is wrong, with the name that was probably meant.
pub(super) fn with_nearest(problem: String, name: &str, known: &[&str]) -> String {
    match nearest(name, known) {
        Some(meant) => format!("{problem}; did you mean `{meant}`?"),
        None => problem,
    }
}

/// Letters to insert, remove, replace or swap with their neighbour; `None` when they are more than `limit`.
fn distance(from: &str, to: &str, limit: usize) -> Option<usize> {
    if from.len().abs_diff(to.len()) > 4 * limit {
        return None;
    }
    let to: Vec<char> = to.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=to.len()).collect();
    let mut previous = None;
    for (row, letter) in from.chars().enumerate() {
        let mut next = vec![row + 1];
        for (column, &wanted) in to.iter().enumerate() {
            let at =
                |line: &[usize], column: usize| line.get(column).copied().unwrap_or(usize::MAX / 2);
            let replaced = at(&last, column) + usize::from(letter != wanted);
            let mut cost = replaced.min(at(&last, column + 1) + 1).min(at(&next, column) + 1);
            let earlier = column.checked_sub(1);
            let swapped = previous == Some(wanted)
                && earlier.and_then(|earlier| to.get(earlier)) == Some(&letter);
            if let (true, Some(earlier)) = (swapped, earlier) {
                cost = cost.min(at(&before, earlier) + 1);
            }
            next.push(cost);
        }
        // What is too far away in two rows does not come back.
        if next.iter().chain(&last).all(|cost| *cost > limit) {
            return None;
        }
        previous = Some(letter);
        before = std::mem::replace(&mut last, next);
    }
    last.last().copied().filter(|edits| *edits <= limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_count_edits_and_swaps() {
        for (from, to, edits) in [
            ("timout", "timeout", 1),
            ("itmeout", "timeout", 1),
            ("", "abc", 3),
            ("kitten", "sitting", 3),
            ("same", "same", 0),
        ] {
            assert!(edits == 0 || distance(from, to, edits - 1).is_none(), "{from} {to}");
            assert_eq!(distance(from, to, 3), Some(edits), "{from} {to}");
            assert_eq!(distance(to, from, 3), Some(edits), "{to} {from}");
        }
    }

    #[test]
    fn only_a_near_name_or_a_synonym_is_meant() {
        let known = ["endpoints", "index", "timeout", "batch_size"];
        assert_eq!(nearest("timout", &known), Some("timeout"));
        assert_eq!(nearest("batch-size", &known), Some("batch_size"));
        assert_eq!(nearest("batchSize", &known), Some("batch_size"));
        assert_eq!(nearest("hosts", &known), Some("endpoints"));
        assert_eq!(nearest("end", &known), Some("endpoints"));
        assert_eq!(nearest("timeout_seconds", &known), Some("timeout"));
        assert_eq!(nearest("colour", &known), None);
    }
}
