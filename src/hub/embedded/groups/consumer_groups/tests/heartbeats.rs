//! Members that join, stay and leave, and their epochs.

use super::*;

#[test]
fn a_lone_member_gets_everything_at_once() {
    let mut rig = Rig::new(&[("t", 3), ("u", 2), ("other", 9)]);
    let mut one = Client::new("one", &["t", "u", "absent"]);
    let beat = rig.send(&one.full()).unwrap();
    assert_eq!((beat.epoch, beat.interval_ms), (2, 5_000));
    let all: Partitions = of("t", 0..3).iter().chain(of("u", 0..2).iter()).collect();
    assert_eq!(beat.assignment, Some(all));
    one.epoch = 2;
    assert_eq!(rig.send(&one.short()).unwrap().assignment, None);
    // Who says all is told all.
    assert!(rig.send(&one.full()).unwrap().assignment.is_some());
    assert_eq!(rig.view().phase, group::GroupPhase::Stable);
}

#[test]
fn a_partition_is_given_only_when_it_was_given_up() {
    let mut rig = Rig::new(&[("t", 4)]);
    let (mut one, mut two) = (Client::new("one", &["t"]), Client::new("two", &["t"]));
    rig.join(&mut one).unwrap();
    rig.join(&mut two).unwrap();
    assert_eq!((two.epoch, two.owned.len()), (3, 0));
    assert_eq!(rig.view().phase, group::GroupPhase::Reconciling);
    let beat = rig.send(&one.short()).unwrap();
    let kept = beat.assignment.unwrap();
    assert_eq!((beat.epoch, kept.len()), (2, 2));
    // It has not said yet that it has given them up, or says that it has not.
    for asked in [one.short(), one.owning()] {
        assert_eq!(rig.send(&asked).unwrap().epoch, 2);
    }
    assert!(!rig.beat(&mut two));
    one.owned = kept;
    assert_eq!(rig.send(&one.owning()).unwrap().epoch, 3);
    one.epoch = 3;
    assert!(rig.beat(&mut two));
    assert_eq!(two.owned.len(), 2);
    assert!(!one.owned.intersects(&two.owned));
    rig.settle(&mut [&mut one, &mut two]);
    assert_eq!(rig.epochs(), (3, 3));
}

#[test]
fn what_a_member_leaves_goes_to_the_others() {
    let mut rig = Rig::new(&[("t", 4)]);
    let (mut one, mut two) = (Client::new("one", &["t"]), Client::new("two", &["t"]));
    rig.join(&mut one).unwrap();
    rig.join(&mut two).unwrap();
    rig.settle(&mut [&mut one, &mut two]);
    let leaves = Heartbeat { epoch: -1, ..one.short() };
    let told = rig.send(&leaves).unwrap();
    assert_eq!((told.epoch, told.interval_ms, told.assignment), (-1, 0, None));
    assert_eq!(rig.view().phase, group::GroupPhase::Assigning);
    assert_eq!(rig.epochs(), (4, 3));
    assert!(rig.beat(&mut two));
    assert_eq!((two.epoch, two.owned.len()), (4, 4));
    assert_eq!(rig.send(&leaves), Err(GroupError::UnknownMember));
    assert_eq!(rig.send(&one.short()), Err(GroupError::UnknownMember));
    rig.send(&Heartbeat { epoch: -1, ..two.short() }).unwrap();
    assert_eq!(rig.view().phase, group::GroupPhase::Empty);
    // The epoch goes on.
    rig.join(&mut Client::new("three", &["t"])).unwrap();
    assert_eq!(rig.epochs(), (6, 6));
}

#[test]
fn another_epoch_than_the_members_is_fenced() {
    let mut rig = Rig::new(&[("t", 4)]);
    let (mut one, mut two) = (Client::new("one", &["t"]), Client::new("two", &["t"]));
    rig.join(&mut one).unwrap();
    rig.join(&mut two).unwrap();
    rig.settle(&mut [&mut one, &mut two]);
    let with =
        |epoch, owned: &Partitions| Heartbeat { epoch, owned: Some(owned.clone()), ..one.short() };
    let fenced = Err(GroupError::FencedMemberEpoch);
    assert_eq!(rig.send(&with(4, &one.owned)), fenced);
    // The answer with the new epoch was lost.
    assert_eq!(rig.send(&with(2, &one.owned)).unwrap().epoch, 3);
    assert_eq!(rig.send(&with(2, &of("t", 0..4))), fenced);
    assert_eq!(rig.send(&Heartbeat { epoch: 2, ..one.short() }), fenced);
    // It comes again, and is told what it has.
    let mut again = Client { epoch: 0, owned: Partitions::default(), ..one.clone() };
    rig.join(&mut again).unwrap();
    assert_eq!((again.epoch, &again.owned), (3, &one.owned));
    let stranger = Client { epoch: 3, ..Client::new("three", &["t"]) };
    assert_eq!(rig.send(&stranger.short()), Err(GroupError::UnknownMember));
}

