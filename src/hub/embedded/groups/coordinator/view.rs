//! What groups look like from outside: descriptions, what may be deleted, and what survives a restart.

use serde::{Deserialize, Serialize};

use super::group::{Group, State};
use super::member::Member;
use super::{Coordinator, GroupError, Subscription};

/// The protocol type of groups whose metadata are [`Subscription`]s.
const CONSUMER: &str = "consumer";

/// A group, as `DescribeGroups` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Description {
    /// Where it is between two generations.
    pub(crate) state: State,
    /// Since when, in the caller's milliseconds.
    pub(crate) state_since_ms: i64,
    /// Its generation.
    pub(crate) generation: i32,
    /// What kind of group it is; empty before the first member.
    pub(crate) protocol_type: String,
    /// The chosen protocol; empty unless it is stable.
    pub(crate) protocol: String,
    /// Its members in the order of their ids.
    pub(crate) members: Vec<MemberDescription>,
}

/// A member, as `DescribeGroups` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MemberDescription {
    /// Its id.
    pub(crate) member_id: String,
    /// The instance id of a static member.
    pub(crate) instance_id: Option<String>,
    /// Its client id.
    pub(crate) client_id: String,
    /// Its address.
    pub(crate) client_host: String,
    /// Its opaque metadata; empty unless the group is stable.
    pub(crate) metadata: Vec<u8>,
    /// Its opaque assignment; in a rebalance that of the generation before.
    pub(crate) assignment: Vec<u8>,
}

/// A group as it survives a restart: stable, or empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct GroupState {
    /// Its name.
    pub(crate) group: String,
    /// Its generation.
    pub(crate) generation: i32,
    /// What kind of group it is.
    pub(crate) protocol_type: Option<String>,
    /// The chosen protocol.
    pub(crate) protocol: Option<String>,
    /// The leader's member id.
    pub(crate) leader: Option<String>,
    /// Since when it is in its state, in the caller's milliseconds; of use after a restart only if they go on then.
    pub(crate) state_since_ms: i64,
    /// Its members; none if it is empty.
    pub(crate) members: Vec<MemberState>,
}

/// A member as it survives a restart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct MemberState {
    /// Its id.
    pub(crate) member_id: String,
    /// The instance id of a static member.
    pub(crate) instance_id: Option<String>,
    /// Its client id.
    pub(crate) client_id: String,
    /// Its address.
    pub(crate) client_host: String,
    /// After how many milliseconds without a heartbeat it is removed.
    pub(crate) session_timeout_ms: i32,
    /// How many milliseconds it may take to join a rebalance.
    pub(crate) rebalance_timeout_ms: i32,
    /// The protocols that it supports, with their opaque metadata.
    pub(crate) protocols: Vec<(String, Vec<u8>)>,
    /// Its opaque assignment.
    pub(crate) assignment: Vec<u8>,
}

impl Coordinator {
    /// A group, if it exists.
    pub(crate) fn describe(&self, group: &str) -> Option<Description> {
        self.groups.get(group).map(Group::describe)
    }

    /// The name, protocol type and state of each group, in the order of their names.
    pub(crate) fn list(&self) -> impl Iterator<Item = (&str, &str, State)> {
        self.groups.iter().map(|(name, group)| {
            (name.as_str(), group.protocol_type.as_deref().unwrap_or_default(), group.state)
        })
    }

    /// Whether `DeleteGroups` may delete a group with its offsets.
    ///
    /// # Errors
    /// For groups that have members or do not exist.
    pub(crate) fn may_delete(&self, group: &str) -> Result<(), GroupError> {
        match self.groups.get(group).map(|group| group.state) {
            None => Err(GroupError::GroupIdNotFound),
            Some(State::Empty) => Ok(()),
            Some(State::PreparingRebalance | State::CompletingRebalance | State::Stable) => {
                Err(GroupError::NonEmptyGroup)
            }
        }
    }

    /// Whether `OffsetDelete` may delete a group's offsets of a topic.
    ///
    /// # Errors
    /// For groups that do not exist; for topics that a member is subscribed to, or may be because its subscription is
    /// not understood; for groups with members that are no consumers.
    pub(crate) fn may_delete_offsets(&self, group: &str, topic: &str) -> Result<(), GroupError> {
        let group = self.groups.get(group).ok_or(GroupError::GroupIdNotFound)?;
        if group.state == State::Empty {
            return Ok(());
        }
        if group.protocol_type.as_deref() != Some(CONSUMER) {
            return Err(GroupError::NonEmptyGroup);
        }
        let subscribed = match &group.protocol {
            Some(protocol) => group.members.values().any(|member| member.may_read(protocol, topic)),
            None => true,
        };
        if subscribed { Err(GroupError::GroupSubscribedToTopic) } else { Ok(()) }
    }

    /// What of a group survives a restart. None while it rebalances: then what was stored before stays good.
    pub(crate) fn state(&self, name: &str) -> Option<GroupState> {
        match self.groups.get(name)?.state {
            State::PreparingRebalance | State::CompletingRebalance => None,
            State::Empty | State::Stable => self.whole_state(name),
        }
    }

