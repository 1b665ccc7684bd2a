//! What members of a generation do: ask for their assignment, send heartbeats, commit, leave.

use std::collections::HashMap;

use super::group::{Group, State};
use super::member::NEVER;
use super::{Answer, Assignments, Claim, GroupError, Limits, SyncAnswer, SyncRequest, Ticket};

impl Group {
    /// Gives a member its assignment, now or when the leader has sent it.
    pub(super) fn sync(&mut self, now_ms: i64, request: SyncRequest, ticket: Ticket) {
        if let Err(error) = self.check_sync(&request) {
            return self.refuse_sync(ticket, error);
        }
        let Some(member) = self.members.get_mut(&request.member_id) else {
            return self.refuse_sync(ticket, GroupError::UnknownMember);
        };
        match self.state {
            State::Empty => self.refuse_sync(ticket, GroupError::UnknownMember),
            State::PreparingRebalance => self.refuse_sync(ticket, GroupError::RebalanceInProgress),
            State::CompletingRebalance => {
                member.owes_sync = false;
                if let Some(doubled) = member.sync.replace(ticket) {
                    self.refuse_sync(doubled, GroupError::RebalanceInProgress);
                }
                if self.is_leader(&request.member_id) {
                    self.assign(now_ms, request.assignments);
                }
            }
            State::Stable => {
                member.owes_sync = false;
                let deadline_ms = member.touch(now_ms);
                let assignment = member.assignment.clone();
                self.wake_at(deadline_ms);
                self.answer_sync(ticket, assignment);
            }
        }
    }

    fn check_sync(&self, request: &SyncRequest) -> Result<(), GroupError> {
        self.check_member(&request.member_id, request.instance_id.as_deref())?;
        if request.generation != self.generation {
            return Err(GroupError::IllegalGeneration);
        }
        let type_differs =
            request.protocol_type.is_some() && request.protocol_type != self.protocol_type;
        let name_differs = request.protocol.is_some() && request.protocol != self.protocol;
        if type_differs || name_differs {
            return Err(GroupError::InconsistentGroupProtocol);
        }
        Ok(())
    }

    fn answer_sync(&mut self, ticket: Ticket, assignment: Vec<u8>) {
        let (protocol_type, protocol) = (self.protocol_type.clone(), self.protocol.clone());
        let answer = SyncAnswer { error: None, protocol_type, protocol, assignment };
        self.answers.push((ticket, Answer::Synced(answer)));
    }

    /// The leader has assigned: whom it does not name gets an empty assignment.
    fn assign(&mut self, now_ms: i64, assignments: Assignments) {
        let mut assignments: HashMap<String, Vec<u8>> = assignments.into_iter().collect();
        let mut waiting = Vec::new();
        let mut wake_ms = NEVER;
        for (member_id, member) in &mut self.members {
            member.assignment = assignments.remove(member_id).unwrap_or_default();
            if let Some(ticket) = member.sync.take() {
                wake_ms = wake_ms.min(member.touch(now_ms));
                waiting.push((ticket, member.assignment.clone()));
            }
        }
        self.wake_at(wake_ms);
        self.changed = true;
        self.enter(now_ms, State::Stable);
        for (ticket, assignment) in waiting {
            self.answer_sync(ticket, assignment);
        }
    }

    fn touch(&mut self, member_id: &str, now_ms: i64) {
        if let Some(member) = self.members.get_mut(member_id) {
            let deadline_ms = member.touch(now_ms);
            self.wake_at(deadline_ms);
        }
    }

    fn check_claim(&self, claim: Claim<'_>) -> Result<(), GroupError> {
        self.check_member(claim.member_id, claim.instance_id)?;
        if claim.generation == self.generation {
            Ok(())
        } else {
            Err(GroupError::IllegalGeneration)
        }
    }

    /// The member is alive.
    pub(super) fn heartbeat(&mut self, now_ms: i64, claim: Claim<'_>) -> Result<(), GroupError> {
        self.check_claim(claim)?;
        self.touch(claim.member_id, now_ms);
        match self.state {
            State::Empty => Err(GroupError::UnknownMember),
            State::PreparingRebalance => Err(GroupError::RebalanceInProgress),
            State::CompletingRebalance | State::Stable => Ok(()),
        }
    }

    /// Whether offsets may be committed. A member that may is alive.
    pub(super) fn check_commit(&mut self, now_ms: i64, claim: Claim<'_>) -> Result<(), GroupError> {
        self.check_transactional_commit(claim)?;
        if self.state == State::Empty {
            return Ok(());
        }
        // In a group with members only they commit.
        self.check_claim(claim)?;
        match self.state {
            // It has joined already, so it knows that it has nothing assigned yet.
            State::CompletingRebalance => Err(GroupError::RebalanceInProgress),
            State::Empty | State::PreparingRebalance | State::Stable => {
                self.touch(claim.member_id, now_ms);
                Ok(())
            }
        }
    }

    /// The same for a commit in a transaction: old clients do not say which member they are.
    pub(super) fn check_transactional_commit(&self, claim: Claim<'_>) -> Result<(), GroupError> {
        let from_outside = claim.generation < 0
            && (self.state == State::Empty
                || (claim.member_id.is_empty() && claim.instance_id.is_none()));
        if from_outside { Ok(()) } else { self.check_claim(claim) }
    }

    /// Removes one member that leaves or is sent away by its instance id.
    pub(super) fn leave(
        &mut self,
        now_ms: i64,
        (member_id, instance_id): (&str, Option<&str>),
        limits: &Limits,
    ) -> Result<(), GroupError> {
        let member_id = if member_id.is_empty() {
            let current = instance_id.and_then(|instance_id| self.instances.get(instance_id));
            current.cloned().ok_or(GroupError::UnknownMember)?
        } else {
            if !self.pending.contains_key(member_id) {
                self.check_member(member_id, instance_id)?;
            }
            member_id.to_owned()
        };
        self.remove_and_rebalance(&member_id, now_ms, limits);
        Ok(())
    }
}
