//! Takes a message of RFC 5424 apart: `<PRI>1 TIMESTAMP HOSTNAME APP-NAME PROCID MSGID STRUCTURED-DATA [MSG]`.
//!
//! Lenient where nothing is lost by it: fields may be of any length and of any bytes.

use memchr::{memchr, memchr3};

use super::calendar::Received;
use super::parsed::Parsed;
use super::timestamp;

pub(super) const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Fills in what stands behind the priority, at which `parsed.message_at` points. False when neither the timestamp nor
/// what follows is of the RFC: a text that begins with a number.
pub(super) fn parse<'a>(message: &'a [u8], received: Received, parsed: &mut Parsed<'a>) -> bool {
    parsed.is_5424 = true;
    parsed.message_at += 2;
    let is_timed = timestamp(message, received, parsed);
    let fields = is_timed.and_then(|_| fields(message, parsed));
    parsed.problem = match (is_timed, fields) {
        (Ok(false), Ok(())) => Some("the timestamp is not one of RFC 3339"),
        (_, fields) => fields.err(),
    };
    is_timed == Ok(true) || fields.is_ok()
}

/// Whether the timestamp is one, or `-`.
fn timestamp(
    message: &[u8],
    received: Received,
    parsed: &mut Parsed<'_>,
) -> Result<bool, &'static str> {
    let ends = "the message ends before its timestamp";
    let start = parsed.message_at;
    let text = word(message, &mut parsed.message_at).ok_or(ends)?;
    let time = timestamp::iso(text, received).filter(|(_, length)| *length == text.len());
    parsed.timestamp_ms = time.map(|(timestamp_ms, _)| timestamp_ms);
    parsed.time_at = time.map(|(_, length)| (start, start + length));
    Ok(text == b"-" || time.is_some())
}

fn fields<'a>(message: &'a [u8], parsed: &mut Parsed<'a>) -> Result<(), &'static str> {
    let at = &mut parsed.message_at;
    parsed.hostname = field(message, at, "the message ends before its host name")?;
    parsed.appname = field(message, at, "the message ends before its application name")?;
    parsed.procid = field(message, at, "the message ends before its process id")?;
    parsed.msgid = field(message, at, "the message ends before its message id")?;
    let rest = message.get(*at..).unwrap_or_default();
    let length = structured_data(rest).ok_or("the structured data is malformed")?;
    parsed.structured_data = rest.get(..length).filter(|data| *data != b"-");
    let text = rest.get(length..).unwrap_or_default();
    let text = text.strip_prefix(b" ").unwrap_or(text);
    let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
    *at = message.len() - text.len();
    Ok(())
}

fn field<'a>(
    message: &'a [u8],
    at: &mut usize,
    problem: &'static str,
) -> Result<Option<&'a [u8]>, &'static str> {
    let field = word(message, at).ok_or(problem)?;
    Ok(Some(field).filter(|field| *field != b"-" && !field.is_empty()))
}

/// Takes what stands before the next space, and moves `at` behind the space.
fn word<'a>(message: &'a [u8], at: &mut usize) -> Option<&'a [u8]> {
    let rest = message.get(*at..)?;
    let length = memchr(b' ', rest)?;
    *at += length + 1;
    rest.get(..length)
}

/// Length of `-` or of `[id name="value" …]…` at the front of `text`; a space or the end must follow.
fn structured_data(text: &[u8]) -> Option<usize> {
    let mut at = usize::from(text.first() == Some(&b'-'));
    if at == 0 {
        while text.get(at) == Some(&b'[') {
            at += element(text.get(at..)?)?;
        }
    }
    (at > 0 && matches!(text.get(at), None | Some(b' '))).then_some(at)
}

/// Length of one `[…]`; a bracket within quotes does not end it, nor does an escaped quote end the quotes.
fn element(text: &[u8]) -> Option<usize> {
    let (mut at, mut quoted) = (1, false);
    loop {
        at += memchr3(b'"', b']', b'\\', text.get(at..)?)? + 1;
        match text.get(at - 1)? {
            b'"' => quoted = !quoted,
            b']' if !quoted => return Some(at),
            b'\\' if quoted => at += 1,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn structured_data_ends_where_its_last_element_does() {
        for (text, length) in [
            ("- text", Some(1)),
            ("-", Some(1)),
            ("[a]", Some(3)),
            (r#"[a b="c"][d e="f"] text"#, Some(18)),
            (r#"[a b="]\"]\\"] text ]"#, Some(14)),
            ("text", None),
            ("", None),
            ("[a", None),
            (r#"[a b="c]"#, None),
            (r#"[a b="\"#, None),
            ("[a]text", None),
            ("-text", None),
        ] {
            assert_eq!(structured_data(text.as_bytes()), length, "{text}");
        }
    }
}
