//! The clients on the embedded hub.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::*;

const SOON: Duration = Duration::from_secs(10);

async fn hub(folder: &tempfile::TempDir) -> HubHandle {
    connect(Connection::Embedded(folder.path().join("data"))).await.unwrap()
}

fn producer(hub: &HubHandle) -> Producer {
    Producer::new(hub, ProducerSettings::default()).unwrap()
}

fn settings(group: &str) -> ConsumerSettings {
    ConsumerSettings::new(group).subscribe(&["events"]).unwrap()
}

async fn texts(consumer: &mut Consumer, count: usize) -> Vec<String> {
    let mut texts = Vec::new();
    while texts.len() < count {
        let records = consumer.poll(SOON).await.unwrap();
        assert!(!records.is_empty(), "only {texts:?} came");
        texts.extend(records.iter().map(ConsumedRecord::text));
    }
    texts
}

#[tokio::test]
async fn each_record_of_a_batch_is_told_its_own_offset() {
    let folder = tempfile::tempdir().unwrap();
    let hub = hub(&folder).await;
    let producer = producer(&hub);
    let told = Arc::new(Mutex::new(Vec::new()));
    for number in 0..5 {
        let told = Arc::clone(&told);
        let callback = move |outcome: Result<RecordMetadata, ClientError>| {
            told.lock().push((number, outcome.unwrap().offset));
        };
        let message = Message::new("events").value(number.to_string());
        producer.send_with(message, callback).await.unwrap();
    }
    producer.flush().await;
    let expected: Vec<_> = (0..5).map(|number| (number, Some(number))).collect();
    assert_eq!(*told.lock(), expected);
    let sent = producer.send(Message::new("events").value("x").timestamp_ms(77)).await.unwrap();
    let topic = "events".to_owned();
    let expected = RecordMetadata { topic, partition: 0, offset: Some(5), timestamp_ms: 77 };
    assert_eq!(sent, expected);
    producer.close().await;
    let late = producer.send(Message::new("events").value("x")).await;
    assert_eq!(late, Err(ClientError::Closed));
    hub.close().await;
}

#[tokio::test]
async fn what_cannot_be_sent_is_refused_with_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    let hub = hub(&folder).await;
    let producer = producer(&hub);
    let refused = async |message: Message| producer.send(message).await.unwrap_err().to_string();
    assert_eq!(
        refused(Message::new("events").header("__anabranch.position", "x")).await,
        "header \"__anabranch.position\" is reserved; choose a name that does not begin with `__anabranch.`"
    );
    assert_eq!(
        refused(Message::new("a/b")).await,
        "\"a/b\" cannot be a topic; use 1 to 249 letters, digits, dots, dashes and underscores"
    );
    assert_eq!(
        refused(Message::new("__consumer_offsets")).await,
        "topic \"__consumer_offsets\" belongs to the hub itself; choose a name that does not begin with `__`"
    );
    assert_eq!(
        refused(Message::new("events").partition(3)).await,
        "topic \"events\" has 1 partitions; there is no partition 3"
    );
    producer.close().await;
    hub.close().await;
}

#[tokio::test]
async fn what_was_not_committed_comes_again_and_what_was_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let hub = hub(&folder).await;
    let producer = producer(&hub);
    for value in ["a", "b", "c"] {
        producer.send(Message::new("events").value(value)).await.unwrap();
    }
    let manual = || settings("readers").auto_commit(None).max_poll_records(2);
    let mut first = Consumer::new(&hub, manual()).await.unwrap();
    assert_eq!(texts(&mut first, 2).await, ["a", "b"]);
    first.commit().await.unwrap();
    assert_eq!(texts(&mut first, 1).await, ["c"]);
    first.close().await.unwrap();

    let mut second = Consumer::new(&hub, manual()).await.unwrap();
    assert_eq!(texts(&mut second, 1).await, ["c"]);
    assert!(second.poll(Duration::from_millis(20)).await.unwrap().is_empty());
    second.commit().await.unwrap();
    let group = Admin::new(&hub).group("readers").await.unwrap().unwrap();
    assert_eq!((group.partitions[0].committed, group.partitions[0].lag), (3, 0));
    producer.close().await;
    hub.close().await;
}

#[tokio::test]
async fn a_consumer_that_is_closed_has_committed_what_it_polled() {
    let folder = tempfile::tempdir().unwrap();
    let hub = hub(&folder).await;
    let producer = producer(&hub);
    let value = serde_json::json!({"user": 7});
    let message = Message::new("events").key("k").header("h", "1");
    producer.send(message.value_as(&MessagePack, &value).unwrap()).await.unwrap();
    let mut consumer = Consumer::new(&hub, settings("readers")).await.unwrap();
    let record = consumer.next(SOON).await.unwrap().unwrap();
    assert_eq!(record.message_pack::<serde_json::Value>().unwrap(), value);
    assert_eq!((record.topic(), record.header("h")), ("events", Some(&b"1"[..])));
    consumer.close().await.unwrap();
    let admin = Admin::new(&hub);
    assert_eq!(admin.groups().await.unwrap()[0].partitions[0].committed, 1);
    assert_eq!(admin.topics(false).await.unwrap()[0].name, "events");
    producer.close().await;
    hub.close().await;
}

#[tokio::test]
async fn who_seeks_reads_on_there_and_nowhere_else() {
    let folder = tempfile::tempdir().unwrap();
    let hub = hub(&folder).await;
    let producer = producer(&hub);
    for number in 0..5 {
        producer.send(Message::new("events").value(number.to_string())).await.unwrap();
    }
    let assigned = ConsumerSettings::new("g").assign("events", 0).max_poll_records(2);
    for settings in [settings("h").max_poll_records(2), assigned] {
        let mut consumer = Consumer::new(&hub, settings).await.unwrap();
        // Before anything was read, and with records that wait to be polled.
        assert_eq!(consumer.seek("events", 0, 3).await.unwrap(), 3);
        assert_eq!(texts(&mut consumer, 2).await, ["3", "4"]);
        assert_eq!(consumer.seek("events", 0, 1).await.unwrap(), 1);
        assert_eq!(texts(&mut consumer, 2).await, ["1", "2"]);
        assert_eq!(consumer.seek("events", 0, 99).await.unwrap(), 5);
        assert_eq!(consumer.seek("events", 0, -1).await.unwrap(), 0);
        assert_eq!(texts(&mut consumer, 4).await, ["0", "1", "2", "3"]);
        let elsewhere = consumer.seek("events", 7, 0).await.unwrap_err().to_string();
        assert!(elsewhere.contains("partition 7 is not read"), "{elsewhere}");
        consumer.commit().await.unwrap();
        drop(consumer);
    }
    producer.close().await;
    hub.close().await;
}
