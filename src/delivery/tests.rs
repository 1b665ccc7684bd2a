//! The delivery loop with a sink that answers as it is told, on the embedded hub.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::Ordering;

use anabranch_connectors::{Batch, Headers, Outcome, WriteError, Written};
use async_trait::async_trait;

use super::*;
use crate::hub::embedded::{self, Embedded};
use crate::hub::{ConsumerSpec, Hub, StartAt, TopicSelector};
use crate::metrics::Metrics;
use crate::producer::{self, Producer};

type Answer = Result<Written, WriteError>;

/// Answers in turn as it is told, then takes everything; keeps what it took and what was committed with it.
#[derive(Default)]
struct Told {
    answers: Mutex<VecDeque<Answer>>,
    writes: Mutex<Vec<Vec<String>>>,
    resumed: Mutex<Vec<String>>,
}

struct ToldSink(Arc<Told>);

#[async_trait]
impl Sink for ToldSink {
    async fn resume(&mut self, resumed: &Resumed) -> Result<(), WriteError> {
        self.0.resumed.lock().unwrap().extend(resumed.latest().map(str::to_owned));
        Ok(())
    }

    async fn write(&mut self, records: &Records) -> Answer {
        let text = |stored: anabranch_connectors::StoredRecord<'_>| {
            String::from_utf8(stored.record.value.unwrap().to_vec()).unwrap()
        };
        self.0.writes.lock().unwrap().push(records.iter().map(text).collect());
        self.0.answers.lock().unwrap().pop_front().unwrap_or_else(|| Ok(Written::done()))
    }

    async fn checkpoint(&mut self) -> Result<Option<String>, WriteError> {
        Ok(Some(format!("{} writes", self.0.writes.lock().unwrap().len())))
    }
}

struct Rig {
    hub: Arc<Embedded>,
    metrics: Arc<Metrics>,
    producer: Producer,
    workers: tokio::task::JoinSet<()>,
}

fn rig(folder: &std::path::Path) -> Rig {
    let metrics = Arc::new(Metrics::default());
    let settings = embedded::Settings::new(folder);
    let hub = Embedded::open(settings, Arc::clone(&metrics)).unwrap();
    let settings = producer::Settings { workers: 1, ..producer::Settings::default() };
    let (producer, workers) = Producer::new(&settings, &hub.appender(), &Arc::default(), &metrics);
    let workers = workers.into_iter().map(producer::Worker::run).collect();
    Rig { hub, metrics, producer, workers }
}

impl Rig {
    async fn produce(&self, lines: &[&str]) {
        let emitter = self.producer.emitter("app", Vec::new(), Arc::default());
        let mut batch = Batch::new(Vec::new().into(), Headers::new().with("host", b"h"), 1, 0);
        for line in lines {
            batch.push_copy(line.as_bytes());
        }
        emitter.send(batch).await.unwrap().stored().await.unwrap();
    }

