//! YAML as a tree whose nodes know their file, so that several files can be merged and every error can be placed.

use std::collections::HashSet;
use std::fmt;

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, IgnoredAny, MapAccess, SeqAccess, VariantAccess,
    Visitor,
};

/// One value of a configuration, not typed yet.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    /// What it is.
    pub value: Value,
    /// Number of the file that it stands in.
    pub file: usize,
}

/// What a node can be.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    /// One word, number or text, as it was written, and what YAML takes it for.
    Scalar(String, Kind),
    /// `[…]`
    List(Vec<Node>),
    /// `{…}`, in the order of the file.
    Map(Vec<(String, Node)>),
}

/// What YAML takes a scalar for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Kind {
    /// Nothing at all, `~` or `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Whole(i128),
    /// Any other number.
    Float(f64),
    /// Text.
    Text,
    /// Text that came out of a variable: may stand for a number, too, and is not repeated in messages.
    Substituted,
    /// Something behind a word that begins with `!`.
    Tagged,
    /// What was taken out of a list, so that its other entries keep their numbers.
    Gone,
}

/// One step from a block into what it contains.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Step {
    /// The setting of this name.
    Key(String),
    /// The entry of a list, from 0.
    Index(usize),
}

/// A path as people write it: `sinks.search.topics[0]`.
pub(super) fn render(path: &[Step]) -> String {
    let mut text = String::new();
    for step in path {
        match step {
            Step::Key(key) if text.is_empty() => text.push_str(key),
            Step::Key(key) => text.extend([".", key]),
            Step::Index(index) => text.push_str(&format!("[{index}]")),
        }
    }
    text
}

/// Reads the YAML of the file with this number; and whether a key stands twice, of which the first is kept.
///
/// # Errors
/// What the YAML parser says.
pub(super) fn parse(text: &str, file: usize) -> Result<(Node, bool), serde_yaml::Error> {
    let mut root = Typed(file).deserialize(serde_yaml::Deserializer::from_str(text))?;
    // The first pass tells what YAML takes a scalar for, the second how it was written.
    Written(&mut root).deserialize(serde_yaml::Deserializer::from_str(text))?;
    let repeats = root.drop_repeated();
    root.merge_keys();
    Ok((root, repeats))
}

impl Node {
    /// Whether nothing is there.
    pub(super) const fn is_null(&self) -> bool {
        matches!(self.value, Value::Scalar(_, Kind::Null))
    }

    /// What stands under `key`.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        match &self.value {
            Value::Map(entries) => {
                entries.iter().find(|(name, _)| name == key).map(|(_, node)| node)
            }
            Value::Scalar(..) | Value::List(_) => None,
        }
    }

    /// What stands under `step`.
    pub(super) fn step(&self, step: &Step) -> Option<&Self> {
        match (step, &self.value) {
            (Step::Key(key), _) => self.get(key),
            (Step::Index(index), Value::List(items)) => items.get(*index),
            (Step::Index(_), Value::Scalar(..) | Value::Map(_)) => None,
        }
    }

    /// Keeps the first of keys that are the same; whether there were any.
    fn drop_repeated(&mut self) -> bool {
        match &mut self.value {
            Value::Scalar(..) => false,
            Value::List(items) => {
                // Every entry is looked at, whatever was found before.
                let found: Vec<bool> = items.iter_mut().map(Self::drop_repeated).collect();
                found.contains(&true)
            }
            Value::Map(entries) => {
                let (mut seen, before) = (HashSet::new(), entries.len());
                entries.retain(|(key, _)| seen.insert(key.clone()));
                let found = entries.len() < before;
                entries.iter_mut().fold(found, |found, (_, node)| node.drop_repeated() || found)
            }
        }
    }

    /// Fills in what `<<:` of a block names, where the block does not say it itself.
    fn merge_keys(&mut self) {
        match &mut self.value {
            Value::Scalar(..) => {}
            Value::List(items) => items.iter_mut().for_each(Self::merge_keys),
            Value::Map(entries) => {
                entries.iter_mut().for_each(|(_, node)| node.merge_keys());
                let is_merge = |(key, node): &mut (String, Self)| key == "<<" && node.is_blocks();
                let merged: Vec<(String, Self)> = entries.extract_if(.., is_merge).collect();
                for (_, Self { value, .. }) in merged {
                    let blocks = match value {
                        Value::List(blocks) => blocks,
                        block @ (Value::Map(_) | Value::Scalar(..)) => {
                            vec![Self { value: block, file: self.file }]
                        }
                    };
                    for block in blocks {
                        let Value::Map(more) = block.value else { continue };
                        for (key, node) in more {
                            if !entries.iter().any(|(name, _)| *name == key) {
                                entries.push((key, node));
                            }
                        }
                    }
                }
            }
        }
    }

    /// Whether it is a block, or a list of blocks.
    fn is_blocks(&self) -> bool {
        let is_block = |node: &Self| matches!(node.value, Value::Map(_));
        match &self.value {
            Value::List(items) => items.iter().all(is_block),
            Value::Map(_) => true,
            Value::Scalar(..) => false,
        }
    }

    /// Takes out what stands at a path; whether there was anything.
    pub(super) fn cut(&mut self, path: &[Step]) -> bool {
        let Some((step, rest)) = path.split_first() else { return false };
        match (step, &mut self.value) {
            (Step::Key(key), Value::Map(entries)) => {
                let Some(at) = entries.iter().position(|(name, _)| name == key) else {
                    return false;
                };
                if rest.is_empty() {
                    entries.remove(at);
                    return true;
                }
                entries.get_mut(at).is_some_and(|(_, node)| node.cut(rest))
            }
            (Step::Index(index), Value::List(items)) => {
                let Some(item) = items.get_mut(*index).filter(|item| !item.is_gone()) else {
                    return false;
                };
                if rest.is_empty() {
                    item.value = Value::Scalar(String::new(), Kind::Gone);
                    return true;
                }
                item.cut(rest)
            }
            (Step::Key(_) | Step::Index(_), _) => false,
        }
    }

    /// Whether it was taken out of its list.
    pub(super) const fn is_gone(&self) -> bool {
        matches!(self.value, Value::Scalar(_, Kind::Gone))
    }

    /// Fills in what `self` does not set from `defaults`, block by block.
    pub(super) fn fill_from(&mut self, defaults: &Self) {
        if self.is_null() {
            *self = defaults.clone();
            return;
        }
        let (Value::Map(entries), Value::Map(wanted)) = (&mut self.value, &defaults.value) else {
            return;
        };
        for (key, default) in wanted {
            match entries.iter_mut().find(|(name, _)| name == key) {
                Some((_, node)) => node.fill_from(default),
                None => entries.push((key.clone(), default.clone())),
            }
        }
    }

    /// Adds what `other` sets; gives the paths of what both set, of which the first is kept.
    pub(super) fn merge(&mut self, other: Self) -> Vec<Vec<Step>> {
        if other.is_null() {
            return Vec::new();
        }
        if self.is_null() {
            *self = other;
            return Vec::new();
        }
        let (Value::Map(entries), Value::Map(more)) = (&mut self.value, other.value) else {
            return vec![Vec::new()];
        };
        let mut both = Vec::new();
        for (key, node) in more {
            match entries.iter_mut().find(|(name, _)| *name == key) {
                Some((_, present)) => both.extend(
                    present
                        .merge(node)
                        .into_iter()
                        .map(|path| [vec![Step::Key(key.clone())], path].concat()),
                ),
                None => entries.push((key, node)),
            }
        }
        both
    }
}

