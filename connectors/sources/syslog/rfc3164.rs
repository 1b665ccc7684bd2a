//! Takes a message of RFC 3164 apart, or of the many kinds that are taken for it:
//! `<PRI>TIMESTAMP HOSTNAME TAG[PID]: TEXT`, of which everything behind the priority can be missing.
//!
//! | variant                                             | from                              |
//! |-----------------------------------------------------|-----------------------------------|
//! | `Nov 20 18:17:27 vm app: text`                      | the RFC                           |
//! | `Nov 20 18:17:27 app: text`                         | programs that write to `/dev/log` |
//! | `2026-11-20T18:17:28.048298+00:00 vm app: text`     | rsyslog                           |
//! | `app: text`                                         | Python's handler                  |
//! | `42: 000007: fw: *Mar  1 18:46:11 CET: %SYS-5-A: text` | Cisco IOS                      |
//! | `: 2026 Nov 20 18:17:27 UTC: %ETH-5-A: text`        | Cisco NX-OS                       |
//! | `Nov 20 2026 18:17:27 fw : %ASA-6-302013: text`     | Cisco ASA                         |
//! | `Nov 20 18:17:27 Message forwarded from vm: app: text` | AIX                            |
//! | `1 1563249630.774247467 MX84 flows text`            | Meraki                            |
//!
//! The forms of the timestamp are listed in [`super::timestamp`]. Only what has a place among the fields is taken from the
//! text: a word that does not look like the name of a host or program stays there.

use super::calendar::Received;
use super::name::{host, mnemonic, tag, word};
use super::parsed::Parsed;
use super::timestamp;

/// Longest text before a colon that is taken for the name of a program where no timestamp stands before it, bytes.
const LONE_TAG_MAX: usize = 48;
/// Most digits of a number that counts messages.
const SEQUENCE_MAX: usize = 10;

/// Fills in what stands behind the priority, at which `parsed.message_at` points. Whether there is a timestamp.
pub(super) fn parse<'a>(message: &'a [u8], received: Received, parsed: &mut Parsed<'a>) -> bool {
    let begin = parsed.message_at;
    let Some(mut at) = before_time(message, received, parsed) else {
        lone(message, begin, parsed);
        return false;
    };
    let colon = colon(message, at);
    at += colon.unwrap_or(0);
    if colon.is_none() {
        skip(message, &mut at, b" \t");
    }
    parsed.message_at = at;
    if colon.is_none() && parsed.hostname.is_none() {
        hostname(message, parsed);
    }
    take_tag(message, parsed);
    true
}

/// Reads up to the end of the timestamp, which is returned, with what Cisco writes before it.
fn before_time<'a>(
    message: &'a [u8],
    received: Received,
    parsed: &mut Parsed<'a>,
) -> Option<usize> {
    let mut at = parsed.message_at;
    skip_all(message, &mut at);
    if rest(message, at).starts_with(b"1 ")
        && let Some((timestamp_ms, length)) = timestamp::epoch(rest(message, at + 2))
    {
        parsed.timestamp_ms = Some(timestamp_ms);
        return Some(at + 2 + length);
    }
    if skip(message, &mut at, b":") {
        skip_all(message, &mut at);
    }
    let numbers = sequence_numbers(rest(message, at));
    let sequence = rest(message, at).get(..numbers).map(trim_number).filter(|it| !it.is_empty());
    at += numbers;
    let mut origin = None;
    let mut time = marked_time(rest(message, at), received);
    if time.is_none()
        && let Some((host, behind)) = origin_of(message, at)
    {
        time = marked_time(rest(message, behind), received);
        (origin, at) = if time.is_some() { (Some(host), behind) } else { (None, at) };
    }
    let (timestamp_ms, length) = match time {
        Some(time) => time,
        None if sequence.is_some() && mnemonic(rest(message, at)) => (None, 0),
        None => return None,
    };
    parsed.sequence = sequence;
    parsed.hostname = origin;
    parsed.timestamp_ms = timestamp_ms;
    Some(at + length)
}

/// `42: ` or `87: 000084: `, its length.
fn sequence_numbers(text: &[u8]) -> usize {
    let mut at = 0;
    for _number in 0..2 {
        let behind = rest(text, at);
        let digits =
            behind.iter().take(SEQUENCE_MAX).take_while(|byte| byte.is_ascii_digit()).count();
        if digits == 0 || !rest(behind, digits).starts_with(b": ") {
            break;
        }
        at += digits + 1;
        skip_all(text, &mut at);
    }
    at
}

fn trim_number(text: &[u8]) -> &[u8] {
    let text = text.trim_ascii_end();
    text.strip_suffix(b":").unwrap_or(text)
}

