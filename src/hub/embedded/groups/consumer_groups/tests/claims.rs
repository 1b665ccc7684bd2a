//! Who may commit, fetch and delete offsets, and what is listed.

use anabranch_record::TopicPartition;

use super::*;

fn claim(member_id: &str, epoch: i32) -> Claim<'_> {
    Claim { group: "g", generation: epoch, member_id, instance_id: None }
}

#[test]
fn only_a_member_in_its_epoch_commits() {
    let mut rig = Rig::new(&[("t", 1)]);
    let mut one = Client::new("one", &["t"]);
    assert_eq!(rig.groups.check_commit(claim("", -1), &[], true), Err(GroupError::GroupIdNotFound));
    rig.join(&mut one).unwrap();
    for (member_id, epoch, knows, expected) in [
        ("one", 2, true, Ok(())),
        ("one", 1, true, Err(GroupError::StaleMemberEpoch)),
        ("one", 3, true, Err(GroupError::StaleMemberEpoch)),
        ("one", 2, false, Err(GroupError::UnsupportedVersion)),
        ("two", 2, true, Err(GroupError::UnknownMember)),
        ("", -1, true, Err(GroupError::UnknownMember)),
    ] {
        let outcome = rig.groups.check_commit(claim(member_id, epoch), &[], knows);
        assert_eq!(outcome, expected, "{member_id} {epoch} {knows}");
    }
    assert_eq!(rig.groups.check_transactional_commit(claim("", -1), &[]), Ok(()));
    let stale = rig.groups.check_transactional_commit(claim("one", 7), &[]);
    assert_eq!(stale, Err(GroupError::StaleMemberEpoch));
    rig.send(&Heartbeat { epoch: -1, ..one.short() }).unwrap();
    assert_eq!(rig.groups.check_commit(claim("", -1), &[], false), Ok(()));
    let gone = rig.groups.check_commit(claim("one", 2), &[], true);
    assert_eq!(gone, Err(GroupError::UnknownMember));
}

#[test]
fn what_a_member_had_in_an_older_epoch_and_still_has_it_commits_in_that_epoch() {
    let mut rig = Rig::new(&[("t", 4)]);
    let (mut one, mut two) = (Client::new("one", &["t"]), Client::new("two", &["t"]));
    rig.join(&mut one).unwrap();
    rig.join(&mut two).unwrap();
    rig.settle(&mut [&mut one, &mut two]);
    let commit = |rig: &Rig, member_id, epoch, numbers: &[i32]| {
        let places: Vec<_> =
            numbers.iter().map(|number| TopicPartition::new("t", *number)).collect();
        rig.groups.check_commit(claim(member_id, epoch), &places, true)
    };
    let kept: Vec<i32> = one.owned.iter().map(|(_, number)| number).collect();
    let given: Vec<i32> = two.owned.iter().map(|(_, number)| number).collect();
    let stale = Err(GroupError::StaleMemberEpoch);
    assert_eq!(commit(&rig, "one", 2, &kept), Ok(()));
    assert_eq!(commit(&rig, "one", 2, &given), stale);
    assert_eq!(commit(&rig, "one", 2, &[kept[0], given[0]]), stale);
    assert_eq!(commit(&rig, "one", 1, &kept), stale);
    assert_eq!(commit(&rig, "one", 4, &kept), stale);
    assert_eq!(commit(&rig, "two", 2, &given), stale);
    assert_eq!(commit(&rig, "two", 3, &given), Ok(()));
    assert_eq!(commit(&rig, "one", 2, &[9]), stale);
}

#[test]
fn offsets_are_told_to_anybody_who_does_not_claim_to_be_a_member() {
    let mut rig = Rig::new(&[("t", 1)]);
    assert_eq!(rig.groups.check_fetch("g", Some("one"), 1), Ok(()));
    rig.join(&mut Client::new("one", &["t"])).unwrap();
    for (member_id, epoch, expected) in [
        (None, -1, Ok(())),
        (Some("one"), 2, Ok(())),
        (Some("one"), 3, Err(GroupError::StaleMemberEpoch)),
        (Some("two"), 2, Err(GroupError::UnknownMember)),
        (Some(""), -1, Err(GroupError::UnknownMember)),
        (None, 1, Err(GroupError::UnknownMember)),
    ] {
        assert_eq!(rig.groups.check_fetch("g", member_id, epoch), expected, "{member_id:?}");
    }
}

#[test]
fn what_is_read_is_not_deleted() {
    let mut rig = Rig::new(&[("t", 1), ("u", 1)]);
    let mut one = Client::matching("one", "t");
    assert_eq!(rig.groups.may_delete("g"), Err(GroupError::GroupIdNotFound));
    rig.join(&mut one).unwrap();
    assert_eq!(rig.groups.may_delete("g"), Err(GroupError::NonEmptyGroup));
    let subscribed = Err(GroupError::GroupSubscribedToTopic);
    assert_eq!(rig.groups.may_delete_offsets("g", "t"), subscribed);
    assert_eq!(rig.groups.may_delete_offsets("g", "u"), Ok(()));
    let listed: Vec<_> = rig.groups.list().map(|(name, phase)| (name, phase.name())).collect();
    assert_eq!(listed, [("g", "Stable")]);
    rig.send(&Heartbeat { epoch: -1, ..one.short() }).unwrap();
    assert_eq!(rig.groups.may_delete_offsets("g", "t"), Ok(()));
    assert_eq!(rig.groups.may_delete("g"), Ok(()));
    rig.groups.drop_group("g");
    assert!(!rig.groups.has("g"));
    let changed = rig.groups.take_changed();
    assert_eq!(changed.into_iter().map(|(name, _)| name).collect::<BTreeSet<_>>().len(), 1);
    assert_eq!(rig.groups.stored("g"), None);
}
