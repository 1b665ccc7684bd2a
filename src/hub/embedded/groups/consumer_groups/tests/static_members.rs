//! Members with an instance id, which come back to their place.

use super::*;

#[test]
fn a_static_member_comes_back_to_its_partitions_and_nobody_notices() {
    let mut rig = Rig::new(&[("t", 4)]);
    let (mut one, mut two) = (Client::fixed("one", "i", &["t"]), Client::new("two", &["t"]));
    rig.join(&mut one).unwrap();
    rig.join(&mut two).unwrap();
    rig.settle(&mut [&mut one, &mut two]);
    let epochs = rig.epochs();
    let told = rig.send(&Heartbeat { epoch: -2, ..one.short() }).unwrap();
    assert_eq!(told.epoch, -2);
    assert!(!rig.beat(&mut two));
    let mut again = Client::fixed("again", "i", &["t"]);
    rig.join(&mut again).unwrap();
    assert_eq!((again.epoch, &again.owned), (epochs.0, &one.owned));
    assert_eq!(rig.epochs(), epochs);
    assert!(!rig.beat(&mut two));
    assert_eq!(rig.send(&one.short()), Err(GroupError::FencedInstanceId));
    let names: Vec<String> = rig.view().members.into_iter().map(|one| one.member_id).collect();
    assert_eq!(names, ["again", "two"]);
}

#[test]
fn an_instance_id_is_taken_until_its_member_leaves() {
    let mut rig = Rig::new(&[("t", 4)]);
    let mut one = Client::fixed("one", "i", &["t"]);
    rig.join(&mut one).unwrap();
    let mut second = Client::fixed("second", "i", &["t"]);
    assert_eq!(rig.join(&mut second), Err(GroupError::UnreleasedInstanceId));
    let heartbeat = Heartbeat { epoch: 2, ..second.short() };
    assert_eq!(rig.send(&heartbeat), Err(GroupError::FencedInstanceId));
    let leave = Heartbeat { epoch: -1, ..second.short() };
    assert_eq!(rig.send(&leave), Err(GroupError::FencedInstanceId));
    let unknown = Client { epoch: 2, ..Client::fixed("one", "j", &["t"]) };
    assert_eq!(rig.send(&unknown.short()), Err(GroupError::UnknownMember));
    rig.send(&Heartbeat { epoch: -1, ..one.short() }).unwrap();
    assert_eq!(rig.view().phase, group::GroupPhase::Empty);
    rig.join(&mut second).unwrap();
    assert_eq!(second.owned, of("t", 0..4));
}

#[test]
fn who_is_away_too_long_loses_its_place() {
    let mut rig = Rig::new(&[("t", 4)]);
    let (mut one, mut two) = (Client::fixed("one", "i", &["t"]), Client::new("two", &["t"]));
    rig.join(&mut one).unwrap();
    rig.join(&mut two).unwrap();
    rig.settle(&mut [&mut one, &mut two]);
    rig.send(&Heartbeat { epoch: -2, ..one.short() }).unwrap();
    rig.pass(40_000);
    assert!(!rig.beat(&mut two));
    rig.pass(5_000);
    assert!(rig.beat(&mut two));
    assert_eq!(two.owned.len(), 4);
}

#[test]
fn who_comes_back_with_another_subscription_moves_only_what_that_demands() {
    let mut rig = Rig::new(&[("t", 4), ("u", 2)]);
    let (mut one, mut two) = (Client::fixed("one", "i", &["t"]), Client::new("two", &["t"]));
    rig.join(&mut one).unwrap();
    rig.join(&mut two).unwrap();
    rig.settle(&mut [&mut one, &mut two]);
    rig.send(&Heartbeat { epoch: -2, ..one.short() }).unwrap();
    let mut again = Client::fixed("again", "i", &["u"]);
    rig.join(&mut again).unwrap();
    rig.settle(&mut [&mut again, &mut two]);
    assert_eq!((&again.owned, &two.owned), (&of("u", 0..2), &of("t", 0..4)));
}
