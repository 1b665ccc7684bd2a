//! Hands records to librdkafka one by one; what the brokers would refuse for its size goes to the dead letters.
//!
//! A record that is larger than its topic's `max.message.bytes` would stop everything behind it for ever. It goes to
//! the topic `<topic>.dlq` instead, in the same transaction, cut and with the headers of [`super::super::amend`].

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anabranch_record::Record;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use tracing::warn;

use super::super::amend::{PARTITION, REASON, SIZE, TOO_LARGE, TOPIC, cut};
use super::super::context::Deliveries;
use super::super::encode::{AROUND, size};
use super::super::queue::{Job, Queue};
use super::super::topics::Topics;
use super::refused::Refused;
use super::round::Round;
use crate::hub::DEAD_LETTERS;

/// The number that records without one of their own are sent with.
pub(super) const UNNUMBERED: usize = usize::MAX;

/// Librdkafka's producer, as it is used here.
pub(super) type Kafka = BaseProducer<Deliveries>;

/// Sends the records of jobs.
pub(super) struct Sender<'a> {
    pub(super) kafka: &'a Kafka,
    pub(super) queue: &'a Queue,
    pub(super) topics: &'a Topics,
    pub(super) cut: &'a AtomicU64,
}

/// Where a record goes, with the number it is known by.
#[derive(Debug, Clone, Copy)]
struct Way<'a> {
    topic: &'a str,
    partition: i32,
    number: usize,
}

impl Sender<'_> {
    /// Sends the records of `job` that the round still wants; they are numbered from `first` on.
    pub(super) fn job(&self, job: &Job, first: usize, round: &Round) -> Result<(), Refused> {
        let size_max = self.topics.message_max(&job.topic).saturating_sub(AROUND);
        let mut number = first;
        for part in &job.parts {
            let common = build(part.batch.headers().bytes());
            for record in part.batch.iter() {
                let way = Way { topic: &job.topic, partition: job.partition, number };
                number += 1;
                if !round.wants(way.number) {
                    round.sent.set(number);
                    continue;
                }
                let size = size(&record);
                if size > size_max {
                    self.dead_letter(way, &record, size)?;
                } else {
                    self.record(way, &record, headers(&record, common.as_ref()))?;
                }
                round.sent.set(number);
            }
            self.kafka.poll(Duration::ZERO);
        }
        Ok(())
    }

    /// Sends a record to the positions topic.
    pub(super) fn position(
        &self,
        topic: &str,
        key: &[u8],
        value: Option<&[u8]>,
    ) -> Result<(), Refused> {
        let record = Record { key: Some(key), value, ..Record::default() };
        self.record(Way { topic, partition: 0, number: UNNUMBERED }, &record, None)
    }

    #[inline]
    fn record(
        &self,
        way: Way<'_>,
        record: &Record<'_>,
        headers: Option<OwnedHeaders>,
    ) -> Result<(), Refused> {
        let mut message = BaseRecord {
            topic: way.topic,
            partition: Some(way.partition),
            payload: record.value,
            key: record.key,
            timestamp: Some(record.timestamp_ms),
            headers,
            delivery_opaque: way.number,
        };
        loop {
            match self.kafka.send(message) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                    message = back;
                    self.wait_for_room()?;
                }
                Err((error, _)) => {
                    let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail);
                    self.topics.failed(way.topic, code, size(record));
                    return Err(Refused::Kafka(format!("topic \"{}\": {error}", way.topic)));
                }
            }
        }
    }

    fn wait_for_room(&self) -> Result<(), Refused> {
        rest(self.kafka);
        if self.queue.is_over() {
            return Err(Refused::Stopping);
        }
        if self.kafka.client().context().any() {
            return Err(Refused::Kafka("records could not be delivered".to_owned()));
        }
        Ok(())
    }

    fn dead_letter(&self, way: Way<'_>, record: &Record<'_>, size: usize) -> Result<(), Refused> {
        let topic = format!("{}{DEAD_LETTERS}", way.topic);
        let partitions = self.topics.partitions_now(&topic);
        let partitions = partitions.map_err(|error| Refused::Kafka(error.to_string()))?;
        let partitions = i32::try_from(partitions).unwrap_or(i32::MAX).max(1);
        let mut room = self.topics.message_max(&topic).saturating_sub(2 * AROUND + topic.len());
        let mut headers = OwnedHeaders::new();
        let own: usize = record.headers.common.len() + record.headers.own.len();
        if own <= room / 2 {
            headers = add(headers, record);
            room -= own;
        }
        let value_bytes = record.value.map_or(0, <[u8]>::len);
        for (key, value) in [
            (REASON, TOO_LARGE),
            (TOPIC, way.topic),
            (PARTITION, &way.partition.to_string()),
            (SIZE, &value_bytes.to_string()),
        ] {
            headers = headers.insert(Header { key, value: Some(value) });
        }
        let key = record.key.map(|key| cut(key, room / 4));
        let room = room - key.map_or(0, <[u8]>::len);
        let value = record.value.map(|value| cut(value, room));
        let (from, partition) = (way.topic, way.partition);
        warn!(from, partition, size, topic, "a record is too large for its topic; it was cut");
        self.cut.fetch_add(1, Ordering::Relaxed);
        let way = Way { topic: &topic, partition: partition % partitions, number: way.number };
        self.record(way, &Record { key, value, ..*record }, Some(headers))
    }
}

/// Lets librdkafka work for a moment. Its own poll with a short time spins, since it rounds what is left down to 0 ms.
pub(super) fn rest(kafka: &Kafka) {
    std::thread::park_timeout(Duration::from_millis(1));
    kafka.poll(Duration::ZERO);
}

/// The headers that all records of a batch share.
fn build(common: &[u8]) -> Option<OwnedHeaders> {
    let record = Record {
        headers: anabranch_record::header::HeadersRef { common, own: &[] },
        ..Record::default()
    };
    (!common.is_empty()).then(|| add(OwnedHeaders::new(), &record))
}

#[inline]
fn headers(record: &Record<'_>, common: Option<&OwnedHeaders>) -> Option<OwnedHeaders> {
    if record.headers.own.is_empty() {
        return common.cloned();
    }
    Some(add(OwnedHeaders::new(), record))
}

/// All headers of one record.
pub(in crate::hub::kafka) fn headers_of(record: &Record<'_>) -> OwnedHeaders {
    add(OwnedHeaders::new(), record)
}

fn add(mut headers: OwnedHeaders, record: &Record<'_>) -> OwnedHeaders {
    for (key, value) in record.headers.iter_all() {
        headers = headers.insert(Header { key, value });
    }
    headers
}
