//! Compacted topics as a client of Kafka's protocol sees them: librdkafka writes, waits until the hub has compacted, and
//! reads, also after a kill.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use rdkafka::admin::{
    AdminClient, AdminOptions, AlterConfig, NewTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use rdkafka::{Offset, TopicPartitionList};

use crate::support::{Agent, free_port, wait_until};

const TOPIC: &str = "state";
const PATIENCE: Duration = Duration::from_secs(60);
const KEYS: usize = 40;
/// Values of about 4 KiB: 40 keys are 160 KiB, and twenty times that are three segments.
const ROUNDS: usize = 20;

fn client(address: &str) -> ClientConfig {
    let mut client = ClientConfig::new();
    client.set("bootstrap.servers", address);
    client
}

async fn create(address: &str, settings: &[(&str, &str)]) {
    let admin: AdminClient<DefaultClientContext> = client(address).create().unwrap();
    let mut topic = NewTopic::new(TOPIC, 1, TopicReplication::Fixed(1));
    for (name, value) in settings {
        topic = topic.set(name, value);
    }
    let created = admin.create_topics(&[topic], &AdminOptions::new()).await.unwrap();
    assert_eq!(created, [Ok(TOPIC.to_owned())]);
}

/// Makes the topic one that is compacted: from here on, not while it is being written on a slow machine.
async fn compact(address: &str) {
    let admin: AdminClient<DefaultClientContext> = client(address).create().unwrap();
    let settings = AlterConfig::new(ResourceSpecifier::Topic(TOPIC))
        .set("cleanup.policy", "compact")
        .set("segment.bytes", "1048576")
        .set("min.cleanable.dirty.ratio", "0.01")
        .set("delete.retention.ms", "100");
    admin.alter_configs([&settings], &AdminOptions::new()).await.unwrap();
}

type Writer = ThreadedProducer<DefaultProducerContext>;

fn writer(address: &str, codec: &str, transactional_id: Option<&str>) -> Writer {
    let mut client = client(address);
    client.set("compression.type", codec).set("linger.ms", "20");
    match transactional_id {
        Some(id) => client.set("transactional.id", id),
        None => client.set("enable.idempotence", "true"),
    };
    client.create().unwrap()
}

fn key(number: usize) -> String {
    format!("key-{number:02}")
}

/// Says what it is, and is otherwise what no codec makes small.
fn value(what: &str, number: usize) -> String {
    let noise: String = (0..110).map(|_| uuid::Uuid::new_v4().simple().to_string()).collect();
    format!("{what} {number}|{noise}")
}

fn send(writer: &Writer, key: &str, value: Option<&str>) {
    let mut record: BaseRecord<'_, str, str> = BaseRecord::to(TOPIC).key(key);
    record.payload = value;
    writer.send(record).map_err(|(error, _record)| error).unwrap();
}

fn what(value: &str) -> String {
    value.split('|').next().unwrap().to_owned()
}

/// What one sees who reads from the beginning to the end: offset, key and the word in the value.
fn read(address: &str) -> Vec<(i64, String, Option<String>)> {
    let mut client = client(address);
    client.set("group.id", "reader").set("enable.partition.eof", "true");
    client.set("isolation.level", "read_committed").set("enable.auto.commit", "false");
    let consumer: BaseConsumer = client.create().unwrap();
    let mut from = TopicPartitionList::new();
    from.add_partition_offset(TOPIC, 0, Offset::Beginning).unwrap();
    consumer.assign(&from).unwrap();
    let mut seen: Vec<(i64, String, Option<String>)> = Vec::new();
    loop {
        let polled = consumer.poll(PATIENCE).expect("records, or their end");
        match polled {
            Err(KafkaError::PartitionEOF(_)) => return seen,
            message => seen.push(record(&message.unwrap())),
        }
    }
}

fn record(message: &BorrowedMessage<'_>) -> (i64, String, Option<String>) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let key = message.key().map(text).unwrap();
    (message.offset(), key, message.payload().map(text).as_deref().map(what))
}

/// The last word for each key that has one.
fn last(seen: &[(i64, String, Option<String>)]) -> BTreeMap<String, String> {
    let mut last = BTreeMap::new();
    for (_, key, word) in seen {
        match word {
            Some(word) => last.insert(key.clone(), word.clone()),
            None => last.remove(key),
        };
    }
    last
}

