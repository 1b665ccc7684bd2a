//! What members ask of the coordinator, and what it answers.

use super::GroupError;

/// Names a `JoinGroup` or `SyncGroup` request until it is answered. The caller never gives the same twice.
pub(crate) type Ticket = u64;

/// The opaque assignment of each member's id.
pub(crate) type Assignments = Vec<(String, Vec<u8>)>;

/// A `JoinGroup` request.
#[derive(Debug, Clone)]
pub(crate) struct JoinRequest {
    /// The group's name.
    pub(crate) group: String,
    /// The member's id; empty for one that has none yet.
    pub(crate) member_id: String,
    /// The instance id of a static member.
    pub(crate) instance_id: Option<String>,
    /// The client id of the request's header.
    pub(crate) client_id: String,
    /// The client's address.
    pub(crate) client_host: String,
    /// What kind of group it is: `consumer`, `connect`.
    pub(crate) protocol_type: String,
    /// The protocols that the member supports, the preferred one first, each with its opaque metadata.
    pub(crate) protocols: Vec<(String, Vec<u8>)>,
    /// After how many milliseconds without a heartbeat the member is removed.
    pub(crate) session_timeout_ms: i32,
    /// How many milliseconds the member may take to join a rebalance. Before version 1: the session timeout.
    pub(crate) rebalance_timeout_ms: i32,
    /// Whether a member without an id gets one first, and joins with it then (versions from 4).
    pub(crate) requires_known_member: bool,
    /// Whether a leader can be told not to assign (versions from 9).
    pub(crate) supports_skipping_assignment: bool,
}

/// A `SyncGroup` request.
#[derive(Debug, Clone)]
pub(crate) struct SyncRequest {
    /// The group's name.
    pub(crate) group: String,
    /// The member's id.
    pub(crate) member_id: String,
    /// The instance id of a static member.
    pub(crate) instance_id: Option<String>,
    /// The generation that the member joined.
    pub(crate) generation: i32,
    /// The protocol type that the member expects (versions from 5).
    pub(crate) protocol_type: Option<String>,
    /// The protocol that the member expects (versions from 5).
    pub(crate) protocol: Option<String>,
    /// The assignments; only from the leader.
    pub(crate) assignments: Assignments,
}

/// Who a heartbeat or a commit says that it is from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Claim<'a> {
    /// The group's name.
    pub(crate) group: &'a str,
    /// The generation; negative for commits from outside of the group.
    pub(crate) generation: i32,
    /// The member's id; empty for commits from outside of the group.
    pub(crate) member_id: &'a str,
    /// The instance id of a static member.
    pub(crate) instance_id: Option<&'a str>,
}

/// The answer to a `JoinGroup` request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct JoinAnswer {
    /// Why it is refused.
    pub(crate) error: Option<GroupError>,
    /// The generation; −1 when refused.
    pub(crate) generation: i32,
    /// What kind of group it is.
    pub(crate) protocol_type: Option<String>,
    /// The protocol that all members support.
    pub(crate) protocol: Option<String>,
    /// The leader's member id; empty when refused.
    pub(crate) leader: String,
    /// The member's id.
    pub(crate) member_id: String,
    /// For the leader only: each member's id, instance id and metadata of the chosen protocol.
    pub(crate) members: Vec<(String, Option<String>, Vec<u8>)>,
    /// Whether the leader must not assign, because the assignment of this generation stands.
    pub(crate) skip_assignment: bool,
}

impl JoinAnswer {
    /// A refusal.
    pub(crate) fn refused(member_id: &str, error: GroupError) -> Self {
        Self {
            error: Some(error),
            generation: -1,
            protocol_type: None,
            protocol: None,
            leader: String::new(),
            member_id: member_id.to_owned(),
            members: Vec::new(),
            skip_assignment: false,
        }
    }
}

/// The answer to a `SyncGroup` request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SyncAnswer {
    /// Why it is refused.
    pub(crate) error: Option<GroupError>,
    /// What kind of group it is.
    pub(crate) protocol_type: Option<String>,
    /// The protocol of the generation.
    pub(crate) protocol: Option<String>,
    /// The member's opaque assignment.
    pub(crate) assignment: Vec<u8>,
}

impl SyncAnswer {
    /// A refusal.
    pub(crate) fn refused(error: GroupError) -> Self {
        Self { error: Some(error), protocol_type: None, protocol: None, assignment: Vec::new() }
    }
}

/// The answer to a request that has a ticket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// To `JoinGroup`.
    Joined(JoinAnswer),
    /// To `SyncGroup`.
    Synced(SyncAnswer),
}
