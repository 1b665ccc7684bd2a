//! Groups that go from one coordinator to the other.

use super::consumer_groups::{Heartbeat, Partitions};
use super::coordinator::{
    Answer, Assignment, Claim, GroupError, JoinAnswer, JoinRequest, Limits, Subscription,
    SyncRequest,
};
use super::coordinators::Coordinators;
use super::states::{Changes, Part, StateKey};

const LIMITS: Limits = Limits {
    session_timeout_min_ms: 6_000,
    session_timeout_max_ms: 1_800_000,
    initial_rebalance_delay_ms: 0,
    group_size_max: 100,
};

fn coordinators() -> Coordinators {
    let mut all = Coordinators::new(LIMITS, || "1".to_owned());
    all.set_topic("t", Some((uuid::Uuid::from_u128(7), 4)));
    all
}

fn beat(epoch: i32) -> Heartbeat {
    Heartbeat {
        group: "g".to_owned(),
        member_id: "new".to_owned(),
        epoch,
        instance_id: None,
        rack_id: None,
        rebalance_timeout_ms: 60_000,
        topics: Some(vec!["t".to_owned()]),
        regex: None,
        assignor: None,
        owned: Some(Partitions::default()),
        client_id: "c".to_owned(),
        client_host: "/127.0.0.1".to_owned(),
        has_own_id: true,
    }
}

fn request(member_id: &str, kind: &str) -> JoinRequest {
    let topics = vec!["t".to_owned()];
    let subscription = Subscription { topics, ..Subscription::default() };
    JoinRequest {
        group: "g".to_owned(),
        member_id: member_id.to_owned(),
        instance_id: None,
        client_id: "classic".to_owned(),
        client_host: "/127.0.0.1".to_owned(),
        protocol_type: kind.to_owned(),
        protocols: vec![("range".to_owned(), subscription.encode(0).unwrap())],
        session_timeout_ms: 10_000,
        rebalance_timeout_ms: 60_000,
        requires_known_member: false,
        supports_skipping_assignment: false,
    }
}

impl Coordinators {
    fn beats(&mut self, epoch: i32) -> Result<i32, GroupError> {
        let beat = self.consumer_heartbeat(1_000, beat(epoch), &|_| true)?;
        Ok(beat.epoch)
    }

    fn joined(&mut self, member_id: &str, kind: &str) -> JoinAnswer {
        self.join(1_000, request(member_id, kind), 1);
        self.tick(1_000);
        self.the_answer()
    }

    fn the_answer(&mut self) -> JoinAnswer {
        match self.take_answers().pop().expect("an answer") {
            (_, Answer::Joined(answer)) => answer,
            (_, Answer::Synced(answer)) => panic!("{answer:?} for a join"),
        }
    }

    fn syncs(&mut self, joined: &JoinAnswer, assignment: &Assignment) {
        let assignment = assignment.encode(0).unwrap();
        let request = SyncRequest {
            group: "g".to_owned(),
            member_id: joined.member_id.clone(),
            instance_id: None,
            generation: joined.generation,
            protocol_type: None,
            protocol: None,
            assignments: vec![(joined.member_id.clone(), assignment)],
        };
        self.sync(1_000, request, 2);
        assert_eq!(self.take_answers().len(), 1);
    }

    fn beats_classic(&mut self, generation: i32) -> Result<(), GroupError> {
        let claim = Claim { group: "g", generation, member_id: "classic-1", instance_id: None };
        self.heartbeat(1_000, claim)
    }

    fn changes(&mut self) -> Changes {
        self.take_changes(|host| host != "here").into_iter().collect()
    }
}

fn key(part: Part) -> StateKey {
    StateKey { group: "g".to_owned(), part }
}

/// Everything goes to the one member.
fn all() -> Assignment {
    Assignment { partitions: vec![("t".to_owned(), vec![0, 1, 2, 3])], user_data: None }
}

