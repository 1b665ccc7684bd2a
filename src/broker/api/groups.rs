//! `JoinGroup`, `SyncGroup`, `Heartbeat`, `LeaveGroup`: members of groups. And what tools do with groups.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::error::ResponseError as Code;
use kafka_protocol::messages::delete_groups_response::DeletableGroupResult;
use kafka_protocol::messages::describe_groups_response::{DescribedGroup, DescribedGroupMember};
use kafka_protocol::messages::join_group_response::JoinGroupResponseMember;
use kafka_protocol::messages::leave_group_response::MemberResponse;
use kafka_protocol::messages::list_groups_response::ListedGroup;
use kafka_protocol::messages::{
    DeleteGroupsRequest, DeleteGroupsResponse, DescribeGroupsRequest, DescribeGroupsResponse,
    GroupId, HeartbeatRequest, HeartbeatResponse, JoinGroupRequest, JoinGroupResponse,
    LeaveGroupRequest, LeaveGroupResponse, ListGroupsRequest, ListGroupsResponse, SyncGroupRequest,
    SyncGroupResponse,
};
use kafka_protocol::protocol::StrBytes;

use super::Call;
use super::metadata::code_of;
use crate::auth::acl::{Operation, Resource};
use crate::hub::embedded::groups::coordinator::{
    Claim, Description, GroupError, JoinRequest, SyncRequest,
};
use crate::hub::embedded::groups::coordinators::Listed;

pub(super) fn text(text: Option<StrBytes>) -> Option<String> {
    text.map(|text| text.to_string())
}

pub(super) fn bytes_of(text: String) -> StrBytes {
    StrBytes::from_string(text)
}

pub(super) async fn join(call: Arc<Call>, request: JoinGroupRequest) -> JoinGroupResponse {
    let rebalance = request.rebalance_timeout_ms;
    let protocol = |one: kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol| {
        (one.name.to_string(), one.metadata.to_vec())
    };
    let member_id = request.member_id.clone();
    if !call.may(Operation::Read, Resource::group(&request.group_id)) {
        let code = Code::GroupAuthorizationFailed.code();
        return JoinGroupResponse::default().with_error_code(code).with_member_id(member_id);
    }
    let answer = call.hub().members().join(JoinRequest {
        group: request.group_id.to_string(),
        member_id: request.member_id.to_string(),
        instance_id: text(request.group_instance_id),
        client_id: call.client_id.clone(),
        client_host: format!("/{}", call.session.peer.ip()),
        protocol_type: request.protocol_type.to_string(),
        protocols: request.protocols.into_iter().map(protocol).collect(),
        session_timeout_ms: request.session_timeout_ms,
        rebalance_timeout_ms: if rebalance < 0 { request.session_timeout_ms } else { rebalance },
        requires_known_member: call.version >= 4,
        supports_skipping_assignment: call.version >= 9,
    });
    let Some(answer) = answer.await else {
        let code = Code::CoordinatorNotAvailable.code();
        return JoinGroupResponse::default().with_error_code(code).with_member_id(member_id);
    };
    let members = answer.members.into_iter().map(|(member_id, instance_id, metadata)| {
        JoinGroupResponseMember::default()
            .with_member_id(bytes_of(member_id))
            .with_group_instance_id(instance_id.map(bytes_of))
            .with_metadata(Bytes::from(metadata))
    });
    // Before version 7 the protocol's name cannot be missing.
    let protocol = answer.protocol.map(bytes_of);
    let protocol = if call.version < 7 { Some(protocol.unwrap_or_default()) } else { protocol };
    JoinGroupResponse::default()
        .with_error_code(answer.error.map_or(0, GroupError::code))
        .with_generation_id(answer.generation)
        .with_protocol_type(answer.protocol_type.map(bytes_of))
        .with_protocol_name(protocol)
        .with_leader(bytes_of(answer.leader))
        .with_skip_assignment(answer.skip_assignment)
        .with_member_id(bytes_of(answer.member_id))
        .with_members(members.collect())
}

