//! Brings batches to the leaders of their partitions, in order within each partition, until each is stored or refused.
//!
//! The owner of the batches keeps them; a batch that a broker could not take, or whose answer was lost, is sent again
//! with the sequence number that it had, so that an idempotent producer stores it once. At most `max_in_flight`
//! requests are on their way to one broker; after trouble the batches of a partition go one by one until one is stored.
//! Nothing here runs beside the caller: answers are read when they are needed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::batch::{Batch, State, first_refused, fits, is_on_the_way, open};
use super::cluster::Cluster;
use super::code::Code;
use super::error::Error;
use super::messages::{self, Api, Identity};
use super::options::{Context, Options, Patience};
use super::place::Place;
use super::produce::{self, Terms};
use super::sequences::Sequences;
use super::transaction::{Transaction, UNKNOWN_MAX};

/// How a producer writes.
#[derive(Debug, Clone)]
pub struct ProducerSettings {
    /// -1, 1 or 0, as in the protocol.
    pub acks: i16,
    /// Whether the brokers weed out what was sent twice; only with acks -1.
    pub idempotent: bool,
    /// Transactional id, and how long an open transaction may last; only when idempotent.
    pub transaction: Option<(String, Duration)>,
    /// Requests on their way to one broker at a time.
    pub max_in_flight: usize,
}

/// How far [`Producer::advance`] goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Goal {
    /// Everything is sent.
    Sent,
    /// Everything is stored.
    Stored,
}

/// A client that writes.
#[derive(Debug)]
pub struct Producer {
    context: Context,
    cluster: Cluster,
    terms: Terms,
    settings: ProducerSettings,
    transaction: Option<Transaction>,
    identity: Option<Identity>,
    sequences: Sequences,
    /// What keeps it from getting on.
    setback: Option<String>,
    setbacks: u32,
    /// Batches before this one are stored.
    first_open: usize,
}

impl Producer {
    /// A producer that has not talked to anybody yet.
    #[must_use]
    pub fn new(options: Options, settings: ProducerSettings, patience: Arc<dyn Patience>) -> Self {
        let context = Context { options: Arc::new(options), patience };
        let transaction = settings.transaction.clone();
        let transaction =
            transaction.map(|(id, timeout)| Transaction::new(context.clone(), id, timeout));
        let timeout_ms = context.options.request_timeout.as_millis();
        let terms = Terms {
            transactional_id: transaction.as_ref().map(|transaction| transaction.id.clone()),
            acks: settings.acks,
            timeout_ms: i32::try_from(timeout_ms).unwrap_or(i32::MAX),
        };
        Self {
            cluster: Cluster::new(context.clone()),
            context,
            terms,
            settings,
            transaction,
            identity: None,
            sequences: Sequences::default(),
            setback: None,
            setbacks: 0,
            first_open: 0,
        }
    }

