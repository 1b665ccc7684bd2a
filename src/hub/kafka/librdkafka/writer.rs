//! The thread that owns librdkafka's producer: gathers appends into rounds and stores each round whole, as
//! [`super::super::writer`] does.
//!
//! With transactions a round is one transaction: records, the positions of their sources, and a mark. Nothing is
//! settled before the commit, so a round that fails is aborted and sent again from memory, in order. When the answer
//! to a commit is lost for good (the producer was fenced), the mark in the positions topic tells whether the commit
//! took place.
//!
//! Without transactions a round is everything that is on its way until all of it is acknowledged; what was not is
//! sent again, and positions follow when all is: at least once.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use anabranch_connectors::contract::receipt::Stored;
use rdkafka::error::KafkaError;
use rdkafka::producer::Producer;
use tokio::time::Instant;
use tracing::{info, warn};

use super::super::accounts::Accounts;
use super::super::context::Deliveries;
use super::super::health::Health;
use super::super::queue::{Job, Queue, Taken};
use super::super::round::{BACKOFF, END_MAX, ROUND_BYTES};
use super::super::settings::Settings;
use super::super::topics::{Topics, is_too_large};
use super::super::{admin, positions};
use super::round::{Failure, Round, failure, is_retriable};
use super::send::{self, Kafka, Sender};
use crate::hub::{HubError, Part};
use crate::ledger::account;

/// How long one call that ends a transaction may take before the clock is looked at again.
const STEP: Duration = Duration::from_millis(500);

/// What the thread works with.
pub(in crate::hub::kafka) struct Writer {
    settings: Arc<Settings>,
    topics: Arc<Topics>,
    queue: Arc<Queue>,
    health: Arc<Health>,
    cut: Arc<AtomicU64>,
    kafka: Option<Kafka>,
    /// Names this life of the agent; with the number of the round it is a transaction's mark.
    life: String,
    round: Round,
    accounts: Accounts,
    committed: Instant,
}

impl Writer {
    pub(in crate::hub::kafka) fn new(
        settings: Arc<Settings>,
        topics: Arc<Topics>,
        (queue, health): (Arc<Queue>, Arc<Health>),
        cut: Arc<AtomicU64>,
    ) -> Self {
        Self {
            settings,
            topics,
            queue,
            health,
            cut,
            kafka: None,
            life: uuid::Uuid::new_v4().to_string(),
            round: Round::default(),
            accounts: Accounts::default(),
            committed: Instant::now(),
        }
    }

    /// Whether librdkafka takes the settings.
    pub(in crate::hub::kafka) fn check(&self) -> Result<(), HubError> {
        let made: Result<Kafka, _> =
            self.settings.producer().create_with_context(Deliveries::default());
        made.map(drop).map_err(|error| admin::unusable(&error))
    }

    /// Runs until the queue is closed and empty, or its time is over.
    pub(in crate::hub::kafka) fn run(mut self) {
        self.work();
        // Unsettled parts tell their sources, when they are dropped, that they are not stored.
        self.round = Round::default();
        self.kafka = None;
        self.queue.end();
    }

    fn work(&mut self) {
        let mut wait = BACKOFF.0;
        loop {
            match self.attempt() {
                Ok(true) => wait = BACKOFF.0,
                Ok(false) => return,
                Err(Failure::Stopping) => return,
                Err(failure) => {
                    self.recover(failure);
                    self.queue.rest(wait);
                    wait = (wait * 2).min(BACKOFF.1);
                }
            }
            if self.queue.is_over() {
                return;
            }
        }
    }

    /// One try at the round, which is begun when there is none; `false` when there will be no more.
    fn attempt(&mut self) -> Result<bool, Failure> {
        if self.kafka.is_none() {
            self.kafka = Some(self.start()?);
        }
        if self.round.unsure {
            self.find_out()?;
        }
        if self.round.jobs.is_empty() {
            match self.queue.take(Instant::now() + Duration::from_secs(1)) {
                Taken::Job(job) => self.round.push(job),
                Taken::Nothing => {
                    self.kafka.iter().for_each(|kafka| kafka.poll(Duration::ZERO));
                    return Ok(true);
                }
                Taken::Closed => return Ok(false),
            }
        }
        self.begin()?;
        self.send_all()?;
        self.finish()?;
        self.settle();
        Ok(true)
    }

