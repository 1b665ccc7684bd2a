//! A topic of a conversation's own: what goes into it and comes out.

use std::sync::LazyLock;

use anabranch::wire::batch_header::stamp;
use anabranch::wire::{Builder, Codec, Stamp};
use anabranch_connectors::contract::clock::now_ms;
use anabranch_record::Record;
use anabranch_record::stored::push_record;
use bytes::Bytes;
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::describe_producers_request::TopicRequest;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::*;

use super::super::cases::{text, topic};
use super::player::Player;

/// The time of the first record of each batch, ms: a while ago, so that markers have a later one.
pub(super) fn time_ms() -> i64 {
    static TIME_MS: LazyLock<i64> = LazyLock::new(|| now_ms() - 60_000);
    *TIME_MS
}

/// A batch's producer: id, epoch, base sequence.
pub(super) type From = (i64, i16, i32);

/// Makes a topic with two partitions.
pub(super) fn make(player: &Player) -> String {
    let name = format!("talk{}", player.suffix);
    let one = CreatableTopic::default()
        .with_name(topic(&name))
        .with_num_partitions(2)
        .with_replication_factor(1);
    let request = CreateTopicsRequest::default().with_topics(vec![one]).with_timeout_ms(10_000);
    let made = player.peek(move |_| request.clone());
    assert_eq!(made.topics[0].error_code, 0, "{name}");
    player.wait("the topic's leaders", list_offsets(&name, 0, -1), |answer| {
        answer.topics[0].partitions[0].error_code == 0
    });
    name
}

pub(super) fn unmake(player: &Player, name: &str) {
    let state = delete_topics_request::DeleteTopicState::default().with_name(Some(topic(name)));
    let names = vec![topic(name)];
    player.peek(move |version| {
        let request = DeleteTopicsRequest::default().with_timeout_ms(10_000);
        if version >= 6 {
            request.with_topics(vec![state.clone()])
        } else {
            request.with_topic_names(names.clone())
        }
    });
}

/// So many records of a producer.
pub(super) fn batch(producer: From, count: i32, is_transactional: bool) -> Bytes {
    let mut builder = Builder::new(Codec::None, None);
    let mut batch = Vec::new();
    builder.begin(&mut batch);
    for number in 0..i64::from(count) {
        let record = Record { value: Some(b"value"), ..Record::default() };
        push_record(&record, (number, number), &[], builder.records());
    }
    let last_ms = time_ms() + i64::from(count) - 1;
    let times = Stamp { base_timestamp_ms: time_ms(), max_timestamp_ms: last_ms, count, producer };
    builder.finish(times, &mut batch).unwrap();
    if is_transactional {
        stamp(&mut batch, producer, true);
    }
    batch.into()
}

/// Sends a batch to a partition, in a transaction if its id is given.
pub(super) fn produce(
    (name, partition): (&str, i32),
    transaction: Option<&str>,
    records: &Bytes,
) -> impl Fn(i16) -> ProduceRequest + use<> {
    let data =
        PartitionProduceData::default().with_index(partition).with_records(Some(records.clone()));
    let data = TopicProduceData::default().with_name(topic(name)).with_partition_data(vec![data]);
    let request = ProduceRequest::default()
        .with_transactional_id(transaction.map(|id| TransactionalId(text(id))))
        .with_acks(-1)
        .with_timeout_ms(5000)
        .with_topic_data(vec![data]);
    move |_| request.clone()
}

/// Reads a partition from an offset on, with an isolation level.
pub(super) fn fetch(
    (name, partition): (&str, i32),
    offset: i64,
    isolation: i8,
) -> impl Fn(i16) -> FetchRequest + use<> {
    let partition = FetchPartition::default()
        .with_partition(partition)
        .with_fetch_offset(offset)
        .with_partition_max_bytes(1 << 20);
    let topics = FetchTopic::default().with_topic(topic(name)).with_partitions(vec![partition]);
    let request = FetchRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_max_wait_ms(10)
        .with_min_bytes(1)
        .with_max_bytes(1 << 20)
        .with_isolation_level(isolation)
        .with_topics(vec![topics]);
    move |_| request.clone()
}

/// The offset of a time in the first partition; the isolation level counts from version 2 on.
pub(super) fn list_offsets(
    name: &str,
    isolation: i8,
    time: i64,
) -> impl Fn(i16) -> ListOffsetsRequest + use<> {
    let one = ListOffsetsPartition::default().with_timestamp(time);
    let topics = ListOffsetsTopic::default().with_name(topic(name)).with_partitions(vec![one]);
    move |version| {
        let request = ListOffsetsRequest::default()
            .with_replica_id(BrokerId(-1))
            .with_topics(vec![topics.clone()]);
        if version >= 2 { request.with_isolation_level(isolation) } else { request }
    }
}

/// Who has written to both partitions.
pub(super) fn describe_producers(name: &str) -> impl Fn(i16) -> DescribeProducersRequest + use<> {
    let one = TopicRequest::default().with_name(topic(name)).with_partition_indexes(vec![0, 1]);
    move |_| DescribeProducersRequest::default().with_topics(vec![one.clone()])
}
