//! Groups and their offsets.

use kafka_protocol::messages::consumer_group_heartbeat_request::TopicPartitions;
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::offset_delete_request::{
    OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::{
    ApiKey, ConsumerGroupDescribeRequest, ConsumerGroupHeartbeatRequest, DeleteGroupsRequest,
    DescribeGroupsRequest, FindCoordinatorRequest, HeartbeatRequest, JoinGroupRequest,
    LeaveGroupRequest, ListGroupsRequest, OffsetCommitRequest, OffsetDeleteRequest,
    OffsetFetchRequest, RequestKind, SyncGroupRequest,
};
use kafka_protocol::protocol::StrBytes;

use crate::random::Random;

pub(super) fn groups(key: ApiKey, v: i16, r: &mut Random) -> Option<RequestKind> {
    Some(match key {
        ApiKey::OffsetCommit => offset_commit(v, r),
        ApiKey::OffsetFetch if v >= 8 => offset_fetch_of_several(v, r),
        ApiKey::OffsetFetch => offset_fetch(v, r),
        ApiKey::FindCoordinator => find_coordinator(v, r),
        ApiKey::JoinGroup => join_group(v, r),
        ApiKey::SyncGroup => sync_group(v, r),
        ApiKey::Heartbeat => heartbeat(v, r),
        ApiKey::LeaveGroup if v >= 3 => leave_group_of_several(v, r),
        ApiKey::LeaveGroup => leave_group(r),
        ApiKey::DescribeGroups => describe_groups(v, r),
        ApiKey::ListGroups => list_groups(v, r),
        ApiKey::DeleteGroups => delete_groups(r),
        ApiKey::OffsetDelete => offset_delete(r),
        ApiKey::ConsumerGroupHeartbeat => consumer_heartbeat(v, r),
        ApiKey::ConsumerGroupDescribe => consumer_describe(r),
        _ => return None,
    })
}

fn offset_commit(v: i16, r: &mut Random) -> RequestKind {
    let topics = r.many(|r| {
        let partitions = r.many(|r| {
            let one = OffsetCommitRequestPartition::default()
                .with_partition_index(r.partition())
                .with_committed_offset(r.long())
                .with_committed_metadata(r.maybe(Random::text));
            if v >= 6 { one.with_committed_leader_epoch(r.int()) } else { one }
        });
        OffsetCommitRequestTopic::default().with_name(r.topic()).with_partitions(partitions)
    });
    let request = OffsetCommitRequest::default()
        .with_group_id(r.group())
        .with_generation_id_or_member_epoch(r.pick(&[-1, -1, 0, 1, i32::MAX]))
        .with_member_id(r.text())
        .with_topics(topics);
    let request = if v <= 4 { request.with_retention_time_ms(r.long()) } else { request };
    RequestKind::OffsetCommit(if v >= 7 {
        request.with_group_instance_id(instance(r))
    } else {
        request
    })
}

fn offset_fetch_of_several(v: i16, r: &mut Random) -> RequestKind {
    let groups =
        r.many(|r| {
            let topics = r.many(|r| {
                OffsetFetchRequestTopics::default()
                    .with_name(r.topic())
                    .with_partition_indexes(r.many(Random::partition))
            });
            let topics = r.maybe(|_| topics);
            let group =
                OffsetFetchRequestGroup::default().with_group_id(r.group()).with_topics(topics);
            if v < 9 {
                return group;
            }
            let member_id = r.pick(&[None, None, Some("member"), Some("")]);
            group
                .with_member_id(member_id.map(StrBytes::from_static_str))
                .with_member_epoch(r.pick(&[-1, -1, 0, 1, i32::MIN]))
        });
    RequestKind::OffsetFetch(
        OffsetFetchRequest::default().with_groups(groups).with_require_stable(r.flag()),
    )
}

fn offset_fetch(v: i16, r: &mut Random) -> RequestKind {
    let topics = r.many(|r| {
        OffsetFetchRequestTopic::default()
            .with_name(r.topic())
            .with_partition_indexes(r.many(Random::partition))
    });
    let topics = if v >= 2 { r.maybe(|_| topics) } else { Some(topics) };
    let request = OffsetFetchRequest::default().with_group_id(r.group()).with_topics(topics);
    RequestKind::OffsetFetch(if v >= 7 { request.with_require_stable(r.flag()) } else { request })
}

fn find_coordinator(v: i16, r: &mut Random) -> RequestKind {
    let request = FindCoordinatorRequest::default();
    let request = if v >= 4 {
        request.with_coordinator_keys(r.many(Random::text))
    } else {
        request.with_key(r.text())
    };
    RequestKind::FindCoordinator(if v >= 1 {
        request.with_key_type(r.pick(&[0, 1, 2, -1]))
    } else {
        request
    })
}

fn join_group(v: i16, r: &mut Random) -> RequestKind {
    let protocols = r.many(|r| {
        JoinGroupRequestProtocol::default().with_name(r.text()).with_metadata(r.bytes().into())
    });
    let request = JoinGroupRequest::default()
        .with_group_id(r.group())
        .with_session_timeout_ms(r.pick(&[6000, 10_000, 0, -1, i32::MAX]))
        .with_member_id(if r.flag() { StrBytes::new() } else { r.text() })
        .with_protocol_type(StrBytes::from_static_str(r.pick(&["consumer", "connect", ""])))
        .with_protocols(protocols);
    let request = if v >= 1 { request.with_rebalance_timeout_ms(r.int()) } else { request };
    let request = if v >= 5 { request.with_group_instance_id(instance(r)) } else { request };
    RequestKind::JoinGroup(if v >= 8 {
        request.with_reason(r.maybe(Random::text))
    } else {
        request
    })
}

fn sync_group(v: i16, r: &mut Random) -> RequestKind {
    let assignments = r.many(|r| {
        SyncGroupRequestAssignment::default()
            .with_member_id(r.text())
            .with_assignment(r.bytes().into())
    });
    let request = SyncGroupRequest::default()
        .with_group_id(r.group())
        .with_generation_id(r.int())
        .with_member_id(r.text())
        .with_assignments(assignments);
    let request = if v >= 3 { request.with_group_instance_id(instance(r)) } else { request };
    RequestKind::SyncGroup(if v >= 5 {
        request.with_protocol_type(r.maybe(Random::text)).with_protocol_name(r.maybe(Random::text))
    } else {
        request
    })
}

fn heartbeat(v: i16, r: &mut Random) -> RequestKind {
    let request = HeartbeatRequest::default()
        .with_group_id(r.group())
        .with_generation_id(r.int())
        .with_member_id(r.text());
    RequestKind::Heartbeat(if v >= 3 {
        request.with_group_instance_id(instance(r))
    } else {
        request
    })
}

fn leave_group_of_several(v: i16, r: &mut Random) -> RequestKind {
    let members = r.many(|r| {
        let one = MemberIdentity::default()
            .with_member_id(r.text())
            .with_group_instance_id(r.maybe(Random::text));
        if v >= 5 { one.with_reason(r.maybe(Random::text)) } else { one }
    });
    RequestKind::LeaveGroup(
        LeaveGroupRequest::default().with_group_id(r.group()).with_members(members),
    )
}

fn leave_group(r: &mut Random) -> RequestKind {
    RequestKind::LeaveGroup(
        LeaveGroupRequest::default().with_group_id(r.group()).with_member_id(r.text()),
    )
}

fn describe_groups(v: i16, r: &mut Random) -> RequestKind {
    let request = DescribeGroupsRequest::default().with_groups(r.many(Random::group));
    RequestKind::DescribeGroups(if v >= 3 {
        request.with_include_authorized_operations(r.flag())
    } else {
        request
    })
}

fn list_groups(v: i16, r: &mut Random) -> RequestKind {
    let request = ListGroupsRequest::default();
    let request = if v >= 4 { request.with_states_filter(r.many(Random::text)) } else { request };
    RequestKind::ListGroups(if v >= 5 {
        request.with_types_filter(r.many(Random::text))
    } else {
        request
    })
}

fn delete_groups(r: &mut Random) -> RequestKind {
    RequestKind::DeleteGroups(
        DeleteGroupsRequest::default().with_groups_names(r.many(Random::group)),
    )
}

fn offset_delete(r: &mut Random) -> RequestKind {
    let topics = r.many(|r| {
        let partitions =
            r.many(|r| OffsetDeleteRequestPartition::default().with_partition_index(r.partition()));
        OffsetDeleteRequestTopic::default().with_name(r.topic()).with_partitions(partitions)
    });
    RequestKind::OffsetDelete(
        OffsetDeleteRequest::default().with_group_id(r.group()).with_topics(topics),
    )
}

fn consumer_describe(r: &mut Random) -> RequestKind {
    RequestKind::ConsumerGroupDescribe(
        ConsumerGroupDescribeRequest::default()
            .with_group_ids(r.many(Random::group))
            .with_include_authorized_operations(r.flag()),
    )
}

fn consumer_heartbeat(v: i16, r: &mut Random) -> RequestKind {
    let owned = r.many(|r| {
        TopicPartitions::default()
            .with_topic_id(r.topic_id())
            .with_partitions(r.many(Random::partition))
    });
    let names = r.many(Random::topic);
    let request = ConsumerGroupHeartbeatRequest::default()
        .with_group_id(r.group())
        .with_member_id(StrBytes::from_static_str(r.pick(&["", "member", "other"])))
        .with_member_epoch(r.pick(&[0, 0, 1, 2, -1, -2, i32::MIN]))
        .with_instance_id(instance(r))
        .with_rack_id(r.maybe(Random::text))
        .with_rebalance_timeout_ms(r.pick(&[-1, 0, 10, 60_000, i32::MAX]))
        .with_subscribed_topic_names(r.maybe(|_| names))
        .with_server_assignor(
            r.pick(&[None, None, Some("range"), Some("uniform"), Some("x")])
                .map(StrBytes::from_static_str),
        )
        .with_topic_partitions(r.maybe(|_| owned));
    let regex = r.pick(&[None, None, Some(""), Some(".*"), Some("pla.*"), Some("(((")]);
    RequestKind::ConsumerGroupHeartbeat(if v >= 1 {
        request.with_subscribed_topic_regex(regex.map(StrBytes::from_static_str))
    } else {
        request
    })
}

fn instance(r: &mut Random) -> Option<StrBytes> {
    if r.one_in(4) { Some(r.text()) } else { None }
}
