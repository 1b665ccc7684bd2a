//! Reads the timestamps of syslog messages from digits to milliseconds, without allocation.
//!
//! | form                                         | from                                  |
//! |----------------------------------------------|---------------------------------------|
//! | `2026-11-20T18:17:27.912455+00:00`           | RFC 3339                              |
//! | `2026-11-20 18:17:27,912`, `2026/11/20 …`    | what is taken for it                  |
//! | `Nov 20 18:17:27`, `nov  3 18:17:27.123`     | RFC 3164                              |
//! | `Nov 20 2026 18:17:27`                       | Cisco, Huawei                         |
//! | `Nov 20 18:17:27 2026`                       | Aruba, Juniper, H3C                   |
//! | `2026 Nov 20 18:17:27`                       | NX-OS                                 |
//! | `Fri Nov 20 18:17:27 2026`                   | C's `ctime`                           |
//! | `2026:11:20-18:17:27`                        | Sophos UTM                            |
//! | `11/20/2026:18:17:27`                        | Citrix, in either order               |
//! | `1795198647.912455`                          | Meraki                                |
//!
//! A zone may stand behind each, as a number or by name. Without one the time is taken for UTC.

use super::calendar::{Civil, Received};
use super::zone;

const MONTHS: [&[u8; 3]; 12] = [
    b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec",
];
const WEEKDAYS: [&[u8; 3]; 7] = [b"mon", b"tue", b"wed", b"thu", b"fri", b"sat", b"sun"];

/// Milliseconds since the epoch, and the length of the text that says so.
pub(super) type Time = (i64, usize);

/// Reads the timestamp at the front of `text`; a space, a colon or the end must follow.
#[must_use]
pub(super) fn read(text: &[u8], received: Received) -> Option<Time> {
    let time = if text.first()?.is_ascii_digit() {
        iso(text, received)
            .or_else(|| colons(text, received))
            .or_else(|| slashes(text, received))
            .or_else(|| named(text, received))
    } else {
        named(text, received)
    };
    time.filter(|(_, length)| matches!(text.get(*length), None | Some(b' ' | b':' | b'\t')))
}

/// Reads `2026-11-20T18:17:27.912455+00:00`, or a form that is close to it.
#[must_use]
pub(super) fn iso(text: &[u8], received: Received) -> Option<Time> {
    let shape = if text.get(4) == Some(&b'/') { *b"0000/00/" } else { *b"0000-00-" };
    year_first(text, (shape, b"Tt "), received)
}

/// Reads `2026:11:20-18:17:27`.
fn colons(text: &[u8], received: Received) -> Option<Time> {
    year_first(text, (*b"0000:00:", b"-"), received)
}

/// Reads year and month of that shape, the day, and the time behind one of `marks`.
fn year_first(text: &[u8], (shape, marks): ([u8; 8], &[u8]), received: Received) -> Option<Time> {
    let (fixed, rest) = text.split_first_chunk::<8>()?;
    let [y1, y2, y3, y4, _, o1, o2, _] = digits(*fixed, shape)?;
    let (&[d1, d2, mark], _) = rest.split_first_chunk::<3>()?;
    if !marks.contains(&mark) {
        return None;
    }
    let year = Some(pair(y1, y2) * 100 + pair(y3, y4));
    date((year, pair(o1, o2), two(d1, d2)?), text, 11, received)
}

/// Reads `11/20/2026:18:17:27` or `20/11/2026:18:17:27`; where both are dates it is the one nearer to the receipt.
fn slashes(text: &[u8], received: Received) -> Option<Time> {
    let (fixed, _) = text.split_first_chunk::<11>()?;
    let [a1, a2, b'/', b1, b2, b'/', y1, y2, y3, y4, b':'] = *fixed else {
        return None;
    };
    let year = Some(two(y1, y2)? * 100 + two(y3, y4)?);
    let (first, second) = (two(a1, a2)?, two(b1, b2)?);
    let month_first = date((year, first, second), text, 11, received);
    let day_first = date((year, second, first), text, 11, received);
    match (month_first, day_first) {
        (Some((one, length)), Some((other, _))) => Some((received.nearer(one, other), length)),
        (one, other) => one.or(other),
    }
}

