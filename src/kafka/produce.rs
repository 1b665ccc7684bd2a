//! Produce requests (versions 3 to 8): heads are written, batches are sent from where they are.
//!
//! | bytes  | field                                                  |
//! |--------|--------------------------------------------------------|
//! | string | transactional id or null                               |
//! | 2      | acks: -1, 1, 0                                         |
//! | 4      | how long the leader waits for replicas, ms             |
//! | array  | topics: name, array of partition, length, **batch**    |
//!
//! Source: Kafka protocol guide, "Produce API".

use super::batch::Batch;
use super::code::Code;
use super::codec::{Reader, push_count, push_nullable, push_string};

/// What all requests of a producer have in common.
#[derive(Debug, Clone)]
pub(super) struct Terms {
    pub(super) transactional_id: Option<String>,
    pub(super) acks: i16,
    pub(super) timeout_ms: i32,
}

/// The bytes of a request around its batches.
#[derive(Debug, Default)]
pub(super) struct Envelope {
    pub(super) bytes: Vec<u8>,
    /// After how many of these bytes each batch stands.
    cuts: Vec<usize>,
}

impl Envelope {
    /// Appends a request for `batches`, which are of one partition each and sorted by topic, to `head`.
    pub(super) fn new(head: Vec<u8>, terms: &Terms, batches: &[&Batch]) -> Self {
        let (mut bytes, mut cuts) = (head, Vec::with_capacity(batches.len()));
        push_nullable(terms.transactional_id.as_deref(), &mut bytes);
        bytes.extend_from_slice(&terms.acks.to_be_bytes());
        bytes.extend_from_slice(&terms.timeout_ms.to_be_bytes());
        let topics = || batches.chunk_by(|one, next| one.place.0 == next.place.0);
        push_count(topics().count(), &mut bytes);
        for topic in topics() {
            push_string(topic.first().map_or("", |batch| &batch.place.0), &mut bytes);
            push_count(topic.len(), &mut bytes);
            for batch in topic {
                bytes.extend_from_slice(&batch.place.1.to_be_bytes());
                push_count(batch.bytes.len(), &mut bytes);
                cuts.push(bytes.len());
            }
        }
        Self { bytes, cuts }
    }

    /// The request in order, for one vectored write.
    pub(super) fn pieces<'a>(&'a self, batches: &[&'a Batch]) -> Vec<&'a [u8]> {
        let (mut pieces, mut from) = (Vec::with_capacity(2 * batches.len()), 0);
        for (cut, batch) in self.cuts.iter().zip(batches) {
            pieces.push(self.bytes.get(from..*cut).unwrap_or_default());
            pieces.push(batch.bytes.as_slice());
            from = *cut;
        }
        pieces
    }
}

/// What became of one partition's batch.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Outcome<'a> {
    pub(super) topic: &'a str,
    pub(super) partition: i32,
    pub(super) code: Code,
    /// Offset of the batch's first record; negative when it is not known.
    pub(super) base_offset: i64,
}

/// Reads the answer to a request of that version.
pub(super) fn read(answer: &[u8], version: i16) -> Option<Vec<Outcome<'_>>> {
    let mut reader = Reader::new(answer);
    let topics = reader.each(|one| {
        let topic = one.string()?;
        one.each(|partition| {
            let (number, code) = (partition.i32()?, Code(partition.i16()?));
            let base_offset = partition.i64()?;
            let _append_time = partition.i64()?;
            if version >= 5 {
                let _log_start = partition.i64()?;
            }
            if version >= 8 {
                let _records = partition.each(|record| {
                    let _number = record.i32()?;
                    record.string()
                })?;
                let _words = partition.string()?;
            }
            Some(Outcome { topic, partition: number, code, base_offset })
        })
    })?;
    Some(topics.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn batch(topic: &str, partition: i32, bytes: &[u8]) -> Batch {
        Batch::new((topic.into(), partition), bytes.to_vec().into(), 1)
    }

    #[test]
    fn batches_stand_behind_their_partition_and_length() {
        let batches = [batch("a", 1, b"one"), batch("a", 2, b"two"), batch("b", 0, b"three")];
        let batches: Vec<&Batch> = batches.iter().collect();
        let terms = Terms { transactional_id: Some("me".to_owned()), acks: -1, timeout_ms: 5 };
        let envelope = Envelope::new(Vec::new(), &terms, &batches);
        let sent = envelope.pieces(&batches).concat();
        let mut reader = Reader::new(&sent);
        assert_eq!((reader.string(), reader.i16(), reader.i32()), (Some("me"), Some(-1), Some(5)));
        let topics = reader.each(|one| {
            let topic = one.string()?;
            one.each(|partition| Some((topic, partition.i32()?, partition.bytes()?)))
        });
        let expected = [("a", 1, &b"one"[..]), ("a", 2, b"two"), ("b", 0, b"three")];
        assert_eq!(topics.map(|topics| topics.concat()), Some(expected.to_vec()));
    }

    #[test]
    fn an_answer_is_read_in_every_version() {
        for version in 3..=8 {
            let mut answer = Vec::new();
            push_count(1, &mut answer);
            push_string("logs", &mut answer);
            push_count(1, &mut answer);
            answer.extend_from_slice(&3i32.to_be_bytes());
            answer.extend_from_slice(&6i16.to_be_bytes());
            answer.extend_from_slice(&7i64.to_be_bytes());
            answer.extend_from_slice(&[0; 8]);
            if version >= 5 {
                answer.extend_from_slice(&[0; 8]);
            }
            if version >= 8 {
                push_count(1, &mut answer);
                answer.extend_from_slice(&[0; 4]);
                push_nullable(None, &mut answer);
                push_nullable(Some("no"), &mut answer);
            }
            answer.extend_from_slice(&[0; 4]);
            let expected = Outcome { topic: "logs", partition: 3, code: Code(6), base_offset: 7 };
            assert_eq!(read(&answer, version), Some(vec![expected]));
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(answer: Vec<u8>, version in 3i16..9) {
            let _any = read(&answer, version);
        }
    }
}
