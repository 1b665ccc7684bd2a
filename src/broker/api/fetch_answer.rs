//! The answer to `Fetch`, written so that records are not copied: they are pieces of their own.
//!
//! ```text
//! throttle_time_ms int32, error_code int16 (7+), session_id int32 (7+), topics [
//!   name string (up to 12), topic_id uuid (13+), partitions [
//!     index int32, error_code int16, high_watermark int64, last_stable_offset int64, log_start_offset int64 (5+),
//!     aborted [ producer_id int64, first_offset int64 ] nullable, preferred_read_replica int32 (11+), records bytes
//!   ]
//! ]
//! ```
//! From version 12 on, lengths are unsigned varints of one more, and each structure ends with its tagged fields: none.
//! Of those that came with version 16 two are needed: a client that believes in an old leader epoch is told which one is
//! now (tag 1 of a partition), and where its leader is (tag 0 of the whole), so that it need not ask (KIP-951).
//! Source: Kafka's protocol guide, `FetchResponse`.

use bytes::Bytes;
use kafka_protocol::messages::TopicName;
use uuid::Uuid;

use crate::broker::outlet::Piece;
use crate::log::{Aborted, Extent};

/// Up to so many bytes are copied beside the rest of the answer: one call sends them then.
const COPY_MAX: usize = 16 << 10;
const FLEXIBLE_FROM: i16 = 12;
/// The version from which on topics are named by their ids.
pub(super) const BY_ID_FROM: i16 = 13;
/// The version from which on a client with an old leader epoch is told the new one.
const LEADER_FROM: i16 = 16;
const CURRENT_LEADER: u8 = 1;
const NODE_ENDPOINTS: u8 = 0;

/// Where the one broker is.
#[derive(Debug, Default)]
pub(super) struct Endpoint {
    pub(super) node: i32,
    pub(super) host: String,
    pub(super) port: i32,
}

/// What is answered.
#[derive(Debug, Default)]
pub(super) struct Answer {
    pub(super) error: i16,
    /// Where the leader is of those partitions that have a new one.
    pub(super) endpoint: Endpoint,
    /// Names, ids and partitions.
    pub(super) topics: Vec<(TopicName, Uuid, Vec<PartitionAnswer>)>,
}

/// What is answered of one partition.
#[derive(Debug)]
pub(super) struct PartitionAnswer {
    pub(super) index: i32,
    pub(super) error: i16,
    pub(super) high_watermark: i64,
    pub(super) last_stable_offset: i64,
    pub(super) log_start_offset: i64,
    /// `None`: not asked for.
    pub(super) aborted: Option<Vec<Aborted>>,
    /// The leader epoch that is now, for a client that believes in an older one.
    pub(super) new_epoch: Option<i32>,
    pub(super) records: Records,
}

/// Whole batches.
#[derive(Debug)]
pub(super) enum Records {
    /// In memory.
    Read(Bytes),
    /// In a file.
    Extent(Extent),
}

impl Records {
    pub(super) const NONE: Self = Self::Read(Bytes::new());

    /// Length in bytes.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Read(bytes) => bytes.len(),
            Self::Extent(extent) => extent.bytes(),
        }
    }
}

impl Answer {
    /// Bytes of records.
    pub(super) fn record_bytes(&self) -> usize {
        let partitions = self.topics.iter().flat_map(|(_, _, partitions)| partitions);
        partitions.map(|partition| partition.records.len()).sum()
    }

    /// The whole frame; `None` when it would be longer than a frame can be.
    pub(super) fn frame(self, correlation: i32, version: i16) -> Option<Vec<Piece>> {
        let (first, pieces, plain) = (None, Vec::new(), Vec::with_capacity(256));
        let mut frame = Frame { version, first, pieces, plain };
        // The length is known at the end.
        frame.int32(0);
        frame.int32(correlation);
        frame.tags();
        frame.answer(self);
        frame.finish()
    }
}

/// What is written of a frame.
struct Frame {
    version: i16,
    /// What comes before `pieces`.
    first: Option<Vec<u8>>,
    pieces: Vec<Piece>,
    plain: Vec<u8>,
}

impl Frame {
    fn answer(&mut self, answer: Answer) {
        self.int32(0);
        if self.version >= 7 {
            self.int16(answer.error);
            self.int32(0);
        }
        let partitions = answer.topics.iter().flat_map(|(_, _, partitions)| partitions);
        let has_new_leader = partitions.into_iter().any(|one| one.new_epoch.is_some());
        self.length(answer.topics.len());
        for (name, id, partitions) in answer.topics {
            if self.version >= BY_ID_FROM {
                self.plain.extend_from_slice(id.as_bytes());
            } else {
                self.string(&name);
            }
            self.length(partitions.len());
            for partition in partitions {
                let new_epoch = partition.new_epoch;
                self.partition(partition);
                self.leader(answer.endpoint.node, new_epoch);
            }
            self.tags();
        }
        self.endpoint(&answer.endpoint, has_new_leader);
    }

