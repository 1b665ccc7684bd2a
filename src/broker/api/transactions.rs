//! `InitProducerId`, and the requests of transactions.

use std::sync::Arc;

use anabranch_connectors::contract::clock::now_ms;
use anabranch_record::TopicPartition;
use kafka_protocol::error::ResponseError as Code;
use kafka_protocol::messages::add_partitions_to_txn_response::{
    AddPartitionsToTxnPartitionResult, AddPartitionsToTxnTopicResult,
};
use kafka_protocol::messages::describe_transactions_response::{
    TopicData, TransactionState as Described,
};
use kafka_protocol::messages::list_transactions_response::TransactionState as Listed;
use kafka_protocol::messages::txn_offset_commit_request::TxnOffsetCommitRequestPartition;
use kafka_protocol::messages::txn_offset_commit_response::{
    TxnOffsetCommitResponsePartition, TxnOffsetCommitResponseTopic,
};
use kafka_protocol::messages::{
    AddOffsetsToTxnRequest, AddOffsetsToTxnResponse, AddPartitionsToTxnRequest,
    AddPartitionsToTxnResponse, DescribeTransactionsRequest, DescribeTransactionsResponse,
    EndTxnRequest, EndTxnResponse, InitProducerIdRequest, InitProducerIdResponse,
    ListTransactionsRequest, ListTransactionsResponse, TopicName, TransactionalId,
    TxnOffsetCommitRequest, TxnOffsetCommitResponse,
};
use kafka_protocol::protocol::StrBytes;
use regex::Regex;

use super::Call;
use super::offsets::{METADATA_MAX, group_code};
use crate::auth::acl::{Operation, Resource, ResourceType};
use crate::hub::Offset;
use crate::hub::embedded::groups::coordinator::Claim;
use crate::hub::embedded::{EndFault, Phase, TransactionFault};

/// Longest transaction that a client may ask for, ms (Kafka's `transaction.max.timeout.ms`).
pub(super) const TIMEOUT_MAX_MS: i32 = 900_000;

/// Kafka's `TxnOffsetCommit` knows fencing under the old number in all its versions.
const FENCED_NEVER: i16 = i16::MAX;

fn may_write(call: &Call, id: &str) -> bool {
    call.may(Operation::Write, Resource::transactional_id(id))
}

/// Kafka's number for a refusal; clients before KIP-588 know fencing under another one.
fn code_of(call: &Call, fault: TransactionFault, fenced_from: i16) -> i16 {
    match fault {
        TransactionFault::UnknownProducer => Code::InvalidProducerIdMapping.code(),
        TransactionFault::Fenced if call.version < fenced_from => Code::InvalidProducerEpoch.code(),
        TransactionFault::Fenced => Code::ProducerFenced.code(),
        TransactionFault::Concurrent => Code::ConcurrentTransactions.code(),
        TransactionFault::InvalidState => Code::InvalidTxnState.code(),
    }
}

fn end_code(call: &Call, fault: &EndFault, fenced_from: i16) -> i16 {
    match fault {
        EndFault::Refused(fault) => code_of(call, *fault, fenced_from),
        EndFault::Hub(_) => Code::CoordinatorNotAvailable.code(),
    }
}

pub(super) async fn init_producer_id(
    call: Arc<Call>,
    request: InitProducerIdRequest,
) -> InitProducerIdResponse {
    let refused = |code: i16| {
        InitProducerIdResponse::default()
            .with_error_code(code)
            .with_producer_id((-1).into())
            .with_producer_epoch(-1)
    };
    let given = (request.producer_id.0, request.producer_epoch);
    let given = (call.version >= 3 && given.0 >= 0).then_some(given);
    let may_produce = || {
        call.may(Operation::IdempotentWrite, Resource::CLUSTER)
            || call.may_some(Operation::Write, ResourceType::Topic)
    };
    let outcome = match &request.transactional_id {
        Some(id) if !may_write(&call, id) => {
            return refused(Code::TransactionalIdAuthorizationFailed.code());
        }
        None if !may_produce() => return refused(Code::ClusterAuthorizationFailed.code()),
        None => call.hub().new_producer().await.map_err(EndFault::Hub).map(|id| (id, 0)),
        Some(id) if id.is_empty() => return refused(Code::InvalidRequest.code()),
        Some(_) if !(1..=TIMEOUT_MAX_MS).contains(&request.transaction_timeout_ms) => {
            return refused(Code::InvalidTransactionTimeout.code());
        }
        Some(id) => call.hub().begin_producer(id, request.transaction_timeout_ms, given).await,
    };
    match outcome {
        Ok((producer_id, epoch)) => InitProducerIdResponse::default()
            .with_producer_id(producer_id.into())
            .with_producer_epoch(epoch),
        Err(fault) => refused(end_code(&call, &fault, 4)),
    }
}

