//! Milliseconds since the Unix epoch as a date and a time of day in UTC, without allocation.
//!
//! The days are turned into a date by counting in years that begin in March, so that a leap day is the last day of
//! its year: 400 years have 146,097 days, and month lengths from March on follow (153 m + 2) / 5. Times outside the
//! years 0000 to 9999 are moved to the nearest end of them.

const MS_PER_DAY: i64 = 86_400_000;
const FIRST_MS: i64 = -62_167_219_200_000;
const LAST_MS: i64 = 253_402_300_799_999;
/// Days from 0000-03-01 to 1970-01-01.
const DAYS_TO_EPOCH: i64 = 719_468;

/// A point in time, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Civil {
    /// 0 to 9999.
    pub(crate) year: i64,
    /// 1 to 12.
    pub(crate) month: i64,
    /// 1 to 31.
    pub(crate) day: i64,
    /// 0 to 23.
    pub(crate) hour: i64,
    /// Since the full hour.
    rest_ms: i64,
}

impl Civil {
    /// The date and time of `timestamp_ms`.
    pub(crate) fn at(timestamp_ms: i64) -> Self {
        let timestamp_ms = timestamp_ms.clamp(FIRST_MS, LAST_MS);
        let days = timestamp_ms.div_euclid(MS_PER_DAY) + DAYS_TO_EPOCH;
        let of_day = timestamp_ms.rem_euclid(MS_PER_DAY);
        let era = days.div_euclid(146_097);
        let of_era = days.rem_euclid(146_097);
        let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * of_year + 2) / 153;
        let day = of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        let year = era * 400 + year_of_era + i64::from(month <= 2);
        Self { year, month, day, hour: of_day / 3_600_000, rest_ms: of_day % 3_600_000 }
    }

    /// Appends `2026-01-31T23:59:59.999Z`.
    pub(super) fn push_rfc3339(self, out: &mut Vec<u8>) {
        let mut text = *b"0000-00-00T00:00:00.000Z";
        let parts = [
            (0, 4, self.year),
            (5, 2, self.month),
            (8, 2, self.day),
            (11, 2, self.hour),
            (14, 2, self.rest_ms / 60_000),
            (17, 2, self.rest_ms / 1_000 % 60),
            (20, 3, self.rest_ms % 1_000),
        ];
        for (at, width, number) in parts {
            set_digits(number, text.get_mut(at..at + width).unwrap_or_default());
        }
        out.extend_from_slice(&text);
    }
}

/// Whether search servers take `text` for a date: `2026-01-31`, with a time of day and a zone or without.
pub(super) fn is_date(text: &str) -> bool {
    let (date, time) = text.split_once('T').map_or((text, None), |(date, time)| (date, Some(time)));
    let numbers = |text: &str, marks: char| -> Option<Vec<u32>> {
        let one = |part: &str| {
            let is_number = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
            part.parse().ok().filter(|_| is_number)
        };
        text.split(marks).map(one).collect()
    };
    let is_day = date.len() == 10
        && matches!(numbers(date, '-').as_deref(), Some([year, month @ 1..=12, day])
            if (1..=days_of(*year, *month)).contains(day));
    let is_time = time.is_none_or(|time| {
        let zone_at = time.find(['Z', '+', '-']).unwrap_or(time.len());
        let (clock, zone) = time.split_at_checked(zone_at).unwrap_or((time, ""));
        let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
        let is_fraction = (1..=9).contains(&fraction.len()) && numbers(fraction, '-').is_some();
        let is_zone = match zone {
            "" | "Z" => true,
            zone => {
                zone.len() == 6
                    && zone.get(1..).is_some_and(|zone| {
                        matches!(numbers(zone, ':').as_deref(), Some([0..=17, 0..=59]))
                    })
            }
        };
        is_fraction
            && is_zone
            && clock.len() == 8
            && matches!(numbers(clock, ':').as_deref(), Some([0..=23, 0..=59, 0..=59]))
    });
    is_day && is_time
}

const fn days_of(year: u32, month: u32) -> u32 {
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Appends the last two or four digits of a number.
pub(crate) fn push_digits(number: i64, width: usize, out: &mut String) {
    let mut digits = [b'0'; 4];
    let used = digits.get_mut(..width.min(4)).unwrap_or_default();
    set_digits(number, used);
    out.extend(used.iter().map(|digit| char::from(*digit)));
}

#[inline]
fn set_digits(mut number: i64, digits: &mut [u8]) {
    for slot in digits.iter_mut().rev() {
        *slot = b'0' + u8::try_from(number % 10).unwrap_or_default();
        number /= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(timestamp_ms: i64) -> String {
        let mut out = Vec::new();
        Civil::at(timestamp_ms).push_rfc3339(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn dates_are_those_that_search_servers_read() {
        for text in [
            "2026-01-31",
            "2024-02-29T23:59:59Z",
            "2026-01-31T00:00:00.123456789+05:30",
            "2026-01-31T00:00:00.1",
        ] {
            assert!(is_date(text), "{text}");
        }
        for text in [
            "",
            "yesterday",
            "2026",
            "2026-02-29",
            "2026-13-01",
            "2026-1-1",
            "2026-01-31T",
            "2026-01-31 00:00:00",
            "2026-01-31T24:00:00Z",
            "2026-01-31T00:00:00.Z",
            "2026-01-31T00:00:00+5",
            "2026-01-31T00:00:00z",
            "+026-01-31",
        ] {
            assert!(!is_date(text), "{text}");
        }
    }

    #[test]
    fn times_are_in_utc_with_milliseconds() {
        assert_eq!(text(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(text(-1), "1969-12-31T23:59:59.999Z");
        assert_eq!(text(951_782_400_000), "2000-02-29T00:00:00.000Z");
        assert_eq!(text(i64::MAX), "9999-12-31T23:59:59.999Z");
        assert_eq!(text(i64::MIN), "0000-01-01T00:00:00.000Z");
    }

    proptest! {
        #[test]
        fn a_time_is_written_as_the_calendar_says(timestamp_ms in FIRST_MS..=LAST_MS - 86_400_000) {
            let expected = jiff::Timestamp::from_millisecond(timestamp_ms).unwrap();
            prop_assert_eq!(text(timestamp_ms), format!("{expected:.3}"));
        }
    }
}
