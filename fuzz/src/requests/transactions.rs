//! Producers and their transactions.

use kafka_protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use kafka_protocol::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use kafka_protocol::messages::{
    AddOffsetsToTxnRequest, AddPartitionsToTxnRequest, ApiKey, DescribeTransactionsRequest,
    EndTxnRequest, InitProducerIdRequest, ListTransactionsRequest, ProducerId, RequestKind,
    TxnOffsetCommitRequest,
};

use crate::random::Random;

pub(super) fn transactions(key: ApiKey, v: i16, r: &mut Random) -> Option<RequestKind> {
    Some(match key {
        ApiKey::InitProducerId => init_producer_id(v, r),
        ApiKey::AddPartitionsToTxn => add_partitions_to_txn(r),
        ApiKey::AddOffsetsToTxn => add_offsets_to_txn(r),
        ApiKey::EndTxn => end_txn(r),
        ApiKey::TxnOffsetCommit => txn_offset_commit(v, r),
        ApiKey::DescribeTransactions => describe_transactions(r),
        ApiKey::ListTransactions => list_transactions(v, r),
        _ => return None,
    })
}

fn init_producer_id(v: i16, r: &mut Random) -> RequestKind {
    let request = InitProducerIdRequest::default()
        .with_transactional_id(r.maybe(Random::transaction))
        .with_transaction_timeout_ms(r.pick(&[60_000, 1, 0, -1, i32::MAX]));
    RequestKind::InitProducerId(if v >= 3 {
        request.with_producer_id(producer(r)).with_producer_epoch(r.short())
    } else {
        request
    })
}

fn add_partitions_to_txn(r: &mut Random) -> RequestKind {
    let topics = r.many(|r| {
        AddPartitionsToTxnTopic::default()
            .with_name(r.topic())
            .with_partitions(r.many(Random::partition))
    });
    RequestKind::AddPartitionsToTxn(
        AddPartitionsToTxnRequest::default()
            .with_v3_and_below_transactional_id(r.transaction())
            .with_v3_and_below_producer_id(producer(r))
            .with_v3_and_below_producer_epoch(r.short())
            .with_v3_and_below_topics(topics),
    )
}

fn add_offsets_to_txn(r: &mut Random) -> RequestKind {
    RequestKind::AddOffsetsToTxn(
        AddOffsetsToTxnRequest::default()
            .with_transactional_id(r.transaction())
            .with_producer_id(producer(r))
            .with_producer_epoch(r.short())
            .with_group_id(r.group()),
    )
}

fn end_txn(r: &mut Random) -> RequestKind {
    RequestKind::EndTxn(
        EndTxnRequest::default()
            .with_transactional_id(r.transaction())
            .with_producer_id(producer(r))
            .with_producer_epoch(r.short())
            .with_committed(r.flag()),
    )
}

fn txn_offset_commit(v: i16, r: &mut Random) -> RequestKind {
    let topics = r.many(|r| {
        let partitions = r.many(|r| {
            let one = TxnOffsetCommitRequestPartition::default()
                .with_partition_index(r.partition())
                .with_committed_offset(r.long())
                .with_committed_metadata(r.maybe(Random::text));
            if v >= 2 { one.with_committed_leader_epoch(r.int()) } else { one }
        });
        TxnOffsetCommitRequestTopic::default().with_name(r.topic()).with_partitions(partitions)
    });
    let request = TxnOffsetCommitRequest::default()
        .with_transactional_id(r.transaction())
        .with_group_id(r.group())
        .with_producer_id(producer(r))
        .with_producer_epoch(r.short())
        .with_topics(topics);
    RequestKind::TxnOffsetCommit(if v >= 3 {
        request.with_generation_id(r.pick(&[-1, 0, 1])).with_member_id(r.text())
    } else {
        request
    })
}

fn describe_transactions(r: &mut Random) -> RequestKind {
    RequestKind::DescribeTransactions(
        DescribeTransactionsRequest::default().with_transactional_ids(r.many(Random::transaction)),
    )
}

fn list_transactions(v: i16, r: &mut Random) -> RequestKind {
    let request = ListTransactionsRequest::default()
        .with_state_filters(r.many(Random::text))
        .with_producer_id_filters(r.many(|r| ProducerId(r.long())));
    RequestKind::ListTransactions(if v >= 1 {
        request.with_duration_filter(r.long())
    } else {
        request
    })
}

fn producer(r: &mut Random) -> ProducerId {
    ProducerId(r.pick(&[0, 1, 2, 3, 1000, -1, 1 << 40, i64::MAX]))
}