    /// The tagged fields of a partition.
    fn leader(&mut self, node: i32, new_epoch: Option<i32>) {
        match new_epoch.filter(|_| self.version >= LEADER_FROM) {
            None => self.tags(),
            Some(epoch) => {
                self.plain.extend_from_slice(&[1, CURRENT_LEADER, 9]);
                self.int32(node);
                self.int32(epoch);
                self.tags();
            }
        }
    }

    /// The tagged fields of the whole.
    fn endpoint(&mut self, endpoint: &Endpoint, has_new_leader: bool) {
        if self.version < LEADER_FROM || !has_new_leader {
            return self.tags();
        }
        self.plain.extend_from_slice(&[1, NODE_ENDPOINTS]);
        // One element: a number, a host with its length, a port, no rack, no tagged fields.
        let host = endpoint.host.len();
        let bytes = 1 + 4 + varint_bytes(host + 1) + host + 4 + 1 + 1;
        self.varint(bytes);
        self.length(1);
        self.int32(endpoint.node);
        self.string(&endpoint.host);
        self.int32(endpoint.port);
        self.plain.push(0);
        self.tags();
    }

    fn partition(&mut self, partition: PartitionAnswer) {
        self.int32(partition.index);
        self.int16(partition.error);
        self.int64(partition.high_watermark);
        self.int64(partition.last_stable_offset);
        if self.version >= 5 {
            self.int64(partition.log_start_offset);
        }
        match &partition.aborted {
            None if self.is_flexible() => self.plain.push(0),
            None => self.int32(-1),
            Some(aborted) => {
                self.length(aborted.len());
                for one in aborted {
                    self.int64(one.producer_id);
                    self.int64(one.first_offset);
                    self.tags();
                }
            }
        }
        if self.version >= 11 {
            self.int32(-1);
        }
        self.length(partition.records.len());
        self.records(partition.records);
    }

    fn records(&mut self, records: Records) {
        let piece = match records {
            Records::Read(bytes) if bytes.len() <= COPY_MAX => {
                return self.plain.extend_from_slice(&bytes);
            }
            Records::Read(bytes) => Piece::Bytes(bytes),
            Records::Extent(extent) => Piece::Extent(extent),
        };
        self.end_plain();
        self.pieces.push(piece);
    }

    fn end_plain(&mut self) {
        let plain = std::mem::take(&mut self.plain);
        match self.first {
            None => self.first = Some(plain),
            Some(_) if plain.is_empty() => {}
            Some(_) => self.pieces.push(Piece::Bytes(plain.into())),
        }
    }

    fn finish(mut self) -> Option<Vec<Piece>> {
        self.end_plain();
        let mut first = self.first?;
        let rest: usize = self.pieces.iter().map(Piece::len).sum();
        let length = i32::try_from(first.len().checked_sub(4)? + rest).ok()?;
        first.get_mut(..4)?.copy_from_slice(&length.to_be_bytes());
        self.pieces.insert(0, Piece::Bytes(first.into()));
        Some(self.pieces)
    }

    const fn is_flexible(&self) -> bool {
        self.version >= FLEXIBLE_FROM
    }

    fn int16(&mut self, value: i16) {
        self.plain.extend_from_slice(&value.to_be_bytes());
    }

    fn int32(&mut self, value: i32) {
        self.plain.extend_from_slice(&value.to_be_bytes());
    }

    fn int64(&mut self, value: i64) {
        self.plain.extend_from_slice(&value.to_be_bytes());
    }

    /// The length of an array or of bytes.
    fn length(&mut self, length: usize) {
        if !self.is_flexible() {
            return self.int32(i32::try_from(length).unwrap_or(i32::MAX));
        }
        self.varint(length + 1);
    }

    fn string(&mut self, text: &str) {
        if self.is_flexible() {
            self.varint(text.len() + 1);
        } else {
            self.int16(i16::try_from(text.len()).unwrap_or(i16::MAX));
        }
        self.plain.extend_from_slice(text.as_bytes());
    }

    fn varint(&mut self, mut rest: usize) {
        loop {
            let [low, ..] = rest.to_le_bytes();
            rest >>= 7;
            if rest == 0 {
                return self.plain.push(low & 0x7f);
            }
            self.plain.push(low | 0x80);
        }
    }

    /// No tagged fields.
    fn tags(&mut self) {
        if self.is_flexible() {
            self.plain.push(0);
        }
    }
}