    /// A new producer; with transactions it is the only one of its name from now on.
    fn start(&mut self) -> Result<Kafka, Failure> {
        if !self.settings.positions_topic.is_empty() {
            self.topics.partitions_now(&self.settings.positions_topic).map_err(|error| {
                Failure::Rebuild(format!("topic \"{}\": {error}", self.settings.positions_topic))
            })?;
        }
        let mut config = self.settings.producer();
        let batch_max = self.topics.batch_max();
        if batch_max < self.settings.batch_size {
            config.set("batch.size", batch_max.to_string());
        }
        let kafka: Kafka = config
            .create_with_context(Deliveries::default())
            .map_err(|error| Failure::Rebuild(format!("cannot make a kafka producer: {error}")))?;
        if self.settings.transactions() {
            self.until_done(&kafka, |kafka| kafka.init_transactions(STEP))?;
            info!(id = self.settings.transactional_id, "transactions can begin");
        }
        let kept = self.accounts.take_up(&self.settings);
        kept.map_err(|error| Failure::Rebuild(error.to_string()))?;
        self.health.ready();
        Ok(kafka)
    }

    fn begin(&mut self) -> Result<(), Failure> {
        let Some(kafka) = &self.kafka else { return Ok(()) };
        // What is left of an aborted round does not count against this one.
        drop(kafka.client().context().take());
        self.round.sent.set(0);
        if self.settings.transactions() {
            kafka.begin_transaction().map_err(|error| failure(&error))?;
        }
        Ok(())
    }

    /// Sends what the round holds, and what comes until it is full or its time is up.
    fn send_all(&mut self) -> Result<(), Failure> {
        let mut first = 0;
        for job in &self.round.jobs {
            self.send(job, first)?;
            first += job.records();
        }
        if self.round.only.is_some() {
            return Ok(());
        }
        let due = self.settings.due(self.committed);
        while self.round.bytes < ROUND_BYTES {
            let Taken::Job(job) = self.queue.take(due) else { break };
            self.round.push(job);
            if let Some(job) = self.round.jobs.last() {
                self.send(job, self.round.records - job.records())?;
            }
            if Instant::now() >= due {
                break;
            }
        }
        Ok(())
    }

    fn send(&self, job: &Job, first: usize) -> Result<(), Failure> {
        let Some(sender) = self.sender() else { return Ok(()) };
        sender.job(job, first, &self.round)?;
        if self.settings.transactions() {
            self.send_positions(&sender, job)?;
        }
        Ok(())
    }

    fn send_positions(&self, sender: &Sender<'_>, job: &Job) -> Result<(), Failure> {
        let agent = &self.settings.transactional_id;
        for part in &job.parts {
            if let Some(position) = part.batch.position() {
                let key = positions::key(agent, &part.source, &position.key);
                let value = position.value.as_deref();
                sender.position(&self.settings.positions_topic, &key, value)?;
            }
        }
        Ok(())
    }

    fn send_accounts(&self, sender: &Sender<'_>) -> Result<(), Failure> {
        let agent = &self.settings.transactional_id;
        for (source, account) in self.accounts.with(self.parts().collect()) {
            let (key, text) = (positions::account_key(agent, &source), account::encode(&account));
            sender.position(&self.settings.positions_topic, &key, Some(text.as_bytes()))?;
        }
        Ok(())
    }

    fn parts(&self) -> impl Iterator<Item = &Part> {
        self.round.jobs.iter().flat_map(|job| &job.parts)
    }

    /// Makes the round stored, or fails.
    fn finish(&mut self) -> Result<(), Failure> {
        if self.settings.transactions() {
            self.send_mark()?;
            self.round.ask()?;
            let Some(kafka) = &self.kafka else { return Ok(()) };
            let committed = self.until_done(kafka, |kafka| kafka.commit_transaction(STEP));
            self.round.unsure = matches!(committed, Err(Failure::Rebuild(_)));
            return committed;
        }
        let (Some(kafka), Some(sender)) = (&self.kafka, self.sender()) else { return Ok(()) };
        if !self.round.is_delivered() {
            self.delivered(kafka)?;
        }
        for job in &self.round.jobs {
            self.send_positions(&sender, job)?;
        }
        self.send_accounts(&sender)?;
        let stored = self.delivered(kafka);
        // Were it the positions that failed, no record must be sent again.
        self.round.only = Some(BTreeSet::new());
        stored
    }

    /// The last of a transaction; returns when all of it is delivered.
    fn send_mark(&self) -> Result<(), Failure> {
        let (Some(kafka), Some(sender)) = (&self.kafka, self.sender()) else { return Ok(()) };
        let (mark, key) = (self.mark(), positions::mark_key(&self.settings.transactional_id));
        sender.position(&self.settings.positions_topic, &key, Some(mark.as_bytes()))?;
        self.send_accounts(&sender)?;
        self.delivered(kafka)
    }

