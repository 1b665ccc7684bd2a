//! `Produce`: batches are checked and appended as they came.
//!
//! One batch a partition; magic, length, CRC-32C, codec and count must be right. No record is decoded, but where its topic
//! asks something of each (`records.rs`).

use std::sync::Arc;
use std::sync::atomic::Ordering;

use anabranch_connectors::contract::clock::now_ms;
use anabranch_record::TopicPartition;
use bytes::Bytes;
use kafka_protocol::error::ResponseError as Code;
use kafka_protocol::messages::produce_response::{PartitionProduceResponse, TopicProduceResponse};
use kafka_protocol::messages::{ProduceRequest, ProduceResponse, TopicName};
use kafka_protocol::protocol::{Decodable, StrBytes};
use tokio::sync::oneshot;
use uuid::Uuid;

use super::produce_refusal::Refused;
use super::reply::{Pending, Reply, encode};
use super::{Call, records};
use crate::auth::acl::{Operation, Resource};
use crate::hub::embedded::{
    EndFault, OWN_PRODUCER, ProduceFault, Produced, TopicState, TransactionFault,
};
use crate::log::{Partition, ProducerFault};
use crate::wire::{BatchError, BatchHeader, Codec, HEADER_BYTES};

/// The version from which on topics are named by their ids (KIP-516).
const BY_ID_FROM: i16 = 13;
/// The version from which on a batch makes its partition a part of the transaction (KIP-890).
const ADDS_FROM: i16 = 12;

type Receipt = oneshot::Receiver<Result<Produced, ProduceFault>>;

/// What becomes of one partition's batch.
enum Outcome {
    Appending { receipt: Receipt, partition: Arc<Partition>, append_time_ms: i64, bytes: usize },
    Refused { refused: Refused, log_start: i64 },
}

type Outcomes = Vec<(TopicName, Uuid, Vec<(i32, Outcome)>)>;

