//! The delivery loop with a sink that answers as it is told, on the embedded hub.

mod accounting;
mod burying;
mod committing;
mod diverting;
mod refusing;
mod writing;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anabranch_connectors::contract::sink::Resumed;
use anabranch_connectors::{Outcome, Sink, WriteError, Written};
use anabranch_record::{Batch, Headers, Records};
use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::progress::Progress;
use super::*;
use crate::hub::embedded::{self, Embedded};
use crate::hub::{
    Consumer, ConsumerSpec, Fetched, Hub, HubError, Lag, Lasting, Offset, StartAt, TopicSelector,
};
use crate::metrics::Metrics;
use crate::producer::{self, Producer};

type Answer = Result<Written, WriteError>;

/// Answers in turn as it is told, then takes everything; keeps what it took and what was committed with it.
#[derive(Default)]
struct Told {
    answers: Mutex<VecDeque<Answer>>,
    /// A write with a record that begins so is refused whole.
    refuses: Mutex<Option<&'static str>>,
    writes: Mutex<Vec<Vec<String>>>,
    resumed: Mutex<Vec<String>>,
    /// Whether its state must be committed before the next write.
    is_new: AtomicBool,
    /// Whether what was written since the last commit is gone, as it is found when it is to be made durable.
    is_in_doubt: AtomicBool,
    /// Whether the next write is lost in this way.
    loses: AtomicBool,
    /// What each commit was to leave on the disk.
    lasting: Mutex<Vec<Lasting>>,
    /// What the next commits are answered with.
    commits: Mutex<VecDeque<HubError>>,
    /// Whether another sink has what this one cannot deliver, at once.
    has_fallback: AtomicBool,
    /// Whether the first record of the next batch is lost before the sink has it.
    is_robbed: AtomicBool,
}

impl Told {
    fn written(&self) -> Vec<Vec<String>> {
        self.writes.lock().clone()
    }

    fn will_answer(&self, answers: impl IntoIterator<Item = Answer>) {
        self.answers.lock().extend(answers);
    }
}

struct ToldSink(Arc<Told>);

#[async_trait]
impl Sink for ToldSink {
    async fn resume(&mut self, resumed: &Resumed) -> Result<(), WriteError> {
        self.0.resumed.lock().extend(resumed.latest().map(str::to_owned));
        self.0.is_in_doubt.store(false, Ordering::Relaxed);
        Ok(())
    }

    async fn prepare(&mut self, _records: &Records) -> Result<bool, WriteError> {
        Ok(self.0.is_new.load(Ordering::Relaxed))
    }

    async fn write(&mut self, records: &Records) -> Answer {
        assert!(!self.0.is_new.load(Ordering::Relaxed), "its state is not committed");
        let text = |stored: anabranch_record::StoredRecord<'_>| {
            String::from_utf8(stored.record.value.unwrap().to_vec()).unwrap()
        };
        let texts: Vec<String> = records.iter().map(text).collect();
        let refuses = *self.0.refuses.lock();
        let is_refused = |text: &String| refuses.is_some_and(|start| text.starts_with(start));
        let answer = if texts.iter().any(is_refused) {
            Some(Err(refused()))
        } else {
            self.0.answers.lock().pop_front()
        };
        self.0.writes.lock().push(texts);
        self.0.is_in_doubt.fetch_or(self.0.loses.swap(false, Ordering::Relaxed), Ordering::Relaxed);
        answer.unwrap_or_else(|| Ok(Written::done()))
    }

    async fn checkpoint(&mut self) -> Result<Option<String>, WriteError> {
        if self.is_in_doubt() {
            let (target, reason) = ("t".into(), "cannot be synced".into());
            return Err(WriteError::NotNow { target, reason, retry_after: None });
        }
        Ok(Some(format!("{} writes", self.0.writes.lock().len())))
    }

    fn is_in_doubt(&self) -> bool {
        self.0.is_in_doubt.load(Ordering::Relaxed)
    }

    fn committed(&mut self) {
        self.0.is_new.store(false, Ordering::Relaxed);
    }

    fn takes_repeats(&self) -> bool {
        true
    }
}

fn refused() -> WriteError {
    WriteError::Refused { target: "t".into(), reason: "HTTP 400 Bad Request: \"no\"".into() }
}

/// The hub's own, whose commits fail as told.
struct ToldConsumer(Box<dyn Consumer>, Arc<Told>);

#[async_trait]
impl Consumer for ToldConsumer {
    async fn fetch(&mut self, max_bytes: usize, wait: Duration) -> Result<Fetched, HubError> {
        let mut fetched = self.0.fetch(max_bytes, wait).await?;
        if let Some(first) = fetched.batches.first_mut()
            && self.1.is_robbed.swap(false, Ordering::Relaxed)
        {
            first.skip += 1;
        }
        Ok(fetched)
    }

