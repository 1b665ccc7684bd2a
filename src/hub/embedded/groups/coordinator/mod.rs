//! The coordinator of consumer groups whose members speak Kafka's classic group protocol.
//!
//! A state machine without I/O and without a clock: time comes in as milliseconds of any clock that does not run
//! backwards, and answers that must wait come out later, by the ticket of their request. The caller
//!
//! 1. calls a method for each request, and [`Coordinator::tick`] when [`Coordinator::next_deadline`] has come,
//! 2. then stores [`Coordinator::state`] of each group that [`Coordinator::take_changed`] names, if members are to
//!    survive a restart,
//! 3. then sends what [`Coordinator::take_answers`] gives.
//!
//! | state | goes on when |
//! |---|---|
//! | `Empty` | a member joins: `PreparingRebalance` |
//! | `PreparingRebalance` | all members have joined, or the longest rebalance timeout is over, or for the first generation no member came for the initial delay: `CompletingRebalance`, or `Empty` without members |
//! | `CompletingRebalance` | the leader sends the assignment: `Stable`; a member comes, changes or goes: `PreparingRebalance` |
//! | `Stable` | a member comes, changes or goes, or the leader joins again: `PreparingRebalance` |
//!
//! Groups that have only offsets are not known here, and which names are good, beyond that there is one, is the caller's
//! matter. Sources: the Kafka protocol guide; KIP-62 (rebalance timeout),
//! KIP-134 (initial delay), KIP-345 (static members), KIP-394 (member ids), KIP-559 (protocol type), KIP-814 (skipped
//! assignment).

mod assignor;
mod consumer_protocol;
mod error;
mod group;
mod join;
mod limits;
mod member;
mod rebalance;
mod request;
mod session;
#[cfg(test)]
mod tests;
mod view;

use std::collections::{BTreeMap, BTreeSet, HashMap};

pub(crate) use assignor::{Assignor, assign_group};
pub(crate) use consumer_protocol::{Assignment, Subscription};
pub(crate) use error::GroupError;
use group::Group;
use join::Joining;
pub(crate) use limits::Limits;
use member::NEVER;
pub(crate) use request::{
    Answer, Assignments, Claim, JoinAnswer, JoinRequest, SyncAnswer, SyncRequest, Ticket,
};
pub(crate) use view::Description;
pub(crate) use view::{GroupState, MemberState};

/// All groups that have or had members.
///
/// Invariants: `parked` has the tickets that are not answered; each group is in `timers` under the deadline that it has
/// registered.
pub(crate) struct Coordinator {
    limits: Limits,
    suffix: Box<dyn FnMut() -> String + Send>,
    groups: BTreeMap<String, Group>,
    parked: HashMap<Ticket, String>,
    timers: BTreeSet<(i64, String)>,
    answers: Vec<(Ticket, Answer)>,
    changed: BTreeSet<String>,
}

impl Coordinator {
    /// A coordinator without groups. Member ids end with what `suffix` gives, which never repeats itself.
    pub(crate) fn new(limits: Limits, suffix: impl FnMut() -> String + Send + 'static) -> Self {
        Self {
            limits,
            suffix: Box::new(suffix),
            groups: BTreeMap::new(),
            parked: HashMap::new(),
            timers: BTreeSet::new(),
            answers: Vec::new(),
            changed: BTreeSet::new(),
        }
    }

    /// `JoinGroup`; the answer has the ticket.
    pub(crate) fn join(&mut self, now_ms: i64, request: JoinRequest, ticket: Ticket) {
        if let Err(error) = self.check_join(&request) {
            let refused = JoinAnswer::refused(&request.member_id, error);
            return self.answers.push((ticket, Answer::Joined(refused)));
        }
        let name = request.group.clone();
        let fresh_id = self.fresh_id(&request);
        self.parked.insert(ticket, name.clone());
        let group = self.groups.entry(name.clone()).or_insert_with(|| Group::new(now_ms));
        group.join(now_ms, Joining { request, ticket, fresh_id }, &self.limits);
        self.settle(&name);
    }

