//! A value that is a JSON object already: its members become the document's.
//!
//! The whole value is checked (one pass, no allocation): only what is one valid object is taken over; anything else is
//! text. While it is checked, the names at its top level are matched with ours.

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};

pub(super) const TIMESTAMP: u32 = 1;
pub(super) const HOST: u32 = 1 << 1;
pub(super) const LOG_FILE: u32 = 1 << 2;
pub(super) const LOG_FLAGS: u32 = 1 << 3;
pub(super) const LOG_SYSLOG: u32 = 1 << 4;
pub(super) const SOURCE: u32 = 1 << 5;
pub(super) const ERROR: u32 = 1 << 6;
pub(super) const LABELS: u32 = 1 << 7;
pub(super) const EVENT_ID: u32 = 1 << 8;
pub(super) const EVENT_DATASET: u32 = 1 << 9;
pub(super) const KAFKA: u32 = 1 << 10;

/// Which of our members a name of the value takes the place of.
fn claim(name: &str) -> u32 {
    match name {
        "@timestamp" => TIMESTAMP,
        "host" | "host.name" => HOST,
        "log" => LOG_FILE | LOG_FLAGS | LOG_SYSLOG,
        "log.file" | "log.file.path" => LOG_FILE,
        "log.flags" => LOG_FLAGS,
        "source" | "source.address" | "source.ip" | "source.port" => SOURCE,
        "error" | "error.message" => ERROR,
        "labels" => LABELS,
        "event" => EVENT_ID | EVENT_DATASET,
        "event.id" => EVENT_ID,
        "event.dataset" => EVENT_DATASET,
        "kafka" | "kafka.key" => KAFKA,
        _ if name.starts_with("log.syslog") => LOG_SYSLOG,
        _ => 0,
    }
}

/// When `value` is a JSON object: appends `{` and its members, each with a comma behind it, and returns what they
/// claim. Else appends nothing.
pub(super) fn push_members(value: &[u8], out: &mut Vec<u8>) -> Option<u32> {
    let trimmed = value.trim_ascii();
    if trimmed.first() != Some(&b'{') || trimmed.last() != Some(&b'}') {
        return None;
    }
    let text = String::from_utf8_lossy(trimmed);
    let Claims(claimed) = serde_json::from_str(&text).ok()?;
    let members = inside(&text)?;
    out.push(b'{');
    push_one_line(members, out);
    if !members.is_empty() {
        out.push(b',');
    }
    Some(claimed)
}

fn inside(text: &str) -> Option<&[u8]> {
    Some(text.as_bytes().strip_prefix(b"{")?.strip_suffix(b"}")?.trim_ascii())
}

/// Line ends stand only between the tokens of valid JSON, so a space does as well.
fn push_one_line(mut members: &[u8], out: &mut Vec<u8>) {
    while let Some(at) = memchr::memchr2(b'\n', b'\r', members) {
        let Some((line, rest)) = members.split_at_checked(at) else {
            break;
        };
        out.extend_from_slice(line);
        out.push(b' ');
        members = rest.get(1..).unwrap_or_default();
    }
    out.extend_from_slice(members);
}

/// What the top-level names of an object claim.
struct Claims(u32);

impl<'de> Deserialize<'de> for Claims {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Claims;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Claims, A::Error> {
                let mut claimed = 0;
                while let Some((Claim(bits), IgnoredAny)) = map.next_entry()? {
                    claimed |= bits;
                }
                Ok(Claims(claimed))
            }
        }

        input.deserialize_map(Object)
    }
}

/// What one name claims.
struct Claim(u32);

impl<'de> Deserialize<'de> for Claim {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct Name;

        impl Visitor<'_> for Name {
            type Value = Claim;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a name")
            }

            fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Claim, E> {
                Ok(Claim(claim(name)))
            }
        }

        input.deserialize_str(Name)
    }
}
