//! From the tree to types: a deserializer that keeps the path of what it is in.
//!
//! An enum is a block with one key, the name of the variant, or that name alone; so connectors need no help to be
//! written as `to: { file: … }`.

use serde::de::{self, DeserializeSeed, Deserializer, Error, IntoDeserializer, Visitor};

use super::fault::Fault;
use super::tree::{Kind, Node, Step, Value};

/// Reads a type out of a node.
#[derive(Clone, Copy)]
pub(super) struct Typed<'a>(pub &'a Node);

impl<'a> Typed<'a> {
    /// Visits by what YAML takes the value for.
    fn visit<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.0.value {
            Value::Scalar(_, Kind::Null | Kind::Gone) => visitor.visit_unit(),
            Value::Scalar(_, Kind::Tagged) => Err(tagged()),
            Value::Scalar(_, Kind::Bool(value)) => visitor.visit_bool(*value),
            Value::Scalar(_, Kind::Whole(number)) => visit_whole(*number, visitor),
            Value::Scalar(_, Kind::Float(number)) => visitor.visit_f64(*number),
            Value::Scalar(text, Kind::Text) => visitor.visit_str(text),
            Value::Scalar(text, Kind::Substituted) => {
                visitor.visit_str(text).map_err(|fault: Fault| fault.without(text))
            }
            Value::List(items) => visitor.visit_seq(Items(items.iter().enumerate())),
            Value::Map(entries) => visitor.visit_map(Entries::new(entries)),
        }
    }

    /// Visits a number, which may have come out of a variable.
    fn visit_number<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        if let Value::Scalar(text, Kind::Substituted) = &self.0.value {
            let visited = match (text.trim().parse::<i128>(), text.trim().parse::<f64>()) {
                (Ok(whole), _) => visit_whole(whole, visitor),
                (Err(_), Ok(number)) => visitor.visit_f64(number),
                (Err(_), Err(_)) => visitor.visit_str(text),
            };
            return visited.map_err(|fault: Fault| fault.without(text));
        }
        self.visit(visitor)
    }

    /// Visits a scalar as it was written.
    fn visit_text<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.0.value {
            Value::Scalar(text, Kind::Bool(_) | Kind::Whole(_) | Kind::Float(_)) => {
                visitor.visit_str(text)
            }
            Value::Map(entries) => match entries.as_slice() {
                [(field, node)] if node.is_null() => Err(Fault::new(format!(
                    "expected text, found a block; put what begins with `{{` in quotes: \"{{{field}}}\""
                ))),
                _ => self.visit(visitor),
            },
            Value::Scalar(
                _,
                Kind::Null | Kind::Text | Kind::Substituted | Kind::Tagged | Kind::Gone,
            )
            | Value::List(_) => self.visit(visitor),
        }
    }

    /// The one key of an enum's block, and what stands under it.
    fn variant(self, known: &[&str]) -> Result<(&'a str, Option<&'a Node>), Fault> {
        match &self.0.value {
            Value::Scalar(name, Kind::Text | Kind::Substituted) => Ok((name, None)),
            Value::Scalar(name, Kind::Bool(_) | Kind::Whole(_) | Kind::Float(_)) => {
                Ok((name, None))
            }
            Value::Map(entries) => match entries.as_slice() {
                [(name, node)] => Ok((name, Some(node))),
                [] => Err(Fault::new(format!("names nothing; write one of {}", known.join(", ")))),
                [(name, node), ..] | [_, (name, node)]
                    if matches!(name.as_str(), "type" | "kind") =>
                {
                    let connector = match &node.value {
                        Value::Scalar(connector, _) => connector.as_str(),
                        Value::List(_) | Value::Map(_) => "NAME",
                    };
                    Err(Fault::new(format!(
                        "the name of the connector is the key: write `{{ {connector}: {{ … }} }}`, with the other settings inside"
                    )))
                }
                several => {
                    let names: Vec<_> =
                        several.iter().map(|(name, _)| format!("`{name}`")).collect();
                    let names = names.join(" and ");
                    Err(Fault::new(format!("names {names}; exactly one is allowed here")))
                }
            },
            Value::Scalar(_, Kind::Tagged) => Err(tagged()),
            Value::Scalar(_, Kind::Null | Kind::Gone) => {
                Err(Fault::new(format!("names nothing; write one of {}", known.join(", "))))
            }
            Value::List(_) => Err(Fault::new(format!(
                "expected a block with one key, found a list; the key is one of {}",
                known.join(", ")
            ))),
        }
    }
}

fn tagged() -> Fault {
    Fault::new("a word that begins with `!` is a YAML tag; put the value in quotes".to_owned())
}

fn visit_whole<'de, V: Visitor<'de>>(number: i128, visitor: V) -> Result<V::Value, Fault> {
    match (u64::try_from(number), i64::try_from(number)) {
        (Ok(number), _) => visitor.visit_u64(number),
        (Err(_), Ok(number)) => visitor.visit_i64(number),
        (Err(_), Err(_)) => {
            Err(Fault::custom(format!("the number {number} is out of range; write a smaller one")))
        }
    }
}

