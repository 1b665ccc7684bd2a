//! Brokers that freeze, die and hand over while records are appended: nothing is lost, nothing is there twice.

use super::*;
use crate::support::Broker;

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_stands_still_loses_and_repeats_nothing() {
    if server("ANABRANCH_KAFKA").is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(folder.path());
    let trouble = async || {
        broker.freeze(true);
        tokio::time::sleep(Duration::from_secs(10)).await;
        broker.freeze(false);
    };
    append_through(broker.address(), 1, trouble).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_killed_and_started_loses_and_repeats_nothing() {
    if server("ANABRANCH_KAFKA").is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let broker = Arc::new(Broker::start(folder.path()));
    let address = broker.address();
    let trouble = async || {
        // Dropping the last of it would end the broker.
        let broker = Arc::clone(&broker);
        let restart = move || {
            broker.kill();
            broker.start_again();
        };
        tokio::task::spawn_blocking(restart).await.unwrap();
    };
    append_through(address, 1, trouble).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_is_killed_is_followed_by_another_and_nothing_is_lost_or_twice() {
    if server("ANABRANCH_KAFKA").is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = Broker::start_two(folder.path());
    let second = Arc::new(second);
    let trouble = async || {
        let second = Arc::clone(&second);
        let restart = move || {
            second.kill();
            second.start_again();
        };
        tokio::task::spawn_blocking(restart).await.unwrap();
    };
    append_through(first.address(), 2, trouble).await;
}

/// Appends while there is trouble, with transactions and without, and counts what readers see.
///
/// Without transactions it takes records of today: when a broker starts, it forgets producers whose last record is
/// older than `producer.id.expiration.ms` by its own timestamp, and takes a batch that is sent again for a new one.
async fn append_through(server: String, replication_factor: i32, trouble: impl AsyncFnOnce()) {
    let settings = Settings { replication_factor, ..settings(server) };
    let idempotent = Settings { transactional: false, ..settings.clone() };
    let (one, other) = tokio::join!(begin(settings), begin(idempotent));
    let work = async {
        tokio::join!(append_slowly(&one, LONG_AGO), append_slowly(&other, clock::now_ms()))
    };
    let (receipts, ()) = tokio::join!(work, async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        trouble().await;
    });
    for receipt in receipts.0.into_iter().chain(receipts.1) {
        receipt.await.unwrap().unwrap();
    }
    tokio::join!(check("in transactions", &one), check("idempotent", &other));
}

async fn begin(settings: Settings) -> (Arc<Kafka>, String) {
    let hub = Kafka::connect(settings).unwrap();
    let topic = unique("trouble");
    partitions(&hub, &topic).await.unwrap();
    (hub, topic)
}

async fn append_slowly((hub, topic): &(Arc<Kafka>, String), time_ms: i64) -> Vec<Receipt> {
    let appender = hub.appender();
    let mut receipts = Vec::new();
    for round in 0..400 {
        let first = usize::try_from(round).unwrap() * 100;
        receipts.push(queue(&appender, topic, round % 4, lines_at(time_ms, first, 100)).await);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    receipts
}

async fn check(how: &str, (hub, topic): &(Arc<Kafka>, String)) {
    let spec = spec(&unique("group"), by_name(topic), StartAt::Earliest);
    let mut consumer = hub.consumer(spec).await.unwrap();
    let values = read(consumer.as_mut(), 40_000).await;
    for (partition, values) in values {
        let in_order = (0..400).filter(|round| round % 4 == partition);
        let in_order = in_order.flat_map(|round| round * 100..round * 100 + 100);
        let expected: Vec<String> = in_order.map(|number| format!("line {number}")).collect();
        let first = values.iter().zip(&expected).position(|(value, expected)| value != expected);
        let around = |all: &[String]| {
            let at = first.unwrap_or(all.len());
            all[at.saturating_sub(2)..all.len().min(at + 3)].to_vec()
        };
        assert!(
            first.is_none() && values.len() == expected.len(),
            "{how}, partition {partition}: {} values, expected {}; {:?} where {:?} was expected",
            values.len(),
            expected.len(),
            around(&values),
            around(&expected)
        );
    }
    let more = consumer.fetch(1 << 20, Duration::from_secs(1)).await.unwrap();
    assert!(more.batches.is_empty());
}
