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
//! ([`crate::ledger::account`]): what was stored of it up to that transaction. One with an empty key is the mark of the agent's last transaction: when a commit's answer is
//! lost, it tells whether the commit took place.

use std::collections::BTreeMap;
use std::time::Duration;

use anabranch_connectors::source::Account;
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

/// What the key of an account begins with, behind an empty name of a source.
const ACCOUNT: &[u8] = b"ledger ";

/// Positions by key.
pub(super) type Positions = Vec<(Vec<u8>, Vec<u8>)>;

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

/// The latest position of each key of `source`, of this agent.
pub(super) fn of_source(settings: &Settings, source: &str) -> Result<Positions, HubError> {
    let prefix = key(&settings.transactional_id, source, b"");
    let found = read(settings, &prefix)?;
    Ok(found.into_iter().collect())
}

/// The mark of this agent's last committed transaction.
pub(super) fn mark(settings: &Settings) -> Result<Option<Vec<u8>>, HubError> {
    let prefix = mark_key(&settings.transactional_id);
    Ok(read(settings, &prefix)?.remove(&[][..]))
}

/// The key of a source's account.
pub(super) fn account_key(agent: &str, source: &str) -> Vec<u8> {
    key(agent, "", &[ACCOUNT, source.as_bytes()].concat())
}

/// What has become of each source's records, of this agent.
pub(super) fn accounts(settings: &Settings) -> Result<BTreeMap<String, Account>, HubError> {
    if settings.positions_topic.is_empty() {
        return Ok(BTreeMap::new());
    }
    let found = read(settings, &account_key(&settings.transactional_id, ""))?;
    let account = |(source, value): (Vec<u8>, Vec<u8>)| {
        (String::from_utf8_lossy(&source).into_owned(), account::decode(&value))
    };
    Ok(found.into_iter().map(account).collect())
}

/// The last value of each key that begins with `prefix`, under what follows it.
fn read(settings: &Settings, prefix: &[u8]) -> Result<BTreeMap<Vec<u8>, Vec<u8>>, HubError> {
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
        .and_then(|()| reader.assign(&list))
        .map_err(|error| trouble("assign", &error))?;
    // Other agents go on writing: what is there now is enough, or the end would never come.
    let end = reader.fetch_watermarks(topic, 0, SILENCE_MAX).map(|(_, end)| end);
    let end = end.map_err(|error| trouble("ask for its end", &error))?;
    let mut found = BTreeMap::new();
    let mut silent_until = Instant::now() + SILENCE_MAX;
    loop {
        match reader.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => {
                silent_until = Instant::now() + SILENCE_MAX;
                note(message.key(), message.payload(), prefix, &mut found);
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

fn note(
    key: Option<&[u8]>,
    value: Option<&[u8]>,
    prefix: &[u8],
    found: &mut BTreeMap<Vec<u8>, Vec<u8>>,
) {
    let Some(rest) = key.and_then(|key| key.strip_prefix(prefix)) else { return };
    match value {
        Some(value) => found.insert(rest.to_vec(), value.to_vec()),
        None => found.remove(rest),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_value_of_a_key_counts_and_null_forgets_it() {
        let prefix = key("agent", "app", b"");
        let mut found = BTreeMap::new();
        let mut put = |source: &str, name: &[u8], value: Option<&[u8]>| {
            note(Some(&key("agent", source, name)), value, &prefix, &mut found);
        };
        put("app", b"a\0b", Some(b"1"));
        put("app", b"c", Some(b"2"));
        put("apple", b"a", Some(b"3"));
        put("app", b"c", None);
        put("app", b"a\0b", Some(b"4"));
        assert_eq!(found, [(b"a\0b".to_vec(), b"4".to_vec())].into());
    }
}
