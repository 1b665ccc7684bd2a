//! SIGKILL under idempotent producers and committing consumers: what was acknowledged is there once and in order, and
//! committed offsets never go back.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext};
use rdkafka::{ClientContext, Message, Offset, TopicPartitionList};

use crate::support::{Agent, free_port};

const KILLS: u64 = 20;
const PARTITIONS: i32 = 4;
const TOPIC: &str = "events";
const LONG: Duration = Duration::from_secs(60);

/// Notes what could not be delivered.
#[derive(Default)]
struct Deliveries(Mutex<Vec<String>>);

impl ClientContext for Deliveries {}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, _message)) = result {
            self.0.lock().push(error.to_string());
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the hub is killed at moments of real time")]
fn pause(milliseconds: u64) {
    std::thread::sleep(Duration::from_millis(milliseconds));
}

fn client(bootstrap: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap).set("reconnect.backoff.max.ms", "200");
    config
}

/// Writes numbered records to every partition until told to stop; gives how many each has got.
fn produce(bootstrap: &str, stop: &AtomicBool) -> i64 {
    let producer: BaseProducer<Deliveries> = client(bootstrap)
        .set("enable.idempotence", "true")
        .set("compression.type", "lz4")
        .set("message.timeout.ms", "120000")
        .create_with_context(Deliveries::default())
        .unwrap();
    let mut number = 0i64;
    while !stop.load(Ordering::Relaxed) {
        for partition in 0..PARTITIONS {
            let value = number.to_string();
            let record = BaseRecord::to(TOPIC).partition(partition).key("k").payload(&value);
            producer.send(record).map_err(|(error, _)| error).unwrap();
        }
        number += 1;
        producer.poll(Duration::ZERO);
        if number % 20 == 0 {
            pause(2);
        }
    }
    producer.flush(LONG).unwrap();
    assert_eq!(*producer.context().0.lock(), Vec::<String>::new());
    number
}

/// Reads as a group and commits now and then; what it has committed must still be there later.
fn consume(bootstrap: &str, stop: &AtomicBool) {
    let consumer: BaseConsumer = client(bootstrap)
        .set("group.id", "readers")
        .set("enable.auto.commit", "false")
        .set("auto.offset.reset", "earliest")
        .set("session.timeout.ms", "6000")
        .create()
        .unwrap();
    consumer.subscribe(&[TOPIC]).unwrap();
    let (mut read, mut known) = (0u64, [0i64; PARTITIONS as usize]);
    while !stop.load(Ordering::Relaxed) {
        let Some(Ok(_message)) = consumer.poll(Duration::from_millis(50)) else { continue };
        read += 1;
        if read % 500 != 0 || consumer.commit_consumer_state(CommitMode::Sync).is_err() {
            continue;
        }
        let Ok(committed) = consumer.committed(Duration::from_secs(2)) else { continue };
        for element in committed.elements() {
            let Offset::Offset(offset) = element.offset() else { continue };
            let before = &mut known[usize::try_from(element.partition()).unwrap()];
            assert!(offset >= *before, "the committed offset went from {before} to {offset}");
            *before = offset;
        }
    }
    assert!(read > 0, "the group has read nothing");
    let mut asked = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        asked.add_partition(TOPIC, partition);
    }
    let committed = consumer.committed_offsets(asked, LONG).unwrap();
    for element in committed.elements() {
        let before = known[usize::try_from(element.partition()).unwrap()];
        let offset = element.offset().to_raw().unwrap_or(0).max(0);
        assert!(offset >= before, "{offset} is committed, and {before} was before");
    }
}

/// Every value of a partition, from its first record to its end.
fn values(bootstrap: &str, partition: i32) -> Vec<i64> {
    let consumer: BaseConsumer = client(bootstrap)
        .set("group.id", "none")
        .set("enable.partition.eof", "true")
        .create()
        .unwrap();
    let mut assigned = TopicPartitionList::new();
    assigned.add_partition_offset(TOPIC, partition, Offset::Beginning).unwrap();
    consumer.assign(&assigned).unwrap();
    let mut values = Vec::new();
    loop {
        match consumer.poll(LONG).expect("records in time") {
            Ok(message) => {
                let text = std::str::from_utf8(message.payload().unwrap()).unwrap();
                values.push(text.parse().unwrap());
            }
            Err(rdkafka::error::KafkaError::PartitionEOF(_)) => return values,
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn killed_twenty_times_what_clients_were_promised_is_there_once_and_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let bootstrap = format!("127.0.0.1:{}", free_port());
    let blocks = format!(
        "hub: {{ embedded: {{ listen: \"{bootstrap}\" }} }}\n\
         topics: {{ {TOPIC}: {{ partitions: {PARTITIONS} }} }}\n\
         sources: {{ in: {{ topic: other, from: {{ http: {{ listen: \"127.0.0.1:0\" }} }} }} }}\n"
    );
    let mut agent = Agent::start(folder.path(), &blocks);
    let stop = AtomicBool::new(false);
    let written = std::thread::scope(|scope| {
        let producing = scope.spawn(|| produce(&bootstrap, &stop));
        let consuming = scope.spawn(|| consume(&bootstrap, &stop));
        for kill in 0..KILLS {
            pause(300 + kill * 137 % 500);
            agent.kill();
            agent.start_again();
        }
        pause(500);
        stop.store(true, Ordering::Relaxed);
        consuming.join().unwrap();
        producing.join().unwrap()
    });
    assert!(written > 1000, "only {written} records were written");
    for partition in 0..PARTITIONS {
        let found = values(&bootstrap, partition);
        let expected: Vec<i64> = (0..written).collect();
        assert!(found == expected, "partition {partition}: {} records of {written}", found.len());
    }
    println!("{written} records in each of {PARTITIONS} partitions, {KILLS} kills");
}
