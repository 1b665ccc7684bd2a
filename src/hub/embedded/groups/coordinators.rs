//! Both coordinators of groups as one: the classic protocol and the new one (KIP-848).
//!
//! A group belongs to one of them. It goes from one to the other when a member of the new protocol joins a classic
//! group, when the last of them leaves, and when a classic member joins a new group without members.

use std::collections::{BTreeMap, BTreeSet};

use anabranch_record::TopicPartition;
use uuid::Uuid;

use super::consumer_groups::{
    Beat, ConsumerGroups, GroupView, Heartbeat, StoredGroup, StoredMember,
};
use super::coordinator::{
    Answer, Claim, Coordinator, Description, GroupError, JoinAnswer, JoinRequest, Limits,
    SyncAnswer, SyncRequest, Ticket,
};
use super::states::{Part, StateKey};

/// A group in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listed {
    /// Its name.
    pub(crate) name: String,
    /// What kind of members it has: `consumer`, `connect`; empty when that is not known.
    pub(crate) protocol_type: String,
    /// Kafka's name for its state.
    pub(crate) state: &'static str,
    /// Whether it speaks the new protocol.
    pub(crate) is_consumer: bool,
}

/// A group of the new protocol as it was stored, with its members.
type Restored = (Option<StoredGroup>, Vec<(String, StoredMember)>);

/// Both coordinators.
pub(crate) struct Coordinators {
    classic: Coordinator,
    consumer: ConsumerGroups,
    suffix: Box<dyn FnMut() -> String + Send>,
    answers: Vec<(Ticket, Answer)>,
}

impl Coordinators {
    /// Coordinators without groups. Ids that `suffix` gives never come again.
    pub(crate) fn new(limits: Limits, suffix: fn() -> String) -> Self {
        Self {
            classic: Coordinator::new(limits, suffix),
            consumer: ConsumerGroups::new(limits),
            suffix: Box::new(suffix),
            answers: Vec::new(),
        }
    }

    /// Takes in a topic with its id and number of partitions, or that it is gone.
    pub(crate) fn set_topic(&mut self, name: &str, topic: Option<(Uuid, i32)>) {
        self.consumer.set_topic(name, topic);
    }

    /// `ConsumerGroupHeartbeat`. A regular expression matches those topics that are `visible` to the member.
    ///
    /// # Errors
    /// As [`ConsumerGroups::heartbeat`] does, and for classic groups that cannot be moved to the new protocol.
    pub(crate) fn consumer_heartbeat(
        &mut self,
        now_ms: i64,
        mut beat: Heartbeat,
        visible: &dyn Fn(&str) -> bool,
    ) -> Result<Beat, GroupError> {
        if beat.epoch == 0 && !self.consumer.has(&beat.group) {
            ConsumerGroups::check(&beat)?;
            self.upgrade(now_ms, &beat.group)?;
        }
        if beat.epoch == 0 && beat.member_id.is_empty() {
            beat.member_id = (self.suffix)();
        }
        let outcome = self.consumer.heartbeat(now_ms, &beat, visible);
        self.downgrade(now_ms);
        outcome
    }

    /// Makes a classic group one of the new protocol; its members join again.
    fn upgrade(&mut self, now_ms: i64, group: &str) -> Result<(), GroupError> {
        let Some(state) = self.classic.whole_state(group) else { return Ok(()) };
        if !state.members.is_empty() {
            self.consumer.take_over(now_ms, &state)?;
        }
        self.classic.hand_over(group);
        Ok(())
    }

    /// Makes those groups classic again that have no member of the new protocol any more.
    fn downgrade(&mut self, now_ms: i64) {
        for state in self.consumer.take_downgraded() {
            self.classic.take_over(now_ms, state);
        }
    }

    /// `JoinGroup`; the answer has the ticket.
    pub(crate) fn join(&mut self, now_ms: i64, request: JoinRequest, ticket: Ticket) {
        if !self.consumer.has_members(&request.group) {
            self.consumer.drop_group(&request.group);
            return self.classic.join(now_ms, request, ticket);
        }
        let answer = match self.classic.check_session(&request) {
            Err(error) => JoinAnswer::refused(&request.member_id, error),
            Ok(()) => {
                let fresh_id = self.classic.fresh_id(&request);
                let joined = self.consumer.join(now_ms, &request, &fresh_id);
                joined.unwrap_or_else(|error| {
                    let is_told = error == GroupError::MemberIdRequired;
                    let id = if is_told { &fresh_id } else { &request.member_id };
                    JoinAnswer::refused(id, error)
                })
            }
        };
        self.answers.push((ticket, Answer::Joined(answer)));
        self.downgrade(now_ms);
    }

