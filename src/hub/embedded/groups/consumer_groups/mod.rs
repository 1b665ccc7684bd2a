//! The coordinator of consumer groups whose members speak the new group protocol (KIP-848): the server assigns.
//!
//! A state machine without I/O and without a clock, beside the one of the classic protocol: time and topics come in,
//! and every request is answered at once. The caller
//!
//! 1. tells of every topic, and calls a method for each request, and [`ConsumerGroups::tick`] when
//!    [`ConsumerGroups::next_deadline`] has come,
//! 2. makes classic groups of those that [`ConsumerGroups::take_downgraded`] gives,
//! 3. stores what [`ConsumerGroups::take_changed`] names, and only then sends the answer: what a member was told holds
//!    after a restart.
//!
//! | a group is | when |
//! |---|---|
//! | `Empty` | it has no members |
//! | `Assigning` | members or topics have changed, and no member has been heard of since |
//! | `Reconciling` | members give up partitions, or wait for them |
//! | `Stable` | each member has what it is to have |
//!
//! Invariants: no partition is assigned to two members at once, epochs only rise while a group exists. Sources:
//! KIP-848; KIP-345 for static members.

mod assignor;
mod classic;
mod convert;
mod group;
mod heartbeat;
mod limits;
mod member;
mod partitions;
mod request;
mod stored;
mod subscription;
#[cfg(test)]
mod tests;
mod view;

use std::collections::{BTreeMap, BTreeSet};

pub(crate) use partitions::Partitions;
pub(crate) use request::{Beat, Heartbeat};
pub(crate) use stored::{StoredGroup, StoredMember};
use uuid::Uuid;
pub(crate) use view::{GroupView, NamedTopic};

use super::coordinator::{
    Claim, GroupError, JoinAnswer, JoinRequest, Limits, SyncAnswer, SyncRequest,
};
use group::Group;
use heartbeat::World;
use limits::{HEARTBEAT_MS, SESSION_MS};
use member::NEVER;
use partitions::Topics;

/// A group, or one of its members, of which something has changed that survives a restart.
pub(crate) type Changed = (String, Option<String>);

/// All groups of the new protocol.
///
/// Invariant: each group is in `timers` under the deadline that it has registered.
#[derive(Debug)]
pub(crate) struct ConsumerGroups {
    limits: Limits,
    topics: Topics,
    groups: BTreeMap<String, Group>,
    timers: BTreeSet<(i64, String)>,
    changed: BTreeSet<Changed>,
    /// Groups whose members are all classic.
    downgraded: BTreeSet<String>,
}

