//! Writes records one behind the other. What a record has in common with the one before, mostly its headers and its time,
//! is not made again.

use std::ops::Range;

use anabranch_record::StoredRecord;

use super::facts::Facts;
use super::{Civil, Codec, claim, json, merge, pretty};

/// Writes records with one codec.
#[derive(Debug, Default)]
pub(crate) struct Encoder {
    codec: Codec,
    /// The headers of the record before, and where they say that the message begins.
    headers: Vec<u8>,
    message_at: Option<usize>,
    /// The members that those headers make, once they have come twice.
    members: Vec<u8>,
    has_members: bool,
    timestamp_ms: i64,
    /// That time as a member; empty before the first.
    timestamp: Vec<u8>,
}

impl Encoder {
    pub(crate) fn new(codec: Codec) -> Self {
        Self { codec, ..Self::default() }
    }

    /// Appends one record, without a line end.
    #[inline]
    pub(crate) fn push(&mut self, stored: &StoredRecord<'_>, out: &mut Vec<u8>) {
        match self.codec {
            Codec::Raw => out.extend_from_slice(stored.record.value.unwrap_or_default()),
            Codec::Json => self.push_document(stored, None, out),
            Codec::JsonPretty => {
                let mut document = Vec::new();
                self.push_document(stored, None, &mut document);
                pretty::push(&document, out);
            }
        }
    }

    /// Appends one document in one line. Its `id` is known: these bytes of `out`; else it is made.
    pub(crate) fn push_document(
        &mut self,
        stored: &StoredRecord<'_>,
        id: Option<Range<usize>>,
        out: &mut Vec<u8>,
    ) {
        let value = stored.record.value.unwrap_or_default();
        out.reserve(value.len() + value.len() / 8 + 512);
        let facts = self.meet(stored);
        let message_at = self.message_at.filter(|at| *at <= value.len());
        let merged = if message_at.is_none() { merge::push_members(value, out) } else { None };
        let claimed = merged.unwrap_or_else(|| {
            out.push(b'{');
            0
        });
        if claimed & claim::TIMESTAMP == 0 {
            self.push_timestamp(stored.record.timestamp_ms, out);
        }
        if merged.is_none() && stored.record.value.is_some() {
            let message = value.get(message_at.unwrap_or(0)..).unwrap_or_default();
            json::push_member("message", message, out);
        }
        self.push_members(stored, facts, claimed, out);
        let original = message_at.is_some().then_some(value);
        push_place(stored, (original, id), claimed, out);
        json::close(out);
    }

    /// Takes the record's headers up, and what they say unless they are those of the record before.
    #[inline]
    fn meet<'a>(&mut self, stored: &StoredRecord<'a>) -> Option<Facts<'a>> {
        let headers = stored.record.headers;
        if headers.common.is_empty() && headers.own == self.headers {
            return None;
        }
        let facts = Facts::read(headers);
        self.headers.clear();
        self.headers.extend_from_slice(headers.common);
        self.headers.extend_from_slice(headers.own);
        self.message_at = facts.message_at;
        self.has_members = false;
        Some(facts)
    }

    /// Appends the members that the headers make; `facts` is nothing where they have come before.
    fn push_members(
        &mut self,
        stored: &StoredRecord<'_>,
        facts: Option<Facts<'_>>,
        claimed: u32,
        out: &mut Vec<u8>,
    ) {
        let (headers, is_again) = (stored.record.headers, facts.is_none());
        let is_whole = claimed & claim::OF_HEADERS == 0;
        if is_again && is_whole && self.has_members {
            out.extend_from_slice(&self.members);
            return;
        }
        let start = out.len();
        facts.unwrap_or_else(|| Facts::read(headers)).push(headers, claimed, out);
        if is_again && is_whole {
            self.members.clear();
            self.members.extend_from_slice(out.get(start..).unwrap_or_default());
            self.has_members = true;
        }
    }

    #[inline]
    fn push_timestamp(&mut self, timestamp_ms: i64, out: &mut Vec<u8>) {
        if self.timestamp_ms != timestamp_ms || self.timestamp.is_empty() {
            self.timestamp_ms = timestamp_ms;
            self.timestamp.clear();
            self.timestamp.extend_from_slice(b"\"@timestamp\":\"");
            Civil::at(timestamp_ms).push_rfc3339(&mut self.timestamp);
            self.timestamp.extend_from_slice(b"\",");
        }
        out.extend_from_slice(&self.timestamp);
    }
}

/// Appends the bytes of [`StoredRecord::id`], without a string between.
pub(crate) fn push_id(stored: &StoredRecord<'_>, out: &mut Vec<u8>) {
    json::push_escaped(stored.batch.topic.id.as_bytes(), out);
    stored.push_id_in_topic(out);
}

/// What comes from the hub and not from the headers: id, topic, key; and the whole value where the message is a part.
fn push_place(
    stored: &StoredRecord<'_>,
    (original, id): (Option<&[u8]>, Option<Range<usize>>),
    claimed: u32,
    out: &mut Vec<u8>,
) {
    json::push_object("event", out, |out| {
        if claimed & claim::EVENT_ID == 0 {
            out.extend_from_slice(b"\"id\":\"");
            match id {
                Some(id) => out.extend_from_within(id),
                None => push_id(stored, out),
            }
            out.extend_from_slice(b"\",");
        }
        if claimed & claim::EVENT_DATASET == 0 {
            json::push_member("dataset", stored.topic().as_bytes(), out);
        }
        if let Some(original) = original {
            json::push_member("original", original, out);
        }
    });
    if let Some(key) = stored.record.key
        && claimed & claim::KAFKA == 0
    {
        json::push_object("kafka", out, |out| json::push_member("key", key, out));
    }
}
