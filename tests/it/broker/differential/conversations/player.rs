//! One side of a conversation: it asks, notes what is answered, and gives what each server names in its own way the
//! same names: `<member 1>`, `<producer 1>`, `<now>`.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::marker::PhantomData;
use std::net::TcpStream;

use anabranch::wire::{BatchHeader, is_commit};
use kafka_protocol::messages::{ApiKey, RequestKind, ResponseKind};
use kafka_protocol::protocol::{Decodable, Request};
use uuid::Uuid;

use super::super::flatten::{field, flatten};
use super::super::{AGAIN, LONG, Versions, accepted, cases, ids, pause};
use super::topic;
use crate::broker::raw::{receive, send};
use crate::support::wait_until;

/// How many times a server may say that it is not ready yet.
const ATTEMPTS: usize = 50;
const DAY_MS: i64 = 24 * 3600 * 1000;

/// Which of the versions that both servers have are spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Edge {
    Lowest,
    Highest,
}

/// What was answered to one request: paths and values.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) name: String,
    pub(super) version: i16,
    pub(super) fields: BTreeMap<String, String>,
}

/// A request whose answer is not read yet.
#[must_use]
pub(super) struct Waiting<Q> {
    name: String,
    version: i16,
    stream: TcpStream,
    request: PhantomData<Q>,
}

/// One side of a conversation.
pub(super) struct Player {
    address: String,
    versions: Versions,
    edge: Edge,
    /// Ends the names of groups and the like: no two conversations share one.
    pub(super) suffix: String,
    members: Vec<String>,
    producers: Vec<i64>,
    pub(super) steps: Vec<Step>,
}

impl Player {
    pub(super) fn new(address: &str, versions: &Versions, edge: Edge, suffix: &str) -> Self {
        Self {
            address: address.to_owned(),
            versions: versions.clone(),
            edge,
            suffix: suffix.to_owned(),
            members: Vec::new(),
            producers: Vec::new(),
            steps: Vec::new(),
        }
    }

    /// Speaks these versions at least: the conversation is about what they brought.
    pub(super) fn at_least(&mut self, floors: &[(ApiKey, i16)]) {
        for (key, floor) in floors {
            if let Some((first, last)) = self.versions.get_mut(&(*key as i16)) {
                *first = (*floor).clamp(*first, *last);
            }
        }
    }

    pub(super) fn version(&self, key: ApiKey) -> i16 {
        let (first, last) = self.versions[&(key as i16)];
        if self.edge == Edge::Lowest { first } else { last }
    }

    /// Asks and notes the answer.
    pub(super) fn ask<Q>(&mut self, name: &str, request: impl Fn(i16) -> Q) -> Q::Response
    where
        Q: Request + Into<RequestKind>,
        Q::Response: Debug + Clone + Default + Into<ResponseKind>,
    {
        for attempt in 0.. {
            let waiting = self.begin(name, &request);
            let answer = self.read(&waiting);
            let shown = answer.as_ref().map(|answer| self.show(answer.clone().into()));
            let not_yet = shown.iter().flatten().any(|(path, value)| {
                field(path).ends_with("error_code") && AGAIN.contains(&value.as_str())
            });
            if not_yet && attempt < ATTEMPTS {
                pause();
                continue;
            }
            self.note(&waiting, shown);
            return answer.unwrap_or_default();
        }
        unreachable!("the last attempt returns")
    }

    /// Asks without noting anything.
    pub(super) fn peek<Q>(&self, request: impl Fn(i16) -> Q) -> Q::Response
    where
        Q: Request + Into<RequestKind>,
        Q::Response: Default,
    {
        self.read(&self.begin("", request)).unwrap_or_default()
    }

    /// Asks until the answer is as wanted; nothing of it is noted.
    pub(super) fn wait<Q>(
        &self,
        what: &str,
        request: impl Fn(i16) -> Q,
        holds: impl Fn(&Q::Response) -> bool,
    ) where
        Q: Request + Into<RequestKind>,
        Q::Response: Default,
    {
        wait_until(LONG, what, || holds(&self.peek(&request)));
    }

    /// The id that the server has given a topic.
    pub(super) fn topic_id(&self, name: &str) -> Option<Uuid> {
        ids::id(&self.address, &cases::topic(name))
    }

    pub(super) fn wait_until_gone(&self, name: &str) {
        wait_until(LONG, "the topic to be gone", || self.topic_id(name).is_none());
    }

    /// Asks on a connection of its own, and does not wait for the answer.
    pub(super) fn begin<Q>(&self, name: &str, request: impl Fn(i16) -> Q) -> Waiting<Q>
    where
        Q: Request + Into<RequestKind>,
    {
        let key = ApiKey::try_from(Q::KEY).unwrap();
        let version = self.version(key);
        let request = ids::by_id(&self.address, version, &request(version).into());
        let stream = send(&self.address, key, version, &request);
        Waiting { name: name.to_owned(), version, stream, request: PhantomData }
    }

    /// Waits for the answer and notes it.
    pub(super) fn end<Q>(&mut self, waiting: &Waiting<Q>) -> Q::Response
    where
        Q: Request,
        Q::Response: Debug + Clone + Default + Into<ResponseKind>,
    {
        let answer = self.read(waiting);
        let shown = answer.as_ref().map(|answer| self.show(answer.clone().into()));
        self.note(waiting, shown);
        answer.unwrap_or_default()
    }

    fn read<Q: Request>(&self, waiting: &Waiting<Q>) -> Option<Q::Response> {
        let key = ApiKey::try_from(Q::KEY).unwrap();
        let mut answer = receive(&waiting.stream, key, waiting.version)?;
        Some(Q::Response::decode(&mut answer, waiting.version).unwrap())
    }

