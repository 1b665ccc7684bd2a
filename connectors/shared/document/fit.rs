//! Which members a document of ours has and of which kind they are, and whether a member of a value fits among them.
//!
//! A search server gives a field its type with the first document, and refuses each later one that has another. So
//! what is of another kind than ours may not have our name: `"log": "text"` in the first line of an index would refuse
//! every line with `log.file.path` behind it.

use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::time::is_date;

/// The kind of a member of ours.
#[derive(Debug)]
pub(super) enum Kind {
    /// A string, or several.
    Text,
    Number,
    /// A string that search servers take for a date.
    Date,
    /// An object; members of other names are free.
    Object(&'static [(&'static str, Self)]),
    /// An object whose members are all text.
    Texts,
    /// Nothing that is not ours may have the name.
    Reserved,
}

/// The member that has what fits nowhere.
pub(super) const MISFITS: &str = "anabranch";

const LEVEL: Kind = Kind::Object(&[("name", Kind::Text), ("code", Kind::Number)]);

const SYSLOG: Kind = Kind::Object(&[
    ("facility", LEVEL),
    ("severity", LEVEL),
    ("hostname", Kind::Text),
    ("appname", Kind::Text),
    ("procid", Kind::Text),
    ("msgid", Kind::Text),
    ("structured_data", Kind::Text),
    ("version", Kind::Text),
    ("sequence", Kind::Text),
]);

/// All members that our documents can have.
pub(super) static OURS: [(&str, Kind); 10] = [
    ("@timestamp", Kind::Date),
    ("message", Kind::Text),
    ("host", Kind::Object(&[("name", Kind::Text)])),
    (
        "log",
        Kind::Object(&[
            ("file", Kind::Object(&[("path", Kind::Text)])),
            ("flags", Kind::Text),
            ("syslog", SYSLOG),
        ]),
    ),
    (
        "source",
        Kind::Object(&[("address", Kind::Text), ("ip", Kind::Text), ("port", Kind::Number)]),
    ),
    (
        "event",
        Kind::Object(&[("id", Kind::Text), ("dataset", Kind::Text), ("original", Kind::Text)]),
    ),
    ("error", Kind::Object(&[("message", Kind::Text)])),
    ("labels", Kind::Texts),
    ("kafka", Kind::Object(&[("key", Kind::Text)])),
    (MISFITS, Kind::Reserved),
];

/// Where a name, with its dots, leads to.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place {
    /// Nowhere near ours.
    Free,
    /// To a member of ours.
    Of(&'static Kind),
    /// Into something of ours that has no members, or no such ones.
    Misfit,
}

/// Where `name` leads to among `members`.
pub(super) fn place(name: &str, members: &'static [(&'static str, Kind)]) -> Place {
    let mut members = members;
    let mut parts = name.split('.').peekable();
    while let Some(part) = parts.next() {
        let Some((_, kind)) = members.iter().find(|(known, _)| *known == part) else {
            return Place::Free;
        };
        let is_last = parts.peek().is_none();
        match kind {
            _ if is_last => return Place::Of(kind),
            Kind::Object(inside) => members = inside,
            Kind::Texts if parts.clone().count() == 1 => return Place::Of(&Kind::Text),
            Kind::Texts | Kind::Text | Kind::Number | Kind::Date | Kind::Reserved => break,
        }
    }
    Place::Misfit
}

/// Whether search servers take `name` for one, or for several with dots between.
pub(super) fn is_name(name: &str) -> bool {
    name.split('.').all(|part| !part.trim().is_empty())
}

/// Whether a value, valid JSON without blanks around it, is of this kind. `null` is of every kind.
pub(super) fn fits(kind: &'static Kind, value: &str) -> bool {
    let first = value.bytes().next().unwrap_or_default();
    match kind {
        Kind::Reserved => false,
        _ if first == b'n' => true,
        Kind::Text => first == b'"' || (first == b'[' && are_texts(value)),
        Kind::Number => first == b'-' || first.is_ascii_digit(),
        Kind::Date => {
            first == b'"' && serde_json::from_str(value).is_ok_and(|text: String| is_date(&text))
        }
        Kind::Object(members) => {
            first == b'{' && walk(value, &Members { members, all_text: false })
        }
        Kind::Texts => first == b'{' && walk(value, &Members { members: &[], all_text: true }),
    }
}

fn are_texts(value: &str) -> bool {
    let elements: Result<Vec<&RawValue>, _> = serde_json::from_str(value);
    let is_text = |element: &&RawValue| element.get().starts_with(['"', 'n']);
    elements.is_ok_and(|elements| elements.iter().all(is_text))
}

