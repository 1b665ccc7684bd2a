//! What is asked, in this order: valid, wrong and at the edges.

use anabranch::wire::{BatchHeader, Builder, Codec, Stamp};
use anabranch_record::Record;
use anabranch_record::stored::push_record;
use bytes::Bytes;
use kafka_protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use kafka_protocol::messages::offset_for_leader_epoch_request::{
    OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::*;
use kafka_protocol::protocol::StrBytes;

use super::Case;

/// The topic that all cases are about; it has two partitions.
pub(super) const TOPIC: &str = "differential";
/// The group that plain requests are about.
pub(super) const GROUP: &str = "differential-group";

pub(super) fn text(value: &str) -> StrBytes {
    StrBytes::from_string(value.to_owned())
}

pub(super) fn topic(name: &str) -> TopicName {
    TopicName(text(name))
}

pub(super) fn group(name: &str) -> GroupId {
    GroupId(text(name))
}

pub(super) fn case(
    name: impl Into<String>,
    key: ApiKey,
    request: impl Fn(i16) -> RequestKind + 'static,
) -> Case {
    Case { name: name.into(), key, request: Box::new(request) }
}

/// Two records in a batch of that producer.
fn batch(codec: Codec, producer: (i64, i16, i32)) -> Vec<u8> {
    let mut builder = Builder::new(codec, None);
    let mut batch = Vec::new();
    builder.begin(&mut batch);
    for number in 0..2 {
        let record = Record { key: Some(b"key"), value: Some(b"value"), ..Record::default() };
        push_record(&record, (number, number), &[], builder.records());
    }
    let time = 1_700_000_000_000;
    let stamp = Stamp { base_timestamp_ms: time, max_timestamp_ms: time + 1, count: 2, producer };
    builder.finish(stamp, &mut batch).unwrap();
    batch
}

fn changed(change: impl Fn(&mut BatchHeader)) -> Vec<u8> {
    let mut batch = batch(Codec::None, NOBODY);
    let mut header = BatchHeader::parse(&batch).unwrap();
    change(&mut header);
    header.seal(&mut batch);
    batch
}

const NOBODY: (i64, i16, i32) = (-1, -1, -1);

fn produce(name: &str, to: (&'static str, i32), acks: i16, records: Option<Vec<u8>>) -> Case {
    case(format!("produce: {name}"), ApiKey::Produce, move |_| {
        let data = PartitionProduceData::default()
            .with_index(to.1)
            .with_records(records.clone().map(Bytes::from));
        let data =
            TopicProduceData::default().with_name(topic(to.0)).with_partition_data(vec![data]);
        let request = ProduceRequest::default().with_acks(acks).with_timeout_ms(5000);
        RequestKind::Produce(request.with_topic_data(vec![data]))
    })
}

fn produces() -> Vec<Case> {
    let good = || batch(Codec::None, NOBODY);
    let here = (TOPIC, 0);
    let mut wrong_sum = good();
    wrong_sum[20] ^= 1;
    let mut old_magic = good();
    old_magic[16] = 1;
    let mut unknown_magic = good();
    unknown_magic[16] = 7;
    let huge = vec![0; 2 << 20];
    let large = {
        let mut builder = Builder::new(Codec::None, None);
        let mut batch = Vec::new();
        builder.begin(&mut batch);
        let record = Record { value: Some(&huge), ..Record::default() };
        push_record(&record, (0, 0), &[], builder.records());
        let stamp = Stamp { base_timestamp_ms: 0, max_timestamp_ms: 0, count: 1, producer: NOBODY };
        builder.finish(stamp, &mut batch).unwrap();
        batch
    };
    vec![
        produce("good", here, 1, Some(good())),
        produce("good, acks all", here, -1, Some(good())),
        produce("gzip", here, 1, Some(batch(Codec::Gzip, NOBODY))),
        produce("snappy", here, 1, Some(batch(Codec::Snappy, NOBODY))),
        produce("lz4", here, 1, Some(batch(Codec::Lz4, NOBODY))),
        produce("zstd", here, 1, Some(batch(Codec::Zstd, NOBODY))),
        produce("no records", here, 1, None),
        produce("empty records", here, 1, Some(Vec::new())),
        produce("unknown topic", ("absent-topic", 0), 1, Some(good())),
        produce("unknown partition", (TOPIC, 9), 1, Some(good())),
        produce("negative partition", (TOPIC, -1), 1, Some(good())),
        produce("empty name", ("", 0), 1, Some(good())),
        produce("acks 5", here, 5, Some(good())),
        produce("wrong sum", here, 1, Some(wrong_sum)),
        produce("old magic", here, 1, Some(old_magic)),
        produce("unknown magic", here, 1, Some(unknown_magic)),
        produce("cut", here, 1, Some(good()[..70].to_vec())),
        produce("two batches", here, 1, Some([good(), good()].concat())),
        produce("too large", here, 1, Some(large)),
        produce("count too high", here, 1, Some(changed(|header| header.count = 3))),
        produce("count zero", here, 1, Some(changed(|header| header.count = 0))),
        produce("base offset 5", here, 1, Some(changed(|header| header.base_offset = 5))),
        produce("control batch", here, 1, Some(changed(|header| header.attributes = 32))),
        produce(
            "far in the future",
            here,
            1,
            Some(changed(|header| {
                header.base_timestamp_ms = 9_000_000_000_000;
                header.max_timestamp_ms = 9_000_000_000_001;
            })),
        ),
        produce("unknown codec", here, 1, Some(changed(|header| header.attributes = 6))),
        produce("idempotent, first", here, -1, Some(batch(Codec::None, (900, 0, 0)))),
        produce("idempotent, again", here, -1, Some(batch(Codec::None, (900, 0, 0)))),
        produce("idempotent, next", here, -1, Some(batch(Codec::None, (900, 0, 2)))),
        produce("idempotent, gap", here, -1, Some(batch(Codec::None, (900, 0, 10)))),
        produce("idempotent, new epoch", here, -1, Some(batch(Codec::None, (900, 1, 0)))),
        produce("idempotent, old epoch", here, -1, Some(batch(Codec::None, (900, 0, 4)))),
        produce("idempotent, new epoch not at 0", here, -1, Some(batch(Codec::None, (900, 2, 5)))),
        produce("unknown producer not at 0", here, -1, Some(batch(Codec::None, (901, 0, 7)))),
        produce("negative sequence", here, -1, Some(batch(Codec::None, (902, 0, -1)))),
    ]
}

fn fetch(name: &str, to: (&'static str, i32), offset: i64, most: i32) -> Case {
    case(format!("fetch: {name}"), ApiKey::Fetch, move |_| {
        let partition = FetchPartition::default()
            .with_partition(to.1)
            .with_fetch_offset(offset)
            .with_partition_max_bytes(most);
        let topics = FetchTopic::default().with_topic(topic(to.0)).with_partitions(vec![partition]);
        let request = FetchRequest::default()
            .with_replica_id(BrokerId(-1))
            .with_max_wait_ms(10)
            .with_min_bytes(1)
            .with_max_bytes(1 << 20);
        RequestKind::Fetch(request.with_topics(vec![topics]))
    })
}

fn list_offsets(name: &str, to: (&'static str, i32), time: i64, epoch: i32) -> Case {
    case(format!("list offsets: {name}"), ApiKey::ListOffsets, move |version| {
        let one = ListOffsetsPartition::default().with_partition_index(to.1).with_timestamp(time);
        let one = if version >= 4 { one.with_current_leader_epoch(epoch) } else { one };
        let topics = ListOffsetsTopic::default().with_name(topic(to.0)).with_partitions(vec![one]);
        let request = ListOffsetsRequest::default().with_replica_id(BrokerId(-1));
        RequestKind::ListOffsets(request.with_topics(vec![topics]))
    })
}

fn reads() -> Vec<Case> {
    let mut cases = vec![
        fetch("all", (TOPIC, 0), 0, 1 << 20),
        fetch("one byte", (TOPIC, 0), 0, 1),
        fetch("at the end", (TOPIC, 1), 0, 1 << 20),
        fetch("beyond the end", (TOPIC, 0), 100_000, 1 << 20),
        fetch("negative offset", (TOPIC, 0), -7, 1 << 20),
        fetch("unknown topic", ("absent-topic", 0), 0, 1 << 20),
        fetch("unknown partition", (TOPIC, 9), 0, 1 << 20),
        fetch("negative partition", (TOPIC, -1), 0, 1 << 20),
        list_offsets("latest", (TOPIC, 0), -1, -1),
        list_offsets("earliest", (TOPIC, 0), -2, -1),
        list_offsets("of a time", (TOPIC, 0), 1_700_000_000_001, -1),
        list_offsets("of a time to come", (TOPIC, 0), 9_500_000_000_000, -1),
        list_offsets("of no such time", (TOPIC, 0), -77, -1),
        list_offsets("unknown topic", ("absent-topic", 0), -1, -1),
        list_offsets("negative partition", (TOPIC, -1), -1, -1),
        list_offsets("epoch to come", (TOPIC, 0), -1, 99_999),
    ];
    for (name, of, epoch) in
        [("of no record", TOPIC, 99_999), ("unknown topic", "absent-topic", 0), ("none", TOPIC, -1)]
    {
        cases.push(case(
            format!("leader epoch: {name}"),
            ApiKey::OffsetForLeaderEpoch,
            move |_| {
                let one = OffsetForLeaderPartition::default()
                    .with_current_leader_epoch(-1)
                    .with_leader_epoch(epoch);
                let topics = OffsetForLeaderTopic::default()
                    .with_topic(topic(of))
                    .with_partitions(vec![one]);
                let request = OffsetForLeaderEpochRequest::default().with_replica_id(BrokerId(-1));
                RequestKind::OffsetForLeaderEpoch(request.with_topics(vec![topics]))
            },
        ));
    }
    for name in [TOPIC, "absent-topic", "not valid!", ""] {
        cases.push(case(format!("metadata: {name}"), ApiKey::Metadata, move |version| {
            // Only from version 4 on can a client ask for what is not to be made.
            let name = if version < 4 && name == "absent-topic" { TOPIC } else { name };
            let topics = vec![MetadataRequestTopic::default().with_name(Some(topic(name)))];
            let request = MetadataRequest::default().with_topics(Some(topics));
            RequestKind::Metadata(if version >= 4 {
                request.with_allow_auto_topic_creation(false)
            } else {
                request
            })
        }));
    }
    cases
}

fn commit(
    name: &str,
    of: &'static str,
    to: (&'static str, i32),
    member: (&'static str, i32),
) -> Case {
    case(format!("commit: {name}"), ApiKey::OffsetCommit, move |_| {
        let one = OffsetCommitRequestPartition::default()
            .with_partition_index(to.1)
            .with_committed_offset(3)
            .with_committed_metadata(Some(text("m")));
        let topics =
            OffsetCommitRequestTopic::default().with_name(topic(to.0)).with_partitions(vec![one]);
        RequestKind::OffsetCommit(
            OffsetCommitRequest::default()
                .with_group_id(group(of))
                .with_member_id(text(member.0))
                .with_generation_id_or_member_epoch(member.1)
                .with_topics(vec![topics]),
        )
    })
}

fn committed(name: &str, of: &'static str, to: (&'static str, i32)) -> Case {
    case(format!("committed: {name}"), ApiKey::OffsetFetch, move |version| {
        RequestKind::OffsetFetch(if version >= 8 {
            let topics = OffsetFetchRequestTopics::default()
                .with_name(topic(to.0))
                .with_partition_indexes(vec![to.1]);
            let one = OffsetFetchRequestGroup::default()
                .with_group_id(group(of))
                .with_topics(Some(vec![topics]));
            OffsetFetchRequest::default().with_groups(vec![one])
        } else {
            let topics = OffsetFetchRequestTopic::default()
                .with_name(topic(to.0))
                .with_partition_indexes(vec![to.1]);
            OffsetFetchRequest::default().with_group_id(group(of)).with_topics(Some(vec![topics]))
        })
    })
}

fn offsets() -> Vec<Case> {
    let nobody = ("", -1);
    vec![
        commit("simple", GROUP, (TOPIC, 0), nobody),
        commit("unknown topic", GROUP, ("absent-topic", 0), nobody),
        commit("negative partition", GROUP, (TOPIC, -1), nobody),
        commit("unknown member", GROUP, (TOPIC, 0), ("nobody", 5)),
        commit("empty group", "", (TOPIC, 0), nobody),
        commit("member of no group", "absent-group", (TOPIC, 0), ("nobody", 5)),
        committed("there", GROUP, (TOPIC, 0)),
        committed("not there", GROUP, (TOPIC, 1)),
        committed("unknown topic", GROUP, ("absent-topic", 0)),
        committed("unknown group", "absent-group", (TOPIC, 0)),
        committed("empty group", "", (TOPIC, 0)),
    ]
}

fn transactions() -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, id, timeout) in [
        ("none", None, 60_000),
        ("empty", Some(""), 60_000),
        ("no time", Some("differential-transaction"), 0),
        ("too long", Some("differential-transaction"), i32::MAX),
    ] {
        cases.push(case(format!("init producer: {name}"), ApiKey::InitProducerId, move |_| {
            RequestKind::InitProducerId(
                InitProducerIdRequest::default()
                    .with_transactional_id(id.map(|id| TransactionalId(text(id))))
                    .with_transaction_timeout_ms(timeout),
            )
        }));
    }
    let id = || TransactionalId(text("absent-transaction"));
    for (name, partition) in [("unknown producer", 0), ("unknown partition", 9)] {
        cases.push(case(
            format!("add partitions: {name}"),
            ApiKey::AddPartitionsToTxn,
            move |_| {
                let topics = AddPartitionsToTxnTopic::default()
                    .with_name(topic(TOPIC))
                    .with_partitions(vec![partition]);
                RequestKind::AddPartitionsToTxn(
                    AddPartitionsToTxnRequest::default()
                        .with_v3_and_below_transactional_id(id())
                        .with_v3_and_below_producer_id(ProducerId(77))
                        .with_v3_and_below_topics(vec![topics]),
                )
            },
        ));
    }
    cases.push(case("add offsets: unknown producer", ApiKey::AddOffsetsToTxn, move |_| {
        RequestKind::AddOffsetsToTxn(
            AddOffsetsToTxnRequest::default()
                .with_transactional_id(id())
                .with_producer_id(ProducerId(77))
                .with_group_id(group(GROUP)),
        )
    }));
    cases.push(case("end: unknown producer", ApiKey::EndTxn, move |_| {
        let request = EndTxnRequest::default().with_transactional_id(id());
        RequestKind::EndTxn(request.with_producer_id(ProducerId(77)).with_committed(true))
    }));
    cases.push(case(
        "commit in a transaction: unknown producer",
        ApiKey::TxnOffsetCommit,
        move |_| {
            let request = TxnOffsetCommitRequest::default().with_transactional_id(id());
            RequestKind::TxnOffsetCommit(
                request.with_group_id(group(GROUP)).with_producer_id(ProducerId(77)),
            )
        },
    ));
    cases.push(case("describe transactions", ApiKey::DescribeTransactions, move |_| {
        let request = DescribeTransactionsRequest::default();
        RequestKind::DescribeTransactions(request.with_transactional_ids(vec![id()]))
    }));
    cases.push(case("list transactions", ApiKey::ListTransactions, |_| {
        let request = ListTransactionsRequest::default();
        RequestKind::ListTransactions(request.with_state_filters(vec![text("Nonsense")]))
    }));
    cases
}

/// Requests to log in at a listener that asks nobody who he is.
fn logins() -> Vec<Case> {
    let mut cases = Vec::new();
    for mechanism in ["PLAIN", "", "NONSENSE"] {
        let name = format!("log in by {mechanism:?} where nobody is asked to");
        cases.push(case(name, ApiKey::SaslHandshake, move |_| {
            let request = SaslHandshakeRequest::default();
            RequestKind::SaslHandshake(request.with_mechanism(text(mechanism)))
        }));
    }
    cases.push(case("authenticate unasked", ApiKey::SaslAuthenticate, |_| {
        let request = SaslAuthenticateRequest::default();
        RequestKind::SaslAuthenticate(request.with_auth_bytes(Bytes::from_static(b"\0a\0b")))
    }));
    cases
}

/// All of them; what changes topics is last.
pub(super) fn all() -> Vec<Case> {
    let mut all = produces();
    all.extend(reads());
    all.extend(offsets());
    all.extend(super::groups::cases());
    all.extend(transactions());
    all.extend(logins());
    all.extend(super::admin::cases());
    all.extend(super::topics::cases());
    all
}