    fn note<Q>(&mut self, waiting: &Waiting<Q>, shown: Option<BTreeMap<String, String>>) {
        let closed = || BTreeMap::from([("closed".to_owned(), "true".to_owned())]);
        let (name, version) = (waiting.name.clone(), waiting.version);
        self.steps.push(Step { name, version, fields: shown.unwrap_or_else(closed) });
    }

    /// Paths and values of an answer, with the names that both sides share.
    fn show(&mut self, mut answer: ResponseKind) -> BTreeMap<String, String> {
        self.meet(&answer);
        let batches = self.tidy(&mut answer);
        let mut found = BTreeMap::new();
        for (path, value) in flatten(&format!("{answer:#?}")) {
            let name = field(&path).to_owned();
            let kept = if name == "producer_id" {
                Some((path, value))
            } else {
                accepted::compared(path, value)
            };
            if let Some((path, value)) = kept {
                found.insert(path, self.rename(&name, value));
            }
        }
        for (number, batch) in batches.into_iter().enumerate() {
            found.insert(format!(".batches.[{number}]"), batch);
        }
        found
    }

    /// Takes notice of members and producers that are new.
    fn meet(&mut self, answer: &ResponseKind) {
        if let ResponseKind::JoinGroup(joined) = answer {
            // The leader hears of others before they are answered.
            let others = joined.members.iter().map(|member| &member.member_id);
            for id in std::iter::once(&joined.member_id).chain(others) {
                if !id.is_empty() && !self.members.iter().any(|known| known == id.as_str()) {
                    self.members.push(id.to_string());
                }
            }
        }
        if let ResponseKind::InitProducerId(begun) = answer {
            let id = begun.producer_id.0;
            if id >= 0 && !self.producers.contains(&id) {
                self.producers.push(id);
            }
        }
    }

    /// Brings what has no order into one, leaves out what others have left on the server, and takes records out.
    fn tidy(&self, answer: &mut ResponseKind) -> Vec<String> {
        let place = |id: &str| self.members.iter().position(|known| known == id);
        let mut batches = Vec::new();
        if let ResponseKind::JoinGroup(joined) = answer {
            joined.members.sort_by_key(|member| place(&member.member_id));
        } else if let ResponseKind::DescribeGroups(described) = answer {
            for group in &mut described.groups {
                group.members.sort_by_key(|member| place(&member.member_id));
            }
        } else if let ResponseKind::ConsumerGroupDescribe(described) = answer {
            for group in &mut described.groups {
                group.members.sort_by_key(|member| member.member_id.to_string());
            }
        } else if let ResponseKind::ListGroups(listed) = answer {
            listed.groups.retain(|group| group.group_id.ends_with(&self.suffix));
        } else if let ResponseKind::ListTransactions(listed) = answer {
            listed.transaction_states.retain(|one| one.transactional_id.ends_with(&self.suffix));
        } else if let ResponseKind::DescribeTransactions(described) = answer {
            for one in &mut described.transaction_states {
                one.topics.sort_by_key(|topic| topic.topic.to_string());
                one.topics.iter_mut().for_each(|topic| topic.partitions.sort_unstable());
            }
        } else if let ResponseKind::AddPartitionsToTxn(added) = answer {
            added.results_by_topic_v3_and_below.sort_by_key(|topic| topic.name.to_string());
            for topic in &mut added.results_by_topic_v3_and_below {
                topic.results_by_partition.sort_by_key(|one| one.partition_index);
            }
        } else if let ResponseKind::OffsetDelete(deleted) = answer {
            deleted.topics.sort_by_key(|topic| topic.name.to_string());
        } else if let ResponseKind::DescribeProducers(described) = answer {
            let partitions = described.topics.iter_mut().flat_map(|topic| &mut topic.partitions);
            for one in partitions {
                one.active_producers.sort_by_key(|producer| producer.producer_id.0);
            }
        } else if let ResponseKind::Fetch(fetched) = answer {
            let partitions = fetched.responses.iter_mut().flat_map(|topic| &mut topic.partitions);
            for one in partitions {
                batches.extend(self.batches(&one.records.take().unwrap_or_default()));
            }
        }
        batches
    }

    /// What the heads of batches say.
    fn batches(&self, mut bytes: &[u8]) -> Vec<String> {
        let mut found = Vec::new();
        while let Ok(header) = BatchHeader::verify(bytes) {
            let kind = match is_commit(bytes).filter(|_| header.is_control()) {
                Some(true) => "commit",
                Some(false) => "abort",
                None if header.is_transactional() => "transactional",
                None => "plain",
            };
            let producer = self.rename("producer_id", header.producer_id.to_string());
            found.push(format!(
                "{kind} {}+{} of {producer} epoch {} sequence {}",
                header.base_offset, header.count, header.producer_epoch, header.base_sequence
            ));
            bytes = &bytes[header.size_bytes..];
        }
        found
    }

    /// The name that both sides share.
    fn rename(&self, field: &str, value: String) -> String {
        let text = value.trim_matches('"');
        if let Some(place) = self.members.iter().position(|known| known == text) {
            return format!("<member {}>", place + 1);
        }
        let Ok(number) = value.parse::<i64>() else { return value };
        if field == "producer_id" {
            let place = self.producers.iter().position(|known| *known == number);
            return place.map_or(value, |place| format!("<producer {}>", place + 1));
        }
        match number - topic::time_ms() {
            since @ 0..100 => format!("<time {since}>"),
            since if since.abs() < DAY_MS => "<now>".to_owned(),
            _ => value,
        }
    }
}