pub(super) async fn add_partitions(
    call: Arc<Call>,
    request: AddPartitionsToTxnRequest,
) -> AddPartitionsToTxnResponse {
    let id = request.v3_and_below_transactional_id;
    let producer = (request.v3_and_below_producer_id.0, request.v3_and_below_producer_epoch);
    let topics = request.v3_and_below_topics;
    let is_known = |topic: &TopicName, partition: i32| {
        let state = call.hub().topic_state(topic);
        state.is_some_and(|state| !state.is_internal() && state.partition(partition).is_some())
    };
    let all: Vec<TopicPartition> = topics
        .iter()
        .flat_map(|topic| {
            let name = topic.name.as_str();
            topic.partitions.iter().map(move |number| TopicPartition::new(name, *number))
        })
        .collect();
    let fault = |topic: &TopicName, partition: i32| {
        if !call.may(Operation::Write, Resource::topic(topic)) {
            return Some(Code::TopicAuthorizationFailed.code());
        }
        (!is_known(topic, partition)).then(|| Code::UnknownTopicOrPartition.code())
    };
    let complete = topics.iter().all(|topic| {
        topic.partitions.iter().all(|partition| fault(&topic.name, *partition).is_none())
    });
    let allowed = may_write(&call, &id);
    let code = if !allowed {
        Code::TransactionalIdAuthorizationFailed.code()
    } else if complete {
        let added = call.hub().add_to_transaction(&id, producer, all, None).await;
        added.map_or_else(|fault| end_code(&call, &fault, 2), |()| 0)
    } else {
        // All or nothing: those that exist were not attempted.
        Code::OperationNotAttempted.code()
    };
    let results = topics.into_iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|partition| {
            let fault = fault(&topic.name, *partition).filter(|_| allowed);
            let code = fault.unwrap_or(code);
            AddPartitionsToTxnPartitionResult::default()
                .with_partition_index(*partition)
                .with_partition_error_code(code)
        });
        let partitions = partitions.collect();
        AddPartitionsToTxnTopicResult::default()
            .with_name(topic.name)
            .with_results_by_partition(partitions)
    });
    AddPartitionsToTxnResponse::default().with_results_by_topic_v3_and_below(results.collect())
}

pub(super) async fn add_offsets(
    call: Arc<Call>,
    request: AddOffsetsToTxnRequest,
) -> AddOffsetsToTxnResponse {
    let producer = (request.producer_id.0, request.producer_epoch);
    let id = &request.transactional_id;
    if !may_write(&call, id) {
        let code = Code::TransactionalIdAuthorizationFailed.code();
        return AddOffsetsToTxnResponse::default().with_error_code(code);
    }
    if !call.may(Operation::Read, Resource::group(&request.group_id)) {
        let code = Code::GroupAuthorizationFailed.code();
        return AddOffsetsToTxnResponse::default().with_error_code(code);
    }
    let added = call.hub().add_to_transaction(id, producer, Vec::new(), Some(&request.group_id));
    let code = added.await.map_or_else(|fault| end_code(&call, &fault, 2), |()| 0);
    AddOffsetsToTxnResponse::default().with_error_code(code)
}

pub(super) async fn end(call: Arc<Call>, request: EndTxnRequest) -> EndTxnResponse {
    if !may_write(&call, &request.transactional_id) {
        let code = Code::TransactionalIdAuthorizationFailed.code();
        return EndTxnResponse::default().with_error_code(code);
    }
    let producer = (request.producer_id.0, request.producer_epoch);
    let ended = call.hub().end_transaction(&request.transactional_id, producer, request.committed);
    let code = ended.await.map_or_else(|fault| end_code(&call, &fault, 2), |()| 0);
    EndTxnResponse::default().with_error_code(code)
}