impl ConsumerGroups {
    /// No groups and no topics yet.
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            topics: Topics::default(),
            groups: BTreeMap::new(),
            timers: BTreeSet::new(),
            changed: BTreeSet::new(),
            downgraded: BTreeSet::new(),
        }
    }

    /// Takes in a topic with its id and number of partitions, or that it is gone. Groups look at it with the next
    /// heartbeat.
    pub(crate) fn set_topic(&mut self, name: &str, topic: Option<(Uuid, i32)>) {
        self.topics.set(name, topic);
        for group in self.groups.values_mut() {
            group.is_stale = true;
        }
    }

    /// Whether it is a group of the new protocol.
    pub(crate) fn has(&self, group: &str) -> bool {
        self.groups.contains_key(group)
    }

    /// Whether it is one with members.
    pub(crate) fn has_members(&self, group: &str) -> bool {
        self.groups.get(group).is_some_and(|group| !group.members.is_empty())
    }

    /// `ConsumerGroupHeartbeat`. A regular expression matches those topics that the member may see.
    ///
    /// # Errors
    /// For requests that make no sense, for other members and epochs, and for groups that do not exist when the member
    /// does not join.
    pub(crate) fn heartbeat(
        &mut self,
        now_ms: i64,
        beat: &Heartbeat,
        visible: &dyn Fn(&str) -> bool,
    ) -> Result<Beat, GroupError> {
        beat.check()?;
        let outcome = if beat.epoch < request::JOINS {
            let group = self.groups.get_mut(&beat.group).ok_or(GroupError::GroupIdNotFound)?;
            let told = |epoch| {
                let member_id = beat.member_id.clone();
                Beat { member_id, epoch, interval_ms: 0, assignment: None }
            };
            group.leave(beat).map(told)
        } else {
            if beat.epoch == request::JOINS && !self.has(&beat.group) {
                self.groups.insert(beat.group.clone(), Group::new());
            }
            let group = self.groups.get_mut(&beat.group).ok_or(GroupError::GroupIdNotFound)?;
            let world = World {
                topics: &self.topics,
                visible: Some(visible),
                group_size_max: self.limits.group_size_max,
            };
            group.beat(now_ms, beat, &world)
        };
        self.settle(&beat.group);
        outcome
    }

    /// Whether a heartbeat is good for anything, whatever group it is for.
    ///
    /// # Errors
    /// For requests that make no sense.
    pub(crate) fn check(beat: &Heartbeat) -> Result<(), GroupError> {
        beat.check()
    }

    /// `JoinGroup` to a group that has members of the new protocol.
    ///
    /// # Errors
    /// For other members, protocols that not all classic members support, and metadata that are no consumer's.
    pub(crate) fn join(
        &mut self,
        now_ms: i64,
        request: &JoinRequest,
        fresh_id: &str,
    ) -> Result<JoinAnswer, GroupError> {
        let group = self.groups.get_mut(&request.group).ok_or(GroupError::GroupIdNotFound)?;
        let world = World {
            topics: &self.topics,
            visible: None,
            group_size_max: self.limits.group_size_max,
        };
        let outcome = group.join(now_ms, request, fresh_id, &world);
        self.settle(&request.group);
        outcome
    }

    /// `SyncGroup` to such a group.
    ///
    /// # Errors
    /// For other members and generations, and when the member must join again.
    pub(crate) fn sync(
        &mut self,
        now_ms: i64,
        request: SyncRequest,
    ) -> Result<SyncAnswer, GroupError> {
        let name = request.group.clone();
        let group = self.groups.get_mut(&name).ok_or(GroupError::UnknownMember)?;
        let outcome = group.sync(now_ms, request, &self.topics);
        self.settle(&name);
        outcome
    }

    /// `Heartbeat` to such a group.
    ///
    /// # Errors
    /// For other members and generations, and when the member must join again.
    pub(crate) fn classic_heartbeat(
        &mut self,
        now_ms: i64,
        claim: Claim<'_>,
    ) -> Result<(), GroupError> {
        let group = self.groups.get_mut(claim.group).ok_or(GroupError::UnknownMember)?;
        let outcome = group.classic_beat(now_ms, claim);
        self.settle(claim.group);
        outcome
    }

    /// `LeaveGroup` to such a group, with the member id and the instance id of each that leaves.
    pub(crate) fn leave(
        &mut self,
        group: &str,
        members: &[(String, Option<String>)],
    ) -> Vec<Result<(), GroupError>> {
        let Some(known) = self.groups.get_mut(group) else {
            return vec![Err(GroupError::UnknownMember); members.len()];
        };
        let outcomes = known.leave_all(members);
        self.settle(group);
        outcomes
    }

    /// When [`ConsumerGroups::tick`] must be called at the latest. It may find nothing to do.
    pub(crate) fn next_deadline(&self) -> Option<i64> {
        self.timers.first().map(|(deadline_ms, _)| *deadline_ms)
    }

    /// Removes members that are silent, or late.
    pub(crate) fn tick(&mut self, now_ms: i64) {
        let due = self.timers.iter().take_while(|(deadline_ms, _)| *deadline_ms <= now_ms);
        let due: Vec<String> = due.map(|(_, name)| name.clone()).collect();
        for name in due {
            if let Some(group) = self.groups.get_mut(&name) {
                group.expire(now_ms);
            }
            self.settle(&name);
        }
    }

    /// Takes what has changed; what is not there any more is gone.
    pub(crate) fn take_changed(&mut self) -> BTreeSet<Changed> {
        std::mem::take(&mut self.changed)
    }

    /// Forgets a group, with the members that it has.
    pub(crate) fn drop_group(&mut self, name: &str) {
        self.take_group(name);
    }

    fn take_group(&mut self, name: &str) -> Option<Group> {
        let group = self.groups.remove(name)?;
        self.timers.remove(&(group.registered_ms, name.to_owned()));
        let members = group.members.keys().map(|member_id| Some(member_id.clone()));
        self.changed.extend(members.chain([None]).map(|part| (name.to_owned(), part)));
        Some(group)
    }

    /// Takes over what a change of a group has brought about.
    fn settle(&mut self, name: &str) {
        let Some(group) = self.groups.get_mut(name) else { return };
        if group.epoch == 0 && group.members.is_empty() {
            // Its first member was refused.
            self.take_group(name);
            return;
        }
        let members = std::mem::take(&mut group.changed_members).into_iter().map(Some);
        self.changed.extend(members.map(|part| (name.to_owned(), part)));
        if std::mem::take(&mut group.has_changed) {
            self.changed.insert((name.to_owned(), None));
        }
        if group.is_classic() {
            self.downgraded.insert(name.to_owned());
        } else {
            self.downgraded.remove(name);
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
