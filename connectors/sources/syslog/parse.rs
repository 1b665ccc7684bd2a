//! Takes a syslog message apart. Total: every sequence of bytes gives something, and nothing is thrown away.

pub use super::calendar::Received;
use super::{rfc3164, rfc5424};

/// What a message says about itself, borrowed from it. What it does not say is `None`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Parsed<'a> {
    /// Facility × 8 + severity, 0 – 191.
    pub priority: Option<u8>,
    /// Whether it is of RFC 5424.
    pub is_5424: bool,
    /// Milliseconds since the Unix epoch.
    pub timestamp_ms: Option<i64>,
    /// The machine that it is from.
    pub hostname: Option<&'a [u8]>,
    /// The program.
    pub appname: Option<&'a [u8]>,
    /// The process.
    pub procid: Option<&'a [u8]>,
    /// The kind of message.
    pub msgid: Option<&'a [u8]>,
    /// All structured data, as it stands there.
    pub structured_data: Option<&'a [u8]>,
    /// The numbers by which a Cisco device counts its messages, as they stand there.
    pub sequence: Option<&'a [u8]>,
    /// Where the timestamp of a message of RFC 5424 begins and ends, if it is one.
    pub time_at: Option<(usize, usize)>,
    /// Index of the byte at which the text begins.
    pub message_at: usize,
    /// What keeps it from being a message of either kind.
    pub problem: Option<&'static str>,
}

/// Takes `message` apart.
#[must_use]
pub fn parse(message: &[u8], received: Received) -> Parsed<'_> {
    let mut parsed = Parsed::default();
    match priority(message) {
        Ok((priority, length)) => {
            parsed.priority = Some(priority);
            parsed.message_at = length;
        }
        Err(problem) => {
            let unread = Parsed { problem: Some(problem), ..Parsed::default() };
            parsed.problem = Some(problem);
            let has_time = rfc3164::parse(message, received, &mut parsed);
            return if has_time { parsed } else { unread };
        }
    }
    let header = message.get(parsed.message_at..).unwrap_or_default();
    let blanks = header.iter().take_while(|byte| **byte == b' ').count();
    if header.get(blanks..).is_some_and(|header| header.starts_with(b"1 ")) {
        let mut of_5424 = Parsed { message_at: parsed.message_at + blanks, ..parsed };
        if rfc5424::parse(message, received, &mut of_5424) {
            return of_5424;
        }
    }
    rfc3164::parse(message, received, &mut parsed);
    parsed
}

/// `<191>`: the number, and the length with its brackets.
fn priority(message: &[u8]) -> Result<(u8, usize), &'static str> {
    let (first, rest) = message.split_first().ok_or("the message is empty")?;
    if *first != b'<' {
        return Err("the message does not begin with a priority");
    }
    let mut number = 0u16;
    for (at, &byte) in rest.iter().take(4).enumerate() {
        match byte {
            b'0'..=b'9' if at < 3 => number = number * 10 + u16::from(byte - b'0'),
            b'>' if at > 0 => {
                let number = u8::try_from(number).ok().filter(|number| *number < 192);
                let number = number.ok_or("the priority is greater than 191")?;
                return Ok((number, at + 2));
            }
            _ => break,
        }
    }
    Err("the priority is not a number in angle brackets")
}
