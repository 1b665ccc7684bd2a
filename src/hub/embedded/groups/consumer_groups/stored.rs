//! What of a group survives a restart: a record for the group, and one for each member, so that a change of one member
//! of many is small.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::assignor::Assignor;
use super::group::Group;
use super::member::{Classic, Member, State};
use super::partitions::Partitions;
use super::subscription::Resolved;
use super::{ConsumerGroups, HEARTBEAT_MS, SESSION_MS};

/// A group as it survives a restart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StoredGroup {
    /// Its epoch.
    pub(crate) epoch: i32,
    /// The epoch of its assignment.
    pub(crate) assignment_epoch: i32,
    /// The topics that its epoch is of, as a hash.
    pub(crate) fingerprint: u64,
    /// The topics that its regular expressions have matched.
    pub(crate) regexes: BTreeMap<String, Vec<String>>,
}

/// A member as it survives a restart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StoredMember {
    instance_id: Option<String>,
    rack_id: Option<String>,
    client_id: String,
    client_host: String,
    rebalance_timeout_ms: i32,
    topics: Vec<String>,
    regex: Option<String>,
    assignor: Option<String>,
    classic: Option<Classic>,
    epoch: i32,
    previous_epoch: i32,
    state: String,
    assigned: Vec<(String, Vec<i32>)>,
    revoking: Vec<(String, Vec<i32>)>,
    /// In which epoch it got each of them: topic, partition, epoch.
    since: Vec<(String, i32, i32)>,
    target: Vec<(String, Vec<i32>)>,
}

fn listed(partitions: &Partitions) -> Vec<(String, Vec<i32>)> {
    partitions.by_topic().map(|(topic, numbers)| (topic.to_string(), numbers)).collect()
}

fn unlisted(listed: &[(String, Vec<i32>)]) -> Partitions {
    let each = listed.iter().filter_map(|(topic, numbers)| {
        let topic = Uuid::parse_str(topic).ok()?;
        Some(numbers.iter().map(move |number| (topic, *number)))
    });
    each.flatten().collect()
}

impl From<&Member> for StoredMember {
    fn from(member: &Member) -> Self {
        let state = match member.state {
            State::Stable => "stable",
            State::Unrevoked => "unrevoked",
            State::Unreleased => "unreleased",
        };
        Self {
            instance_id: member.instance_id.clone(),
            rack_id: member.rack_id.clone(),
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            rebalance_timeout_ms: member.rebalance_timeout_ms,
            topics: member.topics.iter().cloned().collect(),
            regex: member.regex.clone(),
            assignor: member.assignor.map(|assignor| assignor.name().to_owned()),
            classic: member.classic.clone(),
            epoch: member.epoch,
            previous_epoch: member.previous_epoch,
            state: state.to_owned(),
            assigned: listed(&member.assigned),
            revoking: listed(&member.revoking),
            since: member
                .since
                .iter()
                .map(|((id, at), since)| (id.to_string(), *at, *since))
                .collect(),
            target: listed(&member.target),
        }
    }
}

impl From<StoredMember> for Member {
    fn from(stored: StoredMember) -> Self {
        Self {
            instance_id: stored.instance_id,
            rack_id: stored.rack_id,
            client_id: stored.client_id,
            client_host: stored.client_host,
            rebalance_timeout_ms: stored.rebalance_timeout_ms,
            topics: stored.topics.into_iter().collect(),
            regex: stored.regex,
            assignor: stored.assignor.as_deref().and_then(Assignor::named),
            classic: stored.classic,
            epoch: stored.epoch,
            previous_epoch: stored.previous_epoch,
            state: match stored.state.as_str() {
                "unrevoked" => State::Unrevoked,
                "unreleased" => State::Unreleased,
                _ => State::Stable,
            },
            assigned: unlisted(&stored.assigned),
            revoking: unlisted(&stored.revoking),
            since: stored
                .since
                .into_iter()
                .filter_map(|(topic, at, since)| Some(((Uuid::parse_str(&topic).ok()?, at), since)))
                .collect(),
            target: unlisted(&stored.target),
        }
    }
}

impl ConsumerGroups {
    /// What of a group survives a restart; `None` when there is none.
    pub(crate) fn stored(&self, group: &str) -> Option<StoredGroup> {
        let group = self.groups.get(group)?;
        let regex = |(regex, resolved): (&String, &Resolved)| {
            (regex.clone(), resolved.topics.iter().cloned().collect())
        };
        Some(StoredGroup {
            epoch: group.epoch,
            assignment_epoch: group.assignment_epoch,
            fingerprint: group.fingerprint,
            regexes: group.regexes.iter().map(regex).collect(),
        })
    }

    /// What of a member survives a restart; `None` when there is none.
    pub(crate) fn stored_member(&self, group: &str, member_id: &str) -> Option<StoredMember> {
        self.groups.get(group)?.members.get(member_id).map(StoredMember::from)
    }

    /// Brings back a group that was stored, but for those members that have ended with the last life. Sessions begin
    /// now. Partitions that two members claim, because of damage, belong to the first.
    pub(crate) fn restore(
        &mut self,
        now_ms: i64,
        (name, stored): (&str, &StoredGroup),
        members: Vec<(String, StoredMember)>,
        has_ended: impl Fn(&str) -> bool,
    ) {
        let mut group = Group::new();
        group.epoch = stored.epoch;
        group.assignment_epoch = stored.assignment_epoch;
        group.fingerprint = stored.fingerprint;
        for (regex, topics) in &stored.regexes {
            if let Ok(mut resolved) = Resolved::new(regex) {
                resolved.topics = topics.iter().cloned().collect();
                group.regexes.insert(regex.clone(), resolved);
            }
        }
        // Topics may have come and gone.
        group.is_stale = true;
        let mut ended = Vec::new();
        for (member_id, stored) in members {
            if has_ended(&stored.client_host) {
                ended.push(member_id.clone());
            }
            let mut member = Member::from(stored);
            let is_free = |place: &(Uuid, i32)| group.owner(place.0, place.1).is_none();
            member.assigned = member.assigned.iter().filter(is_free).collect();
            member.revoking = member.revoking.iter().filter(is_free).collect();
            let session_ms = member.classic.as_ref().map(|one| i64::from(one.session_timeout_ms));
            let session_ms = session_ms.unwrap_or(SESSION_MS);
            let rebalance_ms = i64::from(member.rebalance_timeout_ms.max(HEARTBEAT_MS));
            let is_late = member.state == State::Unrevoked;
            group.put(&member_id, member);
            group.set_deadlines(&member_id, |deadlines| {
                deadlines.session_ms = now_ms.saturating_add(session_ms);
                if is_late {
                    deadlines.rebalance_ms = now_ms.saturating_add(rebalance_ms);
                }
            });
        }
        group.changed_members.clear();
        group.remove(&ended);
        self.groups.insert(name.to_owned(), group);
        self.settle(name);
    }
}