pub(super) async fn commit_offsets(
    call: Arc<Call>,
    request: TxnOffsetCommitRequest,
) -> TxnOffsetCommitResponse {
    let group = request.group_id.to_string();
    let instance_id = request.group_instance_id.map(|id| id.to_string());
    let claim = Claim {
        group: &group,
        generation: request.generation_id,
        member_id: &request.member_id,
        instance_id: instance_id.as_deref(),
    };
    let denied = if !may_write(&call, &request.transactional_id) {
        Some(Code::TransactionalIdAuthorizationFailed.code())
    } else if !call.may(Operation::Read, Resource::group(&group)) {
        Some(Code::GroupAuthorizationFailed.code())
    } else {
        None
    };
    let fault = |topic: &TopicName, one: &TxnOffsetCommitRequestPartition| {
        let known = || {
            let state = call.hub().topic_state(topic);
            state.is_some_and(|state| state.partition(one.partition_index).is_some())
        };
        if denied.is_some() {
            denied
        } else if !call.may(Operation::Read, Resource::topic(topic)) {
            Some(Code::TopicAuthorizationFailed.code())
        } else if !known() {
            Some(Code::UnknownTopicOrPartition.code())
        } else if one.committed_metadata.as_ref().is_some_and(|text| text.len() > METADATA_MAX) {
            Some(Code::OffsetMetadataTooLarge.code())
        } else {
            None
        }
    };
    let mut offsets = Vec::new();
    for topic in &request.topics {
        for one in topic.partitions.iter().filter(|one| fault(&topic.name, one).is_none()) {
            let metadata = one.committed_metadata.as_ref().map(ToString::to_string);
            let offset = Offset {
                topic: topic.name.to_string(),
                partition: one.partition_index,
                offset: one.committed_offset,
                epoch: one.committed_leader_epoch,
            };
            offsets.push((offset, metadata.unwrap_or_default()));
        }
    }
    let code = if offsets.is_empty() {
        0
    } else {
        let producer = (request.producer_id.0, request.producer_epoch);
        hold(&call, (&request.transactional_id, producer), claim, offsets).await
    };
    let topics = request.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|one| {
            TxnOffsetCommitResponsePartition::default()
                .with_partition_index(one.partition_index)
                .with_error_code(fault(&topic.name, one).unwrap_or(code))
        });
        let partitions = partitions.collect();
        TxnOffsetCommitResponseTopic::default().with_name(topic.name).with_partitions(partitions)
    });
    TxnOffsetCommitResponse::default().with_topics(topics.collect())
}

/// Keeps offsets until the end of the transaction, if the member may commit; gives Kafka's code.
async fn hold(
    call: &Call,
    (id, producer): (&str, (i64, i16)),
    claim: Claim<'_>,
    offsets: Vec<(Offset, String)>,
) -> i16 {
    // Clients since KIP-890 know what they may abort and go on after.
    let told = |fault: &EndFault| {
        if call.version >= 4 && *fault == EndFault::Refused(TransactionFault::InvalidState) {
            return Code::TransactionAbortable.code();
        }
        end_code(call, fault, FENCED_NEVER)
    };
    let spoken = call.hub().transactions().of(id, producer).map(drop);
    if let Err(fault) = spoken {
        return told(&EndFault::Refused(fault));
    }
    let places =
        offsets.iter().map(|(offset, _)| TopicPartition::new(&*offset.topic, offset.partition));
    let places: Vec<TopicPartition> = places.collect();
    let members = call.hub().members();
    let checked = members.ask(|all, _| all.check_transactional_commit(claim, &places));
    if let Err(error) = checked {
        return group_code(call, claim.group, error);
    }
    let held = call.hub().hold_offsets(id, producer, claim.group, offsets).await;
    held.map_or_else(|fault| told(&fault), |()| 0)
}

const fn name_of(phase: Phase) -> &'static str {
    match phase {
        Phase::Empty => "Empty",
        Phase::Ongoing => "Ongoing",
        Phase::PrepareCommit => "PrepareCommit",
        Phase::PrepareAbort => "PrepareAbort",
        Phase::CompleteCommit => "CompleteCommit",
        Phase::CompleteAbort => "CompleteAbort",
    }
}

