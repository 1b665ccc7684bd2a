//! Members of the classic protocol in a consumer group: consumers that are not moved to the new protocol yet, and the
//! sinks of this process. The server assigns for them as for all others, so nobody of them leads.
//!
//! A member joins and is answered at once, with its epoch for the generation. When it must give partitions up or gets
//! more, its heartbeat is answered with `REBALANCE_IN_PROGRESS`, so that it joins again and says what it has kept.
//! Source: KIP-848, "Supporting Online Consumer Group Upgrade".

use super::group::Group;
use super::heartbeat::World;
use super::member::{Classic, Member, NEVER, State};
use super::partitions::Topics;
use crate::hub::embedded::groups::coordinator::{
    Assignment, Claim, GroupError, JoinAnswer, JoinRequest, Subscription, SyncAnswer, SyncRequest,
};

/// The protocol type of consumers.
pub(super) const CONSUMER: &str = "consumer";

impl Group {
    /// `JoinGroup`. The member's id is that of the request, or `fresh_id`.
    pub(super) fn join(
        &mut self,
        now_ms: i64,
        request: &JoinRequest,
        fresh_id: &str,
        world: &World<'_>,
    ) -> Result<JoinAnswer, GroupError> {
        let is_nobody = request.member_id.is_empty();
        let member_id = if is_nobody { fresh_id } else { request.member_id.as_str() };
        let instance_id = request.instance_id.as_ref();
        let current = instance_id.and_then(|id| self.instances.get(id)).cloned();
        let is_new = current.is_none() && !self.members.contains_key(member_id);
        if is_new && self.members.len() >= world.group_size_max {
            return Err(GroupError::GroupMaxSizeReached);
        }
        if !self.supports(request) {
            return Err(GroupError::InconsistentGroupProtocol);
        }
        if is_nobody && instance_id.is_none() && request.requires_known_member {
            return Err(GroupError::MemberIdRequired);
        }
        if !is_nobody && instance_id.is_some() {
            match &current {
                None => return Err(GroupError::UnknownMember),
                Some(current) if current != member_id => return Err(GroupError::FencedInstanceId),
                Some(_) => {}
            }
        }
        let (_, metadata) =
            request.protocols.first().ok_or(GroupError::InconsistentGroupProtocol)?;
        let subscription = Subscription::decode(metadata);
        let subscription =
            subscription.map_err(|_malformed| GroupError::InconsistentGroupProtocol)?;
        // Nothing is refused from here on.
        let replaced = current.filter(|current| current != member_id);
        let before = match replaced {
            Some(other) => Member { epoch: 0, ..self.take(&other).unwrap_or_default() },
            None => self.members.get(member_id).cloned().unwrap_or_default(),
        };
        let member = joined(before.clone(), request, &subscription);
        let has_changed = member.topics != before.topics || member.regex != before.regex;
        if member != before || !self.members.contains_key(member_id) {
            self.put(member_id, member);
        }
        self.catch_up(world, has_changed || self.epoch == 0);
        let owned = world.topics.identified(&subscription.owned_partitions);
        self.reconcile(now_ms, member_id, Some(&owned), (world.topics, has_changed));
        let timeout_ms = i64::from(request.rebalance_timeout_ms.max(0));
        self.set_deadlines(member_id, |deadlines| {
            deadlines.session_ms = now_ms.saturating_add(i64::from(request.session_timeout_ms));
            deadlines.rebalance_ms = NEVER;
            deadlines.sync_ms = now_ms.saturating_add(timeout_ms);
        });
        let epoch = self.members.get(member_id).map_or(0, |member| member.epoch);
        Ok(JoinAnswer {
            error: None,
            generation: epoch,
            protocol_type: Some(CONSUMER.to_owned()),
            protocol: request.protocols.first().map(|(name, _)| name.clone()),
            leader: String::new(),
            member_id: member_id.to_owned(),
            members: Vec::new(),
            skip_assignment: false,
        })
    }

    /// Whether a member with these protocols can be one of the group: all its classic members must share one.
    fn supports(&self, request: &JoinRequest) -> bool {
        let all = |name: &String| {
            let mut classic = self.members.values().filter_map(|member| member.classic.as_ref());
            classic.all(|one| one.protocols.iter().any(|(protocol, _)| protocol == name))
        };
        request.protocol_type == CONSUMER && request.protocols.iter().any(|(name, _)| all(name))
    }

    /// A classic member under that id and instance id, in that generation.
    fn classic_member(&self, claim: Claim<'_>) -> Result<(&Member, &Classic), GroupError> {
        if let Some(instance_id) = claim.instance_id {
            match self.instances.get(instance_id) {
                None => return Err(GroupError::UnknownMember),
                Some(current) if current != claim.member_id => {
                    return Err(GroupError::FencedInstanceId);
                }
                Some(_) => {}
            }
        }
        let member = self.members.get(claim.member_id).ok_or(GroupError::UnknownMember)?;
        let classic = member.classic.as_ref().ok_or(GroupError::UnknownMember)?;
        if member.epoch != claim.generation {
            return Err(GroupError::IllegalGeneration);
        }
        Ok((member, classic))
    }