pub(super) async fn begin(call: Arc<Call>, mut body: Bytes) -> Option<Pending> {
    let request = ProduceRequest::decode(&mut body, call.version).ok()?;
    let acks = request.acks;
    let id = request.transactional_id.as_ref().map_or("", |id| id.as_str());
    let mut outcomes: Outcomes = Vec::new();
    for topic in request.topic_data {
        let by_id = call.version >= BY_ID_FROM;
        let state = if by_id {
            call.hub().topic_by_id(topic.topic_id)
        } else {
            call.hub().topic_state(&topic.name)
        };
        let is_unknown = by_id && state.is_none();
        let name = state.as_ref().map_or(topic.name.as_str(), |state| &state.topic.name);
        let allowed = call.may(Operation::Write, Resource::topic(name));
        let mut partitions = Vec::new();
        for data in topic.partition_data {
            let records = data.records.unwrap_or_default();
            let begun = if is_unknown {
                refuse(Code::UnknownTopicId, format!("no topic has the id {}", topic.topic_id))
            } else if !allowed {
                let why = format!("not authorized to write to {name}");
                refuse(Code::TopicAuthorizationFailed, why)
            } else if (-1..=1).contains(&acks) {
                append(&call, state.as_ref(), (name, data.index), (id, records)).await
            } else {
                refuse(Code::InvalidRequiredAcks, format!("acks is {acks}"))
            };
            let outcome = begun.unwrap_or_else(|refused| {
                let partition = state.as_ref().and_then(|state| state.partition(data.index));
                let start = partition.filter(|_| refused.by_log).map(|partition| partition.start());
                Outcome::Refused { refused, log_start: start.unwrap_or(-1) }
            });
            partitions.push((data.index, outcome));
        }
        outcomes.push((topic.name, topic.topic_id, partitions));
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
        || Refused::new(Code::UnknownTopicOrPartition, format!("{topic}-{number} does not exist"));
    let state = state.ok_or_else(unknown)?;
    let partition = Arc::clone(state.partition(number).ok_or_else(unknown)?);
    if state.is_internal() {
        return refuse(Code::InvalidTopicException, format!("{topic} is the hub's own"));
    }
    let header = check(call, state, &records)?;
    let resource = Resource::transactional_id(transactional_id);
    let may_write = || !transactional_id.is_empty() && call.may(Operation::Write, resource);
    if header.is_transactional() && !may_write() {
        let why = format!("not authorized to write as {transactional_id}");
        return refuse(Code::TransactionalIdAuthorizationFailed, why);
    }
    if header.is_transactional() && call.version >= ADDS_FROM {
        let producer = (header.producer_id, header.producer_epoch);
        let place = vec![TopicPartition::new(&*state.topic.name, number)];
        let added = call.hub().add_to_transaction(transactional_id, producer, place, None).await;
        added.map_err(|fault| Refused::new(add_code(&fault), format!("{fault:?}")))?;
    }
    let (records, header) = rework(state, number, records, header).await?;
    let append_time_ms = header.append_timestamp_ms().unwrap_or(-1);
    let bytes = records.len();
    let receipt = call.hub().produce(Arc::clone(&partition), header, records).await;
    let receipt =
        receipt.map_err(|error| Refused::new(Code::KafkaStorageError, error.to_string()))?;
    Ok(Outcome::Appending { receipt, partition, append_time_ms, bytes })
}

const fn refuse<T>(code: Code, why: String) -> Result<T, Refused> {
    Err(Refused::new(code, why))
}

fn check(call: &Call, state: &TopicState, records: &[u8]) -> Result<BatchHeader, Refused> {
    let invalid = |why: String| refuse(Code::InvalidRecord, why);
    let header = BatchHeader::verify(records).map_err(|fault| match fault {
        BatchError::Magic(magic @ 0..2) => {
            Refused::new(Code::InvalidRecord, format!("magic {magic}, expected 2"))
        }
        BatchError::Magic(magic) => {
            let why = format!("Invalid magic found in record: {magic}");
            Refused { told: true, ..Refused::new(Code::CorruptMessage, why) }
        }
        fault @ BatchError::Short { .. } => Refused::new(Code::InvalidRecord, fault.to_string()),
        fault @ (BatchError::Impossible { .. } | BatchError::Crc { .. }) => {
            Refused::new(Code::CorruptMessage, fault.to_string())
        }
    })?;
    if header.size_bytes != records.len() {
        return invalid("exactly one batch is expected for each partition".to_owned());
    }
    if records.len() > state.settings.max_message_bytes {
        let most = state.settings.max_message_bytes;
        let why = format!("a batch of {} bytes, max.message.bytes is {most}", records.len());
        return refuse(Code::MessageTooLarge, why);
    }
    match header.codec() {
        None => {
            let why = format!("unknown codec {}", header.attributes & 7);
            return Err(Refused::new(Code::InvalidRecord, why).by_the_log());
        }
        Some(Codec::Zstd) if call.version < 7 => {
            let why = "zstd needs version 7 of Produce".to_owned();
            return refuse(Code::UnsupportedCompressionType, why);
        }
        Some(_) => {}
    }
    match header_fault(&header) {
        Some(why) => Err(Refused::new(Code::InvalidRecord, why).by_the_log()),
        None => Ok(header),
    }
}

/// What a client must not say of its batch.
fn header_fault(header: &BatchHeader) -> Option<String> {
    let BatchHeader { count, last_offset_delta, producer_id, base_sequence, .. } = *header;
    let is_idempotent = producer_id >= 0;
    let is_sequenced = base_sequence >= 0 && header.producer_epoch >= 0;
    if count <= 0 || count - 1 != last_offset_delta {
        return Some(format!("{count} records, the last at {last_offset_delta}"));
    }
    if header.is_control() {
        return Some("clients cannot append control batches".to_owned());
    }
    if header.base_offset != 0 {
        return Some(format!("base offset {}, expected 0", header.base_offset));
    }
    if producer_id >= OWN_PRODUCER
        || (is_idempotent && !is_sequenced)
        || (!is_idempotent && header.is_transactional())
    {
        return Some(format!("producer id {producer_id} with sequence {base_sequence}"));
    }
    None
}

/// Does what a topic's settings ask for. A batch that must be unpacked for that, and can be one that takes its time, does
/// not hold up other clients.
async fn rework(
    state: &Arc<TopicState>,
    partition: i32,
    records: Bytes,
    header: BatchHeader,
) -> Result<(Bytes, BatchHeader), Refused> {
    let now = now_ms();
    let is_questionable = records::is_questionable(&state.settings, &header, now);
    if !is_questionable && state.settings.compression.is_none() {
        return restamp(state, records, header);
    }
    let state = Arc::clone(state);
    let reworked = tokio::task::spawn_blocking(move || {
        if is_questionable {
            records::judge(&state, partition, (&header, &records), now)?;
        }
        restamp(&state, records, header)
    });
    reworked.await.unwrap_or_else(|error| refuse(Code::UnknownServerError, format!("{error}")))
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
            let failed = |why: String| Refused::new(Code::CorruptMessage, why);
            let mut plain = Vec::new();
            let packed = records.get(HEADER_BYTES..).unwrap_or_default();
            let from = header.codec().unwrap_or(Codec::None);
            from.decompress(packed, records::plain_max(state), &mut plain)
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
    for (name, id, partitions) in outcomes {
        let mut answers = Vec::with_capacity(partitions.len());
        for (index, outcome) in partitions {
            let answer = settle(&call, outcome).await;
            failed |= answer.error_code != 0;
            answers.push(answer.with_index(index));
        }
        responses.push(
            TopicProduceResponse::default()
                .with_name(name)
                .with_topic_id(id)
                .with_partition_responses(answers),
        );
    }
    if acks == 0 {
        return if failed { Reply::Close } else { Reply::Nothing };
    }
    encode(&call, &ProduceResponse::default().with_responses(responses))
}

async fn settle(call: &Call, outcome: Outcome) -> PartitionProduceResponse {
    let (refused, log_start) = match outcome {
        Outcome::Refused { refused, log_start } => (refused, log_start),
        Outcome::Appending { receipt, partition, append_time_ms, bytes } => match receipt.await {
            Ok(Ok(produced)) => {
                let counters = call.broker().counters();
                counters.produced_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
                return PartitionProduceResponse::default()
                    .with_base_offset(produced.base_offset)
                    .with_log_append_time_ms(append_time_ms)
                    .with_log_start_offset(produced.log_start);
            }
            Ok(Err(fault)) => {
                let by_log = matches!(fault, ProduceFault::Producer(_));
                let log_start = if by_log { partition.start() } else { -1 };
                (Refused::new(code(call, &fault), fault.to_string()), log_start)
            }
            Err(_closed) => {
                (Refused::new(Code::KafkaStorageError, "the hub is closing".to_owned()), -1)
            }
        },
    };
    let Refused { code, why, told, records, .. } = refused;
    tracing::debug!(?code, why, "a batch of a client was refused");
    PartitionProduceResponse::default()
        .with_error_code(code.code())
        .with_base_offset(-1)
        .with_log_append_time_ms(-1)
        .with_log_start_offset(log_start)
        .with_record_errors(records)
        .with_error_message(told.then(|| StrBytes::from_string(why)))
}

/// Kafka's number for a partition that cannot be part of a transaction.
const fn add_code(fault: &EndFault) -> Code {
    match fault {
        EndFault::Refused(TransactionFault::UnknownProducer) => Code::InvalidProducerIdMapping,
        EndFault::Refused(TransactionFault::Fenced) => Code::InvalidProducerEpoch,
        EndFault::Refused(TransactionFault::Concurrent) => Code::ConcurrentTransactions,
        EndFault::Refused(TransactionFault::InvalidState) => Code::InvalidTxnState,
        EndFault::Hub(_) => Code::KafkaStorageError,
    }
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
