//! A producer's transactions, by way of their coordinator.
//!
//! An open transaction is aborted by beginning a new life: asking for the producer id again raises the epoch, fences
//! what is still on its way, and lets the sequences start at 0.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;

use super::cluster::Cluster;
use super::code::Code;
use super::connection::Connection;
use super::entry::enter;
use super::error::Error;
use super::messages::{self, Api, Identity};
use super::options::Context;
use super::place::Place;

/// First and longest wait for the end of the transaction before.
const PASSING: (Duration, Duration) = (Duration::from_millis(2), Duration::from_millis(20));

/// How long the coordinator may take; it does not mind to be asked the same again.
const ANSWER_MAX: Duration = Duration::from_secs(15);

/// How often a topic may be unknown before it counts as gone.
pub(super) const UNKNOWN_MAX: u32 = 8;

/// The transactions of one transactional id.
#[derive(Debug)]
pub(super) struct Transaction {
    context: Context,
    pub(super) id: String,
    timeout_ms: i32,
    coordinator: Option<Connection>,
    added: BTreeSet<Place>,
}

impl Transaction {
    pub(super) fn new(context: Context, id: String, timeout: Duration) -> Self {
        let timeout_ms = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
        Self { context, id, timeout_ms, coordinator: None, added: BTreeSet::new() }
    }

    /// Begins a life: the former one is fenced, and its open transaction aborted.
    pub(super) fn init(
        &mut self,
        cluster: &mut Cluster,
        until: Instant,
    ) -> Result<Identity, Error> {
        self.added.clear();
        let (id, timeout_ms) = (self.id.clone(), self.timeout_ms);
        let body = |out: &mut Vec<u8>| messages::push_init(Some((&id, timeout_ms)), out);
        let read = |answer: &[u8]| {
            let (code, identity) = messages::read_init(answer)?;
            Some((code, String::new(), identity))
        };
        self.coordinate(
            cluster,
            (Api::InitProducerId, "cannot begin transactions"),
            body,
            (read, until),
        )
    }

    /// Adds to the transaction what of `places` is not part of it yet.
    pub(super) fn add(
        &mut self,
        cluster: &mut Cluster,
        producer: Identity,
        places: &BTreeSet<Place>,
        until: Instant,
    ) -> Result<(), Error> {
        let more: Vec<Place> = places.difference(&self.added).cloned().collect();
        if more.is_empty() {
            return Ok(());
        }
        let id = self.id.clone();
        let body = |out: &mut Vec<u8>| messages::push_add_partitions(&id, producer, &more, out);
        let read = |answer: &[u8]| {
            let (code, topic) = messages::read_add_partitions(answer)?;
            Some((code, format!(" topic \"{topic}\""), ()))
        };
        let what = (Api::AddPartitions, "cannot add to the transaction");
        self.coordinate(cluster, what, body, (read, until))?;
        self.added.extend(more);
        Ok(())
    }

    /// Commits.
    pub(super) fn commit(
        &mut self,
        cluster: &mut Cluster,
        producer: Identity,
        until: Instant,
    ) -> Result<(), Error> {
        let id = self.id.clone();
        let body = |out: &mut Vec<u8>| messages::push_commit(&id, producer, out);
        let read = |answer: &[u8]| Some((messages::read_end(answer)?, String::new(), ()));
        let what = (Api::EndTransaction, "cannot commit the transaction");
        self.coordinate(cluster, what, body, (read, until))?;
        self.added.clear();
        Ok(())
    }

    /// Asks the coordinator, again and again while it only wants time or has moved.
    fn coordinate<T>(
        &mut self,
        cluster: &mut Cluster,
        (api, what): (Api, &str),
        body: impl Fn(&mut Vec<u8>),
        (read, until): (impl Fn(&[u8]) -> Option<(Code, String, T)>, Instant),
    ) -> Result<T, Error> {
        let mut waits = (PASSING.0, self.context.options.retry_backoff.0);
        let mut unknown = 0;
        loop {
            let error = match self.ask(cluster, (api, what), &body, &read) {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            if matches!(error, Error::Refused { code: Code::UNKNOWN_TOPIC, .. }) {
                unknown += 1;
            }
            if !error.is_retriable() || unknown > UNKNOWN_MAX || Instant::now() >= until {
                return Err(error);
            }
            if error.is_passing() {
                self.context.patience.rest(waits.0);
                waits.0 = (waits.0 * 2).min(PASSING.1);
            } else {
                self.coordinator = None;
                self.context.patience.trouble(&error.to_string());
                self.context.patience.rest(waits.1);
                waits.1 = (waits.1 * 2).min(self.context.options.retry_backoff.1);
            }
            if self.context.patience.is_over() {
                return Err(Error::Stopped);
            }
        }
    }

    fn ask<T>(
        &mut self,
        cluster: &mut Cluster,
        (api, what): (Api, &str),
        body: impl Fn(&mut Vec<u8>),
        read: impl Fn(&[u8]) -> Option<(Code, String, T)>,
    ) -> Result<T, Error> {
        if self.coordinator.is_none() {
            let find = |out: &mut Vec<u8>| messages::push_find_coordinator(&self.id, out);
            let (code, address) =
                cluster.ask(Api::FindCoordinator, find, messages::read_find_coordinator)?;
            if code != Code::NONE {
                let what = format!("no coordinator for the transactional id \"{}\"", self.id);
                return Err(Error::Refused { what, code });
            }
            let mut coordinator = enter(&self.context, &address)?;
            coordinator.hurry(ANSWER_MAX);
            self.coordinator = Some(coordinator);
        }
        let Some(coordinator) = &mut self.coordinator else { return Err(Error::Stopped) };
        let (_, answer) = coordinator.call(api, |_, out| body(out))?;
        let (code, which, answer) = read(&answer).ok_or_else(|| coordinator.unreadable())?;
        if code == Code::NONE {
            return Ok(answer);
        }
        Err(Error::Refused { what: format!("{what}{which} as \"{}\"", self.id), code })
    }
}
