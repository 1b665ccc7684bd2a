//! The consumer protocol, and who gets which partitions.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn subscriber(member_id: &str, topics: &[&str]) -> Subscriber {
    let (member_id, instance_id) = match member_id.split_once('/') {
        Some((member_id, instance_id)) => (member_id, Some(instance_id.to_owned())),
        None => (member_id, None),
    };
    Subscriber {
        member_id: member_id.to_owned(),
        instance_id,
        topics: topics.iter().map(|topic| (*topic).to_owned()).collect(),
    }
}

/// Members as `id` or `id/instance` with their topics, the number of partitions of each topic, and what each member
/// gets, written as `t0:0,1 t1:0`.
fn assigned(
    assignor: Assignor,
    members: &[(&str, &[&str])],
    partitions: &[(&str, i32)],
    expected: &[(&str, &str)],
) {
    let members: Vec<Subscriber> =
        members.iter().map(|(id, topics)| subscriber(id, topics)).collect();
    let partitions = partitions.iter().map(|(topic, count)| ((*topic).to_owned(), *count));
    let shares = assignor.assign(&members, &partitions.collect());
    let written = |share: &TopicPartitions| {
        let topics = share.iter().map(|(topic, partitions)| {
            let numbers: Vec<String> = partitions.iter().map(i32::to_string).collect();
            format!("{topic}:{}", numbers.join(","))
        });
        topics.collect::<Vec<_>>().join(" ")
    };
    let shares: Vec<(&str, String)> =
        shares.iter().map(|(id, share)| (id.as_str(), written(share))).collect();
    let expected: Vec<(&str, String)> =
        expected.iter().map(|(id, share)| (*id, (*share).to_owned())).collect();
    assert_eq!(shares, expected, "{}", assignor.name());
}

#[test]
fn range_gives_each_member_a_run_of_each_topic() {
    let range = |members: &[(&str, &[&str])], partitions: &[(&str, i32)], expected: &[_]| {
        assigned(Assignor::Range, members, partitions, expected);
    };
    let both: &[&str] = &["t0", "t1"];
    range(
        &[("c0", both), ("c1", both)],
        &[("t0", 3), ("t1", 3)],
        &[("c0", "t0:0,1 t1:0,1"), ("c1", "t0:2 t1:2")],
    );
    range(
        &[("c2", &["t0"]), ("c0", &["t0"]), ("c1", both)],
        &[("t0", 7), ("t1", 2)],
        &[("c0", "t0:0,1,2"), ("c1", "t0:3,4 t1:0,1"), ("c2", "t0:5,6")],
    );
    range(&[("c0", &["t0"]), ("c1", &["t0"])], &[("t0", 1)], &[("c0", "t0:0"), ("c1", "")]);
    range(&[("c0", &["gone"])], &[("t0", 1)], &[("c0", "")]);
    range(&[], &[("t0", 1)], &[]);
}

#[test]
fn round_robin_deals_all_partitions_in_turn() {
    let deal = |members: &[(&str, &[&str])], partitions: &[(&str, i32)], expected: &[_]| {
        assigned(Assignor::RoundRobin, members, partitions, expected);
    };
    let both: &[&str] = &["t0", "t1"];
    deal(
        &[("c1", both), ("c0", both)],
        &[("t0", 3), ("t1", 3)],
        &[("c0", "t0:0,2 t1:1"), ("c1", "t0:1 t1:0,2")],
    );
    deal(
        &[("c0", &["t0"]), ("c1", both), ("c2", &["t0", "t1", "t2"])],
        &[("t0", 1), ("t1", 2), ("t2", 3)],
        &[("c0", "t0:0"), ("c1", "t1:0"), ("c2", "t1:1 t2:0,1,2")],
    );
    deal(&[("c0", &["gone"])], &[("t0", 1)], &[("c0", "")]);
    deal(&[], &[("t0", 1)], &[]);
}

#[test]
fn static_members_come_first_in_the_order_of_their_instance_ids() {
    let topic: &[&str] = &["t"];
    let members = [("z/1", topic), ("y/0", topic), ("a", topic), ("b", topic)];
    for assignor in [Assignor::Range, Assignor::RoundRobin] {
        let expected = [("a", "t:2"), ("b", "t:3"), ("y", "t:0"), ("z", "t:1")];
        assigned(assignor, &members, &[("t", 4)], &expected);
    }
    // On the JVM a supplementary character is before U+FFFF.
    let members = [("\u{ffff}", topic), ("\u{1f980}", topic)];
    let expected = [("\u{ffff}", "t:1"), ("\u{1f980}", "t:0")];
    assigned(Assignor::Range, &members, &[("t", 2)], &expected);
    let members = [("a/\u{ffff}", topic), ("b/\u{1f980}", topic)];
    assigned(Assignor::Range, &members, &[("t", 2)], &[("a", "t:1"), ("b", "t:0")]);
}

#[test]
fn a_leader_of_this_process_assigns_in_bytes() {
    let topics = vec!["t".to_owned()];
    let metadata = Subscription { topics, ..Subscription::default() }.encode(1).unwrap();
    let members = [("a".to_owned(), None, metadata.clone()), ("b".to_owned(), None, metadata)];
    let partitions = BTreeMap::from([("t".to_owned(), 3)]);
    let shares = assign_group(Assignor::named("range").unwrap(), &members, &partitions).unwrap();
    let of = |bytes: &[u8]| Assignment::decode(bytes).unwrap().partitions;
    assert_eq!(of(&shares[0].1), [("t".to_owned(), vec![0, 1])]);
    assert_eq!(of(&shares[1].1), [("t".to_owned(), vec![2])]);
    let broken = [("a".to_owned(), None, b"?".to_vec())];
    assert!(assign_group(Assignor::RoundRobin, &broken, &partitions).is_err());
    assert_eq!(Assignor::named("sticky"), None);
}

