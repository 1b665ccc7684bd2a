//! One group: its members, its generation, and the protocol they agree on.

use std::collections::{BTreeMap, HashMap};

use super::member::{Member, NEVER, names};
use super::{Answer, GroupError, JoinAnswer, JoinRequest, SyncAnswer, Ticket};

/// Where a group is between two generations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// It has no members; it may have offsets.
    Empty,
    /// It waits for its members to join.
    PreparingRebalance,
    /// All have joined; it waits for the leader's assignment.
    CompletingRebalance,
    /// Its members have their assignments.
    Stable,
}

impl State {
    /// Kafka's name for it. A group that does not exist is `Dead`.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::PreparingRebalance => "PreparingRebalance",
            Self::CompletingRebalance => "CompletingRebalance",
            Self::Stable => "Stable",
        }
    }
}

/// The first rebalance of a group without members: it waits a while for more of them.
#[derive(Debug)]
pub(super) struct Initial {
    /// Whether one has joined since the wait began.
    pub(super) extended: bool,
    /// How many milliseconds it may still be extended.
    pub(super) remaining_ms: i64,
}

/// A group.
///
/// Invariants: it is `Empty` only without members; `supported` counts each member's protocols once; `joined` is the
/// number of parked `JoinGroup` requests; `wake_ms` is not after the earliest deadline of the group.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) state: State,
    pub(super) state_since_ms: i64,
    pub(super) generation: i32,
    pub(super) protocol_type: Option<String>,
    pub(super) protocol: Option<String>,
    pub(super) leader: Option<String>,
    pub(super) members: BTreeMap<String, Member>,
    /// The member id of each instance id.
    pub(super) instances: HashMap<String, String>,
    /// Ids that were given out and not used yet, with when they expire.
    pub(super) pending: BTreeMap<String, i64>,
    supported: HashMap<String, usize>,
    pub(super) joined: usize,
    pub(super) initial: Option<Initial>,
    pub(super) join_deadline_ms: i64,
    pub(super) sync_deadline_ms: i64,
    pub(super) wake_ms: i64,
    /// The deadline that the coordinator knows.
    pub(super) registered_ms: i64,
    pub(super) answers: Vec<(Ticket, Answer)>,
    /// Whether what survives a restart has changed.
    pub(super) changed: bool,
}

impl Group {
    /// A group without members.
    pub(super) fn new(now_ms: i64) -> Self {
        Self {
            state: State::Empty,
            state_since_ms: now_ms,
            generation: 0,
            protocol_type: None,
            protocol: None,
            leader: None,
            members: BTreeMap::new(),
            instances: HashMap::new(),
            pending: BTreeMap::new(),
            supported: HashMap::new(),
            joined: 0,
            initial: None,
            join_deadline_ms: NEVER,
            sync_deadline_ms: NEVER,
            wake_ms: NEVER,
            registered_ms: NEVER,
            answers: Vec::new(),
            changed: false,
        }
    }

    /// Whether it never had a member and nobody is about to join.
    pub(super) fn is_void(&self) -> bool {
        self.state == State::Empty && self.generation == 0 && self.pending.is_empty()
    }

    pub(super) fn enter(&mut self, now_ms: i64, state: State) {
        self.state = state;
        self.state_since_ms = now_ms;
    }

    pub(super) fn wake_at(&mut self, deadline_ms: i64) {
        self.wake_ms = self.wake_ms.min(deadline_ms);
    }

    pub(super) fn is_leader(&self, member_id: &str) -> bool {
        self.leader.as_deref() == Some(member_id)
    }

    pub(super) fn refuse_join(&mut self, ticket: Ticket, member_id: &str, error: GroupError) {
        self.answers.push((ticket, Answer::Joined(JoinAnswer::refused(member_id, error))));
    }

    pub(super) fn refuse_sync(&mut self, ticket: Ticket, error: GroupError) {
        self.answers.push((ticket, Answer::Synced(SyncAnswer::refused(error))));
    }

    /// Whether the group has that member, and under that instance id.
    pub(super) fn check_member(
        &self,
        member_id: &str,
        instance_id: Option<&str>,
    ) -> Result<(), GroupError> {
        if let Some(instance_id) = instance_id {
            return match self.instances.get(instance_id) {
                Some(current) if current == member_id => Ok(()),
                Some(_) => Err(GroupError::FencedInstanceId),
                None => Err(GroupError::UnknownMember),
            };
        }
        if self.members.contains_key(member_id) { Ok(()) } else { Err(GroupError::UnknownMember) }
    }

    /// Adds a member whose join is parked; the first becomes the leader.
    pub(super) fn add(&mut self, member_id: String, protocol_type: String, member: Member) {
        if self.members.is_empty() {
            self.protocol_type = Some(protocol_type);
        }
        self.leader.get_or_insert_with(|| member_id.clone());
        if let Some(instance_id) = &member.instance_id {
            self.instances.insert(instance_id.clone(), member_id.clone());
        }
        for name in member.names() {
            *self.supported.entry(name.to_owned()).or_default() += 1;
        }
        self.joined += usize::from(member.join.is_some());
        self.wake_at(member.deadline_ms);
        self.pending.remove(&member_id);
        self.members.insert(member_id, member);
    }

