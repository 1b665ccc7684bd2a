//! The coordinator, driven by a clock of the test.

mod assignors;
mod claims;
mod joins;
mod model;
mod static_members;
mod stored;
mod timers;

use std::collections::{BTreeMap, HashMap};

use super::assignor::Subscriber;
use super::consumer_protocol::{Malformed, TopicPartitions, VERSION_MAX};
use super::group::State;
use super::view::MemberDescription;
use super::*;

pub(super) const SESSION_MS: i64 = 10_000;
pub(super) const REBALANCE_MS: i64 = 60_000;

pub(super) fn limits() -> Limits {
    Limits {
        session_timeout_min_ms: 6_000,
        session_timeout_max_ms: 1_800_000,
        initial_rebalance_delay_ms: 0,
        group_size_max: 100,
    }
}

/// A join of the group `g` by a dynamic consumer, as of version 3.
pub(super) fn request(member_id: &str) -> JoinRequest {
    JoinRequest {
        group: "g".to_owned(),
        member_id: member_id.to_owned(),
        instance_id: None,
        client_id: "c".to_owned(),
        client_host: "/127.0.0.1".to_owned(),
        protocol_type: "consumer".to_owned(),
        protocols: vec![("range".to_owned(), b"x".to_vec())],
        session_timeout_ms: 10_000,
        rebalance_timeout_ms: 60_000,
        requires_known_member: false,
        supports_skipping_assignment: false,
    }
}

pub(super) fn fixed(member_id: &str, instance_id: &str) -> JoinRequest {
    JoinRequest { instance_id: Some(instance_id.to_owned()), ..request(member_id) }
}

pub(super) fn claim(generation: i32, member_id: &str) -> Claim<'_> {
    Claim { group: "g", generation, member_id, instance_id: None }
}

/// A coordinator whose answers are kept until they are asked for.
pub(super) struct Rig {
    pub(super) coordinator: Coordinator,
    pub(super) now_ms: i64,
    next_ticket: Ticket,
    answers: HashMap<Ticket, Answer>,
}

impl Rig {
    pub(super) fn new(limits: Limits) -> Self {
        let mut last = 0;
        let suffix = move || {
            last += 1;
            format!("{last:03}")
        };
        let coordinator = Coordinator::new(limits, suffix);
        Self { coordinator, now_ms: 1_000, next_ticket: 0, answers: HashMap::new() }
    }

    pub(super) fn ticket(&mut self) -> Ticket {
        self.next_ticket += 1;
        self.next_ticket
    }

    fn collect(&mut self) {
        for (ticket, answer) in self.coordinator.take_answers() {
            assert!(self.answers.insert(ticket, answer).is_none(), "{ticket} is answered twice");
        }
    }

    pub(super) fn join(&mut self, request: JoinRequest) -> Ticket {
        let ticket = self.ticket();
        self.coordinator.join(self.now_ms, request, ticket);
        ticket
    }

    /// The answer to a join, if there is one.
    pub(super) fn joined(&mut self, ticket: Ticket) -> Option<JoinAnswer> {
        self.collect();
        match self.answers.remove(&ticket)? {
            Answer::Joined(answer) => Some(answer),
            Answer::Synced(answer) => panic!("{answer:?} for a join"),
        }
    }

    pub(super) fn refused(&mut self, ticket: Ticket) -> Option<GroupError> {
        self.joined(ticket).expect("no answer").error
    }

    pub(super) fn sync(&mut self, generation: i32, member_id: &str, shares: &[&str]) -> Ticket {
        let ticket = self.ticket();
        let assignments = shares.iter().map(|id| ((*id).to_owned(), id.as_bytes().to_vec()));
        let request = SyncRequest {
            group: "g".to_owned(),
            member_id: member_id.to_owned(),
            instance_id: None,
            generation,
            protocol_type: None,
            protocol: None,
            assignments: assignments.collect(),
        };
        self.coordinator.sync(self.now_ms, request, ticket);
        ticket
    }

    /// The answer to a sync, if there is one: the error or the assignment.
    pub(super) fn synced(&mut self, ticket: Ticket) -> Option<Result<String, GroupError>> {
        self.collect();
        match self.answers.remove(&ticket)? {
            Answer::Synced(SyncAnswer { error: Some(error), .. }) => Some(Err(error)),
            Answer::Synced(answer) => Some(Ok(String::from_utf8(answer.assignment).unwrap())),
            Answer::Joined(answer) => panic!("{answer:?} for a sync"),
        }
    }

    /// Lets time go by, deadline by deadline.
    pub(super) fn pass(&mut self, ms: i64) {
        let end_ms = self.now_ms + ms;
        for _ in 0..10_000 {
            match self.coordinator.next_deadline() {
                Some(deadline_ms) if deadline_ms <= end_ms => {
                    self.now_ms = self.now_ms.max(deadline_ms);
                    self.coordinator.tick(self.now_ms);
                }
                _ => {
                    self.now_ms = end_ms;
                    return;
                }
            }
        }
        panic!("the deadline {:?} stays", self.coordinator.next_deadline());
    }

