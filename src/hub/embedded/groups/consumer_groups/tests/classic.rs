//! Members of the classic protocol beside those of the new one.

use super::*;
use crate::hub::embedded::groups::coordinator::{Assignment, Subscription};

const TIMEOUT_MS: i32 = 60_000;

pub(super) fn request(member_id: &str, topics: &[&str], owned: &[(&str, &[i32])]) -> JoinRequest {
    let subscription = Subscription {
        topics: topics.iter().map(|topic| (*topic).to_owned()).collect(),
        owned_partitions: owned
            .iter()
            .map(|(topic, numbers)| ((*topic).to_owned(), numbers.to_vec()))
            .collect(),
        ..Subscription::default()
    };
    JoinRequest {
        group: "g".to_owned(),
        member_id: member_id.to_owned(),
        instance_id: None,
        client_id: "c".to_owned(),
        client_host: "/127.0.0.1".to_owned(),
        protocol_type: "consumer".to_owned(),
        protocols: vec![("range".to_owned(), subscription.encode(1).unwrap())],
        session_timeout_ms: 10_000,
        rebalance_timeout_ms: TIMEOUT_MS,
        requires_known_member: false,
        supports_skipping_assignment: false,
    }
}

fn claim(member_id: &str, generation: i32) -> Claim<'_> {
    Claim { group: "g", generation, member_id, instance_id: None }
}

impl Rig {
    fn join_classic(&mut self, request: &JoinRequest) -> Result<JoinAnswer, GroupError> {
        self.groups.join(self.now_ms, request, "fresh")
    }

    fn sync(&mut self, member_id: &str, generation: i32) -> Result<Vec<i32>, GroupError> {
        let request = SyncRequest {
            group: "g".to_owned(),
            member_id: member_id.to_owned(),
            instance_id: None,
            generation,
            protocol_type: Some("consumer".to_owned()),
            protocol: Some("range".to_owned()),
            assignments: Vec::new(),
        };
        let answer = self.groups.sync(self.now_ms, request)?;
        let assignment = Assignment::decode(&answer.assignment).unwrap();
        Ok(assignment.partitions.into_iter().flat_map(|(_, numbers)| numbers).collect())
    }

    fn classic_beat(&mut self, member_id: &str, generation: i32) -> Result<(), GroupError> {
        self.groups.classic_heartbeat(self.now_ms, claim(member_id, generation))
    }
}

#[test]
fn a_classic_member_gets_its_share_from_the_server() {
    let mut rig = Rig::new(&[("t", 4)]);
    let mut one = Client::new("one", &["t"]);
    rig.join(&mut one).unwrap();
    let joined = rig.join_classic(&request("", &["t"], &[])).unwrap();
    assert_eq!((joined.member_id.as_str(), joined.generation), ("fresh", 3));
    assert_eq!((joined.protocol.as_deref(), joined.leader.as_str()), (Some("range"), ""));
    assert_eq!(rig.sync("fresh", 3), Ok(vec![]));
    assert_eq!(rig.classic_beat("fresh", 3), Ok(()));
    rig.beat(&mut one);
    rig.beat(&mut one);
    assert_eq!(one.owned.len(), 2);
    // What it waits for is free now: it joins again to get it.
    assert_eq!(rig.classic_beat("fresh", 3), Err(GroupError::RebalanceInProgress));
    let joined = rig.join_classic(&request("fresh", &["t"], &[])).unwrap();
    assert_eq!(rig.sync("fresh", joined.generation).unwrap().len(), 2);
    assert_eq!(rig.classic_beat("fresh", joined.generation), Ok(()));
    assert_eq!(rig.view().phase, group::GroupPhase::Stable);
    assert!(rig.view().members[0].is_classic);
}

#[test]
fn a_classic_member_gives_up_partitions_by_joining_without_them() {
    let mut rig = Rig::new(&[("t", 4)]);
    let mut one = Client::new("one", &[]);
    rig.join(&mut one).unwrap();
    let joined = rig.join_classic(&request("two", &["t"], &[])).unwrap();
    assert_eq!(rig.sync("two", joined.generation), Ok(vec![0, 1, 2, 3]));
    one.topics = vec!["t".to_owned()];
    rig.join(&mut one).unwrap();
    assert!(one.owned.is_empty());
    let generation = joined.generation;
    assert_eq!(rig.classic_beat("two", generation), Err(GroupError::RebalanceInProgress));
    // As a cooperative member, it still has all when it joins, and is told what it may keep.
    let owned: &[(&str, &[i32])] = &[("t", &[0, 1, 2, 3])];
    let joined = rig.join_classic(&request("two", &["t"], owned)).unwrap();
    assert_eq!(joined.generation, generation);
    let kept = rig.sync("two", generation).unwrap();
    assert_eq!(kept.len(), 2);
    assert!(!rig.beat(&mut one));
    assert_eq!(rig.classic_beat("two", generation), Err(GroupError::RebalanceInProgress));
    let joined = rig.join_classic(&request("two", &["t"], &[("t", &kept)])).unwrap();
    assert_eq!(joined.generation, generation + 1);
    assert_eq!(rig.sync("two", joined.generation), Ok(kept));
    assert!(rig.beat(&mut one));
    assert_eq!(one.owned.len(), 2);
}

