//! Clients with `group.protocol=consumer` at the hub's listener: they share partitions, go on where others left, match
//! topics, and come through a kill; also beside a sink of the same group.

use std::collections::BTreeSet;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::message::Message;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use crate::support::{Agent, SOON, file_lines, free_port, holds_within, wait_until};

/// Members hear of each other with their heartbeats, every five seconds.
const LONG: Duration = Duration::from_secs(90);

/// A member with what it has read.
struct Reader {
    consumer: BaseConsumer,
    read: Vec<String>,
}

impl Reader {
    fn new(address: &str, group: &str, topics: &[&str], settings: &[(&str, &str)]) -> Self {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", address)
            .set("group.id", group)
            .set("group.protocol", "consumer")
            .set("auto.offset.reset", "earliest")
            .set("enable.auto.commit", "false")
            .set("reconnect.backoff.max.ms", "200")
            .set("topic.metadata.refresh.interval.ms", "500");
        for (name, value) in settings {
            config.set(*name, *value);
        }
        let consumer: BaseConsumer = config.create().unwrap();
        consumer.subscribe(topics).unwrap();
        Self { consumer, read: Vec::new() }
    }

    /// Reads what is there, and commits it.
    fn poll(&mut self) {
        let mut is_new = false;
        while let Some(Ok(message)) = self.consumer.poll(Duration::from_millis(20)) {
            self.read.push(String::from_utf8_lossy(message.payload().unwrap()).into_owned());
            is_new = true;
        }
        if is_new {
            // A commit that comes between two epochs is done again with the next one.
            self.consumer.commit_consumer_state(CommitMode::Sync).ok();
        }
    }

    fn partitions(&self) -> BTreeSet<(String, i32)> {
        let assignment = self.consumer.assignment().unwrap();
        assignment.elements().iter().map(|one| (one.topic().to_owned(), one.partition())).collect()
    }
}

/// One record for each partition.
fn produce(address: &str, topic: &str, partitions: i32, word: &str) {
    let mut config = ClientConfig::new();
    let producer: BaseProducer = config.set("bootstrap.servers", address).create().unwrap();
    for partition in 0..partitions {
        let value = format!("{word}-{partition}");
        let record: BaseRecord<'_, (), str> = BaseRecord::to(topic).partition(partition);
        producer.send(record.payload(&value)).map_err(|(error, _)| error).unwrap();
    }
    producer.flush(SOON).unwrap();
}

fn words(word: &str, partitions: i32) -> Vec<String> {
    (0..partitions).map(|partition| format!("{word}-{partition}")).collect()
}

/// Polls all until the condition holds.
#[track_caller]
fn poll_until(what: &str, readers: &mut [&mut Reader], holds: impl Fn(&[&mut Reader]) -> bool) {
    let held = holds_within(LONG, || {
        readers.iter_mut().for_each(|reader| reader.poll());
        holds(readers)
    });
    let found: Vec<_> = readers.iter().map(|one| (one.partitions(), &one.read)).collect();
    assert!(held, "{what}: {found:?}");
}

#[test]
fn members_share_partitions_and_go_on_where_one_has_left() {
    let folder = tempfile::tempdir().unwrap();
    let (mut agent, address) = Agent::listening(folder.path(), 4);
    produce(&address, "t", 4, "one");
    let mut first = Reader::new(&address, "g", &["t"], &[]);
    poll_until("the first reads all", &mut [&mut first], |all| all[0].read.len() == 4);
    let mut second = Reader::new(&address, "g", &["t"], &[]);
    poll_until("they share", &mut [&mut first, &mut second], |all| {
        all.iter().all(|one| one.partitions().len() == 2)
            && all[0].partitions().is_disjoint(&all[1].partitions())
    });
    produce(&address, "t", 4, "two");
    poll_until("both read", &mut [&mut first, &mut second], |all| {
        all[0].read.len() == 6 && all[1].read.len() == 2
    });
    let Reader { consumer, mut read } = second;
    drop(consumer);
    produce(&address, "t", 4, "three");
    poll_until("the first goes on", &mut [&mut first], |all| {
        all[0].partitions().len() == 4 && all[0].read.len() >= 10
    });
    read.append(&mut first.read);
    read.sort();
    let mut expected = [words("one", 4), words("two", 4), words("three", 4)].concat();
    expected.sort();
    assert_eq!(read, expected);
    agent.stop();
}

