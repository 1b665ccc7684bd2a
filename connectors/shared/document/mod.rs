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

mod claim;
mod encoder;
mod facts;
mod fit;
mod json;
mod merge;
mod pretty;
mod time;

pub(crate) use encoder::{Encoder, push_id};
pub(crate) use json::push_string;
pub(crate) use time::{Civil, push_digits};

use serde::Deserialize;

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

#[cfg(test)]
mod tests;
