//! The producer's thread: gathers messages by partition, appends them, and tells each what became of it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use anabranch_connectors::Emission;
use anabranch_connectors::contract::clock::now_ms;
use anabranch_connectors::contract::receipt::{NotStored, Stored};
use anabranch_record::{Batch, Headers, Record, TopicPartition, copy_record};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::sending::{Choose, Request, Sending, place};
use super::{ClientError, Message, ProducerSettings, RecordMetadata};
use crate::hub::{Appender, Hub, HubError, Part};

/// Wait between two tries to find or make a topic.
const TOPIC_RETRY: Duration = Duration::from_millis(200);
/// Longest wait for one answer about a topic.
const LOOK_MAX: Duration = Duration::from_secs(30);
/// How long the number of partitions of a topic is believed.
const PARTITIONS_FRESH: Duration = Duration::from_secs(60);

pub(super) struct Worker {
    hub: Arc<dyn Hub>,
    appender: Arc<dyn Appender>,
    settings: ProducerSettings,
    choose: Option<Box<Choose>>,
    partitions: HashMap<String, (u32, Instant)>,
    gathered: HashMap<TopicPartition, Gathered>,
    under_way: FuturesUnordered<UnderWay>,
    turn: u32,
}

type UnderWay = futures::future::BoxFuture<'static, ()>;

/// What waits for one partition.
struct Gathered {
    batch: Batch,
    waiting: Vec<Waiting>,
    due: Instant,
}

struct Waiting {
    sending: Box<Sending>,
    timestamp_ms: i64,
}

impl Worker {
    pub(super) fn new(
        hub: &Arc<dyn Hub>,
        settings: ProducerSettings,
        choose: Option<Box<Choose>>,
    ) -> Self {
        Self {
            appender: hub.appender(),
            hub: Arc::clone(hub),
            settings,
            choose,
            partitions: HashMap::new(),
            gathered: HashMap::new(),
            under_way: FuturesUnordered::new(),
            turn: 0,
        }
    }

