//! One consumer group: its members, its epochs, and who has which partition.
//!
//! The group's epoch rises with every change of members or topics. The assignment's epoch follows with the next
//! heartbeat, when the assignor has been asked; each member's own follows when it has given up what it must.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

use uuid::Uuid;

use super::assignor::{Assignor, Subscriber};
use super::member::{Deadlines, Goal, Member, NEVER, State};
use super::partitions::{Partitions, Topics};
use super::subscription::{Resolved, fingerprint};

/// The epoch of a group with its first member.
const FIRST_EPOCH: i32 = 2;

/// Where a group is on its way to an assignment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GroupPhase {
    /// It has no members.
    Empty,
    /// Its members or topics have changed, and the assignor has not been asked yet.
    Assigning,
    /// Members give up and take over partitions.
    Reconciling,
    /// Every member has what it is to have.
    Stable,
}

impl GroupPhase {
    /// Kafka's name for it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::Assigning => "Assigning",
            Self::Reconciling => "Reconciling",
            Self::Stable => "Stable",
        }
    }
}

/// A group.
///
/// Invariants: epochs only rise; each assigned or revoked partition has its one owner in `owners`; each member has its
/// deadlines; `wake_ms` is not after the earliest of them.
#[derive(Debug, Default)]
pub(super) struct Group {
    pub(super) epoch: i32,
    pub(super) assignment_epoch: i32,
    pub(super) members: BTreeMap<String, Member>,
    /// The member id of each instance id.
    pub(super) instances: HashMap<String, String>,
    pub(super) deadlines: HashMap<String, Deadlines>,
    /// Who has a partition, or has not given it up yet.
    owners: HashMap<(Uuid, i32), String>,
    pub(super) regexes: BTreeMap<String, Resolved>,
    /// The topics that its epoch is of, as a hash.
    pub(super) fingerprint: u64,
    /// Whether topics have changed since they were looked at.
    pub(super) is_stale: bool,
    pub(super) wake_ms: i64,
    /// The deadline that the coordinator knows.
    pub(super) registered_ms: i64,
    /// The members that have changed in what survives a restart.
    pub(super) changed_members: BTreeSet<String>,
    /// Whether the group itself has.
    pub(super) has_changed: bool,
}

impl Group {
    /// A group without members.
    pub(super) fn new() -> Self {
        Self { wake_ms: NEVER, registered_ms: NEVER, ..Self::default() }
    }

    /// Where it is.
    pub(super) fn phase(&self) -> GroupPhase {
        if self.members.is_empty() {
            GroupPhase::Empty
        } else if self.epoch > self.assignment_epoch {
            GroupPhase::Assigning
        } else if self.members.values().all(|member| member.has_reached(self.assignment_epoch)) {
            GroupPhase::Stable
        } else {
            GroupPhase::Reconciling
        }
    }

    /// Whether it has members, all of them of the classic protocol.
    pub(super) fn is_classic(&self) -> bool {
        !self.members.is_empty() && self.members.values().all(|member| member.classic.is_some())
    }

    /// The assignor that most members want; the default one when nobody wants one.
    pub(super) fn assignor(&self) -> Assignor {
        let mut votes: BTreeMap<Assignor, usize> = BTreeMap::new();
        for assignor in self.members.values().filter_map(|member| member.assignor) {
            *votes.entry(assignor).or_default() += 1;
        }
        votes.into_iter().max_by_key(|(_, count)| *count).map(|(one, _)| one).unwrap_or_default()
    }

    /// Changes when a member is removed.
    pub(super) fn set_deadlines(&mut self, member_id: &str, change: impl FnOnce(&mut Deadlines)) {
        let deadlines = self.deadlines.entry(member_id.to_owned()).or_default();
        change(deadlines);
        self.wake_ms = self.wake_ms.min(deadlines.first());
    }

    /// The epoch rises. As in Kafka 4.3 the first one is 2.
    pub(super) fn bump(&mut self) {
        self.epoch = if self.epoch == 0 { FIRST_EPOCH } else { self.epoch.saturating_add(1) };
        self.has_changed = true;
    }

    /// Adds a member, or replaces it by what it is now.
    pub(super) fn put(&mut self, member_id: &str, member: Member) {
        if let Some(before) = self.members.remove(member_id) {
            self.disown(member_id, &before);
        }
        for place in member.assigned.iter().chain(member.revoking.iter()) {
            self.owners.insert(place, member_id.to_owned());
        }
        if let Some(instance_id) = &member.instance_id {
            self.instances.insert(instance_id.clone(), member_id.to_owned());
        }
        self.changed_members.insert(member_id.to_owned());
        self.members.insert(member_id.to_owned(), member);
    }

    /// Takes a member out. What it had is free.
    pub(super) fn take(&mut self, member_id: &str) -> Option<Member> {
        let member = self.members.remove(member_id)?;
        self.deadlines.remove(member_id);
        self.disown(member_id, &member);
        if let Some(instance_id) = &member.instance_id
            && self.instances.get(instance_id).is_some_and(|current| current == member_id)
        {
            self.instances.remove(instance_id);
        }
        self.changed_members.insert(member_id.to_owned());
        Some(member)
    }

    fn disown(&mut self, member_id: &str, member: &Member) {
        for place in member.assigned.iter().chain(member.revoking.iter()) {
            if self.owners.get(&place).is_some_and(|owner| owner == member_id) {
                self.owners.remove(&place);
            }
        }
    }

