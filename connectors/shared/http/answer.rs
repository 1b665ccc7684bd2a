//! What a far side's answer means: its status, the wait that it asks for, its words.

use std::error::Error;
use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};

use super::responses::Response;
use crate::{Outcome, WriteError, Written};

/// Longest quotation of a far side's words, bytes.
const QUOTE_MAX: usize = 200;
/// Longest wait that is believed.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3600);

/// What a person is told of an answer that the configuration calls fatal.
pub(crate) const AS_CONFIGURED: &str = "`responses` has the sink stop for it";

/// What became of a whole request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The far side has it.
    Done,
    /// It will never take it.
    Dead(String),
    /// It did not take it, and may be asked for it so often.
    Again(String),
    /// It did not take it now.
    Failed(WriteError),
}

/// One answer, as far as it is of interest.
#[derive(Debug)]
pub(crate) struct Answer<'a> {
    /// The address that answered, for the messages.
    pub(crate) target: &'a str,
    pub(crate) status: StatusCode,
    /// From the header of that name.
    pub(crate) retry_after: Option<Duration>,
    /// The beginning of the body.
    pub(crate) body: &'a [u8],
}

impl Answer<'_> {
    /// The general reading of a status, for far sides without a protocol of their own.
    pub(crate) fn verdict(&self) -> Verdict {
        match self.status.as_u16() {
            200..=299 => Verdict::Done,
            408 | 425 | 429 | 500..=599 => Verdict::Failed(self.not_now()),
            413 => Verdict::Failed(self.too_large()),
            401 | 403 => Verdict::Failed(self.fatal("check `auth` and what this user may do")),
            404 | 405 => Verdict::Failed(self.fatal("check the address and the method")),
            300..=399 => Verdict::Failed(
                self.fatal("give the address that it redirects to; it is not followed"),
            ),
            400..=499 => Verdict::Dead(self.reason()),
            _ => Verdict::Failed(self.fatal("is this an HTTP server?")),
        }
    }

    /// What the configuration makes of it, else the general reading.
    pub(crate) fn verdict_as(&self, named: Option<Response>) -> Verdict {
        match named {
            None => self.verdict(),
            Some(Response::Done) => Verdict::Done,
            Some(Response::Again) => Verdict::Again(self.reason()),
            Some(Response::NotNow) => Verdict::Failed(self.not_now()),
            Some(Response::Dead) => Verdict::Dead(self.reason()),
            Some(Response::Fatal) => Verdict::Failed(self.fatal(AS_CONFIGURED)),
        }
    }

    pub(crate) fn not_now(&self) -> WriteError {
        WriteError::NotNow {
            target: self.target.to_owned(),
            reason: self.reason(),
            retry_after: self.retry_after,
        }
    }

    pub(crate) fn refused(&self) -> WriteError {
        WriteError::Refused { target: self.target.to_owned(), reason: self.reason() }
    }

    pub(crate) fn too_large(&self) -> WriteError {
        WriteError::TooLarge { target: self.target.to_owned(), reason: self.reason() }
    }

    pub(crate) fn fatal(&self, hint: &'static str) -> WriteError {
        WriteError::Fatal { target: self.target.to_owned(), reason: self.reason(), hint }
    }

    /// `HTTP 503 Service Unavailable: "…"`
    pub(crate) fn reason(&self) -> String {
        let words = quote(self.body);
        if words.is_empty() {
            format!("HTTP {}", self.status)
        } else {
            format!("HTTP {}: \"{words}\"", self.status)
        }
    }
}

/// The far side was not reached, or went away before it answered.
pub(crate) fn unreachable(target: &str, problem: &dyn Error) -> WriteError {
    WriteError::NotNow { target: target.to_owned(), reason: causes(problem), retry_after: None }
}

