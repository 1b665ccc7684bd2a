//! Where in a file a setting stands.
//!
//! The YAML parser tells places only in its errors, so a walk to the setting ends with one.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::tree::Step;

/// What of a setting is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// Its name.
    Key,
    /// What is set.
    Value,
}

/// Line and column, from 1, of the setting at `path`, or of the nearest block around it.
pub(super) fn locate(text: &str, path: &[Step], part: Part) -> Option<(usize, usize)> {
    let walk = Walk { path, part };
    if let Err(found) = walk.deserialize(serde_yaml::Deserializer::from_str(text)) {
        return found.location().map(|place| (place.line(), place.column()));
    }
    let (_, around) = path.split_last()?;
    locate(text, around, Part::Key)
}

#[derive(Clone, Copy)]
struct Walk<'a> {
    path: &'a [Step],
    part: Part,
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<(), D::Error> {
        input.deserialize_any(self)
    }
}

/// What is not visited here is an error by itself, and so the end of the walk.
impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("the end of the walk")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut input: A) -> Result<(), A::Error> {
        let Some((Step::Key(wanted), rest)) = self.path.split_first() else {
            return Err(A::Error::custom("here"));
        };
        let stop = rest.is_empty() && self.part == Part::Key;
        while let Some(found) = input.next_key_seed(Probe { wanted, stop })? {
            if found {
                input.next_value_seed(Walk { path: rest, part: self.part })?;
            } else {
                input.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut input: A) -> Result<(), A::Error> {
        let Some((Step::Index(wanted), rest)) = self.path.split_first() else {
            return Err(A::Error::custom("here"));
        };
        for _before in 0..*wanted {
            input.next_element::<IgnoredAny>()?;
        }
        input.next_element_seed(Walk { path: rest, part: self.part })?;
        while input.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }
}

struct Probe<'a> {
    wanted: &'a str,
    stop: bool,
}

impl<'de> DeserializeSeed<'de> for Probe<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<bool, D::Error> {
        input.deserialize_str(self)
    }
}

impl Visitor<'_> for Probe<'_> {
    type Value = bool;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("the name of a setting")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<bool, E> {
        match key == self.wanted {
            true if self.stop => Err(E::custom("here")),
            found => Ok(found),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_values_are_found_where_they_stand() {
        let text = "a: 1\nb:\n  - x\n  - { c: [1, 2], d: ~ }\n";
        let key = |key: &str| Step::Key(key.to_owned());
        let path = [key("b"), Step::Index(1), key("c"), Step::Index(1)];
        assert_eq!(locate(text, &path, Part::Value), Some((4, 14)));
        assert_eq!(locate(text, &path[..3], Part::Key), Some((4, 7)));
        assert_eq!(locate(text, &path[..2], Part::Value), Some((4, 5)));
        assert_eq!(locate(text, &[key("a")], Part::Value), Some((1, 4)));
        assert_eq!(locate(text, &[key("b"), key("nowhere")], Part::Key), Some((3, 3)));
        assert_eq!(locate(text, &[key("nowhere")], Part::Key), Some((1, 1)));
    }
}
