//! How a group gets from one generation to the next, and what happens when time runs out.

use super::group::{Group, Initial, State};
use super::member::NEVER;
use super::{Answer, GroupError, JoinAnswer, Limits};

impl Group {
    /// Asks all members to join again; those that wait for an assignment do not get it any more.
    pub(super) fn prepare_rebalance(&mut self, now_ms: i64, limits: &Limits) {
        self.withdraw_assignments(now_ms);
        let timeout_ms = self.rebalance_timeout_ms();
        let delay_ms = if self.state == State::Empty {
            let delay_ms = i64::from(limits.initial_rebalance_delay_ms.max(0));
            let remaining_ms = timeout_ms.saturating_sub(delay_ms).max(0);
            self.initial = Some(Initial { extended: false, remaining_ms });
            delay_ms
        } else {
            self.initial = None;
            timeout_ms
        };
        self.sync_deadline_ms = NEVER;
        self.join_deadline_ms = now_ms.saturating_add(delay_ms);
        self.wake_at(self.join_deadline_ms);
        self.enter(now_ms, State::PreparingRebalance);
    }

    fn withdraw_assignments(&mut self, now_ms: i64) {
        let completing = self.state == State::CompletingRebalance;
        let mut refused = Vec::new();
        let mut wake_ms = NEVER;
        for member in self.members.values_mut() {
            member.owes_sync = false;
            if completing {
                member.assignment.clear();
                if let Some(ticket) = member.sync.take() {
                    refused.push(ticket);
                    wake_ms = wake_ms.min(member.touch(now_ms));
                }
            }
        }
        self.wake_at(wake_ms);
        for ticket in refused {
            self.refuse_sync(ticket, GroupError::RebalanceInProgress);
        }
    }

    /// Ends the rebalance if everybody has joined; a first one ends by time alone.
    pub(super) fn try_complete_join(&mut self, now_ms: i64, limits: &Limits) {
        if self.state != State::PreparingRebalance {
            return;
        }
        let late = now_ms >= self.join_deadline_ms;
        if let Some(initial) = &mut self.initial {
            if late && initial.extended && initial.remaining_ms > 0 {
                let delay_ms =
                    i64::from(limits.initial_rebalance_delay_ms).min(initial.remaining_ms);
                initial.extended = false;
                initial.remaining_ms -= delay_ms;
                self.join_deadline_ms = now_ms.saturating_add(delay_ms);
                self.wake_at(self.join_deadline_ms);
            } else if late {
                self.complete_join(now_ms);
            }
        } else if late || (self.joined == self.members.len() && self.pending.is_empty()) {
            self.complete_join(now_ms);
        }
    }

    fn complete_join(&mut self, now_ms: i64) {
        let missing = self
            .members
            .iter()
            .filter(|(_, member)| member.join.is_none() && member.instance_id.is_none());
        let missing: Vec<String> = missing.map(|(member_id, _)| member_id.clone()).collect();
        for member_id in missing {
            self.remove(&member_id, GroupError::UnknownMember);
        }
        if self.members.is_empty() {
            self.empty(now_ms);
        } else if self.elect_leader() {
            self.begin_generation(now_ms);
        } else {
            // Only static members are left, and none came: each may take its session timeout.
            let again_ms = self.rebalance_timeout_ms().max(1);
            self.initial = None;
            self.join_deadline_ms = now_ms.saturating_add(again_ms);
            self.wake_at(self.join_deadline_ms);
        }
    }

    fn empty(&mut self, now_ms: i64) {
        self.generation = self.generation.saturating_add(1);
        self.protocol = None;
        self.leader = None;
        self.initial = None;
        self.join_deadline_ms = NEVER;
        self.changed = true;
        self.enter(now_ms, State::Empty);
    }

    /// Keeps a leader that has joined, or takes another that has. Whether there is one.
    fn elect_leader(&mut self) -> bool {
        let leader = self.leader.as_deref().and_then(|leader| self.members.get(leader));
        if leader.is_some_and(|leader| leader.join.is_some()) {
            return true;
        }
        let joined = self.members.iter().find(|(_, member)| member.join.is_some());
        let Some((member_id, _)) = joined else { return false };
        self.leader = Some(member_id.clone());
        true
    }