    /// An id for a member that has none; empty for one that has.
    pub(crate) fn fresh_id(&mut self, request: &JoinRequest) -> String {
        let begin = request.instance_id.as_ref().unwrap_or(&request.client_id);
        match request.member_id.is_empty() {
            true => format!("{begin}-{}", (self.suffix)()),
            false => String::new(),
        }
    }

    /// Whether a member may join with that session timeout.
    ///
    /// # Errors
    /// [`GroupError::InvalidSessionTimeout`].
    pub(crate) fn check_session(&self, request: &JoinRequest) -> Result<(), GroupError> {
        let Limits { session_timeout_min_ms: min, session_timeout_max_ms: max, .. } = self.limits;
        let is_good = (min..=max).contains(&request.session_timeout_ms);
        if is_good { Ok(()) } else { Err(GroupError::InvalidSessionTimeout) }
    }

    fn check_join(&self, request: &JoinRequest) -> Result<(), GroupError> {
        if request.group.is_empty() {
            return Err(GroupError::InvalidGroupId);
        }
        self.check_session(request)?;
        if !request.member_id.is_empty() && !self.groups.contains_key(&request.group) {
            return Err(GroupError::UnknownMember);
        }
        Ok(())
    }

    /// `SyncGroup`; the answer has the ticket.
    pub(crate) fn sync(&mut self, now_ms: i64, request: SyncRequest, ticket: Ticket) {
        let name = request.group.clone();
        match self.group_mut(&name) {
            Err(error) => self.answers.push((ticket, Answer::Synced(SyncAnswer::refused(error)))),
            Ok(group) => {
                group.sync(now_ms, request, ticket);
                self.parked.insert(ticket, name.clone());
                self.settle(&name);
            }
        }
    }

    fn group_mut(&mut self, name: &str) -> Result<&mut Group, GroupError> {
        if name.is_empty() {
            return Err(GroupError::InvalidGroupId);
        }
        self.groups.get_mut(name).ok_or(GroupError::UnknownMember)
    }

    /// `Heartbeat`.
    ///
    /// # Errors
    /// For other members and generations, and while the group rebalances.
    pub(crate) fn heartbeat(&mut self, now_ms: i64, claim: Claim<'_>) -> Result<(), GroupError> {
        let outcome = self.group_mut(claim.group)?.heartbeat(now_ms, claim);
        self.settle(claim.group);
        outcome
    }

    /// `LeaveGroup` with the member id and the instance id of each that leaves, and what becomes of it. Static members
    /// can be sent away by their instance id, with an empty member id.
    ///
    /// # Errors
    /// Without a group name.
    pub(crate) fn leave(
        &mut self,
        now_ms: i64,
        group: &str,
        members: &[(String, Option<String>)],
    ) -> Result<Vec<Result<(), GroupError>>, GroupError> {
        let limits = self.limits;
        let outcomes = match self.group_mut(group) {
            Ok(group) => {
                let leave = |(member_id, instance_id): &(String, Option<String>)| {
                    group.leave(now_ms, (member_id, instance_id.as_deref()), &limits)
                };
                members.iter().map(leave).collect()
            }
            Err(GroupError::InvalidGroupId) => return Err(GroupError::InvalidGroupId),
            Err(error) => vec![Err(error); members.len()],
        };
        self.settle(group);
        Ok(outcomes)
    }

    /// Whether `OffsetCommit` may store offsets; for a member it counts as a heartbeat. Commits from outside of the
    /// group have generation −1, and are good only while it has no members.
    ///
    /// # Errors
    /// For other members and generations, and while the assignment is being made.
    pub(crate) fn check_commit(&mut self, now_ms: i64, claim: Claim<'_>) -> Result<(), GroupError> {
        let Some(group) = self.groups.get_mut(claim.group) else {
            return Self::check_unknown_commit(claim);
        };
        let outcome = group.check_commit(now_ms, claim);
        self.settle(claim.group);
        outcome
    }

