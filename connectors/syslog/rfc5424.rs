//! Takes a message of RFC 5424 apart: `<PRI>1 TIMESTAMP HOSTNAME APP-NAME PROCID MSGID STRUCTURED-DATA [MSG]`.
//!
//! Lenient where nothing is lost by it: fields may be of any length and of any bytes.

use memchr::memchr3;

use super::parse::{Parsed, word};
use super::timestamp::rfc3339;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Fills in what stands behind the priority, at which `parsed.message_at` points.
pub(super) fn parse<'a>(message: &'a [u8], parsed: &mut Parsed<'a>) {
    parsed.is_5424 = true;
    parsed.message_at += 2;
    parsed.problem = fields(message, parsed).err();
}

fn fields<'a>(message: &'a [u8], parsed: &mut Parsed<'a>) -> Result<(), &'static str> {
    let at = &mut parsed.message_at;
    let timestamp = word(message, at).ok_or("the message ends before its timestamp")?;
    let mut problem = Ok(());
    if timestamp != b"-" {
        parsed.timestamp_ms = rfc3339(timestamp)
            .filter(|(_, length)| *length == timestamp.len())
            .map(|(timestamp_ms, _)| timestamp_ms);
        if parsed.timestamp_ms.is_none() {
            problem = Err("the timestamp is not one of RFC 3339");
        }
    }
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
    problem
}

fn field<'a>(
    message: &'a [u8],
    at: &mut usize,
    problem: &'static str,
) -> Result<Option<&'a [u8]>, &'static str> {
    let field = word(message, at).ok_or(problem)?;
    Ok(Some(field).filter(|field| *field != b"-" && !field.is_empty()))
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
