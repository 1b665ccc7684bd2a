//! The way of a group from the classic protocol to the new one, and back.
//!
//! Up: a member of the new protocol joins a classic group of consumers. Its members stay what they are, with what they
//! have been assigned. Down: the last member of the new protocol leaves; those that remain elect a leader again. What a
//! group has, as it survives a restart of the classic coordinator, is what goes from one to the other.

use std::collections::BTreeSet;

use super::ConsumerGroups;
use super::classic::CONSUMER;
use super::group::Group;
use super::member::{Classic, Member};
use super::partitions::{Partitions, Topics};
use crate::hub::embedded::groups::coordinator::{
    Assignment, GroupError, GroupState, MemberState, Subscription,
};

impl ConsumerGroups {
    /// Takes a classic group over.
    ///
    /// # Errors
    /// [`GroupError::GroupIdNotFound`], as in Kafka, when it is not one of consumers, or its assignor has told its
    /// members more than their partitions, which would be lost. It is not changed then.
    pub(crate) fn take_over(&mut self, now_ms: i64, state: &GroupState) -> Result<(), GroupError> {
        if state.members.len() > self.limits.group_size_max {
            return Err(GroupError::GroupIdNotFound);
        }
        let group = upgraded(now_ms, state, &self.topics).ok_or(GroupError::GroupIdNotFound)?;
        self.groups.insert(state.group.clone(), group);
        self.settle(&state.group);
        Ok(())
    }

    /// Takes the groups out of which the last member of the new protocol has gone, as classic ones.
    pub(crate) fn take_downgraded(&mut self) -> Vec<GroupState> {
        let names: Vec<String> = std::mem::take(&mut self.downgraded).into_iter().collect();
        let mut states = Vec::with_capacity(names.len());
        for name in names {
            if let Some(group) = self.take_group(&name) {
                states.push(downgraded(&name, &group, &self.topics));
            }
        }
        states
    }
}

fn upgraded(now_ms: i64, state: &GroupState, topics: &Topics) -> Option<Group> {
    if state.protocol_type.as_deref() != Some(CONSUMER) {
        return None;
    }
    let mut group = Group::new();
    group.epoch = state.generation;
    group.assignment_epoch = state.generation;
    // The member that comes makes the epoch rise.
    group.is_stale = true;
    group.has_changed = true;
    for stored in &state.members {
        let member = upgraded_member(stored, state, topics)?;
        let timeout_ms = i64::from(stored.session_timeout_ms);
        group.put(&stored.member_id, member);
        group.set_deadlines(&stored.member_id, |deadlines| {
            deadlines.session_ms = now_ms.saturating_add(timeout_ms);
        });
    }
    Some(group)
}

fn upgraded_member(stored: &MemberState, state: &GroupState, topics: &Topics) -> Option<Member> {
    let chosen = state.protocol.as_ref();
    let of_chosen = |(name, _): &&(String, Vec<u8>)| chosen.is_none_or(|chosen| chosen == name);
    let (_, metadata) = stored.protocols.iter().find(of_chosen)?;
    let subscription = Subscription::decode(metadata).ok()?;
    let assignment = Assignment::decode(&stored.assignment).ok()?;
    if assignment.user_data.is_some_and(|data| !data.is_empty()) {
        return None;
    }
    let assigned: Partitions = topics.identified(&assignment.partitions);
    Some(Member {
        instance_id: stored.instance_id.clone(),
        rack_id: subscription.rack,
        client_id: stored.client_id.clone(),
        client_host: stored.client_host.clone(),
        rebalance_timeout_ms: stored.rebalance_timeout_ms,
        topics: subscription.topics.into_iter().collect(),
        classic: Some(Classic {
            session_timeout_ms: stored.session_timeout_ms,
            protocols: stored.protocols.clone(),
        }),
        epoch: state.generation,
        previous_epoch: state.generation,
        since: assigned.iter().map(|place| (place, state.generation)).collect(),
        target: assigned.clone(),
        assigned,
        ..Member::default()
    })
}

/// The names of the protocols that all classic members support.
fn shared_protocols(group: &Group) -> BTreeSet<&str> {
    let mut all = group.members.values().filter_map(|member| member.classic.as_ref());
    let names = |classic: &'_ Classic| -> BTreeSet<String> {
        classic.protocols.iter().map(|(name, _)| name.clone()).collect()
    };
    let Some(first) = all.next() else { return BTreeSet::new() };
    let others: Vec<BTreeSet<String>> = all.map(names).collect();
    let candidates = first.protocols.iter().map(|(name, _)| name.as_str());
    candidates.filter(|name| others.iter().all(|other| other.contains(*name))).collect()
}

fn downgraded(name: &str, group: &Group, topics: &Topics) -> GroupState {
    let protocol = shared_protocols(group).into_iter().next().map(str::to_owned);
    let members = group.members.iter().filter_map(|(member_id, member)| {
        let classic = member.classic.clone()?;
        let assignment = Assignment { partitions: topics.named(&member.assigned), user_data: None };
        Some(MemberState {
            member_id: member_id.clone(),
            instance_id: member.instance_id.clone(),
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            session_timeout_ms: classic.session_timeout_ms,
            rebalance_timeout_ms: member.rebalance_timeout_ms,
            protocols: classic.protocols,
            // Too long for the protocol: it gets another one with the rebalance that follows.
            assignment: assignment.encode(0).unwrap_or_default(),
        })
    });
    GroupState {
        group: name.to_owned(),
        generation: group.epoch,
        protocol_type: Some(CONSUMER.to_owned()),
        protocol,
        leader: None,
        state_since_ms: 0,
        members: members.collect(),
    }
}
