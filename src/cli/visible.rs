//! Text from elsewhere on a terminal: what would move its cursor or change its colours is shown instead of done.

use std::fmt::Write as _;
use std::io::{self, Write};

/// Shows control characters of all that is written; only for a terminal, else bytes stay as they are.
pub(super) struct Visible<W: Write> {
    out: W,
    /// The beginning of a letter whose rest has not come yet.
    begun: Vec<u8>,
    /// Lets everything through.
    is_off: bool,
}

impl<W: Write> Visible<W> {
    /// Shows them when `is_terminal`.
    pub(super) const fn new(out: W, is_terminal: bool) -> Self {
        Self { out, begun: Vec::new(), is_off: !is_terminal }
    }
}

impl<W: Write> Write for Visible<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.is_off {
            self.out.write_all(bytes)?;
            return Ok(bytes.len());
        }
        self.begun.extend_from_slice(bytes);
        let whole = complete(&self.begun);
        let rest = self.begun.split_off(whole);
        let shown = visible(&std::mem::replace(&mut self.begun, rest));
        self.out.write_all(shown.as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let rest = visible(&std::mem::take(&mut self.begun));
        self.out.write_all(rest.as_bytes())?;
        self.out.flush()
    }
}

/// How many of the bytes do not end within a letter.
fn complete(bytes: &[u8]) -> usize {
    let mut valid = 0;
    for chunk in bytes.utf8_chunks() {
        let next = valid + chunk.valid().len() + chunk.invalid().len();
        let is_begun = next == bytes.len()
            && std::str::from_utf8(chunk.invalid()).is_err_and(|error| error.error_len().is_none());
        valid = if is_begun { valid + chunk.valid().len() } else { next };
    }
    valid
}

/// The text with control characters, marks that turn the direction of writing, and bytes that are no text as escapes.
pub(super) fn visible(bytes: &[u8]) -> String {
    let mut shown = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for letter in chunk.valid().chars() {
            match letter {
                '\n' | '\t' => shown.push(letter),
                '\r' => shown.push_str("\\r"),
                '\0'..='\u{1f}' | '\u{7f}' => {
                    push(&mut shown, format_args!("\\x{:02x}", u32::from(letter)));
                }
                '\u{80}'..='\u{9f}'
                | '\u{61c}'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2066}'..='\u{2069}' => {
                    push(&mut shown, format_args!("\\u{{{:x}}}", u32::from(letter)));
                }
                letter => shown.push(letter),
            }
        }
        for byte in chunk.invalid() {
            push(&mut shown, format_args!("\\x{byte:02x}"));
        }
    }
    shown
}

fn push(shown: &mut String, escape: std::fmt::Arguments<'_>) {
    // Text takes all that is written into it.
    shown.write_fmt(escape).ok();
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(parts: &[&[u8]], is_terminal: bool) -> Vec<u8> {
        let mut out = Vec::new();
        let mut writer = Visible::new(&mut out, is_terminal);
        for part in parts {
            writer.write_all(part).unwrap();
        }
        writer.flush().unwrap();
        out
    }

    #[test]
    fn what_a_terminal_would_obey_is_shown_on_it_and_passes_elsewhere() {
        let evil = "a\x1b[2J\x07\r\u{9b}31m\u{202e}é\tb\n".as_bytes();
        let shown = "a\\x1b[2J\\x07\\r\\u{9b}31m\\u{202e}é\tb\n";
        assert_eq!(String::from_utf8(written(&[evil], true)).unwrap(), shown);
        assert_eq!(written(&[evil], false), evil);
        assert_eq!(written(&[b"\x9b31m\xff"], true), b"\\x9b31m\\xff");
    }

    proptest! {
        #[test]
        fn any_cut_shows_the_same_and_never_a_control(bytes: Vec<u8>, cut in 0..64usize) {
            let (head, tail) = bytes.split_at(cut.min(bytes.len()));
            let whole = written(&[&bytes], true);
            prop_assert_eq!(&written(&[head, tail], true), &whole);
            let text = String::from_utf8(whole).unwrap();
            prop_assert!(!text.chars().any(|letter| letter.is_control() && !"\n\t".contains(letter)));
        }
    }
}
