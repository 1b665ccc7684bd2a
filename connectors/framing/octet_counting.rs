//! The count before a message in octet counting: `MSG-LEN SP MSG`.
//!
//! | bytes  | field                                              |
//! |--------|----------------------------------------------------|
//! | 1 – 9  | length of the message, decimal, no leading zero    |
//! | 1      | space                                              |
//! | …      | the message, which begins with `<`                 |
//!
//! A line of a newline-framed stream may begin with a digit as well (a date). That the message must begin with `<`
//! tells the two apart, and a wrong guess costs no byte.
//!
//! Source: RFC 6587, section 3.4.1.

/// Most digits of a count.
const DIGITS_MAX: usize = 9;

/// What stands at the front of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    /// A whole count.
    Whole {
        /// Bytes of the count and the space after it.
        prefix: usize,
        /// Bytes of the message.
        length: usize,
    },
    /// The beginning of a count; more bytes will tell.
    Partial,
    /// No count.
    Invalid,
}

/// Reads the count at the front of `bytes`.
#[must_use]
pub fn count(bytes: &[u8]) -> Count {
    let mut length = 0usize;
    for (at, &byte) in bytes.iter().enumerate() {
        match byte {
            b'0' if at == 0 => return Count::Invalid,
            b'0'..=b'9' if at < DIGITS_MAX => length = length * 10 + usize::from(byte - b'0'),
            b' ' if at > 0 => return before_message(at + 1, length, bytes),
            _ => return Count::Invalid,
        }
    }
    Count::Partial
}

fn before_message(prefix: usize, length: usize, bytes: &[u8]) -> Count {
    match bytes.get(prefix) {
        Some(b'<') => Count::Whole { prefix, length },
        Some(_) => Count::Invalid,
        None => Count::Partial,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_is_digits_a_space_and_the_beginning_of_a_message() {
        for (text, expected) in [
            ("106 <13>1 …", Count::Whole { prefix: 4, length: 106 }),
            ("1 <", Count::Whole { prefix: 2, length: 1 }),
            ("", Count::Partial),
            ("10", Count::Partial),
            ("106 ", Count::Partial),
            ("0 <13>", Count::Invalid),
            ("2026-11-20 <13>", Count::Invalid),
            ("20261120 hello", Count::Invalid),
            ("1234567890 <", Count::Invalid),
            (" <13>", Count::Invalid),
            ("<13>", Count::Invalid),
        ] {
            assert_eq!(count(text.as_bytes()), expected, "{text}");
        }
    }
}