    async fn commit(&mut self, offsets: &[Offset], metadata: Option<&str>) -> Result<(), HubError> {
        self.commit_lasting(offsets, metadata, Lasting::AsConfigured).await
    }

    async fn commit_lasting(
        &mut self,
        offsets: &[Offset],
        metadata: Option<&str>,
        lasting: Lasting,
    ) -> Result<(), HubError> {
        let error = self.1.commits.lock().pop_front();
        match error {
            Some(error) => Err(error),
            None => {
                self.1.lasting.lock().push(lasting);
                self.0.commit_lasting(offsets, metadata, lasting).await
            }
        }
    }

    fn account(&mut self, counted: Vec<crate::hub::Counted>) {
        self.0.account(counted);
    }

    fn rewind(&mut self) {
        self.0.rewind();
    }

    async fn seek(&mut self, topic: &str, partition: i32, offset: i64) -> Result<i64, HubError> {
        self.0.seek(topic, partition, offset).await
    }

    async fn lag(&mut self) -> Vec<Lag> {
        self.0.lag().await
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
    let routes = producer::Routes::default();
    routes.write().insert("dead-letters:s".to_owned(), "s.dlq".into());
    routes.write().insert("fallback:s".to_owned(), "s.fallback".into());
    let (producer, workers) = Producer::new(&settings, &hub.appender(), &routes, &metrics);
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

    /// A delivery that lives until `until`, as after a start of the program.
    async fn deliver(&self, told: &Arc<Told>, until: impl Fn(&Told) -> bool) {
        self.deliver_by(10_000, told, until).await;
    }

    /// The same with so many records in a write.
    async fn deliver_by(
        &self,
        max_records: usize,
        told: &Arc<Told>,
        until: impl Fn(&Told) -> bool,
    ) {
        let spec = spec("s", "app");
        let backoff = (Duration::from_millis(1), Duration::from_millis(5));
        let hub = Arc::clone(&self.hub) as Arc<dyn Hub>;
        let way = Some((self.producer.side_emitter("dead-letters:s"), Arc::clone(&hub)));
        let other = (self.producer.side_emitter("fallback:s"), hub);
        let fallback = Fallback {
            letters: DeadLetters::fallback("s", other, Arc::default()),
            after: Duration::ZERO,
        };
        let consumer = self.hub.consumer(spec).await.unwrap();
        let delivery = Delivery {
            name: "s".into(),
            member: 0,
            consumer: Box::new(ToldConsumer(consumer, Arc::clone(told))),
            sink: Box::new(ToldSink(Arc::clone(told))),
            settings: Settings { backoff, attempts: 3, max_records, ..Settings::default() },
            dead_letters: DeadLetters::new("s", way, Arc::default()),
            fallback: told.has_fallback.load(Ordering::Relaxed).then_some(fallback),
            meter: self.metrics.sink("s"),
            pace: Arc::new(Pace::new(1)),
            share: Share::new(&self.metrics.memory, &Arc::default()),
        };
        let stop = CancellationToken::new();
        let stopper = async {
            let deadline = Instant::now() + Duration::from_secs(20);
            while !until(told) {
                assert!(Instant::now() < deadline, "{:?}", told.writes.lock());
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            stop.cancel();
        };
        let is_robbed = told.is_robbed.load(Ordering::Relaxed);
        let before = self.row().await.difference;
        tokio::join!(run(delivery, stop.clone()), stopper);
        let row = self.row().await;
        assert!(is_robbed || row.difference == before, "{row:?}");
    }

    /// Values and reasons of the dead letters.
    async fn dead(&self) -> Vec<(String, String)> {
        self.letters("s.dlq").await
    }

    async fn letters(&self, topic: &str) -> Vec<(String, String)> {
        let mut consumer = self.hub.consumer(spec(topic, topic)).await.unwrap();
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

    fn committed(&self) -> i64 {
        let committed = self.hub.committed("s").unwrap_or_default();
        committed.values().next().map_or(-1, |committed| committed.offset)
    }

    async fn close(self) {
        drop(self.producer);
        self.workers.join_all().await;
        self.hub.close().await;
    }
}

fn spec(group: &str, topic: &str) -> ConsumerSpec {
    ConsumerSpec {
        group: group.into(),
        topics: vec![TopicSelector::Name(topic.into())],
        start: StartAt::Earliest,
        member: (0, 1),
        assigned: None,
    }
}

/// The same fate for the records with these numbers.
fn all(numbers: std::ops::Range<usize>, outcome: &Outcome) -> Answer {
    let exceptions = numbers.map(|number| (number, outcome.clone())).collect();
    Ok(Written { exceptions, retry_after: None })
}

fn again() -> Outcome {
    Outcome::Again { reason: "503".into() }
}

fn dead(reason: &str, own: bool) -> Outcome {
    Outcome::Dead { reason: reason.into(), own }
}
