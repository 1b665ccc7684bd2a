//! What a message of RFC 5424 has in common with the one before: of one program that says one thing after the other, all but
//! its time and its text. Its headers are the same then, and are not made again.

use memchr::memchr;

use super::calendar::Received;
use super::parsed::Parsed;
use super::rfc5424::BYTE_ORDER_MARK;
use super::timestamp;

/// The message before, if it was one that another can be like.
#[derive(Debug, Default)]
pub(super) struct Alike {
    /// What stands before its time; empty when there is none.
    front: Vec<u8>,
    time_length: usize,
    /// From behind its time to its text.
    head: Vec<u8>,
    /// What it says about itself, encoded.
    headers: Vec<u8>,
    count: u32,
}

impl Alike {
    /// Takes `message` up, whose encoded headers are `headers`.
    pub(super) fn remember(
        &mut self,
        message: &[u8],
        parsed: &Parsed<'_>,
        (headers, count): (&[u8], u32),
    ) {
        self.front.clear();
        // Without a host of its own it is from its sender, who may be another next time.
        let is_plain = parsed.problem.is_none() && parsed.hostname.is_some();
        let Some((start, end)) = parsed.time_at.filter(|_| is_plain) else { return };
        let (front, head) = (message.get(..start), message.get(end..parsed.message_at));
        // Only a space, or what is behind it, ends the head whatever follows.
        let (Some(front), Some(head @ [.., b' ' | 0xbf])) = (front, head) else { return };
        self.front.extend_from_slice(front);
        self.time_length = end - start;
        for (known, new) in [(&mut self.head, head), (&mut self.headers, headers)] {
            known.clear();
            known.extend_from_slice(new);
        }
        self.count = count;
    }

    /// When `message` has all in common with the one before that its headers are made of: its time, and those headers.
    pub(super) fn meet(&self, message: &[u8], received: Received) -> Option<(i64, (&[u8], u32))> {
        let behind = message.strip_prefix(self.front.as_slice()).filter(|_| !self.front.is_empty());
        let (time, behind) = behind?.split_at_checked(self.time_length)?;
        let text = behind.strip_prefix(self.head.as_slice())?;
        if text.starts_with(BYTE_ORDER_MARK) || memchr(b' ', time).is_some() {
            return None;
        }
        let (timestamp_ms, length) = timestamp::iso(time, received)?;
        (length == time.len()).then_some((timestamp_ms, (&self.headers, self.count)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::headers::Encoder;
    use super::super::parse::parse;
    use super::*;
    use anabranch_record::{Batch, Buffer, Headers};

    /// The headers and times that messages get, one after the other.
    fn records(messages: &[&String], is_anew: bool) -> Vec<(String, i64)> {
        let (received, mut encoder) = (Received::at(0), Encoder::default());
        messages
            .iter()
            .map(|message| {
                if is_anew {
                    encoder = Encoder::default();
                }
                let mut batch =
                    Batch::new(Buffer::from(message.as_bytes().to_vec()), Headers::new(), 0, 0);
                encoder.clear();
                let sender = message.get(message.len() - 1..).unwrap_or_default();
                encoder.read(message.as_bytes(), received, sender.as_bytes());
                batch.push(0..message.len());
                encoder.apply(&mut batch);
                let record = batch.iter().next().unwrap();
                let headers: Vec<_> = record.headers.iter().collect();
                (format!("{headers:?}"), record.timestamp_ms)
            })
            .collect()
    }

    #[test]
    fn a_message_like_the_one_before_is_known() {
        let received = Received::at(0);
        let first = b"<13>1 2026-11-20T18:17:27.000Z host app 7 - [a b=\"c\"] one";
        let parsed = parse(first, received);
        let mut alike = Alike::default();
        assert_eq!(alike.meet(first, received), None);
        alike.remember(first, &parsed, (b"headers", 5));
        let second = b"<13>1 2026-11-20T18:17:28.000Z host app 7 - [a b=\"c\"] another";
        let (timestamp_ms, headers) = alike.meet(second, received).unwrap();
        assert_eq!(Some(timestamp_ms), parsed.timestamp_ms.map(|before| before + 1000));
        assert_eq!(headers, (&b"headers"[..], 5));
    }

    #[test]
    fn what_is_known_of_the_message_before_changes_nothing() {
        let times = ["2026-11-20T18:17:27Z", "2026-11-20T18:17:28Z", "2026-11-20 18:17:27Z", "-"];
        let heads = ["h a 7 - -", "h a 7 - [x]", "h a 7 - [x", "i a 7 - -", "- a 7 - -"];
        let texts = ["", " ", " t", "t", " \u{feff}", " \u{feff}t"];
        let mut messages = Vec::new();
        for time in times {
            for head in heads {
                messages.extend(texts.map(|text| format!("<13>1 {time} {head}{text}")));
            }
        }
        let alone: Vec<_> = messages.iter().map(|one| records(&[one], true)).collect();
        for (first, before) in messages.iter().zip(&alone) {
            for (second, behind) in messages.iter().zip(&alone) {
                let both = records(&[first, second], false);
                assert_eq!(both, [&before[..], behind].concat(), "{first:?}, {second:?}");
            }
        }
    }
}
