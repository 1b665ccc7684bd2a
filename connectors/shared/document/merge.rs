//! A value that is a JSON object already: its members become the document's.
//!
//! The whole value is checked (one pass, no allocation): only what is one valid object, with no name twice, is taken
//! over; anything else is text. While it is checked, its members are matched with ours. Those that do not fit, see
//! [`fit`], are written as text under [`MISFITS`], where they can collide with nothing.

use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::claim::{TIMESTAMP, claim};
use super::fit::{self, MISFITS, Place, Top};
use super::json;
use super::time::Civil;

/// Names of so many members are compared in place.
const NAMES_COMPARED: usize = 64;
/// Milliseconds since the epoch that are taken for a time: 1973 to 5138.
const TIMES_MS: std::ops::Range<i64> = 100_000_000_000..100_000_000_000_000;

/// When `value` is a JSON object: appends `{` and its members, each with a comma behind it, and returns what they
/// claim. Else appends nothing.
pub(super) fn push_members(value: &[u8], out: &mut Vec<u8>) -> Option<u32> {
    let trimmed = value.trim_ascii();
    if trimmed.first() != Some(&b'{') || trimmed.last() != Some(&b'}') {
        return None;
    }
    let text = String::from_utf8_lossy(trimmed);
    let Found { claimed, all_fit, names } = serde_json::from_str(&text).ok()?;
    if names.is_twice {
        return None;
    }
    let members = inside(&text)?;
    if !all_fit {
        return push_sorted(&text, out);
    }
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

/// Appends the members that fit, and then the others under [`MISFITS`].
fn push_sorted(text: &str, out: &mut Vec<u8>) -> Option<u32> {
    let Members(members) = serde_json::from_str(text).ok()?;
    let (mut claimed, mut misfits, mut taken) = (0, Vec::new(), HashSet::new());
    out.push(b'{');
    for (name, value) in &members {
        if fits(name, value) {
            claimed |= claim(name);
            json::push_string(name.as_bytes(), out);
            out.push(b':');
            push_one_line(value.get().as_bytes(), out);
            out.push(b',');
        } else if let Some(timestamp_ms) = milliseconds(name, value) {
            claimed |= TIMESTAMP;
            out.extend_from_slice(b"\"@timestamp\":\"");
            Civil::at(timestamp_ms).push_rfc3339(out);
            out.extend_from_slice(b"\",");
        } else {
            misfits.push((name_of_misfit(name, &mut taken), *value));
        }
    }
    json::push_object(MISFITS, out, |out| {
        for (name, value) in &misfits {
            json::push_string(name.as_bytes(), out);
            out.push(b':');
            match serde_json::from_str::<String>(value.get()) {
                Ok(text) => json::push_string(text.as_bytes(), out),
                Err(_no_string) => json::push_string(value.get().as_bytes(), out),
            }
            out.push(b',');
        }
    });
    Some(claimed)
}

fn fits(name: &str, value: &RawValue) -> bool {
    match fit::place(name, &fit::OURS) {
        _ if !fit::is_name(name) => false,
        Place::Free => true,
        Place::Of(kind) => value.get() != "null" && fit::fits(kind, value.get()),
        Place::Misfit => false,
    }
}

/// The time of `"@timestamp": 1763662647912`.
fn milliseconds(name: &str, value: &RawValue) -> Option<i64> {
    let number = value.get().parse().ok().filter(|_| name == "@timestamp")?;
    TIMES_MS.contains(&number).then_some(number)
}

/// A name without dots, and none that is `taken`.
fn name_of_misfit(name: &str, taken: &mut HashSet<String>) -> String {
    let mut own = name.trim().replace('.', "_");
    while own.is_empty() || taken.contains(&own) {
        own.push('_');
    }
    taken.insert(own.clone());
    own
}

/// What the names at the top of an object say.
struct Found {
    claimed: u32,
    all_fit: bool,
    names: Names,
}

/// The names seen so far, as hashes.
struct Names {
    few: [u64; NAMES_COMPARED],
    count: usize,
    many: HashSet<u64>,
    is_twice: bool,
}

impl Names {
    fn new() -> Self {
        Self { few: [0; NAMES_COMPARED], count: 0, many: HashSet::new(), is_twice: false }
    }

    fn note(&mut self, hash: u64) {
        let few = self.few.get(..self.count).unwrap_or_default();
        self.is_twice |= few.contains(&hash);
        match self.few.get_mut(self.count) {
            Some(slot) => {
                *slot = hash;
                self.count += 1;
            }
            None => self.is_twice |= !self.many.insert(hash),
        }
    }
}

impl<'de> Deserialize<'de> for Found {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Found;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Found, A::Error> {
                let mut found = Found { claimed: 0, all_fit: true, names: Names::new() };
                while let Some(top) = map.next_key::<Top>()? {
                    found.claimed |= top.claim;
                    found.names.note(top.hash);
                    found.all_fit &= match top.place {
                        Place::Free => {
                            let IgnoredAny = map.next_value()?;
                            true
                        }
                        Place::Of(kind) => {
                            let value: &RawValue = map.next_value()?;
                            value.get() != "null" && fit::fits(kind, value.get())
                        }
                        Place::Misfit => {
                            let IgnoredAny = map.next_value()?;
                            false
                        }
                    };
                }
                Ok(found)
            }
        }

        input.deserialize_map(Object)
    }
}

/// The members of an object, in their order.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Members<'de>;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        input.deserialize_map(Object)
    }
}
