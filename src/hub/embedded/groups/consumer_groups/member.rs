//! One member of a consumer group, and its way from what it has to what it is to have.
//!
//! | state | goes on when |
//! |---|---|
//! | `Stable` | the group has a new assignment: it gives up what it must first, else it takes what is free |
//! | `Unrevoked` | it does not own any more what it was to give up |
//! | `Unreleased` | others have given up what it is to get |

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::assignor::Assignor;
use super::partitions::Partitions;

/// A deadline that never comes.
pub(super) const NEVER: i64 = i64::MAX;

/// Where a member is between two assignments.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum State {
    /// It has what it is to have, as of its epoch.
    #[default]
    Stable,
    /// It is to give partitions up and has not said yet that it did.
    Unrevoked,
    /// It waits for partitions that others still have.
    Unreleased,
}

/// What makes a member one of the classic protocol.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Classic {
    pub(super) session_timeout_ms: i32,
    /// The protocols that it supports, with their opaque metadata.
    pub(super) protocols: Vec<(String, Vec<u8>)>,
}

/// A member.
///
/// Invariant: nobody else has a partition that is in `assigned` or `revoking`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) instance_id: Option<String>,
    pub(super) rack_id: Option<String>,
    pub(super) client_id: String,
    pub(super) client_host: String,
    pub(super) rebalance_timeout_ms: i32,
    pub(super) topics: BTreeSet<String>,
    pub(super) regex: Option<String>,
    pub(super) assignor: Option<Assignor>,
    pub(super) classic: Option<Classic>,
    pub(super) epoch: i32,
    pub(super) previous_epoch: i32,
    pub(super) state: State,
    /// What it has, and may use.
    pub(super) assigned: Partitions,
    /// What it is to give up.
    pub(super) revoking: Partitions,
    /// The epoch in which it got each of them.
    pub(super) since: BTreeMap<(Uuid, i32), i32>,
    /// What the assignor wants it to have.
    pub(super) target: Partitions,
}

/// When a member is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Deadlines {
    /// It has not been heard of.
    pub(super) session_ms: i64,
    /// It does not give up its partitions, or, as a classic member, does not join again.
    pub(super) rebalance_ms: i64,
    /// A classic member does not ask for its assignment.
    pub(super) sync_ms: i64,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self { session_ms: NEVER, rebalance_ms: NEVER, sync_ms: NEVER }
    }
}

impl Deadlines {
    /// The first of them.
    pub(super) fn first(&self) -> i64 {
        self.session_ms.min(self.rebalance_ms).min(self.sync_ms)
    }
}

/// What a member is brought nearer to.
pub(super) struct Goal<'a> {
    /// The epoch of the assignment.
    pub(super) epoch: i32,
    /// The topics that the member reads and that exist.
    pub(super) subscribed: &'a BTreeSet<Uuid>,
    /// Whether nobody has a partition.
    pub(super) is_free: &'a dyn Fn(Uuid, i32) -> bool,
    /// What the member says that it has, if it says so.
    pub(super) owned: Option<&'a Partitions>,
    /// Whether its subscription has just changed: then it gives up what it does not read any more, whatever else.
    pub(super) has_changed: bool,
}

impl Goal<'_> {
    /// Whether the member may still have some of these partitions.
    fn may_own(&self, partitions: &Partitions) -> bool {
        self.owned.is_none_or(|owned| owned.intersects(partitions))
    }
}

impl Member {
    /// Whether it has all that an assignment gives it.
    pub(super) fn has_reached(&self, epoch: i32) -> bool {
        self.state == State::Stable && self.epoch == epoch
    }

    /// Goes as far towards its target as the others allow.
    pub(super) fn advance(&mut self, goal: &Goal<'_>) {
        match self.state {
            State::Stable if self.epoch != goal.epoch => self.step(goal),
            State::Unrevoked if goal.may_own(&self.revoking) => {
                if goal.has_changed {
                    self.drop_unsubscribed(goal);
                }
            }
            State::Unrevoked | State::Unreleased => self.step(goal),
            State::Stable => {
                if goal.has_changed {
                    self.drop_unsubscribed(goal);
                }
            }
        }
    }

    /// The epoch is the goal's once there is nothing to give up any more.
    fn step(&mut self, goal: &Goal<'_>) {
        let is_wanted = |place: &(Uuid, i32)| goal.subscribed.contains(&place.0);
        let wanted: Partitions = self.target.iter().filter(is_wanted).collect();
        let (kept, given): (Vec<_>, Vec<_>) =
            self.assigned.iter().partition(|(topic, number)| wanted.contains(*topic, *number));
        let mut kept: Partitions = kept.into_iter().collect();
        let given: Partitions = given.into_iter().collect();
        if !given.is_empty() && goal.may_own(&given) {
            self.state = State::Unrevoked;
            self.previous_epoch = self.epoch;
            self.assigned = kept;
            self.revoking = given;
            return;
        }
        let mut waits = false;
        for (topic, number) in wanted.iter() {
            if kept.contains(topic, number) {
                continue;
            }
            // What it was to give up is its own until now.
            let is_own = self.revoking.contains(topic, number);
            if is_own || (goal.is_free)(topic, number) {
                kept.insert(topic, number);
                self.since.insert((topic, number), goal.epoch);
            } else {
                waits = true;
            }
        }
        self.state = if waits { State::Unreleased } else { State::Stable };
        self.previous_epoch = self.epoch;
        self.epoch = goal.epoch;
        self.assigned = kept;
        self.revoking = Partitions::default();
        self.forget_epochs();
    }

    /// Forgets in which epochs it got what it has no more.
    fn forget_epochs(&mut self) {
        let (assigned, revoking) = (&self.assigned, &self.revoking);
        self.since.retain(|(topic, number), _| {
            assigned.contains(*topic, *number) || revoking.contains(*topic, *number)
        });
    }

    /// Whether it had a partition in that epoch already, and has it still. What it has read in an older epoch is as
    /// good as what it reads now (KIP-1251).
    pub(super) fn had(&self, place: (Uuid, i32), epoch: i32) -> bool {
        self.since.get(&place).is_some_and(|since| *since <= epoch)
    }

    fn drop_unsubscribed(&mut self, goal: &Goal<'_>) {
        let (kept, given): (Vec<_>, Vec<_>) =
            self.assigned.iter().partition(|(topic, _)| goal.subscribed.contains(topic));
        if given.is_empty() {
            return;
        }
        self.previous_epoch = self.epoch;
        self.assigned = kept.into_iter().collect();
        let revoking: Partitions = self.revoking.iter().chain(given).collect();
        if goal.may_own(&revoking) {
            self.state = State::Unrevoked;
            self.revoking = revoking;
        }
        self.forget_epochs();
    }
}