/// Reads a date with the name of its month: `[YEAR] [WEEKDAY] MONTH DAY [YEAR] TIME [ZONE] [YEAR]`.
fn named(text: &[u8], received: Received) -> Option<Time> {
    let mut at = 0;
    let mut year = year_word(text, &mut at);
    if in_list(text.get(at..)?, &WEEKDAYS).is_some() && text.get(at + 3) == Some(&b' ') {
        at += 4;
    }
    let month = in_list(text.get(at..)?, &MONTHS)?;
    at += 3;
    let day = day(text, &mut at)?;
    year = year.or_else(|| year_word(text, &mut at));
    let (time_ms, length) = clock(text.get(at..)?)?;
    at += length;
    let (zone_ms, length) = any_zone(text.get(at..)?);
    at += length;
    if year.is_none()
        && let Some(b' ') = text.get(at)
    {
        let mut behind = at + 1;
        year = year_word(text, &mut behind);
        if year.is_some() {
            at = behind - usize::from(text.get(behind - 1) == Some(&b' '));
        }
    }
    Some((received.resolve(Civil { year, month, day, time_ms }) - zone_ms, at))
}

/// A year and a space, or the end: `2026 `.
fn year_word(text: &[u8], at: &mut usize) -> Option<i64> {
    let [y1, y2, y3, y4, behind @ ..] = text.get(*at..)? else {
        return None;
    };
    let year = two(*y1, *y2)? * 100 + two(*y3, *y4)?;
    let ends = matches!(behind, [] | [b' ' | b'\t', ..] | [b':'] | [b':', b' ', ..]);
    if !ends || !(1970..2100).contains(&year) {
        return None;
    }
    *at += 4 + usize::from(behind.first() == Some(&b' '));
    Some(year)
}

fn in_list(text: &[u8], names: &[&[u8; 3]]) -> Option<i64> {
    let (name, _) = text.split_first_chunk::<3>()?;
    let name = name.map(|letter| letter.to_ascii_lowercase());
    let found = names.iter().position(|known| **known == name)?;
    i64::try_from(found + 1).ok()
}

/// ` 20 `, `  3 `, ` 3 ` or ` 03 `.
fn day(text: &[u8], at: &mut usize) -> Option<i64> {
    let (day, length) = match *text.get(*at..)? {
        [b' ', b' ', ones, b' ', ..] => (digit(ones)?, 4),
        [b' ', tens, ones, b' ', ..] => (two(tens, ones)?, 4),
        [b' ', ones, b' ', ..] => (digit(ones)?, 3),
        _ => return None,
    };
    *at += length;
    (1..=31).contains(&day).then_some(day)
}

/// A date in numbers with the time at `at`.
fn date(
    (year, month, day): (Option<i64>, i64, i64),
    text: &[u8],
    at: usize,
    received: Received,
) -> Option<Time> {
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let (time_ms, length) = clock(text.get(at..)?)?;
    let end = at + length;
    let (zone_ms, zone) = any_zone(text.get(end..)?);
    Some((received.resolve(Civil { year, month, day, time_ms }) - zone_ms, end + zone))
}

/// `hh:mm:ss` with or without a fraction: milliseconds since midnight, and its length.
fn clock(text: &[u8]) -> Option<(i64, usize)> {
    let (fixed, rest) = text.split_first_chunk::<8>()?;
    let [h1, h2, _, m1, m2, _, s1, s2] = digits(*fixed, *b"00:00:00")?;
    let (hour, minute, second) = (pair(h1, h2), pair(m1, m2), pair(s1, s2));
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let (fraction_ms, fraction) = fraction(rest);
    Some((((hour * 60 + minute) * 60 + second) * 1000 + fraction_ms, 8 + fraction))
}

/// `.912455`, milliseconds and length; both 0 when there is none.
fn fraction(text: &[u8]) -> (i64, usize) {
    let Some((b'.' | b',', digits)) = text.split_first() else {
        return (0, 0);
    };
    let length = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let first = |index: usize| {
        let known = digits.get(index).filter(|_| index < length);
        known.map_or(0, |byte| i64::from(byte - b'0'))
    };
    let ms = first(0) * 100 + first(1) * 10 + first(2);
    if length == 0 { (0, 0) } else { (ms, length + 1) }
}

