//! Sessions, rebalances and first joins that run out of time, and connections that break.

use super::*;

#[test]
fn a_first_rebalance_waits_while_members_come_but_no_longer_than_the_rebalance_timeout() {
    let delayed = Limits { initial_rebalance_delay_ms: 3_000, ..limits() };
    // When the others join, and when the first is answered.
    let cases: [(&[i64], i64); 5] = [
        (&[], 3_000),
        (&[1_000], 6_000),
        (&[1_000, 4_000], 9_000),
        (&[1_000, 2_000, 2_500], 6_000),
        (&[1_000, 4_000, 7_000, 9_500], 10_000),
    ];
    for (others, expected) in cases {
        let mut rig = Rig::new(delayed);
        let begin_ms = rig.now_ms;
        let short = JoinRequest { rebalance_timeout_ms: 10_000, ..request("") };
        let first = rig.join(short.clone());
        for at_ms in others {
            rig.pass(begin_ms + at_ms - rig.now_ms);
            rig.join(short.clone());
        }
        rig.pass(begin_ms + expected - 1 - rig.now_ms);
        assert_eq!(rig.joined(first), None, "{others:?}: too early");
        rig.pass(1);
        assert!(rig.joined(first).is_some(), "{others:?}: too late");
    }
}

#[test]
fn who_does_not_join_within_the_rebalance_timeout_is_out() {
    let (mut rig, ids, generation) = Rig::stable(3);
    let leader = rig.join(request(&ids[0]));
    for _ in 0..59 {
        rig.pass(1_000);
        // Heartbeats alone keep the session, not the place.
        assert_eq!(rig.heartbeat(generation, &ids[2]), Err(GroupError::RebalanceInProgress));
        assert_eq!(rig.heartbeat(generation, &ids[1]), Err(GroupError::RebalanceInProgress));
    }
    let second = rig.join(request(&ids[1]));
    assert_eq!(rig.joined(leader), None);
    rig.pass(REBALANCE_MS - 59_000);
    assert_eq!(rig.joined(leader).unwrap().members.len(), 2);
    assert!(rig.joined(second).is_some());
    assert_eq!(rig.heartbeat(generation, &ids[2]), Err(GroupError::UnknownMember));
}

#[test]
fn the_longest_rebalance_timeout_of_the_members_counts() {
    let mut rig = Rig::new(Limits { initial_rebalance_delay_ms: 10, ..limits() });
    let with = |rebalance_timeout_ms| JoinRequest {
        rebalance_timeout_ms,
        session_timeout_ms: 60_000,
        ..request("")
    };
    let tickets = [rig.join(with(20_000)), rig.join(with(5_000)), rig.join(with(10_000))];
    rig.pass(100);
    let ids = tickets.map(|ticket| rig.joined(ticket).unwrap().member_id);
    rig.settle(1, &ids);
    let again = JoinRequest { member_id: ids[1].clone(), ..with(5_000) };
    let changed = vec![("range".to_owned(), b"y".to_vec())];
    let ticket = rig.join(JoinRequest { protocols: changed, ..again });
    rig.pass(19_999);
    assert_eq!(rig.joined(ticket), None);
    rig.pass(1);
    assert_eq!(rig.joined(ticket).unwrap().members.len(), 1);
}

#[test]
fn if_the_leader_does_not_join_another_leads() {
    let (mut rig, ids, generation) = Rig::stable(2);
    let newcomer = rig.join(request(""));
    let second = rig.join(request(&ids[1]));
    rig.pass(SESSION_MS);
    let answer = rig.joined(second).unwrap();
    assert_eq!((answer.generation, &answer.leader), (generation + 1, &ids[1]));
    assert_eq!(answer.members.len(), 2);
    assert_eq!(rig.joined(newcomer).unwrap().leader, ids[1]);
}

#[test]
fn a_silent_member_is_removed_and_the_others_rebalance() {
    let (mut rig, ids, generation) = Rig::stable(2);
    rig.pass(SESSION_MS - 1);
    assert_eq!(rig.heartbeat(generation, &ids[0]), Ok(()));
    rig.pass(1);
    assert_eq!(rig.state(), State::PreparingRebalance);
    assert_eq!(rig.ids(), [ids[0].clone()]);
    let ticket = rig.join(request(&ids[0]));
    assert_eq!(rig.joined(ticket).unwrap().generation, generation + 1);
}