    pub(super) fn heartbeat(&mut self, generation: i32, member_id: &str) -> Result<(), GroupError> {
        self.coordinator.heartbeat(self.now_ms, claim(generation, member_id))
    }

    pub(super) fn leave(
        &mut self,
        member_id: &str,
        instance_id: Option<&str>,
    ) -> Result<(), GroupError> {
        let member = (member_id.to_owned(), instance_id.map(str::to_owned));
        let outcomes = self.coordinator.leave(self.now_ms, "g", &[member]).unwrap();
        outcomes.into_iter().next().unwrap()
    }

    pub(super) fn state(&self) -> State {
        self.coordinator.describe("g").expect("no group").state
    }

    pub(super) fn ids(&self) -> Vec<String> {
        let members = self.coordinator.describe("g").expect("no group").members;
        members.into_iter().map(|member| member.member_id).collect()
    }

    /// A stable group of that many dynamic members with the ids `c-001`, `c-002`, …; the first leads.
    pub(super) fn stable(count: usize) -> (Self, Vec<String>, i32) {
        let mut rig = Self::new(Limits { initial_rebalance_delay_ms: 10, ..limits() });
        let tickets: Vec<Ticket> = (0..count).map(|_| rig.join(request(""))).collect();
        rig.pass(10 * i64::try_from(count).unwrap() + 10);
        let answers: Vec<JoinAnswer> =
            tickets.into_iter().map(|ticket| rig.joined(ticket).unwrap()).collect();
        let ids: Vec<String> = answers.iter().map(|answer| answer.member_id.clone()).collect();
        let generation = answers[0].generation;
        rig.settle(generation, &ids);
        (rig, ids, generation)
    }

    /// All members sync, the leader last.
    pub(super) fn settle(&mut self, generation: i32, ids: &[String]) {
        let shares: Vec<&str> = ids.iter().map(String::as_str).collect();
        let tickets: Vec<(String, Ticket)> =
            ids.iter().rev().map(|id| (id.clone(), self.sync(generation, id, &shares))).collect();
        for (id, ticket) in tickets {
            assert_eq!(self.synced(ticket), Some(Ok(id)));
        }
        assert_eq!(self.state(), State::Stable);
    }
}

/// What must hold in a coordinator at any time.
pub(super) fn check(coordinator: &Coordinator) {
    let mut parked: BTreeMap<Ticket, &String> = BTreeMap::new();
    for (name, group) in &coordinator.groups {
        check_group(group);
        for member in group.members.values() {
            check_member(group, member);
            parked.extend(member.join.iter().chain(&member.sync).map(|ticket| (*ticket, name)));
        }
        assert_eq!(group.wake_ms, group.registered_ms);
        let timer = (group.wake_ms, name.clone());
        assert!(group.wake_ms == NEVER || coordinator.timers.contains(&timer));
    }
    let timed = coordinator.groups.values().filter(|group| group.registered_ms != NEVER).count();
    assert_eq!(coordinator.timers.len(), timed, "timers of no group");
    let known: BTreeMap<Ticket, &String> =
        coordinator.parked.iter().map(|(ticket, name)| (*ticket, name)).collect();
    assert_eq!(parked, known, "tickets that nobody will answer");
}

fn check_group(group: &Group) {
    if group.state == State::Empty {
        assert!(group.members.is_empty());
        assert_eq!((group.leader.as_ref(), group.protocol.as_ref()), (None, None));
    }
    if !group.members.is_empty() {
        let leader = group.leader.as_ref().expect("no leader");
        assert!(group.members.contains_key(leader), "the leader is no member");
        assert!(group.select_protocol().is_some(), "no protocol in common");
    }
    assert_eq!(group.state == State::PreparingRebalance, group.join_deadline_ms != NEVER);
    let joined = group.members.values().filter(|member| member.join.is_some()).count();
    assert_eq!(group.joined, joined, "parked joins");
    let fixed = group
        .members
        .iter()
        .filter_map(|(member_id, member)| Some((member.instance_id.clone()?, member_id.clone())));
    assert_eq!(group.instances, fixed.collect::<HashMap<_, _>>(), "static members");
    let twice = group.members.keys().find(|member_id| group.pending.contains_key(*member_id));
    assert_eq!(twice, None, "pending and a member");
    let others = [group.join_deadline_ms, group.sync_deadline_ms];
    let earliest = others.into_iter().chain(group.pending.values().copied()).min();
    assert!(Some(group.wake_ms) <= earliest, "nobody wakes for the group");
}

fn check_member(group: &Group, member: &member::Member) {
    assert!(member.is_parked() || member.deadline_ms != NEVER, "lives for ever");
    assert!(group.wake_ms <= member.deadline_ms, "nobody wakes for {member:?}");
    assert!(member.join.is_none() || group.state == State::PreparingRebalance);
    assert!(member.sync.is_none() || group.state == State::CompletingRebalance);
}
