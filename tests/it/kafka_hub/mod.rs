//! The Kafka hub against a real broker: `ANABRANCH_KAFKA=host:port`; the tests that freeze or kill one start their own.

mod groups;
mod holding;
mod network;
mod new_topics;
mod piped;
mod security;
mod trouble;
mod way_in;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anabranch::Acks;
use anabranch::hub::kafka::{Kafka, Settings};
use anabranch::hub::{
    Appender, Consumer, ConsumerSpec, Fetched, Hub, HubError, Offset, Part, StartAt, TopicSelector,
};
use anabranch_connectors::Emission;
use anabranch_connectors::contract::clock;
use anabranch_connectors::contract::receipt::{NotStored, Stored};
use anabranch_record::{Batch, Buffer, Headers, Position};
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::support::server;

type Receipt = oneshot::Receiver<Result<Stored, NotStored>>;

fn unique(name: &str) -> String {
    format!("{name}-{}", uuid::Uuid::new_v4())
}

fn settings(server: String) -> Settings {
    Settings {
        bootstrap_servers: vec![server],
        transactional_id: unique("agent"),
        ..Settings::default()
    }
}

/// The same for each way to write: this program's own, and librdkafka's, with a property that only it knows.
fn both_writers(settings: &Settings) -> [Settings; 2] {
    let foreign = [("sticky.partitioning.linger.ms".to_owned(), "10".to_owned())].into();
    let theirs = Settings { options: foreign, ..settings.clone() };
    [settings.clone(), Settings { transactional_id: unique("agent"), ..theirs }]
}

fn by_name(topic: &str) -> Vec<TopicSelector> {
    vec![TopicSelector::Name(topic.to_owned())]
}

fn spec(group: &str, topics: Vec<TopicSelector>, start: StartAt) -> ConsumerSpec {
    let group = group.to_owned();
    ConsumerSpec { group, topics, start, member: (0, 1), assigned: None }
}

fn part(batch: Batch) -> (Part, Receipt) {
    let (settle, receipt) = oneshot::channel();
    let source = "app".into();
    let emission = Emission { source, batch, settle, permit: None, sent: Instant::now() };
    (Part::from(emission), receipt)
}

/// The time of records whose time does not matter, ms.
const LONG_AGO: i64 = 1_700_000_000_000;

fn lines(first: usize, count: usize) -> Batch {
    lines_at(LONG_AGO, first, count)
}

fn lines_at(time_ms: i64, first: usize, count: usize) -> Batch {
    let headers = Headers::new().with("host", b"web-1");
    let mut batch = Batch::new(Buffer::default(), headers, time_ms, 0);
    for number in first..first + count {
        batch.push_copy(format!("line {number}").as_bytes());
    }
    batch
}

fn at(key: &[u8], value: Option<&[u8]>) -> Position {
    Position { key: key.to_vec(), value: value.map(<[u8]>::to_vec) }
}

async fn partitions(hub: &Kafka, topic: &str) -> Result<u32, HubError> {
    let (appender, topic) = (hub.appender(), topic.to_owned());
    tokio::task::spawn_blocking(move || appender.partitions(&topic)).await.unwrap()
}

async fn queue(appender: &Arc<dyn Appender>, topic: &str, partition: i32, batch: Batch) -> Receipt {
    let (part, receipt) = part(batch);
    let (appender, topic) = (Arc::clone(appender), topic.to_owned());
    tokio::task::spawn_blocking(move || appender.append(&topic, partition, vec![part]))
        .await
        .unwrap();
    receipt
}

async fn append(hub: &Kafka, topic: &str, partition: i32, batch: Batch) {
    partitions(hub, topic).await.unwrap();
    queue(&hub.appender(), topic, partition, batch).await.await.unwrap().unwrap();
}

/// One fetch that is tried again while the hub cannot; fails after a minute.
async fn fetch(consumer: &mut dyn Consumer) -> Fetched {
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        match consumer.fetch(1 << 20, Duration::from_millis(500)).await {
            Ok(fetched) => return fetched,
            Err(error) => assert!(Instant::now() < until, "{error}"),
        }
    }
}

/// Values by partition, until there are `count`.
async fn read(consumer: &mut dyn Consumer, count: usize) -> BTreeMap<i32, Vec<String>> {
    let mut values: BTreeMap<i32, Vec<String>> = BTreeMap::new();
    let until = Instant::now() + Duration::from_secs(60);
    while values.values().map(Vec::len).sum::<usize>() < count {
        let fetched = fetch(consumer).await;
        if fetched.resumed.is_some() {
            values.clear();
        }
        for stored in fetched.batches.iter().flat_map(|fetched| fetched.batch.iter()) {
            let value = String::from_utf8_lossy(stored.record.value.unwrap()).into_owned();
            values.entry(stored.batch.partition).or_default().push(value);
        }
        assert!(Instant::now() < until, "only {values:?}");
    }
    values
}

/// The state that the next assignment begins with. What has come with word of it comes again.
async fn resumed(consumer: &mut dyn Consumer) -> Option<String> {
    loop {
        let fetched = fetch(consumer).await;
        let Some(resumed) = fetched.resumed else { continue };
        let mut firsts: BTreeMap<(String, i32), i64> = BTreeMap::new();
        for batch in fetched.batches.iter().map(|one| &one.batch) {
            let place = (batch.topic.name.clone(), batch.partition);
            firsts.entry(place).or_insert(batch.base_offset);
        }
        for ((topic, partition), first) in firsts {
            assert_eq!(consumer.seek(&topic, partition, first).await, Ok(first));
        }
        return resumed.latest().map(str::to_owned);
    }
}

fn next(topic: &str, partition: i32, offset: i64) -> Offset {
    Offset { topic: topic.to_owned(), partition, offset, epoch: -1 }
}
