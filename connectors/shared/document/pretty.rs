//! A compact document, indented for people.

/// Below so many levels nothing is broken into lines, so that the spaces before them do not grow with the square.
const LEVELS_MAX: usize = 32;

/// Appends `document` (valid JSON in one line) with a line for each member and two spaces for each level.
pub(super) fn push(document: &[u8], out: &mut Vec<u8>) {
    let (mut level, mut in_string, mut is_escaped) = (0usize, false, false);
    let mut bytes = document.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        if in_string {
            out.push(byte);
            in_string = is_escaped || byte != b'"';
            is_escaped = !is_escaped && byte == b'\\';
            continue;
        }
        match byte {
            b' ' | b'\t' => {}
            b'{' | b'[' => {
                while bytes.next_if(u8::is_ascii_whitespace).is_some() {}
                out.push(byte);
                if let Some(end) = bytes.next_if(|next| matches!(next, b'}' | b']')) {
                    out.push(end);
                } else {
                    level += 1;
                    push_line(level, out);
                }
            }
            b'}' | b']' => {
                // The last line of what is not broken stays on its line too.
                if level <= LEVELS_MAX {
                    push_line(level.saturating_sub(1), out);
                }
                level = level.saturating_sub(1);
                out.push(byte);
            }
            b',' => {
                out.push(byte);
                push_line(level, out);
            }
            b':' => out.extend_from_slice(b": "),
            _ => {
                in_string = byte == b'"';
                out.push(byte);
            }
        }
    }
}

fn push_line(level: usize, out: &mut Vec<u8>) {
    if level > LEVELS_MAX {
        return;
    }
    out.push(b'\n');
    out.extend(std::iter::repeat_n(b' ', 2 * level));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pretty(document: &str) -> String {
        let mut out = Vec::new();
        push(document.as_bytes(), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_deep_document_stays_about_as_large_as_it_is() {
        for (open, close) in [("[", "]"), ("{\"a\":", "}"), ("[1,{\"b\":", "}]")] {
            let deep = format!("{}0{}", open.repeat(20_000), close.repeat(20_000));
            let text = pretty(&deep);
            assert!(text.len() < 2 * deep.len() + 10_000, "{} from {}", text.len(), deep.len());
            let same: String = text.split_ascii_whitespace().collect();
            assert_eq!(same, deep);
        }
    }

    #[test]
    fn each_member_has_a_line_and_strings_are_left_alone() {
        assert_eq!(
            pretty(r#"{"a":{"b":[1, 2],"c":"x{,\":}"},"d":{ },"e":[]}"#),
            "{\n  \"a\": {\n    \"b\": [\n      1,\n      2\n    ],\n    \"c\": \"x{,\\\":}\"\n  },\n  \"d\": {},\n  \"e\": []\n}"
        );
    }
}
