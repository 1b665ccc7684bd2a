//! Groups: members that nobody knows, sessions that cannot be, and what is said of groups.

use bytes::Bytes;
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::offset_delete_request::{
    OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use kafka_protocol::messages::*;

use super::Case;
use super::cases::{GROUP, TOPIC, case, group, text, topic};

fn join(name: &str, of: &'static str, session_ms: i32, kind: &'static str, count: usize) -> Case {
    case(format!("join: {name}"), ApiKey::JoinGroup, move |version| {
        let protocol = JoinGroupRequestProtocol::default()
            .with_name(text("range"))
            .with_metadata(Bytes::from_static(b"x"));
        let request = JoinGroupRequest::default()
            .with_group_id(group(of))
            .with_session_timeout_ms(session_ms)
            .with_protocol_type(text(kind))
            .with_protocols(vec![protocol; count]);
        RequestKind::JoinGroup(if version >= 1 {
            request.with_rebalance_timeout_ms(10_000)
        } else {
            request
        })
    })
}

pub(super) fn cases() -> Vec<Case> {
    let mut cases = vec![
        join("empty group", "", 10_000, "consumer", 1),
        join("session too short", "differential-joined", 5, "consumer", 1),
        join("session too long", "differential-joined", i32::MAX, "consumer", 1),
        join("no protocol", "differential-joined", 10_000, "consumer", 0),
        join("no protocol type", "differential-joined", 10_000, "", 1),
    ];
    for of in [GROUP, "absent-group", ""] {
        cases.push(case(format!("heartbeat: {of:?}"), ApiKey::Heartbeat, move |_| {
            let request = HeartbeatRequest::default().with_group_id(group(of));
            RequestKind::Heartbeat(request.with_generation_id(1).with_member_id(text("nobody")))
        }));
        cases.push(case(format!("sync: {of:?}"), ApiKey::SyncGroup, move |version| {
            let request = SyncGroupRequest::default()
                .with_group_id(group(of))
                .with_generation_id(1)
                .with_member_id(text("nobody"));
            RequestKind::SyncGroup(if version >= 5 {
                request
                    .with_protocol_type(Some(text("consumer")))
                    .with_protocol_name(Some(text("range")))
            } else {
                request
            })
        }));
        cases.push(case(format!("leave: {of:?}"), ApiKey::LeaveGroup, move |version| {
            let request = LeaveGroupRequest::default().with_group_id(group(of));
            RequestKind::LeaveGroup(if version >= 3 {
                request.with_members(vec![MemberIdentity::default().with_member_id(text("nobody"))])
            } else {
                request.with_member_id(text("nobody"))
            })
        }));
        cases.push(case(format!("describe group: {of:?}"), ApiKey::DescribeGroups, move |_| {
            RequestKind::DescribeGroups(
                DescribeGroupsRequest::default().with_groups(vec![group(of)]),
            )
        }));
    }
    cases.extend(others());
    cases
}

/// What is asked by who is no member.
fn others() -> Vec<Case> {
    let mut cases = Vec::new();
    cases.push(case("list groups: by state", ApiKey::ListGroups, |version| {
        let request = ListGroupsRequest::default();
        RequestKind::ListGroups(if version >= 4 {
            request.with_states_filter(vec![text("Dead")])
        } else {
            request
        })
    }));
    for (name, of, number) in
        [("unknown topic", "absent-topic", 0), ("there", TOPIC, 0), ("negative", TOPIC, -1)]
    {
        cases.push(case(format!("delete offsets: {name}"), ApiKey::OffsetDelete, move |_| {
            let one = OffsetDeleteRequestPartition::default().with_partition_index(number);
            let topics =
                OffsetDeleteRequestTopic::default().with_name(topic(of)).with_partitions(vec![one]);
            let request = OffsetDeleteRequest::default().with_group_id(group(GROUP));
            RequestKind::OffsetDelete(request.with_topics(vec![topics]))
        }));
    }
    for of in ["absent-group", ""] {
        cases.push(case(format!("delete group: {of:?}"), ApiKey::DeleteGroups, move |_| {
            let request = DeleteGroupsRequest::default();
            RequestKind::DeleteGroups(request.with_groups_names(vec![group(of)]))
        }));
    }
    cases.push(case("consumer heartbeat: empty group", ApiKey::ConsumerGroupHeartbeat, |_| {
        RequestKind::ConsumerGroupHeartbeat(ConsumerGroupHeartbeatRequest::default())
    }));
    for regex in ["(", "[a-z", "a)(b", "*"] {
        let name = format!("consumer heartbeat: {regex}");
        cases.push(case(name, ApiKey::ConsumerGroupHeartbeat, move |version| {
            let request = ConsumerGroupHeartbeatRequest::default()
                .with_group_id(group("differential-regex"))
                .with_member_id(text("member"))
                .with_rebalance_timeout_ms(10_000)
                .with_topic_partitions(Some(Vec::new()));
            RequestKind::ConsumerGroupHeartbeat(if version >= 1 {
                request.with_subscribed_topic_regex(Some(text(regex)))
            } else {
                request
            })
        }));
    }
    for of in [GROUP, "absent-group", ""] {
        let name = format!("describe consumer group: {of:?}");
        cases.push(case(name, ApiKey::ConsumerGroupDescribe, move |_| {
            let request = ConsumerGroupDescribeRequest::default();
            RequestKind::ConsumerGroupDescribe(request.with_group_ids(vec![group(of)]))
        }));
    }
    for kind in [0, 1, 7] {
        cases.push(case(
            format!("coordinator of {kind}"),
            ApiKey::FindCoordinator,
            move |version| {
                let request = FindCoordinatorRequest::default();
                let request = if version >= 1 { request.with_key_type(kind) } else { request };
                RequestKind::FindCoordinator(if version >= 4 {
                    request.with_coordinator_keys(vec![text(GROUP)])
                } else {
                    request.with_key(text(GROUP))
                })
            },
        ));
    }
    cases
}
