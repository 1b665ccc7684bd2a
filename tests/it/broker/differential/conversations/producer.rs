//! What transactional producers ask.

use kafka_protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use kafka_protocol::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use kafka_protocol::messages::*;

use super::super::cases::{group, text, topic};
use super::player::Player;
use super::words::Member;

/// A producer with a transactional id.
#[derive(Debug, Clone)]
pub(super) struct Producer {
    pub(super) name: String,
    pub(super) id: i64,
    pub(super) epoch: i16,
}

impl Producer {
    /// One that has not begun yet.
    pub(super) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), id: -1, epoch: -1 }
    }

    /// The same under an epoch so much later.
    pub(super) fn later(&self, epochs: i16) -> Self {
        Self { epoch: self.epoch + epochs, ..self.clone() }
    }

    /// The same with a producer id that nobody has.
    pub(super) fn strange(&self) -> Self {
        Self { id: self.id + 1_000_000, ..self.clone() }
    }

    /// Takes over what it was told.
    pub(super) fn told(&mut self, answer: &InitProducerIdResponse) {
        assert_eq!(answer.error_code, 0, "{self:?} cannot begin");
        (self.id, self.epoch) = (answer.producer_id.0, answer.producer_epoch);
    }

    fn transactional_id(&self) -> TransactionalId {
        TransactionalId(text(&self.name))
    }
}

/// Begins a life; from version 3 on it says who it was.
pub(super) fn init(producer: &Producer) -> impl Fn(i16) -> InitProducerIdRequest + use<> {
    let producer = producer.clone();
    move |version| {
        let request = InitProducerIdRequest::default()
            .with_transactional_id(Some(producer.transactional_id()))
            .with_transaction_timeout_ms(60_000);
        if version < 3 {
            return request;
        }
        request.with_producer_id(ProducerId(producer.id)).with_producer_epoch(producer.epoch)
    }
}

pub(super) fn add(
    producer: &Producer,
    partitions: &[(&str, i32)],
) -> impl Fn(i16) -> AddPartitionsToTxnRequest + use<> {
    let mut topics: Vec<AddPartitionsToTxnTopic> = Vec::new();
    for (name, partition) in partitions {
        match topics.iter_mut().find(|topic| topic.name.as_str() == *name) {
            Some(topic) => topic.partitions.push(*partition),
            None => topics.push(
                AddPartitionsToTxnTopic::default()
                    .with_name(topic(name))
                    .with_partitions(vec![*partition]),
            ),
        }
    }
    let request = AddPartitionsToTxnRequest::default()
        .with_v3_and_below_transactional_id(producer.transactional_id())
        .with_v3_and_below_producer_id(ProducerId(producer.id))
        .with_v3_and_below_producer_epoch(producer.epoch)
        .with_v3_and_below_topics(topics);
    move |_| request.clone()
}

pub(super) fn add_offsets(
    producer: &Producer,
    of: &str,
) -> impl Fn(i16) -> AddOffsetsToTxnRequest + use<> {
    let request = AddOffsetsToTxnRequest::default()
        .with_transactional_id(producer.transactional_id())
        .with_producer_id(ProducerId(producer.id))
        .with_producer_epoch(producer.epoch)
        .with_group_id(group(of));
    move |_| request.clone()
}

/// Commits an offset in the transaction; who the member is counts from version 3 on.
pub(super) fn commit_offset(
    producer: &Producer,
    member: &Member,
    to: (&str, i32),
    offset: i64,
) -> impl Fn(i16) -> TxnOffsetCommitRequest + use<> {
    let (producer, member, name) = (producer.clone(), member.clone(), to.0.to_owned());
    move |version| {
        let one = TxnOffsetCommitRequestPartition::default()
            .with_partition_index(to.1)
            .with_committed_offset(offset)
            .with_committed_metadata(Some(text("t")));
        let topics = TxnOffsetCommitRequestTopic::default();
        let topics = topics.with_name(topic(&name)).with_partitions(vec![one]);
        let request = TxnOffsetCommitRequest::default()
            .with_transactional_id(producer.transactional_id())
            .with_producer_id(ProducerId(producer.id))
            .with_producer_epoch(producer.epoch)
            .with_group_id(group(&member.group))
            .with_topics(vec![topics]);
        if version < 3 {
            return request;
        }
        request
            .with_generation_id(member.generation)
            .with_member_id(text(&member.id))
            .with_group_instance_id(member.instance.map(text))
    }
}

pub(super) fn end(producer: &Producer, committed: bool) -> impl Fn(i16) -> EndTxnRequest + use<> {
    let request = EndTxnRequest::default()
        .with_transactional_id(producer.transactional_id())
        .with_producer_id(ProducerId(producer.id))
        .with_producer_epoch(producer.epoch)
        .with_committed(committed);
    move |_| request.clone()
}

pub(super) fn describe(producer: &Producer) -> impl Fn(i16) -> DescribeTransactionsRequest + use<> {
    let ids = vec![producer.transactional_id()];
    move |_| DescribeTransactionsRequest::default().with_transactional_ids(ids.clone())
}

/// Transactions in these states, of this producer if one is given.
pub(super) fn list(
    states: &[&str],
    producer: Option<&Producer>,
) -> impl Fn(i16) -> ListTransactionsRequest + use<> {
    let states: Vec<_> = states.iter().map(|state| text(state)).collect();
    let ids: Vec<_> = producer.iter().map(|producer| ProducerId(producer.id)).collect();
    move |_| {
        let request = ListTransactionsRequest::default();
        request.with_state_filters(states.clone()).with_producer_id_filters(ids.clone())
    }
}

/// Waits until a transaction's end is complete: Kafka answers before its markers are written.
pub(super) fn await_complete(player: &Player, producer: &Producer) {
    player.wait("the end of a transaction", describe(producer), |answer| {
        !answer.transaction_states[0].transaction_state.starts_with("Prepare")
    });
}
