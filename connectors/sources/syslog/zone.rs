//! Time zones of timestamps: numbers and the names that devices write.

/// Names and minutes east of UTC. Where a name has several meanings (`CST`, `IST`), this is the one of most senders.
const NAMES: [(&str, i64); 43] = [
    ("UTC", 0),
    ("GMT", 0),
    ("UCT", 0),
    ("WET", 0),
    ("WEST", 60),
    ("BST", 60),
    ("CET", 60),
    ("MET", 60),
    ("CEST", 120),
    ("MEST", 120),
    ("EET", 120),
    ("EEST", 180),
    ("SAST", 120),
    ("MSK", 180),
    ("IST", 330),
    ("PKT", 300),
    ("ICT", 420),
    ("WIB", 420),
    ("HKT", 480),
    ("SGT", 480),
    ("PHT", 480),
    ("AWST", 480),
    ("JST", 540),
    ("KST", 540),
    ("ACST", 570),
    ("ACDT", 630),
    ("AEST", 600),
    ("AEDT", 660),
    ("NZST", 720),
    ("NZDT", 780),
    ("NST", -210),
    ("AST", -240),
    ("ADT", -180),
    ("BRT", -180),
    ("ART", -180),
    ("EST", -300),
    ("EDT", -240),
    ("CST", -360),
    ("CDT", -300),
    ("MST", -420),
    ("MDT", -360),
    ("PST", -480),
    ("PDT", -420),
];
/// Longest name that a Cisco device may be told.
const NAME_MAX: usize = 7;

/// `Z`, `+01:00`, `+0100` or `+01`: milliseconds east of UTC, and its length.
pub(super) fn number(text: &[u8]) -> Option<(i64, usize)> {
    let (&first, rest) = text.split_first()?;
    let sign = match first {
        b'Z' | b'z' => return Some((0, 1)),
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let digits = rest.iter().take(5).take_while(|byte| byte.is_ascii_digit()).count();
    let (hours, minutes, length) = match (digits, rest) {
        (4, [h1, h2, m1, m2, ..]) => (two(*h1, *h2)?, two(*m1, *m2)?, 5),
        (2, [h1, h2, b':', m1, m2, ..]) => (two(*h1, *h2)?, two(*m1, *m2)?, 6),
        (2, [h1, h2, ..]) => (two(*h1, *h2)?, 0, 3),
        (1, [hour, ..]) => (digit(*hour)?, 0, 2),
        _ => return None,
    };
    Some((sign * (hours * 60 + minutes) * 60_000, length))
}

/// `CET` or `UTC+8` at the front: milliseconds east of UTC, and its length. A name that is not known is one where a
/// Cisco device writes its zone: before `: %`.
pub(super) fn name(text: &[u8]) -> Option<(i64, usize)> {
    let length = text.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
    let (name, behind) = text.split_at_checked(length)?;
    if let Some((_, minutes)) = NAMES.iter().find(|(known, _)| known.as_bytes() == name) {
        let (more, more_length) = number(behind).unwrap_or((0, 0));
        return Some((minutes * 60_000 + more, length + more_length));
    }
    if name == b"TZ" {
        return number(behind).map(|(ms, more)| (ms, length + more));
    }
    // Firewalls write their own name there.
    let of_firewalls = [": %ASA", ": %FTD", ": %PIX", ": %FWSM"];
    let is_zone = behind.starts_with(b": %")
        && !of_firewalls.iter().any(|mark| behind.starts_with(mark.as_bytes()));
    (is_zone && (1..=NAME_MAX).contains(&length)).then_some((0, length))
}

const fn digit(byte: u8) -> Option<i64> {
    if byte.is_ascii_digit() { Some((byte - b'0') as i64) } else { None }
}

fn two(tens: u8, ones: u8) -> Option<i64> {
    Some(digit(tens)? * 10 + digit(ones)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_MS: i64 = 3_600_000;

    #[test]
    fn zones_are_numbers_or_known_names() {
        for (text, expected) in [
            ("Z host", Some((0, 1))),
            ("+01:30 host", Some((HOUR_MS * 3 / 2, 6))),
            ("-0500 host", Some((-5 * HOUR_MS, 5))),
            ("+02", Some((2 * HOUR_MS, 3))),
            ("-6 host", Some((-6 * HOUR_MS, 2))),
            ("+123", None),
            ("+", None),
            ("", None),
        ] {
            assert_eq!(number(text.as_bytes()), expected, "{text}");
        }
        for (text, expected) in [
            ("CEST: %SYS", Some((2 * HOUR_MS, 4))),
            ("UTC+8 host", Some((8 * HOUR_MS, 5))),
            ("TZ-6 host", Some((-6 * HOUR_MS, 4))),
            ("Berlin: %SYS-5-CONFIG_I: x", Some((0, 6))),
            ("Berlin: text", None),
            ("fw : %ASA-6-302013: x", None),
            ("fw: %ASA-6-302013: x", None),
            ("web app: text", None),
            ("", None),
        ] {
            assert_eq!(name(text.as_bytes()), expected, "{text}");
        }
    }
}
