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
