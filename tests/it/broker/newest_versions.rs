//! The last versions of Kafka 4.3.1, some of which the decoder of the tests does not know: topics by their ids in
//! `Produce`, `OffsetCommit` and `OffsetFetch`, the newest kinds of `ListOffsets`, and folders in `DescribeLogDirs`.

use std::io::{Read, Write};

use anabranch::wire::{Builder, Codec, Stamp};
use anabranch_record::Record;
use anabranch_record::stored::push_record;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{
    ApiKey, BrokerId, DescribeLogDirsResponse, ListOffsetsRequest, ListOffsetsResponse,
    MetadataRequest, ProduceRequest, RequestKind, ResponseKind, TopicName,
};
use kafka_protocol::protocol::{Decodable, Encodable};
use uuid::Uuid;

use super::raw::{ask, connect, text};
use crate::support::Agent;

const TOPIC: &str = "newest";
const UNKNOWN_ID: i16 = 100;

/// The id of the topic, which is made by asking for it.
fn id(address: &str) -> Uuid {
    let topic = kafka_protocol::messages::metadata_request::MetadataRequestTopic::default()
        .with_name(Some(TopicName(text(TOPIC))));
    let request = MetadataRequest::default()
        .with_topics(Some(vec![topic]))
        .with_allow_auto_topic_creation(true);
    let answer = ask(address, ApiKey::Metadata, 13, &RequestKind::Metadata(request));
    let Some(ResponseKind::Metadata(answer)) = answer else { panic!("no metadata") };
    assert_eq!((answer.error_code, answer.topics[0].error_code), (0, 0));
    answer.topics[0].topic_id
}

fn produce(address: &str, version: i16, id: Uuid) -> (i16, i64, Uuid) {
    let mut builder = Builder::new(Codec::None, None);
    let mut batch = Vec::new();
    builder.begin(&mut batch);
    push_record(&Record { value: Some(b"x"), ..Record::default() }, (0, 0), &[], builder.records());
    let stamp =
        Stamp { base_timestamp_ms: 0, max_timestamp_ms: 0, count: 1, producer: (-1, -1, -1) };
    builder.finish(stamp, &mut batch).unwrap();
    let data = PartitionProduceData::default().with_index(0).with_records(Some(batch.into()));
    let data = TopicProduceData::default().with_partition_data(vec![data]);
    let data =
        if version >= 13 { data.with_topic_id(id) } else { data.with_name(TopicName(text(TOPIC))) };
    let request =
        ProduceRequest::default().with_acks(-1).with_timeout_ms(10_000).with_topic_data(vec![data]);
    let done = ask(address, ApiKey::Produce, version, &RequestKind::Produce(request));
    let Some(ResponseKind::Produce(done)) = done else { panic!("no answer") };
    let topic = &done.responses[0];
    let partition = &topic.partition_responses[0];
    (partition.error_code, partition.base_offset, topic.topic_id)
}

#[test]
fn produce_finds_topics_by_their_ids() {
    let folder = tempfile::tempdir().unwrap();
    let (mut agent, address) = Agent::listening(folder.path(), 1);
    let id = id(&address);
    assert_eq!(produce(&address, 12, id), (0, 0, Uuid::nil()));
    assert_eq!(produce(&address, 13, id), (0, 1, id));
    let other = Uuid::from_u128(77);
    assert_eq!(produce(&address, 13, other), (UNKNOWN_ID, -1, other));
    agent.stop();
}

/// The body of the answer to a request of a flexible version.
fn exchange(address: &str, key: i16, version: i16, body: &[u8]) -> Vec<u8> {
    let head =
        [&key.to_be_bytes()[..], &version.to_be_bytes(), &7i32.to_be_bytes(), &[0xff, 0xff, 0]];
    let frame = [&head.concat(), body].concat();
    let mut stream = connect(address);
    stream.write_all(&u32::try_from(frame.len()).unwrap().to_be_bytes()).unwrap();
    stream.write_all(&frame).unwrap();
    let mut length = [0; 4];
    stream.read_exact(&mut length).expect("an answer");
    let mut answer = vec![0; usize::try_from(u32::from_be_bytes(length)).unwrap()];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(answer[..5], [0, 0, 0, 7, 0]);
    answer.split_off(5)
}

/// An `OffsetCommit` of version 10 for partition 0.
fn commit(id: Uuid, offset: i64) -> Vec<u8> {
    let mut body = vec![6];
    body.extend(b"group");
    body.extend((-1i32).to_be_bytes());
    // No member, no instance, one topic.
    body.extend([1, 0, 2]);
    body.extend(id.as_bytes());
    body.push(2);
    body.extend(0i32.to_be_bytes());
    body.extend(offset.to_be_bytes());
    body.extend((-1i32).to_be_bytes());
    body.extend([2, b'm', 0, 0, 0]);
    body
}

