//! Finds where the messages of a stream go on when a count was wrong, or missing: at the next count and priority.
//!
//! Digits that end the message before stand right before those of the count (`…=7` and `25 <13>…`). The count is what
//! brings one to the message behind; if none does, what brings one nearest to it, for then this count is wrong too.

use std::sync::LazyLock;

use memchr::memchr_iter;
use memchr::memmem::Finder;

use super::octet_counting::{
    Behind, Count, DIGITS_MAX, Is, PREFIX_MAX, begins_behind, count, priority,
};

/// When nothing more comes, so many counts that more bytes would prove or not are passed over in one look.
const UNKNOWN_MAX: usize = 16;
/// How far behind a wrong count the next is looked for, bytes.
const NEXT_MAX: usize = 4096;

/// A space and what begins a priority: before each message that has a count, and hardly ever else.
static BEGINNING: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b" <"));

/// Where a message of a stream that lost its framing may begin again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Restart {
    /// At that byte stands a count, then a priority.
    At(usize),
    /// More bytes will tell.
    Unknown,
    /// Nowhere in what was looked at.
    Nowhere,
}

/// What is looked for.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    /// The first byte and the last at which the count may begin.
    pub within: (usize, usize),
    /// What comes behind the bytes.
    pub behind: Behind,
    /// Whether the count must be right: another message stands behind what it counts.
    pub proved: bool,
}

/// Looks for a count with a priority behind it. What is before `cleared`, which moves on, needs no second look.
#[must_use]
pub fn restart(bytes: &[u8], look: Look, cleared: &mut usize) -> Restart {
    let limit = bytes.len().min(look.within.1.saturating_add(PREFIX_MAX + 1));
    let from = (*cleared).min(limit);
    let mut unknown = 0;
    for at in BEGINNING.find_iter(bytes.get(from..limit).unwrap_or_default()) {
        let message = from + at + 1;
        let found = at_message(bytes, message, look);
        match (found, look.behind) {
            (Restart::At(_), _) | (Restart::Unknown, Behind::More) => return found,
            (Restart::Unknown, Behind::Nothing | Behind::Pause) => unknown += 1,
            (Restart::Unknown, Behind::TooMuch) | (Restart::Nowhere, _) => {}
        }
        if unknown == UNKNOWN_MAX {
            return Restart::Nowhere;
        }
        if unknown == 0 {
            *cleared = message;
        }
    }
    if unknown == 0 {
        // The last byte may be the space.
        *cleared = from.max(limit.saturating_sub(1));
    }
    Restart::Nowhere
}

/// Judges what stands before the `<` at `message`.
fn at_message(bytes: &[u8], message: usize, look: Look) -> Restart {
    let (first, last) = look.within;
    let digits = digits_before(bytes, message);
    let end = message.saturating_sub(1);
    let begin = (end - digits).max(first);
    if digits == 0 || begin >= end || begin > last {
        return Restart::Nowhere;
    }
    match priority(bytes.get(message..).unwrap_or_default()) {
        Is::There => {}
        Is::Unknown => return Restart::Unknown,
        Is::NotThere => return Restart::Nowhere,
    }
    let counts = || {
        (begin..end.min(last + 1)).filter_map(|at| match count(bytes.get(at..)?) {
            Count::Whole { length, .. } => Some((at, length)),
            Count::Partial | Count::Invalid => None,
        })
    };
    let mut is_open = false;
    for (at, length) in counts() {
        match begins_behind(bytes, message + length, look.behind) {
            Is::There => return Restart::At(at),
            Is::Unknown if look.behind == Behind::More => return Restart::Unknown,
            Is::Unknown => is_open = true,
            Is::NotThere => {}
        }
    }
    if look.proved {
        return if is_open { Restart::Unknown } else { Restart::Nowhere };
    }
    match next_count(bytes, message, look.behind) {
        Restart::Unknown => Restart::Unknown,
        Restart::At(next) => counts()
            .min_by_key(|(_, length)| length.abs_diff(next - message))
            .map_or(Restart::Nowhere, |(at, _)| Restart::At(at)),
        Restart::Nowhere => counts().next().map_or(Restart::Nowhere, |(at, _)| Restart::At(at)),
    }
}

/// Where the next count and priority begin behind the message at `message`, roughly.
fn next_count(bytes: &[u8], message: usize, behind: Behind) -> Restart {
    let limit = bytes.len().min(message + NEXT_MAX);
    for at in memchr_iter(b'<', bytes.get(message + 1..limit).unwrap_or_default()) {
        let next = message + 1 + at;
        let digits = digits_before(bytes, next);
        if digits > 0 && priority(bytes.get(next..).unwrap_or_default()) == Is::There {
            return Restart::At(next - 1 - digits);
        }
    }
    match (limit == message + NEXT_MAX, behind) {
        (false, Behind::More) => Restart::Unknown,
        (false, Behind::Nothing) => Restart::At(limit),
        _ => Restart::Nowhere,
    }
}

/// How many digits stand before the space before `message`.
fn digits_before(bytes: &[u8], message: usize) -> usize {
    let Some((b' ', before)) = bytes.get(..message).and_then(<[u8]>::split_last) else {
        return 0;
    };
    before.iter().rev().take(DIGITS_MAX).take_while(|byte| byte.is_ascii_digit()).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(text: &str, behind: Behind, proved: bool) -> Restart {
        let look = Look { within: (1, text.len()), behind, proved };
        restart(text.as_bytes(), look, &mut 0)
    }

    #[test]
    fn a_stream_begins_again_at_a_count_that_is_right() {
        for (text, expected) in [
            ("xy7 <13>one7 <13>two", Restart::At(2)),
            ("=77 <13>one7 <13>two", Restart::Unknown),
            ("x77 <13>one", Restart::Unknown),
            ("x 5 <13>a text", Restart::Nowhere),
            ("x 5 <b>", Restart::Nowhere),
            ("x <13>one", Restart::Nowhere),
            ("x07 <13>one<14>", Restart::At(2)),
        ] {
            assert_eq!(find(text, Behind::More, true), expected, "{text}");
        }
        for text in ["x77 <13>one", "=77 <13>one7 <13>two"] {
            assert_eq!(find(text, Behind::Nothing, true), Restart::At(2), "{text}");
        }
    }

    #[test]
    fn a_stream_of_wrong_counts_begins_again_at_each() {
        for (text, expected) in [
            ("x5 <13>one 5 <13>two", Restart::At(1)),
            ("=75 <13>one 5 <13>two", Restart::At(2)),
            ("x90 <13>one 90 <13>two", Restart::At(1)),
            ("x <13>one", Restart::Nowhere),
        ] {
            assert_eq!(find(text, Behind::Nothing, false), expected, "{text}");
        }
    }
}
