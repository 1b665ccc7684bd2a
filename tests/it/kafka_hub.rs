//! The Kafka hub against a real broker: `ANABRANCH_KAFKA=host:port`, and `ANABRANCH_KAFKA_PID` for the tests that
//! freeze it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use anabranch::hub::kafka::{Acks, Kafka, Settings};
use anabranch::hub::{
    Appender, Consumer, ConsumerSpec, Fetched, Hub, HubError, Offset, Part, StartAt, TopicSelector,
};
use anabranch_connectors::source::{NotStored, Stored};
use anabranch_connectors::{Batch, Buffer, Emission, Headers, Position};
use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use tokio::sync::oneshot;
use tokio::time::Instant;

type Receipt = oneshot::Receiver<Result<Stored, NotStored>>;

fn server(name: &str) -> Option<String> {
    let server = std::env::var(name).ok();
    if server.is_none() {
        assert!(std::env::var("REQUIRE_SERVERS").is_err(), "{name} is not set");
        eprintln!("SKIPPED: {name} is not set");
    }
    server
}

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

fn lines(first: usize, count: usize) -> Batch {
    let headers = Headers::new().with("host", b"web-1");
    let mut batch = Batch::new(Buffer::default(), headers, 1_700_000_000_000, 0);
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

async fn resumed(consumer: &mut dyn Consumer) -> Option<String> {
    loop {
        if let Some(metadata) = fetch(consumer).await.resumed {
            return metadata;
        }
    }
}

fn next(topic: &str, partition: i32, offset: i64) -> Offset {
    Offset { topic: topic.to_owned(), partition, offset, epoch: -1 }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_appended_is_consumed_with_key_headers_and_time() {
    let Some(server) = server("ANABRANCH_KAFKA") else { return };
    for (transactional, acks) in [(true, Acks::All), (false, Acks::All), (false, Acks::Leader)] {
        let hub = Kafka::connect(Settings { transactional, acks, ..settings(server.clone()) });
        let hub = hub.unwrap();
        let topic = unique("whole");
        let mut batch = lines(0, 2);
        batch.set_key(b"key");
        batch.set_header("severity", b"err");
        batch.set_timestamp_ms(1_700_000_000_123);
        batch.push_copy(b"");
        batch.push_copy(b"gone");
        batch.set_null_value();
        append(&hub, &topic, 2, batch).await;
        let spec = spec(&unique("group"), by_name(&topic), StartAt::Earliest);
        let mut consumer = hub.consumer(spec).await.unwrap();
        let mut seen = Vec::new();
        while seen.len() < 4 {
            for fetched in fetch(consumer.as_mut()).await.batches {
                assert_eq!((fetched.batch.partition, fetched.skip), (2, 0));
                for stored in fetched.batch.iter() {
                    let record = stored.record;
                    seen.push((
                        stored.offset,
                        record.key.map(<[u8]>::to_vec),
                        record.value.map(<[u8]>::to_vec),
                        record.timestamp_ms - 1_700_000_000_000,
                        record.headers.iter().map(|(name, _)| name.to_owned()).collect::<Vec<_>>(),
                    ));
                    assert!(stored.id().ends_with(&format!(".{topic}-2-0-{}", stored.offset)));
                }
            }
        }
        let host = vec!["host".to_owned()];
        let both = vec!["host".to_owned(), "severity".to_owned()];
        let value = |text: &[u8]| Some(text.to_vec());
        let expected = [
            (0, None, value(b"line 0"), 0, host.clone()),
            (1, Some(b"key".to_vec()), value(b"line 1"), 123, both),
            (2, None, value(b""), 0, host.clone()),
            (3, None, None, 0, host),
        ];
        assert_eq!(seen, expected);
        drop(consumer);
        hub.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn positions_come_back_to_the_next_life_and_null_forgets() {
    let Some(server) = server("ANABRANCH_KAFKA") else { return };
    for transactional in [true, false] {
        let settings = Settings { transactional, ..settings(server.clone()) };
        let topic = unique("positions");
        let hub = Kafka::connect(settings.clone()).unwrap();
        assert_eq!(hub.positions("app").await.unwrap(), []);
        for (key, value) in [(b"a", Some(&b"1"[..])), (b"b", Some(b"2")), (b"a", Some(b"3"))] {
            let mut batch = lines(0, 1);
            batch.set_position(at(key, value));
            append(&hub, &topic, 0, batch).await;
        }
        let mut batch = Batch::default();
        batch.set_position(at(b"b", None));
        let (part, receipt) = part(batch);
        let appender = hub.appender();
        tokio::task::spawn_blocking(move || appender.store_positions(vec![part])).await.unwrap();
        receipt.await.unwrap().unwrap();
        hub.close().await;
        let hub = Kafka::connect(settings).unwrap();
        assert_eq!(hub.positions("app").await.unwrap(), [(b"a".to_vec(), b"3".to_vec())]);
        assert_eq!(hub.positions("ap").await.unwrap(), []);
        hub.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_life_had_not_committed_is_never_seen() {
    let Some(server) = server("ANABRANCH_KAFKA") else { return };
    let settings = settings(server.clone());
    let topic = unique("killed");
    let hub = Kafka::connect(settings.clone()).unwrap();
    let mut batch = lines(0, 10);
    batch.set_position(at(b"f", Some(b"10")));
    append(&hub, &topic, 0, batch).await;
    hub.close().await;
    // A life that has sent records and a position, and ends before its commit.
    let killed: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", &server)
        .set("transactional.id", &settings.transactional_id)
        .create()
        .unwrap();
    killed.init_transactions(Duration::from_secs(20)).unwrap();
    killed.begin_transaction().unwrap();
    let key = [settings.transactional_id.as_bytes(), b"\0app\0f"].concat();
    let record = BaseRecord::to(&topic).partition(0).payload("lost").key("");
    killed.send(record).map_err(|(error, _)| error).unwrap();
    let position = BaseRecord::to(&settings.positions_topic).partition(0).payload("99").key(&key);
    killed.send(position).map_err(|(error, _)| error).unwrap();
    killed.flush(Duration::from_secs(20)).unwrap();
    drop(killed);
    let hub = Kafka::connect(settings).unwrap();
    assert_eq!(hub.positions("app").await.unwrap(), [(b"f".to_vec(), b"10".to_vec())]);
    append(&hub, &topic, 0, lines(10, 10)).await;
    let spec = spec(&unique("group"), by_name(&topic), StartAt::Earliest);
    let mut consumer = hub.consumer(spec).await.unwrap();
    let values = read(consumer.as_mut(), 20).await;
    let expected: Vec<String> = (0..20).map(|number| format!("line {number}")).collect();
    assert_eq!(values, [(0, expected)].into());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_was_fenced_starts_again_and_repeats_nothing() {
    let Some(server) = server("ANABRANCH_KAFKA") else { return };
    let settings = settings(server);
    let topic = unique("fenced");
    let hub = Kafka::connect(settings.clone()).unwrap();
    append(&hub, &topic, 0, lines(0, 10)).await;
    let other = Kafka::connect(settings).unwrap();
    append(&other, &topic, 0, lines(10, 10)).await;
    other.close().await;
    append(&hub, &topic, 0, lines(20, 10)).await;
    assert!(hub.state().is_ok());
    let spec = spec(&unique("group"), by_name(&topic), StartAt::Earliest);
    let mut consumer = hub.consumer(spec).await.unwrap();
    let expected: Vec<String> = (0..30).map(|number| format!("line {number}")).collect();
    assert_eq!(read(consumer.as_mut(), 30).await, [(0, expected)].into());
}

#[tokio::test(flavor = "multi_thread")]
async fn members_share_the_partitions_and_the_last_one_has_all() {
    let Some(server) = server("ANABRANCH_KAFKA") else { return };
    let hub = Kafka::connect(settings(server)).unwrap();
    let (topic, group) = (unique("shared"), unique("group"));
    assert_eq!(partitions(&hub, &topic).await, Ok(4));
    let spec = spec(&group, by_name(&topic), StartAt::Earliest);
    let mut first = hub.consumer(spec.clone()).await.unwrap();
    assert_eq!(resumed(first.as_mut()).await, None);
    let mut second = hub.consumer(spec).await.unwrap();
    assert_eq!(resumed(second.as_mut()).await, None);
    assert_eq!(resumed(first.as_mut()).await, None);
    for partition in 0..4 {
        append(&hub, &topic, partition, lines(0, 5)).await;
    }
    let (mine, theirs) = (read(first.as_mut(), 10).await, read(second.as_mut(), 10).await);
    assert_eq!((mine.len(), theirs.len()), (2, 2));
    let all: BTreeSet<_> = mine.keys().chain(theirs.keys()).copied().collect();
    assert_eq!(all.len(), 4);
    let offsets: Vec<_> = mine.keys().map(|partition| next(&topic, *partition, 5)).collect();
    first.commit(&offsets, Some("state of the first")).await.unwrap();
    let theirs = *theirs.keys().next().unwrap();
    let stray = second.commit(&[offsets.first().unwrap().clone()], None).await;
    assert!(matches!(stray, Err(HubError::NotNow(_))), "{stray:?}");
    drop(first);
    assert_eq!(resumed(second.as_mut()).await.as_deref(), Some("state of the first"));
    let again = read(second.as_mut(), 10).await;
    assert!(again.contains_key(&theirs) && again.len() == 2, "{again:?}");
    let offsets: Vec<_> = (0..4).map(|partition| next(&topic, partition, 5)).collect();
    second.commit(&offsets, None).await.unwrap();
    let until = Instant::now() + Duration::from_secs(30);
    while second.lag().await.iter().map(|lag| lag.records).sum::<u64>() > 0 {
        assert!(Instant::now() < until, "{:?}", second.lag().await);
        fetch(second.as_mut()).await;
    }
    assert_eq!(second.lag().await.len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_keeps_offsets_and_state_for_the_next_member() {
    let Some(server) = server("ANABRANCH_KAFKA") else { return };
    let hub = Kafka::connect(settings(server)).unwrap();
    let (topic, group) = (unique("state"), unique("group"));
    append(&hub, &topic, 1, lines(0, 10)).await;
    let spec = spec(&group, by_name(&topic), StartAt::Earliest);
    let mut member = hub.consumer(spec.clone()).await.unwrap();
    read(member.as_mut(), 10).await;
    for state in ["{\"old\": 1}", "{\"file a\": 42}"] {
        member.commit(&[next(&topic, 1, 7)], Some(state)).await.unwrap();
    }
    drop(member);
    let mut member = hub.consumer(spec).await.unwrap();
    let until = Instant::now() + Duration::from_secs(60);
    let (mut metadata, mut values) = (None, Vec::new());
    while values.len() < 3 {
        let fetched = fetch(member.as_mut()).await;
        metadata = fetched.resumed.or(metadata);
        for stored in fetched.batches.iter().flat_map(|fetched| fetched.batch.iter()) {
            values.push(stored.offset);
        }
        assert!(Instant::now() < until);
    }
    assert_eq!((metadata, values), (Some(Some("{\"file a\": 42}".to_owned())), vec![7, 8, 9]));
    let refused = hub.set_offsets(&group, &[next(&topic, 1, 2)]).await;
    assert!(refused.is_err());
    drop(member);
    hub.set_offsets(&group, &[next(&topic, 1, 2)]).await.unwrap();
    let groups = hub.groups().await.unwrap();
    let known = groups.iter().find(|known| known.name == group).unwrap();
    assert_eq!(known.offsets, [next(&topic, 1, 2)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_group_starts_at_the_end_or_at_a_time() {
    let Some(server) = server("ANABRANCH_KAFKA") else { return };
    let hub = Kafka::connect(settings(server)).unwrap();
    let topic = unique("start");
    let mut batch = lines(0, 4);
    batch.set_timestamp_ms(1_700_000_009_000);
    append(&hub, &topic, 0, batch).await;
    let latest = spec(&unique("latest"), by_name(&topic), StartAt::Latest);
    let time = StartAt::Time(1_700_000_005_000);
    let time = spec(&unique("time"), by_name(&topic), time);
    let mut latest_member = hub.consumer(latest.clone()).await.unwrap();
    let mut time = hub.consumer(time).await.unwrap();
    resumed(latest_member.as_mut()).await;
    drop(latest_member);
    append(&hub, &topic, 0, lines(4, 2)).await;
    assert_eq!(read(time.as_mut(), 3).await[&0], ["line 3", "line 4", "line 5"]);
    // It had read nothing, and still it begins where it first began.
    let mut latest = hub.consumer(latest).await.unwrap();
    assert_eq!(read(latest.as_mut(), 2).await[&0], ["line 4", "line 5"]);
    let offsets = hub.offsets_at(&topic, 1_700_000_005_000).await.unwrap();
    assert_eq!(offsets.iter().map(|offset| offset.offset).collect::<Vec<_>>(), [3, 0, 0, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn topics_are_made_on_demand_and_patterns_find_them() {
    let Some(server) = server("ANABRANCH_KAFKA") else { return };
    let (topic, group) = (unique("demand"), unique("group"));
    let topic_partitions = [(topic.clone(), 2)].into();
    let hub = Kafka::connect(Settings { topic_partitions, ..settings(server) }).unwrap();
    assert_eq!(partitions(&hub, &topic).await, Ok(2));
    assert_eq!(hub.create_topic(&topic, 3).await, Err(HubError::Exists(topic.clone())));
    let pattern = TopicSelector::parse(&format!("^{topic}\\S*$")).unwrap();
    let assigned = spec(&unique("assigned"), by_name(&topic), StartAt::Earliest);
    let assigned = ConsumerSpec { assigned: Some(vec![(topic.clone(), 1)]), ..assigned };
    let mut by_pattern = hub.consumer(spec(&group, vec![pattern], StartAt::Latest)).await.unwrap();
    let mut assigned = hub.consumer(assigned).await.unwrap();
    resumed(by_pattern.as_mut()).await;
    append(&hub, &topic, 0, lines(0, 1)).await;
    append(&hub, &topic, 1, lines(1, 1)).await;
    assert_eq!(read(by_pattern.as_mut(), 2).await.len(), 2);
    assert_eq!(read(assigned.as_mut(), 1).await, [(1, vec!["line 1".to_owned()])].into());
    let by_pattern_done = [next(&topic, 0, 1), next(&topic, 1, 1)];
    by_pattern.commit(&by_pattern_done, None).await.unwrap();
    // A topic that comes into being later is read from its beginning, whatever the group's start.
    append(&hub, &format!("{topic}-later"), 0, lines(7, 1)).await;
    append(&hub, &format!("{topic}-later.dlq"), 0, lines(8, 1)).await;
    assert_eq!(read(by_pattern.as_mut(), 1).await, [(0, vec!["line 7".to_owned()])].into());
    let known = hub.topics().await.unwrap();
    let known = known.iter().find(|known| known.name == topic).unwrap();
    assert_eq!(known.partitions.len(), 2);
    hub.delete_topic(&topic).await.unwrap();
    let gone = hub.delete_topic(&unique("never")).await;
    assert!(matches!(gone, Err(HubError::UnknownTopic(_))), "{gone:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_the_brokers_refuse_goes_to_the_dead_letters_cut() {
    let Some(server) = server("ANABRANCH_KAFKA") else { return };
    for transactional in [true, false] {
        let hub = Kafka::connect(Settings { transactional, ..settings(server.clone()) }).unwrap();
        let topic = unique("large");
        let mut batch = lines(0, 2);
        batch.push_copy(&vec![b'x'; 3 << 20]);
        batch.push_copy(b"after");
        append(&hub, &topic, 0, batch).await;
        assert_eq!(hub.cut_records(), 1);
        let topics = vec![TopicSelector::Name(topic.clone())];
        let mut consumer =
            hub.consumer(spec(&unique("group"), topics, StartAt::Earliest)).await.unwrap();
        assert_eq!(read(consumer.as_mut(), 3).await[&0], ["line 0", "line 1", "after"]);
        let topics = by_name(&format!("{topic}.dlq"));
        let mut dead = hub.consumer(spec(&unique("g"), topics, StartAt::Earliest)).await.unwrap();
        let batch = loop {
            if let Some(fetched) = fetch(dead.as_mut()).await.batches.pop() {
                break fetched.batch;
            }
        };
        let stored = batch.iter().next().unwrap();
        assert!(stored.record.value.unwrap().len() > 1_000_000);
        let headers = stored.record.headers;
        assert_eq!(headers.get("__anabranch.size"), Some((3 << 20).to_string().as_bytes()));
        assert_eq!(headers.get("__anabranch.topic"), Some(topic.as_bytes()));
        hub.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_stands_still_loses_and_repeats_nothing() {
    let Some(server) = server("ANABRANCH_KAFKA") else { return };
    let Some(pid) = self::server("ANABRANCH_KAFKA_PID") else { return };
    let pid = rustix::process::Pid::from_raw(pid.parse().unwrap()).unwrap();
    let hub = Kafka::connect(settings(server)).unwrap();
    let topic = unique("frozen");
    partitions(&hub, &topic).await.unwrap();
    let appender = hub.appender();
    let mut receipts = Vec::new();
    for round in 0..400 {
        if round == 100 {
            rustix::process::kill_process(pid, rustix::process::Signal::STOP).unwrap();
        }
        if round == 200 {
            tokio::time::sleep(Duration::from_secs(10)).await;
            rustix::process::kill_process(pid, rustix::process::Signal::CONT).unwrap();
        }
        receipts.push(queue(&appender, &topic, round % 4, lines(0, 100)).await);
    }
    for receipt in receipts {
        receipt.await.unwrap().unwrap();
    }
    let group = unique("group");
    let mut consumer =
        hub.consumer(spec(&group, by_name(&topic), StartAt::Earliest)).await.unwrap();
    let values = read(consumer.as_mut(), 40_000).await;
    assert!(values.values().all(|values| values.len() == 10_000));
    let more = consumer.fetch(1 << 20, Duration::from_secs(1)).await.unwrap();
    assert!(more.batches.is_empty());
}
