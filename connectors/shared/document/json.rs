//! JSON written by hand, straight into a buffer.
//!
//! Members are written with a comma behind each; [`close`] turns the last one into the end of the object.

/// One in each of eight bytes.
const EACH: u64 = 0x0101_0101_0101_0101;

/// Appends `value` as a JSON string; bytes that are not UTF-8 become U+FFFD.
pub(crate) fn push_string(value: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    push_escaped(value, out);
    out.push(b'"');
}

/// As [`push_string`], without the quotes.
pub(super) fn push_escaped(value: &[u8], out: &mut Vec<u8>) {
    if str::from_utf8(value).is_ok() {
        escape(value, out);
        return;
    }
    for chunk in value.utf8_chunks() {
        escape(chunk.valid().as_bytes(), out);
        if !chunk.invalid().is_empty() {
            out.extend_from_slice("\u{fffd}".as_bytes());
        }
    }
}

/// Appends `"name":"value",`; the name is ours and needs no escape.
#[inline]
pub(super) fn push_member(name: &str, value: &[u8], out: &mut Vec<u8>) {
    push_name(name, out);
    push_string(value, out);
    out.push(b',');
}

/// Appends `"name":{…},` with what `fill` writes, or nothing when that is nothing.
#[inline]
pub(super) fn push_object(name: &str, out: &mut Vec<u8>, fill: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    push_name(name, out);
    out.push(b'{');
    let inside = out.len();
    fill(out);
    if out.len() == inside {
        out.truncate(start);
    } else {
        close(out);
        out.push(b',');
    }
}

/// Ends an object: the comma behind its last member becomes its brace.
#[inline]
pub(super) fn close(out: &mut Vec<u8>) {
    match out.last_mut() {
        Some(last) if *last == b',' => *last = b'}',
        _ => out.push(b'}'),
    }
}

#[inline]
fn push_name(name: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
}

/// Copies runs that need no escape whole.
fn escape(mut text: &[u8], out: &mut Vec<u8>) {
    while let Some((clean, rest)) = text.split_at_checked(clean_length(text)) {
        out.extend_from_slice(clean);
        let Some((&byte, tail)) = rest.split_first() else {
            return;
        };
        push_escape(byte, out);
        text = tail;
    }
}

/// How many bytes at the front need no escape. Eight bytes are looked at in one step.
#[inline]
fn clean_length(text: &[u8]) -> usize {
    let (words, rest) = text.as_chunks::<8>();
    let mut length = 0;
    for word in words {
        let found = to_escape(u64::from_le_bytes(*word));
        if found != 0 {
            return length + found.trailing_zeros() as usize / 8;
        }
        length += 8;
    }
    length + rest.iter().position(|byte| must_escape(*byte)).unwrap_or(rest.len())
}

/// The highest bit of the first byte of `word`, counted from the lowest, that must be escaped, and maybe of some behind it;
/// 0 when none must. Taking one from a zero byte, or 0x20 from a control, borrows into the highest bit.
#[inline]
const fn to_escape(word: u64) -> u64 {
    const HIGHEST: u64 = EACH * 0x80;
    let quote = word ^ (EACH * b'"' as u64);
    let backslash = word ^ (EACH * b'\\' as u64);
    let control = word.wrapping_sub(EACH * 0x20) & !word;
    let quote = quote.wrapping_sub(EACH) & !quote;
    let backslash = backslash.wrapping_sub(EACH) & !backslash;
    (control | quote | backslash) & HIGHEST
}

#[inline]
const fn must_escape(byte: u8) -> bool {
    (byte < 0x20) | (byte == b'"') | (byte == b'\\')
}

#[inline]
fn push_escape(byte: u8, out: &mut Vec<u8>) {
    let short = match byte {
        b'"' | b'\\' => byte,
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        _ => {
            let digit = |half: u8| if half < 10 { b'0' + half } else { b'a' + half - 10 };
            out.extend_from_slice(b"\\u00");
            out.extend_from_slice(&[digit(byte >> 4), digit(byte & 0xf)]);
            return;
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_escaped_string_parses_back_to_the_same(value: Vec<u8>) {
            let mut out = Vec::new();
            push_string(&value, &mut out);
            let parsed: String = serde_json::from_slice(&out).unwrap();
            prop_assert_eq!(parsed, String::from_utf8_lossy(&value));
            prop_assert!(out.iter().all(|byte| *byte >= 0x20));
        }

        #[test]
        fn text_with_quotes_and_controls_parses_back(value in "[ -~\u{0}-\u{1f}\"\\\\é→😀]{0,80}") {
            let mut out = Vec::new();
            push_string(value.as_bytes(), &mut out);
            prop_assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), value);
        }
    }
}