    /// Removes members; the others share what they had with the next heartbeat.
    pub(super) fn remove(&mut self, member_ids: &[String]) {
        let mut some = false;
        for member_id in member_ids {
            some |= self.take(member_id).is_some();
        }
        if some {
            self.forget_regexes();
            self.bump();
        }
    }

    /// Forgets the regular expressions that nobody is subscribed to any more.
    pub(super) fn forget_regexes(&mut self) {
        let used = |regex: &String| {
            self.members.values().any(|member| member.regex.as_ref() == Some(regex))
        };
        let unused: Vec<String> =
            self.regexes.keys().filter(|regex| !used(regex)).cloned().collect();
        for regex in unused {
            self.regexes.remove(&regex);
        }
    }

    /// The names of the topics that a member is subscribed to, whether they exist or not.
    pub(super) fn subscription<'a>(&'a self, member: &'a Member) -> BTreeSet<&'a str> {
        let resolved = member.regex.as_ref().and_then(|regex| self.regexes.get(regex));
        let matching = resolved.into_iter().flat_map(|resolved| &resolved.topics);
        member.topics.iter().chain(matching).map(String::as_str).collect()
    }

    /// Whether a member is subscribed to a topic.
    pub(super) fn reads(&self, topic: &str) -> bool {
        self.members.values().any(|member| self.subscription(member).contains(topic))
    }

    /// The ids of the topics that a member is subscribed to and that exist.
    fn subscribed(&self, member: &Member, topics: &Topics) -> BTreeSet<Uuid> {
        let names = self.subscription(member);
        names.into_iter().filter_map(|name| topics.get(name)).map(|(id, _)| id).collect()
    }

    /// Looks at the topics again; the epoch rises if they are others than before, or if `must_bump`.
    pub(super) fn refresh(&mut self, topics: &Topics, must_bump: bool) {
        let names: BTreeSet<&str> =
            self.members.values().flat_map(|member| self.subscription(member)).collect();
        let fingerprint = fingerprint(&names, topics);
        if must_bump || fingerprint != self.fingerprint {
            self.fingerprint = fingerprint;
            self.bump();
        }
    }

    /// Asks the assignor, if the epoch has risen since.
    pub(super) fn assign(&mut self, topics: &Topics) {
        if self.epoch <= self.assignment_epoch {
            return;
        }
        let mut counts = BTreeMap::new();
        // Members that subscribe alike share the set.
        let mut known: HashMap<_, Rc<BTreeSet<Uuid>>> = HashMap::new();
        let mut subscribers = Vec::with_capacity(self.members.len());
        for (member_id, member) in &self.members {
            let key = (&member.topics, &member.regex);
            let subscribed =
                known.entry(key).or_insert_with(|| Rc::new(self.subscribed(member, topics)));
            for name in self.subscription(member) {
                counts.extend(topics.get(name));
            }
            subscribers.push(Subscriber {
                member_id,
                instance_id: member.instance_id.as_deref(),
                topics: Rc::clone(subscribed),
                has: &member.target,
            });
        }
        let shares = self.assignor().assign(&subscribers, &counts);
        for ((member_id, member), share) in self.members.iter_mut().zip(shares) {
            if member.target != share {
                member.target = share;
                self.changed_members.insert(member_id.clone());
            }
        }
        self.assignment_epoch = self.epoch;
        self.has_changed = true;
    }

    /// Brings a member nearer to its target; it says what it owns, if it does.
    pub(super) fn reconcile(
        &mut self,
        now_ms: i64,
        member_id: &str,
        owned: Option<&Partitions>,
        (topics, has_changed): (&Topics, bool),
    ) {
        let Some(before) = self.members.get(member_id) else { return };
        let subscribed = self.subscribed(before, topics);
        let is_free = |topic, number| !self.owners.contains_key(&(topic, number));
        let goal = Goal {
            epoch: self.assignment_epoch,
            subscribed: &subscribed,
            is_free: &is_free,
            owned,
            has_changed,
        };
        let mut member = before.clone();
        member.advance(&goal);
        if member == *before {
            return;
        }
        // Members of the classic protocol have other deadlines.
        if member.classic.is_none() {
            let timeout_ms = i64::from(member.rebalance_timeout_ms.max(0));
            let deadline_ms = match member.state {
                State::Unrevoked => now_ms.saturating_add(timeout_ms),
                State::Stable | State::Unreleased => NEVER,
            };
            self.set_deadlines(member_id, |deadlines| deadlines.rebalance_ms = deadline_ms);
        }
        self.put(member_id, member);
    }

    /// Whether a member still waits for a partition that somebody else has.
    pub(super) fn waits_for_others(&self, member_id: &str) -> bool {
        let Some(member) = self.members.get(member_id) else { return false };
        member.target.iter().any(|place| {
            !member.assigned.contains(place.0, place.1)
                && self.owners.get(&place).is_some_and(|owner| owner != member_id)
        })
    }

    /// Does what the clock demands, and finds the next deadline.
    pub(super) fn expire(&mut self, now_ms: i64) {
        let late = self.deadlines.iter().filter(|(_, deadlines)| deadlines.first() <= now_ms);
        let late: Vec<String> = late.map(|(member_id, _)| member_id.clone()).collect();
        self.remove(&late);
        self.wake_ms = self.deadlines.values().map(Deadlines::first).min().unwrap_or(NEVER);
    }

    /// Who has a partition.
    pub(super) fn owner(&self, topic: Uuid, number: i32) -> Option<&str> {
        self.owners.get(&(topic, number)).map(String::as_str)
    }
}
