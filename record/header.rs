//! Headers of records, kept in the encoding in which Kafka stores them, so that they are copied and never rebuilt.
//!
//! | bytes   | field                                        |
//! |---------|----------------------------------------------|
//! | varint  | length of the name                           |
//! | …       | name, UTF-8                                  |
//! | varint  | length of the value, -1 for null             |
//! | …       | value                                        |
//!
//! Names that begin with [`INTERNAL`] are the program's own and are not shown to sinks.

use crate::varint;

/// Prefix of header names that the program keeps for itself.
pub const INTERNAL: &str = "__anabranch.";

/// Headers that are common to many records, encoded once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Headers {
    count: u32,
    bytes: Vec<u8>,
}

impl Headers {
    /// No headers.
    #[must_use]
    pub const fn new() -> Self {
        Self { count: 0, bytes: Vec::new() }
    }

    /// Adds one header.
    #[must_use]
    pub fn with(mut self, name: &str, value: &[u8]) -> Self {
        push(name, Some(value), &mut self.bytes);
        self.count += 1;
        self
    }

    /// How many there are.
    #[must_use]
    pub const fn count(&self) -> u32 {
        self.count
    }

    /// The encoded headers, without a count before them.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// Appends one header to `out`.
pub fn push(name: &str, value: Option<&[u8]>, out: &mut Vec<u8>) {
    varint::push_bytes(Some(name.as_bytes()), out);
    varint::push_bytes(value, out);
}

/// Headers of one record, borrowed: those common to its batch, then its own.
#[derive(Debug, Clone, Copy, Default)]
pub struct HeadersRef<'a> {
    /// Encoded common headers.
    pub common: &'a [u8],
    /// Encoded headers of this record alone.
    pub own: &'a [u8],
}

impl<'a> HeadersRef<'a> {
    /// Every header for a person or a far side: name and value, without the program's own.
    pub fn iter(self) -> impl Iterator<Item = (&'a str, Option<&'a [u8]>)> {
        self.iter_all().filter(|(name, _)| !name.starts_with(INTERNAL))
    }

    /// Every header, the program's own too.
    pub fn iter_all(self) -> impl Iterator<Item = (&'a str, Option<&'a [u8]>)> {
        Walk(self.common).chain(Walk(self.own))
    }

    /// The last header of that name, as Kafka's `lastHeader`.
    #[must_use]
    pub fn get(self, name: &str) -> Option<&'a [u8]> {
        self.iter_all().filter(|(known, _)| *known == name).last().and_then(|(_, value)| value)
    }
}

/// Walks encoded headers; ends at the first that is damaged.
struct Walk<'a>(&'a [u8]);

impl<'a> Iterator for Walk<'a> {
    type Item = (&'a str, Option<&'a [u8]>);

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let name = varint::take_bytes(&mut self.0)??;
        let value = varint::take_bytes(&mut self.0)?;
        Some((str::from_utf8(name).unwrap_or("\u{fffd}"), value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_header_of_a_name_wins_and_internal_ones_are_hidden() {
        let common = Headers::new().with("host", b"a").with("__anabranch.position", b"x");
        let own = Headers::new().with("host", b"b");
        let both = HeadersRef { common: common.bytes(), own: own.bytes() };
        assert_eq!(both.get("host"), Some(&b"b"[..]));
        assert_eq!(both.get("__anabranch.position"), Some(&b"x"[..]));
        assert_eq!(both.iter().map(|(name, _)| name).collect::<Vec<_>>(), ["host", "host"]);
        assert_eq!(common.count(), 2);
    }
}