#[test]
fn a_classic_member_shows_nobody_what_he_may_not_see() {
    let mut rig = Rig::new(&[("t", 1), ("logs", 1)]);
    let mut one = Client::matching("one", ".*logs");
    rig.join(&mut one).unwrap();
    rig.groups.set_topic("hidden-logs", Some((id("hidden"), 1)));
    rig.groups.set_topic("more-logs", Some((id("more"), 1)));
    // It sees no topic for the other; its own is assigned.
    let joined = rig.join_classic(&request("two", &["t"], &[])).unwrap();
    assert_eq!(rig.sync("two", joined.generation), Ok(vec![0]));
    rig.beat(&mut one);
    rig.beat(&mut one);
    assert_eq!(one.owned, [(id("logs"), 0), (id("more"), 0)].into_iter().collect());
}

#[test]
fn a_classic_member_that_does_not_come_back_is_removed() {
    let mut rig = Rig::new(&[("t", 4)]);
    let mut one = Client::new("one", &["t"]);
    rig.join(&mut one).unwrap();
    let joined = rig.join_classic(&request("two", &["t"], &[])).unwrap();
    let generation = joined.generation;
    assert_eq!(rig.classic_beat("two", generation), Ok(()));
    // It never asks for its assignment.
    for _ in 0..11 {
        rig.pass(5_000);
        rig.beat(&mut one);
        rig.classic_beat("two", generation).ok();
    }
    rig.pass(5_000);
    assert_eq!(rig.classic_beat("two", generation), Err(GroupError::UnknownMember));
    // It is told to join again, and does not; its heartbeats do not help.
    let joined = rig.join_classic(&request("two", &["t"], &[])).unwrap();
    rig.sync("two", joined.generation).unwrap();
    rig.join(&mut Client::new("three", &["t"])).unwrap();
    for _ in 0..12 {
        let told = rig.classic_beat("two", joined.generation);
        assert_eq!(told, Err(GroupError::RebalanceInProgress));
        rig.beat(&mut one);
        rig.pass(5_000);
    }
    let gone = rig.classic_beat("two", joined.generation);
    assert_eq!(gone, Err(GroupError::UnknownMember));
}

#[test]
fn other_claims_and_protocols_are_refused() {
    let mut rig = Rig::new(&[("t", 4)]);
    rig.join(&mut Client::new("one", &["t"])).unwrap();
    let known = JoinRequest { requires_known_member: true, ..request("", &["t"], &[]) };
    assert_eq!(rig.join_classic(&known), Err(GroupError::MemberIdRequired));
    let connect = JoinRequest { protocol_type: "connect".to_owned(), ..request("", &["t"], &[]) };
    assert_eq!(rig.join_classic(&connect), Err(GroupError::InconsistentGroupProtocol));
    let broken = vec![("range".to_owned(), vec![0])];
    let broken = JoinRequest { protocols: broken, ..request("", &["t"], &[]) };
    assert_eq!(rig.join_classic(&broken), Err(GroupError::InconsistentGroupProtocol));
    rig.join_classic(&request("two", &["t"], &[])).unwrap();
    let mut other = request("three", &["t"], &[]);
    other.protocols[0].0 = "roundrobin".to_owned();
    assert_eq!(rig.join_classic(&other), Err(GroupError::InconsistentGroupProtocol));
    assert_eq!(rig.sync("two", 9), Err(GroupError::IllegalGeneration));
    assert_eq!(rig.sync("one", 2), Err(GroupError::UnknownMember));
    assert_eq!(rig.classic_beat("one", 2), Err(GroupError::UnknownMember));
    assert_eq!(rig.classic_beat("two", 9), Err(GroupError::IllegalGeneration));
    let left = rig.groups.leave("g", &[("two".to_owned(), None), ("nobody".to_owned(), None)]);
    assert_eq!(left, [Ok(()), Err(GroupError::UnknownMember)]);
}

#[test]
fn a_static_member_changes_the_protocol_in_its_place() {
    let mut rig = Rig::new(&[("t", 4)]);
    rig.join(&mut Client::new("other", &["t"])).unwrap();
    let fixed = JoinRequest { instance_id: Some("i".to_owned()), ..request("", &["t"], &[]) };
    assert_eq!(rig.join_classic(&fixed).unwrap().member_id, "fresh");
    let mut one = Client::fixed("one", "i", &["t"]);
    rig.join(&mut one).unwrap();
    assert_eq!(rig.view().members.len(), 2);
    // And back: nobody has to leave first.
    assert_eq!(rig.join_classic(&fixed).unwrap().member_id, "fresh");
    assert_eq!(rig.send(&one.short()), Err(GroupError::FencedInstanceId));
}