pub(super) async fn sync(call: Arc<Call>, request: SyncGroupRequest) -> SyncGroupResponse {
    if !call.may(Operation::Read, Resource::group(&request.group_id)) {
        let code = Code::GroupAuthorizationFailed.code();
        return SyncGroupResponse::default().with_error_code(code);
    }
    let assignment =
        |one: kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment| {
            (one.member_id.to_string(), one.assignment.to_vec())
        };
    let answer = call.hub().members().sync(SyncRequest {
        group: request.group_id.to_string(),
        member_id: request.member_id.to_string(),
        instance_id: text(request.group_instance_id),
        generation: request.generation_id,
        protocol_type: text(request.protocol_type),
        protocol: text(request.protocol_name),
        assignments: request.assignments.into_iter().map(assignment).collect(),
    });
    let Some(answer) = answer.await else {
        let code = Code::CoordinatorNotAvailable.code();
        return SyncGroupResponse::default().with_error_code(code);
    };
    SyncGroupResponse::default()
        .with_error_code(answer.error.map_or(0, GroupError::code))
        .with_protocol_type(answer.protocol_type.map(bytes_of))
        .with_protocol_name(answer.protocol.map(bytes_of))
        .with_assignment(Bytes::from(answer.assignment))
}

pub(super) async fn heartbeat(call: Arc<Call>, request: HeartbeatRequest) -> HeartbeatResponse {
    if !call.may(Operation::Read, Resource::group(&request.group_id)) {
        let code = Code::GroupAuthorizationFailed.code();
        return HeartbeatResponse::default().with_error_code(code);
    }
    let instance_id = text(request.group_instance_id);
    let claim = Claim {
        group: &request.group_id,
        generation: request.generation_id,
        member_id: &request.member_id,
        instance_id: instance_id.as_deref(),
    };
    let outcome = call.hub().members().ask(|coordinator, now| coordinator.heartbeat(now, claim));
    HeartbeatResponse::default().with_error_code(outcome.map_or_else(GroupError::code, |()| 0))
}

pub(super) async fn leave(call: Arc<Call>, request: LeaveGroupRequest) -> LeaveGroupResponse {
    if !call.may(Operation::Read, Resource::group(&request.group_id)) {
        let code = Code::GroupAuthorizationFailed.code();
        return LeaveGroupResponse::default().with_error_code(code);
    }
    let members: Vec<(String, Option<String>)> = if call.version < 3 {
        vec![(request.member_id.to_string(), None)]
    } else {
        let one = |one: &kafka_protocol::messages::leave_group_request::MemberIdentity| {
            (one.member_id.to_string(), text(one.group_instance_id.clone()))
        };
        request.members.iter().map(one).collect()
    };
    let group = request.group_id.to_string();
    let left =
        call.hub().members().ask(|coordinator, now| coordinator.leave(now, &group, &members));
    let outcomes = match left {
        Ok(outcomes) => outcomes,
        Err(error) => return LeaveGroupResponse::default().with_error_code(error.code()),
    };
    let code = |outcome: &Result<(), GroupError>| outcome.map_or_else(GroupError::code, |()| 0);
    if call.version < 3 {
        return LeaveGroupResponse::default().with_error_code(outcomes.first().map_or(0, code));
    }
    let answers = members.into_iter().zip(&outcomes).map(|((member_id, instance_id), outcome)| {
        MemberResponse::default()
            .with_member_id(bytes_of(member_id))
            .with_group_instance_id(instance_id.map(bytes_of))
            .with_error_code(code(outcome))
    });
    LeaveGroupResponse::default().with_members(answers.collect())
}

pub(super) async fn describe(
    call: Arc<Call>,
    request: DescribeGroupsRequest,
) -> DescribeGroupsResponse {
    let told = request.include_authorized_operations;
    let groups = request.groups.into_iter().map(|group| {
        if !call.may(Operation::Describe, Resource::group(&group)) {
            let code = Code::GroupAuthorizationFailed.code();
            return DescribedGroup::default().with_group_id(group).with_error_code(code);
        }
        let operations = call.authorized(told, Resource::group(&group));
        let described = call.hub().members().ask(|coordinator, _| coordinator.describe(&group));
        let answer = match described {
            Some(described) => show(described),
            None if is_of_offsets(&call, &group) => {
                DescribedGroup::default().with_group_state(StrBytes::from_static_str("Empty"))
            }
            None if call.version >= 6 => return absent(group),
            None if group.is_empty() => {
                DescribedGroup::default().with_error_code(Code::InvalidGroupId.code())
            }
            None => DescribedGroup::default().with_group_state(StrBytes::from_static_str("Dead")),
        };
        answer.with_group_id(group).with_authorized_operations(operations)
    });
    DescribeGroupsResponse::default().with_groups(groups.collect())
}

