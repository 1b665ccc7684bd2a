//! Every example of the library, run as a program: on an embedded hub, and on Kafka when there is one.

use std::process::Command;
use std::time::Duration;

use anabranch::{
    Admin, ClientError, Connection, Consumer, ConsumerSettings, Message, Producer, ProducerSettings,
};

use super::support::{Agent, SOON, free_port, server};

/// The example, and what it prints; where Kafka differs, what it prints there.
const EXAMPLES: &[(&str, &str, Option<&str>)] = &[
    (
        "send",
        "one: partition 0, offset 0\ntwo: partition 0, offset 1\nthree: partition 0, offset 2\n",
        None,
    ),
    ("send_with_callbacks", "1000 stored, 0 failed\n", None),
    ("keyed", "ada: 1 partition\nbob: 1 partition\neve: 1 partition\n", None),
    ("custom_partitioner", "abc: partition 0\ndef: partition 2\n", None),
    (
        "serializers",
        "Order { user: \"ada\", amount: 3 } in 25 bytes\nOrder { user: \"ada\", amount: 3 } in 18 bytes\n",
        None,
    ),
    ("consume", "0: record 0\n1: record 1\n2: record 2\n3: record 3\n4: record 4\n", None),
    ("manual_commit", "committed after 10\ncommitted after 20\ncomes again: record 20\n", None),
    ("worker_pool", "3 workers did 300\n", None),
    ("several_topics", "first: 3\nsecond: 2\n", None),
    ("topic_pattern", "2 of the first topic\n5 with a topic that was made later\n", None),
    (
        "assigned_partition",
        "partition 1, offset 1: record 4\npartition 1, offset 2: record 7\n",
        None,
    ),
    ("timeout", "0 records in 200 ms\nthen record 0\n", None),
];

/// Builds the examples beside the program: a test that is run alone finds them missing, or old.
fn build() {
    static BUILT: std::sync::Once = std::sync::Once::new();
    BUILT.call_once(|| {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--quiet", "--examples"]).current_dir(env!("CARGO_MANIFEST_DIR"));
        if !cfg!(debug_assertions) {
            cargo.arg("--release");
        }
        assert!(cargo.status().unwrap().success(), "the examples do not build");
    });
}

#[track_caller]
fn run(example: &str, arguments: &[&str]) -> String {
    build();
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_anabranch"));
    let program = program.parent().unwrap().join("examples").join(example);
    let output = Command::new(&program).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("{}: {error}", program.display()));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{example}: {}\n{errors}", output.status);
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn every_example_does_what_it_says_on_an_embedded_hub() {
    for (example, expected, _) in EXAMPLES {
        assert_eq!(run(example, &[]), *expected, "{example}");
    }
}

#[test]
fn every_example_does_the_same_on_kafka() {
    let Some(kafka) = server("ANABRANCH_KAFKA") else { return };
    for (example, expected, on_kafka) in EXAMPLES {
        assert_eq!(run(example, &[&kafka]), on_kafka.unwrap_or(expected), "{example}");
    }
}

#[test]
fn no_example_is_forgotten() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .filter(|path| std::fs::read_to_string(path).unwrap().contains("mod shared;"))
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    names.sort();
    let mut known: Vec<_> = EXAMPLES.iter().map(|(name, _, _)| (*name).to_owned()).collect();
    known.sort();
    assert_eq!(names, known);
}

#[tokio::test]
async fn a_record_that_kafka_has_stored_is_told_its_offset() {
    let folder = tempfile::tempdir().unwrap();
    let (_agent, address) = Agent::listening(folder.path(), 1);
    let hub = anabranch::connect(Connection::kafka(&address)).await.unwrap();
    let producer = Producer::new(&hub, ProducerSettings::default()).unwrap();
    for offset in 0..3 {
        let told = producer.send(Message::new("t").value("x")).await.unwrap();
        assert_eq!((told.partition, told.offset), (0, Some(offset)));
    }
    producer.close().await;
    hub.close().await;
}

#[tokio::test]
async fn a_cluster_that_is_away_is_told_within_the_delivery_timeout_with_its_address() {
    let address = format!("127.0.0.1:{}", free_port());
    let delivery_timeout = Duration::from_secs(3);
    let settings = ProducerSettings { delivery_timeout, retries: 0, ..ProducerSettings::default() };
    let hub = anabranch::connect_with(Connection::kafka(&address), &settings).await.unwrap();
    let producer = Producer::new(&hub, settings).unwrap();
    let sent = producer.send(Message::new("t").value("x"));
    let outcome = tokio::time::timeout(SOON, sent).await.expect("an outcome in time");
    let error = outcome.unwrap_err();
    assert!(matches!(error, ClientError::TimedOut(_)), "{error:?}");
    assert!(error.to_string().contains(&address), "{error}");
    let admin = Admin::new(&hub);
    let asked = admin.topics(false);
    let error = tokio::time::timeout(2 * SOON, asked).await.expect("an answer").unwrap_err();
    assert!(error.to_string().contains(&address), "{error}");
}

#[tokio::test]
async fn a_topic_has_at_least_one_partition() {
    let folder = tempfile::tempdir().unwrap();
    let hub = anabranch::connect(Connection::Embedded(folder.path().join("d"))).await.unwrap();
    let refused = Admin::new(&hub).create_topic("t", 0).await.unwrap_err();
    assert_eq!(refused, ClientError::Partitions(0));
    hub.close().await;
}

#[tokio::test]
async fn who_seeks_on_kafka_reads_on_there() {
    let folder = tempfile::tempdir().unwrap();
    let (_agent, address) = Agent::listening(folder.path(), 2);
    let hub = anabranch::connect(Connection::kafka(&address)).await.unwrap();
    Admin::new(&hub).create_topic("t", 2).await.unwrap();
    let producer = Producer::new(&hub, ProducerSettings::default()).unwrap();
    for partition in [0, 1] {
        for number in 0..5 {
            let message = Message::new("t").partition(partition).value(number.to_string());
            producer.send(message).await.unwrap();
        }
    }
    let settings = ConsumerSettings::new("g").assign("t", 0).assign("t", 1).auto_commit(None);
    let mut consumer = Consumer::new(&hub, settings).await.unwrap();
    let mut read = Vec::new();
    while read.len() < 10 {
        read.extend(consumer.poll(SOON).await.unwrap());
    }
    assert_eq!(consumer.seek("t", 1, 3).await.unwrap(), 3);
    let mut again = Vec::new();
    while again.len() < 2 {
        let records = consumer.poll(SOON).await.unwrap();
        again.extend(records.iter().map(|record| (record.partition, record.offset)));
    }
    assert_eq!(again, [(1, 3), (1, 4)]);
    assert_eq!(consumer.seek("t", 0, 99).await.unwrap(), 5);
    assert!(consumer.seek("t", 7, 0).await.is_err());
    drop(consumer);
    producer.close().await;
    hub.close().await;
}
