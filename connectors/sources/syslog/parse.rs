//! Takes a syslog message apart. Total: every sequence of bytes gives something, and nothing is thrown away.

use super::calendar::Received;
use super::parsed::Parsed;
use super::{rfc3164, rfc5424};

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
