//! Members with an instance id, which keep their place when they restart.

use super::*;

/// A stable group of the static members `a` and `b` and a dynamic one; `a` leads. Their ids, in this order.
fn group() -> (Rig, [String; 3], i32) {
    let mut rig = Rig::new(Limits { initial_rebalance_delay_ms: 10, ..limits() });
    let tickets = [rig.join(fixed("", "a")), rig.join(fixed("", "b")), rig.join(request(""))];
    rig.pass(100);
    let answers = tickets.map(|ticket| rig.joined(ticket).unwrap());
    assert_eq!(answers[0].members[0].1.as_deref(), Some("a"));
    let generation = answers[0].generation;
    let ids = answers.map(|answer| answer.member_id);
    rig.settle(generation, &ids);
    (rig, ids, generation)
}

fn heartbeat(rig: &mut Rig, generation: i32, id: &str, instance: &str) -> Result<(), GroupError> {
    let claim = Claim { group: "g", generation, member_id: id, instance_id: Some(instance) };
    rig.coordinator.heartbeat(rig.now_ms, claim)
}

#[test]
fn a_static_member_that_restarts_keeps_its_assignment_without_a_rebalance() {
    let (mut rig, ids, generation) = group();
    rig.coordinator.take_changed();
    let ticket = rig.join(fixed("", "b"));
    let answer = rig.joined(ticket).unwrap();
    assert_eq!((answer.error, answer.generation), (None, generation));
    assert_eq!((answer.leader, answer.members), (ids[0].clone(), Vec::new()));
    assert_ne!(answer.member_id, ids[1]);
    assert_eq!(rig.state(), State::Stable);
    assert_eq!(rig.coordinator.take_changed().len(), 1, "its id is not stored");
    let sync = rig.sync(generation, &answer.member_id, &[]);
    assert_eq!(rig.synced(sync), Some(Ok(ids[1].clone())));
    assert_eq!(heartbeat(&mut rig, generation, &answer.member_id, "b"), Ok(()));
    rig.join(JoinRequest { session_timeout_ms: 6_000, ..fixed("", "b") });
    check(&rig.coordinator);
    rig.pass(6_000);
    assert_eq!(rig.ids(), [ids[0].clone(), ids[2].clone()]);
}

#[test]
fn the_one_that_it_replaced_is_fenced() {
    let (mut rig, ids, generation) = group();
    rig.join(fixed("", "b"));
    let fenced = GroupError::FencedInstanceId;
    let now_ms = rig.now_ms;
    assert_eq!(heartbeat(&mut rig, generation, &ids[1], "b"), Err(fenced));
    let claim = Claim { instance_id: Some("b"), ..claim(generation, &ids[1]) };
    assert_eq!(rig.coordinator.check_commit(now_ms, claim), Err(fenced));
    assert_eq!(rig.coordinator.check_transactional_commit(claim), Err(fenced));
    assert_eq!(rig.leave(&ids[1], Some("b")), Err(fenced));
    let ticket = rig.join(fixed(&ids[1], "b"));
    assert_eq!(rig.refused(ticket), Some(fenced));
    let ticket = rig.ticket();
    let request = SyncRequest {
        group: "g".to_owned(),
        member_id: ids[1].clone(),
        instance_id: Some("b".to_owned()),
        generation,
        protocol_type: None,
        protocol: None,
        assignments: Vec::new(),
    };
    rig.coordinator.sync(now_ms, request, ticket);
    assert_eq!(rig.synced(ticket), Some(Err(fenced)));
    // Without the instance id it is simply unknown.
    assert_eq!(rig.heartbeat(generation, &ids[1]), Err(GroupError::UnknownMember));
    assert_eq!(heartbeat(&mut rig, generation, &ids[1], "z"), Err(GroupError::UnknownMember));
}

#[test]
fn a_leader_that_restarts_does_not_assign_in_vain() {
    for skips in [false, true] {
        let (mut rig, ids, generation) = group();
        let ticket =
            rig.join(JoinRequest { supports_skipping_assignment: skips, ..fixed("", "a") });
        let answer = rig.joined(ticket).unwrap();
        assert_eq!(answer.generation, generation);
        assert_eq!(answer.skip_assignment, skips);
        if skips {
            assert_eq!(answer.leader, answer.member_id);
            assert_eq!(answer.members.len(), 3);
        } else {
            assert_eq!((answer.leader, answer.members.len()), (ids[0].clone(), 0));
        }
        // It leads nevertheless: when it joins again, all do.
        rig.join(fixed(&answer.member_id, "a"));
        assert_eq!(rig.state(), State::PreparingRebalance);
    }
}

