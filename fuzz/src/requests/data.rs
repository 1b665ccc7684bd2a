//! Records in and out, and who asks for them.

use bytes::Bytes;
use kafka_protocol::messages::delete_records_request::{
    DeleteRecordsPartition, DeleteRecordsTopic,
};
use kafka_protocol::messages::fetch_request::{
    FetchPartition, FetchTopic, ForgottenTopic, ReplicaState,
};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::offset_for_leader_epoch_request::{
    OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{
    ApiKey, BrokerId, DeleteRecordsRequest, FetchRequest, ListOffsetsRequest,
    OffsetForLeaderEpochRequest, ProduceRequest, RequestKind, SaslAuthenticateRequest,
    SaslHandshakeRequest,
};

use crate::batches;
use crate::random::Random;

/// From this version of Fetch on, topics are named by their ids.
const BY_ID_FROM: i16 = 13;

pub(super) fn data(key: ApiKey, v: i16, r: &mut Random) -> Option<RequestKind> {
    Some(match key {
        ApiKey::Produce => produce(r),
        ApiKey::Fetch => fetch(v, r),
        ApiKey::ListOffsets => list_offsets(v, r),
        ApiKey::OffsetForLeaderEpoch => offset_for_leader_epoch(r),
        ApiKey::DeleteRecords => delete_records(r),
        ApiKey::SaslHandshake => sasl_handshake(r),
        ApiKey::SaslAuthenticate => sasl_authenticate(r),
        _ => return None,
    })
}

fn produce(r: &mut Random) -> RequestKind {
    let topics = r.many(|r| {
        let partitions = r.many(|r| {
            let records = r.maybe(|r| Bytes::from(batches::records(r)));
            PartitionProduceData::default().with_index(r.partition()).with_records(records)
        });
        TopicProduceData::default().with_name(r.topic()).with_partition_data(partitions)
    });
    let transaction = if r.one_in(6) { Some(r.transaction()) } else { None };
    RequestKind::Produce(
        ProduceRequest::default()
            .with_transactional_id(transaction)
            .with_acks(r.pick(&[1, 1, 1, -1, -1, 0, 2, i16::MIN]))
            .with_timeout_ms(r.int())
            .with_topic_data(topics),
    )
}

fn fetch(v: i16, r: &mut Random) -> RequestKind {
    let topics = r.many(|r| {
        let partitions = r.many(|r| {
            let one = FetchPartition::default()
                .with_partition(r.partition())
                .with_fetch_offset(r.long())
                .with_log_start_offset(if v >= 5 { r.long() } else { -1 })
                .with_partition_max_bytes(r.pick(&[1 << 20, 0, 1, -1, i32::MAX]));
            let one = if v >= 9 {
                one.with_current_leader_epoch(r.pick(&[-1, -1, 0, 1, 9]))
            } else {
                one
            };
            if v >= 12 { one.with_last_fetched_epoch(r.pick(&[-1, 0, 1])) } else { one }
        });
        let topic = FetchTopic::default().with_partitions(partitions);
        if v >= BY_ID_FROM {
            topic.with_topic_id(r.topic_id())
        } else {
            topic.with_topic(r.topic())
        }
    });
    let forgotten = r.many(|r| {
        let topic = ForgottenTopic::default().with_partitions(r.many(Random::partition));
        if v >= BY_ID_FROM {
            topic.with_topic_id(r.topic_id())
        } else {
            topic.with_topic(r.topic())
        }
    });
    let request = FetchRequest::default()
        .with_max_wait_ms(r.wait())
        .with_min_bytes(r.pick(&[1, 0, -1, 1 << 20]))
        .with_max_bytes(r.pick(&[1 << 20, 0, i32::MAX]))
        .with_isolation_level(r.pick(&[0, 1, 2, -1]))
        .with_topics(topics);
    let replica = BrokerId(r.pick(&[-1, -1, 0, 1]));
    let request = if v >= 15 {
        request.with_replica_state(ReplicaState::default().with_replica_id(replica))
    } else {
        request.with_replica_id(replica)
    };
    let request = if v >= 7 {
        request
            .with_session_id(r.pick(&[0, 0, 0, 1]))
            .with_session_epoch(r.pick(&[-1, 0, 1]))
            .with_forgotten_topics_data(forgotten)
    } else {
        request
    };
    let request = if v >= 11 { request.with_rack_id(r.text()) } else { request };
    RequestKind::Fetch(if v >= 12 {
        request.with_cluster_id(r.maybe(Random::text))
    } else {
        request
    })
}

fn list_offsets(v: i16, r: &mut Random) -> RequestKind {
    let topics = r.many(|r| {
        let partitions = r.many(|r| {
            let one = ListOffsetsPartition::default()
                .with_partition_index(r.partition())
                .with_timestamp(r.long());
            if v >= 4 { one.with_current_leader_epoch(r.pick(&[-1, -1, 0, 1, 9])) } else { one }
        });
        ListOffsetsTopic::default().with_name(r.topic()).with_partitions(partitions)
    });
    let request = ListOffsetsRequest::default().with_replica_id(BrokerId(-1)).with_topics(topics);
    RequestKind::ListOffsets(if v >= 2 {
        request.with_isolation_level(r.pick(&[0, 1, 5]))
    } else {
        request
    })
}

fn offset_for_leader_epoch(r: &mut Random) -> RequestKind {
    let topics = r.many(|r| {
        let partitions = r.many(|r| {
            OffsetForLeaderPartition::default()
                .with_partition(r.partition())
                .with_current_leader_epoch(r.pick(&[-1, 0, 1, 9]))
                .with_leader_epoch(r.int())
        });
        OffsetForLeaderTopic::default().with_topic(r.topic()).with_partitions(partitions)
    });
    RequestKind::OffsetForLeaderEpoch(OffsetForLeaderEpochRequest::default().with_topics(topics))
}

fn delete_records(r: &mut Random) -> RequestKind {
    let topics = r.many(|r| {
        let partitions = r.many(|r| {
            DeleteRecordsPartition::default()
                .with_partition_index(r.partition())
                .with_offset(r.long())
        });
        DeleteRecordsTopic::default().with_name(r.topic()).with_partitions(partitions)
    });
    RequestKind::DeleteRecords(
        DeleteRecordsRequest::default().with_topics(topics).with_timeout_ms(r.int()),
    )
}

fn sasl_handshake(r: &mut Random) -> RequestKind {
    RequestKind::SaslHandshake(SaslHandshakeRequest::default().with_mechanism(r.text()))
}

fn sasl_authenticate(r: &mut Random) -> RequestKind {
    RequestKind::SaslAuthenticate(
        SaslAuthenticateRequest::default().with_auth_bytes(r.text().into_bytes()),
    )
}