#[test]
fn subscriptions_have_the_bytes_of_the_protocol() {
    let subscription = Subscription {
        topics: vec!["ab".to_owned()],
        user_data: None,
        owned_partitions: vec![("ab".to_owned(), vec![7])],
        generation: 5,
        rack: Some("r".to_owned()),
    };
    let topics = b"\0\0\0\x01\0\x02ab\xff\xff\xff\xff".as_slice();
    let owned = b"\0\0\0\x01\0\x02ab\0\0\0\x01\0\0\0\x07".as_slice();
    let cases: [(i16, Vec<&[u8]>); 4] = [
        (0, vec![b"\0\0", topics]),
        (1, vec![b"\0\x01", topics, owned]),
        (2, vec![b"\0\x02", topics, owned, b"\0\0\0\x05"]),
        (3, vec![b"\0\x03", topics, owned, b"\0\0\0\x05", b"\0\x01r"]),
    ];
    for (version, expected) in cases {
        assert_eq!(subscription.encode(version).unwrap(), expected.concat());
    }
    // A later version is read as the last that is known, with more behind it.
    let later = [b"\0\x09", topics, owned, b"\0\0\0\x05", b"\0\x01r", b"more"].concat();
    assert_eq!(Subscription::decode(&later).unwrap(), subscription);
    let long = Subscription { topics: vec!["x".repeat(32_768)], ..Subscription::default() };
    assert_eq!(long.encode(0), Err(Malformed { what: "topics" }));
    assert_eq!(Assignment::decode(b"").unwrap(), Assignment::default());
}

#[test]
fn counts_that_the_bytes_have_no_room_for_are_refused() {
    for bytes in [
        b"\0\0\x7f\xff\xff\xff".as_slice(),
        b"\0\0\xff\xff\xff\xff",
        b"\0\0\0\0\0\x01\0\x05ab",
        b"\0\0\0\0\0\0\x7f\xff\xff\xff",
        b"\xff\xff\0\0\0\0\xff\xff\xff\xff",
        b"\0\0\0\0\0\x01\0\x01\xff\xff\xff\xff\xff",
    ] {
        assert!(Subscription::decode(bytes).is_err(), "{bytes:?}");
        assert!(Assignment::decode(bytes).is_err(), "{bytes:?}");
    }
}

fn topic_partitions() -> impl Strategy<Value = TopicPartitions> {
    prop::collection::vec((".{0,9}", prop::collection::vec(any::<i32>(), 0..5)), 0..5)
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        topics in prop::collection::vec(".{0,9}", 0..5),
        user_data in any::<Option<Vec<u8>>>(),
        owned_partitions in topic_partitions(),
        generation in any::<i32>(),
        rack in prop::option::of(".{0,9}"),
        version in 0..=VERSION_MAX,
        cut in any::<prop::sample::Index>(),
    ) {
        let assignment = Assignment { partitions: owned_partitions.clone(), user_data: user_data.clone() };
        let bytes = assignment.encode(version).unwrap();
        prop_assert_eq!(Assignment::decode(&bytes).unwrap(), assignment);
        let mut subscription = Subscription { topics, user_data, owned_partitions, generation, rack };
        let bytes = subscription.encode(version).unwrap();
        if version < 3 {
            subscription.rack = None;
        }
        if version < 2 {
            subscription.generation = -1;
        }
        if version < 1 {
            subscription.owned_partitions.clear();
        }
        prop_assert_eq!(Subscription::decode(&bytes).unwrap(), subscription);
        prop_assert!(Subscription::decode(&bytes[..cut.index(bytes.len())]).is_err());
    }

    #[test]
    fn arbitrary_bytes_do_no_harm(bytes in prop::collection::vec(0..5_u8, 0..40)) {
        // What is read can be written again.
        if let Ok(subscription) = Subscription::decode(&bytes) {
            prop_assert!(subscription.encode(VERSION_MAX).is_ok());
        }
        if let Ok(assignment) = Assignment::decode(&bytes) {
            prop_assert!(assignment.encode(VERSION_MAX).is_ok());
        }
    }

    #[test]
    fn every_partition_has_one_reader_that_wants_it(
        wishes in prop::collection::vec((any::<bool>(), prop::collection::btree_set(0..4, 0..4)), 0..6),
        counts in prop::collection::vec(0..9_i32, 4),
    ) {
        let partitions: BTreeMap<String, i32> =
            counts.iter().enumerate().map(|(topic, count)| (topic.to_string(), *count)).collect();
        let members: Vec<Subscriber> = wishes.iter().enumerate().map(|(id, (fixed, topics))| Subscriber {
            member_id: format!("m{id}"),
            instance_id: fixed.then(|| format!("i{id}")),
            topics: topics.iter().map(i32::to_string).collect(),
        }).collect();
        for assignor in [Assignor::Range, Assignor::RoundRobin] {
            let shares = assignor.assign(&members, &partitions);
            prop_assert_eq!(shares.len(), members.len());
            let mut seen = BTreeSet::new();
            for member in &members {
                for (topic, numbers) in &shares[&member.member_id] {
                    prop_assert!(member.topics.contains(topic));
                    for number in numbers {
                        prop_assert!((0..partitions[topic]).contains(number));
                        prop_assert!(seen.insert((topic.clone(), *number)), "two read {topic}-{number}");
                    }
                }
            }
            for (topic, count) in &partitions {
                if members.iter().any(|member| member.topics.contains(topic)) {
                    prop_assert!((0..*count).all(|number| seen.contains(&(topic.clone(), number))));
                }
            }
        }
    }
}