    /// Removes a member or a pending id; what it waits for is refused.
    pub(super) fn remove(&mut self, member_id: &str, error: GroupError) {
        self.pending.remove(member_id);
        let Some(member) = self.members.remove(member_id) else { return };
        if let Some(ticket) = member.join {
            self.joined -= 1;
            self.refuse_join(ticket, "", error);
        }
        if let Some(ticket) = member.sync {
            self.refuse_sync(ticket, error);
        }
        self.uncount(&member.protocols);
        if let Some(instance_id) = &member.instance_id {
            self.instances.remove(instance_id);
        }
        if self.is_leader(member_id) {
            self.leader = self.members.keys().next().cloned();
        }
    }

    /// Sends all who wait back to join again.
    pub(super) fn send_back(&mut self) {
        let mut waiting = Vec::new();
        for (member_id, member) in &mut self.members {
            waiting.push((member_id.clone(), member.join.take(), member.sync.take()));
        }
        self.joined = 0;
        for (member_id, join, sync) in waiting {
            if let Some(ticket) = join {
                self.refuse_join(ticket, &member_id, GroupError::RebalanceInProgress);
            }
            if let Some(ticket) = sync {
                self.refuse_sync(ticket, GroupError::RebalanceInProgress);
            }
        }
    }

    /// Gives the place of a static member to a new id; what the old one waits for is fenced.
    pub(super) fn replace(&mut self, old_id: &str, new_id: &str) {
        let Some(mut member) = self.members.remove(old_id) else { return };
        if let Some(ticket) = member.join.take() {
            self.joined -= 1;
            self.refuse_join(ticket, old_id, GroupError::FencedInstanceId);
        }
        if let Some(ticket) = member.sync.take() {
            self.refuse_sync(ticket, GroupError::FencedInstanceId);
        }
        if let Some(instance_id) = &member.instance_id {
            self.instances.insert(instance_id.clone(), new_id.to_owned());
        }
        if self.is_leader(old_id) {
            self.leader = Some(new_id.to_owned());
        }
        self.members.insert(new_id.to_owned(), member);
    }

    /// Takes over what a member says of itself when it joins again, and parks that join.
    pub(super) fn update(&mut self, member_id: &str, request: JoinRequest, ticket: Ticket) {
        let Some(member) = self.members.get_mut(member_id) else { return };
        let before = std::mem::replace(&mut member.protocols, request.protocols);
        member.session_timeout_ms = request.session_timeout_ms;
        member.rebalance_timeout_ms = request.rebalance_timeout_ms;
        for name in member.names() {
            *self.supported.entry(name.to_owned()).or_default() += 1;
        }
        let doubled = member.join.replace(ticket);
        let sync = member.sync.take();
        self.uncount(&before);
        match doubled {
            Some(ticket) => self.refuse_join(ticket, member_id, GroupError::RebalanceInProgress),
            None => self.joined += 1,
        }
        if let Some(ticket) = sync {
            self.refuse_sync(ticket, GroupError::RebalanceInProgress);
        }
    }

    fn uncount(&mut self, protocols: &[(String, Vec<u8>)]) {
        for name in names(protocols) {
            if let Some(count) = self.supported.get_mut(name) {
                *count -= 1;
                if *count == 0 {
                    self.supported.remove(name);
                }
            }
        }
    }

    /// Whether all members support a protocol.
    pub(super) fn is_candidate(&self, protocol: &str) -> bool {
        self.supported.get(protocol).copied().unwrap_or(0) == self.members.len()
    }

    /// Whether a member with these protocols can be one of the group.
    pub(super) fn supports(&self, request: &JoinRequest) -> bool {
        if self.state == State::Empty {
            return !request.protocol_type.is_empty() && !request.protocols.is_empty();
        }
        self.protocol_type.as_ref() == Some(&request.protocol_type)
            && request.protocols.iter().any(|(name, _)| self.is_candidate(name))
    }

    /// The protocol that most members prefer among those that all support; in a tie what the leader prefers.
    pub(super) fn select_protocol(&self) -> Option<String> {
        let mut votes: HashMap<&str, usize> = HashMap::new();
        for member in self.members.values() {
            let vote = member.protocols.iter().find(|(name, _)| self.is_candidate(name));
            if let Some((name, _)) = vote {
                *votes.entry(name).or_default() += 1;
            }
        }
        let most = votes.values().max().copied()?;
        let leader = self.members.get(self.leader.as_deref()?)?;
        let favourite =
            leader.protocols.iter().find(|(name, _)| votes.get(name.as_str()) == Some(&most));
        favourite.map(|(name, _)| name.clone())
    }

    /// The longest time that a member may take to join.
    pub(super) fn rebalance_timeout_ms(&self) -> i64 {
        let longest = self.members.values().map(|member| member.rebalance_timeout_ms).max();
        i64::from(longest.unwrap_or(0).max(0))
    }
}