/// Writes in every codec, in transactions that are committed and aborted, and deletes; gives what is left.
fn write(address: &str) -> BTreeMap<String, String> {
    let codecs = ["none", "gzip", "snappy", "lz4", "zstd"];
    for (codec, round) in codecs.iter().cycle().zip(0..ROUNDS) {
        let plain = writer(address, codec, None);
        for number in 0..KEYS {
            send(&plain, &key(number), Some(&value("round", round)));
        }
        plain.flush(PATIENCE).unwrap();
    }
    for (id, committed) in [("first", false), ("second", true), ("third", false)] {
        let writer = writer(address, "lz4", Some(id));
        writer.init_transactions(PATIENCE).unwrap();
        writer.begin_transaction().unwrap();
        for number in 0..KEYS / 2 {
            send(&writer, &key(number), Some(&value(id, number)));
        }
        writer.flush(PATIENCE).unwrap();
        if committed {
            writer.commit_transaction(PATIENCE).unwrap();
        } else {
            writer.abort_transaction(PATIENCE).unwrap();
        }
    }
    let deleting = writer(address, "none", None);
    for number in 0..5 {
        send(&deleting, &key(number), None);
    }
    // What follows is for other keys: the segments with all of the above are closed by it.
    for number in 0..800 {
        send(&deleting, "filler", Some(&value("filler", number)));
    }
    deleting.flush(PATIENCE).unwrap();
    let committed = |number| (key(number), format!("second {number}"));
    let plain = |number| (key(number), format!("round {}", ROUNDS - 1));
    let mut left: BTreeMap<String, String> = (5..KEYS / 2).map(committed).collect();
    left.extend((KEYS / 2..KEYS).map(plain));
    left.insert("filler".to_owned(), "filler 799".to_owned());
    left
}

fn segments(folder: &Path) -> Vec<u64> {
    let entries = fs::read_dir(folder.join("data").join(format!("{TOPIC}-0"))).unwrap();
    let logs = entries.filter_map(|entry| {
        let path = entry.unwrap().path();
        let is_log = path.extension().is_some_and(|extension| extension == "log");
        is_log.then(|| fs::metadata(&path).map_or(0, |file| file.len()))
    });
    logs.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compacted_topic_keeps_the_last_value_of_each_key() {
    let folder = tempfile::tempdir().unwrap();
    let address = format!("127.0.0.1:{}", free_port());
    let blocks = format!("hub: {{ embedded: {{ listen: \"{address}\" }} }}\n");
    let mut agent = Agent::start(folder.path(), &blocks);
    create(&address, &[("segment.bytes", "1048576")]).await;
    let expected = write(&address);
    let written: u64 = segments(folder.path()).iter().sum();
    assert!(written > 5 << 20, "{written}");

    compact(&address).await;
    let is_done = || agent.log().contains("a partition was compacted");
    wait_until(PATIENCE, "the topic to be compacted", is_done);
    // One file with what is left, and those that are not compacted yet: the active one, and one just closed.
    let is_small = || segments(folder.path()).iter().sum::<u64>() < 5 << 19;
    wait_until(PATIENCE, "the topic to become small", is_small);
    let is_gone = || read(&address).iter().all(|(_, _, word)| word.is_some());
    wait_until(PATIENCE, "the tombstones to go", is_gone);
    let seen = read(&address);
    assert_eq!(last(&seen), expected);
    assert!(seen.is_sorted_by_key(|(offset, _, _)| *offset), "{seen:?}");
    let of_keys = seen.iter().filter(|(_, key, _)| key != "filler").count();
    assert_eq!(of_keys, expected.len() - 1, "{seen:?}");
    // Readers see the new file before the old ones are deleted.
    wait_until(PATIENCE, "the old files to go", || segments(folder.path()).len() <= 3);

    agent.kill();
    agent.start_again();
    assert_eq!(last(&read(&address)), expected);
    let more = writer(&address, "zstd", None);
    send(&more, &key(0), Some(&value("again", 0)));
    more.flush(PATIENCE).unwrap();
    let mut expected = expected;
    expected.insert(key(0), "again 0".to_owned());
    assert_eq!(last(&read(&address)), expected);
    agent.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_is_overwritten_goes_after_the_time_that_the_topic_says() {
    let folder = tempfile::tempdir().unwrap();
    let address = format!("127.0.0.1:{}", free_port());
    let blocks = format!("hub: {{ embedded: {{ listen: \"{address}\" }} }}\n");
    let mut agent = Agent::start(folder.path(), &blocks);
    // Neither the share of new records nor the size of the segment asks for a second round.
    let settings = [("min.cleanable.dirty.ratio", "1"), ("max.compaction.lag.ms", "1000")];
    create(&address, &[&[("cleanup.policy", "compact")], &settings[..]].concat()).await;
    let writer = writer(&address, "none", None);
    for words in [["first", "second"], ["third", "last"]] {
        for word in words {
            send(&writer, "key", Some(&value(word, 0)));
            writer.flush(PATIENCE).unwrap();
        }
        let left = format!("{} 0", words[1]);
        let is_gone = || read(&address).into_iter().filter_map(|(_, _, word)| word).eq([&*left]);
        wait_until(PATIENCE, "the overwritten values to go", is_gone);
    }
    agent.stop();
}
