//! One member of a group: what it said of itself, what it waits for, and when its session ends.

use std::collections::BTreeSet;

use super::{JoinRequest, Ticket};

/// A deadline that never comes.
pub(super) const NEVER: i64 = i64::MAX;

/// A member of a group.
///
/// Invariant: its deadline is [`NEVER`] only while a request of it is parked.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) instance_id: Option<String>,
    pub(super) client_id: String,
    pub(super) client_host: String,
    pub(super) session_timeout_ms: i32,
    pub(super) rebalance_timeout_ms: i32,
    pub(super) protocols: Vec<(String, Vec<u8>)>,
    pub(super) assignment: Vec<u8>,
    /// Its parked `JoinGroup`.
    pub(super) join: Option<Ticket>,
    /// Its parked `SyncGroup`.
    pub(super) sync: Option<Ticket>,
    /// Whether its first `JoinGroup` is not answered yet; its session timeout does not count until then.
    pub(super) is_new: bool,
    /// Whether the client can come back as this member when its connection breaks.
    pub(super) can_return: bool,
    /// Whether it has joined the generation and not asked for its assignment yet.
    pub(super) owes_sync: bool,
    /// When it is removed.
    pub(super) deadline_ms: i64,
}

impl Member {
    /// A member that joins for the first time.
    pub(super) fn new(request: JoinRequest, ticket: Ticket, deadline_ms: i64) -> Self {
        Self {
            can_return: !request.member_id.is_empty() || request.instance_id.is_some(),
            instance_id: request.instance_id,
            client_id: request.client_id,
            client_host: request.client_host,
            session_timeout_ms: request.session_timeout_ms,
            rebalance_timeout_ms: request.rebalance_timeout_ms,
            protocols: request.protocols,
            assignment: Vec::new(),
            join: Some(ticket),
            sync: None,
            is_new: true,
            owes_sync: false,
            deadline_ms,
        }
    }

    /// Whether a request of it waits for an answer.
    pub(super) fn is_parked(&self) -> bool {
        self.join.is_some() || self.sync.is_some()
    }

    /// Its session begins anew; the answer is when it ends.
    pub(super) fn touch(&mut self, now_ms: i64) -> i64 {
        self.deadline_ms = now_ms.saturating_add(i64::from(self.session_timeout_ms));
        self.deadline_ms
    }

    /// The names of its protocols, each once.
    pub(super) fn names(&self) -> BTreeSet<&str> {
        names(&self.protocols)
    }

    /// Its metadata for a protocol.
    pub(super) fn metadata(&self, protocol: &str) -> &[u8] {
        let found = self.protocols.iter().find(|(name, _)| name == protocol);
        found.map_or(&[], |(_, metadata)| metadata)
    }
}

/// The names of protocols, each once.
pub(super) fn names(protocols: &[(String, Vec<u8>)]) -> BTreeSet<&str> {
    protocols.iter().map(|(name, _)| name.as_str()).collect()
}