    /// Begins a life, before the first batch and after an error: with transactions the open one is aborted and every
    /// other producer of the same id is fenced. Batches must begin again. Blocks until `until`.
    ///
    /// # Errors
    /// [`Error`] when it cannot.
    pub fn start(&mut self, until: Instant) -> Result<(), Error> {
        self.cluster.disconnect();
        self.sequences = Sequences::default();
        (self.setback, self.setbacks, self.identity) = (None, 0, None);
        self.begin();
        if let Some(transaction) = &mut self.transaction {
            self.identity = Some(transaction.init(&mut self.cluster, until)?);
            return Ok(());
        }
        loop {
            let error = match self.start_alone() {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            if !error.is_retriable() || Instant::now() >= until {
                return Err(error);
            }
            self.set_back(error.to_string());
            self.rest()?;
        }
    }

    fn start_alone(&mut self) -> Result<(), Error> {
        if !self.settings.idempotent {
            return self.cluster.refresh(&[]);
        }
        let body = |out: &mut Vec<u8>| messages::push_init(None, out);
        let (code, identity) = self.cluster.ask(Api::InitProducerId, body, messages::read_init)?;
        if code != Code::NONE {
            return Err(Error::Refused { what: "no producer id".to_owned(), code });
        }
        self.identity = Some(identity);
        Ok(())
    }

    /// To be called when another set of batches is sent, or the old one has changed.
    pub fn begin(&mut self) {
        self.first_open = 0;
    }

    /// Adds partitions to the open transaction, or opens one with them.
    ///
    /// # Errors
    /// [`Error`] when they cannot be added; the life is over.
    pub fn add(&mut self, places: &BTreeSet<Place>, until: Instant) -> Result<(), Error> {
        match (&mut self.transaction, self.identity) {
            (Some(transaction), Some(identity)) => {
                transaction.add(&mut self.cluster, identity, places, until)
            }
            _ => Ok(()),
        }
    }

    /// Commits the open transaction.
    ///
    /// # Errors
    /// [`Error`] when it is not known to be committed; the life is over.
    pub fn commit(&mut self, until: Instant) -> Result<(), Error> {
        match (&mut self.transaction, self.identity) {
            (Some(transaction), Some(identity)) => {
                transaction.commit(&mut self.cluster, identity, until)
            }
            _ => Ok(()),
        }
    }

    /// Sends what is waiting and hears of what is stored, until the goal is reached.
    ///
    /// # Errors
    /// [`Error::NotStored`] when a batch was refused: its state says why, nothing is on its way any more, and the life
    /// is over. The same holds for every other error, but then batches may still be on their way.
    pub fn advance(
        &mut self,
        batches: &mut [Batch],
        goal: Goal,
        until: Instant,
    ) -> Result<(), Error> {
        loop {
            self.get_over(batches)?;
            if first_refused(open(batches, self.first_open)).is_none() {
                self.send_waiting(batches)?;
            }
            let rest = open(batches, self.first_open);
            let is_sent = !rest.iter().any(Batch::is_waiting);
            let is_stored = rest.iter().all(|batch| batch.state == State::Stored);
            match (first_refused(rest), self.cluster.oldest()) {
                (None, _) if is_stored || (is_sent && goal == Goal::Sent) => return Ok(()),
                (_, Some(node)) => self.hear(node, batches)?,
                (Some(why), None) => return Err(Error::NotStored(why)),
                (None, None) => {}
            }
            if Instant::now() >= until {
                let why = self.setback.take().unwrap_or_else(|| "the brokers are slow".to_owned());
                return Err(Error::TooLate(why));
            }
        }
    }

    /// After a setback: waits a while, and looks where the leaders are.
    fn get_over(&mut self, batches: &mut [Batch]) -> Result<(), Error> {
        if self.setback.is_some() {
            self.rest()?;
        }
        let waiting = open(batches, self.first_open).iter().filter(|batch| batch.is_waiting());
        let waiting: Vec<Place> = waiting.map(|batch| batch.place.clone()).collect();
        let had_setback = self.setback.take().is_some();
        if !waiting.is_empty() && (had_setback || self.cluster.is_stale(&waiting)) {
            match self.cluster.refresh(&waiting) {
                Ok(()) => {}
                Err(error) if error.is_retriable() => self.set_back(error.to_string()),
                Err(error) => return Err(error),
            }
        }
        while batches.get(self.first_open).is_some_and(|batch| batch.state == State::Stored) {
            self.first_open += 1;
        }
        Ok(())
    }

    fn rest(&self) -> Result<(), Error> {
        let (first, longest) = self.context.options.retry_backoff;
        let factor = 1u32 << self.setbacks.saturating_sub(1).min(10);
        self.context.patience.rest(first.saturating_mul(factor).min(longest));
        if self.context.patience.is_over() { Err(Error::Stopped) } else { Ok(()) }
    }

    fn set_back(&mut self, why: String) {
        self.context.patience.trouble(&why);
        self.sequences.doubt();
        self.setbacks = self.setbacks.saturating_add(1);
        self.setback = Some(why);
    }

    /// Sends every batch that may be sent now.
    fn send_waiting(&mut self, batches: &mut [Batch]) -> Result<(), Error> {
        // Where an earlier batch must go first.
        let mut held: BTreeSet<Place> = BTreeSet::new();
        let mut requests: BTreeMap<i32, Vec<usize>> = BTreeMap::new();
        for number in self.first_open..batches.len() {
            let Some(batch) = batches.get(number).filter(|batch| batch.is_waiting()) else {
                continue;
            };
            let place = batch.place.clone();
            let alone = batch.tries > 0 || !self.sequences.is_sure(&place);
            if held.contains(&place) || (alone && is_on_the_way(batches, &place)) {
                held.insert(place);
                continue;
            }
            let node = match self.cluster.leader(&place) {
                Ok(node) => node,
                Err(code) => {
                    self.has_no_leader(batches, number, code);
                    held.insert(place);
                    continue;
                }
            };
            let request = requests.entry(node).or_default();
            if !fits(request, batches, number) {
                let full = std::mem::take(request);
                self.send(node, full, batches)?;
            }
            if self.setback.is_some() || self.cluster.window(node) >= self.settings.max_in_flight {
                held.insert(place);
                continue;
            }
            requests.entry(node).or_default().push(number);
            if alone {
                held.insert(place);
            }
        }
        for (node, request) in requests {
            self.send(node, request, batches)?;
        }
        Ok(())
    }

    fn has_no_leader(&mut self, batches: &mut [Batch], number: usize, code: Code) {
        let Some(batch) = batches.get_mut(number) else { return };
        if !code.is_retriable() || (code == Code::UNKNOWN_TOPIC && self.setbacks >= UNKNOWN_MAX) {
            batch.state = State::Refused(code);
        } else {
            let (topic, partition) = &batch.place;
            let why = format!("topic \"{topic}\", partition {partition}: {code}");
            self.set_back(why);
        }
    }

    fn send(
        &mut self,
        node: i32,
        mut numbers: Vec<usize>,
        batches: &mut [Batch],
    ) -> Result<(), Error> {
        if numbers.is_empty() || self.setback.is_some() {
            return Ok(());
        }
        let place = |number: &usize| batches.get(*number).map(|batch| batch.place.clone());
        numbers.sort_by_cached_key(place);
        for number in &numbers {
            if let Some(batch) = batches.get_mut(*number) {
                self.stamp(batch);
            }
        }
        let sent: Vec<&Batch> = numbers.iter().filter_map(|number| batches.get(*number)).collect();
        let terms = &self.terms;
        let done = self
            .cluster
            .connection(node)
            .and_then(|connection| connection.produce(terms, &sent, numbers.clone()));
        let state = match (&done, self.terms.acks) {
            (Ok(()), 0) => State::Stored,
            (Ok(()), _) => State::OnTheWay,
            (Err(_), _) => State::Waiting,
        };
        for number in numbers {
            if let Some(batch) = batches.get_mut(number) {
                (batch.state, batch.tries) = (state, batch.tries.saturating_add(1));
                if state == State::Stored {
                    self.sequences.stored(&batch.place);
                }
            }
        }
        done.or_else(|error| self.lose(node, error, batches))
    }

    /// Gives a batch its producer and sequence, unless it has them.
    fn stamp(&mut self, batch: &mut Batch) {
        if let Some(identity) = self.identity
            && batch.sequence.is_none()
        {
            let sequence = self.sequences.take(&batch.place, batch.count);
            batch.stamp(identity, sequence, self.transaction.is_some());
        }
    }

    /// Takes the next answer of a broker.
    fn hear(&mut self, node: i32, batches: &mut [Batch]) -> Result<(), Error> {
        let heard = self.cluster.connection(node).and_then(|connection| {
            let Some((request, answer)) = connection.answer()? else { return Ok(Vec::new()) };
            let outcomes =
                produce::read(&answer, request.version).ok_or_else(|| connection.unreadable())?;
            let codes = request.batches.iter().map(|number| {
                let place = batches.get(*number).map(|batch| &batch.place);
                let outcome = outcomes.iter().find(|one| {
                    place.is_some_and(|place| *place.0 == *one.topic && place.1 == one.partition)
                });
                // What the broker does not speak of is asked for again.
                (*number, outcome.map_or((Code(13), -1), |one| (one.code, one.base_offset)))
            });
            Ok(codes.collect())
        });
        match heard {
            Ok(codes) => {
                codes.into_iter().for_each(|(number, answer)| self.note(number, answer, batches));
                Ok(())
            }
            Err(error) => self.lose(node, error, batches),
        }
    }

    fn note(&mut self, number: usize, (code, offset): (Code, i64), batches: &mut [Batch]) {
        let Some((before, rest)) = batches.split_at_mut_checked(number) else { return };
        let Some(batch) = rest.first_mut() else { return };
        let follows_a_gap =
            || before.iter().any(|earlier| earlier.is_waiting() && earlier.place == batch.place);
        let is_gone = code == Code::UNKNOWN_TOPIC && batch.tries > UNKNOWN_MAX;
        batch.state = match code {
            Code::NONE | Code::DUPLICATE => {
                (self.setbacks, self.setback) = (0, None);
                self.sequences.stored(&batch.place);
                batch.offset = Some(offset).filter(|offset| *offset >= 0);
                State::Stored
            }
            Code::OUT_OF_ORDER if follows_a_gap() => State::Waiting,
            code if code.is_retriable() && !is_gone => {
                let (topic, partition) = &batch.place;
                let why = format!("topic \"{topic}\", partition {partition}: {code}");
                self.set_back(why);
                State::Waiting
            }
            code => State::Refused(code),
        };
    }

    /// After an error of a connection: what was on its way there is sent again.
    fn lose(&mut self, node: i32, error: Error, batches: &mut [Batch]) -> Result<(), Error> {
        for number in self.cluster.lose(node) {
            if let Some(batch) = batches.get_mut(number) {
                batch.state = State::Waiting;
            }
        }
        if !error.is_retriable() {
            return Err(error);
        }
        self.set_back(error.to_string());
        Ok(())
    }
}
