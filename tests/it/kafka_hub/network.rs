//! A network that fails between the hub and its brokers: what is read goes on when others are served again.

use std::sync::atomic::Ordering;

use super::*;
use crate::support::{Broker, Proxy, free_port};

/// Until the watchdog has asked, and a new member has its partitions.
const LONG: Duration = Duration::from_secs(180);

/// Reads until these lines, and no others, have come since the last assignment.
async fn read_lines(consumer: &mut dyn Consumer, count: usize, until: Instant) {
    let expected: Vec<String> = (0..count).map(|number| format!("line {number}")).collect();
    let mut values = Vec::new();
    while values != expected {
        assert!(Instant::now() < until, "only {values:?}");
        // Errors are told while the network fails, and pass.
        let Ok(fetched) = consumer.fetch(1 << 20, Duration::from_millis(500)).await else {
            continue;
        };
        if fetched.resumed.is_some() {
            values.clear();
        }
        for stored in fetched.batches.iter().flat_map(|fetched| fetched.batch.iter()) {
            values.push(String::from_utf8_lossy(stored.record.value.unwrap()).into_owned());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_whose_connections_stay_silent_goes_on_with_a_new_client() {
    if server("ANABRANCH_KAFKA").is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let broker = Broker::start_behind(folder.path(), port);
    let proxy = Proxy::start(port, broker.address());
    // With this librdkafka itself waits for five minutes until it gives a connection up.
    let options = [("socket.timeout.ms".to_owned(), "300000".to_owned())].into();
    let settings = Settings { options, ..settings(proxy.address()) };
    let hub = Kafka::connect(settings.clone()).unwrap();
    let topic = unique("network");
    append(&hub, &topic, 0, lines(0, 3)).await;
    let group = spec(&unique("group"), by_name(&topic), StartAt::Earliest);
    let mut consumer = hub.consumer(group).await.unwrap();
    read_lines(consumer.as_mut(), 3, Instant::now() + LONG).await;

    proxy.slow(Duration::from_millis(50));
    proxy.cut();
    append(&hub, &topic, 0, lines(3, 3)).await;
    proxy.slow(Duration::ZERO);
    let mut next = Vec::new();
    let until = Instant::now() + LONG;
    while next.len() < 3 {
        assert!(Instant::now() < until, "only {next:?}");
        if let Ok(fetched) = consumer.fetch(1 << 20, Duration::from_millis(500)).await {
            assert!(fetched.resumed.is_none(), "librdkafka gets over a cut by itself");
            let records = fetched.batches.iter().flat_map(|fetched| fetched.batch.iter());
            next.extend(records.map(|stored| stored.offset));
        }
    }
    assert_eq!(settings.renewed.load(Ordering::Relaxed), 0);

    proxy.swallow();
    let other = Kafka::connect(Settings { transactional_id: unique("agent"), ..settings.clone() });
    let other = other.unwrap();
    append(&other, &topic, 0, lines(6, 3)).await;
    // Nothing was committed: all comes again to the new member.
    read_lines(consumer.as_mut(), 9, Instant::now() + LONG).await;
    assert!(settings.renewed.load(Ordering::Relaxed) > 0);
    drop(consumer);
    other.close().await;
}
