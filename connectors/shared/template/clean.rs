//! Makes values from records fit for the names that they become part of.

use std::fmt::Write as _;

/// Longest value that becomes part of a file's name, bytes; file systems allow 255 for the whole.
const SEGMENT_MAX: usize = 100;
/// Longest name of an index, bytes.
const INDEX_MAX: usize = 255;

/// Appends `value` as part of one name in a path: `/`, `\` and control characters become `_`, and a value of nothing
/// but dots (`..`) too, so that a value never leaves its folder. At most 100 bytes; a longer value is cut and a hash of
/// the whole put behind it, so that two do not become one.
pub fn clean_path_segment(value: &str, out: &mut String) {
    if value.bytes().all(|byte| byte == b'.') {
        out.extend(std::iter::repeat_n('_', value.len().clamp(1, SEGMENT_MAX)));
        return;
    }
    let kept = value.floor_char_boundary(SEGMENT_MAX);
    let head = value.get(..kept).unwrap_or(value);
    out.extend(head.chars().map(|letter| match letter {
        '/' | '\\' => '_',
        letter if letter.is_control() => '_',
        letter => letter,
    }));
    if kept < value.len() {
        push_hash(value, out);
    }
}

/// Appends `value` as part of one segment of a URL's path, or of its query: all but letters, digits, `-`, `.`, `_` and
/// `~` is percent-encoded. The dots of a value of nothing else become `_`: `..` means the folder above also where it
/// is percent-encoded, so no way to write it stays inside.
///
/// Source: RFC 3986, sections 2.1 and 2.3; WHATWG URL, "double-dot URL path segment".
pub fn clean_url_segment(value: &str, out: &mut String) {
    if value.bytes().all(|byte| byte == b'.') {
        out.extend(std::iter::repeat_n('_', value.len()));
        return;
    }
    for byte in value.bytes() {
        let is_plain = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
        if is_plain {
            out.push(char::from(byte));
        } else {
            out.push('%');
            for half in [byte >> 4, byte & 0xf] {
                out.push(char::from_digit(u32::from(half), 16).unwrap_or('0').to_ascii_uppercase());
            }
        }
    }
}

/// A whole name as Elasticsearch and OpenSearch allow it for an index: lower case; none of `\ / * ? " < > | , # :`,
/// space or control character (each becomes `_`); no `-`, `_` or `+` in front; not `.` or `..`; at most 255 bytes (a
/// longer one is cut and ends in a hash of the whole). A dot in front, which names the server's own indices, is kept
/// only where `may_be_hidden`.
#[must_use]
pub fn clean_index(name: &str, may_be_hidden: bool) -> String {
    let front: &[char] = if may_be_hidden { &['-', '_', '+'] } else { &['-', '_', '+', '.'] };
    let lower: String = name
        .trim_start_matches(front)
        .chars()
        .flat_map(char::to_lowercase)
        .map(|letter| match letter {
            '\\' | '/' | '*' | '?' | '"' | '<' | '>' | '|' | ',' | '#' | ':' => '_',
            letter if letter.is_whitespace() || letter.is_control() => '_',
            letter => letter,
        })
        .collect();
    let mut index = lower.trim_start_matches(front).to_owned();
    if index.bytes().all(|byte| byte == b'.') {
        index.clear();
        index.push_str(super::part::UNKNOWN);
    }
    if index.len() > INDEX_MAX {
        index.truncate(index.floor_char_boundary(INDEX_MAX - 17));
        push_hash(name, &mut index);
    }
    index
}

fn push_hash(whole: &str, out: &mut String) {
    let hash = xxhash_rust::xxh3::xxh3_64(whole.as_bytes());
    if write!(out, "-{hash:016x}").is_err() {
        out.push('-');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn segment(value: &str) -> String {
        let mut out = String::new();
        clean_path_segment(value, &mut out);
        out
    }

    #[test]
    fn a_value_cannot_leave_its_folder() {
        assert_eq!(segment("../../etc/passwd"), ".._.._etc_passwd");
        assert_eq!(
            (segment(".."), segment("."), segment("")),
            ("__".into(), "_".into(), "_".into())
        );
        assert_eq!(segment("a\0b\\c"), "a_b_c");
        assert_eq!(segment("web-1.example"), "web-1.example");
    }

    #[test]
    fn two_long_values_stay_two() {
        let (first, second) = ("é".repeat(200), "é".repeat(201));
        assert_ne!(segment(&first), segment(&second));
        assert_ne!(clean_index(&first, false), clean_index(&second, false));
        assert!(segment(&first).len() <= 117 && clean_index(&first, false).len() <= 255);
    }

    #[test]
    fn an_index_is_one_that_the_server_takes() {
        assert_eq!(clean_index("logs-Web App/2026", false), "logs-web_app_2026");
        assert_eq!(clean_index("-_+x", false), "x");
        for nothing in ["..", ".", "", "***", "-."] {
            assert_eq!(clean_index(nothing, false), "unknown");
        }
        assert_eq!(clean_index("..", true), "unknown");
    }

    #[test]
    fn a_value_names_none_of_the_servers_own_indices() {
        assert_eq!(clean_index(".security-7", false), "security-7");
        assert_eq!(clean_index("-.Kibana", false), "kibana");
        assert_eq!(clean_index(".ours", true), ".ours");
    }

    #[test]
    fn a_value_in_a_url_stays_one_segment() {
        let mut out = String::new();
        clean_url_segment("a/b ?é", &mut out);
        assert_eq!(out, "a%2Fb%20%3F%C3%A9");
    }

    proptest! {
        #[test]
        fn a_clean_segment_is_one_name(value: String) {
            let clean = segment(&value);
            prop_assert!(!clean.is_empty() && clean != "." && clean != ".." && clean.len() <= 117);
            prop_assert!(!clean.contains(['/', '\\', '\0']));
        }

        #[test]
        fn a_value_in_a_url_stays_where_it_was_put(
            value in "(\\.|%2e|%2E|/|\\\\|\\?|#|@|:|a|\t|\n|é){0,6}|.{0,20}",
            front in "[.a]{0,1}",
        ) {
            let mut address = format!("http://host/tenants/{front}");
            clean_url_segment(&value, &mut address);
            prop_assume!(!(value.is_empty() && front == "."));
            address.push_str("/ingest?k=");
            clean_url_segment(&value, &mut address);
            address.push_str("&last");
            let url = reqwest::Url::parse(&address).unwrap();
            let segments: Vec<_> = url.path_segments().unwrap().collect();
            prop_assert_eq!(segments.len(), 3, "{}", url);
            prop_assert_eq!((segments[0], segments[2]), ("tenants", "ingest"));
            prop_assert_eq!(url.query().unwrap().split('&').count(), 2);
            prop_assert_eq!((url.host_str(), url.fragment()), (Some("host"), None));
        }

        #[test]
        fn a_clean_index_keeps_the_rules(name: String) {
            let clean = clean_index(&name, true);
            prop_assert!(!clean.is_empty() && clean.len() <= 255 && clean != "." && clean != "..");
            prop_assert!(!clean.starts_with(['-', '_', '+']));
            prop_assert!(!clean.contains([' ', '/', '\\', '*', '?', '"', '<', '>', '|', ',', '#', ':']));
            prop_assert_eq!(clean_index(&clean, true), clean);
            prop_assert!(!clean_index(&name, false).starts_with('.'));
        }
    }
}
