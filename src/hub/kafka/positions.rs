//! Positions of sources in a compacted topic.
//!
//! | part of a record | content                                                      |
//! |------------------|--------------------------------------------------------------|
//! | key              | agent, 0x00, name of the source, 0x00, key of the position    |
//! | value            | the position; null forgets the key                           |
//!
//! The agent is its transactional id, so that two agents with the same configuration do not move each other's files.
//! It is empty for dead letters: of a group whose members are several agents any may go on where another has stopped.
//! A record with an empty name of a source and the key `ledger SOURCE` is that source's account
//! ([`crate::ledger::account`]): what was stored of it up to that transaction. One with an empty key is the mark of the
//! agent's last transaction: when a commit's answer is lost, it tells whether the commit took place.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use anabranch_connectors::contract::counters::Account;
use parking_lot::Mutex;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};
use tokio::time::Instant;

use super::context::Quiet;
use super::settings::Settings;
use crate::hub::{DEAD_LETTER_SOURCE, FALLBACK_SOURCE, HubError};
use crate::ledger::account;

/// How long reading all positions may take without anything coming.
const SILENCE_MAX: Duration = Duration::from_secs(20);

/// How long another agent's transaction may be waited for at a time; who asked tries again. The brokers abort one that
/// takes longer than its agent said.
const OPEN_MAX: Duration = Duration::from_secs(30);

/// Between two looks whether it has ended.
const OPEN_PAUSE: Duration = Duration::from_millis(100);

/// What the key of an account begins with, behind an empty name of a source.
const ACCOUNT: &[u8] = b"ledger ";

/// Positions by key.
pub(super) type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

/// The key of a source's position.
pub(super) fn key(agent: &str, source: &str, key: &[u8]) -> Vec<u8> {
    let is_of_group = source.starts_with(DEAD_LETTER_SOURCE) || source.starts_with(FALLBACK_SOURCE);
    let agent = if is_of_group { "" } else { agent };
    let mut whole = Vec::with_capacity(agent.len() + source.len() + key.len() + 2);
    whole.extend_from_slice(agent.as_bytes());
    whole.push(0);
    whole.extend_from_slice(source.as_bytes());
    whole.push(0);
    whole.extend_from_slice(key);
    whole
}

/// The key of the mark of an agent's last transaction.
pub(super) fn mark_key(agent: &str) -> Vec<u8> {
    key(agent, "", b"")
}

/// Reads positions for several who ask at once: everybody gets what a reading has found that began after he had asked.
#[derive(Debug, Default)]
pub(super) struct Positions {
    /// How many readings have begun.
    begun: AtomicU64,
    asking: AtomicUsize,
    last: Mutex<Reading>,
}

/// What a reading has found: by the whole key.
#[derive(Debug, Default)]
struct Reading {
    number: u64,
    found: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl Positions {
    /// The latest position of each key of `source`, of this agent.
    pub(super) fn of_source(&self, settings: &Settings, source: &str) -> Result<Pairs, HubError> {
        self.with_prefix(settings, &key(&settings.transactional_id, source, b""))
    }

    /// What has become of each source's records, of this agent.
    pub(super) fn accounts(
        &self,
        settings: &Settings,
    ) -> Result<BTreeMap<String, Account>, HubError> {
        if settings.positions_topic.is_empty() {
            return Ok(BTreeMap::new());
        }
        let found = self.with_prefix(settings, &account_key(&settings.transactional_id, ""))?;
        let account = |(source, value): (Vec<u8>, Vec<u8>)| {
            (String::from_utf8_lossy(&source).into_owned(), account::decode(&value))
        };
        Ok(found.into_iter().map(account).collect())
    }

    fn with_prefix(&self, settings: &Settings, prefix: &[u8]) -> Result<Pairs, HubError> {
        self.asking.fetch_add(1, Ordering::SeqCst);
        let wanted = self.begun.load(Ordering::SeqCst) + 1;
        let mut last = self.last.lock();
        let found = self.read_from(&mut last, settings, wanted);
        let pairs = found.map(|()| with_prefix(&last.found, prefix));
        if self.asking.fetch_sub(1, Ordering::SeqCst) == 1 {
            // Nobody waits for it any more.
            last.found = BTreeMap::new();
        }
        pairs
    }

    fn read_from(
        &self,
        last: &mut Reading,
        settings: &Settings,
        wanted: u64,
    ) -> Result<(), HubError> {
        if last.number >= wanted {
            return Ok(());
        }
        let number = self.begun.fetch_add(1, Ordering::SeqCst) + 1;
        let (mine, shared) = (key(&settings.transactional_id, "", b""), key("", "", b""));
        // The last byte of each ends the empty name of a source.
        let agents = [&mine, &shared].map(|one| one.split_last().map_or(&[][..], |(_, all)| all));
        let found = read(settings, &agents)?;
        *last = Reading { number, found };
        Ok(())
    }
}

fn with_prefix(found: &BTreeMap<Vec<u8>, Vec<u8>>, prefix: &[u8]) -> Pairs {
    let from = found.range(prefix.to_vec()..);
    let of_prefix = from.map_while(|(key, value)| Some((key.strip_prefix(prefix)?, value)));
    of_prefix.map(|(rest, value)| (rest.to_vec(), value.clone())).collect()
}

/// The key of a source's account.
pub(super) fn account_key(agent: &str, source: &str) -> Vec<u8> {
    key(agent, "", &[ACCOUNT, source.as_bytes()].concat())
}

/// The mark of this agent's last committed transaction.
pub(super) fn mark(settings: &Settings) -> Result<Option<Vec<u8>>, HubError> {
    let key = mark_key(&settings.transactional_id);
    Ok(read(settings, &[&key])?.remove(&key))
}

/// The last value of each key that begins with one of `prefixes`.
fn read(settings: &Settings, prefixes: &[&[u8]]) -> Result<BTreeMap<Vec<u8>, Vec<u8>>, HubError> {
    let topic = &settings.positions_topic;
    let trouble = |what: &str, error: &KafkaError| {
        HubError::NotNow(format!("cannot read positions from topic \"{topic}\": {what}: {error}"))
    };
    let reader: BaseConsumer<Quiet> = settings
        .reader()
        .create_with_context(Quiet::default())
        .map_err(|error| HubError::Fatal(format!("kafka client: {error}")))?;
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, 0, Offset::Beginning)
        .map_err(|error| trouble("begin", &error))?;
    let end = settled_end(settings, &reader)?;
    reader.assign(&list).map_err(|error| trouble("assign", &error))?;
    let mut found = BTreeMap::new();
    let mut silent_until = Instant::now() + SILENCE_MAX;
    loop {
        match reader.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => {
                silent_until = Instant::now() + SILENCE_MAX;
                note(message.key(), message.payload(), prefixes, &mut found);
                if message.offset() + 1 >= end {
                    return Ok(found);
                }
            }
            Some(Err(KafkaError::PartitionEOF(_))) => return Ok(found),
            Some(Err(error)) if Instant::now() >= silent_until => {
                return Err(trouble("read", &error));
            }
            Some(Err(_)) => {}
            None if Instant::now() >= silent_until => {
                return Err(HubError::NotNow(format!(
                    "cannot read positions from topic \"{topic}\": the broker does not answer"
                )));
            }
            None => {}
        }
    }
}