#[test]
fn a_kill_of_the_hub_is_no_rebalance_and_loses_no_offset() {
    let folder = tempfile::tempdir().unwrap();
    let (mut agent, address) = Agent::listening(folder.path(), 4);
    produce(&address, "t", 4, "one");
    let fixed = [("group.instance.id", "i")];
    let mut first = Reader::new(&address, "g", &["t"], &fixed);
    let mut second = Reader::new(&address, "g", &["t"], &[]);
    poll_until("they share", &mut [&mut first, &mut second], |all| {
        all.iter().all(|one| one.partitions().len() == 2)
            && all[0].read.len() + all[1].read.len() >= 4
    });
    let shares = (first.partitions(), second.partitions());
    agent.kill();
    agent.start_again();
    produce(&address, "t", 4, "two");
    poll_until("both go on", &mut [&mut first, &mut second], |all| {
        all[0].read.len() + all[1].read.len() >= 8
    });
    assert_eq!((first.partitions(), second.partitions()), shares);
    // Everything was committed: who comes now has nothing to read again.
    drop(second.consumer);
    drop(first.consumer);
    produce(&address, "t", 4, "three");
    let mut third = Reader::new(&address, "g", &["t"], &fixed);
    poll_until("the third reads on", &mut [&mut third], |all| all[0].read.len() >= 4);
    third.read.sort();
    let mut expected = words("three", 4);
    expected.sort();
    assert_eq!(third.read, expected);
    agent.stop();
}

#[test]
fn topics_that_match_are_read_also_when_they_are_made_later() {
    let folder = tempfile::tempdir().unwrap();
    let (mut agent, address) = Agent::listening(folder.path(), 1);
    produce(&address, "logs-a", 1, "a");
    produce(&address, "metrics", 1, "no");
    let mut one = Reader::new(&address, "g", &["^logs-.*"], &[("group.remote.assignor", "range")]);
    poll_until("the first topic", &mut [&mut one], |all| all[0].read == ["a-0"]);
    produce(&address, "logs-b", 1, "b");
    poll_until("the second topic", &mut [&mut one], |all| all[0].read == ["a-0", "b-0"]);
    agent.stop();
}

/// As with Kafka; what is in them is for their owner to read.
#[test]
fn the_hubs_own_topics_are_matched_in_its_first_life_too() {
    let folder = tempfile::tempdir().unwrap();
    let (mut agent, address) = Agent::listening(folder.path(), 1);
    for life in ["first", "second"] {
        let own = BTreeSet::from([("__consumer_offsets".to_owned(), 0)]);
        let one = Reader::new(&address, life, &["^__consumer_off.*"], &[]);
        let held = holds_within(LONG, || {
            one.consumer.poll(Duration::from_millis(20));
            one.partitions() == own
        });
        assert!(held, "in its {life} life: {:?}", one.partitions());
        drop(one);
        agent.stop();
        agent.start_again();
    }
    agent.stop();
}

/// The sink is a member of the classic protocol; the group goes over to the new one and back.
#[test]
fn a_client_shares_the_group_of_a_sink_and_leaves_it_everything_again() {
    let folder = tempfile::tempdir().unwrap();
    let address = format!("127.0.0.1:{}", free_port());
    let output = folder.path().join("out.log");
    let blocks = format!(
        "hub: {{ embedded: {{ listen: \"{address}\" }} }}\ntopics: {{ t: {{ partitions: 4 }} }}\n\
         sinks: {{ out: {{ topics: [t], to: {{ file: {{ path: \"{}\", codec: raw }} }} }} }}\n",
        output.display()
    );
    let mut agent = Agent::start(folder.path(), &blocks);
    produce(&address, "t", 4, "one");
    let lines = || file_lines(&output).len();
    wait_until(SOON, "the sink to write all", || output.exists() && lines() == 4);
    let mut client = Reader::new(&address, "out", &["t"], &[]);
    poll_until("the client has its share", &mut [&mut client], |all| {
        all[0].partitions().len() == 2
    });
    produce(&address, "t", 4, "two");
    poll_until("both read", &mut [&mut client], |all| all[0].read.len() == 2 && lines() == 6);
    let Reader { consumer, mut read } = client;
    drop(consumer);
    produce(&address, "t", 4, "three");
    wait_until(LONG, "the sink to write all again", || lines() == 10);
    read.extend(file_lines(&output));
    read.sort();
    let mut expected = [words("one", 4), words("two", 4), words("three", 4)].concat();
    expected.sort();
    assert_eq!(read, expected);
    agent.stop();
}