/// An `OffsetFetch` of version 10: partition 0 of a topic, or everything.
fn fetch(id: Option<Uuid>) -> Vec<u8> {
    let mut body = vec![2, 6];
    body.extend(b"group");
    body.push(0);
    body.extend((-1i32).to_be_bytes());
    match id {
        None => body.push(0),
        Some(id) => {
            body.push(2);
            body.extend(id.as_bytes());
            body.push(2);
            body.extend(0i32.to_be_bytes());
            body.push(0);
        }
    }
    body.extend([0, 0, 0]);
    body
}

#[test]
fn offsets_are_committed_and_fetched_by_ids() {
    let folder = tempfile::tempdir().unwrap();
    let (mut agent, address) = Agent::listening(folder.path(), 1);
    let (id, other) = (id(&address), Uuid::from_u128(77));
    let committed = |id: Uuid, code: i16| -> Vec<u8> {
        let partition = [&0i32.to_be_bytes()[..], &code.to_be_bytes(), &[0]].concat();
        [&[0, 0, 0, 0, 2][..], id.as_bytes(), &[2], &partition, &[0, 0]].concat()
    };
    assert_eq!(exchange(&address, 8, 10, &commit(id, 5)), committed(id, 0));
    assert_eq!(exchange(&address, 8, 10, &commit(other, 5)), committed(other, UNKNOWN_ID));
    let fetched = |id: Uuid, offset: i64, metadata: &[u8], code: i16| -> Vec<u8> {
        let partition = [
            &0i32.to_be_bytes()[..],
            &offset.to_be_bytes(),
            &(-1i32).to_be_bytes(),
            metadata,
            &code.to_be_bytes(),
            &[0],
        ];
        let topic = [id.as_bytes(), &[2][..], &partition.concat(), &[0]].concat();
        [&[0, 0, 0, 0, 2, 6][..], b"group", &[2], &topic, &[0, 0, 0, 0]].concat()
    };
    let found = fetched(id, 5, &[2, b'm'], 0);
    assert_eq!(exchange(&address, 9, 10, &fetch(Some(id))), found);
    assert_eq!(exchange(&address, 9, 10, &fetch(None)), found);
    let missing = fetched(other, -1, &[1], UNKNOWN_ID);
    assert_eq!(exchange(&address, 9, 10, &fetch(Some(other))), missing);
    agent.stop();
}

#[test]
fn list_offsets_knows_the_newest_kinds_of_places() {
    let folder = tempfile::tempdir().unwrap();
    let (mut agent, address) = Agent::listening(folder.path(), 1);
    let id = id(&address);
    produce(&address, 13, id);
    let code_and_offset = |version: i16, time: i64| {
        let one = ListOffsetsPartition::default().with_partition_index(0).with_timestamp(time);
        let one = one.with_current_leader_epoch(-1);
        let topic = ListOffsetsTopic::default()
            .with_name(TopicName(text(TOPIC)))
            .with_partitions(vec![one]);
        let request =
            ListOffsetsRequest::default().with_replica_id(BrokerId(-1)).with_topics(vec![topic]);
        let mut body = bytes::BytesMut::new();
        request.encode(&mut body, version.min(10)).unwrap();
        let mut answer = bytes::Bytes::from(exchange(&address, 2, version, &body));
        let answer = ListOffsetsResponse::decode(&mut answer, version.min(10)).unwrap();
        let partition = &answer.topics[0].partitions[0];
        (partition.error_code, partition.offset)
    };
    for version in 6..=11 {
        assert_eq!(code_and_offset(version, -1), (0, 1), "{version}");
        assert_eq!(code_and_offset(version, -2), (0, 0), "{version}");
    }
    assert_eq!((code_and_offset(9, -5), code_and_offset(8, -5)), ((0, -1), (35, -1)));
    assert_eq!((code_and_offset(11, -6), code_and_offset(10, -6)), ((0, -1), (35, -1)));
    agent.stop();
}

#[test]
fn a_folder_of_the_log_takes_new_partitions() {
    let folder = tempfile::tempdir().unwrap();
    let (mut agent, address) = Agent::listening(folder.path(), 1);
    id(&address);
    // All topics, and no tagged fields.
    for (version, is_cordoned) in [(4, None), (5, Some(0))] {
        let mut answer = exchange(&address, 35, version, &[0, 0]);
        if is_cordoned.is_some() {
            assert_eq!(Some(answer.remove(answer.len() - 3)), is_cordoned);
        }
        let mut answer = bytes::Bytes::from(answer);
        let told = DescribeLogDirsResponse::decode(&mut answer, 4).unwrap();
        assert!(answer.is_empty(), "version {version}: {answer:?} is left");
        let [one] = told.results.as_slice() else { panic!("{told:?}") };
        assert!(one.topics.iter().any(|topic| topic.name.as_str() == TOPIC), "{one:?}");
        assert!(one.total_bytes > one.usable_bytes && one.usable_bytes > 0, "{one:?}");
    }
    agent.stop();
}