/// Where the topic ends now, once everything before that is readable. What is committed behind another agent's open
/// transaction is not, until that has ended. Other agents go on writing: what was there at first is enough.
fn settled_end(settings: &Settings, reader: &BaseConsumer<Quiet>) -> Result<i64, HubError> {
    let topic = &settings.positions_topic;
    let ask = |client: &BaseConsumer<Quiet>| {
        let ends = client.fetch_watermarks(topic, 0, SILENCE_MAX);
        ends.map(|(_, end)| end).map_err(|error| {
            HubError::NotNow(format!(
                "cannot read positions from topic \"{topic}\": ask for its end: {error}"
            ))
        })
    };
    let mut all = settings.reader();
    all.set("isolation.level", "read_uncommitted");
    let all: BaseConsumer<Quiet> = all
        .create_with_context(Quiet::default())
        .map_err(|error| HubError::Fatal(format!("kafka client: {error}")))?;
    let end = ask(&all)?;
    let until = Instant::now() + OPEN_MAX;
    while ask(reader)? < end {
        if Instant::now() >= until {
            return Err(HubError::NotNow(format!(
                "cannot read positions from topic \"{topic}\": another agent's transaction stays open"
            )));
        }
        std::thread::park_timeout(OPEN_PAUSE);
    }
    Ok(end)
}

fn note(
    key: Option<&[u8]>,
    value: Option<&[u8]>,
    prefixes: &[&[u8]],
    found: &mut BTreeMap<Vec<u8>, Vec<u8>>,
) {
    let Some(key) = key.filter(|key| prefixes.iter().any(|prefix| key.starts_with(prefix))) else {
        return;
    };
    match value {
        Some(value) => found.insert(key.to_vec(), value.to_vec()),
        None => found.remove(key),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_value_of_a_key_counts_and_null_forgets_it() {
        let mine = b"agent\0";
        let mut found = BTreeMap::new();
        let mut put = |agent: &str, source: &str, name: &[u8], value: Option<&[u8]>| {
            note(Some(&key(agent, source, name)), value, &[mine], &mut found);
        };
        put("agent", "app", b"a\0b", Some(b"1"));
        put("agent", "app", b"c", Some(b"2"));
        put("agent", "apple", b"a", Some(b"3"));
        put("agent2", "app", b"a", Some(b"5"));
        put("agent", "app", b"c", None);
        put("agent", "app", b"a\0b", Some(b"4"));
        let of = |source: &str| with_prefix(&found, &key("agent", source, b""));
        assert_eq!(of("app"), [(b"a\0b".to_vec(), b"4".to_vec())]);
        assert_eq!(of("apple"), [(b"a".to_vec(), b"3".to_vec())]);
        assert_eq!(of("ap"), []);
    }
}
