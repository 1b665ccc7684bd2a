//! The thread that owns the producer: gathers appends into rounds and stores each round whole.
//!
//! With transactions a round is one transaction: records, the positions of their sources, and a mark. Nothing is
//! settled before the commit, so a round that fails is aborted and sent again from memory, in order. When the answer
//! to a commit is lost for good (the producer was fenced), the mark in the positions topic tells whether the commit
//! took place.
//!
//! Without transactions a round is everything that is on its way until all of it is acknowledged; what was not is
//! sent again, and positions follow when all is: at least once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use anabranch_connectors::contract::clock;
use anabranch_connectors::contract::receipt::Stored;
use anabranch_record::Record;
use tokio::time::Instant;
use tracing::{info, warn};

use super::accounts::Accounts;
use super::amend::Amender;
use super::encode::{Encoder, Limits, decode, size};
use super::health::Health;
use super::positions;
use super::properties::Own;
use super::queue::{Queue, Taken};
use super::round::{BACKOFF, END_MAX, Failure, ROUND_BYTES, Round};
use super::settings::Settings;
use super::topics::Topics;
use crate::hub::Acks;
use crate::kafka::{Batch, Code, Error, Goal, Patience, Place, Producer, ProducerSettings, State};
use crate::ledger::account;

/// How long one try to deliver may take, unless the settings say so.
const DELIVERY_MAX: Duration = Duration::from_secs(300);

/// What the thread works with.
pub(super) struct Writer {
    settings: Settings,
    topics: Arc<Topics>,
    queue: Arc<Queue>,
    health: Arc<Health>,
    cut: Arc<AtomicU64>,
    encoder: Arc<Encoder>,
    producer: Producer,
    /// Whether the producer has a life to send in.
    is_alive: bool,
    delivery_max: Duration,
    /// Names this life of the agent; with the number of the round it is a transaction's mark.
    life: String,
    round: Round,
    accounts: Accounts,
    committed: Instant,
}

/// For whom the client waits: the end of the queue ends every wait.
struct Waiting {
    queue: Arc<Queue>,
    health: Arc<Health>,
}

impl Patience for Waiting {
    fn is_over(&self) -> bool {
        self.queue.is_over()
    }

    fn rest(&self, time: Duration) {
        self.queue.rest(time);
    }

    fn trouble(&self, why: &str) {
        self.health.trouble(why);
    }
}

impl Writer {
    pub(super) fn new(
        own: Own,
        topics: Arc<Topics>,
        (queue, health): (Arc<Queue>, Arc<Health>),
        cut: Arc<AtomicU64>,
        encoder: Arc<Encoder>,
    ) -> Self {
        let Own { settings, options, transaction_timeout, .. } = own;
        let transactions = settings.transactions();
        let mut delivery_max = settings.delivery_timeout.unwrap_or(DELIVERY_MAX);
        if transactions {
            delivery_max = delivery_max.min(transaction_timeout);
        }
        let producer = ProducerSettings {
            acks: match settings.acks {
                Acks::All => -1,
                Acks::Leader => 1,
                Acks::None => 0,
            },
            idempotent: settings.acks == Acks::All,
            transaction: transactions
                .then(|| (settings.transactional_id.clone(), transaction_timeout)),
            max_in_flight: settings.in_flight(),
        };
        let patience = Waiting { queue: Arc::clone(&queue), health: Arc::clone(&health) };
        Self {
            producer: Producer::new(options, producer, Arc::new(patience)),
            settings,
            topics,
            queue,
            health,
            cut,
            encoder,
            is_alive: false,
            delivery_max,
            life: uuid::Uuid::new_v4().to_string(),
            round: Round::default(),
            accounts: Accounts::default(),
            committed: Instant::now(),
        }
    }

    /// Runs until the queue is closed and empty, or its time is over.
    pub(super) fn run(mut self) {
        self.work();
        // Unsettled parts tell their sources, when they are dropped, that they are not stored.
        self.round = Round::default();
        self.queue.end();
    }

