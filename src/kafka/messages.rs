//! Requests and answers that are not on the hot path, each in the oldest version that does its work.
//!
//! Kafka keeps these versions for the clients that are in use (KIP-896), and they have neither tagged fields nor
//! compact types. Transactions are those of protocol 1: partitions are added to a transaction before they are
//! written to.

use std::collections::HashMap;
use std::sync::Arc;

use super::code::Code;
use super::codec::{Reader, push_bytes, push_count, push_nullable, push_string};
use super::place::Place;

/// What is asked of brokers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Api {
    Produce,
    Metadata,
    FindCoordinator,
    SaslHandshake,
    Versions,
    InitProducerId,
    AddPartitions,
    EndTransaction,
    SaslAuthenticate,
}

impl Api {
    /// Its number.
    pub(super) const fn key(self) -> i16 {
        match self {
            Self::Produce => 0,
            Self::Metadata => 3,
            Self::FindCoordinator => 10,
            Self::SaslHandshake => 17,
            Self::Versions => 18,
            Self::InitProducerId => 22,
            Self::AddPartitions => 24,
            Self::EndTransaction => 26,
            Self::SaslAuthenticate => 36,
        }
    }

    /// The lowest and the highest version that is written here.
    pub(super) const fn versions(self) -> (i16, i16) {
        match self {
            Self::Produce => (3, 8),
            Self::Metadata => (4, 4),
            Self::FindCoordinator => (1, 2),
            Self::SaslHandshake => (1, 1),
            Self::Versions | Self::SaslAuthenticate => (0, 0),
            Self::InitProducerId => (0, 1),
            Self::AddPartitions | Self::EndTransaction => (0, 2),
        }
    }
}

/// For each API that a broker has, by its number: the lowest and the highest version.
pub(super) type Versions = HashMap<i16, (i16, i16)>;

pub(super) fn read_versions(answer: &[u8]) -> Option<(Code, Versions)> {
    let mut reader = Reader::new(answer);
    let code = Code(reader.i16()?);
    let versions = reader.each(|one| Some((one.i16()?, (one.i16()?, one.i16()?))))?;
    Some((code, versions.into_iter().collect()))
}

/// Asks for the brokers, and for where these topics are; no topic is made by asking.
pub(super) fn push_metadata(topics: &[Arc<str>], out: &mut Vec<u8>) {
    push_count(topics.len(), out);
    topics.iter().for_each(|topic| push_string(topic, out));
    out.push(0);
}

/// What a broker knows of its cluster.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Metadata {
    /// Number and address.
    pub(super) brokers: Vec<(i32, String)>,
    pub(super) topics: Vec<TopicMetadata>,
}

/// Where a topic is.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TopicMetadata {
    pub(super) code: Code,
    pub(super) name: String,
    /// Partition and its leader; -1 when it has none.
    pub(super) leaders: Vec<(i32, i32)>,
}

pub(super) fn read_metadata(answer: &[u8]) -> Option<Metadata> {
    let mut reader = Reader::new(answer);
    let _throttle_ms = reader.i32()?;
    let brokers = reader.each(|one| {
        let node = one.i32()?;
        let address = read_address(one)?;
        let _rack = one.string()?;
        Some((node, address))
    })?;
    let _cluster = reader.string()?;
    let _controller = reader.i32()?;
    let topics = reader.each(|one| {
        let code = Code(one.i16()?);
        let name = one.string()?.to_owned();
        let _is_internal = one.bool()?;
        let leaders = one.each(|partition| {
            let _code = partition.i16()?;
            let (number, leader) = (partition.i32()?, partition.i32()?);
            let _replicas = partition.each(Reader::i32)?;
            let _in_sync = partition.each(Reader::i32)?;
            Some((number, leader))
        })?;
        Some(TopicMetadata { code, name, leaders })
    })?;
    Some(Metadata { brokers, topics })
}

/// A host and a port, as `host:port`; an IPv6 address in brackets.
fn read_address(reader: &mut Reader<'_>) -> Option<String> {
    let (host, port) = (reader.string()?, reader.i32()?);
    Some(if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") })
}

/// Asks which broker coordinates a transactional id.
pub(super) fn push_find_coordinator(transactional_id: &str, out: &mut Vec<u8>) {
    push_string(transactional_id, out);
    out.push(1);
}

/// The coordinator's address.
pub(super) fn read_find_coordinator(answer: &[u8]) -> Option<(Code, String)> {
    let mut reader = Reader::new(answer);
    let _throttle_ms = reader.i32()?;
    let code = Code(reader.i16()?);
    let _words = reader.string()?;
    let _node = reader.i32()?;
    Some((code, read_address(&mut reader)?))
}

/// A producer's id and epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// The id.
    pub id: i64,
    /// Rises with each life of a transactional id.
    pub epoch: i16,
}

/// Asks for a producer id; with a transactional id its former producer is fenced and its open transaction aborted.
pub(super) fn push_init(transaction: Option<(&str, i32)>, out: &mut Vec<u8>) {
    let (id, timeout_ms) = transaction.unzip();
    push_nullable(id, out);
    out.extend_from_slice(&timeout_ms.unwrap_or(i32::MAX).to_be_bytes());
}

pub(super) fn read_init(answer: &[u8]) -> Option<(Code, Identity)> {
    let mut reader = Reader::new(answer);
    let _throttle_ms = reader.i32()?;
    let code = Code(reader.i16()?);
    Some((code, Identity { id: reader.i64()?, epoch: reader.i16()? }))
}