/// A zone that stands right here, or behind a space; nothing is UTC.
fn any_zone(text: &[u8]) -> (i64, usize) {
    if let Some(zone) = zone::number(text).or_else(|| zone::name(text)) {
        return zone;
    }
    let behind = text.strip_prefix(b" ").unwrap_or_default();
    let signed = matches!(behind.first(), Some(b'+' | b'-'));
    let found = if signed { zone::number(behind) } else { zone::name(behind) };
    let ends = |length: usize| matches!(behind.get(length), None | Some(b' ' | b':' | b'\t'));
    match found {
        Some((ms, length)) if ends(length) => (ms, length + 1),
        _ => (0, 0),
    }
}

/// Reads `1795198647.912455`.
#[must_use]
pub(super) fn epoch(text: &[u8]) -> Option<Time> {
    let (seconds, rest) = text.split_first_chunk::<10>()?;
    let (fraction_ms, length) = fraction(rest);
    let mut number = 0;
    for byte in seconds {
        number = number * 10 + digit(*byte)?;
    }
    let ends = length > 0 && matches!(rest.get(length), None | Some(b' '));
    ends.then_some((number * 1000 + fraction_ms, 10 + length))
}

/// Eight bytes of the form of `shape`, in which `0` stands for a digit and everything else for itself: the digits as numbers,
/// and 0 for the rest. All bytes are compared at once.
#[inline]
fn digits(text: [u8; 8], shape: [u8; 8]) -> Option<[u8; 8]> {
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let room = shape.map(|byte| if byte == b'0' { 0x80 - 10 } else { 0x7f });
    // Of a right byte nothing is left, or a number below ten, which does not reach the highest bit.
    let left = u64::from_le_bytes(text) ^ u64::from_le_bytes(shape);
    let beyond = (left & !HIGH).wrapping_add(u64::from_le_bytes(room)) | left;
    (beyond & HIGH == 0).then(|| left.to_le_bytes())
}

fn pair(tens: u8, ones: u8) -> i64 {
    i64::from(tens) * 10 + i64::from(ones)
}

const fn digit(byte: u8) -> Option<i64> {
    if byte.is_ascii_digit() { Some((byte - b'0') as i64) } else { None }
}

