//! `ConsumerGroupHeartbeat`: members that join, stay, change their mind and leave.

use super::assignor::Assignor;
use super::group::Group;
use super::limits::{HEARTBEAT_MS, SESSION_MS};
use super::member::{Deadlines, Member};
use super::partitions::{Partitions, Topics};
use super::request::{Beat, Heartbeat, JOINS, LEAVES_FOR_A_WHILE};
use super::subscription::Resolved;
use crate::hub::embedded::groups::coordinator::GroupError;

/// What a heartbeat is looked at with.
pub(super) struct World<'a> {
    pub(super) topics: &'a Topics,
    /// Whether the one who asks may see a topic; `None`: he has no regular expression, so none is resolved for him.
    pub(super) visible: Option<&'a dyn Fn(&str) -> bool>,
    pub(super) group_size_max: usize,
}

impl Group {
    /// A member is alive, or joins.
    pub(super) fn beat(
        &mut self,
        now_ms: i64,
        beat: &Heartbeat,
        world: &World<'_>,
    ) -> Result<Beat, GroupError> {
        let place = self.place(beat)?;
        if matches!(place, Place::New) && self.members.len() >= world.group_size_max {
            return Err(GroupError::GroupMaxSizeReached);
        }
        let regex = beat.regex.as_deref().filter(|regex| !regex.is_empty());
        let fresh = match regex.filter(|regex| !self.regexes.contains_key(*regex)) {
            Some(regex) => Some((regex.to_owned(), Resolved::new(regex)?)),
            None => None,
        };
        // Nothing is refused from here on.
        self.regexes.extend(fresh);
        let before = match place {
            Place::Own => self.members.get(&beat.member_id).cloned().unwrap_or_default(),
            Place::New => Member::default(),
            Place::Of(other) => self.take(&other).map(successor).unwrap_or_default(),
        };
        let member = updated(before.clone(), beat);
        let has_changed = member.topics != before.topics || member.regex != before.regex;
        let was_classic = before.classic.is_some();
        if member != before || !self.members.contains_key(&beat.member_id) {
            self.put(&beat.member_id, member);
        }
        self.set_deadlines(&beat.member_id, |deadlines| {
            if was_classic {
                *deadlines = Deadlines::default();
            }
            deadlines.session_ms = now_ms.saturating_add(SESSION_MS);
        });
        self.catch_up(world, has_changed || self.epoch == 0);
        let owned = beat.owned.as_ref();
        self.reconcile(now_ms, &beat.member_id, owned, (world.topics, has_changed));
        let after = self.members.get(&beat.member_id).ok_or(GroupError::UnknownMember)?;
        let tells = beat.epoch == JOINS || beat.is_full() || after.assigned != before.assigned;
        Ok(Beat {
            member_id: beat.member_id.clone(),
            epoch: after.epoch,
            interval_ms: HEARTBEAT_MS,
            assignment: tells.then(|| after.assigned.clone()),
        })
    }

    /// Resolves, looks at the topics and asks the assignor, as far as something has changed.
    pub(super) fn catch_up(&mut self, world: &World<'_>, has_changed: bool) {
        if has_changed || self.is_stale {
            self.forget_regexes();
            self.is_stale &= world.visible.is_none() && !self.regexes.is_empty();
            if let Some(visible) = world.visible {
                let regexes = self.regexes.values_mut();
                regexes.for_each(|resolved| resolved.resolve(world.topics, visible));
            }
            self.refresh(world.topics, has_changed);
        }
        self.assign(world.topics);
    }

    /// Whose place a member has or takes.
    fn place(&self, beat: &Heartbeat) -> Result<Place, GroupError> {
        let joins = beat.epoch == JOINS;
        let Some(instance_id) = &beat.instance_id else {
            return match self.members.get(&beat.member_id) {
                Some(member) => check_epoch(member, beat).map(|()| Place::Own),
                None if joins => Ok(Place::New),
                None => Err(GroupError::UnknownMember),
            };
        };
        let current = self.instances.get(instance_id);
        let member = current.and_then(|current| Some((current, self.members.get(current)?)));
        match member {
            None if joins => Ok(Place::New),
            None => Err(GroupError::UnknownMember),
            Some((_, member)) if joins => {
                let is_left = member.epoch == LEAVES_FOR_A_WHILE || member.classic.is_some();
                let current = current.cloned().unwrap_or_default();
                if is_left { Ok(Place::Of(current)) } else { Err(GroupError::UnreleasedInstanceId) }
            }
            Some((current, _)) if *current != beat.member_id => Err(GroupError::FencedInstanceId),
            Some((_, member)) => check_epoch(member, beat).map(|()| Place::Own),
        }
    }

    /// A member leaves; gives the epoch that it is told.
    pub(super) fn leave(&mut self, beat: &Heartbeat) -> Result<i32, GroupError> {
        let Some(instance_id) = &beat.instance_id else {
            if !self.members.contains_key(&beat.member_id) {
                return Err(GroupError::UnknownMember);
            }
            self.remove(std::slice::from_ref(&beat.member_id));
            return Ok(beat.epoch);
        };
        match self.instances.get(instance_id) {
            None => Err(GroupError::UnknownMember),
            Some(current) if *current != beat.member_id => Err(GroupError::FencedInstanceId),
            Some(_) if beat.epoch == LEAVES_FOR_A_WHILE => {
                if let Some(mut member) = self.members.get(&beat.member_id).cloned() {
                    member.epoch = LEAVES_FOR_A_WHILE;
                    member.revoking = Partitions::default();
                    self.put(&beat.member_id, member);
                }
                Ok(LEAVES_FOR_A_WHILE)
            }
            Some(_) => {
                self.remove(std::slice::from_ref(&beat.member_id));
                Ok(beat.epoch)
            }
        }
    }
}

/// Whose place a member has or takes.
enum Place {
    Own,
    New,
    /// That of a static member with this id.
    Of(String),
}

/// A static member that comes again, under another id.
fn successor(mut member: Member) -> Member {
    (member.epoch, member.previous_epoch) = (JOINS, JOINS);
    member
}

/// Whether a member may speak in that epoch.
fn check_epoch(member: &Member, beat: &Heartbeat) -> Result<(), GroupError> {
    if beat.epoch == JOINS || beat.epoch == member.epoch {
        return Ok(());
    }
    // The answer with the new epoch may have been lost.
    let is_behind = beat.epoch == member.previous_epoch && beat.epoch < member.epoch;
    let owns_its_own = beat.owned.as_ref().is_some_and(|owned| owned.is_subset(&member.assigned));
    if is_behind && owns_its_own { Ok(()) } else { Err(GroupError::FencedMemberEpoch) }
}

/// A member with what a heartbeat says of it.
fn updated(mut member: Member, beat: &Heartbeat) -> Member {
    member.instance_id = beat.instance_id.clone().or(member.instance_id);
    member.rack_id = beat.rack_id.clone().or(member.rack_id);
    if beat.rebalance_timeout_ms != -1 {
        member.rebalance_timeout_ms = beat.rebalance_timeout_ms;
    }
    if let Some(assignor) = beat.assignor.as_deref().and_then(Assignor::named) {
        member.assignor = Some(assignor);
    }
    if let Some(topics) = &beat.topics {
        member.topics = topics.iter().cloned().collect();
    }
    if let Some(regex) = &beat.regex {
        member.regex = Some(regex.clone()).filter(|regex| !regex.is_empty());
    }
    member.client_id.clone_from(&beat.client_id);
    member.client_host.clone_from(&beat.client_host);
    member.classic = None;
    member
}
