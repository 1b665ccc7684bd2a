//! The requests that conversations are made of; each is built for the version that is spoken.

use bytes::{BufMut, Bytes};
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
use kafka_protocol::messages::*;

use super::super::cases::{group, text, topic};
use super::player::{Player, Waiting};

/// A code of Kafka: the member must join once more, with the id that it is given.
const MEMBER_ID_REQUIRED: i16 = 79;

/// Who a request says that it is from.
#[derive(Debug, Clone, Default)]
pub(super) struct Member {
    pub(super) group: String,
    pub(super) id: String,
    pub(super) generation: i32,
    pub(super) instance: Option<&'static str>,
}

impl Member {
    /// One that has not joined yet.
    pub(super) fn new(group: &str) -> Self {
        Self { group: group.to_owned(), generation: -1, ..Self::default() }
    }

    /// The same with an instance id.
    pub(super) fn fixed(&self, instance: &'static str) -> Self {
        Self { instance: Some(instance), ..self.clone() }
    }

    /// The same under another id.
    pub(super) fn named(&self, id: &str) -> Self {
        Self { id: id.to_owned(), ..self.clone() }
    }

    /// The same so many generations later.
    pub(super) fn later(&self, generations: i32) -> Self {
        Self { generation: self.generation + generations, ..self.clone() }
    }

    /// Takes over what it was told.
    pub(super) fn told(&mut self, answer: &JoinGroupResponse) {
        assert_eq!(answer.error_code, 0, "{self:?} cannot join");
        self.id = answer.member_id.to_string();
        self.generation = answer.generation_id;
    }
}

/// What consumers say of themselves: version 0, topics, no user data.
pub(super) fn subscription(topics: &[&str]) -> Bytes {
    let mut bytes = Vec::new();
    bytes.put_i16(0);
    bytes.put_i32(i32::try_from(topics.len()).unwrap());
    for topic in topics {
        bytes.put_i16(i16::try_from(topic.len()).unwrap());
        bytes.put_slice(topic.as_bytes());
    }
    bytes.put_i32(-1);
    bytes.into()
}

/// What a leader gives a consumer: partitions of one topic.
pub(super) fn assignment(topic: &str, numbers: &[i32]) -> Bytes {
    let mut bytes = Vec::from(subscription(&[topic]));
    bytes.truncate(bytes.len() - size_of::<i32>());
    bytes.put_i32(i32::try_from(numbers.len()).unwrap());
    numbers.iter().for_each(|number| bytes.put_i32(*number));
    bytes.put_i32(-1);
    bytes.into()
}

