//! `JoinGroup`: members that are new, that come back, and static members that take over their own place.

use super::error::GroupError;
use super::group::{Group, State};
use super::limits::Limits;
use super::member::Member;
use super::request::{Answer, JoinRequest, Ticket};

/// How long a member may wait for the answer to its first join, whatever its session timeout.
const NEW_MEMBER_TIMEOUT_MS: i64 = 5 * 60 * 1000;

/// A join on its way.
pub(super) struct Joining {
    /// The request.
    pub(super) request: JoinRequest,
    /// What names it.
    pub(super) ticket: Ticket,
    /// The id of the member if it has none.
    pub(super) fresh_id: String,
}

impl Group {
    /// Lets a member join: the answer is there at once, or when the rebalance is complete.
    pub(super) fn join(&mut self, now_ms: i64, joining: Joining, limits: &Limits) {
        let member_id = &joining.request.member_id;
        if !self.accepts(member_id, limits) {
            self.remove(&member_id.clone(), GroupError::GroupMaxSizeReached);
            self.refuse_join(joining.ticket, "", GroupError::GroupMaxSizeReached);
        } else if !self.supports(&joining.request) {
            let error = GroupError::InconsistentGroupProtocol;
            self.refuse_join(joining.ticket, member_id, error);
        } else if member_id.is_empty() {
            self.join_without_id(now_ms, joining, limits);
        } else {
            self.join_with_id(now_ms, joining, limits);
        }
        self.try_complete_join(now_ms, limits);
    }

    /// Whether there is a place. During a rebalance those count that have joined it already, so that the last to come
    /// are sent away.
    fn accepts(&self, member_id: &str, limits: &Limits) -> bool {
        let member = self.members.get(member_id);
        match self.state {
            State::Empty => true,
            State::PreparingRebalance => {
                member.is_some_and(|member| member.join.is_some())
                    || self.joined < limits.group_size_max
            }
            State::CompletingRebalance | State::Stable => {
                member.is_some() || self.members.len() < limits.group_size_max
            }
        }
    }

    fn join_without_id(&mut self, now_ms: i64, joining: Joining, limits: &Limits) {
        let Joining { request, ticket, fresh_id } = &joining;
        let known = request.instance_id.as_ref().and_then(|id| self.instances.get(id)).cloned();
        if let Some(old_id) = known {
            self.take_over(now_ms, joining, &old_id, limits);
        } else if request.instance_id.is_some() || !request.requires_known_member {
            self.add_and_rebalance(now_ms, joining, limits);
        } else if self.pending.len() >= limits.group_size_max {
            self.refuse_join(*ticket, "", GroupError::GroupMaxSizeReached);
        } else {
            let deadline_ms = now_ms.saturating_add(i64::from(request.session_timeout_ms));
            self.pending.insert(fresh_id.clone(), deadline_ms);
            self.wake_at(deadline_ms);
            self.refuse_join(*ticket, fresh_id, GroupError::MemberIdRequired);
        }
    }

    fn add_and_rebalance(&mut self, now_ms: i64, joining: Joining, limits: &Limits) {
        let Joining { mut request, ticket, fresh_id } = joining;
        let member_id =
            if request.member_id.is_empty() { fresh_id } else { request.member_id.clone() };
        let protocol_type = std::mem::take(&mut request.protocol_type);
        if let Some(initial) = &mut self.initial {
            initial.extended = true;
        }
        let deadline_ms = now_ms.saturating_add(NEW_MEMBER_TIMEOUT_MS);
        let member = Member::new(request, ticket, deadline_ms);
        self.add(member_id, protocol_type, member);
        self.maybe_prepare_rebalance(now_ms, limits);
    }

    fn maybe_prepare_rebalance(&mut self, now_ms: i64, limits: &Limits) {
        if self.state != State::PreparingRebalance {
            self.prepare_rebalance(now_ms, limits);
        }
    }

    /// A static member has restarted: it gets a new id and its old place. While the group is stable and its protocol
    /// stays, nobody else notices.
    fn take_over(&mut self, now_ms: i64, joining: Joining, old_id: &str, limits: &Limits) {
        let Joining { request, ticket, fresh_id } = joining;
        let leader_before = self.leader.clone();
        let skipping = request.supports_skipping_assignment;
        self.replace(old_id, &fresh_id);
        self.update(&fresh_id, request, ticket);
        let Some(member) = self.members.get_mut(&fresh_id) else { return };
        let deadline_ms = member.touch(now_ms);
        self.wake_at(deadline_ms);
        match self.state {
            State::Stable if self.select_protocol() == self.protocol => {
                self.unpark_join(&fresh_id);
                let mut answer = self.joined_answer(&fresh_id);
                if skipping {
                    answer.skip_assignment = self.is_leader(&fresh_id);
                } else {
                    // With the old leader's id nobody takes itself for the leader and assigns in vain.
                    answer.leader = leader_before.unwrap_or_default();
                    answer.members = Vec::new();
                }
                self.answers.push((ticket, Answer::Joined(answer)));
                self.changed = true;
            }
            // The leader may have been told the old id already: its assignment would miss the new one.
            State::Stable | State::CompletingRebalance | State::Empty => {
                self.prepare_rebalance(now_ms, limits);
            }
            State::PreparingRebalance => {}
        }
    }

    fn unpark_join(&mut self, member_id: &str) {
        let member = self.members.get_mut(member_id);
        if member.is_some_and(|member| member.join.take().is_some()) {
            self.joined -= 1;
        }
    }

    fn join_with_id(&mut self, now_ms: i64, joining: Joining, limits: &Limits) {
        let Joining { request, ticket, .. } = &joining;
        let member_id = request.member_id.clone();
        let instance_id = request.instance_id.as_deref();
        if self.pending.contains_key(&member_id) && instance_id.is_none() {
            return self.add_and_rebalance(now_ms, joining, limits);
        }
        if let Err(error) = self.check_member(&member_id, instance_id) {
            return self.refuse_join(*ticket, &member_id, error);
        }
        let member = self.members.get(&member_id);
        let same = member.is_some_and(|member| member.protocols == request.protocols);
        let rebalances = match self.state {
            State::Empty | State::PreparingRebalance => true,
            State::CompletingRebalance => !same,
            // By joining, the leader asks for a rebalance: what it assigns may have changed.
            State::Stable => !same || self.is_leader(&member_id),
        };
        if rebalances {
            let Joining { request, ticket, .. } = joining;
            self.update(&member_id, request, ticket);
            self.maybe_prepare_rebalance(now_ms, limits);
        } else {
            let answer = self.joined_answer(&member_id);
            self.answers.push((*ticket, Answer::Joined(answer)));
        }
    }
}
