//! What a client bounds, and what it says of sessions: limits of an answer hold for the whole answer (KIP-74), and the
//! epoch tells a request that names everything (KIP-227).

use anabranch::wire::{Builder, Codec, Stamp};
use anabranch_record::Record;
use anabranch_record::stored::push_record;
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{
    ApiKey, BrokerId, CreateTopicsRequest, FetchRequest, FetchResponse, ProduceRequest,
    RequestKind, ResponseKind, TopicName,
};

use super::raw::{ask, text};
use crate::support::Agent;

const TOPIC: &str = "limits";
const PARTITIONS: i32 = 4;
/// The highest version of Fetch that names topics.
const FETCH: i16 = 12;

fn name() -> TopicName {
    TopicName(text(TOPIC))
}

/// A batch with one record of so many bytes.
fn batch(bytes: usize) -> Vec<u8> {
    let mut builder = Builder::new(Codec::None, None);
    let mut batch = Vec::new();
    builder.begin(&mut batch);
    let value = vec![7; bytes];
    push_record(
        &Record { value: Some(&value), ..Record::default() },
        (0, 0),
        &[],
        builder.records(),
    );
    let stamp =
        Stamp { base_timestamp_ms: 0, max_timestamp_ms: 0, count: 1, producer: (-1, -1, -1) };
    builder.finish(stamp, &mut batch).unwrap();
    batch
}

/// A topic whose partitions have two batches each of so many bytes; gives the size of one in the log.
fn fill(address: &str, bytes: usize) -> usize {
    let topic = CreatableTopic::default()
        .with_name(name())
        .with_num_partitions(PARTITIONS)
        .with_replication_factor(1);
    let request = CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(10_000);
    let made = ask(address, ApiKey::CreateTopics, 5, &RequestKind::CreateTopics(request));
    let Some(ResponseKind::CreateTopics(made)) = made else { panic!("no topic") };
    assert_eq!(made.topics[0].error_code, 0);
    let batch = batch(bytes);
    for _ in 0..2 {
        let data = |number| {
            PartitionProduceData::default()
                .with_index(number)
                .with_records(Some(batch.clone().into()))
        };
        let data = TopicProduceData::default()
            .with_name(name())
            .with_partition_data((0..PARTITIONS).map(data).collect());
        let request = ProduceRequest::default()
            .with_acks(-1)
            .with_timeout_ms(10_000)
            .with_topic_data(vec![data]);
        let done = ask(address, ApiKey::Produce, 9, &RequestKind::Produce(request));
        let Some(ResponseKind::Produce(done)) = done else { panic!("nothing was produced") };
        for one in &done.responses[0].partition_responses {
            assert_eq!(one.error_code, 0);
        }
    }
    batch.len()
}

fn fetch(max_bytes: usize, partition_max_bytes: usize) -> FetchRequest {
    let one = |number| {
        FetchPartition::default()
            .with_partition(number)
            .with_fetch_offset(0)
            .with_partition_max_bytes(i32::try_from(partition_max_bytes).unwrap())
    };
    let topic = FetchTopic::default()
        .with_topic(name())
        .with_partitions((0..PARTITIONS).map(one).collect());
    FetchRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_max_wait_ms(0)
        .with_min_bytes(1)
        .with_max_bytes(i32::try_from(max_bytes).unwrap())
        .with_topics(vec![topic])
}

fn answered(address: &str, request: FetchRequest) -> FetchResponse {
    let answer = ask(address, ApiKey::Fetch, FETCH, &RequestKind::Fetch(request));
    let Some(ResponseKind::Fetch(answer)) = answer else { panic!("no answer") };
    answer
}

/// Batches that each partition has in the answer.
fn batches(address: &str, request: FetchRequest, size: usize) -> Vec<usize> {
    let answer = answered(address, request);
    let partitions = answer.responses[0].partitions.iter();
    let bytes = partitions.map(|one| one.records.as_ref().map_or(0, bytes::Bytes::len));
    bytes
        .map(|bytes| {
            assert_eq!(bytes % size, 0, "no whole batches");
            bytes / size
        })
        .collect()
}

