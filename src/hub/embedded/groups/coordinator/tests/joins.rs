//! `JoinGroup` of dynamic members.

use super::*;

fn protocols(names: &[&str]) -> Vec<(String, Vec<u8>)> {
    names.iter().map(|name| ((*name).to_owned(), name.as_bytes().to_vec())).collect()
}

#[test]
fn joins_that_ask_for_what_cannot_be_are_refused() {
    let bad = |change: fn(&mut JoinRequest)| {
        let mut rig = Rig::new(limits());
        let mut request = request("");
        change(&mut request);
        let ticket = rig.join(request);
        let error = rig.refused(ticket);
        assert_eq!(rig.coordinator.list().count(), 0, "a refused join leaves a group");
        error
    };
    type Change = fn(&mut JoinRequest);
    let cases: [(Change, GroupError); 7] = [
        (|request| request.group.clear(), GroupError::InvalidGroupId),
        (|request| request.session_timeout_ms = 5_999, GroupError::InvalidSessionTimeout),
        (|request| request.session_timeout_ms = 1_800_001, GroupError::InvalidSessionTimeout),
        (|request| request.session_timeout_ms = -1, GroupError::InvalidSessionTimeout),
        (|request| request.member_id.push('m'), GroupError::UnknownMember),
        (|request| request.protocol_type.clear(), GroupError::InconsistentGroupProtocol),
        (|request| request.protocols.clear(), GroupError::InconsistentGroupProtocol),
    ];
    for (change, error) in cases {
        assert_eq!(bad(change), Some(error));
    }
}

#[test]
fn the_first_member_leads_and_is_told_of_all() {
    let mut rig = Rig::new(Limits { initial_rebalance_delay_ms: 100, ..limits() });
    let (first, second) = (rig.join(request("")), rig.join(request("")));
    assert_eq!(rig.joined(first), None);
    rig.pass(300);
    let (first, second) = (rig.joined(first).unwrap(), rig.joined(second).unwrap());
    assert_eq!((first.error, first.generation), (None, 1));
    assert_eq!((first.leader.as_str(), first.member_id.as_str()), ("c-001", "c-001"));
    assert_eq!((second.leader.as_str(), second.member_id.as_str()), ("c-001", "c-002"));
    let ids: Vec<&str> = first.members.iter().map(|(id, ..)| id.as_str()).collect();
    assert_eq!(ids, ["c-001", "c-002"]);
    assert_eq!(first.members[0].2, b"x");
    assert_eq!(second.members, []);
    assert_eq!(first.protocol.as_deref(), Some("range"));
    assert_eq!(first.protocol_type.as_deref(), Some("consumer"));
}

#[test]
fn a_member_that_was_only_given_an_id_does_not_count_and_expires() {
    let mut rig = Rig::new(limits());
    let ask = JoinRequest { requires_known_member: true, ..request("") };
    let ticket = rig.join(ask.clone());
    let answer = rig.joined(ticket).unwrap();
    assert_eq!(answer.error, Some(GroupError::MemberIdRequired));
    assert_eq!(rig.ids(), Vec::<String>::new());
    let ticket =
        rig.join(JoinRequest { requires_known_member: true, ..request(&answer.member_id) });
    assert_eq!(rig.joined(ticket).unwrap().generation, 1);
    assert_eq!(rig.ids(), [answer.member_id]);

    let ghost = rig.join(ask);
    let ghost = rig.joined(ghost).unwrap().member_id;
    rig.settle(1, &["c-001".to_owned()]);
    rig.pass(SESSION_MS - 1);
    assert_eq!(rig.heartbeat(1, "c-001"), Ok(()));
    rig.pass(1);
    let ticket = rig.join(request(&ghost));
    assert_eq!(rig.refused(ticket), Some(GroupError::UnknownMember));
}

#[test]
fn a_rebalance_waits_for_an_id_that_was_given_out() {
    let (mut rig, ids, _) = Rig::stable(1);
    let ticket = rig.join(JoinRequest { requires_known_member: true, ..request("") });
    let ghost = rig.joined(ticket).unwrap().member_id;
    let leader = rig.join(request(&ids[0]));
    assert_eq!(rig.joined(leader), None);
    assert_eq!(rig.leave(&ghost, None), Ok(()));
    assert_eq!(rig.joined(leader).unwrap().generation, 2);
}

#[test]
fn a_leader_that_joins_again_makes_the_group_rebalance() {
    let (mut rig, ids, generation) = Rig::stable(2);
    let leader = rig.join(request(&ids[0]));
    assert_eq!(rig.joined(leader), None);
    assert_eq!(rig.heartbeat(generation, &ids[1]), Err(GroupError::RebalanceInProgress));
    let follower = rig.join(request(&ids[1]));
    assert_eq!(rig.joined(leader).unwrap().generation, generation + 1);
    assert_eq!(rig.joined(follower).unwrap().generation, generation + 1);
}

#[test]
fn a_leader_leads_on_when_others_come() {
    let mut rig = Rig::new(limits());
    let leader = rig.join(JoinRequest { client_id: "z".to_owned(), ..request("") });
    let leader = rig.joined(leader).unwrap().member_id;
    rig.settle(1, std::slice::from_ref(&leader));
    let newcomer = rig.join(JoinRequest { client_id: "a".to_owned(), ..request("") });
    rig.join(request(&leader));
    assert_eq!(rig.joined(newcomer).unwrap().leader, leader);
    assert_eq!(rig.leave(&leader, None), Ok(()));
    let next = rig.ids();
    let ticket = rig.join(request(&next[0]));
    assert_eq!(rig.joined(ticket).unwrap().leader, next[0]);
}

