//! `Produce`: batches are checked and appended as they came.
//!
//! One batch a partition; magic, length, CRC-32C, codec and count must be right. No record is decoded, but for a
//! compacted topic, whose records must have keys.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use anabranch_connectors::Pool;
use anabranch_connectors::clock::now_ms;
use bytes::Bytes;
use kafka_protocol::error::ResponseError as Code;
use kafka_protocol::messages::produce_response::{PartitionProduceResponse, TopicProduceResponse};
use kafka_protocol::messages::{ProduceRequest, ProduceResponse, TopicName};
use kafka_protocol::protocol::{Decodable, StrBytes};
use tokio::sync::oneshot;

use super::{Call, Pending, Reply, encode};
use crate::broker::auth::acl::{Operation, Resource};
use crate::hub::embedded::{
    OWN_PRODUCER, ProduceFault, Produced, TopicState, TransactionFault, decode_within,
};
use crate::log::ProducerFault;
use crate::wire::{BatchError, BatchHeader, Codec, HEADER_BYTES};

/// How far in the future a record's time may lie, ms (Kafka's `message.timestamp.after.max.ms`).
const AHEAD_MS: i64 = 3_600_000;

type Receipt = oneshot::Receiver<Result<Produced, ProduceFault>>;

/// A refusal, with words for a person.
struct Refused(Code, String);

/// What becomes of one partition's batch.
enum Outcome {
    Appending { receipt: Receipt, append_time_ms: i64, bytes: usize },
    Refused(Refused),
}

type Outcomes = Vec<(TopicName, Vec<(i32, Outcome)>)>;

pub(super) async fn begin(call: Arc<Call>, mut body: Bytes) -> Option<Pending> {
    let request = ProduceRequest::decode(&mut body, call.version).ok()?;
    let acks = request.acks;
    let id = request.transactional_id.as_ref().map_or("", |id| id.as_str());
    let mut outcomes: Outcomes = Vec::new();
    for topic in request.topic_data {
        let allowed = call.may(Operation::Write, Resource::topic(&topic.name));
        let state = call.hub().topic_state(&topic.name);
        let mut partitions = Vec::new();
        for data in topic.partition_data {
            let records = data.records.unwrap_or_default();
            let begun = if !allowed {
                let why = format!("not authorized to write to {}", topic.name.as_str());
                Err(Refused(Code::TopicAuthorizationFailed, why))
            } else if (-1..=1).contains(&acks) {
                append(&call, state.as_ref(), (&topic.name, data.index), (id, records)).await
            } else {
                Err(Refused(Code::InvalidRequiredAcks, format!("acks is {acks}")))
            };
            partitions.push((data.index, begun.unwrap_or_else(Outcome::Refused)));
        }
        outcomes.push((topic.name, partitions));
    }
    Some(Box::pin(finish(call, acks, outcomes)))
}

/// Checks a batch and hands it to the writer.
async fn append(
    call: &Call,
    state: Option<&Arc<TopicState>>,
    (topic, number): (&str, i32),
    (transactional_id, records): (&str, Bytes),
) -> Result<Outcome, Refused> {
    let unknown =
        || Refused(Code::UnknownTopicOrPartition, format!("{topic}-{number} does not exist"));
    let state = state.ok_or_else(unknown)?;
    let partition = Arc::clone(state.partition(number).ok_or_else(unknown)?);
    if state.is_internal() {
        return Err(Refused(Code::InvalidTopicException, format!("{topic} is the hub's own")));
    }
    let header = check(call, state, &records)?;
    let resource = Resource::transactional_id(transactional_id);
    let may_write = || !transactional_id.is_empty() && call.may(Operation::Write, resource);
    if header.is_transactional() && !may_write() {
        let why = format!("not authorized to write as {transactional_id}");
        return Err(Refused(Code::TransactionalIdAuthorizationFailed, why));
    }
    let (records, header) = rework(state, records, header).await?;
    let append_time_ms = header.append_timestamp_ms().unwrap_or(-1);
    let bytes = records.len();
    let receipt = call.hub().produce(partition, header, records).await;
    let receipt = receipt.map_err(|error| Refused(Code::KafkaStorageError, error.to_string()))?;
    Ok(Outcome::Appending { receipt, append_time_ms, bytes })
}