#[test]
fn a_group_goes_over_with_its_members_and_comes_back() {
    let mut both = coordinators();
    let joined = both.joined("", "consumer");
    both.syncs(&joined, &all());
    assert!(both.changes()[&key(Part::Classic)].is_some());
    assert_eq!(both.beats(0), Ok(2));
    assert_eq!(both.describe("g"), None);
    let view = both.describe_consumer("g").unwrap();
    assert_eq!((view.members.len(), view.members[0].assigned[0].partitions.len()), (2, 4));
    let changes = both.changes();
    assert_eq!(changes[&key(Part::Classic)], None);
    let parts = [Part::Consumer, Part::Member("new".into()), Part::Member("classic-1".into())];
    assert!(parts.into_iter().all(|part| changes[&key(part)].is_some()));
    assert_eq!(both.beats_classic(1), Err(GroupError::RebalanceInProgress));
    let again = both.joined("classic-1", "consumer");
    assert_eq!((again.error, again.generation, again.leader.as_str()), (None, 2, ""));
    both.beats(-1).unwrap();
    assert_eq!(both.describe_consumer("g"), None);
    assert!(both.changes().values().all(Option::is_none));
    assert_eq!(both.beats_classic(3), Err(GroupError::RebalanceInProgress));
    let back = both.joined("classic-1", "consumer");
    assert_eq!((back.error, back.generation, back.leader.as_str()), (None, 4, "classic-1"));
}

#[test]
fn who_waits_in_a_group_that_goes_over_is_sent_to_join_again() {
    let mut both = coordinators();
    let joined = both.joined("", "consumer");
    // The first has not got its assignment yet, the second waits for the first.
    let second = JoinRequest { client_id: "second".to_owned(), ..request("", "consumer") };
    both.join(1_000, second, 9);
    assert!(both.take_answers().is_empty());
    both.beats(0).unwrap();
    let sent = both.the_answer();
    assert_eq!(sent.error, Some(GroupError::RebalanceInProgress));
    assert_eq!((joined.member_id.as_str(), sent.member_id.as_str()), ("classic-1", "second-1"));
    assert_eq!(both.joined("second-1", "consumer").error, None);
    assert_eq!(both.describe_consumer("g").unwrap().members.len(), 3);
}

#[test]
fn a_group_that_would_lose_something_stays_what_it_is() {
    let mut both = coordinators();
    both.joined("", "connect");
    assert_eq!(both.beats(0), Err(GroupError::GroupIdNotFound));
    assert!(both.describe("g").is_some());
    let mut both = coordinators();
    let joined = both.joined("", "consumer");
    both.syncs(&joined, &Assignment { user_data: Some(b"more".to_vec()), ..all() });
    assert_eq!(both.beats(0), Err(GroupError::GroupIdNotFound));
    assert_eq!(both.beats_classic(joined.generation), Ok(()));
    // What makes no sense does not move a group either.
    let mut both = coordinators();
    both.joined("", "consumer");
    let senseless = Heartbeat { owned: None, ..beat(0) };
    assert!(both.consumer_heartbeat(1_000, senseless, &|_| true).is_err());
    assert!(both.describe("g").is_some());
}

#[test]
fn a_group_without_members_belongs_to_who_comes_next() {
    let mut both = coordinators();
    let joined = both.joined("", "consumer");
    let left = both.leave(1_000, "g", &[(joined.member_id, None)]);
    assert_eq!(left, Ok(vec![Ok(())]));
    assert_eq!(both.beats(0), Ok(2));
    both.beats(-1).unwrap();
    assert!(both.describe_consumer("g").is_some() && both.knows("g") && !both.has_members("g"));
    both.changes();
    let joined = both.joined("", "connect");
    assert_eq!((joined.error, joined.generation), (None, 1));
    assert_eq!(both.describe_consumer("g"), None);
    assert_eq!(both.changes()[&key(Part::Consumer)], None);
}

#[test]
fn both_kinds_come_back_after_a_restart() {
    let mut both = coordinators();
    both.beats(0).unwrap();
    let mut other = request("", "consumer");
    other.group = "h".to_owned();
    both.join(1_000, other, 1);
    let joined = both.the_answer();
    let request = SyncRequest {
        group: "h".to_owned(),
        member_id: joined.member_id.clone(),
        instance_id: None,
        generation: joined.generation,
        protocol_type: None,
        protocol: None,
        assignments: Vec::new(),
    };
    both.sync(1_000, request, 2);
    let stored = both.changes().into_iter().filter_map(|(key, state)| Some((key, state?)));
    let mut stored: std::collections::BTreeMap<_, _> = stored.collect();
    let mut again = coordinators();
    assert_eq!(again.restore(1_000, &stored, |host| host == "here").len(), 0);
    assert_eq!(again.list(), both.list());
    assert_eq!(again.describe_consumer("g"), both.describe_consumer("g"));
    assert_eq!(again.beats(2), Ok(2));
    // What cannot be read is told, and the rest is there.
    stored.insert(key(Part::Member("broken".into())), b"{".to_vec());
    let mut again = coordinators();
    assert_eq!(again.restore(1_000, &stored, |_| false).len(), 1);
    assert_eq!(again.beats(2), Ok(2));
}