    fn begin_generation(&mut self, now_ms: i64) {
        self.generation = self.generation.saturating_add(1);
        self.protocol = self.select_protocol();
        self.initial = None;
        self.join_deadline_ms = NEVER;
        self.sync_deadline_ms = now_ms.saturating_add(self.rebalance_timeout_ms());
        self.wake_at(self.sync_deadline_ms);
        self.enter(now_ms, State::CompletingRebalance);
        let mut joined = Vec::with_capacity(self.joined);
        let mut wake_ms = NEVER;
        for (member_id, member) in &mut self.members {
            member.is_new = false;
            member.can_return = true;
            member.owes_sync = true;
            wake_ms = wake_ms.min(member.touch(now_ms));
            joined.extend(member.join.take().map(|ticket| (ticket, member_id.clone())));
        }
        self.wake_at(wake_ms);
        self.joined = 0;
        for (ticket, member_id) in joined {
            let answer = self.joined_answer(&member_id);
            self.answers.push((ticket, Answer::Joined(answer)));
        }
    }

    /// What a member that belongs to this generation is told.
    pub(super) fn joined_answer(&self, member_id: &str) -> JoinAnswer {
        let members = if self.is_leader(member_id) { self.metadata() } else { Vec::new() };
        JoinAnswer {
            error: None,
            generation: self.generation,
            protocol_type: self.protocol_type.clone(),
            protocol: self.protocol.clone(),
            leader: self.leader.clone().unwrap_or_default(),
            member_id: member_id.to_owned(),
            members,
            skip_assignment: false,
        }
    }

    fn metadata(&self) -> Vec<(String, Option<String>, Vec<u8>)> {
        let protocol = self.protocol.as_deref().unwrap_or_default();
        let members = self.members.iter().map(|(member_id, member)| {
            let metadata = member.metadata(protocol).to_vec();
            (member_id.clone(), member.instance_id.clone(), metadata)
        });
        members.collect()
    }

    /// Does what the clock demands, and finds the next deadline.
    pub(super) fn expire(&mut self, now_ms: i64, limits: &Limits) {
        self.pending.retain(|_, deadline_ms| *deadline_ms > now_ms);
        self.expire_sessions(now_ms, limits);
        if now_ms >= self.sync_deadline_ms {
            self.expire_syncs(now_ms, limits);
        }
        self.try_complete_join(now_ms, limits);
        let members = self.members.values().map(|member| member.deadline_ms);
        let all = members.chain(self.pending.values().copied());
        let earliest_ms = all.min().unwrap_or(NEVER);
        self.wake_ms = earliest_ms.min(self.join_deadline_ms).min(self.sync_deadline_ms);
    }

    fn expire_sessions(&mut self, now_ms: i64, limits: &Limits) {
        let mut expired = Vec::new();
        for (member_id, member) in &mut self.members {
            if member.deadline_ms > now_ms {
                continue;
            }
            if member.is_parked() && !member.is_new {
                // It waits for us; its session begins anew with the answer.
                member.deadline_ms = NEVER;
            } else {
                expired.push(member_id.clone());
            }
        }
        for member_id in expired {
            self.remove_and_rebalance(&member_id, now_ms, limits);
        }
    }

    /// Removes members that have joined the generation and never asked for their assignment.
    fn expire_syncs(&mut self, now_ms: i64, limits: &Limits) {
        self.sync_deadline_ms = NEVER;
        let owing = self.members.iter().filter(|(_, member)| member.owes_sync);
        let owing: Vec<String> = owing.map(|(member_id, _)| member_id.clone()).collect();
        if owing.is_empty() {
            return;
        }
        for member_id in owing {
            self.remove(&member_id, GroupError::UnknownMember);
        }
        self.prepare_rebalance(now_ms, limits);
    }

    /// Removes a member; the others must share what it had.
    pub(super) fn remove_and_rebalance(&mut self, member_id: &str, now_ms: i64, limits: &Limits) {
        self.remove(member_id, GroupError::UnknownMember);
        match self.state {
            State::Stable | State::CompletingRebalance => self.prepare_rebalance(now_ms, limits),
            State::Empty | State::PreparingRebalance => {}
        }
        self.try_complete_join(now_ms, limits);
    }

    /// The connection of a parked request is gone. A member that knows its id may come back within its session.
    pub(super) fn forget(&mut self, ticket: u64, now_ms: i64, limits: &Limits) {
        let waiting = self
            .members
            .iter_mut()
            .find(|(_, member)| member.join == Some(ticket) || member.sync == Some(ticket));
        let Some((member_id, member)) = waiting else { return };
        if !member.can_return {
            let member_id = member_id.clone();
            self.remove_and_rebalance(&member_id, now_ms, limits);
            return;
        }
        if member.join.take().is_some() {
            self.joined -= 1;
        }
        member.sync = None;
        member.is_new = false;
        let deadline_ms = member.touch(now_ms);
        self.wake_at(deadline_ms);
    }
}