    async fn deliver(&self, told: &Arc<Told>, until: impl Fn(&Told) -> bool) {
        let spec = ConsumerSpec {
            group: "s".into(),
            topics: vec![TopicSelector::Name("app".into())],
            start: StartAt::Earliest,
            member: (0, 1),
            assigned: None,
        };
        let backoff = (Duration::from_millis(1), Duration::from_millis(5));
        let delivery = Delivery {
            name: "s".into(),
            consumer: self.hub.consumer(spec).await.unwrap(),
            sink: Box::new(ToldSink(Arc::clone(told))),
            settings: Settings { backoff, attempts: 3, ..Settings::default() },
            dead_letters: Some(self.producer.side_emitter("s.dlq")),
            meter: self.metrics.sink("s"),
        };
        let stop = CancellationToken::new();
        let stopper = async {
            let deadline = Instant::now() + Duration::from_secs(20);
            while !until(told) {
                assert!(Instant::now() < deadline, "{:?}", told.writes.lock().unwrap());
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            stop.cancel();
        };
        tokio::join!(run(delivery, stop.clone()), stopper);
    }

    async fn dead(&self) -> Vec<(String, String)> {
        let spec = ConsumerSpec {
            group: "reader".into(),
            topics: vec![TopicSelector::Name("s.dlq".into())],
            start: StartAt::Earliest,
            member: (0, 1),
            assigned: None,
        };
        let mut consumer = self.hub.consumer(spec).await.unwrap();
        let fetched = consumer.fetch(1 << 20, Duration::from_millis(20)).await.unwrap();
        let mut dead = Vec::new();
        for one in fetched.batches {
            for stored in one.batch.iter() {
                let text =
                    |bytes: Option<&[u8]>| String::from_utf8(bytes.unwrap().to_vec()).unwrap();
                assert_eq!(text(stored.record.headers.get("host")), "h");
                assert_eq!(text(stored.record.headers.get("__connect.errors.topic")), "app");
                let reason = stored.record.headers.get("__connect.errors.exception.message");
                dead.push((text(stored.record.value), text(reason)));
            }
        }
        dead
    }

    async fn close(self) {
        drop(self.producer);
        self.workers.join_all().await;
        self.hub.close().await;
    }
}

fn writes(told: &Told) -> Vec<Vec<String>> {
    told.writes.lock().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_came_back_is_sent_again_and_the_dead_are_kept_with_their_reason() {
    let folder = tempfile::tempdir().unwrap();
    let rig = rig(folder.path());
    rig.produce(&["a", "b", "c", "d"]).await;
    let told = Arc::new(Told::default());
    let exceptions = vec![
        (1, Outcome::Dead { reason: "400 bad".into() }),
        (2, Outcome::Again { reason: "429".into() }),
    ];
    told.answers.lock().unwrap().push_back(Err(WriteError::NotNow {
        target: "t".into(),
        reason: "away".into(),
        retry_after: None,
    }));
    told.answers.lock().unwrap().push_back(Ok(Written { exceptions, retry_after: None }));
    rig.deliver(&told, |told| writes(told).len() == 3).await;
    assert_eq!(writes(&told), [vec!["a", "b", "c", "d"], vec!["a", "b", "c", "d"], vec!["c"]]);
    assert_eq!(rig.dead().await, [("b".to_owned(), "400 bad".to_owned())]);
    let meter = rig.metrics.sink("s");
    assert_eq!(meter.delivered.load(Ordering::Relaxed), 3);
    assert_eq!(meter.dead.load(Ordering::Relaxed), 1);

    // The next life begins behind what is settled, with the state of the last commit.
    rig.produce(&["e"]).await;
    let told = Arc::new(Told::default());
    rig.deliver(&told, |told| !writes(told).is_empty()).await;
    assert_eq!(writes(&told), [vec!["e"]]);
    assert_eq!(*told.resumed.lock().unwrap(), ["3 writes"]);
    rig.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poison_record_is_found_by_halves_and_a_stubborn_one_is_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let rig = rig(folder.path());
    rig.produce(&["a", "b", "c"]).await;
    let told = Arc::new(Told::default());
    let large = || WriteError::TooLarge { target: "t".into(), reason: "413".into() };
    let again = || vec![(0, Outcome::Again { reason: "503".into() })];
    told.answers.lock().unwrap().extend([
        Err(large()),
        Err(large()),
        Err(large()),
        Ok(Written::done()),
        Ok(Written { exceptions: again(), retry_after: None }),
    ]);
    rig.deliver(&told, |told| writes(told).len() == 6).await;
    let expected: [&[&str]; 6] = [&["a", "b", "c"], &["a", "b"], &["a"], &["b"], &["c"], &["c"]];
    assert_eq!(writes(&told), expected);
    assert_eq!(rig.dead().await, [("a".to_owned(), "t: too large: 413".to_owned())]);

    rig.produce(&["x", "y"]).await;
    let told = Arc::new(Told::default());
    for _ in 0..10 {
        let exceptions = again();
        told.answers.lock().unwrap().push_back(Ok(Written { exceptions, retry_after: None }));
    }
    rig.deliver(&told, |told| writes(told).len() >= 4).await;
    assert_eq!(writes(&told).len(), 4);
    assert_eq!(rig.dead().await[1].1, "gave up after 4 tries: 503");
    rig.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn marks_of_transactions_at_the_end_are_passed_and_committed() {
    let folder = tempfile::tempdir().unwrap();
    let rig = rig(folder.path());
    rig.produce(&["a"]).await;
    let partition = Arc::clone(rig.hub.topic_state("app").unwrap().partition(0).unwrap());
    for _ in 0..2 {
        partition.append(&crate::wire::marker((7, 0), true, 0, 1), 0).unwrap();
    }
    let told = Arc::new(Told::default());
    let committed = || {
        let committed = rig.hub.committed("s").unwrap_or_default();
        committed.values().next().map(|committed| committed.offset)
    };
    rig.deliver(&told, |_| committed() == Some(3)).await;
    assert_eq!(writes(&told), [vec!["a"]]);
    rig.close().await;
}