fn check(call: &Call, state: &TopicState, records: &[u8]) -> Result<BatchHeader, Refused> {
    let invalid = |why: String| Err(Refused(Code::InvalidRecord, why));
    let header = BatchHeader::verify(records).map_err(|fault| match fault {
        BatchError::Magic(magic @ 0..2) => {
            Refused(Code::InvalidRecord, format!("magic {magic}, expected 2"))
        }
        fault @ BatchError::Short { .. } => Refused(Code::InvalidRecord, fault.to_string()),
        fault @ (BatchError::Magic(_) | BatchError::Impossible { .. } | BatchError::Crc { .. }) => {
            Refused(Code::CorruptMessage, fault.to_string())
        }
    })?;
    if header.size_bytes != records.len() {
        return invalid("exactly one batch is expected for each partition".to_owned());
    }
    if records.len() > state.settings.max_message_bytes {
        let most = state.settings.max_message_bytes;
        let why = format!("a batch of {} bytes, max.message.bytes is {most}", records.len());
        return Err(Refused(Code::MessageTooLarge, why));
    }
    match header.codec() {
        None => return invalid(format!("unknown codec {}", header.attributes & 7)),
        Some(Codec::Zstd) if call.version < 7 => {
            let why = "zstd needs version 7 of Produce".to_owned();
            return Err(Refused(Code::UnsupportedCompressionType, why));
        }
        Some(_) => {}
    }
    if header.count <= 0 || header.count - 1 != header.last_offset_delta {
        return invalid(format!(
            "{} records, the last at {}",
            header.count, header.last_offset_delta
        ));
    }
    if header.is_control() {
        return invalid("clients cannot append control batches".to_owned());
    }
    if header.base_offset != 0 {
        return invalid(format!("base offset {}, expected 0", header.base_offset));
    }
    let is_idempotent = header.producer_id >= 0;
    if header.producer_id >= OWN_PRODUCER
        || (is_idempotent && (header.base_sequence < 0 || header.producer_epoch < 0))
        || (!is_idempotent && header.is_transactional())
    {
        return invalid(format!(
            "producer id {} with sequence {}",
            header.producer_id, header.base_sequence
        ));
    }
    if !state.settings.append_time && header.max_timestamp_ms > now_ms().saturating_add(AHEAD_MS) {
        let why = format!("timestamp {} is more than an hour ahead", header.max_timestamp_ms);
        return Err(Refused(Code::InvalidTimestamp, why));
    }
    Ok(header)
}

/// Does what a topic's settings ask for. A batch that must be unpacked for that, and can be one that takes its time, does
/// not hold up other clients.
async fn rework(
    state: &Arc<TopicState>,
    records: Bytes,
    header: BatchHeader,
) -> Result<(Bytes, BatchHeader), Refused> {
    if !state.settings.cleanup.compact && state.settings.compression.is_none() {
        return restamp(state, records, header);
    }
    let state = Arc::clone(state);
    let reworked = tokio::task::spawn_blocking(move || {
        if state.settings.cleanup.compact {
            keyed(&state, &header, &records)?;
        }
        restamp(&state, records, header)
    });
    let failed = |error| Err(Refused(Code::UnknownServerError, format!("{error}")));
    reworked.await.unwrap_or_else(failed)
}

/// Most bytes that a batch may have when it is decompressed here: a small one can be made to claim any memory.
fn plain_max(state: &TopicState) -> usize {
    state.settings.max_message_bytes.saturating_mul(16).max(64 << 20)
}

/// Refuses records without keys.
fn keyed(state: &TopicState, header: &BatchHeader, records: &[u8]) -> Result<(), Refused> {
    let pool = Pool::new(1, 1 << 20);
    let batch = decode_within(plain_max(state), header, records, (&state.topic, 0), &pool);
    let batch = batch.map_err(|why| Refused(Code::CorruptMessage, why))?;
    if batch.iter().any(|stored| stored.record.key.is_none()) {
        let why = format!("records of {} need keys, it is compacted", state.topic.name);
        return Err(Refused(Code::InvalidRecord, why));
    }
    Ok(())
}

