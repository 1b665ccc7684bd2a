//! Octet counting: `MSG-LEN SP MSG`, message after message.
//!
//! | bytes  | field                                              |
//! |--------|----------------------------------------------------|
//! | 1 – 9  | length of the message, decimal, no leading zero    |
//! | 1      | space                                              |
//! | …      | the message, which begins with `<`                 |
//!
//! A line of a newline-framed stream may begin with a digit as well (a date). That the message must begin with `<`
//! tells the two apart.
//!
//! Some senders count wrong: characters in place of bytes, without the line feed, before they cut. So a count is believed
//! when another message stands behind what it counts ([`ends_at`]). When none does, the next message is looked for by
//! its own count and priority (`restart.rs`).
//!
//! Source: RFC 6587, section 3.4.1.

/// Most digits of a count.
pub const DIGITS_MAX: usize = 9;
/// Longest count with the space behind it, bytes.
pub const PREFIX_MAX: usize = DIGITS_MAX + 1;
/// So many delimiters may stand behind a message before the next.
const DELIMITERS_MAX: usize = 4;
/// So many bytes behind the end of a message tell whether another begins there.
pub const LOOK_AHEAD: usize = DELIMITERS_MAX + PREFIX_MAX + 1;

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

/// What comes behind the bytes at hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Behind {
    /// More bytes, which will be looked at.
    More,
    /// More bytes, which will not: those at hand are as many as a message may have.
    TooMuch,
    /// Nothing for now, within a message: that the bytes end here proves nothing.
    Pause,
    /// Nothing, for now or for good.
    Nothing,
}

/// Whether something is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Is {
    /// It is.
    There,
    /// It is not.
    NotThere,
    /// More bytes will tell.
    Unknown,
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

/// Whether a priority, `<` one to three digits `>`, is at the front of `bytes`.
#[must_use]
pub fn priority(bytes: &[u8]) -> Is {
    let mut digits = 0;
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'<' if at == 0 => {}
            b'0'..=b'9' if at > 0 && digits < 3 => digits += 1,
            b'>' if digits > 0 => return Is::There,
            _ => return Is::NotThere,
        }
    }
    Is::Unknown
}

/// Whether the byte only stands between messages.
#[must_use]
pub const fn is_delimiter(byte: u8) -> bool {
    matches!(byte, b'\n' | b'\r' | 0)
}

/// Whether a message ends at `end`: behind it, and behind delimiters, begins another, with or without its count.
#[must_use]
pub fn ends_at(bytes: &[u8], end: usize, behind: Behind) -> Is {
    let cut = end.checked_sub(1).and_then(|before| bytes.get(before..=end));
    let found = begins_behind(bytes, end, behind);
    if found == Is::There && cut.is_some_and(is_number) {
        return has_whole_count(bytes, end, behind);
    }
    found
}

fn is_number(bytes: &[u8]) -> bool {
    bytes.iter().all(u8::is_ascii_digit)
}

/// Digits stand on both sides of `end`: they may be one count, of which a wrong end takes a part away.
fn has_whole_count(bytes: &[u8], end: usize, behind: Behind) -> Is {
    let right = |at: usize| match count(bytes.get(at..).unwrap_or_default()) {
        Count::Whole { prefix, length } => begins_behind(bytes, at + prefix + length, behind),
        Count::Partial => Is::Unknown,
        Count::Invalid => Is::NotThere,
    };
    let found = right(end);
    if found != Is::Unknown || behind == Behind::More {
        return found;
    }
    let digits = bytes.get(..end).unwrap_or_default().iter().rev();
    let digits = digits.take(DIGITS_MAX).take_while(|byte| byte.is_ascii_digit()).count();
    if (end - digits..end).any(|at| right(at) == Is::There) { Is::NotThere } else { Is::There }
}

/// As [`ends_at`], without a look at digits before the end.
#[must_use]
pub fn begins_behind(bytes: &[u8], end: usize, behind: Behind) -> Is {
    let Some(rest) = bytes.get(end..) else {
        return Is::Unknown;
    };
    let delimiters = rest.iter().take_while(|byte| is_delimiter(**byte)).take(DELIMITERS_MAX);
    let rest = rest.get(delimiters.count()..).unwrap_or_default();
    match rest.first() {
        None if behind == Behind::Nothing => return Is::There,
        None => return Is::Unknown,
        Some(byte) if is_delimiter(*byte) => return Is::There,
        Some(_) => {}
    }
    let found = match (count(rest), priority(rest)) {
        // Before this priority stands its count, so the end is too far.
        (_, Is::There) if is_behind_a_count(bytes.get(..end).unwrap_or_default()) => Is::NotThere,
        (Count::Whole { .. }, _) | (_, Is::There) => Is::There,
        (Count::Invalid, Is::NotThere) => bad_count(rest),
        (Count::Partial, _) | (_, Is::Unknown) => Is::Unknown,
    };
    if found == Is::Unknown && behind == Behind::Nothing { Is::There } else { found }
}

/// A number that is no count (`0`, one with zeros in front) and a priority begin a message as well.
fn bad_count(bytes: &[u8]) -> Is {
    let digits = bytes.iter().take(DIGITS_MAX).take_while(|byte| byte.is_ascii_digit()).count();
    match bytes.get(digits..) {
        Some([]) if digits > 0 => Is::Unknown,
        Some([b' ', message @ ..]) if digits > 0 => priority(message),
        _ => Is::NotThere,
    }
}

fn is_behind_a_count(bytes: &[u8]) -> bool {
    matches!(bytes, [.., b'0'..=b'9', b' '])
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

    #[test]
    fn a_message_ends_where_another_begins() {
        for (behind, expected) in [
            ("7 <13>one", Is::There),
            ("\r\n7 <13>one", Is::There),
            ("<13>one", Is::There),
            ("\n\n\n\n\n\n", Is::There),
            ("0 <13>one", Is::There),
            ("007 <13>one", Is::There),
            ("text", Is::NotThere),
            ("7 text", Is::NotThere),
            ("<b>", Is::NotThere),
            ("", Is::Unknown),
            ("12", Is::Unknown),
            ("\n", Is::Unknown),
        ] {
            let bytes = format!("abc{behind}");
            assert_eq!(ends_at(bytes.as_bytes(), 3, Behind::More), expected, "{behind}");
            let alone = if expected == Is::Unknown { Is::There } else { expected };
            assert_eq!(ends_at(bytes.as_bytes(), 3, Behind::Nothing), alone, "{behind}");
        }
        assert_eq!(ends_at(b"ab", 3, Behind::Nothing), Is::Unknown);
    }

    #[test]
    fn an_end_within_a_count_is_none() {
        for (bytes, end, expected) in [
            ("abc15 <13>one <13>two<14>", 4, Is::NotThere),
            ("ab147 <13>one7 <13>two<14>", 4, Is::There),
            ("ab17 <13>two", 3, Is::Unknown),
            ("ab7 <13>two", 4, Is::NotThere),
        ] {
            assert_eq!(ends_at(bytes.as_bytes(), end, Behind::More), expected, "{bytes}");
        }
    }
}
