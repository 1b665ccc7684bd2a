//! What survives a restart.

use super::*;

impl Rig {
    /// The same coordinator after a restart, with the topics as they are now.
    pub(super) fn reopened(&mut self, topics: &[(&str, i32)]) -> Self {
        let mut again = Self::new(topics);
        again.now_ms = self.now_ms;
        let Some(stored) = self.groups.stored("g") else { return again };
        let members = self.view().members.into_iter().map(|member| {
            let stored = self.groups.stored_member("g", &member.member_id).unwrap();
            let text = serde_json::to_string(&stored).unwrap();
            (member.member_id, serde_json::from_str(&text).unwrap())
        });
        let stored = serde_json::from_str(&serde_json::to_string(&stored).unwrap()).unwrap();
        let ended = |host: &str| host == "ended";
        again.groups.restore(again.now_ms, ("g", &stored), members.collect(), ended);
        again
    }
}

#[test]
fn a_restart_is_no_rebalance() {
    const TOPICS: &[(&str, i32)] = &[("t", 4), ("logs", 2)];
    let mut rig = Rig::new(TOPICS);
    let mut one = Client::fixed("one", "i", &["t"]);
    let (mut two, mut three) = (Client::matching("two", "lo.*"), Client::new("three", &["t"]));
    three.assignor = Some("range".to_owned());
    for client in [&mut one, &mut two, &mut three] {
        rig.join(client).unwrap();
    }
    rig.beat(&mut one);
    let (view, epochs) = (rig.view(), rig.epochs());
    let mut rig = rig.reopened(TOPICS);
    assert_eq!(rig.view(), view);
    for client in [&mut one, &mut two, &mut three] {
        rig.beat(client);
    }
    rig.settle(&mut [&mut one, &mut two, &mut three]);
    assert_eq!(rig.epochs(), epochs);
    assert_eq!((one.owned.len(), two.owned.len(), three.owned.len()), (2, 2, 2));
    rig.pass(44_000);
    assert_eq!(rig.view().members.len(), 3);
    rig.pass(1_000);
    assert_eq!(rig.view().members.len(), 0);
}

#[test]
fn topics_that_came_while_it_was_down_are_seen() {
    let mut rig = Rig::new(&[("t", 4)]);
    let mut one = Client::matching("one", "t|u");
    rig.join(&mut one).unwrap();
    let mut rig = rig.reopened(&[("t", 4), ("u", 1)]);
    assert!(rig.beat(&mut one));
    assert_eq!((one.epoch, one.owned.len()), (3, 5));
}

#[test]
fn members_that_ended_with_the_last_life_are_not_waited_for() {
    let mut rig = Rig::new(&[("t", 4)]);
    let mut one = Client::new("one", &["t"]);
    rig.join(&mut one).unwrap();
    let local =
        JoinRequest { client_host: "ended".to_owned(), ..classic::request("", &["t"], &[]) };
    rig.groups.join(rig.now_ms, &local, "local").unwrap();
    rig.beat(&mut one);
    rig.beat(&mut one);
    assert_eq!(one.owned.len(), 2);
    let mut rig = rig.reopened(&[("t", 4)]);
    assert_eq!(rig.view().members.len(), 1);
    rig.beat(&mut one);
    assert_eq!(one.owned.len(), 4);
}

#[test]
fn only_what_has_changed_is_stored() {
    let mut rig = Rig::new(&[("t", 4)]);
    let (mut one, mut two) = (Client::new("one", &["t"]), Client::new("two", &["t"]));
    rig.join(&mut one).unwrap();
    rig.join(&mut two).unwrap();
    rig.settle(&mut [&mut one, &mut two]);
    assert_eq!(rig.groups.take_changed().len(), 3);
    rig.beat(&mut one);
    rig.send(&two.full()).unwrap();
    assert_eq!(rig.groups.take_changed(), BTreeSet::new());
    rig.send(&Heartbeat { epoch: -1, ..two.short() }).unwrap();
    let changed = rig.groups.take_changed();
    let two = ("g".to_owned(), Some("two".to_owned()));
    assert_eq!(changed, BTreeSet::from([("g".to_owned(), None), two]));
}