/// Gives the batch the time of its append, or another codec, where its topic wants that.
fn restamp(
    state: &TopicState,
    records: Bytes,
    mut header: BatchHeader,
) -> Result<(Bytes, BatchHeader), Refused> {
    let codec = state.settings.compression.filter(|wanted| Some(*wanted) != header.codec());
    if codec.is_none() && !state.settings.append_time {
        return Ok((records, header));
    }
    let mut batch = Vec::with_capacity(records.len());
    match codec {
        None => batch.extend_from_slice(&records),
        Some(codec) => {
            let failed = |why: String| Refused(Code::CorruptMessage, why);
            let mut plain = Vec::new();
            let packed = records.get(HEADER_BYTES..).unwrap_or_default();
            let from = header.codec().unwrap_or(Codec::None);
            from.decompress(packed, plain_max(state), &mut plain)
                .map_err(|error| failed(error.to_string()))?;
            batch.resize(HEADER_BYTES, 0);
            codec.compress(&plain, None, &mut batch).map_err(|error| failed(error.to_string()))?;
            header.attributes = header.attributes & !7 | codec.attributes();
        }
    }
    if state.settings.append_time {
        header.attributes |= 8;
        header.max_timestamp_ms = now_ms();
    }
    header.seal(&mut batch);
    header.size_bytes = batch.len();
    Ok((batch.into(), header))
}

async fn finish(call: Arc<Call>, acks: i16, outcomes: Outcomes) -> Reply {
    let mut failed = false;
    let mut responses = Vec::with_capacity(outcomes.len());
    for (name, partitions) in outcomes {
        let mut answers = Vec::with_capacity(partitions.len());
        for (index, outcome) in partitions {
            let answer = settle(&call, outcome).await;
            failed |= answer.error_code != 0;
            answers.push(answer.with_index(index));
        }
        responses.push(
            TopicProduceResponse::default().with_name(name).with_partition_responses(answers),
        );
    }
    if acks == 0 {
        return if failed { Reply::Close } else { Reply::Nothing };
    }
    encode(&call, &ProduceResponse::default().with_responses(responses))
}

async fn settle(call: &Call, outcome: Outcome) -> PartitionProduceResponse {
    let refused = match outcome {
        Outcome::Refused(refused) => refused,
        Outcome::Appending { receipt, append_time_ms, bytes } => match receipt.await {
            Ok(Ok(produced)) => {
                let counters = call.broker().counters();
                counters.produced_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
                return PartitionProduceResponse::default()
                    .with_base_offset(produced.base_offset)
                    .with_log_append_time_ms(append_time_ms)
                    .with_log_start_offset(produced.log_start);
            }
            Ok(Err(fault)) => Refused(code(call, &fault), fault.to_string()),
            Err(_closed) => Refused(Code::KafkaStorageError, "the hub is closing".to_owned()),
        },
    };
    let Refused(code, why) = refused;
    PartitionProduceResponse::default()
        .with_error_code(code.code())
        .with_base_offset(-1)
        .with_log_append_time_ms(-1)
        .with_log_start_offset(-1)
        .with_error_message(Some(StrBytes::from_string(why)))
}

fn code(call: &Call, fault: &ProduceFault) -> Code {
    match fault {
        ProduceFault::Producer(ProducerFault::OutOfOrder { .. }) => Code::OutOfOrderSequenceNumber,
        ProduceFault::Producer(ProducerFault::OldEpoch { .. }) => Code::InvalidProducerEpoch,
        ProduceFault::Producer(ProducerFault::Transaction(_)) => Code::InvalidTxnState,
        ProduceFault::NoTransaction(_, TransactionFault::UnknownProducer) => {
            Code::InvalidProducerIdMapping
        }
        ProduceFault::NoTransaction(_, TransactionFault::Fenced) => Code::InvalidProducerEpoch,
        // Clients since KIP-890 know what they may abort and go on after.
        ProduceFault::NoTransaction(..) if call.version >= 11 => Code::TransactionAbortable,
        ProduceFault::NoTransaction(..) => Code::InvalidTxnState,
        ProduceFault::Deleted => Code::UnknownTopicOrPartition,
        ProduceFault::NotNow(_) => Code::KafkaStorageError,
    }
}