fn two(tens: u8, ones: u8) -> Option<i64> {
    Some(digit(tens)? * 10 + digit(ones)?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ms(text: &str) -> i64 {
        text.parse::<jiff::Timestamp>().unwrap().as_millisecond()
    }

    fn check(text: &str, received: &str, expected: &str) {
        let line = format!("{text} host");
        let seen = read(line.as_bytes(), Received::at(ms(received)));
        assert_eq!(seen, Some((ms(expected), text.len())), "{text}");
    }

    #[test]
    fn timestamps_of_rfc_5424_are_read_to_the_millisecond() {
        for text in [
            "2026-11-20T18:17:27.912455+00:00",
            "2026-11-20T18:20:11Z",
            "1985-04-12T19:20:50.52-04:00",
            "2003-08-24T05:14:15.000003-07:00",
            "2024-02-29T23:59:59.9+05:30",
            "1969-12-31T23:59:59.999Z",
        ] {
            check(text, "2026-11-20T00:00:00Z", text);
        }
    }

    #[test]
    fn every_form_that_devices_write_is_read() {
        for text in [
            "2026-11-20T18:17:27",
            "2026-11-20 18:17:27",
            "2026-11-20T18:17:27+0000",
            "2026-11-20t18:17:27z",
            "2026-11-20 19:17:27+01",
            "2026-11-20 19:17:27 +01:00",
            "2026-11-20 19:17:27 CET",
            "2026/11/20 18:17:27",
            "2026:11:20-18:17:27",
            "11/20/2026:18:17:27 GMT",
            "20/11/2026:18:17:27",
            "2026 Nov 20 18:17:27",
            "2026 Nov 20 18:17:27 UTC",
            "Nov 20 2026 18:17:27",
            "Nov 20 18:17:27 2026",
            "Nov 20 12:17:27 CST 2026",
            "Nov 20 2026 12:17:27-06:00",
            "Fri Nov 20 18:17:27 2026",
            "nov 20 18:17:27",
            "NOV 20 18:17:27 UTC",
        ] {
            check(text, "2026-11-20T18:17:28Z", "2026-11-20T18:17:27Z");
        }
        check("Nov 20 18:17:27.5 2026", "2026-11-20T18:17:28Z", "2026-11-20T18:17:27.5Z");
        check("2026-11-20 18:17:27,123", "2026-11-20T18:17:28Z", "2026-11-20T18:17:27.123Z");
        check("03/04/2026:00:00:00", "2026-04-03T00:00:01Z", "2026-04-03T00:00:00Z");
        check("03/04/2026:00:00:00", "2026-03-04T00:00:01Z", "2026-03-04T00:00:00Z");
        assert_eq!(epoch(b"1563249630.774247467 MX"), Some((1_563_249_630_774, 20)));
    }

    #[test]
    fn a_timestamp_without_a_year_gets_the_nearest_one() {
        for (text, received, expected) in [
            ("Nov 20 18:17:27", "2026-11-20T18:17:28Z", "2026-11-20T18:17:27Z"),
            ("Dec 31 23:59:59", "2027-01-01T00:00:01Z", "2026-12-31T23:59:59Z"),
            ("Jan  1 00:00:01", "2026-12-31T23:59:59Z", "2027-01-01T00:00:01Z"),
            ("Jan 1 00:00:01", "2026-12-31T23:59:59Z", "2027-01-01T00:00:01Z"),
            ("Feb 29 12:00:00.5", "2024-03-01T00:00:00Z", "2024-02-29T12:00:00.5Z"),
            ("Nov 20 2019 18:17:27", "2026-11-20T18:17:28Z", "2019-11-20T18:17:27Z"),
        ] {
            check(text, received, expected);
        }
    }

    #[test]
    fn what_is_no_timestamp_is_none() {
        for text in [
            "",
            "-",
            "2026-13-20T18:17:27Z",
            "2026-11/20T18:17:27Z",
            "2026-11-20T18:17:27x",
            "Nov 20",
            "Nov 32 18:17:27",
            "Nox 20 18:17:27",
            "Nov 20 25:17:27",
            "1234",
        ] {
            assert_eq!(read(text.as_bytes(), Received::at(0)), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn eight_bytes_are_compared_with_a_shape_as_one_by_one(
            text in "[ -~]{8}|[0-9][0-9]:[0-9][0-9/:;][0-9]:[0-9][0-9]",
        ) {
            let text: Vec<u8> = text.bytes().take(8).collect();
            let (text, shape): ([u8; 8], _) = (text.try_into().unwrap(), *b"00:00:00");
            let one = |(byte, shape): (u8, u8)| match shape {
                b'0' => byte.is_ascii_digit().then(|| byte - b'0'),
                _ => (byte == shape).then_some(0),
            };
            let expected: Option<Vec<u8>> = text.into_iter().zip(shape).map(one).collect();
            prop_assert_eq!(digits(text, shape).map(Vec::from), expected);
            prop_assert_eq!(digits(text.map(|byte| byte | 0x80), shape), None);
        }

        #[test]
        fn a_timestamp_is_read_as_it_was_written(second in 0i64..4_000_000_000, ms in 0i64..1000) {
            let time = jiff::Timestamp::from_millisecond(second * 1000 + ms).unwrap();
            let text = format!("{time:.3}");
            let seen = read(text.as_bytes(), Received::at(0));
            prop_assert_eq!(seen, Some((second * 1000 + ms, text.len())));
        }

        #[test]
        fn any_bytes_are_read_within_their_length(
            front in proptest::sample::select(vec!["", "Nov 20 18:17:27", "2026-11-20 18:17:27", "2026 "]),
            text in "[0-9A-Za-z :/.,+-]{0,40}",
        ) {
            let text = format!("{front}{text}");
            let seen = read(text.as_bytes(), Received::at(0));
            prop_assert!(seen.is_none_or(|(_, length)| length <= text.len()));
        }
    }
}