    fn work(&mut self) {
        let mut wait = BACKOFF.0;
        loop {
            let why = match self.attempt() {
                Ok(true) => None,
                Ok(false) | Err(Failure::Stopping) => return,
                Err(Failure::Again(why)) => Some(why),
                Err(Failure::Gone(why)) => {
                    let topics = self.round.batches.iter().map(|batch| &*batch.place.0);
                    self.look_again(&topics.collect());
                    Some(why)
                }
            };
            match why {
                Some(why) => {
                    self.recover(&why);
                    self.queue.rest(wait);
                    wait = (wait * 2).min(BACKOFF.1);
                }
                None => wait = BACKOFF.0,
            }
            if self.queue.is_over() {
                return;
            }
        }
    }

    /// One try at the round, which is begun when there is none; `false` when there will be no more.
    fn attempt(&mut self) -> Result<bool, Failure> {
        if !self.is_alive {
            self.start()?;
        }
        if self.round.unsure {
            self.find_out()?;
        }
        if self.round.is_empty() {
            match self.queue.take(Instant::now() + Duration::from_secs(1)) {
                Taken::Job(job) => self.round.push(job),
                Taken::Nothing => {
                    self.encoder.shrink();
                    return Ok(true);
                }
                Taken::Closed => return Ok(false),
            }
        }
        self.producer.begin();
        self.send_all()?;
        self.finish()?;
        self.settle();
        Ok(true)
    }

    /// A new life; with transactions it is the only one of its name from now on.
    fn start(&mut self) -> Result<(), Failure> {
        // The brokers' own words come first on what keeps this agent out.
        self.producer.start(Instant::now() + END_MAX)?;
        let topic = &self.settings.positions_topic;
        if !topic.is_empty() {
            let known = self.topics.partitions_now(topic);
            known.map_err(|error| Failure::Again(format!("topic \"{topic}\": {error}")))?;
            let kept = self.accounts.take_up(&self.settings);
            kept.map_err(|error| Failure::Again(error.to_string()))?;
        }
        if self.settings.transactions() {
            info!(id = self.settings.transactional_id, "transactions can begin");
        }
        self.is_alive = true;
        self.health.ready();
        Ok(())
    }

    /// Sends what the round holds, and what comes until it is full or its time is up.
    fn send_all(&mut self) -> Result<(), Failure> {
        let until = Instant::now() + self.delivery_max;
        let due = self.settings.due(self.committed);
        self.take_ready();
        self.send(until)?;
        while self.round.bytes < ROUND_BYTES {
            let Taken::Job(job) = self.queue.take(due) else { break };
            self.round.push(job);
            self.take_ready();
            self.send(until)?;
            if Instant::now() >= due {
                break;
            }
        }
        Ok(())
    }

    /// Takes what is there without waiting for more.
    fn take_ready(&mut self) {
        while self.round.bytes < ROUND_BYTES {
            let Taken::Job(job) = self.queue.take(Instant::now()) else { break };
            self.round.push(job);
        }
    }

    fn send(&mut self, until: Instant) -> Result<(), Failure> {
        let amender = Amender {
            topics: &self.topics,
            encoder: &self.encoder,
            cut: &self.cut,
            batch_size: self.settings.batch_size,
        };
        if amender.amend(&mut self.round.batches).map_err(Failure::Again)? {
            self.producer.begin();
        }
        self.add(until)?;
        Ok(self.producer.advance(&mut self.round.batches, Goal::Sent, until)?)
    }

    /// Makes every partition of the round a part of the transaction, and that of the positions.
    fn add(&mut self, until: Instant) -> Result<(), Error> {
        if !self.settings.transactions() {
            return Ok(());
        }
        let waiting = self.round.batches.iter().filter(|batch| batch.state == State::Waiting);
        let mut places: BTreeSet<Place> = waiting.map(|batch| batch.place.clone()).collect();
        if !self.settings.positions_topic.is_empty() {
            places.insert(self.positions_place());
        }
        self.producer.add(&places, until)
    }

    fn positions_place(&self) -> Place {
        (self.settings.positions_topic.as_str().into(), 0)
    }

    /// Makes the round stored, or fails.
    fn finish(&mut self) -> Result<(), Failure> {
        let until = Instant::now() + self.delivery_max;
        let mut positions = self.positions().map_err(Failure::Again)?;
        if self.settings.transactions() {
            self.round.batches.append(&mut positions);
            self.producer.advance(&mut self.round.batches, Goal::Stored, until)?;
            // The positions are in the transaction by now: who takes a sink's partitions over after this waits for its end
            // before he reads them.
            self.round.ask()?;
            self.round.unsure = !self.settings.positions_topic.is_empty();
            self.producer.commit(Instant::now() + END_MAX)?;
            self.round.unsure = false;
            return Ok(());
        }
        self.producer.advance(&mut self.round.batches, Goal::Stored, until)?;
        self.producer.begin();
        Ok(self.producer.advance(&mut positions, Goal::Stored, until)?)
    }

