//! Which dead letters are meant: by the reason for which they died, and by when.

use clap::Args;

use super::failure::Failure;
use super::place::time_ms;
use crate::client::ConsumedRecord;

/// Why the sink refused it.
pub(super) const REASON: &str = "__connect.errors.exception.message";
/// When a record became a dead letter, milliseconds since the Unix epoch.
const DIED_AT: &str = "anabranch.dlq.timestamp";

/// Which are meant; all when nothing is said.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct Filter {
    /// Only those whose reason contains this
    #[arg(long, value_name = "TEXT")]
    pub(super) reason: Option<String>,
    /// Only those that died at this time or later; or how long ago, such as 2h
    #[arg(long, value_name = "TIME")]
    pub(super) since: Option<String>,
    /// Only those that died before this time; or how long ago, such as 7d
    #[arg(long, value_name = "TIME")]
    pub(super) before: Option<String>,
}

/// The same, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Parsed {
    reason: Option<String>,
    since_ms: i64,
    before_ms: i64,
}

impl Filter {
    /// Whether it leaves anything out.
    pub(super) const fn is_set(&self) -> bool {
        self.reason.is_some() || self.since.is_some() || self.before.is_some()
    }

    /// # Errors
    /// Which time is none.
    pub(super) fn parsed(&self) -> Result<Parsed, Failure> {
        let time = |name: &str, text: &Option<String>, missing: i64| {
            match text {
            None => Ok(missing),
            Some(text) => time_ms(text).ok_or_else(|| {
                Failure::wrong(format!(
                    "--{name}: \"{text}\" is neither a time such as 2026-11-20T08:00:00Z nor how long ago, such as 15m"
                ))
            }),
        }
        };
        Ok(Parsed {
            reason: self.reason.clone(),
            since_ms: time("since", &self.since, i64::MIN)?,
            before_ms: time("before", &self.before, i64::MAX)?,
        })
    }
}

impl Parsed {
    /// Whether a dead letter is meant.
    pub(super) fn has(&self, record: &ConsumedRecord) -> bool {
        let text = |name| record.header(name).map(String::from_utf8_lossy).unwrap_or_default();
        let died_ms = text(DIED_AT).parse().unwrap_or(record.timestamp_ms);
        let is_reason = self.reason.as_ref().is_none_or(|wanted| text(REASON).contains(wanted));
        is_reason && (self.since_ms..self.before_ms).contains(&died_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_that_is_none_is_refused_by_its_name() {
        let filter = Filter { before: Some("soon".to_owned()), ..Filter::default() };
        assert!(filter.is_set() && filter.parsed().is_err());
        let filter = Filter { since: Some("1970-01-01T00:00:01Z".to_owned()), ..Filter::default() };
        assert_eq!(filter.parsed().ok().map(|parsed| parsed.since_ms), Some(1000));
        assert!(!Filter::default().is_set());
    }
}
