//! What a text begins with that is no part of it: U+FEFF, which tells its encoding.

/// U+FEFF in UTF-8.
pub const UTF8: &[u8] = b"\xef\xbb\xbf";

/// U+FEFF in UTF-16, little-endian (which UTF-32 begins with, too) and big-endian.
const UTF16: [&[u8]; 2] = [b"\xff\xfe", b"\xfe\xff"];

/// The text without the mark of UTF-8.
#[must_use]
pub fn strip(text: &[u8]) -> &[u8] {
    text.strip_prefix(UTF8).unwrap_or(text)
}

/// Whether more bytes can make a mark of what is all of a text so far.
#[must_use]
pub fn is_begun(text: &[u8]) -> bool {
    text.len() < UTF8.len() && UTF8.starts_with(text)
}

/// Whether the text begins with a mark of UTF-16 or UTF-32.
#[must_use]
pub fn is_wide(text: &[u8]) -> bool {
    UTF16.iter().any(|mark| text.starts_with(mark))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_known_by_its_bytes_whether_all_of_them_are_there_or_not() {
        assert_eq!(
            (strip(b"\xef\xbb\xbf{}"), strip(b"\xef\xbb{}")),
            (&b"{}"[..], &b"\xef\xbb{}"[..])
        );
        assert!(is_begun(b"") && is_begun(b"\xef\xbb") && !is_begun(UTF8) && !is_begun(b"a"));
        assert!(is_wide(b"\xff\xfea\0") && is_wide(b"\xfe\xff") && !is_wide(UTF8) && !is_wide(b""));
    }
}