fn push_producer(transactional_id: &str, producer: Identity, out: &mut Vec<u8>) {
    push_string(transactional_id, out);
    out.extend_from_slice(&producer.id.to_be_bytes());
    out.extend_from_slice(&producer.epoch.to_be_bytes());
}

/// Adds partitions to the transaction; `places` are sorted by topic.
pub(super) fn push_add_partitions(
    transactional_id: &str,
    producer: Identity,
    places: &[Place],
    out: &mut Vec<u8>,
) {
    push_producer(transactional_id, producer, out);
    let topics = || places.chunk_by(|one, next| one.0 == next.0);
    push_count(topics().count(), out);
    for topic in topics() {
        push_string(topic.first().map_or("", |place| &place.0), out);
        push_count(topic.len(), out);
        topic.iter().for_each(|place| out.extend_from_slice(&place.1.to_be_bytes()));
    }
}

/// The first error that says why; the others of a refused request only say that they were not tried.
pub(super) fn read_add_partitions(answer: &[u8]) -> Option<(Code, String)> {
    const NOT_ATTEMPTED: Code = Code(55);
    let mut reader = Reader::new(answer);
    let _throttle_ms = reader.i32()?;
    let topics = reader.each(|one| {
        let topic = one.string()?;
        let codes = one.each(|partition| {
            let _number = partition.i32()?;
            partition.i16().map(Code)
        })?;
        Some((topic, codes))
    })?;
    let refused = topics.iter().flat_map(|(topic, codes)| codes.iter().map(|code| (*code, *topic)));
    let mut refused: Vec<_> = refused.filter(|(code, _)| *code != Code::NONE).collect();
    refused.sort_by_key(|(code, _)| *code == NOT_ATTEMPTED);
    let (code, topic) = refused.first().copied().unwrap_or((Code::NONE, ""));
    Some((code, topic.to_owned()))
}

/// Commits the transaction.
pub(super) fn push_commit(transactional_id: &str, producer: Identity, out: &mut Vec<u8>) {
    push_producer(transactional_id, producer, out);
    out.push(1);
}

pub(super) fn read_end(answer: &[u8]) -> Option<Code> {
    let mut reader = Reader::new(answer);
    let _throttle_ms = reader.i32()?;
    reader.i16().map(Code)
}

/// Names the SASL mechanism; what comes back are those that the broker has.
pub(super) fn push_handshake(mechanism: &str, out: &mut Vec<u8>) {
    push_string(mechanism, out);
}

pub(super) fn read_handshake(answer: &[u8]) -> Option<(Code, Vec<String>)> {
    let mut reader = Reader::new(answer);
    let code = Code(reader.i16()?);
    Some((code, reader.each(|one| one.string().map(str::to_owned))?))
}

/// One step of the SASL exchange.
pub(super) fn push_authenticate(step: &[u8], out: &mut Vec<u8>) {
    push_bytes(step, out);
}

/// The broker's words on an error, and its step.
pub(super) fn read_authenticate(answer: &[u8]) -> Option<(Code, String, Vec<u8>)> {
    let mut reader = Reader::new(answer);
    let code = Code(reader.i16()?);
    let words = reader.string()?.to_owned();
    Some((code, words, reader.bytes()?.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn metadata_is_read_as_a_broker_writes_it() {
        let mut answer = 0i32.to_be_bytes().to_vec();
        push_count(1, &mut answer);
        answer.extend_from_slice(&7i32.to_be_bytes());
        push_string("::1", &mut answer);
        answer.extend_from_slice(&9092i32.to_be_bytes());
        push_nullable(None, &mut answer);
        push_nullable(Some("cluster"), &mut answer);
        answer.extend_from_slice(&7i32.to_be_bytes());
        push_count(1, &mut answer);
        answer.extend_from_slice(&[0, 0]);
        push_string("logs", &mut answer);
        answer.push(0);
        push_count(1, &mut answer);
        answer.extend_from_slice(&[0, 0]);
        for number in [0i32, 7, 1, 7, 1, 7] {
            answer.extend_from_slice(&number.to_be_bytes());
        }
        let topic =
            TopicMetadata { code: Code::NONE, name: "logs".to_owned(), leaders: vec![(0, 7)] };
        let expected =
            Metadata { brokers: vec![(7, "[::1]:9092".to_owned())], topics: vec![topic] };
        assert_eq!(read_metadata(&answer), Some(expected));
    }

    #[test]
    fn the_reason_is_told_and_not_that_others_were_not_tried() {
        let mut answer = 0i32.to_be_bytes().to_vec();
        push_count(2, &mut answer);
        for (topic, code) in [("a", 55i16), ("b", 29)] {
            push_string(topic, &mut answer);
            push_count(1, &mut answer);
            answer.extend_from_slice(&0i32.to_be_bytes());
            answer.extend_from_slice(&code.to_be_bytes());
        }
        assert_eq!(read_add_partitions(&answer), Some((Code(29), "b".to_owned())));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(answer: Vec<u8>) {
            let _any = (read_versions(&answer), read_metadata(&answer), read_init(&answer));
            let _any = (read_find_coordinator(&answer), read_add_partitions(&answer));
            let _any = (read_end(&answer), read_handshake(&answer), read_authenticate(&answer));
        }
    }
}