    /// Waits until nothing is on its way.
    fn delivered(&self, kafka: &Kafka) -> Result<(), Failure> {
        while kafka.in_flight_count() > 0 {
            send::rest(kafka);
            if self.queue.is_over() {
                return Err(Failure::Stopping);
            }
            if self.settings.transactions() && kafka.client().context().any() {
                break;
            }
        }
        if kafka.client().context().any() {
            return Err(Failure::Abort("records could not be delivered".to_owned()));
        }
        Ok(())
    }

    fn settle(&mut self) {
        let stored = self.accounts.with(self.parts().collect());
        self.accounts.settle(stored);
        let number = self.round.number + 1;
        let round = std::mem::replace(&mut self.round, Round { number, ..Round::default() });
        for job in round.jobs {
            let stored = Stored { partition: job.partition, offset: -1 };
            for part in job.parts {
                part.settle(Ok(stored));
            }
        }
        self.committed = Instant::now();
        self.health.ready();
    }

    /// After a failure: the next attempt finds a producer without an open transaction.
    fn recover(&mut self, failure: Failure) {
        let (why, rebuild) = match failure {
            Failure::Abort(why) => (why, false),
            Failure::Rebuild(why) => (why, true),
            Failure::Stopping => return,
        };
        if !rebuild && !self.settings.transactions() {
            self.wait_for_the_rest();
        }
        let why = if rebuild { why } else { self.learn().unwrap_or(why) };
        self.health.trouble(&why);
        warn!(error = why, records = self.round.records, "kafka did not store, will retry");
        let Some(kafka) = &self.kafka else { return };
        let keep = !rebuild
            && kafka.client().fatal_error().is_none()
            && self.topics.batch_max() >= self.settings.batch_size
            && (!self.settings.transactions() || self.abort(kafka).is_ok());
        if !keep {
            self.kafka = None;
        }
    }

    /// Without transactions: what was handed over is either delivered or known to have failed.
    fn wait_for_the_rest(&self) {
        let Some(kafka) = &self.kafka else { return };
        while kafka.in_flight_count() > 0 && !self.queue.is_over() {
            send::rest(kafka);
        }
    }

    /// Learns from what was not delivered; the reason of the first.
    fn learn(&mut self) -> Option<String> {
        let undelivered = self.kafka.as_ref()?.client().context().take();
        let largest = |topic: &str| {
            undelivered.iter().filter(|one| one.topic == topic).map(|one| one.size).max()
        };
        let mut seen = BTreeSet::new();
        for one in &undelivered {
            if seen.insert(one.topic.as_str()) {
                let size = if is_too_large(one.code) { largest(&one.topic) } else { None };
                self.topics.failed(&one.topic, one.code, size.unwrap_or(one.size));
                // A topic that was deleted is made again; if it cannot be, the next try says so.
                self.topics.partitions_now(&one.topic).ok();
            }
        }
        if !self.settings.transactions() && !self.round.is_delivered() {
            self.round.keep(undelivered.iter().map(|one| one.number));
        }
        let first = undelivered.first()?;
        Some(format!("topic \"{}\": {}", first.topic, first.code))
    }

    fn abort(&self, kafka: &Kafka) -> Result<(), Failure> {
        self.until_done(kafka, |kafka| {
            let aborted = kafka.abort_transaction(STEP);
            kafka.poll(Duration::ZERO);
            aborted
        })
    }

    /// After a commit without an answer: whether it took place.
    fn find_out(&mut self) -> Result<(), Failure> {
        let mark = positions::mark(&self.settings);
        let mark = mark.map_err(|error| Failure::Abort(error.to_string()))?;
        if mark.is_some_and(|mark| mark == self.mark().into_bytes()) {
            info!(records = self.round.records, "the last transaction had been committed");
            self.settle();
        }
        self.round.unsure = false;
        Ok(())
    }

    /// Repeats a call for as long as it only wants more time.
    fn until_done(
        &self,
        kafka: &Kafka,
        call: impl Fn(&Kafka) -> Result<(), KafkaError>,
    ) -> Result<(), Failure> {
        let until = Instant::now() + END_MAX;
        loop {
            let Err(error) = call(kafka) else { return Ok(()) };
            if self.queue.is_over() {
                return Err(Failure::Stopping);
            }
            if !is_retriable(&error) {
                return Err(failure(&error));
            }
            self.health.trouble(&error.to_string());
            if Instant::now() >= until {
                return Err(Failure::Rebuild(error.to_string()));
            }
            send::rest(kafka);
        }
    }

    fn mark(&self) -> String {
        format!("{}-{}", self.life, self.round.number)
    }

    fn sender(&self) -> Option<Sender<'_>> {
        let kafka = self.kafka.as_ref()?;
        Some(Sender { kafka, queue: &self.queue, topics: &self.topics, cut: &self.cut })
    }
}
