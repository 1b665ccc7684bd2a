//! `OffsetCommit` and `OffsetFetch` of version 10, which name topics by their ids (KIP-848): for the decoder, which knows
//! names only, an id becomes a name of 32 hexadecimal digits, and on the way back such a name an id.
//!
//! A layout is a text as in `schema.rs`, always flexible, with `t` for a topic.

use std::fmt::Write as _;

use bytes::Bytes;
use uuid::Uuid;

use crate::broker::schema::closing;

/// The first version that names topics by their ids.
pub(super) const BY_ID_FROM: i16 = 10;

/// The layouts of a request and of its answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layouts {
    pub(super) request: &'static str,
    pub(super) answer: &'static str,
}

pub(super) const OFFSET_COMMIT: Layouts =
    Layouts { request: "s i s s [t [i l i s]]", answer: "i [t [i h]]" };
pub(super) const OFFSET_FETCH: Layouts =
    Layouts { request: "[s s i [t *i]] b", answer: "i [s [t [i l i s h]] h]" };

/// The name that stands for a topic of that id.
pub(super) fn name_of(id: Uuid) -> String {
    id.simple().to_string()
}

/// The id that a name stands for.
pub(super) fn id_of(name: &str) -> Option<Uuid> {
    Uuid::try_parse(name).ok()
}

/// A request with names where it has ids; `None` when it is not as its layout says.
pub(super) fn named(layouts: Layouts, body: &[u8]) -> Option<Bytes> {
    rewrite(layouts.request, body, true)
}

/// An answer with ids where it has names that stand for them.
pub(super) fn identified(layouts: Layouts, body: &[u8]) -> Option<Bytes> {
    rewrite(layouts.answer, body, false)
}

fn rewrite(layout: &str, body: &[u8], to_names: bool) -> Option<Bytes> {
    let out = Vec::with_capacity(body.len());
    let mut copy = Copy { layout: layout.as_bytes(), bytes: body, out, to_names };
    copy.structure(0)?;
    Some(copy.out.into())
}

struct Copy<'a> {
    layout: &'a [u8],
    bytes: &'a [u8],
    out: Vec<u8>,
    to_names: bool,
}

impl Copy<'_> {
    /// Copies a structure whose layout begins at `at`; gives where its layout ends.
    fn structure(&mut self, mut at: usize) -> Option<usize> {
        loop {
            match *self.layout.get(at).unwrap_or(&b']') {
                b']' => {
                    self.tags()?;
                    return Some(at);
                }
                b' ' => at += 1,
                b'[' => {
                    let mut end = None;
                    for _ in 0..self.length()? {
                        end = Some(self.structure(at + 1)?);
                    }
                    at = end.map_or_else(|| closing(self.layout, at), Some)? + 1;
                }
                b'*' => {
                    let count = self.length()?;
                    self.copy(count.checked_mul(4)?)?;
                    at += 2;
                }
                kind => {
                    self.primitive(kind)?;
                    at += 1;
                }
            }
        }
    }

    fn primitive(&mut self, kind: u8) -> Option<()> {
        let bytes = match kind {
            b'b' => 1,
            b'h' => 2,
            b'i' => 4,
            b'l' => 8,
            b't' => return self.topic(),
            _ => self.length()?,
        };
        self.copy(bytes)
    }

    fn topic(&mut self) -> Option<()> {
        if self.to_names {
            let id = Uuid::from_bytes(*self.bytes.first_chunk()?);
            self.bytes = self.bytes.get(16..)?;
            self.out.push(33);
            let mut name = String::with_capacity(32);
            write!(name, "{}", id.simple()).ok()?;
            self.out.extend_from_slice(name.as_bytes());
            return Some(());
        }
        let (length, rest) = self.bytes.split_first()?;
        let (name, rest) = rest.split_at_checked(usize::from(*length).checked_sub(1)?)?;
        self.bytes = rest;
        let id = id_of(str::from_utf8(name).ok()?)?;
        self.out.extend_from_slice(id.as_bytes());
        Some(())
    }

    fn copy(&mut self, count: usize) -> Option<()> {
        let (taken, rest) = self.bytes.split_at_checked(count)?;
        self.out.extend_from_slice(taken);
        self.bytes = rest;
        Some(())
    }

    /// Copies a length; those of what is null are 0.
    fn length(&mut self) -> Option<usize> {
        Some(usize::try_from(self.varint()?).ok()?.saturating_sub(1))
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0u64;
        for shift in [0, 7, 14, 21, 28] {
            let byte = *self.bytes.first()?;
            self.copy(1)?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn tags(&mut self) -> Option<()> {
        for _ in 0..self.varint()? {
            self.varint()?;
            let length = usize::try_from(self.varint()?).ok()?;
            self.copy(length)?;
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use bytes::{BufMut, BytesMut};
    use kafka_protocol::messages::offset_commit_request::{
        OffsetCommitRequestPartition, OffsetCommitRequestTopic,
    };
    use kafka_protocol::messages::{GroupId, OffsetCommitRequest, TopicName};
    use kafka_protocol::protocol::{Decodable, Encodable, StrBytes};
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ids_become_names_that_become_the_same_ids() {
        let id = Uuid::from_u128(0x1234_5678 << 90);
        let partition = OffsetCommitRequestPartition::default()
            .with_partition_index(3)
            .with_committed_offset(77)
            .with_committed_metadata(Some(StrBytes::from_static_str("m")));
        let topic = OffsetCommitRequestTopic::default()
            .with_name(TopicName(StrBytes::from_string(name_of(id))))
            .with_partitions(vec![partition]);
        let request = OffsetCommitRequest::default()
            .with_group_id(GroupId(StrBytes::from_static_str("group")))
            .with_topics(vec![topic]);
        let mut known = BytesMut::new();
        request.encode(&mut known, 9).unwrap();
        // As a client writes it: the id in the place of the name.
        let layouts = Layouts { answer: OFFSET_COMMIT.request, ..OFFSET_COMMIT };
        let written = identified(layouts, &known).unwrap();
        assert_eq!(written.len(), known.len() - 33 + 16);
        let mut read = named(OFFSET_COMMIT, &written).unwrap();
        assert_eq!(read, known);
        assert_eq!(OffsetCommitRequest::decode(&mut read, 9).unwrap(), request);
        assert_eq!(id_of(&name_of(id)), Some(id));
    }

    #[test]
    fn an_empty_list_is_passed_over_whatever_is_in_its_layout() {
        let mut body = BytesMut::new();
        body.put_slice(&[1, 1, 0]);
        assert_eq!(rewrite("[s [t [i]] h] *i", &body, true).unwrap(), body);
        assert_eq!(rewrite("[s [t [i]] h] *i", &[1, 1], true), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            for layouts in [OFFSET_COMMIT, OFFSET_FETCH] {
                let _either = (named(layouts, &bytes), identified(layouts, &bytes));
            }
        }
    }
}
