//! Takes a message of RFC 3164 apart, or of the many kinds that are taken for it:
//! `<PRI>TIMESTAMP HOSTNAME TAG[PID]: TEXT`, of which everything behind the priority can be missing.
//!
//! | variant                                          | from                              |
//! |--------------------------------------------------|-----------------------------------|
//! | `Nov 20 18:17:27 vm app: text`                   | the RFC                           |
//! | `Nov 20 18:17:27 app: text`                      | programs that write to `/dev/log` |
//! | `2026-11-20T18:17:28.048298+00:00 vm app: text`  | rsyslog                           |
//! | `app: text`                                      | Python's handler                  |
//! | `42: *Mar  1 18:46:11.123: %SYS-5-CONFIG_I: text`| Cisco IOS                         |
//! | `Nov 20 2026 18:17:27 fw : %ASA-6-302013: text`  | Cisco ASA                         |

use memchr::memchr3;

use super::parse::{Parsed, word};
use super::timestamp::{Received, bsd, rfc3339};

/// Longest text before a colon that is taken for the name of a program where no timestamp stands before it, bytes.
const LONE_TAG_MAX: usize = 48;

/// Fills in what stands behind the priority, at which `parsed.message_at` points.
pub(super) fn parse<'a>(message: &'a [u8], received: Received, parsed: &mut Parsed<'a>) {
    let begin = parsed.message_at;
    let mut at = begin + sequence_number(rest(message, begin));
    let Some((timestamp_ms, length)) = timestamp(rest(message, at), received) else {
        lone_tag(message, begin, parsed);
        return;
    };
    parsed.timestamp_ms = timestamp_ms;
    at += length;
    let colon = skip(message, &mut at, b':');
    skip(message, &mut at, b' ');
    parsed.message_at = at;
    if !colon {
        hostname(message, parsed);
    }
    tag(message, parsed);
}

/// `42: ` before the timestamp.
fn sequence_number(text: &[u8]) -> usize {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let follows = text.get(digits..).is_some_and(|rest| rest.starts_with(b": "));
    if digits > 0 && follows { digits + 2 } else { 0 }
}

/// The time and its length. A `*` before it says that the clock was never set, and then it is not used; a `.` that the
/// clock is not in step now.
fn timestamp(text: &[u8], received: Received) -> Option<(Option<i64>, usize)> {
    let mark = usize::from(matches!(text.first(), Some(b'*' | b'.')));
    let clock = text.get(mark..)?;
    let (timestamp_ms, length) = bsd(clock, received).or_else(|| rfc3339(clock))?;
    let ends = matches!(clock.get(length), None | Some(b' ' | b':'));
    let is_set = text.first() != Some(&b'*');
    ends.then_some((is_set.then_some(timestamp_ms), mark + length))
}

/// Takes the next word for the name of the machine, unless it is a tag.
fn hostname<'a>(message: &'a [u8], parsed: &mut Parsed<'a>) {
    let mut at = parsed.message_at;
    let Some(host) = word(message, &mut at).filter(|host| !host.is_empty() && !is_tag(host)) else {
        return;
    };
    parsed.hostname = Some(host);
    if rest(message, at).starts_with(b": ") {
        at += 2;
    }
    parsed.message_at = at;
}

fn is_tag(word: &[u8]) -> bool {
    word.ends_with(b":") || word.ends_with(b"]")
}

/// `app: `, `app[12]: `, or a word.
fn tag<'a>(message: &'a [u8], parsed: &mut Parsed<'a>) {
    let begin = parsed.message_at;
    let text = rest(message, begin);
    let Some(length) = memchr3(b':', b'[', b' ', text).filter(|length| *length > 0) else {
        return;
    };
    parsed.appname = text.get(..length);
    let mut at = begin + length;
    if message.get(at) == Some(&b'[') {
        let inside = rest(message, at + 1);
        let Some(end) = memchr3(b']', b' ', b'[', inside) else {
            parsed.appname = None;
            return;
        };
        if inside.get(end) != Some(&b']') {
            parsed.appname = None;
            return;
        }
        parsed.procid = inside.get(..end).filter(|procid| !procid.is_empty());
        at += end + 2;
    }
    skip(message, &mut at, b':');
    skip(message, &mut at, b' ');
    parsed.message_at = at;
}

/// Without a timestamp only `app:` and `app[12]:` are tags, everything else is text.
fn lone_tag<'a>(message: &'a [u8], begin: usize, parsed: &mut Parsed<'a>) {
    let text = rest(message, begin);
    let length = text.iter().take(LONE_TAG_MAX + 1).take_while(|byte| is_tag_byte(**byte)).count();
    let tagged = match text.get(length) {
        Some(b':') => true,
        Some(b'[') => rest(text, length).windows(2).take(24).any(|pair| pair == b"]:"),
        _ => false,
    };
    if length > 0 && length <= LONE_TAG_MAX && tagged {
        tag(message, parsed);
    }
}

const fn is_tag_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'/' | b'%')
}

fn rest(message: &[u8], at: usize) -> &[u8] {
    message.get(at..).unwrap_or_default()
}

fn skip(message: &[u8], at: &mut usize, byte: u8) -> bool {
    let there = message.get(*at) == Some(&byte);
    *at += usize::from(there);
    there
}