#[test]
fn who_is_silent_or_keeps_what_it_must_give_up_is_removed() {
    let mut rig = Rig::new(&[("t", 4)]);
    let (mut one, mut two) = (Client::new("one", &["t"]), Client::new("two", &["t"]));
    rig.join(&mut one).unwrap();
    rig.pass(44_000);
    assert_eq!(rig.view().members.len(), 1);
    rig.join(&mut two).unwrap();
    rig.pass(1_000);
    assert_eq!(rig.view().members[0].member_id, "two");
    assert!(rig.beat(&mut two));
    assert_eq!(two.owned.len(), 4);
    // The second now keeps its partitions, and is alive.
    let mut one = Client::new("one", &["t"]);
    rig.join(&mut one).unwrap();
    assert_eq!(rig.send(&two.short()).unwrap().assignment.unwrap().len(), 2);
    for _ in 0..11 {
        rig.pass(5_000);
        assert!(!rig.beat(&mut one));
        rig.send(&two.short()).unwrap();
    }
    rig.pass(5_000);
    assert_eq!(rig.send(&two.short()), Err(GroupError::UnknownMember));
    assert!(rig.beat(&mut one));
    assert_eq!(one.owned.len(), 4);
    rig.pass(45_000);
    assert_eq!(rig.view().phase, group::GroupPhase::Empty);
    assert_eq!(rig.groups.next_deadline(), None);
}

#[test]
fn what_makes_no_sense_is_refused_and_leaves_no_group_behind() {
    let mut rig = Rig::new(&[("t", 4)]);
    let one = Client::new("one", &["t"]);
    let invalid = [
        Heartbeat { member_id: String::new(), ..one.full() },
        Heartbeat { group: " ".to_owned(), ..one.full() },
        Heartbeat { instance_id: Some(String::new()), ..one.full() },
        Heartbeat { rack_id: Some(String::new()), ..one.full() },
        Heartbeat { rebalance_timeout_ms: -1, ..one.full() },
        Heartbeat { owned: None, ..one.full() },
        Heartbeat { owned: Some(of("t", [0])), ..one.full() },
        Heartbeat { topics: None, ..one.full() },
        Heartbeat { epoch: -2, ..one.full() },
        Heartbeat { epoch: -3, ..one.full() },
    ];
    for beat in &invalid {
        let refused = rig.send(beat);
        assert!(matches!(refused, Err(GroupError::InvalidRequest(_))), "{beat:?}: {refused:?}");
    }
    let unknown = Heartbeat { assignor: Some("sticky".to_owned()), ..one.full() };
    assert_eq!(rig.send(&unknown), Err(GroupError::UnsupportedAssignor));
    let regex = Heartbeat { regex: Some("(".to_owned()), ..one.full() };
    assert_eq!(rig.send(&regex), Err(GroupError::InvalidRegularExpression));
    let absent = Heartbeat { epoch: 4, ..one.full() };
    assert_eq!(rig.send(&absent), Err(GroupError::GroupIdNotFound));
    assert!(!rig.groups.has("g"));
    assert_eq!(rig.groups.next_deadline(), None);
}

#[test]
fn a_full_group_takes_nobody_in() {
    let mut rig = Rig::new(&[("t", 4)]);
    rig.groups.limits.group_size_max = 1;
    let mut one = Client::fixed("one", "i", &["t"]);
    rig.join(&mut one).unwrap();
    let refused = rig.join(&mut Client::new("two", &["t"]));
    assert_eq!(refused, Err(GroupError::GroupMaxSizeReached));
    rig.send(&Heartbeat { epoch: -2, ..one.short() }).unwrap();
    rig.join(&mut Client::fixed("again", "i", &["t"])).unwrap();
}