/// `fw: ` where a Cisco device was told to say its name: the name, and where the timestamp begins.
fn origin_of(message: &[u8], at: usize) -> Option<(&[u8], usize)> {
    let mut behind = at;
    let name = word(message, &mut behind)?.strip_suffix(b":")?;
    host(name).then_some((name, behind))
}

/// The time and its length. A `*` before it says that the clock was never set, and then it is not used; a `.` that the
/// clock is not in step now.
fn marked_time(text: &[u8], received: Received) -> Option<(Option<i64>, usize)> {
    let mark = usize::from(matches!(text.first(), Some(b'*' | b'.')));
    let (timestamp_ms, length) = timestamp::read(rest(text, mark), received)?;
    let is_set = text.first() != Some(&b'*');
    Some((is_set.then_some(timestamp_ms), mark + length))
}

/// Length of `: ` or ` : ` behind the time or the host.
fn colon(message: &[u8], at: usize) -> Option<usize> {
    let text = rest(message, at);
    let blank = usize::from(text.starts_with(b" "));
    match rest(text, blank) {
        [b':'] => Some(blank + 1),
        [b':', b' ', ..] => Some(blank + 2),
        _ => None,
    }
}

/// Takes the next word for the name of the machine, unless it is a tag.
fn hostname<'a>(message: &'a [u8], parsed: &mut Parsed<'a>) {
    let mut at = parsed.message_at;
    skip_all(message, &mut at);
    let text = rest(message, at);
    if text.starts_with(b"last message repeated ") {
        return;
    }
    for relayed in [&b"Message forwarded from "[..], b"Forwarded from "] {
        if text.starts_with(relayed)
            && let Some((name, behind)) = origin_of(message, at + relayed.len())
        {
            (parsed.hostname, parsed.message_at) = (Some(name), behind);
            return;
        }
    }
    let Some(name) = word(message, &mut at) else {
        return;
    };
    let named = name.strip_suffix(b":").filter(|_| mnemonic(rest(message, at)));
    let name = named.unwrap_or(name);
    if !host(name) {
        return;
    }
    parsed.hostname = Some(name);
    parsed.message_at = at + colon_alone(message, at);
}

/// Length of the `: ` that Cisco ASA writes behind the name and a space.
fn colon_alone(message: &[u8], at: usize) -> usize {
    if rest(message, at).starts_with(b": ") { 2 } else { 0 }
}

/// Takes `app: ` or `app[12]: ` off the text.
fn take_tag<'a>(message: &'a [u8], parsed: &mut Parsed<'a>) {
    let mut at = parsed.message_at;
    skip_all(message, &mut at);
    let Some((name, procid, length)) = tag(rest(message, at)) else {
        return;
    };
    (parsed.appname, parsed.procid) = (Some(name), procid);
    at += length;
    skip(message, &mut at, b" ");
    parsed.message_at = at;
}

/// Without a timestamp only `app: `, `app[12]: ` and Cisco's `fw %ASA-6-302013: ` are more than text.
fn lone<'a>(message: &'a [u8], begin: usize, parsed: &mut Parsed<'a>) {
    let mut at = begin;
    skip_all(message, &mut at);
    let text = rest(message, at);
    let mut behind = at;
    if let Some(name) = word(message, &mut behind)
        && host(name)
        && mnemonic(rest(message, behind))
    {
        (parsed.hostname, parsed.message_at) = (Some(name), behind);
        take_tag(message, parsed);
        return;
    }
    let is_lone = |byte: &u8| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'/' | b'%' | b':')
    };
    if let Some((name, _, length)) = tag(text)
        && name.len() <= LONE_TAG_MAX
        && name.iter().all(is_lone)
        && !is_uptime(name)
        && text.get(..length).is_some_and(|tag| tag.ends_with(b":"))
    {
        take_tag(message, parsed);
    }
}

/// `3d04h`, which Cisco writes in the place of the time when it has none.
fn is_uptime(name: &[u8]) -> bool {
    name.first().is_some_and(u8::is_ascii_digit)
        && name.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'y' | b'w' | b'd' | b'h' | b'm'))
}

fn rest(message: &[u8], at: usize) -> &[u8] {
    message.get(at..).unwrap_or_default()
}

/// Moves over one of these bytes.
fn skip(message: &[u8], at: &mut usize, bytes: &[u8]) -> bool {
    let there = message.get(*at).is_some_and(|byte| bytes.contains(byte));
    *at += usize::from(there);
    there
}

/// Moves over spaces.
fn skip_all(message: &[u8], at: &mut usize) {
    while skip(message, at, b" ") {}
}
