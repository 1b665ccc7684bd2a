//! Where the settings of a file stand, all of them found in one walk.
//!
//! The YAML parser tells places only in its errors; so every key is refused once, which gives its place, and the walk
//! goes on behind it.

use std::collections::HashMap;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, Visitor};
use serde::de::{IgnoredAny, VariantAccess};

use super::tree::Step;

/// Line and column, from 1.
pub(super) type Position = (usize, usize);

/// What every key is refused with.
const REFUSAL: &str = "a key";

/// Where the settings of one file stand.
#[derive(Debug, Default)]
pub(super) struct Places {
    keys: HashMap<Vec<Step>, Position>,
    /// Keys that their block has already, with their places.
    pub(super) repeated: Vec<(Vec<Step>, Position)>,
    /// From the root to where the walk is.
    path: Vec<Step>,
}

impl Places {
    /// Those of a text, as far as it can be read.
    pub(super) fn of(text: &str) -> Self {
        let mut places = Self::default();
        // Whoever parses the text says what is wrong with it; what comes before is placed all the same.
        Walk(&mut places).deserialize(serde_yaml::Deserializer::from_str(text)).ok();
        places
    }

    /// The place of a setting's name, or of an entry of a list that is one word.
    pub(super) fn get(&self, path: &[Step]) -> Option<Position> {
        self.keys.get(path).copied()
    }

    fn note(&mut self, said: &str) -> bool {
        let Some(position) = position(said) else { return false };
        if self.keys.contains_key(&self.path) {
            self.repeated.push((self.path.clone(), position));
        } else {
            self.keys.insert(self.path.clone(), position);
        }
        true
    }
}

/// The place at the end of what the parser says; the very first one has no line there.
fn position(said: &str) -> Option<Position> {
    let Some((_, place)) = said.rsplit_once(" at line ") else {
        return said.contains(REFUSAL).then_some((1, 1));
    };
    let (line, column) = place.split_once(" column ")?;
    Some((line.parse().ok()?, column.parse().ok()?))
}

struct Walk<'a>(&'a mut Places);

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<(), D::Error> {
        input.deserialize_any(self)
    }
}

macro_rules! pass_over {
    ($($method:ident: $kind:ty),*) => {
        $(fn $method<E>(self, _value: $kind) -> Result<(), E> {
            Ok(())
        })*
    };
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a setting")
    }

    pass_over!(visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_i128: i128, visit_u128: u128,
        visit_f64: f64, visit_str: &str);

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_none<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_enum<A: EnumAccess<'de>>(self, input: A) -> Result<(), A::Error> {
        let (IgnoredAny, content) = input.variant()?;
        content.newtype_variant::<IgnoredAny>().map(drop)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut input: A) -> Result<(), A::Error> {
        let mut key = None;
        loop {
            match input.next_key_seed(Refused(&mut key)) {
                Ok(None) => return Ok(()),
                Ok(Some(())) => {}
                Err(refused) => {
                    let Some(key) = key.take() else { return Err(refused) };
                    self.0.path.push(Step::Key(key));
                    if !self.0.note(&refused.to_string()) {
                        return Err(refused);
                    }
                    input.next_value_seed(Walk(self.0))?;
                    self.0.path.pop();
                }
            }
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut input: A) -> Result<(), A::Error> {
        for index in 0.. {
            self.0.path.push(Step::Index(index));
            let mut is_word = false;
            match input.next_element_seed(Item(self.0, &mut is_word)) {
                Ok(Some(())) => {}
                Ok(None) => {
                    self.0.path.pop();
                    break;
                }
                Err(refused) => {
                    if !is_word || !self.0.note(&refused.to_string()) {
                        return Err(refused);
                    }
                }
            }
            self.0.path.pop();
        }
        Ok(())
    }
}

/// A key, which is taken and refused.
struct Refused<'a>(&'a mut Option<String>);

impl<'de> DeserializeSeed<'de> for Refused<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<(), D::Error> {
        input.deserialize_str(self)
    }
}

impl Visitor<'_> for Refused<'_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("the name of a setting")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<(), E> {
        *self.0 = Some(key.to_owned());
        Err(E::custom(REFUSAL))
    }
}

/// An entry of a list: refused when it is a word, else walked through.
struct Item<'a>(&'a mut Places, &'a mut bool);

impl<'de> DeserializeSeed<'de> for Item<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<(), D::Error> {
        input.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Item<'_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an entry of a list")
    }

    pass_over!(visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_i128: i128, visit_u128: u128,
        visit_f64: f64);

    fn visit_str<E: Error>(self, _word: &str) -> Result<(), E> {
        *self.1 = true;
        Err(E::custom(REFUSAL))
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_none<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_enum<A: EnumAccess<'de>>(self, input: A) -> Result<(), A::Error> {
        Walk(self.0).visit_enum(input)
    }

    fn visit_map<A: MapAccess<'de>>(self, input: A) -> Result<(), A::Error> {
        Walk(self.0).visit_map(input)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, input: A) -> Result<(), A::Error> {
        Walk(self.0).visit_seq(input)
    }
}

#[cfg(test)]
mod tests {
    use super::super::locate::{Part, locate};
    use super::*;

    #[test]
    fn one_walk_finds_what_a_walk_for_each_setting_finds() {
        let text = "a: 1\nb:\n  - x\n  - { c: [y, \"z\"], d: ~ }\n  - [ v ]\ne: { f: {}, g: &t !tag w }\nh: *t\ni: |\n  x\nj: k\n";
        let places = Places::of(text);
        let key = |key: &str| Step::Key(key.to_owned());
        for path in [
            vec![key("a")],
            vec![key("b")],
            vec![key("b"), Step::Index(0)],
            vec![key("b"), Step::Index(1), key("c")],
            vec![key("b"), Step::Index(1), key("c"), Step::Index(1)],
            vec![key("b"), Step::Index(1), key("d")],
            vec![key("b"), Step::Index(2), Step::Index(0)],
            vec![key("e"), key("f")],
            vec![key("e"), key("g")],
            vec![key("j")],
        ] {
            assert_eq!(places.get(&path), locate(text, &path, Part::Key), "{path:?}");
        }
        assert_eq!(places.get(&[key("nowhere")]), None);
    }

    #[test]
    fn what_stands_twice_is_told_with_its_second_place() {
        let places = Places::of("a: 1\nb: { c: 1, c: 2 }\na: 3\n");
        let key = |key: &str| Step::Key(key.to_owned());
        let expected = [(vec![key("b"), key("c")], (2, 12)), (vec![key("a")], (3, 1))];
        assert_eq!(places.repeated, expected);
    }
}
