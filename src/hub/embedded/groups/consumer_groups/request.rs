//! What a member of the new protocol says with each heartbeat, and what it is told.

use super::assignor::Assignor;
use super::partitions::Partitions;
use crate::hub::embedded::groups::coordinator::GroupError;

/// The epoch of a member that joins.
pub(super) const JOINS: i32 = 0;
/// The epoch of a member that leaves.
pub(super) const LEAVES: i32 = -1;
/// The epoch of a static member that will be back.
pub(super) const LEAVES_FOR_A_WHILE: i32 = -2;

/// A `ConsumerGroupHeartbeat` request; what is `None` has not changed since the one before.
#[derive(Debug, Clone)]
pub(crate) struct Heartbeat {
    /// The group's name.
    pub(crate) group: String,
    /// The member's id; before version 1 one that joins may have none.
    pub(crate) member_id: String,
    /// The member's epoch, or what it wants: 0 to join, −1 to leave, −2 to leave for a while.
    pub(crate) epoch: i32,
    /// The instance id of a static member.
    pub(crate) instance_id: Option<String>,
    /// Where the member runs.
    pub(crate) rack_id: Option<String>,
    /// How many milliseconds the member may take to give partitions up; −1: not told.
    pub(crate) rebalance_timeout_ms: i32,
    /// The topics that it is subscribed to by their names.
    pub(crate) topics: Option<Vec<String>>,
    /// The regular expression of the topics that it is subscribed to; empty for none.
    pub(crate) regex: Option<String>,
    /// The name of the assignor that it prefers.
    pub(crate) assignor: Option<String>,
    /// The partitions that it has.
    pub(crate) owned: Option<Partitions>,
    /// The client id of the request's header.
    pub(crate) client_id: String,
    /// The client's address.
    pub(crate) client_host: String,
    /// Whether the member makes its own id (versions from 1).
    pub(crate) has_own_id: bool,
}

/// The answer to a heartbeat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Beat {
    /// The member's id.
    pub(crate) member_id: String,
    /// The member's epoch.
    pub(crate) epoch: i32,
    /// After how many milliseconds the next heartbeat is due.
    pub(crate) interval_ms: i32,
    /// What the member is to have; `None`: as before.
    pub(crate) assignment: Option<Partitions>,
}

fn is_blank(text: Option<&String>) -> bool {
    text.is_some_and(|text| text.trim().is_empty())
}

impl Heartbeat {
    /// Whether it makes sense, in Kafka's order.
    ///
    /// # Errors
    /// [`GroupError::InvalidRequest`] and [`GroupError::UnsupportedAssignor`].
    pub(super) fn check(&self) -> Result<(), GroupError> {
        let must_have_id = self.has_own_id || self.epoch > JOINS || self.epoch == LEAVES;
        let problem = if must_have_id && is_blank(Some(&self.member_id)) {
            "the member id is empty"
        } else if is_blank(Some(&self.group)) {
            "the group id is empty"
        } else if is_blank(self.instance_id.as_ref()) {
            "the instance id is empty"
        } else if is_blank(self.rack_id.as_ref()) {
            "the rack id is empty"
        } else if self.epoch == JOINS && self.rebalance_timeout_ms == -1 {
            "a member joins without a rebalance timeout"
        } else if self.epoch == JOINS && self.owned.as_ref().is_none_or(|owned| !owned.is_empty()) {
            "a member joins without an empty list of owned partitions"
        } else if self.epoch == JOINS && self.topics.is_none() && self.regex.is_none() {
            "a member joins without topics and without a regular expression"
        } else if self.epoch == LEAVES_FOR_A_WHILE && self.instance_id.is_none() {
            "a member without an instance id leaves for a while"
        } else if self.epoch < LEAVES_FOR_A_WHILE {
            "the member epoch is below -2"
        } else {
            let known = self.assignor.as_deref().is_none_or(|name| Assignor::named(name).is_some());
            return if known { Ok(()) } else { Err(GroupError::UnsupportedAssignor) };
        };
        Err(GroupError::InvalidRequest(problem))
    }

    /// Whether it has all that a member has to say: then it is told all as well.
    pub(super) const fn is_full(&self) -> bool {
        let subscribes = self.topics.is_some() || self.regex.is_some();
        self.rebalance_timeout_ms != -1 && subscribes && self.owned.is_some()
    }
}
