//! A group's progress together with the records that come of it, as one transaction.

use std::time::Duration;

use anabranch_record::Record;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{Offset as At, TopicPartitionList};

use super::admin::{ANSWER_MAX, group_client, not_now, unusable};
use super::context::{Deliveries, Quiet};
use super::librdkafka::headers_of;
use super::settings::Settings;
use crate::hub::{Acks, Advance, HubError, Offset};

/// How long the beginning or the end of the transaction may take.
const STEP_MAX: Duration = Duration::from_secs(30);

type Writer = BaseProducer<Deliveries>;

/// Takes the step, once.
pub(super) fn advance(settings: &Settings, advance: &Advance) -> Result<(), HubError> {
    let own = Settings {
        transactional: true,
        transactional_id: advance.transactional_id(),
        acks: Acks::All,
        delivery_timeout: Some(STEP_MAX),
        ..settings.clone()
    };
    let made: Result<Writer, _> = own.producer().create_with_context(Deliveries::default());
    let writer = made.map_err(|error| unusable(&error))?;
    // From here on nobody who was faster can end what he has begun.
    writer.init_transactions(STEP_MAX).map_err(|error| trouble(&own, "begin", &error))?;
    let reader = group_client(settings, &advance.group)?;
    let committed = reader.committed_offsets(places(&advance.from)?, ANSWER_MAX);
    let committed =
        committed.map_err(|error| trouble(&own, "look where the group stands", &error))?;
    advance.check(|topic, partition| {
        match committed.find_partition(topic, partition)?.offset() {
            At::Offset(offset) => Some(offset),
            At::Beginning | At::End | At::Stored | At::Invalid | At::OffsetTail(_) => None,
        }
    })?;
    writer.begin_transaction().map_err(|error| trouble(&own, "begin", &error))?;
    let stored = store(&writer, &own, advance, &reader);
    if stored.is_err() {
        // One that cannot be aborted now is so after its time.
        writer.abort_transaction(STEP_MAX).ok();
    }
    stored
}

fn store(
    writer: &Writer,
    own: &Settings,
    advance: &Advance,
    reader: &BaseConsumer<Quiet>,
) -> Result<(), HubError> {
    for placed in &advance.records {
        for record in placed.batch.iter() {
            send(writer, (&placed.topic, placed.partition), &record)
                .map_err(|error| trouble(own, "store records", &error))?;
        }
    }
    writer.flush(STEP_MAX).map_err(|error| trouble(own, "store records", &error))?;
    if let Some(undelivered) = writer.client().context().take().first() {
        let (topic, code) = (&undelivered.topic, undelivered.code);
        return Err(HubError::NotNow(format!("topic \"{topic}\" does not take a record: {code}")));
    }
    let offsets = places(&advance.to)?;
    let group = reader.group_metadata().ok_or_else(HubError::closing)?;
    writer
        .send_offsets_to_transaction(&offsets, &group, STEP_MAX)
        .map_err(|error| trouble(own, "store offsets", &error))?;
    writer.commit_transaction(STEP_MAX).map_err(|error| trouble(own, "commit", &error))
}

/// Hands one record over; librdkafka is let to work while it has no room.
fn send(
    writer: &Writer,
    (topic, partition): (&str, i32),
    record: &Record<'_>,
) -> Result<(), KafkaError> {
    let mut message = BaseRecord {
        topic,
        partition: Some(partition),
        payload: record.value,
        key: record.key,
        timestamp: Some(record.timestamp_ms),
        headers: Some(headers_of(record)),
        delivery_opaque: 0,
    };
    loop {
        match writer.send(message) {
            Ok(()) => return Ok(()),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                message = back;
                writer.flush(STEP_MAX)?;
            }
            Err((error, _)) => return Err(error),
        }
    }
}

fn places(offsets: &[Offset]) -> Result<TopicPartitionList, HubError> {
    let mut list = TopicPartitionList::new();
    for Offset { topic, partition, offset, .. } in offsets {
        let at = if *offset < 0 { At::Invalid } else { At::Offset(*offset) };
        list.add_partition_offset(topic, *partition, at).map_err(not_now)?;
    }
    Ok(list)
}

fn trouble(settings: &Settings, what: &str, error: &KafkaError) -> HubError {
    let servers = settings.bootstrap_servers.join(",");
    let id = &settings.transactional_id;
    if let KafkaError::Transaction(error) = error
        && error.code() == RDKafkaErrorCode::Fenced
    {
        return HubError::Moved(format!("somebody else goes on as \"{id}\"; try again"));
    }
    HubError::NotNow(format!(
        "kafka at {servers}: cannot {what} as transactional id \"{id}\": {error}"
    ))
}
