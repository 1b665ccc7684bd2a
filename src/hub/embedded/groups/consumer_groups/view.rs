//! What groups look like from outside: descriptions, who may commit, and what may be deleted.

use anabranch_record::TopicPartition;
use uuid::Uuid;

use super::group::{Group, GroupPhase};
use super::partitions::{Partitions, Topics};
use super::{ConsumerGroups, classic};
use crate::hub::embedded::groups::coordinator::{Claim, GroupError};

/// A group, as `ConsumerGroupDescribe` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GroupView {
    /// Where it is on its way to an assignment.
    pub(crate) phase: GroupPhase,
    /// Its epoch.
    pub(crate) epoch: i32,
    /// The epoch of its assignment.
    pub(crate) assignment_epoch: i32,
    /// The name of its assignor.
    pub(crate) assignor: &'static str,
    /// Its members in the order of their ids.
    pub(crate) members: Vec<MemberView>,
}

/// A member, as `ConsumerGroupDescribe` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MemberView {
    /// Its id.
    pub(crate) member_id: String,
    /// The instance id of a static member.
    pub(crate) instance_id: Option<String>,
    /// Where it runs.
    pub(crate) rack_id: Option<String>,
    /// Its epoch.
    pub(crate) epoch: i32,
    /// Its client id.
    pub(crate) client_id: String,
    /// Its address.
    pub(crate) client_host: String,
    /// The topics that it is subscribed to by their names.
    pub(crate) topics: Vec<String>,
    /// The regular expression that it is subscribed to.
    pub(crate) regex: Option<String>,
    /// What it has, or has not given up yet.
    pub(crate) assigned: Vec<NamedTopic>,
    /// What it is to have.
    pub(crate) target: Vec<NamedTopic>,
    /// Whether it speaks the classic protocol.
    pub(crate) is_classic: bool,
}

/// Partitions of a topic, with its id and its name; the name is empty when it is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NamedTopic {
    /// The topic's id.
    pub(crate) id: Uuid,
    /// The topic's name.
    pub(crate) name: String,
    /// The partitions.
    pub(crate) partitions: Vec<i32>,
}

fn named(partitions: &Partitions, topics: &Topics) -> Vec<NamedTopic> {
    let topic = |(id, partitions)| {
        let name = topics.name(id).unwrap_or_default().to_owned();
        NamedTopic { id, name, partitions }
    };
    partitions.by_topic().map(topic).collect()
}

impl Group {
    fn view(&self, topics: &Topics) -> GroupView {
        let members = self.members.iter().map(|(member_id, member)| MemberView {
            member_id: member_id.clone(),
            instance_id: member.instance_id.clone(),
            rack_id: member.rack_id.clone(),
            epoch: member.epoch,
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            topics: member.topics.iter().cloned().collect(),
            regex: member.regex.clone(),
            assigned: named(
                &member.assigned.iter().chain(member.revoking.iter()).collect(),
                topics,
            ),
            target: named(&member.target, topics),
            is_classic: member.classic.is_some(),
        });
        GroupView {
            phase: self.phase(),
            epoch: self.epoch,
            assignment_epoch: self.assignment_epoch,
            assignor: self.assignor().name(),
            members: members.collect(),
        }
    }

    /// Whether the member is in that epoch; of an older one it must have had all of the `places` since then.
    fn check_epoch(
        &self,
        member_id: &str,
        epoch: i32,
        places: &[Option<(Uuid, i32)>],
    ) -> Result<(), GroupError> {
        let member = self.members.get(member_id).ok_or(GroupError::UnknownMember)?;
        let had = |place: &Option<(Uuid, i32)>| place.is_some_and(|one| member.had(one, epoch));
        let is_good = member.epoch == epoch
            || (epoch < member.epoch && !places.is_empty() && places.iter().all(had));
        match &member.classic {
            _ if is_good => Ok(()),
            Some(_) => Err(GroupError::IllegalGeneration),
            None => Err(GroupError::StaleMemberEpoch),
        }
    }
}

impl ConsumerGroups {
    /// A group, if it is one of the new protocol.
    pub(crate) fn describe(&self, group: &str) -> Option<GroupView> {
        self.groups.get(group).map(|group| group.view(&self.topics))
    }

    /// The name and phase of each group, in the order of their names.
    pub(crate) fn list(&self) -> impl Iterator<Item = (&str, GroupPhase)> {
        self.groups.iter().map(|(name, group)| (name.as_str(), group.phase()))
    }

    /// Whether a member may commit offsets of these partitions, or somebody from outside while there are no members.
    /// Members of the new protocol must say their epoch, as versions that `know_epochs` do.
    ///
    /// # Errors
    /// For other members and epochs.
    pub(crate) fn check_commit(
        &self,
        claim: Claim<'_>,
        places: &[TopicPartition],
        knows_epochs: bool,
    ) -> Result<(), GroupError> {
        let group = self.groups.get(claim.group).ok_or(GroupError::GroupIdNotFound)?;
        if claim.generation < 0 && group.members.is_empty() {
            return Ok(());
        }
        let member = group.members.get(claim.member_id).ok_or(GroupError::UnknownMember)?;
        if member.classic.is_none() && !knows_epochs {
            return Err(GroupError::UnsupportedVersion);
        }
        let identified =
            |place: &TopicPartition| Some((self.topics.get(&place.topic)?.0, place.partition));
        let places: Vec<_> = places.iter().map(identified).collect();
        group.check_epoch(claim.member_id, claim.generation, &places)
    }

    /// The same for a commit in a transaction: old clients do not say which member they are.
    ///
    /// # Errors
    /// For other members and epochs.
    pub(crate) fn check_transactional_commit(
        &self,
        claim: Claim<'_>,
        places: &[TopicPartition],
    ) -> Result<(), GroupError> {
        let is_nobody = claim.member_id.is_empty() && claim.instance_id.is_none();
        if claim.generation < 0 && is_nobody {
            return Ok(());
        }
        self.check_commit(claim, places, true)
    }

    /// Whether somebody may see what the group has committed: those that say who they are must be members.
    ///
    /// # Errors
    /// For other members and epochs.
    pub(crate) fn check_fetch(
        &self,
        group: &str,
        member_id: Option<&str>,
        epoch: i32,
    ) -> Result<(), GroupError> {
        let Some(group) = self.groups.get(group) else { return Ok(()) };
        match member_id {
            None if epoch < 0 => Ok(()),
            None => Err(GroupError::UnknownMember),
            Some(member_id) => group.check_epoch(member_id, epoch, &[]),
        }
    }

    /// Whether `DeleteGroups` may delete a group.
    ///
    /// # Errors
    /// For groups that have members or do not exist.
    pub(crate) fn may_delete(&self, group: &str) -> Result<(), GroupError> {
        let group = self.groups.get(group).ok_or(GroupError::GroupIdNotFound)?;
        if group.members.is_empty() { Ok(()) } else { Err(GroupError::NonEmptyGroup) }
    }

    /// Whether `OffsetDelete` may delete a group's offsets of a topic.
    ///
    /// # Errors
    /// For groups that do not exist, and for topics that a member is subscribed to.
    pub(crate) fn may_delete_offsets(&self, group: &str, topic: &str) -> Result<(), GroupError> {
        let group = self.groups.get(group).ok_or(GroupError::GroupIdNotFound)?;
        if group.reads(topic) { Err(GroupError::GroupSubscribedToTopic) } else { Ok(()) }
    }

    /// What kind of group all of them are.
    pub(crate) const fn protocol_type() -> &'static str {
        classic::CONSUMER
    }
}
