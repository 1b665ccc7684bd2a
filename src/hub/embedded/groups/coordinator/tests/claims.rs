//! Which heartbeats, syncs, leaves and commits are good.

use super::*;

/// A group with the member `c-001` of generation 1, in that state.
fn group_in(state: State) -> Rig {
    let (mut rig, ids, _) = Rig::stable(1);
    match state {
        State::Empty => rig.leave(&ids[0], None).unwrap(),
        State::PreparingRebalance => {
            rig.join(request(""));
        }
        State::CompletingRebalance => {
            rig = Rig::new(limits());
            rig.join(request(""));
        }
        State::Stable => {}
    }
    assert_eq!(rig.state(), state);
    rig
}

#[test]
fn heartbeats_and_commits_are_judged_by_state_generation_and_member() {
    use GroupError::{IllegalGeneration, RebalanceInProgress, UnknownMember};
    use State::{CompletingRebalance, Empty, PreparingRebalance, Stable};
    type Verdict = Result<(), GroupError>;
    // Heartbeat, OffsetCommit, TxnOffsetCommit.
    let cases: [(State, i32, &str, Verdict, Verdict, Verdict); 17] = [
        (Stable, 1, "c-001", Ok(()), Ok(()), Ok(())),
        (
            Stable,
            0,
            "c-001",
            Err(IllegalGeneration),
            Err(IllegalGeneration),
            Err(IllegalGeneration),
        ),
        (
            Stable,
            2,
            "c-001",
            Err(IllegalGeneration),
            Err(IllegalGeneration),
            Err(IllegalGeneration),
        ),
        (
            Stable,
            -1,
            "c-001",
            Err(IllegalGeneration),
            Err(IllegalGeneration),
            Err(IllegalGeneration),
        ),
        (Stable, 1, "other", Err(UnknownMember), Err(UnknownMember), Err(UnknownMember)),
        (Stable, 1, "", Err(UnknownMember), Err(UnknownMember), Err(UnknownMember)),
        (Stable, -1, "", Err(UnknownMember), Err(UnknownMember), Ok(())),
        (PreparingRebalance, 1, "c-001", Err(RebalanceInProgress), Ok(()), Ok(())),
        (
            PreparingRebalance,
            0,
            "c-001",
            Err(IllegalGeneration),
            Err(IllegalGeneration),
            Err(IllegalGeneration),
        ),
        (PreparingRebalance, -1, "", Err(UnknownMember), Err(UnknownMember), Ok(())),
        (CompletingRebalance, 1, "c-001", Ok(()), Err(RebalanceInProgress), Ok(())),
        (
            CompletingRebalance,
            0,
            "c-001",
            Err(IllegalGeneration),
            Err(IllegalGeneration),
            Err(IllegalGeneration),
        ),
        (CompletingRebalance, -1, "", Err(UnknownMember), Err(UnknownMember), Ok(())),
        (Empty, 1, "c-001", Err(UnknownMember), Err(UnknownMember), Err(UnknownMember)),
        (Empty, 2, "", Err(UnknownMember), Err(UnknownMember), Err(UnknownMember)),
        (Empty, -1, "", Err(UnknownMember), Ok(()), Ok(())),
        (Empty, -1, "c-001", Err(UnknownMember), Ok(()), Ok(())),
    ];
    for (state, generation, member_id, heartbeat, commit, transactional) in cases {
        let case = format!("{state:?} {generation} {member_id:?}");
        let mut rig = group_in(state);
        let (now_ms, claim) = (rig.now_ms, claim(generation, member_id));
        assert_eq!(rig.coordinator.heartbeat(now_ms, claim), heartbeat, "heartbeat: {case}");
        assert_eq!(rig.coordinator.check_commit(now_ms, claim), commit, "commit: {case}");
        let verdict = rig.coordinator.check_transactional_commit(claim);
        assert_eq!(verdict, transactional, "in a transaction: {case}");
    }
}

#[test]
fn an_unknown_group_has_no_members_but_takes_offsets() {
    let mut rig = Rig::new(limits());
    let (member, outside) = (claim(1, "c-001"), claim(-1, ""));
    assert_eq!(rig.coordinator.heartbeat(0, member), Err(GroupError::UnknownMember));
    let nameless = Claim { group: "", ..member };
    assert_eq!(rig.coordinator.heartbeat(0, nameless), Err(GroupError::InvalidGroupId));
    assert_eq!(rig.coordinator.check_commit(0, member), Err(GroupError::IllegalGeneration));
    assert_eq!(rig.coordinator.check_commit(0, outside), Ok(()));
    assert_eq!(rig.coordinator.check_transactional_commit(outside), Ok(()));
    assert_eq!(rig.leave("c-001", None), Err(GroupError::UnknownMember));
    assert_eq!(rig.coordinator.leave(0, "", &[]), Err(GroupError::InvalidGroupId));
    let ticket = rig.sync(1, "c-001", &[]);
    assert_eq!(rig.synced(ticket), Some(Err(GroupError::UnknownMember)));
    assert_eq!(rig.coordinator.list().count(), 0);
}