    /// `SyncGroup`; the answer has the ticket.
    pub(crate) fn sync(&mut self, now_ms: i64, request: SyncRequest, ticket: Ticket) {
        if !self.consumer.has(&request.group) {
            return self.classic.sync(now_ms, request, ticket);
        }
        let answer = self.consumer.sync(now_ms, request).unwrap_or_else(SyncAnswer::refused);
        self.answers.push((ticket, Answer::Synced(answer)));
    }

    /// `Heartbeat`.
    ///
    /// # Errors
    /// For other members and generations, and when the member must join again.
    pub(crate) fn heartbeat(&mut self, now_ms: i64, claim: Claim<'_>) -> Result<(), GroupError> {
        if self.consumer.has(claim.group) {
            self.consumer.classic_heartbeat(now_ms, claim)
        } else {
            self.classic.heartbeat(now_ms, claim)
        }
    }

    /// `LeaveGroup` with the member id and the instance id of each that leaves, and what becomes of it.
    ///
    /// # Errors
    /// Without a group name.
    pub(crate) fn leave(
        &mut self,
        now_ms: i64,
        group: &str,
        members: &[(String, Option<String>)],
    ) -> Result<Vec<Result<(), GroupError>>, GroupError> {
        if !self.consumer.has(group) {
            return self.classic.leave(now_ms, group, members);
        }
        let outcomes = self.consumer.leave(group, members);
        self.downgrade(now_ms);
        Ok(outcomes)
    }

    /// Whether `OffsetCommit` may store offsets of these partitions; a version that `knows_epochs` says a member's epoch.
    ///
    /// # Errors
    /// For other members, generations and epochs, and while an assignment is being made.
    pub(crate) fn check_commit(
        &mut self,
        now_ms: i64,
        claim: Claim<'_>,
        (places, knows_epochs): (&[TopicPartition], bool),
    ) -> Result<(), GroupError> {
        if self.consumer.has(claim.group) {
            self.consumer.check_commit(claim, places, knows_epochs)
        } else {
            self.classic.check_commit(now_ms, claim)
        }
    }

    /// Whether `TxnOffsetCommit` may store offsets of these partitions.
    ///
    /// # Errors
    /// For other members, generations and epochs; clients that name neither are not checked.
    pub(crate) fn check_transactional_commit(
        &self,
        claim: Claim<'_>,
        places: &[TopicPartition],
    ) -> Result<(), GroupError> {
        if self.consumer.has(claim.group) {
            self.consumer.check_transactional_commit(claim, places)
        } else {
            self.classic.check_transactional_commit(claim)
        }
    }

    /// Whether `OffsetFetch` may tell what a group has committed.
    ///
    /// # Errors
    /// For those that say that they are members and are not, or not in that epoch.
    pub(crate) fn check_fetch(
        &self,
        group: &str,
        member_id: Option<&str>,
        epoch: i32,
    ) -> Result<(), GroupError> {
        self.consumer.check_fetch(group, member_id, epoch)
    }

    /// When [`Coordinators::tick`] must be called at the latest. It may find nothing to do.
    pub(crate) fn next_deadline(&self) -> Option<i64> {
        let both = [self.classic.next_deadline(), self.consumer.next_deadline()];
        both.into_iter().flatten().min()
    }

    /// Does what the clock demands: ends rebalances, and removes members that are silent.
    pub(crate) fn tick(&mut self, now_ms: i64) {
        self.classic.tick(now_ms);
        self.consumer.tick(now_ms);
        self.downgrade(now_ms);
    }

    /// Takes the answers that are ready.
    pub(crate) fn take_answers(&mut self) -> Vec<(Ticket, Answer)> {
        let mut answers = self.classic.take_answers();
        answers.append(&mut self.answers);
        answers
    }

    /// The connection of a parked request is gone.
    pub(crate) fn forget(&mut self, now_ms: i64, ticket: Ticket) {
        self.classic.forget(now_ms, ticket);
    }

    /// Deletes a group that has no members.
    ///
    /// # Errors
    /// For groups that have members or do not exist.
    pub(crate) fn delete(&mut self, group: &str) -> Result<(), GroupError> {
        if !self.consumer.has(group) {
            return self.classic.delete(group);
        }
        self.consumer.may_delete(group)?;
        self.consumer.drop_group(group);
        Ok(())
    }

