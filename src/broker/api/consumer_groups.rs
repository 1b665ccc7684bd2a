//! `ConsumerGroupHeartbeat` and `ConsumerGroupDescribe`: groups whose members speak the new protocol (KIP-848).

use std::sync::Arc;

use kafka_protocol::error::ResponseError as Code;
use kafka_protocol::messages::consumer_group_describe_response::{
    Assignment as DescribedAssignment, DescribedGroup, Member, TopicPartitions as DescribedTopic,
};
use kafka_protocol::messages::consumer_group_heartbeat_response::{Assignment, TopicPartitions};
use kafka_protocol::messages::{
    ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse, ConsumerGroupHeartbeatRequest,
    ConsumerGroupHeartbeatResponse, TopicName,
};
use kafka_protocol::protocol::StrBytes;

use super::Call;
use super::groups::{bytes_of, text};
use crate::auth::acl::{Operation, Resource};
use crate::hub::embedded::groups::consumer_groups::{GroupView, Heartbeat, NamedTopic, Partitions};

fn refused(code: Code, message: &str) -> ConsumerGroupHeartbeatResponse {
    ConsumerGroupHeartbeatResponse::default()
        .with_error_code(code.code())
        .with_error_message(Some(StrBytes::from_string(message.to_owned())))
}

pub(super) async fn heartbeat(
    call: Arc<Call>,
    request: ConsumerGroupHeartbeatRequest,
) -> ConsumerGroupHeartbeatResponse {
    if !call.may(Operation::Read, Resource::group(&request.group_id)) {
        let message = "the client may not read as this group";
        return refused(Code::GroupAuthorizationFailed, message);
    }
    let visible = |topic: &str| call.may(Operation::Describe, Resource::topic(topic));
    let names = request.subscribed_topic_names.iter().flatten();
    if let Some(hidden) = names.into_iter().find(|name| !visible(name)) {
        let message = format!("the client may not describe topic \"{}\"", hidden.as_str());
        return refused(Code::TopicAuthorizationFailed, &message);
    }
    let topics = |names: Vec<TopicName>| names.iter().map(|name| name.to_string()).collect();
    let owned = request.topic_partitions.map(|owned| {
        let each = owned.into_iter().flat_map(|topic| {
            topic.partitions.into_iter().map(move |number| (topic.topic_id, number))
        });
        each.collect::<Partitions>()
    });
    let beat = Heartbeat {
        group: request.group_id.to_string(),
        member_id: request.member_id.to_string(),
        epoch: request.member_epoch,
        instance_id: text(request.instance_id),
        rack_id: text(request.rack_id),
        rebalance_timeout_ms: request.rebalance_timeout_ms,
        topics: request.subscribed_topic_names.map(topics),
        regex: text(request.subscribed_topic_regex),
        assignor: text(request.server_assignor),
        owned,
        client_id: call.client_id.clone(),
        client_host: format!("/{}", call.session.peer.ip()),
        has_own_id: call.version >= 1,
    };
    let beat = match call.hub().members().consumer_heartbeat(beat, &visible).await {
        Ok(Ok(beat)) => beat,
        Ok(Err(error)) => {
            return ConsumerGroupHeartbeatResponse::default()
                .with_error_code(error.code())
                .with_error_message(Some(bytes_of(error.to_string())));
        }
        Err(error) => return refused(Code::CoordinatorNotAvailable, &error.to_string()),
    };
    let assignment = beat.assignment.map(|assigned| {
        let topics = assigned.by_topic().map(|(topic, partitions)| {
            TopicPartitions::default().with_topic_id(topic).with_partitions(partitions)
        });
        Assignment::default().with_topic_partitions(topics.collect())
    });
    ConsumerGroupHeartbeatResponse::default()
        .with_member_id(Some(bytes_of(beat.member_id)))
        .with_member_epoch(beat.epoch)
        .with_heartbeat_interval_ms(beat.interval_ms)
        .with_assignment(assignment)
}

pub(super) async fn describe(
    call: Arc<Call>,
    request: ConsumerGroupDescribeRequest,
) -> ConsumerGroupDescribeResponse {
    let told = request.include_authorized_operations;
    let groups = request.group_ids.into_iter().map(|group| {
        let refused = |code: Code, message: &str| {
            DescribedGroup::default()
                .with_group_id(group.clone())
                .with_error_code(code.code())
                .with_error_message(Some(StrBytes::from_string(message.to_owned())))
        };
        if !call.may(Operation::Describe, Resource::group(&group)) {
            return refused(Code::GroupAuthorizationFailed, "the client may not see the group");
        }
        if group.is_empty() {
            return refused(Code::InvalidGroupId, "the group has no name");
        }
        let view = call.hub().members().ask(|all, _| all.describe_consumer(&group));
        let Some(view) = view else {
            let message = "there is no such group of the new protocol";
            return refused(Code::GroupIdNotFound, message);
        };
        let operations = call.authorized(told, Resource::group(&group));
        show(&call, view).with_group_id(group).with_authorized_operations(operations)
    });
    ConsumerGroupDescribeResponse::default().with_groups(groups.collect())
}

/// A group; without its members where there is a topic that the client may not see.
fn show(call: &Call, view: GroupView) -> DescribedGroup {
    let described = DescribedGroup::default()
        .with_group_state(StrBytes::from_static_str(view.phase.name()))
        .with_group_epoch(view.epoch)
        .with_assignment_epoch(view.assignment_epoch)
        .with_assignor_name(StrBytes::from_static_str(view.assignor));
    let mut topics =
        view.members.iter().flat_map(|member| member.assigned.iter().chain(&member.target));
    if topics.any(|topic| !call.may(Operation::Describe, Resource::topic(&topic.name))) {
        let message = "the group reads topics that the client may not describe";
        return described
            .with_error_code(Code::TopicAuthorizationFailed.code())
            .with_error_message(Some(StrBytes::from_static_str(message)));
    }
    let members = view.members.into_iter().map(|member| {
        let topics = member.topics.into_iter().map(|topic| TopicName(bytes_of(topic)));
        Member::default()
            .with_member_id(bytes_of(member.member_id))
            .with_instance_id(member.instance_id.map(bytes_of))
            .with_rack_id(member.rack_id.map(bytes_of))
            .with_member_epoch(member.epoch)
            .with_client_id(bytes_of(member.client_id))
            .with_client_host(bytes_of(member.client_host))
            .with_subscribed_topic_names(topics.collect())
            .with_subscribed_topic_regex(Some(bytes_of(member.regex.unwrap_or_default())))
            .with_assignment(assignment(member.assigned))
            .with_target_assignment(assignment(member.target))
            .with_member_type(if call.version >= 1 { i8::from(!member.is_classic) } else { -1 })
    });
    described.with_members(members.collect())
}

fn assignment(topics: Vec<NamedTopic>) -> DescribedAssignment {
    let topics = topics.into_iter().map(|topic| {
        DescribedTopic::default()
            .with_topic_id(topic.id)
            .with_topic_name(TopicName(bytes_of(topic.name)))
            .with_partitions(topic.partitions)
    });
    DescribedAssignment::default().with_topic_partitions(topics.collect())
}