#[test]
fn a_group_that_everybody_left_is_empty_and_waits_for_nothing() {
    let (mut rig, _, generation) = Rig::stable(3);
    rig.coordinator.take_changed();
    rig.pass(SESSION_MS);
    let description = rig.coordinator.describe("g").unwrap();
    assert_eq!((description.state, description.generation), (State::Empty, generation + 1));
    assert_eq!(rig.coordinator.next_deadline(), None);
    assert_eq!(rig.coordinator.take_changed().into_iter().collect::<Vec<_>>(), ["g"]);
}

#[test]
fn who_waits_for_an_answer_is_not_silent() {
    let (mut rig, ids, generation) = Rig::stable(2);
    let leader = rig.join(request(&ids[0]));
    for _ in 0..5 {
        rig.pass(9_000);
        assert_eq!(rig.heartbeat(generation, &ids[1]), Err(GroupError::RebalanceInProgress));
    }
    let follower = rig.join(request(&ids[1]));
    assert!(rig.joined(leader).is_some() && rig.joined(follower).is_some());
    let waiting = rig.sync(generation + 1, &ids[1], &[]);
    for _ in 0..5 {
        rig.pass(9_000);
        assert_eq!(rig.heartbeat(generation + 1, &ids[0]), Ok(()));
    }
    assert_eq!(rig.synced(waiting), None);
    // From the answer on its session runs.
    let leader = rig.sync(generation + 1, &ids[0], &[&ids[0], &ids[1]]);
    assert!(rig.synced(leader).is_some() && rig.synced(waiting).is_some());
    rig.pass(SESSION_MS - 1);
    assert_eq!(rig.state(), State::Stable);
    rig.pass(1);
    assert_eq!(rig.state(), State::Empty);
}

#[test]
fn a_leader_that_dies_before_it_assigns_lets_the_others_rebalance() {
    let (mut rig, ids, generation) = Rig::stable(2);
    let (leader, follower) = (rig.join(request(&ids[0])), rig.join(request(&ids[1])));
    assert!(rig.joined(leader).is_some() && rig.joined(follower).is_some());
    let waiting = rig.sync(generation + 1, &ids[1], &[]);
    rig.pass(SESSION_MS);
    assert_eq!(rig.synced(waiting), Some(Err(GroupError::RebalanceInProgress)));
    let ticket = rig.join(request(&ids[1]));
    assert_eq!(rig.joined(ticket).unwrap().leader, ids[1]);
}

#[test]
fn who_never_asks_for_its_assignment_is_removed_after_the_rebalance_timeout() {
    let (mut rig, ids, generation) = Rig::stable(3);
    let tickets: Vec<Ticket> = ids.iter().map(|id| rig.join(request(id))).collect();
    for ticket in tickets {
        assert!(rig.joined(ticket).is_some());
    }
    // The leader, and one that asks when the assignment is there.
    for id in &ids[..2] {
        let ticket = rig.sync(generation + 1, id, &[]);
        assert_eq!(rig.synced(ticket), Some(Ok(String::new())));
    }
    for _ in 0..10 {
        rig.pass(5_999);
        for id in &ids {
            assert_eq!(rig.heartbeat(generation + 1, id), Ok(()));
        }
    }
    rig.pass(10);
    assert_eq!(rig.ids(), ids[..2]);
    assert_eq!(rig.state(), State::PreparingRebalance);
}

#[test]
fn a_first_join_waits_five_minutes_whatever_the_session_timeout() {
    let mut rig = Rig::new(Limits { initial_rebalance_delay_ms: 3_600_000, ..limits() });
    let ticket = rig.join(JoinRequest { rebalance_timeout_ms: 3_600_000, ..request("") });
    rig.pass(299_999);
    assert_eq!(rig.joined(ticket), None);
    rig.pass(1);
    assert_eq!(rig.refused(ticket), Some(GroupError::UnknownMember));
    assert_eq!(rig.ids(), Vec::<String>::new());
}