    /// Whether `OffsetDelete` may delete a group's offsets of a topic.
    ///
    /// # Errors
    /// As both coordinators say it.
    pub(crate) fn may_delete_offsets(&self, group: &str, topic: &str) -> Result<(), GroupError> {
        if self.consumer.has(group) {
            self.consumer.may_delete_offsets(group, topic)
        } else {
            self.classic.may_delete_offsets(group, topic)
        }
    }

    /// A classic group, if it exists.
    pub(crate) fn describe(&self, group: &str) -> Option<Description> {
        self.classic.describe(group)
    }

    /// A group of the new protocol, if it exists.
    pub(crate) fn describe_consumer(&self, group: &str) -> Option<GroupView> {
        self.consumer.describe(group)
    }

    /// Whether a group is known here: it has or had members.
    pub(crate) fn knows(&self, group: &str) -> bool {
        self.consumer.has(group) || self.classic.describe(group).is_some()
    }

    /// Whether a group has members.
    pub(crate) fn has_members(&self, group: &str) -> bool {
        let classic = || self.classic.describe(group).is_some_and(|one| !one.members.is_empty());
        self.consumer.has_members(group) || classic()
    }

    /// Every group, the classic ones first.
    pub(crate) fn list(&self) -> Vec<Listed> {
        let classic = self.classic.list().map(|(name, protocol_type, state)| Listed {
            name: name.to_owned(),
            protocol_type: protocol_type.to_owned(),
            state: state.name(),
            is_consumer: false,
        });
        let consumer = self.consumer.list().map(|(name, phase)| Listed {
            name: name.to_owned(),
            protocol_type: ConsumerGroups::protocol_type().to_owned(),
            state: phase.name(),
            is_consumer: true,
        });
        classic.chain(consumer).collect()
    }

    /// Takes what is to be stored so that a restart is no rebalance; `None`: it is gone. `is_kept` says of a member's
    /// address whether the classic group that it is in may be stored.
    pub(crate) fn take_changes(
        &mut self,
        is_kept: impl Fn(&str) -> bool,
    ) -> Vec<(StateKey, Option<Vec<u8>>)> {
        let mut changes = Vec::new();
        for group in self.classic.take_changed() {
            let state = match self.classic.state(&group) {
                // What was stored before stays good while it rebalances.
                None if self.classic.describe(&group).is_some() => continue,
                state => state,
            };
            let state = state.filter(|state| {
                let mut members = state.members.iter();
                !state.members.is_empty() && members.all(|member| is_kept(&member.client_host))
            });
            let state = state.and_then(|state| serde_json::to_vec(&state).ok());
            changes.push((StateKey { group, part: Part::Classic }, state));
        }
        for (group, member) in self.consumer.take_changed() {
            let (part, state) = match member {
                None => {
                    let stored = self.consumer.stored(&group);
                    (Part::Consumer, stored.and_then(|one| serde_json::to_vec(&one).ok()))
                }
                Some(member) => {
                    let stored = self.consumer.stored_member(&group, &member);
                    (Part::Member(member), stored.and_then(|one| serde_json::to_vec(&one).ok()))
                }
            };
            changes.push((StateKey { group, part }, state));
        }
        changes
    }

    /// Brings back what was stored, but for those members that have ended with the last life. Gives what cannot be
    /// read: its members join again.
    pub(crate) fn restore(
        &mut self,
        now_ms: i64,
        states: &BTreeMap<StateKey, Vec<u8>>,
        has_ended: impl Fn(&str) -> bool,
    ) -> Vec<serde_json::Error> {
        let mut errors = Vec::new();
        let mut consumer: BTreeMap<&str, Restored> = BTreeMap::new();
        let mut classic = BTreeSet::new();
        for (StateKey { group, part }, state) in states {
            let known = consumer.entry(group).or_default();
            let read = match part {
                Part::Classic => serde_json::from_slice(state).map(|state| {
                    classic.insert(group.as_str());
                    self.classic.restore(now_ms, state);
                }),
                Part::Consumer => {
                    serde_json::from_slice(state).map(|stored| known.0 = Some(stored))
                }
                Part::Member(member) => serde_json::from_slice(state)
                    .map(|stored| known.1.push((member.clone(), stored))),
            };
            errors.extend(read.err());
        }
        for (name, (stored, members)) in consumer {
            let Some(stored) = stored else { continue };
            if !classic.contains(name) {
                self.consumer.restore(now_ms, (name, &stored), members, &has_ended);
            }
        }
        self.downgrade(now_ms);
        errors
    }
}