pub(super) async fn describe(
    call: Arc<Call>,
    request: DescribeTransactionsRequest,
) -> DescribeTransactionsResponse {
    let transactions = call.hub().transactions();
    let states = request.transactional_ids.into_iter().map(|id| {
        let answer = Described::default();
        if !call.may(Operation::Describe, Resource::transactional_id(&id)) {
            let code = Code::TransactionalIdAuthorizationFailed.code();
            return answer.with_error_code(code).with_transactional_id(id);
        }
        let Some(known) = transactions.get(&id) else {
            let code = Code::TransactionalIdNotFound.code();
            return answer.with_error_code(code).with_transactional_id(id);
        };
        let mut topics: Vec<TopicData> = Vec::new();
        let visible = |topic: &str| call.may(Operation::Describe, Resource::topic(topic));
        for TopicPartition { topic, partition } in
            known.partitions.iter().filter(|one| visible(&one.topic))
        {
            match topics.last_mut().filter(|last| last.topic.as_str() == topic) {
                Some(last) => last.partitions.push(*partition),
                None => topics.push(
                    TopicData::default()
                        .with_topic(TopicName(StrBytes::from_string(topic.clone())))
                        .with_partitions(vec![*partition]),
                ),
            }
        }
        let is_open = known.phase == Phase::Ongoing;
        answer
            .with_transactional_id(id)
            .with_transaction_state(StrBytes::from_static_str(name_of(known.phase)))
            .with_transaction_timeout_ms(known.timeout_ms)
            .with_transaction_start_time_ms(if known.started_ms > 0 {
                known.started_ms
            } else {
                -1
            })
            .with_producer_id(known.producer_id.into())
            .with_producer_epoch(known.epoch)
            .with_topics(if is_open { topics } else { Vec::new() })
    });
    let states = states.collect();
    DescribeTransactionsResponse::default().with_transaction_states(states)
}

pub(super) async fn list(
    call: Arc<Call>,
    request: ListTransactionsRequest,
) -> ListTransactionsResponse {
    const NAMES: [&str; 6] =
        ["Empty", "Ongoing", "PrepareCommit", "PrepareAbort", "CompleteCommit", "CompleteAbort"];
    let (known, unknown): (Vec<StrBytes>, Vec<StrBytes>) =
        request.state_filters.into_iter().partition(|state| NAMES.contains(&state.as_str()));
    let pattern = request.transactional_id_pattern.filter(|pattern| !pattern.is_empty());
    let pattern = match pattern.map(|pattern| Regex::new(&format!("^(?:{})$", pattern.as_str()))) {
        None => None,
        Some(Ok(pattern)) => Some(pattern),
        Some(Err(_invalid)) => {
            let code = Code::InvalidRegularExpression.code();
            return ListTransactionsResponse::default().with_error_code(code);
        }
    };
    let (longer_ms, now) = (request.duration_filter, now_ms());
    let filters = !known.is_empty() || !unknown.is_empty();
    let producers = request.producer_id_filters;
    let transactions = call.hub().transactions();
    let wanted = |(id, one): &(&String, &crate::hub::embedded::Transaction)| {
        call.may(Operation::Describe, Resource::transactional_id(id))
            && (!filters || known.iter().any(|state| state.as_str() == name_of(one.phase)))
            && (producers.is_empty() || producers.iter().any(|id| id.0 == one.producer_id))
            && pattern.as_ref().is_none_or(|pattern| pattern.is_match(id))
            && (longer_ms < 0
                || (one.started_ms > 0 && now.saturating_sub(one.started_ms) > longer_ms))
    };
    let states = transactions.all().filter(wanted).map(|(id, one)| {
        Listed::default()
            .with_transactional_id(TransactionalId(StrBytes::from_string(id.clone())))
            .with_producer_id(one.producer_id.into())
            .with_transaction_state(StrBytes::from_static_str(name_of(one.phase)))
    });
    let states = states.collect();
    ListTransactionsResponse::default()
        .with_transaction_states(states)
        .with_unknown_state_filters(unknown)
}
