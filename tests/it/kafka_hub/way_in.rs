//! Appends: what is stored, once, whatever happens to the agent or the broker.

use std::collections::BTreeSet;

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_appended_is_consumed_with_key_headers_and_time() {
    let Some(server) = server("ANABRANCH_KAFKA") else { return };
    let ways = [(true, Acks::All), (false, Acks::All), (false, Acks::Leader), (false, Acks::None)];
    let ways = ways.into_iter().flat_map(|(transactional, acks)| {
        both_writers(&Settings { transactional, acks, ..settings(server.clone()) })
    });
    for settings in ways {
        let hub = Kafka::connect(settings).unwrap();
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
    let ways = [true, false].into_iter().flat_map(|transactional| {
        both_writers(&Settings { transactional, ..settings(server.clone()) })
    });
    for settings in ways {
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
async fn a_position_behind_another_agents_open_transaction_is_waited_for() {
    let Some(server) = server("ANABRANCH_KAFKA") else { return };
    let positions_topic = unique("positions");
    let settings =
        Settings { positions_topic: positions_topic.clone(), ..settings(server.clone()) };
    let hub = Kafka::connect(settings.clone()).unwrap();
    let store = async |offset: &[u8]| {
        let mut batch = lines(0, 1);
        batch.set_position(at(b"f", Some(offset)));
        append(&hub, &unique("behind"), 0, batch).await;
    };
    store(b"1").await;
    // Another agent writes a position and takes its time with the commit.
    let other: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", &server)
        .set("transactional.id", unique("other"))
        .create()
        .unwrap();
    other.init_transactions(Duration::from_secs(20)).unwrap();
    other.begin_transaction().unwrap();
    let position = BaseRecord::to(&positions_topic).partition(0).payload("9").key("other\0app\0f");
    other.send(position).map_err(|(error, _)| error).unwrap();
    other.flush(Duration::from_secs(20)).unwrap();
    store(b"2").await;
    // Two ask at once, as sources do at the start.
    let asked = async { tokio::join!(hub.positions("app"), hub.positions("app")) };
    let mut asked = std::pin::pin!(asked);
    let early = tokio::time::timeout(Duration::from_secs(2), asked.as_mut()).await;
    assert!(early.is_err(), "told before it could be known: {early:?}");
    tokio::task::spawn_blocking(move || other.commit_transaction(Duration::from_secs(20)))
        .await
        .unwrap()
        .unwrap();
    let (one, both) = asked.await;
    assert_eq!(one.unwrap(), [(b"f".to_vec(), b"2".to_vec())]);
    assert_eq!(both.unwrap(), [(b"f".to_vec(), b"2".to_vec())]);
    hub.close().await;
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
    for settings in both_writers(&settings(server)) {
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
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_the_brokers_refuse_goes_to_the_dead_letters_cut() {
    let Some(server) = server("ANABRANCH_KAFKA") else { return };
    let ways = [true, false].into_iter().flat_map(|transactional| {
        both_writers(&Settings { transactional, ..settings(server.clone()) })
    });
    for settings in ways {
        let hub = Kafka::connect(settings).unwrap();
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
async fn batches_shrink_to_what_a_topic_takes() {
    let Some(server) = server("ANABRANCH_KAFKA") else { return };
    let ways = [true, false].into_iter().flat_map(|transactional| {
        both_writers(&Settings { transactional, ..settings(server.clone()) })
    });
    for settings in ways {
        let topic = unique("narrow");
        let admin: AdminClient<DefaultClientContext> =
            ClientConfig::new().set("bootstrap.servers", &server).create().unwrap();
        let narrow = NewTopic::new(&topic, 1, TopicReplication::Fixed(1));
        let narrow = narrow.set("max.message.bytes", "50000");
        admin.create_topics([&narrow], &AdminOptions::new()).await.unwrap().pop().unwrap().unwrap();
        let hub = Kafka::connect(Settings { compression: "none".to_owned(), ..settings }).unwrap();
        let mut batch = lines(0, 1);
        for _ in 0..5000 {
            batch.push_copy(uuid::Uuid::new_v4().to_string().as_bytes());
        }
        append(&hub, &topic, 0, batch).await;
        assert_eq!(hub.cut_records(), 0);
        let spec = spec(&unique("group"), by_name(&topic), StartAt::Earliest);
        let mut consumer = hub.consumer(spec).await.unwrap();
        let values = read(consumer.as_mut(), 5001).await;
        let different: BTreeSet<_> = values[&0].iter().collect();
        assert_eq!((values[&0].len(), different.len()), (5001, 5001));
        hub.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_was_deleted_is_made_again() {
    let Some(server) = server("ANABRANCH_KAFKA") else { return };
    for transactional in [true, false] {
        let hub = Kafka::connect(Settings { transactional, ..settings(server.clone()) }).unwrap();
        let topic = unique("deleted");
        append(&hub, &topic, 0, lines(0, 1)).await;
        hub.delete_topic(&topic).await.unwrap();
        let until = Instant::now() + Duration::from_secs(60);
        while hub.topics().await.unwrap().iter().any(|known| known.name == topic) {
            assert!(Instant::now() < until, "it is still there");
        }
        append(&hub, &topic, 0, lines(1, 1)).await;
        let spec = spec(&unique("group"), by_name(&topic), StartAt::Earliest);
        let mut consumer = hub.consumer(spec).await.unwrap();
        assert_eq!(read(consumer.as_mut(), 1).await, [(0, vec!["line 1".to_owned()])].into());
    }
}