/// What a write of several requests answers when one of them failed as a whole: the first has to be sent with all the
/// rest, a later one only with what follows it, so that nothing that arrived is sent twice. What follows was not tried.
///
/// `first` is the number of the failed request's first record, `count` that of all records.
pub(crate) fn cut_short(
    mut written: Written,
    problem: WriteError,
    first: usize,
    count: usize,
) -> Result<Written, WriteError> {
    if first == 0 {
        return Err(problem);
    }
    let reason = problem.to_string();
    if let WriteError::NotNow { retry_after, .. } = problem {
        written.retry_after = retry_after;
    }
    let later = |number| (number, Outcome::NotNow { reason: reason.clone() });
    written.exceptions.extend((first..count).map(later));
    Ok(written)
}

/// An error and what caused it, each once.
pub(crate) fn causes(problem: &dyn Error) -> String {
    let mut text = problem.to_string();
    let mut next = problem.source();
    while let Some(cause) = next {
        let words = cause.to_string();
        if !text.contains(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        next = cause.source();
    }
    text
}

/// The wait that an answer asks for: seconds, or a date.
///
/// Source: RFC 9110, section 10.2.3.
pub(crate) fn retry_after(headers: &HeaderMap, now_ms: i64) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_not_seconds) => {
            let date = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
            let wait_ms = date.as_millisecond().saturating_sub(now_ms);
            Duration::from_millis(u64::try_from(wait_ms).unwrap_or(0))
        }
    };
    Some(wait.min(RETRY_AFTER_MAX))
}

/// The beginning of an answer, in one line.
pub(crate) fn quote(body: &[u8]) -> String {
    let head = body.get(..QUOTE_MAX).unwrap_or(body);
    let text = String::from_utf8_lossy(head);
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut line = words.join(" ");
    line.retain(|letter| !letter.is_control());
    if body.len() > QUOTE_MAX {
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn wait(value: &str) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, value.parse().unwrap());
        // 1994-11-06 08:49:00 UTC
        retry_after(&headers, 784_111_740_000)
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        assert_eq!(wait("120"), Some(Duration::from_secs(120)));
        assert_eq!(wait("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::from_secs(37)));
        assert_eq!(wait("Sun, 06 Nov 1994 08:48:00 GMT"), Some(Duration::ZERO));
        assert_eq!(wait("99999999999"), Some(RETRY_AFTER_MAX));
        assert_eq!(wait("soon"), None);
    }

    #[test]
    fn each_status_has_its_fate() {
        let verdict = |status: u16| {
            let status = StatusCode::from_u16(status).unwrap();
            match (Answer { target: "x", status, retry_after: None, body: b"" }).verdict() {
                Verdict::Done => "done",
                Verdict::Dead(_) => "dead",
                Verdict::Again(_) => "again",
                Verdict::Failed(WriteError::NotNow { .. }) => "not now",
                Verdict::Failed(WriteError::TooLarge { .. }) => "too large",
                Verdict::Failed(WriteError::Refused { .. }) => "refused",
                Verdict::Failed(WriteError::Fatal { .. }) => "fatal",
            }
        };
        for (statuses, expected) in [
            (&[200, 201, 204][..], "done"),
            (&[408, 425, 429, 500, 502, 503, 504], "not now"),
            (&[413], "too large"),
            (&[401, 403, 404, 405, 301, 308], "fatal"),
            (&[400, 409, 415, 422], "dead"),
        ] {
            for status in statuses {
                assert_eq!(verdict(*status), expected, "{status}");
            }
        }
    }

    #[test]
    fn a_long_answer_is_quoted_in_one_line() {
        assert_eq!(quote(b"<html>\r\n  no\x07</html>"), "<html> no</html>");
        assert!(quote(&[b'x'; 1000]).len() < 210);
        assert_eq!(quote(b""), "");
    }

    proptest! {
        #[test]
        fn any_words_and_any_wait_are_read_without_a_panic(body: Vec<u8>, value in "[ -~]{0,40}") {
            prop_assert!(!quote(&body).contains('\n'));
            prop_assert!(wait(&value).is_none_or(|wait| wait <= RETRY_AFTER_MAX));
        }
    }
}