/// Reads a node, and what YAML takes its scalars for.
#[derive(Clone, Copy)]
struct Typed(usize);

impl Typed {
    const fn node(self, value: Value) -> Node {
        Node { value, file: self.0 }
    }

    const fn scalar(self, kind: Kind) -> Node {
        self.node(Value::Scalar(String::new(), kind))
    }
}

impl<'de> DeserializeSeed<'de> for Typed {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<Node, D::Error> {
        input.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Typed {
    type Value = Node;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a setting")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(self.scalar(Kind::Bool(value)))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(self.scalar(Kind::Whole(value.into())))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(self.scalar(Kind::Whole(value.into())))
    }

    fn visit_i128<E>(self, value: i128) -> Result<Node, E> {
        Ok(self.scalar(Kind::Whole(value)))
    }

    fn visit_u128<E>(self, value: u128) -> Result<Node, E> {
        Ok(self.scalar(i128::try_from(value).map_or(Kind::Text, Kind::Whole)))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(self.scalar(Kind::Float(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(self.node(Value::Scalar(value.to_owned(), Kind::Text)))
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(self.scalar(Kind::Null))
    }

    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(self.scalar(Kind::Null))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut input: A) -> Result<Node, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = input.next_element_seed(self)? {
            items.push(item);
        }
        Ok(self.node(Value::List(items)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut input: A) -> Result<Node, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = input.next_key()? {
            let node = input.next_value_seed(self)?;
            entries.push((key, node));
        }
        Ok(self.node(Value::Map(entries)))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, input: A) -> Result<Node, A::Error> {
        let (IgnoredAny, content) = input.variant()?;
        content.newtype_variant::<IgnoredAny>()?;
        Ok(self.scalar(Kind::Tagged))
    }
}

/// Fills in how scalars were written.
struct Written<'a>(&'a mut Node);

impl<'de> DeserializeSeed<'de> for Written<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<(), D::Error> {
        match self.0.value {
            Value::Scalar(_, Kind::Bool(_) | Kind::Whole(_) | Kind::Float(_)) => {
                input.deserialize_str(self)
            }
            Value::Scalar(..) => input.deserialize_ignored_any(IgnoredAny).map(drop),
            Value::List(_) => input.deserialize_seq(self),
            Value::Map(_) => input.deserialize_map(self),
        }
    }
}

impl<'de> Visitor<'de> for Written<'_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("the same as before")
    }

    fn visit_str<E>(self, written: &str) -> Result<(), E> {
        if let Value::Scalar(text, _) = &mut self.0.value {
            written.clone_into(text);
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut input: A) -> Result<(), A::Error> {
        if let Value::List(items) = &mut self.0.value {
            for item in items {
                input.next_element_seed(Written(item))?;
            }
        }
        while input.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut input: A) -> Result<(), A::Error> {
        if let Value::Map(entries) = &mut self.0.value {
            for (_, node) in entries {
                input.next_key::<IgnoredAny>()?;
                input.next_value_seed(Written(node))?;
            }
        }
        while input.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(())
    }
}