    /// Runs until the producer is closed; what was taken by then has its outcome.
    pub(super) async fn run(mut self, mut queue: mpsc::Receiver<Request>) {
        loop {
            let due = self.gathered.values().map(|gathered| gathered.due).min();
            let timer = async {
                match due {
                    Some(due) => tokio::time::sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                Some(()) = self.under_way.next() => {}
                () = timer => self.hand_on(false).await,
                request = queue.recv() => match request {
                    Some(Request::Send(sending)) => self.take(sending).await,
                    Some(Request::Flush(done)) => {
                        self.settle_all().await;
                        // Whoever asked may have given up waiting.
                        done.send(()).ok();
                    }
                    None => break,
                },
            }
        }
        self.settle_all().await;
    }

    async fn settle_all(&mut self) {
        self.hand_on(true).await;
        while self.under_way.next().await.is_some() {}
    }

    async fn take(&mut self, sending: Box<Sending>) {
        let partitions = match self.partitions_of(&sending).await {
            Ok(partitions) => partitions,
            Err(error) => return (sending.tell)(Err(error)),
        };
        let partition = match place(&sending.message, partitions, self.choose.as_deref(), self.turn)
        {
            Ok(partition) => partition,
            Err(error) => return (sending.tell)(Err(error)),
        };
        let (bytes, most) =
            (sending.message.size_bytes(), self.appender.record_max(&sending.message.topic));
        if bytes > most {
            let topic = &sending.message.topic;
            let why = format!(
                "a record of {bytes} bytes is larger than topic \"{topic}\" takes ({most}, of its max.message.bytes)"
            );
            return (sending.tell)(Err(ClientError::NotStored(why)));
        }
        let key = TopicPartition::new(&*sending.message.topic, partition);
        let timestamp_ms = sending.message.timestamp_ms.unwrap_or_else(now_ms);
        let due = Instant::now() + self.settings.linger;
        let gathered = self.gathered.entry(key.clone()).or_insert_with(|| Gathered {
            batch: Batch::new(Vec::new().into(), Headers::new(), timestamp_ms, 0),
            waiting: Vec::new(),
            due,
        });
        push(&sending, timestamp_ms, &mut gathered.batch);
        gathered.waiting.push(Waiting { sending, timestamp_ms });
        let is_full = gathered.batch.size_bytes() >= self.settings.batch_size;
        if (is_full || self.settings.linger.is_zero())
            && let Some(gathered) = self.gathered.remove(&key)
        {
            self.append(key, gathered).await;
        }
    }

    async fn hand_on(&mut self, all: bool) {
        let now = Instant::now();
        let due = |gathered: &Gathered| all || gathered.due <= now;
        let keys = self.gathered.iter().filter(|(_, gathered)| due(gathered));
        let keys: Vec<_> = keys.map(|(key, _)| key.clone()).collect();
        for key in keys {
            if let Some(gathered) = self.gathered.remove(&key) {
                self.append(key, gathered).await;
            }
        }
    }

    async fn append(&mut self, place: TopicPartition, gathered: Gathered) {
        let TopicPartition { topic, partition } = place;
        while self.under_way.len() >= self.settings.max_in_flight.max(1) {
            self.under_way.next().await;
        }
        self.turn = self.turn.wrapping_add(1);
        let Gathered { batch, waiting, .. } = gathered;
        let (settle, settled) = oneshot::channel();
        let sent = Instant::now();
        let part =
            Part::from(Emission { source: "client".into(), batch, settle, permit: None, sent });
        self.appender.append(&topic, partition, vec![part]);
        let first = waiting.first().map_or(sent, |first| first.sending.sent);
        let limit = first + self.settings.delivery_timeout;
        let hub = Arc::clone(&self.hub);
        self.under_way.push(Box::pin(async move {
            let outcome = match tokio::time::timeout_at(limit, settled).await {
                Ok(Ok(Ok(stored))) => Ok(stored),
                Ok(Ok(Err(NotStored(why)))) => Err(ClientError::NotStored(why)),
                Ok(Err(_gone)) => Err(ClientError::NotStored("the hub is closing".to_owned())),
                Err(_elapsed) => Err(ClientError::TimedOut(hub.state().unwrap_or_else(|why| why))),
            };
            tell(&outcome, waiting);
        }));
    }

    /// How many partitions the message's topic has, asked until the hub knows or it is time to give up.
    async fn partitions_of(&mut self, sending: &Sending) -> Result<u32, ClientError> {
        let topic = &sending.message.topic;
        if let Some((partitions, at)) = self.partitions.get(topic)
            && at.elapsed() < PARTITIONS_FRESH
        {
            return Ok(*partitions);
        }
        let mut tries = 0;
        loop {
            let left = self.settings.delivery_timeout.saturating_sub(sending.sent.elapsed());
            match self.appender.partitions_within(topic, left.min(LOOK_MAX)) {
                Ok(partitions) => {
                    let partitions = partitions.max(1);
                    self.partitions.insert(topic.clone(), (partitions, Instant::now()));
                    return Ok(partitions);
                }
                Err(HubError::NotNow(why))
                    if sending.sent.elapsed() >= self.settings.delivery_timeout =>
                {
                    return Err(ClientError::TimedOut(why));
                }
                Err(error @ HubError::NotNow(_)) if tries >= self.settings.retries => {
                    return Err(error.into());
                }
                Err(HubError::NotNow(_)) => tokio::time::sleep(TOPIC_RETRY).await,
                Err(error) => return Err(error.into()),
            }
            tries += 1;
        }
    }
}

fn push(sending: &Sending, timestamp_ms: i64, batch: &mut Batch) {
    let Message { key, value, headers, .. } = &sending.message;
    let (key, value) = (key.as_deref(), value.as_deref());
    let headers = headers.iter().map(|(name, value)| (name.as_str(), Some(value.as_slice())));
    copy_record(&Record { key, value, timestamp_ms, ..Record::default() }, headers, batch);
}

/// Tells every message of a batch where it is: one offset after another from the batch's first.
fn tell(outcome: &Result<Stored, ClientError>, waiting: Vec<Waiting>) {
    for (number, Waiting { sending, timestamp_ms }) in (0i64..).zip(waiting) {
        let metadata = outcome.clone().map(|stored| RecordMetadata {
            topic: sending.message.topic.clone(),
            partition: stored.partition,
            offset: (stored.offset >= 0).then_some(stored.offset + number),
            timestamp_ms,
        });
        (sending.tell)(metadata);
    }
}
