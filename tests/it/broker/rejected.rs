//! Records that their topic does not take are named one by one, and their neighbours with them are not to blame
//! (KIP-467).

use anabranch::wire::{Builder, Codec, Stamp};
use anabranch_connectors::contract::clock::now_ms;
use anabranch_record::Record;
use anabranch_record::stored::push_record;
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::produce_response::PartitionProduceResponse;
use kafka_protocol::messages::{
    ApiKey, CreateTopicsRequest, ProduceRequest, RequestKind, ResponseKind, TopicName,
};

use super::raw::{ask, text};
use crate::support::Agent;

const INVALID_TIMESTAMP: i16 = 32;
const INVALID_RECORD: i16 = 87;
/// The first version of Produce that names records.
const NAMING: i16 = 8;

/// A batch of records with keys or without, each with its time.
fn batch(codec: Codec, records: &[(Option<&[u8]>, i64)]) -> Vec<u8> {
    let mut builder = Builder::new(codec, None);
    let mut batch = Vec::new();
    builder.begin(&mut batch);
    let base = records[0].1;
    for (number, (key, time)) in (0..).zip(records) {
        let record = Record { key: *key, value: Some(b"value"), ..Record::default() };
        push_record(&record, (time - base, number), &[], builder.records());
    }
    let latest = records.iter().map(|(_, time)| *time).max().unwrap();
    let count = i32::try_from(records.len()).unwrap();
    let stamp =
        Stamp { base_timestamp_ms: base, max_timestamp_ms: latest, count, producer: (-1, -1, -1) };
    builder.finish(stamp, &mut batch).unwrap();
    batch
}

fn create(address: &str, name: &str, settings: &[(&str, &str)]) {
    let settings = settings.iter().map(|(name, value)| {
        CreatableTopicConfig::default().with_name(text(name)).with_value(Some(text(value)))
    });
    let topic = CreatableTopic::default()
        .with_name(TopicName(text(name)))
        .with_num_partitions(1)
        .with_replication_factor(1)
        .with_configs(settings.collect());
    let request = CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(10_000);
    let made = ask(address, ApiKey::CreateTopics, 5, &RequestKind::CreateTopics(request));
    let Some(ResponseKind::CreateTopics(made)) = made else { panic!("no topic") };
    assert_eq!(made.topics[0].error_code, 0, "{name}");
}

fn produce(address: &str, topic: &str, version: i16, batch: Vec<u8>) -> PartitionProduceResponse {
    let data = PartitionProduceData::default().with_index(0).with_records(Some(batch.into()));
    let data = TopicProduceData::default()
        .with_name(TopicName(text(topic)))
        .with_partition_data(vec![data]);
    let request =
        ProduceRequest::default().with_acks(-1).with_timeout_ms(10_000).with_topic_data(vec![data]);
    let done = ask(address, ApiKey::Produce, version, &RequestKind::Produce(request));
    let Some(ResponseKind::Produce(mut done)) = done else { panic!("no answer") };
    done.responses.remove(0).partition_responses.remove(0)
}

/// The places of the records that are named, and what is said of the first.
fn named(answer: &PartitionProduceResponse) -> (Vec<i32>, String) {
    let errors = &answer.record_errors;
    let first = errors.first().and_then(|one| one.batch_index_error_message.as_ref());
    let places = errors.iter().map(|one| one.batch_index).collect();
    (places, first.map(ToString::to_string).unwrap_or_default())
}

