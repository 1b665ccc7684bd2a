//! The lines that are sent: who wrote which, and whether one that came out is what went in.
//!
//! | part | is |
//! |---|---|
//! | `ab1` | the mark |
//! | stream | who wrote it: one file with all its rotations, one connection, one poster |
//! | number | 0, 1, 2 … in the order in which the stream was written |
//! | sum | CRC-32C of stream, number and filler, 8 hexadecimal digits |
//! | filler | of random length, with what encoders get wrong |
//! | `~` | the end |
//!
//! Everything but the mark follows from seed, stream and number, so the whole text is compared, and nothing is kept.

use serde_json::json;

use crate::random::{Random, number_of};

/// In how many lines one is refused by the search server, where lines may be.
const POISON_ONE_IN: u64 = 150;

/// What filler is made of.
const LETTERS: [char; 24] = [
    'a', 'b', 'c', 'd', 'e', 'f', 'g', '0', '1', '2', ' ', ' ', '"', '\\', '/', '<', '{', '}', '[',
    ']', 'ä', '世', '=', '%',
];

/// The text of the line with this number.
pub fn text(seed: u64, stream: &str, number: usize) -> String {
    let mut random = random_of(seed, stream, number);
    let length = match random.up_to(1000) {
        0 => random.size(60_000),
        1..=20 => random.size(8_000),
        _ => random.size(250),
    };
    let mut filler = String::with_capacity(length + 8);
    while filler.len() < length {
        filler.push(*random.pick(&LETTERS).unwrap_or(&'x'));
    }
    format!("ab1 {stream} {number} {:08x} {filler} ~", sum(stream, number, &filler))
}

/// Whether the line with this number of a file is one that the search server refuses.
pub fn is_poison(seed: u64, stream: &str, number: usize) -> bool {
    random_of(seed ^ 0x0b0e, stream, number).up_to(POISON_ONE_IN) == 0
}

/// The line around a text that the search server refuses: a member whose type is another in the index.
pub fn poisoned(text: &str) -> String {
    json!({ "message": text, "poison": "no number" }).to_string()
}

/// Stream and number of a text that is a line as it was sent, or what is wrong with it.
///
/// # Errors
/// The stream that it says it is from, if that can be read.
pub fn parse(seed: u64, found: &str) -> Result<(&str, usize), Option<&str>> {
    let mut words = found.splitn(4, ' ');
    let (Some("ab1"), Some(stream), Some(number)) = (words.next(), words.next(), words.next())
    else {
        return Err(None);
    };
    let number = number.parse().map_err(|_bad| Some(stream))?;
    if text(seed, stream, number) == found { Ok((stream, number)) } else { Err(Some(stream)) }
}

/// Stream and number of a text that is the beginning of a line.
#[must_use]
pub fn begins(seed: u64, found: &str) -> Option<(&str, usize)> {
    let mut words = found.splitn(4, ' ');
    let (Some("ab1"), Some(stream), Some(number)) = (words.next(), words.next(), words.next())
    else {
        return None;
    };
    let number = number.parse().ok()?;
    // A letter may have been cut in the middle.
    let whole = found.trim_end_matches(char::REPLACEMENT_CHARACTER);
    text(seed, stream, number).starts_with(whole).then_some((stream, number))
}

fn random_of(seed: u64, stream: &str, number: usize) -> Random {
    Random::of(&[seed, number_of(stream), u64::try_from(number).unwrap_or(u64::MAX)])
}

fn sum(stream: &str, number: usize, filler: &str) -> u32 {
    crc32c::crc32c(format!("{stream} {number} {filler}").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_known_again_and_a_changed_one_is_not() {
        for number in 0..2000 {
            let line = text(7, "f-1", number);
            assert_eq!(parse(7, &line), Ok(("f-1", number)));
            assert!(!line.contains('\n'));
            assert!(parse(7, &line.replacen('~', "", 1)).is_err());
            assert!(parse(8, &line).is_err());
        }
        assert_eq!(parse(7, "anything"), Err(None));
    }

    #[test]
    fn one_line_in_some_is_refused_by_the_search_server() {
        let poison = (0..15_000).filter(|number| is_poison(7, "f-1", *number)).count();
        assert!((50..200).contains(&poison), "{poison}");
    }
}