/// Bytes of a varint.
const fn varint_bytes(value: usize) -> usize {
    match value {
        0..0x80 => 1,
        0x80..0x4000 => 2,
        _ => 3,
    }
}

#[cfg(test)]
mod tests {
    use kafka_protocol::messages::fetch_response::{
        AbortedTransaction, FetchableTopicResponse, LeaderIdAndEpoch, NodeEndpoint, PartitionData,
    };
    use kafka_protocol::messages::{BrokerId, FetchResponse, ProducerId};
    use kafka_protocol::protocol::{Decodable, StrBytes};

    use super::*;

    fn partition(index: i32, records: &'static [u8], aborted: Option<i64>) -> PartitionAnswer {
        let one = |id: i64| vec![Aborted { producer_id: id, first_offset: 8, last_offset: 9 }];
        PartitionAnswer {
            index,
            error: 3,
            high_watermark: 1 << 40,
            last_stable_offset: 77,
            log_start_offset: 5,
            aborted: aborted.map(one),
            new_epoch: (index == 200).then_some(9),
            records: Records::Read(Bytes::from_static(records)),
        }
    }

    fn expected(version: i16, partition: &PartitionAnswer) -> PartitionData {
        let one = |one: &Aborted| {
            AbortedTransaction::default()
                .with_producer_id(ProducerId(one.producer_id))
                .with_first_offset(one.first_offset)
        };
        let Records::Read(records) = &partition.records else { unreachable!("none in a file") };
        let leader = |epoch| {
            LeaderIdAndEpoch::default().with_leader_id(BrokerId(1)).with_leader_epoch(epoch)
        };
        let leader = partition.new_epoch.filter(|_| version >= LEADER_FROM).map(leader);
        PartitionData::default()
            .with_current_leader(leader.unwrap_or_default())
            .with_partition_index(partition.index)
            .with_error_code(partition.error)
            .with_high_watermark(partition.high_watermark)
            .with_last_stable_offset(partition.last_stable_offset)
            .with_log_start_offset(if version >= 5 { partition.log_start_offset } else { -1 })
            .with_aborted_transactions(
                partition.aborted.as_ref().map(|all| all.iter().map(one).collect()),
            )
            .with_records(Some(records.clone()))
    }

    #[test]
    fn the_protocols_own_decoder_reads_every_version() {
        static LARGE: [u8; 2 * COPY_MAX] = [7; 2 * COPY_MAX];
        for version in 4..=18 {
            let partitions = || {
                vec![
                    partition(0, b"", None),
                    partition(1, &LARGE, Some(4)),
                    partition(200, b"abc", Some(5)),
                ]
            };
            let name = TopicName(StrBytes::from_static_str("events"));
            let id = Uuid::from_u128(7 << 100);
            let topics = vec![(name.clone(), id, partitions()), (name.clone(), id, Vec::new())];
            let host = "a-host.of.the.hub".to_owned();
            let endpoint = Endpoint { node: 1, host: host.clone(), port: 9092 };
            let frame = Answer { error: 70, endpoint, topics }.frame(42, version).unwrap();
            let mut bytes = Vec::new();
            for piece in frame {
                let Piece::Bytes(piece) = piece else { unreachable!("nothing is in a file") };
                bytes.extend_from_slice(&piece);
            }
            let tags = usize::from(version >= FLEXIBLE_FROM);
            let length = i32::from_be_bytes(*bytes.first_chunk().unwrap());
            assert_eq!(usize::try_from(length).unwrap(), bytes.len() - 4);
            assert_eq!(bytes[4..8], 42i32.to_be_bytes());
            let mut body = Bytes::from(bytes).slice(8 + tags..);
            let read = FetchResponse::decode(&mut body, version).unwrap();
            assert!(body.is_empty(), "{} bytes are left in version {version}", body.len());
            let data = partitions().iter().map(|one| expected(version, one)).collect();
            let topic = FetchableTopicResponse::default();
            let topic = if version >= BY_ID_FROM {
                topic.with_topic_id(id)
            } else {
                topic.with_topic(name.clone())
            };
            let responses = vec![topic.clone().with_partitions(data), topic];
            let error = if version >= 7 { 70 } else { 0 };
            let endpoint = NodeEndpoint::default()
                .with_node_id(BrokerId(1))
                .with_host(StrBytes::from_string(host))
                .with_port(9092);
            let endpoints = if version >= LEADER_FROM { vec![endpoint] } else { Vec::new() };
            let expected = FetchResponse::default()
                .with_error_code(error)
                .with_node_endpoints(endpoints)
                .with_responses(responses);
            assert_eq!(read, expected, "version {version}");
        }
    }
}