macro_rules! visit_as {
    ($visit:ident: $($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
            self.$visit(visitor)
        })*
    };
}

impl<'de> Deserializer<'de> for Typed<'_> {
    type Error = Fault;

    visit_as!(visit: deserialize_any deserialize_unit);
    visit_as!(visit_text: deserialize_str deserialize_string deserialize_identifier
        deserialize_char deserialize_bytes deserialize_byte_buf);
    visit_as!(visit_number: deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_i128 deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
        deserialize_u128 deserialize_f32 deserialize_f64);

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.0.value {
            Value::Scalar(text, Kind::Substituted) => match text.trim() {
                "true" => visitor.visit_bool(true),
                "false" => visitor.visit_bool(false),
                _ => self.visit(visitor),
            },
            Value::Scalar(..) | Value::List(_) | Value::Map(_) => self.visit(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        if self.0.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.visit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        if self.0.is_null() {
            return visitor.visit_seq(Items([].iter().enumerate()));
        }
        self.visit(visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        _length: usize,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.visit(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _length: usize,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.visit(visitor)
    }

    /// A block of which only the name is there, as when all of it is commented out, is an empty block.
    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        if self.0.is_null() {
            return visitor.visit_map(Entries::new(&[]));
        }
        self.visit(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        // Otherwise a list would be taken for the fields in their order.
        if let Value::List(_) = self.0.value {
            return Err(Fault::invalid_type(de::Unexpected::Seq, &visitor));
        }
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        kind: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let (name, node) = self.variant(variants)?;
        visitor.visit_enum(Choice { name, node, file: self.0.file }).map_err(|fault| {
            let unknown = !variants.contains(&name);
            let connector = matches!(kind, "SourceConfig" | "SinkConfig");
            if unknown && connector { fault.of_connector(name, variants) } else { fault }
        })
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_unit()
    }
}

struct Items<'a>(std::iter::Enumerate<std::slice::Iter<'a, Node>>);

impl<'de> de::SeqAccess<'de> for Items<'_> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Fault> {
        let Some((index, item)) = self.0.find(|(_, item)| !item.is_gone()) else {
            return Ok(None);
        };
        let typed = seed.deserialize(Typed(item));
        typed.map(Some).map_err(|fault| fault.inside(Step::Index(index), item.file))
    }
}

struct Entries<'a> {
    left: std::slice::Iter<'a, (String, Node)>,
    value: Option<&'a (String, Node)>,
}

impl<'a> Entries<'a> {
    fn new(entries: &'a [(String, Node)]) -> Self {
        Self { left: entries.iter(), value: None }
    }
}

impl<'de> de::MapAccess<'de> for Entries<'_> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Fault> {
        self.value = self.left.next();
        let Some((key, node)) = self.value else {
            return Ok(None);
        };
        let typed = seed.deserialize(key.as_str().into_deserializer());
        typed.map(Some).map_err(|fault: Fault| fault.named(key, node.file))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        let Some((key, node)) = self.value.take() else {
            return Err(Fault::custom("a value without its name"));
        };
        seed.deserialize(Typed(node))
            .map_err(|fault| fault.inside(Step::Key(key.clone()), node.file))
    }
}

/// An enum: the name of a variant, and its block.
struct Choice<'a> {
    name: &'a str,
    node: Option<&'a Node>,
    file: usize,
}

impl<'a, 'de> de::EnumAccess<'de> for Choice<'a> {
    type Error = Fault;
    type Variant = Chosen<'a>;

    fn variant_seed<V: DeserializeSeed<'de>>(
        self,
        seed: V,
    ) -> Result<(V::Value, Chosen<'a>), Fault> {
        let named = seed.deserialize(self.name.into_deserializer()).map_err(|fault: Fault| {
            if self.node.is_some() { fault.named(self.name, self.file) } else { fault }
        })?;
        Ok((named, Chosen { name: self.name, node: self.node, file: self.file }))
    }
}

/// What stands under the name of a variant.
struct Chosen<'a> {
    name: &'a str,
    node: Option<&'a Node>,
    file: usize,
}

impl Chosen<'_> {
    fn content<T>(self, read: impl FnOnce(&Node) -> Result<T, Fault>) -> Result<T, Fault> {
        let nothing = Node { value: Value::Scalar(String::new(), Kind::Null), file: self.file };
        let Some(node) = self.node else {
            return read(&nothing);
        };
        read(node).map_err(|fault| fault.inside(Step::Key(self.name.to_owned()), node.file))
    }
}

impl<'de> de::VariantAccess<'de> for Chosen<'_> {
    type Error = Fault;

    fn unit_variant(self) -> Result<(), Fault> {
        let name = self.name.to_owned();
        self.content(|node| match node.is_null() {
            true => Ok(()),
            false => Err(Fault::new(format!("`{name}` has no settings; write the name alone"))),
        })
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Fault> {
        self.content(|node| seed.deserialize(Typed(node)))
    }

    fn tuple_variant<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value, Fault> {
        self.content(|node| Typed(node).deserialize_tuple(length, visitor))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.content(|node| Typed(node).deserialize_struct("", fields, visitor))
    }
}
