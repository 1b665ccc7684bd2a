//! Reads the timestamps of syslog messages from digits to milliseconds, without allocation.

/// When a message was received: what its missing year is guessed from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received {
    ms: i64,
    year: i64,
}

const DAY_MS: i64 = 86_400_000;
const HALF_YEAR_MS: i64 = DAY_MS * 365 / 2;

impl Received {
    /// At `ms` since the Unix epoch.
    #[must_use]
    pub const fn at(ms: i64) -> Self {
        let days = ms.div_euclid(DAY_MS);
        let mut year = 1970 + days.div_euclid(if days < 0 { 365 } else { 366 });
        while days_before_year(year + 1) <= days {
            year += 1;
        }
        Self { ms, year }
    }

    /// The time in the year that brings it nearest to the time of receipt.
    fn nearest(self, month: i64, day: i64, time_ms: i64) -> i64 {
        let in_year = |year| days(year, month, day) * DAY_MS + time_ms;
        let this = in_year(self.year);
        if this - self.ms > HALF_YEAR_MS {
            in_year(self.year - 1)
        } else if self.ms - this > HALF_YEAR_MS {
            in_year(self.year + 1)
        } else {
            this
        }
    }
}

/// Reads `2026-11-20T18:17:27.912455+00:00` at the front of `text`: milliseconds since the epoch, and its length.
#[must_use]
pub(super) fn rfc3339(text: &[u8]) -> Option<(i64, usize)> {
    let (fixed, _) = text.split_first_chunk::<19>()?;
    let [y1, y2, y3, y4, b'-', o1, o2, b'-', d1, d2, b'T' | b't', clock @ ..] = *fixed else {
        return None;
    };
    let year = two(y1, y2)? * 100 + two(y3, y4)?;
    let (month, day) = (two(o1, o2)?, two(d1, d2)?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let (fraction_ms, fraction) = fraction(text.get(19..)?);
    let (zone_ms, zone) = zone(text.get(19 + fraction..)?)?;
    let ms = days(year, month, day) * DAY_MS + time_of_day(clock)? + fraction_ms - zone_ms;
    Some((ms, 19 + fraction + zone))
}

/// Reads `Nov 20 18:17:27`, `Nov  3 18:17:27.123` or `Nov 20 2026 18:17:27` at the front of `text`, as UTC:
/// milliseconds since the epoch, and its length.
#[must_use]
pub(super) fn bsd(text: &[u8], received: Received) -> Option<(i64, usize)> {
    let (&[m1, m2, m3, b' ', d1, d2, b' '], rest) = text.split_first_chunk::<7>()? else {
        return bsd_short_day(text, received);
    };
    let day = if d1 == b' ' { digit(d2)? } else { two(d1, d2)? };
    let (ms, length) = bsd_clock([m1, m2, m3], day, rest, received)?;
    Some((ms, 7 + length))
}

/// A day of one digit that is not padded: `Nov 3 18:17:27`.
fn bsd_short_day(text: &[u8], received: Received) -> Option<(i64, usize)> {
    let (&[m1, m2, m3, b' ', d1, b' '], rest) = text.split_first_chunk::<6>()? else {
        return None;
    };
    let (ms, length) = bsd_clock([m1, m2, m3], digit(d1)?, rest, received)?;
    Some((ms, 6 + length))
}

fn bsd_clock(name: [u8; 3], day: i64, text: &[u8], received: Received) -> Option<(i64, usize)> {
    let month = month(name)?;
    if !(1..=31).contains(&day) {
        return None;
    }
    let (year, skipped) = match text.split_first_chunk::<5>() {
        Some((&[y1, y2, y3, y4, b' '], _)) => (Some(two(y1, y2)? * 100 + two(y3, y4)?), 5),
        _ => (None, 0),
    };
    let (clock, rest) = text.get(skipped..)?.split_first_chunk::<8>()?;
    let (fraction_ms, fraction) = fraction(rest);
    let time_ms = time_of_day(*clock)? + fraction_ms;
    let ms = match year {
        Some(year) => days(year, month, day) * DAY_MS + time_ms,
        None => received.nearest(month, day, time_ms),
    };
    Some((ms, skipped + 8 + fraction))
}

const fn month(name: [u8; 3]) -> Option<i64> {
    Some(match &name {
        b"Jan" => 1,
        b"Feb" => 2,
        b"Mar" => 3,
        b"Apr" => 4,
        b"May" => 5,
        b"Jun" => 6,
        b"Jul" => 7,
        b"Aug" => 8,
        b"Sep" => 9,
        b"Oct" => 10,
        b"Nov" => 11,
        b"Dec" => 12,
        _ => return None,
    })
}

/// `hh:mm:ss`, milliseconds.
fn time_of_day(clock: [u8; 8]) -> Option<i64> {
    let [h1, h2, b':', m1, m2, b':', s1, s2] = clock else {
        return None;
    };
    let (hour, minute, second) = (two(h1, h2)?, two(m1, m2)?, two(s1, s2)?);
    let valid = hour < 24 && minute < 60 && second <= 60;
    valid.then_some(((hour * 60 + minute) * 60 + second) * 1000)
}

/// `.912455`, milliseconds and length; both 0 when there is none.
fn fraction(text: &[u8]) -> (i64, usize) {
    let Some((b'.', digits)) = text.split_first() else {
        return (0, 0);
    };
    let (mut ms, mut weight, mut length) = (0, 100, 0);
    for value in digits.iter().map_while(|&byte| digit(byte)) {
        ms += value * weight;
        weight /= 10;
        length += 1;
    }
    if length == 0 { (0, 0) } else { (ms, length + 1) }
}

/// `Z` or `+01:00`, milliseconds east of UTC and length.
fn zone(text: &[u8]) -> Option<(i64, usize)> {
    let (&first, rest) = text.split_first()?;
    let sign = match first {
        b'Z' | b'z' => return Some((0, 1)),
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (&[h1, h2, b':', m1, m2], _) = rest.split_first_chunk::<5>()? else {
        return None;
    };
    Some((sign * (two(h1, h2)? * 60 + two(m1, m2)?) * 60_000, 6))
}

const fn digit(byte: u8) -> Option<i64> {
    if byte.is_ascii_digit() { Some((byte - b'0') as i64) } else { None }
}

fn two(tens: u8, ones: u8) -> Option<i64> {
    Some(digit(tens)? * 10 + digit(ones)?)
}

/// Days from the epoch to the first of January.
const fn days_before_year(year: i64) -> i64 {
    let before = year - 1;
    365 * (year - 1970) + before.div_euclid(4) - before.div_euclid(100) + before.div_euclid(400)
        - 477
}

/// Days from the epoch to a date of the Gregorian calendar.
fn days(year: i64, month: i64, day: i64) -> i64 {
    const BEFORE_MONTH: [i64; 13] = [0, 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    let leap = year.rem_euclid(4) == 0 && (year.rem_euclid(100) != 0 || year.rem_euclid(400) == 0);
    let month_days = usize::try_from(month).ok().and_then(|month| BEFORE_MONTH.get(month));
    let leap_day = i64::from(leap && month > 2);
    days_before_year(year) + month_days.copied().unwrap_or(0) + leap_day + day - 1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ms(text: &str) -> i64 {
        text.parse::<jiff::Timestamp>().unwrap().as_millisecond()
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
            let rest = format!("{text} host");
            assert_eq!(rfc3339(rest.as_bytes()), Some((ms(text), text.len())), "{text}");
        }
        for text in
            ["", "-", "2026-11-20 18:17:27Z", "2026-13-20T18:17:27Z", "2026-11-20T18:17:27", "x"]
        {
            assert_eq!(rfc3339(text.as_bytes()), None, "{text}");
        }
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
            let received = Received::at(ms(received));
            assert_eq!(bsd(text.as_bytes(), received), Some((ms(expected), text.len())), "{text}");
        }
        for text in ["", "Nov 20", "Nov 32 18:17:27", "Nox 20 18:17:27", "Nov 20 25:17:27"] {
            assert_eq!(bsd(text.as_bytes(), Received::at(0)), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_second_of_four_centuries_is_read_as_the_calendar_has_it(
            second in -5_000_000_000i64..9_000_000_000,
        ) {
            let time = jiff::Timestamp::from_second(second).unwrap();
            let text = time.to_string();
            prop_assert_eq!(rfc3339(text.as_bytes()), Some((second * 1000, text.len())));
            let year = time.to_zoned(jiff::tz::TimeZone::UTC).year();
            prop_assert_eq!(Received::at(second * 1000).year, i64::from(year));
        }
    }
}