#[test]
fn a_restart_that_changes_the_chosen_protocol_makes_the_group_rebalance() {
    let (mut rig, ..) = group();
    let same = vec![("other".to_owned(), Vec::new()), ("range".to_owned(), b"y".to_vec())];
    let ticket = rig.join(JoinRequest { protocols: same, ..fixed("", "b") });
    assert!(rig.joined(ticket).is_some());
    assert_eq!(rig.state(), State::Stable);

    let both = || vec![("one".to_owned(), Vec::new()), ("two".to_owned(), Vec::new())];
    let mut rig = Rig::new(limits());
    let ticket = rig.join(JoinRequest { protocols: both(), ..fixed("", "a") });
    let answer = rig.joined(ticket).unwrap();
    rig.settle(1, &[answer.member_id]);
    let ticket = rig.join(JoinRequest { protocols: both().split_off(1), ..fixed("", "a") });
    let answer = rig.joined(ticket).unwrap();
    assert_eq!((answer.generation, answer.protocol.as_deref()), (2, Some("two")));
}

#[test]
fn a_restart_while_the_leader_assigns_makes_the_group_rebalance() {
    let (mut rig, ids, generation) = group();
    let tickets =
        [rig.join(fixed(&ids[0], "a")), rig.join(fixed(&ids[1], "b")), rig.join(request(&ids[2]))];
    for ticket in tickets {
        assert_eq!(rig.joined(ticket).unwrap().generation, generation + 1);
    }
    let parked = rig.sync(generation + 1, &ids[1], &[]);
    let again = rig.join(fixed("", "b"));
    assert_eq!(rig.synced(parked), Some(Err(GroupError::FencedInstanceId)));
    assert_eq!(rig.joined(again), None);
    assert_eq!(rig.state(), State::PreparingRebalance);
    check(&rig.coordinator);
}

#[test]
fn a_restart_during_a_rebalance_fences_the_parked_join() {
    let (mut rig, ids, generation) = group();
    let leader = rig.join(fixed(&ids[0], "a"));
    let (old, new) = (rig.join(fixed(&ids[1], "b")), rig.join(fixed("", "b")));
    assert_eq!(rig.refused(old), Some(GroupError::FencedInstanceId));
    rig.join(request(&ids[2]));
    assert_eq!(rig.joined(leader).unwrap().members.len(), 3);
    assert_eq!(rig.joined(new).unwrap().generation, generation + 1);
    check(&rig.coordinator);
}

#[test]
fn static_members_that_miss_a_rebalance_stay_until_their_session_ends() {
    let (mut rig, ids, generation) = group();
    rig.pass(1_000);
    let patient = |request: JoinRequest| JoinRequest { rebalance_timeout_ms: 2_000, ..request };
    // All say so, as the longest rebalance timeout counts.
    for (id, instance) in [(&ids[0], "a"), (&ids[1], "b")] {
        rig.join(patient(fixed(id, instance)));
    }
    let ticket = rig.join(patient(request(&ids[2])));
    assert!(rig.joined(ticket).is_some());
    rig.settle(generation + 1, &ids);
    let leader = rig.join(patient(fixed(&ids[0], "a")));
    rig.pass(2_000);
    let answer = rig.joined(leader).unwrap();
    let members: Vec<&str> = answer.members.iter().map(|(id, ..)| id.as_str()).collect();
    assert_eq!(members, [&ids[0], &ids[1]], "the dynamic one is out, the static one stays");
}

#[test]
fn a_rebalance_that_nobody_joins_waits_for_the_sessions_of_static_members() {
    let mut rig = Rig::new(Limits { initial_rebalance_delay_ms: 10, ..limits() });
    let short = |id: &str, instance: &str, session_timeout_ms| JoinRequest {
        rebalance_timeout_ms: 1_000,
        session_timeout_ms,
        ..fixed(id, instance)
    };
    let tickets = [rig.join(short("", "a", 30_000)), rig.join(short("", "b", 10_000))];
    rig.pass(100);
    let ids = tickets.map(|ticket| rig.joined(ticket).unwrap().member_id);
    rig.settle(1, &ids);
    rig.pass(10_000);
    assert_eq!(rig.state(), State::PreparingRebalance);
    rig.pass(10_000);
    let ticket = rig.join(short("", "a", 30_000));
    assert_eq!(rig.joined(ticket).unwrap().generation, 2);
}

#[test]
fn static_members_are_sent_away_by_their_instance_id() {
    let (mut rig, ids, _) = group();
    assert_eq!(rig.leave("", Some("z")), Err(GroupError::UnknownMember));
    assert_eq!(rig.leave("", None), Err(GroupError::UnknownMember));
    assert_eq!(rig.leave("", Some("b")), Ok(()));
    assert_eq!(rig.ids(), [ids[0].clone(), ids[2].clone()]);
    assert_eq!(rig.state(), State::PreparingRebalance);
    assert_eq!(rig.leave(&ids[0], Some("a")), Ok(()));
    assert_eq!(rig.leave(&ids[2], None), Ok(()));
    assert_eq!(rig.state(), State::Empty);
}
