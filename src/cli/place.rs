//! Places in a topic as people name them: beginning, end, a time, an offset.

use std::str::FromStr;

use anabranch_connectors::contract::clock::now_ms;

use crate::hub::StartAt;

const EXPECTED: &str = "expected `beginning`, `end`, an offset, a time such as 2026-11-20T08:00:00Z, or how long ago such as 15m";

/// Where to begin reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place(pub(super) StartAt);

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(offset) = text.parse::<i64>() {
            return if offset < 0 {
                Err(EXPECTED.to_owned())
            } else {
                Ok(Self(StartAt::Offset(offset)))
            };
        }
        match text {
            "beginning" | "earliest" => Ok(Self(StartAt::Earliest)),
            "end" | "latest" => Ok(Self(StartAt::Latest)),
            time => {
                time_ms(time).map(|ms| Self(StartAt::Time(ms))).ok_or_else(|| EXPECTED.to_owned())
            }
        }
    }
}

/// A time, or how long ago, as milliseconds since the Unix epoch.
pub(super) fn time_ms(text: &str) -> Option<i64> {
    if let Ok(time) = text.parse::<jiff::Timestamp>() {
        return Some(time.as_millisecond());
    }
    let ago = humantime::parse_duration(text).ok()?;
    Some(now_ms().saturating_sub(i64::try_from(ago.as_millis()).unwrap_or(i64::MAX)))
}

/// A time for people, in UTC with milliseconds.
pub(super) fn show_time(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms)
        .map_or_else(|_out_of_range| ms.to_string(), |time| format!("{time:.3}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_word_an_offset_or_a_time() {
        let start = |text: &str| text.parse::<Place>().map(|place| place.0);
        assert_eq!(start("beginning"), Ok(StartAt::Earliest));
        assert_eq!(start("latest"), Ok(StartAt::Latest));
        assert_eq!(start("17"), Ok(StartAt::Offset(17)));
        assert_eq!(start("1970-01-01T00:00:01Z"), Ok(StartAt::Time(1000)));
        assert!(matches!(start("15m"), Ok(StartAt::Time(_))));
        assert!(start("-3").is_err());
        assert!(start("yesterday").is_err());
        assert_eq!(show_time(1500), "1970-01-01T00:00:01.500Z");
    }
}