#[test]
fn a_follower_that_joins_again_with_the_same_metadata_gets_the_current_generation() {
    let (mut rig, ids, generation) = Rig::stable(2);
    let ticket = rig.join(request(&ids[1]));
    let answer = rig.joined(ticket).unwrap();
    assert_eq!((answer.generation, answer.leader), (generation, ids[0].clone()));
    assert_eq!(rig.state(), State::Stable);
    let ticket = rig.sync(generation, &ids[1], &[]);
    assert_eq!(rig.synced(ticket), Some(Ok(ids[1].clone())));

    let changed = vec![("range".to_owned(), b"y".to_vec())];
    let ticket = rig.join(JoinRequest { protocols: changed, ..request(&ids[1]) });
    assert_eq!(rig.joined(ticket), None);
    assert_eq!(rig.state(), State::PreparingRebalance);
}

#[test]
fn before_the_assignment_a_lost_answer_is_given_again() {
    let mut rig = Rig::new(limits());
    let ticket = rig.join(request(""));
    let answer = rig.joined(ticket).unwrap();
    let again = rig.join(request(&answer.member_id));
    assert_eq!(rig.joined(again), Some(answer.clone()));
    let changed = vec![("range".to_owned(), b"y".to_vec())];
    let ticket = rig.join(JoinRequest { protocols: changed, ..request(&answer.member_id) });
    assert_eq!(rig.joined(ticket).unwrap().generation, answer.generation + 1);
}

#[test]
fn most_votes_choose_among_the_protocols_that_all_support() {
    let cases: [(&[&[&str]], &str); 5] = [
        (&[&["a", "b"], &["b", "a"], &["b", "a"]], "b"),
        (&[&["a", "b"], &["b", "a"]], "a"),
        (&[&["a", "b", "c"], &["c", "b"]], "b"),
        (&[&["a", "b", "c"], &["c", "b"], &["c", "b"]], "c"),
        (&[&["a"], &["b", "a"], &["b", "a"]], "a"),
    ];
    for (members, expected) in cases {
        let mut rig = Rig::new(Limits { initial_rebalance_delay_ms: 10, ..limits() });
        let join =
            |names: &&[&str]| rig.join(JoinRequest { protocols: protocols(names), ..request("") });
        let tickets: Vec<Ticket> = members.iter().map(join).collect();
        rig.pass(100);
        for ticket in tickets {
            assert_eq!(rig.joined(ticket).unwrap().protocol.as_deref(), Some(expected));
        }
    }
}

#[test]
fn a_member_without_a_protocol_in_common_does_not_disturb_the_group() {
    let (mut rig, _, _) = Rig::stable(2);
    for (protocol_type, names) in [("consumer", "roundrobin"), ("connect", "range")] {
        let ticket = rig.join(JoinRequest {
            protocol_type: protocol_type.to_owned(),
            protocols: protocols(&[names]),
            ..request("")
        });
        assert_eq!(rig.refused(ticket), Some(GroupError::InconsistentGroupProtocol));
    }
    assert_eq!(rig.state(), State::Stable);
}

#[test]
fn a_full_group_takes_nobody_and_sends_the_last_away_when_it_is_too_large() {
    let mut rig = Rig::new(Limits { group_size_max: 2, ..limits() });
    let first = rig.join(request(""));
    let first = rig.joined(first).unwrap().member_id;
    let second = rig.join(request(""));
    let again = rig.join(request(&first));
    let second = rig.joined(second).unwrap();
    assert_eq!(rig.joined(again).unwrap().generation, 2);
    let third = rig.join(request(""));
    assert_eq!(rig.refused(third), Some(GroupError::GroupMaxSizeReached));

    rig.settle(2, &[first.clone(), second.member_id.clone()]);
    rig.coordinator.limits.group_size_max = 1;
    let leader = rig.join(request(&first));
    let late = rig.join(request(&second.member_id));
    assert_eq!(rig.refused(late), Some(GroupError::GroupMaxSizeReached));
    assert_eq!(rig.joined(leader).unwrap().generation, 3);
    assert_eq!(rig.ids(), [first]);
}

#[test]
fn a_join_sent_twice_is_answered_twice() {
    let (mut rig, ids, generation) = Rig::stable(2);
    let (one, two) = (rig.join(request(&ids[0])), rig.join(request(&ids[0])));
    assert_eq!(rig.refused(one), Some(GroupError::RebalanceInProgress));
    let follower = rig.join(request(&ids[1]));
    assert_eq!(rig.joined(two).unwrap().generation, generation + 1);
    assert!(rig.joined(follower).is_some());
    check(&rig.coordinator);
}

#[test]
fn groups_do_not_know_of_each_other() {
    let (mut rig, ids, generation) = Rig::stable(1);
    let ticket = rig.join(JoinRequest { group: "h".to_owned(), ..request("") });
    rig.pass(10);
    assert_eq!(rig.joined(ticket).unwrap().generation, 1);
    assert_eq!(rig.heartbeat(generation, &ids[0]), Ok(()));
    let stray = rig.join(JoinRequest { group: "h".to_owned(), ..request(&ids[0]) });
    assert_eq!(rig.refused(stray), Some(GroupError::UnknownMember));
    let listed: Vec<_> = rig.coordinator.list().collect();
    let expected =
        [("g", "consumer", State::Stable), ("h", "consumer", State::CompletingRebalance)];
    assert_eq!(listed, expected);
}