    /// The last position of each key in the round, and with transactions the mark.
    fn positions(&self) -> Result<Vec<Batch>, String> {
        if self.settings.positions_topic.is_empty() {
            return Ok(Vec::new());
        }
        let agent = &self.settings.transactional_id;
        let mut last: BTreeMap<Vec<u8>, Option<Vec<u8>>> = BTreeMap::new();
        for part in self.round.sources() {
            if let Some(position) = part.batch.position() {
                let key = positions::key(agent, &part.source, &position.key);
                last.insert(key, position.value.clone());
            }
        }
        for (source, account) in self.accounts.with(self.round.sources().collect()) {
            let text = account::encode(&account).into_bytes();
            last.insert(positions::account_key(agent, &source), Some(text));
        }
        if self.settings.transactions() {
            last.insert(positions::mark_key(agent), Some(self.mark().into_bytes()));
        }
        let limits = self.topics.limits(&self.settings.positions_topic, self.settings.batch_size);
        let limits = Limits { record_max: usize::MAX, ..limits };
        let mut writing = self.encoder.begin(self.positions_place(), limits);
        let timestamp_ms = clock::now_ms();
        for (key, value) in &last {
            let (key, value) = (Some(key.as_slice()), value.as_deref());
            let record = Record { key, value, timestamp_ms, ..Record::default() };
            writing.push(&record).map_err(|error| error.to_string())?;
        }
        writing.end().map_err(|error| error.to_string())
    }

    fn settle(&mut self) {
        let stored = self.accounts.with(self.round.sources().collect());
        self.accounts.settle(stored);
        let number = self.round.number + 1;
        let round = std::mem::replace(&mut self.round, Round { number, ..Round::default() });
        let offsets = round.offsets();
        for ((partition, parts), first) in round.parts.into_iter().zip(offsets) {
            let mut next = first;
            for part in parts {
                let offset = next.unwrap_or(-1);
                next = next.map(|next| next.saturating_add_unsigned(part.records()));
                part.settle(Ok(Stored { partition, offset }));
            }
        }
        self.committed = Instant::now();
        self.health.ready();
    }

    /// After a failure: the next attempt begins a new life.
    fn recover(&mut self, why: &str) {
        self.health.trouble(why);
        warn!(error = why, records = self.round.records, "kafka did not store, will retry");
        self.is_alive = false;
        let positions = self.positions_place();
        if self.settings.transactions() {
            self.round.batches.retain(|batch| batch.place != positions);
        }
        self.learn();
        self.round.begin_again(self.settings.transactions());
    }

    /// Learns from what was refused: what is too large, and topics that are gone.
    fn learn(&self) {
        let mut gone = BTreeSet::new();
        for batch in &self.round.batches {
            let State::Refused(code) = batch.state else { continue };
            if code == Code::UNKNOWN_TOPIC {
                gone.insert(&*batch.place.0);
            } else if code.is_too_large()
                && let Some(stored) = decode(batch)
            {
                let alone = stored.iter().next().filter(|_| batch.count == 1);
                match alone {
                    Some(one) => self.topics.refused_record(&batch.place.0, size(&one.record)),
                    None => self.topics.refused_batch(&batch.place.0, stored.data.len()),
                }
            }
        }
        self.look_again(&gone);
    }

    fn look_again(&self, topics: &BTreeSet<&str>) {
        for topic in topics {
            self.topics.forget(topic);
            // A topic that was deleted is made again; if it cannot be, the next try says so.
            self.topics.partitions_now(topic).ok();
        }
    }

    /// After a commit without an answer: whether it took place.
    fn find_out(&mut self) -> Result<(), Failure> {
        let mark = positions::mark(&self.settings);
        let mark = mark.map_err(|error| Failure::Again(error.to_string()))?;
        if mark.is_some_and(|mark| mark == self.mark().into_bytes()) {
            info!(records = self.round.records, "the last transaction had been committed");
            self.settle();
        }
        self.round.unsure = false;
        Ok(())
    }

    fn mark(&self) -> String {
        format!("{}-{}", self.life, self.round.number)
    }
}