#[test]
fn a_new_member_whose_connection_breaks_is_gone_if_it_does_not_know_its_id() {
    let (mut rig, ids, generation) = Rig::stable(1);
    let newcomer = rig.join(request(""));
    let leader = rig.join(request(&ids[0]));
    // Before the leader is back, in a group that still waits for it.
    assert_eq!(rig.joined(newcomer).unwrap().generation, generation + 1);
    assert!(rig.joined(leader).is_some());

    let (mut rig, ids, generation) = Rig::stable(1);
    let newcomer = rig.join(request(""));
    rig.coordinator.forget(rig.now_ms, newcomer);
    check(&rig.coordinator);
    assert_eq!(rig.ids(), ids);
    let leader = rig.join(request(&ids[0]));
    assert_eq!(rig.joined(leader).unwrap().generation, generation + 1);
    assert_eq!(rig.joined(newcomer), None);
}

#[test]
fn a_known_member_whose_connection_breaks_may_come_back_within_its_session() {
    for comes_back in [true, false] {
        let (mut rig, ids, generation) = Rig::stable(3);
        let (first, second) = (rig.join(request(&ids[0])), rig.join(request(&ids[1])));
        rig.coordinator.forget(rig.now_ms, second);
        let third = rig.join(request(&ids[2]));
        assert_eq!(rig.joined(first), None, "it does not wait for the one that was cut off");
        if comes_back {
            rig.pass(SESSION_MS - 1);
            rig.join(request(&ids[1]));
        } else {
            rig.pass(SESSION_MS);
        }
        let answer = rig.joined(first).unwrap();
        assert_eq!(answer.generation, generation + 1);
        assert_eq!(answer.members.len(), if comes_back { 3 } else { 2 });
        assert!(rig.joined(third).is_some());
        assert_eq!(rig.joined(second), None);
        check(&rig.coordinator);
    }
}

#[test]
fn a_new_member_that_knows_its_id_may_come_back_as_well() {
    let (mut rig, ids, generation) = Rig::stable(1);
    let ask = |member_id: &str| JoinRequest { requires_known_member: true, ..request(member_id) };
    let ticket = rig.join(ask(""));
    let newcomer = rig.joined(ticket).unwrap().member_id;
    let ticket = rig.join(ask(&newcomer));
    rig.coordinator.forget(rig.now_ms, ticket);
    let again = rig.join(ask(&newcomer));
    for _ in 0..3 {
        rig.pass(SESSION_MS - 1);
        assert_eq!(rig.heartbeat(generation, &ids[0]), Err(GroupError::RebalanceInProgress));
    }
    rig.join(request(&ids[0]));
    assert_eq!(rig.joined(again).unwrap().generation, generation + 1);
}

#[test]
fn a_sync_whose_connection_breaks_leaves_the_member_its_session() {
    let (mut rig, ids, generation) = Rig::stable(2);
    let (leader, follower) = (rig.join(request(&ids[0])), rig.join(request(&ids[1])));
    assert!(rig.joined(leader).is_some() && rig.joined(follower).is_some());
    let waiting = rig.sync(generation + 1, &ids[1], &[]);
    rig.coordinator.forget(rig.now_ms, waiting);
    let leader = rig.sync(generation + 1, &ids[0], &[&ids[1]]);
    assert!(rig.synced(leader).is_some());
    assert_eq!(rig.synced(waiting), None);
    let again = rig.sync(generation + 1, &ids[1], &[]);
    assert_eq!(rig.synced(again), Some(Ok(ids[1].clone())));
}

#[test]
fn heartbeats_of_many_members_do_not_touch_the_others() {
    let (mut rig, ids, generation) = Rig::stable(100);
    let deadline = rig.coordinator.next_deadline();
    rig.now_ms += 5_000;
    for id in &ids {
        assert_eq!(rig.heartbeat(generation, id), Ok(()));
    }
    assert_eq!(rig.coordinator.next_deadline(), deadline, "a heartbeat looks for the earliest");
    rig.pass(9_999);
    assert_eq!(rig.ids().len(), 100);
    assert!(rig.coordinator.next_deadline() > deadline);
    check(&rig.coordinator);
}