#[test]
fn the_one_record_without_a_key_is_named_in_every_codec() {
    let folder = tempfile::tempdir().unwrap();
    let (mut agent, address) = Agent::listening(folder.path(), 1);
    create(&address, "compacted", &[("cleanup.policy", "compact")]);
    let mut records = vec![(Some(&b"key"[..]), now_ms()); 100];
    records[37].0 = None;
    for codec in [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
        let answer = produce(&address, "compacted", NAMING, batch(codec, &records));
        assert_eq!(answer.error_code, INVALID_RECORD);
        let (places, said) = named(&answer);
        assert_eq!(places, [37], "{codec:?}");
        assert!(said.contains("without key in topic partition compacted-0"), "{said}");
        let whole = answer.error_message.unwrap().to_string();
        assert!(whole.contains("batchIndex=37"), "{whole}");
        assert_eq!((answer.base_offset, answer.log_start_offset), (-1, 0));
    }
    // Nothing of such a batch is stored, and a client that sends the others again gets through.
    records.remove(37);
    let answer = produce(&address, "compacted", NAMING, batch(Codec::None, &records));
    assert_eq!((answer.error_code, answer.base_offset), (0, 0));
    assert_eq!((answer.record_errors.len(), answer.error_message), (0, None));
    // An answer of old has no place for it.
    records[3].0 = None;
    let answer = produce(&address, "compacted", NAMING - 1, batch(Codec::None, &records));
    assert_eq!((answer.error_code, answer.record_errors.len()), (INVALID_RECORD, 0));
    agent.stop();
}

#[test]
fn a_batch_full_of_bad_records_has_an_answer_with_a_bound() {
    let folder = tempfile::tempdir().unwrap();
    let (mut agent, address) = Agent::listening(folder.path(), 1);
    create(&address, "compacted", &[("cleanup.policy", "compact")]);
    let answer =
        produce(&address, "compacted", NAMING, batch(Codec::Zstd, &vec![(None, 1); 200_000]));
    assert_eq!((answer.error_code, answer.record_errors.len()), (INVALID_RECORD, 1000));
    assert!(answer.error_message.unwrap().contains("due to 200000 record errors"));
    agent.stop();
}

#[test]
fn records_of_times_that_the_topic_does_not_take_are_named() {
    const HOUR: i64 = 3_600_000;
    let folder = tempfile::tempdir().unwrap();
    let (mut agent, address) = Agent::listening(folder.path(), 1);
    create(&address, "plain", &[]);
    create(
        &address,
        "strict",
        &[
            ("message.timestamp.before.max.ms", "3600000"),
            ("message.timestamp.after.max.ms", "60000"),
        ],
    );
    create(&address, "own-time", &[("message.timestamp.type", "LogAppendTime")]);
    let now = now_ms();
    let at = |times: &[i64]| {
        let records: Vec<_> = times.iter().map(|time| (None, now + time)).collect();
        batch(Codec::None, &records)
    };
    for (topic, times, expected) in [
        ("plain", vec![0, 2 * HOUR, -500 * HOUR], vec![1]),
        ("plain", vec![0, HOUR / 2], vec![]),
        ("strict", vec![0, HOUR / 2, -2 * HOUR, 30_000, -HOUR / 2], vec![1, 2]),
        ("strict", vec![0, 30_000], vec![]),
        ("own-time", vec![0, 20 * HOUR], vec![]),
    ] {
        let answer = produce(&address, topic, NAMING, at(&times));
        let expected_code = if expected.is_empty() { 0 } else { INVALID_TIMESTAMP };
        assert_eq!((answer.error_code, named(&answer).0), (expected_code, expected), "{topic}");
    }
    agent.stop();
}

#[test]
fn a_client_must_not_say_that_its_time_is_the_hubs() {
    let folder = tempfile::tempdir().unwrap();
    let (mut agent, address) = Agent::listening(folder.path(), 1);
    create(&address, "plain", &[]);
    let mut marked = batch(Codec::None, &[(None, now_ms()), (None, now_ms())]);
    let mut header = anabranch::wire::BatchHeader::parse(&marked).unwrap();
    header.attributes |= 8;
    header.seal(&mut marked);
    let answer = produce(&address, "plain", NAMING, marked);
    assert_eq!((answer.error_code, named(&answer).0), (INVALID_TIMESTAMP, vec![0, 1]));
    agent.stop();
}
