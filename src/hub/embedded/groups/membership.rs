//! A consumer of this process as a member of its group, beside members on the socket: Kafka's classic group protocol
//! with the coordinator at hand.
//!
//! Its session does not end while it lives: a sink may write for hours. While others wait for it in a rebalance it has
//! [`REBALANCE_MS`], then they go on without it, and it comes back when it is done.

use std::collections::BTreeMap;
use std::sync::Arc;

use anabranch_record::TopicPartition;

use super::coordinator::{
    Assignment, Assignor, Claim, GroupError, JoinRequest, Subscription, SyncRequest, assign_group,
};
use super::members::IN_PROCESS;
use crate::hub::HubError;
use crate::hub::embedded::Shared;

/// How long others wait for a member of this process that is busy, ms: longer than a sink waits for an answer, unless it
/// is told to.
const REBALANCE_MS: i32 = 90_000;
/// Sessions are kept alive by the hub's own thread.
const SESSION_MS: i32 = 60_000;

/// The assignors that it knows, the preferred one first.
const ASSIGNORS: [Assignor; 2] = [Assignor::RoundRobin, Assignor::Range];

/// Topics and how many partitions each has.
pub(crate) type Counts = BTreeMap<String, i32>;

/// One member.
pub(crate) struct Membership {
    shared: Arc<Shared>,
    group: String,
    member_id: String,
    generation: i32,
}

impl Membership {
    pub(crate) const fn new(shared: Arc<Shared>, group: String) -> Self {
        Self { shared, group, member_id: String::new(), generation: -1 }
    }

    /// Whether it has a place in the present generation, as far as it knows.
    pub(crate) const fn has_joined(&self) -> bool {
        self.generation >= 0
    }

    fn claim(&self) -> Claim<'_> {
        Claim {
            group: &self.group,
            generation: self.generation,
            member_id: &self.member_id,
            instance_id: None,
        }
    }

    /// Whether the group is to be joined again.
    pub(crate) fn must_rejoin(&self) -> bool {
        let claim = self.claim();
        self.shared.members.ask(|coordinator, now| coordinator.heartbeat(now, claim)).is_err()
    }

    /// Whether it may commit offsets.
    ///
    /// # Errors
    /// [`HubError::Moved`] when its partitions may be others' by now.
    pub(crate) fn may_commit(&self) -> Result<(), HubError> {
        let claim = self.claim();
        let allowed = self
            .shared
            .members
            .ask(|coordinator, now| coordinator.check_commit(now, claim, (&[], false)));
        allowed.map_err(|error| HubError::Moved(format!("group {}: {error}", self.group)))
    }

    /// Joins the group, or joins it again, and waits for what is assigned to it. Cancel safe.
    ///
    /// # Errors
    /// [`HubError::NotNow`] when the group cannot be joined: its members speak another protocol.
    pub(crate) async fn join(&mut self, topics: &Counts) -> Result<Vec<TopicPartition>, HubError> {
        let failed = |error: GroupError, group: &str| {
            HubError::NotNow(format!("group {group} cannot be joined: {error}"))
        };
        loop {
            self.generation = -1;
            let joined = self.shared.members.join_here(self.request(topics)?).await;
            let Some(joined) = joined else { return Err(HubError::closing()) };
            match joined.error {
                None => {}
                Some(GroupError::UnknownMember) => {
                    self.member_id.clear();
                    continue;
                }
                // The group has gone over to the new protocol; it is a member there.
                Some(GroupError::RebalanceInProgress) => {
                    self.member_id.clone_from(&joined.member_id);
                    continue;
                }
                Some(error) => return Err(failed(error, &self.group)),
            }
            self.member_id.clone_from(&joined.member_id);
            let assignments = if joined.leader == joined.member_id {
                let assignor = joined.protocol.as_deref().and_then(Assignor::named);
                let counts = self.counts();
                assign_group(assignor.unwrap_or(Assignor::Range), &joined.members, &counts)
                    .map_err(|error| HubError::NotNow(format!("group {}: {error}", self.group)))?
            } else {
                Vec::new()
            };
            let request = SyncRequest {
                group: self.group.clone(),
                member_id: joined.member_id,
                instance_id: None,
                generation: joined.generation,
                protocol_type: None,
                protocol: None,
                assignments,
            };
            let Some(synced) = self.shared.members.sync_here(request).await else {
                return Err(HubError::closing());
            };
            match synced.error {
                None => {}
                Some(GroupError::RebalanceInProgress | GroupError::IllegalGeneration) => continue,
                Some(GroupError::UnknownMember) => {
                    self.member_id.clear();
                    continue;
                }
                Some(error) => return Err(failed(error, &self.group)),
            }
            self.generation = joined.generation;
            self.shared.members.keep(&self.member_id, &self.group, self.generation);
            return self.decode(&synced.assignment);
        }
    }

    /// Every topic's partitions: members on the socket may read other topics.
    fn counts(&self) -> Counts {
        let count = |state: Arc<crate::hub::embedded::TopicState>| {
            (state.topic.name.clone(), i32::try_from(state.partitions.len()).unwrap_or(i32::MAX))
        };
        self.shared.topics.all().into_iter().map(count).collect()
    }

    fn request(&self, topics: &Counts) -> Result<JoinRequest, HubError> {
        let subscription = Subscription {
            topics: topics.keys().cloned().collect(),
            user_data: None,
            owned_partitions: Vec::new(),
            generation: -1,
            rack: None,
        };
        let metadata =
            subscription.encode(0).map_err(|error| HubError::Fatal(error.to_string()))?;
        let protocol = |assignor: Assignor| (assignor.name().to_owned(), metadata.clone());
        Ok(JoinRequest {
            group: self.group.clone(),
            member_id: self.member_id.clone(),
            instance_id: None,
            client_id: "anabranch".to_owned(),
            client_host: IN_PROCESS.to_owned(),
            protocol_type: "consumer".to_owned(),
            protocols: ASSIGNORS.map(protocol).to_vec(),
            session_timeout_ms: SESSION_MS,
            rebalance_timeout_ms: REBALANCE_MS,
            requires_known_member: false,
            supports_skipping_assignment: false,
        })
    }

    fn decode(&self, assignment: &[u8]) -> Result<Vec<TopicPartition>, HubError> {
        let decoded = Assignment::decode(assignment);
        let decoded =
            decoded.map_err(|error| HubError::NotNow(format!("group {}: {error}", self.group)))?;
        let each = |(topic, numbers): (String, Vec<i32>)| {
            let place = move |number| TopicPartition::new(topic.clone(), number);
            numbers.into_iter().map(place).collect::<Vec<_>>()
        };
        Ok(decoded.partitions.into_iter().flat_map(each).collect())
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        if self.member_id.is_empty() {
            return;
        }
        self.shared.members.release(&self.member_id);
        let leaving = [(self.member_id.clone(), None)];
        let group = self.group.as_str();
        // Whatever is answered, it is gone.
        drop(self.shared.members.ask(|coordinator, now| coordinator.leave(now, group, &leaving)));
    }
}