/// What a member joins with.
#[derive(Debug, Clone)]
pub(super) struct Terms {
    pub(super) kind: &'static str,
    pub(super) protocols: Vec<(&'static str, Bytes)>,
}

impl Terms {
    /// A consumer with one protocol.
    pub(super) fn consumer(topics: &[&str]) -> Self {
        Self { kind: "consumer", protocols: vec![("range", subscription(topics))] }
    }
}

pub(super) fn join(member: &Member, terms: &Terms) -> impl Fn(i16) -> JoinGroupRequest {
    let (member, terms) = (member.clone(), terms.clone());
    move |version| {
        let protocol = |(name, metadata): &(&str, Bytes)| {
            JoinGroupRequestProtocol::default()
                .with_name(text(name))
                .with_metadata(metadata.clone())
        };
        let request = JoinGroupRequest::default()
            .with_group_id(group(&member.group))
            .with_member_id(text(&member.id))
            .with_session_timeout_ms(30_000)
            .with_protocol_type(text(terms.kind))
            .with_protocols(terms.protocols.iter().map(protocol).collect());
        let request =
            if version >= 1 { request.with_rebalance_timeout_ms(60_000) } else { request };
        if version >= 5 {
            request.with_group_instance_id(member.instance.map(text))
        } else {
            request
        }
    }
}

pub(super) fn sync(
    member: &Member,
    (kind, protocol): (&'static str, &'static str),
    assignments: &[(&Member, &[u8])],
) -> impl Fn(i16) -> SyncGroupRequest {
    let member = member.clone();
    let assignment = |(to, what): &(&Member, &[u8])| {
        SyncGroupRequestAssignment::default()
            .with_member_id(text(&to.id))
            .with_assignment(Bytes::copy_from_slice(what))
    };
    let assignments: Vec<_> = assignments.iter().map(assignment).collect();
    move |version| {
        let request = SyncGroupRequest::default()
            .with_group_id(group(&member.group))
            .with_generation_id(member.generation)
            .with_member_id(text(&member.id))
            .with_assignments(assignments.clone());
        let request = if version >= 3 {
            request.with_group_instance_id(member.instance.map(text))
        } else {
            request
        };
        if version >= 5 {
            request.with_protocol_type(Some(text(kind))).with_protocol_name(Some(text(protocol)))
        } else {
            request
        }
    }
}

pub(super) fn heartbeat(member: &Member) -> impl Fn(i16) -> HeartbeatRequest {
    let member = member.clone();
    move |version| {
        let request = HeartbeatRequest::default()
            .with_group_id(group(&member.group))
            .with_generation_id(member.generation)
            .with_member_id(text(&member.id));
        if version >= 3 {
            request.with_group_instance_id(member.instance.map(text))
        } else {
            request
        }
    }
}

pub(super) fn leave(of: &str, members: &[&Member]) -> impl Fn(i16) -> LeaveGroupRequest {
    let of = of.to_owned();
    let members: Vec<Member> = members.iter().map(|member| (*member).clone()).collect();
    move |version| {
        let request = LeaveGroupRequest::default().with_group_id(group(&of));
        if version < 3 {
            return request.with_member_id(text(&members[0].id));
        }
        let identity = |member: &Member| {
            MemberIdentity::default()
                .with_member_id(text(&member.id))
                .with_group_instance_id(member.instance.map(text))
        };
        request.with_members(members.iter().map(identity).collect())
    }
}

pub(super) fn commit(
    member: &Member,
    to: (&str, i32),
    offset: i64,
) -> impl Fn(i16) -> OffsetCommitRequest {
    let (member, name) = (member.clone(), to.0.to_owned());
    move |version| {
        let one = OffsetCommitRequestPartition::default()
            .with_partition_index(to.1)
            .with_committed_offset(offset)
            .with_committed_metadata(Some(text("m")));
        let topics = OffsetCommitRequestTopic::default();
        let topics = topics.with_name(topic(&name)).with_partitions(vec![one]);
        let request = OffsetCommitRequest::default()
            .with_group_id(group(&member.group))
            .with_member_id(text(&member.id))
            .with_generation_id_or_member_epoch(member.generation)
            .with_topics(vec![topics]);
        if version >= 7 {
            request.with_group_instance_id(member.instance.map(text))
        } else {
            request
        }
    }
}

/// Asks for what is committed; `stable` counts from version 7 on.
pub(super) fn committed(
    of: &str,
    to: (&str, &[i32]),
    stable: bool,
) -> impl Fn(i16) -> OffsetFetchRequest {
    let (of, name, numbers) = (of.to_owned(), to.0.to_owned(), to.1.to_vec());
    move |version| {
        let request = OffsetFetchRequest::default();
        let request = if version >= 7 { request.with_require_stable(stable) } else { request };
        if version < 8 {
            let topics = OffsetFetchRequestTopic::default()
                .with_name(topic(&name))
                .with_partition_indexes(numbers.clone());
            return request.with_group_id(group(&of)).with_topics(Some(vec![topics]));
        }
        let topics = OffsetFetchRequestTopics::default()
            .with_name(topic(&name))
            .with_partition_indexes(numbers.clone());
        let one = OffsetFetchRequestGroup::default();
        let one = one.with_group_id(group(&of)).with_topics(Some(vec![topics]));
        request.with_groups(vec![one])
    }
}

pub(super) fn describe(of: &str) -> impl Fn(i16) -> DescribeGroupsRequest {
    let of = of.to_owned();
    move |_| DescribeGroupsRequest::default().with_groups(vec![group(&of)])
}

/// All groups in the states (from version 4) and of the types (from version 5) that are named.
pub(super) fn list(
    states: &'static [&str],
    types: &'static [&str],
) -> impl Fn(i16) -> ListGroupsRequest {
    let texts = |all: &[&str]| all.iter().map(|one| text(one)).collect::<Vec<_>>();
    move |version| {
        let request = ListGroupsRequest::default();
        let request =
            if version >= 4 { request.with_states_filter(texts(states)) } else { request };
        if version >= 5 { request.with_types_filter(texts(types)) } else { request }
    }
}

pub(super) fn delete(of: &str) -> impl Fn(i16) -> DeleteGroupsRequest {
    let of = of.to_owned();
    move |_| DeleteGroupsRequest::default().with_groups_names(vec![group(&of)])
}

pub(super) fn delete_offsets(of: &str, names: &[&str]) -> impl Fn(i16) -> OffsetDeleteRequest {
    let of = of.to_owned();
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    move |_| {
        let one = OffsetDeleteRequestPartition::default().with_partition_index(0);
        let topics = names.iter().map(|name| {
            let topics = OffsetDeleteRequestTopic::default().with_name(topic(name));
            topics.with_partitions(vec![one.clone()])
        });
        OffsetDeleteRequest::default().with_group_id(group(&of)).with_topics(topics.collect())
    }
}

/// Joins without an id; where members get one first, that is a step of its own. The answer is there when all have
/// joined.
pub(super) fn begin_join(
    player: &mut Player,
    name: &str,
    member: &Member,
    terms: &Terms,
) -> Waiting<JoinGroupRequest> {
    if player.version(ApiKey::JoinGroup) < 4 || member.instance.is_some() {
        return player.begin(name, join(member, terms));
    }
    let first = player.ask(&format!("{name}, without an id"), join(member, terms));
    assert_eq!(first.error_code, MEMBER_ID_REQUIRED, "{name}");
    player.begin(name, join(&member.named(&first.member_id), terms))
}

/// Waits until a group is in a state.
pub(super) fn await_state(player: &Player, of: &str, state: &str) {
    player.wait(&format!("{of} to be {state}"), describe(of), |answer| {
        answer.groups[0].group_state.as_str() == state
    });
}
