//! Topics that come, grow and go, by name and by regular expression.

use super::*;

#[test]
fn partitions_that_are_added_are_assigned_with_the_next_heartbeat() {
    let mut rig = Rig::new(&[("t", 1)]);
    let mut one = Client::new("one", &["t", "later"]);
    rig.join(&mut one).unwrap();
    rig.groups.set_topic("t", Some((id("t"), 3)));
    assert_eq!(rig.epochs(), (2, 2));
    assert!(rig.beat(&mut one));
    assert_eq!((one.epoch, &one.owned), (3, &of("t", 0..3)));
    rig.groups.set_topic("later", Some((id("later"), 2)));
    rig.groups.set_topic("unrelated", Some((id("unrelated"), 2)));
    assert!(rig.beat(&mut one));
    assert_eq!((one.epoch, one.owned.len()), (4, 5));
    rig.groups.set_topic("unrelated", None);
    assert!(!rig.beat(&mut one));
    assert_eq!(rig.epochs(), (4, 4));
}

#[test]
fn a_topic_that_is_gone_is_given_up_and_one_of_its_name_is_another() {
    let mut rig = Rig::new(&[("t", 2), ("u", 1)]);
    let mut one = Client::new("one", &["t", "u"]);
    rig.join(&mut one).unwrap();
    rig.groups.set_topic("t", None);
    assert!(rig.beat(&mut one));
    assert_eq!(one.owned, of("u", [0]));
    rig.settle(&mut [&mut one]);
    rig.groups.set_topic("t", Some((id("new"), 2)));
    rig.settle(&mut [&mut one]);
    assert_eq!(one.owned.len(), 3);
    assert!(one.owned.contains(id("new"), 1));
}

#[test]
fn a_regular_expression_matches_what_is_there_and_what_comes() {
    let mut rig = Rig::new(&[("logs-a", 1), ("logs-b", 1), ("metrics", 1), ("hidden-logs-", 1)]);
    let mut one = Client::matching("one", ".*logs-.*");
    rig.join(&mut one).unwrap();
    let both: Partitions = of("logs-a", [0]).iter().chain(of("logs-b", [0]).iter()).collect();
    assert_eq!(one.owned, both);
    rig.groups.set_topic("logs-c", Some((id("logs-c"), 1)));
    assert!(rig.beat(&mut one));
    assert_eq!(one.owned.len(), 3);
    // A name and an expression together.
    one.topics = vec!["metrics".to_owned()];
    rig.join(&mut one).unwrap();
    assert_eq!(one.owned.len(), 4);
    one.regex = Some(String::new());
    rig.join(&mut one).unwrap();
    rig.settle(&mut [&mut one]);
    assert_eq!(one.owned, of("metrics", [0]));
    assert_eq!(rig.view().members[0].regex, None);
    let invalid = Client { regex: Some("[".to_owned()), ..one.clone() };
    assert_eq!(rig.send(&invalid.full()), Err(GroupError::InvalidRegularExpression));
    assert_eq!(rig.view().members[0].regex, None);
}

#[test]
fn who_changes_its_subscription_gives_the_rest_up_first() {
    let mut rig = Rig::new(&[("t", 2), ("u", 2)]);
    let (mut one, mut two) = (Client::new("one", &["t"]), Client::new("two", &["u"]));
    rig.join(&mut one).unwrap();
    rig.join(&mut two).unwrap();
    rig.settle(&mut [&mut one, &mut two]);
    assert_eq!((&one.owned, &two.owned), (&of("t", 0..2), &of("u", 0..2)));
    two.topics = vec!["t".to_owned()];
    let told = rig.send(&two.full()).unwrap();
    assert_eq!(told.assignment, Some(Partitions::default()));
    two.owned = Partitions::default();
    rig.settle(&mut [&mut one, &mut two]);
    assert_eq!((one.owned.len(), two.owned.len()), (1, 1));
    // Nobody reads the topic any more.
    one.topics.clear();
    two.topics.clear();
    rig.join(&mut one).unwrap();
    rig.join(&mut two).unwrap();
    rig.settle(&mut [&mut one, &mut two]);
    assert!(one.owned.is_empty() && two.owned.is_empty());
}