    /// `Heartbeat`.
    pub(super) fn classic_beat(&mut self, now_ms: i64, claim: Claim<'_>) -> Result<(), GroupError> {
        let (member, classic) = self.classic_member(claim)?;
        let session_ms = now_ms.saturating_add(i64::from(classic.session_timeout_ms));
        let must_join = member.epoch < self.epoch
            || match member.state {
                State::Stable => false,
                State::Unrevoked => true,
                State::Unreleased => !self.waits_for_others(claim.member_id),
            };
        self.set_deadlines(claim.member_id, |deadlines| deadlines.session_ms = session_ms);
        if must_join {
            return Err(self.call_back(now_ms, claim.member_id));
        }
        Ok(())
    }

    /// The member must join again within its rebalance timeout.
    fn call_back(&mut self, now_ms: i64, member_id: &str) -> GroupError {
        let timeout_ms = self.members.get(member_id).map_or(0, |one| one.rebalance_timeout_ms);
        let deadline_ms = now_ms.saturating_add(i64::from(timeout_ms.max(0)));
        self.set_deadlines(member_id, |deadlines| {
            deadlines.rebalance_ms = deadlines.rebalance_ms.min(deadline_ms);
        });
        GroupError::RebalanceInProgress
    }

    /// `SyncGroup`.
    pub(super) fn sync(
        &mut self,
        now_ms: i64,
        request: SyncRequest,
        topics: &Topics,
    ) -> Result<SyncAnswer, GroupError> {
        let (member, classic) = self.classic_member(Claim {
            group: &request.group,
            generation: request.generation,
            member_id: &request.member_id,
            instance_id: request.instance_id.as_deref(),
        })?;
        let first = classic.protocols.first().ok_or(GroupError::InconsistentGroupProtocol)?;
        let type_differs = request.protocol_type.as_ref().is_some_and(|kind| kind != CONSUMER);
        let name_differs = request.protocol.as_ref().is_some_and(|name| *name != first.0);
        if type_differs || name_differs {
            return Err(GroupError::InconsistentGroupProtocol);
        }
        if self.epoch > member.epoch && member.state != State::Unrevoked {
            return Err(self.call_back(now_ms, &request.member_id));
        }
        let version = first.1.first_chunk().map_or(0, |version| i16::from_be_bytes(*version));
        let assignment = Assignment { partitions: topics.named(&member.assigned), user_data: None };
        let assignment = assignment.encode(version.clamp(0, 3));
        let assignment = assignment.map_err(|_too_long| GroupError::InconsistentGroupProtocol)?;
        let session_ms = now_ms.saturating_add(i64::from(classic.session_timeout_ms));
        self.set_deadlines(&request.member_id, |deadlines| {
            deadlines.session_ms = session_ms;
            deadlines.sync_ms = NEVER;
        });
        let (protocol_type, protocol) = (request.protocol_type, request.protocol);
        Ok(SyncAnswer { error: None, protocol_type, protocol, assignment })
    }

    /// `LeaveGroup`: members by their ids, or by their instance ids alone.
    pub(super) fn leave_all(
        &mut self,
        members: &[(String, Option<String>)],
    ) -> Vec<Result<(), GroupError>> {
        let find = |(member_id, instance_id): &(String, Option<String>)| {
            let Some(instance_id) = instance_id else {
                let known = self.members.contains_key(member_id);
                return if known { Ok(member_id.clone()) } else { Err(GroupError::UnknownMember) };
            };
            match self.instances.get(instance_id) {
                None => Err(GroupError::UnknownMember),
                Some(current) if !member_id.is_empty() && current != member_id => {
                    Err(GroupError::FencedInstanceId)
                }
                Some(current) => Ok(current.clone()),
            }
        };
        let found: Vec<Result<String, GroupError>> = members.iter().map(find).collect();
        let leaving: Vec<String> = found.iter().flatten().cloned().collect();
        self.remove(&leaving);
        found.into_iter().map(|one| one.map(drop)).collect()
    }
}

/// A member with what a join says of it.
fn joined(mut member: Member, request: &JoinRequest, subscription: &Subscription) -> Member {
    member.instance_id = request.instance_id.clone().or(member.instance_id);
    member.rack_id = subscription.rack.clone().or(member.rack_id);
    member.rebalance_timeout_ms = request.rebalance_timeout_ms;
    member.topics = subscription.topics.iter().cloned().collect();
    member.regex = None;
    member.client_id.clone_from(&request.client_id);
    member.client_host.clone_from(&request.client_host);
    member.classic = Some(Classic {
        session_timeout_ms: request.session_timeout_ms,
        protocols: request.protocols.clone(),
    });
    member
}