#[test]
fn a_commit_of_a_member_counts_as_its_heartbeat() {
    for commits in [true, false] {
        let (mut rig, ids, generation) = Rig::stable(1);
        rig.pass(SESSION_MS - 1);
        if commits {
            let claim = claim(generation, &ids[0]);
            rig.coordinator.check_commit(rig.now_ms, claim).unwrap();
        }
        rig.pass(1);
        assert_eq!(rig.state() == State::Stable, commits);
    }
}

#[test]
fn syncs_are_judged_by_generation_protocol_and_state() {
    let (mut rig, ids, generation) = Rig::stable(1);
    let mut sync = |protocol_type: &str, protocol: &str, generation| {
        let ticket = rig.ticket();
        let request = SyncRequest {
            group: "g".to_owned(),
            member_id: ids[0].clone(),
            instance_id: None,
            generation,
            protocol_type: Some(protocol_type.to_owned()),
            protocol: Some(protocol.to_owned()),
            assignments: Vec::new(),
        };
        rig.coordinator.sync(rig.now_ms, request, ticket);
        rig.synced(ticket).unwrap()
    };
    let inconsistent = Err(GroupError::InconsistentGroupProtocol);
    assert_eq!(sync("consumer", "range", generation), Ok(ids[0].clone()));
    assert_eq!(sync("connect", "range", generation), inconsistent);
    assert_eq!(sync("consumer", "roundrobin", generation), inconsistent);
    assert_eq!(sync("consumer", "range", generation - 1), Err(GroupError::IllegalGeneration));
    rig.join(request(""));
    let ticket = rig.sync(generation, &ids[0], &[]);
    assert_eq!(rig.synced(ticket), Some(Err(GroupError::RebalanceInProgress)));
}

#[test]
fn members_wait_for_the_leader_and_get_what_it_assigned() {
    let (mut rig, ids, generation) = Rig::stable(3);
    let tickets: Vec<Ticket> = ids.iter().map(|id| rig.join(request(id))).collect();
    for ticket in tickets {
        assert!(rig.joined(ticket).is_some());
    }
    let waiting = rig.sync(generation + 1, &ids[1], &[&ids[0]]);
    let doubled = rig.sync(generation + 1, &ids[1], &[]);
    assert_eq!(rig.synced(waiting), Some(Err(GroupError::RebalanceInProgress)));
    assert_eq!(rig.synced(doubled), None);
    let leader = rig.sync(generation + 1, &ids[0], &[&ids[1], &ids[0], "stranger"]);
    assert_eq!(rig.synced(leader), Some(Ok(ids[0].clone())));
    assert_eq!(rig.synced(doubled), Some(Ok(ids[1].clone())));
    let late = rig.sync(generation + 1, &ids[2], &[&ids[2]]);
    assert_eq!(rig.synced(late), Some(Ok(String::new())), "the leader did not name it");
}

#[test]
fn who_leaves_is_gone_and_what_it_waits_for_is_refused() {
    let (mut rig, ids, generation) = Rig::stable(2);
    let members = [(ids[1].clone(), None), ("nobody".to_owned(), None)];
    let outcomes = rig.coordinator.leave(rig.now_ms, "g", &members);
    assert_eq!(outcomes, Ok(vec![Ok(()), Err(GroupError::UnknownMember)]));
    let (leader, newcomer) = (rig.join(request(&ids[0])), rig.join(request("")));
    // The leader was alone, so the newcomer makes it rebalance again.
    assert_eq!(rig.joined(leader).unwrap().generation, generation + 1);
    assert_eq!(rig.joined(newcomer), None);
    let newcomer_id = rig.ids().into_iter().find(|id| *id != ids[0]).unwrap();
    assert_eq!(rig.leave(&newcomer_id, None), Ok(()));
    assert_eq!(rig.refused(newcomer), Some(GroupError::UnknownMember));
    check(&rig.coordinator);
}

#[test]
fn every_error_has_the_number_that_kafka_gave_it() {
    use GroupError::*;
    let expected = [
        (IllegalGeneration, 22),
        (InconsistentGroupProtocol, 23),
        (InvalidGroupId, 24),
        (UnknownMember, 25),
        (InvalidSessionTimeout, 26),
        (RebalanceInProgress, 27),
        (NonEmptyGroup, 68),
        (GroupIdNotFound, 69),
        (MemberIdRequired, 79),
        (GroupMaxSizeReached, 81),
        (FencedInstanceId, 82),
        (GroupSubscribedToTopic, 86),
    ];
    for (error, code) in expected {
        assert_eq!(error.code(), code, "{error}");
    }
}