#[test]
fn only_the_first_partition_with_records_passes_a_limit_of_the_answer() {
    let folder = tempfile::tempdir().unwrap();
    let (mut agent, address) = Agent::listening(folder.path(), 1);
    let size = fill(&address, 100_000);
    for (max_bytes, partition_max_bytes, expected) in [
        // The limit of the answer: one batch for it, and no second one beside it.
        (1, 1 << 20, [1, 0, 0, 0]),
        (size + size / 2, 1 << 20, [1, 0, 0, 0]),
        (3 * size, 1 << 20, [2, 1, 0, 0]),
        (3 * size + size / 2, 1 << 20, [2, 1, 0, 0]),
        (100 * size, 1 << 20, [2, 2, 2, 2]),
        // The limit of each partition: the first passes it.
        (100 * size, 1, [1, 0, 0, 0]),
        (100 * size, size - 1, [1, 0, 0, 0]),
        (100 * size, size, [1, 1, 1, 1]),
        (2 * size + size / 2, size, [1, 1, 0, 0]),
        // No limit at all is a limit of nothing.
        (0, 0, [1, 0, 0, 0]),
    ] {
        let found = batches(&address, fetch(max_bytes, partition_max_bytes), size);
        assert_eq!(found, expected, "max_bytes {max_bytes}, of a partition {partition_max_bytes}");
    }
    agent.stop();
}

#[test]
fn an_empty_partition_leaves_the_next_one_its_first_batch() {
    let folder = tempfile::tempdir().unwrap();
    let (mut agent, address) = Agent::listening(folder.path(), 1);
    let size = fill(&address, 100_000);
    let mut request = fetch(1, 1);
    request.topics[0].partitions[0].fetch_offset = 2;
    assert_eq!(batches(&address, request, size), [0, 1, 0, 0]);
    agent.stop();
}

#[test]
fn the_hubs_own_limit_holds_as_one_of_the_client_does_and_is_not_waited_beyond() {
    let folder = tempfile::tempdir().unwrap();
    let (mut agent, address) = Agent::listening(folder.path(), 1);
    // Two batches of each are 8 MB less a little for the first four: the limit of 8 MiB has room for no ninth.
    let size = fill(&address, 1_040_000);
    let all = batches(&address, fetch(usize::MAX >> 33, 1 << 30), size);
    assert_eq!(all, [2, 2, 2, 2]);
    let least = all.iter().sum::<usize>() * size;
    // More than an answer can have is asked for: it comes at once, and not when the wait of a minute is over. The
    // connection gives up after ten seconds.
    let waits = fetch(3 * size, 1 << 30)
        .with_min_bytes(i32::try_from(4 * least).unwrap())
        .with_max_wait_ms(60_000);
    assert_eq!(batches(&address, waits, size), [2, 1, 0, 0]);
    agent.stop();
}

#[test]
fn the_epoch_tells_a_request_that_names_everything_whatever_its_session() {
    let folder = tempfile::tempdir().unwrap();
    let (mut agent, address) = Agent::listening(folder.path(), 1);
    let size = fill(&address, 1000);
    for session in [0, -1, 5, i32::MAX] {
        for epoch in [0, -1] {
            let request = || fetch(1 << 20, 1 << 20).with_session_id(session);
            let request = request().with_session_epoch(epoch);
            let answer = answered(&address, request.clone());
            assert_eq!((answer.error_code, answer.session_id), (0, 0), "{session} {epoch}");
            assert_eq!(batches(&address, request, size), [2, 2, 2, 2], "{session} {epoch}");
        }
        for epoch in [1, 7, i32::MAX] {
            let request = fetch(1 << 20, 1 << 20).with_session_id(session);
            let answer = answered(&address, request.with_session_epoch(epoch));
            let found = (answer.error_code, answer.responses.len());
            assert_eq!(found, (70, 0), "session {session}, epoch {epoch}");
        }
    }
    agent.stop();
}
