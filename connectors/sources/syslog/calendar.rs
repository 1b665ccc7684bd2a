//! Dates as milliseconds, without allocation, and the year that a message does not say.

/// When a message was received: what is missing in its date is guessed from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received {
    ms: i64,
    pub(super) year: i64,
    /// From the epoch to the first of January of that year.
    days: i64,
}

const DAY_MS: i64 = 86_400_000;
const HALF_YEAR_MS: i64 = DAY_MS * 365 / 2;

/// A point in time as a clock without a zone shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Civil {
    /// Where the message says it.
    pub(super) year: Option<i64>,
    /// 1 to 12.
    pub(super) month: i64,
    /// 1 to 31.
    pub(super) day: i64,
    /// Since midnight.
    pub(super) time_ms: i64,
}

impl Received {
    /// At `ms` since the Unix epoch.
    #[must_use]
    pub const fn at(ms: i64) -> Self {
        let days = ms.div_euclid(DAY_MS);
        let mut year = 1970 + days.div_euclid(if days < 0 { 365 } else { 366 });
        while days_before_year(year + 1) <= days {
            year += 1;
        }
        Self { ms, year, days: days_before_year(year) }
    }

    /// The date and time in milliseconds since the epoch, of a clock that shows UTC. A year that is not said is the one
    /// that brings it nearest to the time of receipt.
    pub(super) fn resolve(self, civil: Civil) -> i64 {
        let in_year = |year| {
            let before = if year == self.year { self.days } else { days_before_year(year) };
            (before + day_of_year(year, civil.month, civil.day)) * DAY_MS + civil.time_ms
        };
        if let Some(year) = civil.year {
            return in_year(year);
        }
        let this = in_year(self.year);
        if this - self.ms > HALF_YEAR_MS {
            in_year(self.year - 1)
        } else if self.ms - this > HALF_YEAR_MS {
            in_year(self.year + 1)
        } else {
            this
        }
    }

    /// The one of two times that is nearer to the time of receipt.
    pub(super) const fn nearer(self, first: i64, second: i64) -> i64 {
        if second.abs_diff(self.ms) < first.abs_diff(self.ms) { second } else { first }
    }
}

/// Days from the epoch to the first of January.
const fn days_before_year(year: i64) -> i64 {
    let before = year - 1;
    365 * (year - 1970) + before.div_euclid(4) - before.div_euclid(100) + before.div_euclid(400)
        - 477
}

/// Days from the first of January to a date of the Gregorian calendar.
fn day_of_year(year: i64, month: i64, day: i64) -> i64 {
    const BEFORE_MONTH: [i64; 13] = [0, 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    let leap = year.rem_euclid(4) == 0 && (year.rem_euclid(100) != 0 || year.rem_euclid(400) == 0);
    let month_days = usize::try_from(month).ok().and_then(|month| BEFORE_MONTH.get(month));
    let leap_day = i64::from(leap && month > 2);
    month_days.copied().unwrap_or(0) + leap_day + day - 1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_day_of_four_centuries_is_where_the_calendar_has_it(
            second in -5_000_000_000i64..9_000_000_000,
        ) {
            let time = jiff::Timestamp::from_second(second).unwrap().to_zoned(jiff::tz::TimeZone::UTC);
            let civil = Civil {
                year: Some(i64::from(time.year())),
                month: i64::from(time.month()),
                day: i64::from(time.day()),
                time_ms: second.rem_euclid(86_400) * 1000,
            };
            let received = Received::at(second * 1000);
            prop_assert_eq!(received.year, i64::from(time.year()));
            prop_assert_eq!(received.resolve(civil), second * 1000);
            prop_assert_eq!(received.resolve(Civil { year: None, ..civil }), second * 1000);
        }
    }
}