/// A group that there is not, as it is told from version 6 on (KIP-1043).
fn absent(group: GroupId) -> DescribedGroup {
    let why = format!("Group {} not found.", group.as_str());
    DescribedGroup::default()
        .with_group_id(group)
        .with_group_state(StrBytes::from_static_str("Dead"))
        .with_error_code(Code::GroupIdNotFound.code())
        .with_error_message(Some(bytes_of(why)))
}

/// Whether a group has only offsets, so that no coordinator knows it.
fn is_of_offsets(call: &Call, group: &str) -> bool {
    call.hub().has_offsets(group) && !call.hub().members().ask(|all, _| all.knows(group))
}

fn show(described: Description) -> DescribedGroup {
    let members = described.members.into_iter().map(|member| {
        DescribedGroupMember::default()
            .with_member_id(bytes_of(member.member_id))
            .with_group_instance_id(member.instance_id.map(bytes_of))
            .with_client_id(bytes_of(member.client_id))
            .with_client_host(bytes_of(member.client_host))
            .with_member_metadata(member.metadata.into())
            .with_member_assignment(member.assignment.into())
    });
    DescribedGroup::default()
        .with_group_state(StrBytes::from_static_str(described.state.name()))
        .with_protocol_type(bytes_of(described.protocol_type))
        .with_protocol_data(bytes_of(described.protocol))
        .with_members(members.collect())
}

pub(super) async fn list(call: Arc<Call>, request: ListGroupsRequest) -> ListGroupsResponse {
    let mut all = call.hub().members().ask(|coordinators, _| coordinators.list());
    let known: BTreeSet<String> = all.iter().map(|listed| listed.name.clone()).collect();
    let others = call.hub().committed_groups().into_iter().filter(|name| !known.contains(name));
    all.extend(others.map(|name| Listed {
        name,
        protocol_type: String::new(),
        state: "Empty",
        is_consumer: false,
    }));
    let sees_all = call.may(Operation::Describe, Resource::CLUSTER);
    let kind = |listed: &Listed| if listed.is_consumer { "consumer" } else { "classic" };
    let among = |filter: &[StrBytes], value: &str| {
        filter.is_empty() || filter.iter().any(|one| one.trim().eq_ignore_ascii_case(value))
    };
    all.retain(|listed| {
        among(&request.states_filter, listed.state)
            && among(&request.types_filter, kind(listed))
            && (sees_all || call.may(Operation::Describe, Resource::group(&listed.name)))
    });
    let groups = all.into_iter().map(|listed| {
        let kind = StrBytes::from_static_str(kind(&listed));
        ListedGroup::default()
            .with_group_id(GroupId(bytes_of(listed.name)))
            .with_protocol_type(bytes_of(listed.protocol_type))
            .with_group_state(StrBytes::from_static_str(listed.state))
            .with_group_type(kind)
    });
    ListGroupsResponse::default().with_groups(groups.collect())
}

pub(super) async fn delete(call: Arc<Call>, request: DeleteGroupsRequest) -> DeleteGroupsResponse {
    let mut results = Vec::with_capacity(request.groups_names.len());
    for group in request.groups_names {
        let code = delete_one(&call, &group).await;
        results.push(DeletableGroupResult::default().with_group_id(group).with_error_code(code));
    }
    DeleteGroupsResponse::default().with_results(results)
}

async fn delete_one(call: &Call, group: &str) -> i16 {
    if !call.may(Operation::Delete, Resource::group(group)) {
        return Code::GroupAuthorizationFailed.code();
    }
    match call.hub().end_group(group).await {
        Ok(Ok(())) => 0,
        Ok(Err(refused)) => refused.code(),
        Err(error) => code_of(&error).code(),
    }
}
