//! The cluster as it was last seen: brokers, leaders, and a connection to each of those that is written to.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::code::Code;
use super::connection::Connection;
use super::entry::enter;
use super::error::Error;
use super::messages::{self, Api, Metadata};
use super::options::Context;
use super::place::Place;

/// How long a broker may take to tell what any other could tell as well.
const ANSWER_MAX: Duration = Duration::from_secs(5);

/// What is known of the cluster.
#[derive(Debug)]
pub(super) struct Cluster {
    context: Context,
    brokers: BTreeMap<i32, String>,
    topics: HashMap<Arc<str>, Topic>,
    leaders: BTreeMap<i32, Connection>,
    asked: Option<Connection>,
    turn: usize,
    looked: Option<Instant>,
}

/// Where a topic is.
#[derive(Debug)]
struct Topic {
    code: Code,
    leaders: HashMap<i32, i32>,
}

impl Cluster {
    pub(super) fn new(context: Context) -> Self {
        Self {
            context,
            brokers: BTreeMap::new(),
            topics: HashMap::new(),
            leaders: BTreeMap::new(),
            asked: None,
            turn: 0,
            looked: None,
        }
    }

    /// Asks some broker; `read` says what the answer means.
    pub(super) fn ask<T>(
        &mut self,
        api: Api,
        body: impl Fn(&mut Vec<u8>),
        read: impl Fn(&[u8]) -> Option<T>,
    ) -> Result<T, Error> {
        if let Some(mut connection) = self.asked.take() {
            // It may have been idle for so long that the broker has closed it.
            if let Ok(answer) = ask(&mut connection, api, &body, &read) {
                self.asked = Some(connection);
                return Ok(answer);
            }
        }
        let mut last = Error::Setting("hub.kafka.bootstrap_servers is empty".to_owned());
        for address in self.addresses() {
            let asked = enter(&self.context, &address).and_then(|mut connection| {
                connection.hurry(ANSWER_MAX);
                let answer = ask(&mut connection, api, &body, &read)?;
                Ok((connection, answer))
            });
            match asked {
                Ok((connection, answer)) => {
                    self.asked = Some(connection);
                    return Ok(answer);
                }
                Err(Error::Stopped) => return Err(Error::Stopped),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Every broker that is known and those to begin with, each time with another one first.
    fn addresses(&mut self) -> Vec<String> {
        let mut addresses: Vec<String> = self.brokers.values().cloned().collect();
        for address in &self.context.options.bootstrap_servers {
            if !addresses.contains(address) {
                addresses.push(address.clone());
            }
        }
        self.turn = self.turn.wrapping_add(1);
        let first = self.turn.checked_rem(addresses.len()).unwrap_or(0);
        addresses.rotate_left(first);
        addresses
    }

    /// Looks where the leaders are, also those of `more`.
    pub(super) fn refresh(&mut self, more: &[Place]) -> Result<(), Error> {
        for (topic, _) in more {
            let unknown = || Topic { code: Code::UNKNOWN_TOPIC, leaders: HashMap::new() };
            self.topics.entry(Arc::clone(topic)).or_insert_with(unknown);
        }
        let names: Vec<Arc<str>> = self.topics.keys().cloned().collect();
        let body = |out: &mut Vec<u8>| messages::push_metadata(&names, out);
        let Metadata { brokers, topics } =
            self.ask(Api::Metadata, body, messages::read_metadata)?;
        self.brokers = brokers.into_iter().collect();
        let known = &self.brokers;
        // A broker that has moved or gone is not talked to where it was.
        self.leaders.retain(|node, connection| {
            known.get(node).is_some_and(|address| address == connection.address())
                || !connection.on_the_way().is_empty()
        });
        for topic in topics {
            if let Some(known) = self.topics.get_mut(topic.name.as_str()) {
                known.code = topic.code;
                known.leaders = topic.leaders.into_iter().filter(|(_, node)| *node >= 0).collect();
            }
        }
        self.looked = Some(Instant::now());
        Ok(())
    }

    /// Whether it is time to look again, or a topic has not been looked for.
    pub(super) fn is_stale(&self, places: &[Place]) -> bool {
        let max_age = self.context.options.metadata_max_age;
        self.looked.is_none_or(|looked| looked.elapsed() >= max_age)
            || places.iter().any(|(topic, _)| !self.topics.contains_key(topic))
    }

    /// The leader's number; else why there is none.
    pub(super) fn leader(&self, place: &Place) -> Result<i32, Code> {
        const NO_LEADER: Code = Code(5);
        let topic = self.topics.get(&place.0).ok_or(NO_LEADER)?;
        match topic.leaders.get(&place.1) {
            Some(node) if self.brokers.contains_key(node) => Ok(*node),
            _ if topic.code != Code::NONE => Err(topic.code),
            _ => Err(NO_LEADER),
        }
    }

    /// How many requests are on their way to that broker.
    pub(super) fn window(&self, node: i32) -> usize {
        self.leaders.get(&node).map_or(0, |connection| connection.on_the_way().len())
    }

    /// A connection to that broker.
    pub(super) fn connection(&mut self, node: i32) -> Result<&mut Connection, Error> {
        use std::collections::btree_map::Entry;
        match self.leaders.entry(node) {
            Entry::Occupied(entry) => Ok(entry.into_mut()),
            Entry::Vacant(entry) => {
                let address = self.brokers.get(&node).cloned();
                let address =
                    address.ok_or_else(|| Error::broken(&node.to_string(), &"is gone"))?;
                Ok(entry.insert(enter(&self.context, &address)?))
            }
        }
    }

    /// The broker whose answer has been waited for longest.
    pub(super) fn oldest(&self) -> Option<i32> {
        let asked = self.leaders.iter().filter_map(|(node, connection)| {
            connection.on_the_way().front().map(|request| (request.sent, *node))
        });
        asked.min().map(|(_, node)| node)
    }

    /// Gives a connection up; the batches whose fate is unknown, by their numbers.
    pub(super) fn lose(&mut self, node: i32) -> Vec<usize> {
        let lost = self.leaders.remove(&node);
        let requests = lost.iter().flat_map(|connection| connection.on_the_way().iter());
        requests.flat_map(|request| request.batches.iter().copied()).collect()
    }

    /// Gives all connections up.
    pub(super) fn disconnect(&mut self) {
        self.leaders.clear();
        self.asked = None;
    }
}

fn ask<T>(
    connection: &mut Connection,
    api: Api,
    body: impl Fn(&mut Vec<u8>),
    read: impl Fn(&[u8]) -> Option<T>,
) -> Result<T, Error> {
    let (_, answer) = connection.call(api, |_, out| body(out))?;
    read(&answer).ok_or_else(|| connection.unreadable())
}