    /// The same, also while it rebalances: its members have what the generation before gave them.
    pub(crate) fn whole_state(&self, name: &str) -> Option<GroupState> {
        let group = self.groups.get(name)?;
        Some(GroupState {
            group: name.to_owned(),
            generation: group.generation,
            protocol_type: group.protocol_type.clone(),
            protocol: group.protocol.clone(),
            leader: group.leader.clone(),
            state_since_ms: group.state_since_ms,
            members: group.members.iter().map(member_state).collect(),
        })
    }

    /// Brings back a group that was stored, unless there is one of that name. Its members' sessions begin now. It
    /// rebalances if it has more members than it may have now; members that do not support its protocol are not
    /// brought back, and with them nobody.
    pub(crate) fn restore(&mut self, now_ms: i64, state: GroupState) {
        if self.groups.contains_key(&state.group) {
            return;
        }
        let name = state.group.clone();
        let mut group = Group::restored(now_ms, state);
        if group.members.len() > self.limits.group_size_max {
            group.prepare_rebalance(now_ms, &self.limits);
        }
        self.groups.insert(name.clone(), group);
        self.settle(&name);
    }

    /// Takes over a group from the other coordinator; its members are to join again.
    pub(crate) fn take_over(&mut self, now_ms: i64, state: GroupState) {
        let name = state.group.clone();
        self.restore(now_ms, GroupState { state_since_ms: now_ms, ..state });
        if let Some(group) = self.groups.get_mut(&name)
            && group.state == State::Stable
        {
            group.prepare_rebalance(now_ms, &self.limits);
        }
        self.settle(&name);
    }
}

fn member_state((member_id, member): (&String, &Member)) -> MemberState {
    MemberState {
        member_id: member_id.clone(),
        instance_id: member.instance_id.clone(),
        client_id: member.client_id.clone(),
        client_host: member.client_host.clone(),
        session_timeout_ms: member.session_timeout_ms,
        rebalance_timeout_ms: member.rebalance_timeout_ms,
        protocols: member.protocols.clone(),
        assignment: member.assignment.clone(),
    }
}

impl Member {
    fn restored(stored: MemberState) -> Self {
        Self {
            instance_id: stored.instance_id,
            client_id: stored.client_id,
            client_host: stored.client_host,
            session_timeout_ms: stored.session_timeout_ms,
            rebalance_timeout_ms: stored.rebalance_timeout_ms,
            protocols: stored.protocols,
            assignment: stored.assignment,
            join: None,
            sync: None,
            is_new: false,
            can_return: true,
            owes_sync: false,
            deadline_ms: 0,
        }
    }

    /// Whether it is subscribed to a topic, or its metadata do not tell.
    fn may_read(&self, protocol: &str, topic: &str) -> bool {
        match Subscription::decode(self.metadata(protocol)) {
            Ok(subscription) => subscription.topics.iter().any(|subscribed| subscribed == topic),
            Err(_) => true,
        }
    }
}

impl Group {
    fn restored(now_ms: i64, state: GroupState) -> Self {
        let mut group = Self::new(state.state_since_ms);
        for stored in state.members {
            let member_id = stored.member_id.clone();
            let mut member = Member::restored(stored);
            member.touch(now_ms);
            let namesake = member.instance_id.as_ref().and_then(|id| group.instances.get(id));
            for replaced in [Some(member_id.clone()), namesake.cloned()].into_iter().flatten() {
                group.remove(&replaced, GroupError::UnknownMember);
            }
            group.add(member_id, String::new(), member);
        }
        let agreed = state.protocol.as_deref().is_some_and(|name| group.is_candidate(name));
        if group.members.is_empty() || !agreed {
            group = Self::new(state.state_since_ms);
        } else {
            group.state = State::Stable;
            group.protocol = state.protocol;
            let leader = state.leader.filter(|leader| group.members.contains_key(leader));
            group.leader = leader.or(group.leader);
        }
        group.generation = state.generation;
        group.protocol_type = state.protocol_type;
        group
    }

    fn describe(&self) -> Description {
        let stable = self.state == State::Stable;
        let protocol = self.protocol.clone().filter(|_| stable).unwrap_or_default();
        let members = self.members.iter().map(|(member_id, member)| {
            let metadata = if stable { member.metadata(&protocol) } else { &[] };
            MemberDescription {
                member_id: member_id.clone(),
                instance_id: member.instance_id.clone(),
                client_id: member.client_id.clone(),
                client_host: member.client_host.clone(),
                metadata: metadata.to_vec(),
                assignment: member.assignment.clone(),
            }
        });
        Description {
            state: self.state,
            state_since_ms: self.state_since_ms,
            generation: self.generation,
            protocol_type: self.protocol_type.clone().unwrap_or_default(),
            protocol: protocol.clone(),
            members: members.collect(),
        }
    }
}