    /// Whether `TxnOffsetCommit` may store offsets.
    ///
    /// # Errors
    /// For other members and generations; clients that name neither are not checked.
    pub(crate) fn check_transactional_commit(&self, claim: Claim<'_>) -> Result<(), GroupError> {
        match self.groups.get(claim.group) {
            Some(group) => group.check_transactional_commit(claim),
            None => Self::check_unknown_commit(claim),
        }
    }

    fn check_unknown_commit(claim: Claim<'_>) -> Result<(), GroupError> {
        if claim.generation < 0 { Ok(()) } else { Err(GroupError::IllegalGeneration) }
    }

    /// When [`Coordinator::tick`] must be called at the latest. It may find nothing to do.
    pub(crate) fn next_deadline(&self) -> Option<i64> {
        self.timers.first().map(|(deadline_ms, _)| *deadline_ms)
    }

    /// Does what the clock demands: ends rebalances, and removes members that are silent.
    pub(crate) fn tick(&mut self, now_ms: i64) {
        let due = self.timers.iter().take_while(|(deadline_ms, _)| *deadline_ms <= now_ms);
        let due: Vec<String> = due.map(|(_, name)| name.clone()).collect();
        for name in due {
            if let Some(group) = self.groups.get_mut(&name) {
                group.expire(now_ms, &self.limits);
            }
            self.settle(&name);
        }
    }

    /// Takes the answers that are ready.
    pub(crate) fn take_answers(&mut self) -> Vec<(Ticket, Answer)> {
        std::mem::take(&mut self.answers)
    }

    /// Takes the names of the groups whose [`Coordinator::state`] has changed.
    pub(crate) fn take_changed(&mut self) -> BTreeSet<String> {
        std::mem::take(&mut self.changed)
    }

    /// The connection of a parked request is gone: its answer is not wanted any more. Its member goes at once if it
    /// cannot come back under its id, else its session runs from now.
    pub(crate) fn forget(&mut self, now_ms: i64, ticket: Ticket) {
        self.answers.retain(|(answered, _)| *answered != ticket);
        let Some(name) = self.parked.remove(&ticket) else { return };
        if let Some(group) = self.groups.get_mut(&name) {
            group.forget(ticket, now_ms, &self.limits);
        }
        self.settle(&name);
        self.answers.retain(|(answered, _)| *answered != ticket);
    }

    /// Deletes a group that [`Coordinator::may_delete`].
    ///
    /// # Errors
    /// For groups that have members or do not exist.
    pub(crate) fn delete(&mut self, group: &str) -> Result<(), GroupError> {
        self.may_delete(group)?;
        self.drop_group(group);
        Ok(())
    }

    /// Forgets a group that the other coordinator has taken over; its members are to join again there.
    pub(crate) fn hand_over(&mut self, name: &str) {
        if let Some(group) = self.groups.get_mut(name) {
            group.send_back();
        }
        self.settle(name);
        self.drop_group(name);
        self.changed.insert(name.to_owned());
    }

    fn drop_group(&mut self, name: &str) {
        if let Some(group) = self.groups.remove(name) {
            self.timers.remove(&(group.registered_ms, name.to_owned()));
        }
    }

    /// Takes over what a change of a group has brought about.
    fn settle(&mut self, name: &str) {
        let Some(group) = self.groups.get_mut(name) else { return };
        for (ticket, answer) in group.answers.drain(..) {
            self.parked.remove(&ticket);
            self.answers.push((ticket, answer));
        }
        if std::mem::take(&mut group.changed) {
            self.changed.insert(name.to_owned());
        }
        if group.is_void() {
            return self.drop_group(name);
        }
        if group.wake_ms != group.registered_ms {
            if group.registered_ms != NEVER {
                self.timers.remove(&(group.registered_ms, name.to_owned()));
            }
            if group.wake_ms != NEVER {
                self.timers.insert((group.wake_ms, name.to_owned()));
            }
            group.registered_ms = group.wake_ms;
        }
    }
}
