//! Descriptions, deletion, and groups that survive a restart.

use super::*;

#[test]
fn a_description_has_metadata_while_the_group_is_stable_and_assignments_until_the_next() {
    let (mut rig, ids, generation) = Rig::stable(1);
    let description = rig.coordinator.describe("g").unwrap();
    assert_eq!(description.protocol, "range");
    assert_eq!(description.protocol_type, "consumer");
    let member = MemberDescription {
        member_id: ids[0].clone(),
        instance_id: None,
        client_id: "c".to_owned(),
        client_host: "/127.0.0.1".to_owned(),
        metadata: b"x".to_vec(),
        assignment: ids[0].clone().into_bytes(),
    };
    assert_eq!(description.members, [member]);
    rig.join(request(""));
    let description = rig.coordinator.describe("g").unwrap();
    assert_eq!((description.generation, description.protocol.as_str()), (generation, ""));
    assert_eq!(description.members[0].metadata, b"");
    assert_eq!(description.members[0].assignment, ids[0].as_bytes());
    assert_eq!(rig.coordinator.describe("h"), None);
    assert_eq!(State::PreparingRebalance.name(), "PreparingRebalance");
}

#[test]
fn only_an_empty_group_is_deleted() {
    let (mut rig, ids, _) = Rig::stable(1);
    assert_eq!(rig.coordinator.delete("g"), Err(GroupError::NonEmptyGroup));
    assert_eq!(rig.coordinator.delete("h"), Err(GroupError::GroupIdNotFound));
    rig.leave(&ids[0], None).unwrap();
    assert_eq!(rig.coordinator.delete("g"), Ok(()));
    assert_eq!(rig.coordinator.may_delete("g"), Err(GroupError::GroupIdNotFound));
    check(&rig.coordinator);
}

#[test]
fn offsets_are_deleted_only_of_topics_that_no_member_may_read() {
    let subscribed = Subscription { topics: vec!["logs".to_owned()], ..Subscription::default() };
    let metadata = subscribed.encode(1).unwrap();
    let cases = [
        ("consumer", metadata.clone(), "logs", Err(GroupError::GroupSubscribedToTopic)),
        ("consumer", metadata.clone(), "metrics", Ok(())),
        ("consumer", b"?".to_vec(), "metrics", Err(GroupError::GroupSubscribedToTopic)),
        ("connect", metadata, "metrics", Err(GroupError::NonEmptyGroup)),
    ];
    for (protocol_type, metadata, topic, expected) in cases {
        let mut rig = Rig::new(limits());
        let unknown = rig.coordinator.may_delete_offsets("g", topic);
        assert_eq!(unknown, Err(GroupError::GroupIdNotFound));
        let ticket = rig.join(JoinRequest {
            protocol_type: protocol_type.to_owned(),
            protocols: vec![("range".to_owned(), metadata)],
            ..request("")
        });
        let id = rig.joined(ticket).unwrap().member_id;
        assert_eq!(rig.coordinator.may_delete_offsets("g", topic), expected, "{protocol_type}");
        rig.leave(&id, None).unwrap();
        assert_eq!(rig.coordinator.may_delete_offsets("g", topic), Ok(()));
    }
}

#[test]
fn a_group_that_is_brought_back_goes_on_without_a_rebalance() {
    let (mut rig, ids, generation) = Rig::stable(2);
    assert!(rig.coordinator.take_changed().contains("g"));
    let state = rig.coordinator.state("g").unwrap();
    let mut rig = Rig::new(limits());
    rig.now_ms = 50_000_000;
    rig.coordinator.restore(rig.now_ms, state.clone());
    check(&rig.coordinator);
    assert_eq!(rig.coordinator.state("g").unwrap(), state);
    assert_eq!(rig.heartbeat(generation, &ids[0]), Ok(()));
    let ticket = rig.sync(generation, &ids[1], &[]);
    assert_eq!(rig.synced(ticket), Some(Ok(ids[1].clone())));
    let ticket = rig.join(request(&ids[1]));
    let answer = rig.joined(ticket).unwrap();
    assert_eq!((answer.generation, answer.leader), (generation, ids[0].clone()));
    // It does not take the place of one that lives.
    rig.leave(&ids[1], None).unwrap();
    rig.coordinator.restore(rig.now_ms, state);
    assert_eq!(rig.ids(), [ids[0].clone()]);
    rig.pass(SESSION_MS);
    assert_eq!(rig.state(), State::Empty);
}

#[test]
fn an_empty_group_keeps_its_generation_over_a_restart() {
    let (mut rig, ids, generation) = Rig::stable(1);
    rig.leave(&ids[0], None).unwrap();
    let state = rig.coordinator.state("g").unwrap();
    let mut rig = Rig::new(limits());
    rig.coordinator.restore(rig.now_ms, state);
    assert_eq!(rig.state(), State::Empty);
    let ticket = rig.join(request(""));
    assert_eq!(rig.joined(ticket).unwrap().generation, generation + 2);
}

#[test]
fn a_group_that_is_too_large_now_rebalances_when_it_is_brought_back() {
    let (rig, ids, generation) = Rig::stable(2);
    let state = rig.coordinator.state("g").unwrap();
    let mut rig = Rig::new(Limits { group_size_max: 1, ..limits() });
    rig.coordinator.restore(rig.now_ms, state);
    assert_eq!(rig.coordinator.state("g"), None);
    check(&rig.coordinator);
    let (first, second) = (rig.join(request(&ids[1])), rig.join(request(&ids[0])));
    assert_eq!(rig.refused(second), Some(GroupError::GroupMaxSizeReached));
    assert_eq!(rig.joined(first).unwrap().generation, generation + 1);
}

#[test]
fn stored_nonsense_does_not_hurt() {
    let (rig, ids, _) = Rig::stable(2);
    let good = rig.coordinator.state("g").unwrap();
    let broken: [fn(&mut GroupState); 8] = [
        |state| state.protocol = Some("sticky".to_owned()),
        |state| {
            for member in &mut state.members {
                member.instance_id = Some("i".to_owned());
            }
        },
        |state| state.protocol = None,
        |state| state.protocol_type = None,
        |state| state.leader = Some("nobody".to_owned()),
        |state| state.members[1].protocols.clear(),
        |state| state.members[1].member_id = state.members[0].member_id.clone(),
        |state| state.members[0].session_timeout_ms = -5,
    ];
    for change in broken {
        let mut state = good.clone();
        change(&mut state);
        let mut rig = Rig::new(limits());
        rig.coordinator.restore(rig.now_ms, state);
        check(&rig.coordinator);
        for id in &ids {
            rig.join(request(id));
        }
        rig.pass(100_000);
        assert_eq!(rig.state(), State::Empty);
    }
}
