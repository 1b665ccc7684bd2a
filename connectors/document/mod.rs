//! Records as documents: value and headers → JSON under the names of the Elastic Common Schema.
//!
//! | from                                   | to                                                       |
//! |----------------------------------------|----------------------------------------------------------|
//! | timestamp                              | `@timestamp`, RFC 3339 in UTC with milliseconds          |
//! | value                                  | `message`; bytes that are not UTF-8 become U+FFFD        |
//! | value that is a JSON object            | its members, at the top level; no `message` of ours      |
//! | header `host`                          | `host.name`                                              |
//! | header `path`                          | `log.file.path`                                          |
//! | header `peer`                          | `source.address`, and `source.ip`, `source.port`         |
//! | header `syslog.facility`, `.severity`  | `log.syslog.facility.name`, `log.syslog.severity.name`   |
//! |                                        | (`.code` when it is a number)                            |
//! | header `syslog.hostname`, `.appname`, `.procid`, `.msgid`, `.structured_data`, `.version`, `.sequence` | the same under `log.syslog` |
//! | header `syslog.message_at`             | `message` is the value from that byte on, `event.original` the whole |
//! | header `continued`                     | `log.flags: ["continued"]`                               |
//! | header `parse_error`                   | `error.message`                                          |
//! | any other header                       | `labels.NAME`, a string; dots in NAME become underscores |
//! | key                                    | `kafka.key`                                              |
//! | topic                                  | `event.dataset`                                          |
//! | topic id, and the file, the byte offset in it and a sum of the line; else partition, epoch, offset | `event.id` |
//!
//! What the value's own object says wins: where it has a member of one of our top-level names (`host`, `log`, …) or
//! one of our names with dots (`host.name`), ours is left out. It must be of our kind, an object or a text or a date;
//! what is not (`"host": "web-1"`, `"message": 7`) becomes text under `anabranch` (`anabranch.host`, dots in its name
//! become underscores), and ours is written. `"@timestamp"` in milliseconds becomes a date. An object with a name twice
//! is not merged. Of several headers with one name the last counts, so that a document never has a name twice. A
//! document is one line.

mod facts;
mod fit;
mod json;
mod merge;
mod pretty;
mod time;

pub(crate) use json::{push_decimal, push_string};
pub(crate) use time::{Civil, push_digits};

use serde::Deserialize;

use crate::StoredRecord;
use facts::Facts;

/// How a sink writes one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Codec {
    /// The value's bytes as they came.
    Raw,
    /// One JSON document in one line.
    #[default]
    Json,
    /// One JSON document, indented, for people.
    JsonPretty,
}

impl Codec {
    /// Appends one record, without a line end.
    pub fn push(self, stored: &StoredRecord<'_>, out: &mut Vec<u8>) {
        match self {
            Self::Raw => out.extend_from_slice(stored.record.value.unwrap_or_default()),
            Self::Json => push_document(stored, out),
            Self::JsonPretty => {
                let mut document = Vec::new();
                push_document(stored, &mut document);
                pretty::push(&document, out);
            }
        }
    }
}

/// Appends the bytes of [`StoredRecord::id`], without a string between.
pub(crate) fn push_id(stored: &StoredRecord<'_>, out: &mut Vec<u8>) {
    json::push_escaped(stored.batch.topic.id.as_bytes(), out);
    stored.push_id_in_topic(out);
}

fn push_document(stored: &StoredRecord<'_>, out: &mut Vec<u8>) {
    let record = &stored.record;
    let facts = Facts::read(record.headers);
    let value = record.value.unwrap_or_default();
    out.reserve(value.len() + value.len() / 8 + 512);
    let message_at = facts.message_at.filter(|at| *at <= value.len());
    let merged = if message_at.is_none() { merge::push_members(value, out) } else { None };
    let claimed = merged.unwrap_or_else(|| {
        out.push(b'{');
        0
    });
    if claimed & merge::TIMESTAMP == 0 {
        out.extend_from_slice(b"\"@timestamp\":\"");
        Civil::at(record.timestamp_ms).push_rfc3339(out);
        out.extend_from_slice(b"\",");
    }
    if merged.is_none() && record.value.is_some() {
        let message = value.get(message_at.unwrap_or(0)..).unwrap_or_default();
        json::push_member("message", message, out);
    }
    facts.push(record.headers, claimed, out);
    let original = message_at.is_some().then_some(value);
    push_place(stored, original, claimed, out);
    json::close(out);
}

/// What comes from the hub and not from the headers: id, topic, key.
fn push_place(stored: &StoredRecord<'_>, original: Option<&[u8]>, claimed: u32, out: &mut Vec<u8>) {
    json::push_object("event", out, |out| {
        if claimed & merge::EVENT_ID == 0 {
            out.extend_from_slice(b"\"id\":\"");
            push_id(stored, out);
            out.extend_from_slice(b"\",");
        }
        if claimed & merge::EVENT_DATASET == 0 {
            json::push_member("dataset", stored.topic().as_bytes(), out);
        }
        if let Some(original) = original {
            json::push_member("original", original, out);
        }
    });
    if let Some(key) = stored.record.key
        && claimed & merge::KAFKA == 0
    {
        json::push_object("kafka", out, |out| json::push_member("key", key, out));
    }
}

#[cfg(test)]
mod tests;