fn walk(value: &str, members: &Members) -> bool {
    let mut input = serde_json::Deserializer::from_str(value);
    members.deserialize(&mut input).unwrap_or(false)
}

/// Looks whether all members of an object fit among ours. As deep as ours are, no deeper.
#[derive(Clone, Copy)]
struct Members {
    members: &'static [(&'static str, Kind)],
    all_text: bool,
}

impl<'de> DeserializeSeed<'de> for &Members {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<bool, D::Error> {
        input.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for &Members {
    type Value = bool;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
        let mut all_fit = true;
        while let Some(found) = map.next_key_seed(Name(*self))? {
            let value: &RawValue = map.next_value()?;
            all_fit &= match found {
                Place::Free => true,
                Place::Of(kind) => fits(kind, value.get()),
                Place::Misfit => false,
            };
        }
        Ok(all_fit)
    }
}

/// Reads one name, without a copy.
struct Name(Members);

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Place;

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<Place, D::Error> {
        input.deserialize_str(self)
    }
}

impl Visitor<'_> for Name {
    type Value = Place;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a name")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Place, E> {
        Ok(match self.0.all_text {
            true if name.contains('.') => Place::Misfit,
            true => Place::Of(&Kind::Text),
            false => place(name, self.0.members),
        })
    }
}

/// A name at the top of a value: where it leads to, and its hash.
pub(super) struct Top {
    pub(super) place: Place,
    pub(super) claim: u32,
    pub(super) hash: u64,
}

impl<'de> Deserialize<'de> for Top {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct TopName;

        impl Visitor<'_> for TopName {
            type Value = Top;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a name")
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<Top, E> {
                let place = if is_name(name) { place(name, &OURS) } else { Place::Misfit };
                let claim = super::claim::claim(name);
                Ok(Top { place, claim, hash: xxhash_rust::xxh3::xxh3_64(name.as_bytes()) })
            }
        }

        input.deserialize_str(TopName)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits_at(name: &str, value: &str) -> bool {
        match place(name, &OURS) {
            Place::Free => true,
            Place::Of(kind) => fits(kind, value),
            Place::Misfit => false,
        }
    }

    #[test]
    fn what_has_a_name_of_ours_must_be_of_our_kind() {
        for (name, value) in [
            ("host", r#"{"name":"a","ip":["::1"]}"#),
            ("host", r#"{"name":null}"#),
            ("host.name", r#""a""#),
            ("host.ip", "7"),
            ("log", r#"{"level":"info","file":{"path":"/p","line":3}}"#),
            ("log.level", "7"),
            ("log.flags", r#"["a","b"]"#),
            ("event", r#"{"kind":"x","severity":3}"#),
            ("source", r#"{"port":443,"geo":{"x":1}}"#),
            ("labels", r#"{"a":"b"}"#),
            ("labels.a", r#""b""#),
            ("message", r#""text""#),
            ("@timestamp", r#""2026-11-20T18:17:27.123456Z""#),
            ("anything", "7"),
            ("hostname", "7"),
        ] {
            assert!(fits_at(name, value), "{name}: {value}");
        }
        for (name, value) in [
            ("host", r#""web-1""#),
            ("host", "[1]"),
            ("host", r#"{"name":5}"#),
            ("host", r#"{"name.x":"a"}"#),
            ("host", r#"[{"name":"a"}]"#),
            ("host.name", "true"),
            ("host.name.x", r#""a""#),
            ("log", r#""text""#),
            ("log", r#"{"file":"x"}"#),
            ("log", r#"{"file.path":{"a":1}}"#),
            ("log.file", r#""x""#),
            ("log.syslog", r#"{"severity":"high"}"#),
            ("log.syslog.severity", "3"),
            ("event", r#"{"id":7}"#),
            ("event.id", "7"),
            ("source", r#""web""#),
            ("source.port", r#""https""#),
            ("labels", r#"["a"]"#),
            ("labels", r#"{"a":1}"#),
            ("labels", r#"{"a.b":"c"}"#),
            ("labels.a.b", r#""c""#),
            ("error", r#""failed""#),
            ("kafka", "1"),
            ("message", "7"),
            ("message", r#"{"a":1}"#),
            ("message.x", r#""a""#),
            ("@timestamp", "1763662647"),
            ("@timestamp", r#""yesterday""#),
            ("anabranch", r#"{"a":1}"#),
            ("anabranch.x", "1"),
        ] {
            assert!(!fits_at(name, value), "{name}: {value}");
        }
    }

    #[test]
    fn names_have_letters_between_their_dots() {
        assert!(is_name("a") && is_name("a.b"));
        assert!(!["", " ", ".", ".a", "a.", "a..b", "a. .b"].into_iter().any(is_name));
    }
}
