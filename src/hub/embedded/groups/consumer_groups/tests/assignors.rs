//! Both assignors: everything is assigned once, evenly, and with few moves.

use std::rc::Rc;

use proptest::prelude::*;

use super::super::assignor::{Assignor, Subscriber};
use super::*;

/// A member: its id, its instance id, its topics and what it has.
type Reader = (&'static str, Option<&'static str>, Vec<Uuid>, Partitions);

fn assign(assignor: Assignor, readers: &[Reader], counts: &[(&str, i32)]) -> Vec<Partitions> {
    let subscribers: Vec<Subscriber<'_>> = readers
        .iter()
        .map(|(member_id, instance_id, topics, has)| Subscriber {
            member_id,
            instance_id: *instance_id,
            topics: Rc::new(topics.iter().copied().collect()),
            has,
        })
        .collect();
    let counts = counts.iter().map(|(topic, count)| (id(topic), *count)).collect();
    assignor.assign(&subscribers, &counts)
}

fn reader(member_id: &'static str, topics: &[&str], has: Partitions) -> Reader {
    (member_id, None, topics.iter().map(|topic| id(topic)).collect(), has)
}

#[test]
fn ranges_are_runs_in_the_order_of_instances_and_members() {
    let nothing = Partitions::default;
    let mut fixed = reader("z", &["t", "u"], nothing());
    fixed.1 = Some("i");
    let readers = [reader("a", &["t", "u"], of("t", 0..5)), fixed, reader("b", &["t"], nothing())];
    let shares = assign(Assignor::Range, &readers, &[("t", 5), ("u", 3)]);
    let both =
        |one: Partitions, two: Partitions| -> Partitions { one.iter().chain(two.iter()).collect() };
    assert_eq!(shares[0], both(of("t", 2..4), of("u", [2])));
    assert_eq!(shares[1], both(of("t", 0..2), of("u", 0..2)));
    assert_eq!(shares[2], of("t", [4]));
}

#[test]
fn uniform_keeps_what_it_can() {
    let readers = [reader("a", &["t"], of("t", 0..6)), reader("b", &["t"], Partitions::default())];
    let shares = assign(Assignor::Uniform, &readers, &[("t", 6)]);
    assert_eq!((shares[0].len(), shares[1].len()), (3, 3));
    assert!(shares[0].is_subset(&of("t", 0..6)));
    // One that is gone, one that came: the others keep theirs.
    let readers = [
        reader("a", &["t"], of("t", [0, 1])),
        reader("c", &["t"], of("t", [4, 5])),
        reader("d", &["t"], Partitions::default()),
    ];
    let shares = assign(Assignor::Uniform, &readers, &[("t", 6)]);
    assert_eq!(shares, [of("t", [0, 1]), of("t", [4, 5]), of("t", [2, 3])]);
}

#[test]
fn uniform_relieves_those_who_alone_read_a_topic() {
    let readers = [
        reader("a", &["t", "u"], Partitions::default()),
        reader("b", &["t"], Partitions::default()),
    ];
    let shares = assign(Assignor::Uniform, &readers, &[("t", 4), ("u", 4)]);
    assert_eq!(shares, [of("u", 0..4), of("t", 0..4)]);
}

prop_compose! {
    fn members()(
        topics in prop::collection::vec(prop::collection::btree_set(0..4_usize, 0..4), 1..7),
        counts in prop::collection::vec(0..9_i32, 4),
        owners in prop::collection::vec(0..9_usize, 40),
        range in any::<bool>(),
    ) -> (Vec<Reader>, Vec<(&'static str, i32)>, bool) {
        const NAMES: [&str; 4] = ["t", "u", "v", "w"];
        const IDS: [&str; 7] = ["a", "b", "c", "d", "e", "f", "g"];
        let mut readers: Vec<Reader> = topics.iter().zip(IDS).map(|(topics, member_id)| {
            let topics: Vec<&str> = topics.iter().map(|at| NAMES[*at]).collect();
            reader(member_id, &topics, Partitions::default())
        }).collect();
        // What some have already: of any topic, whether it exists and they read it or not.
        for (place, owner) in owners.into_iter().enumerate() {
            if let Some(reader) = readers.get_mut(owner) {
                reader.3.insert(id(NAMES[place / 10]), i32::try_from(place % 10).unwrap());
            }
        }
        (readers, NAMES.into_iter().zip(counts).collect(), range)
    }
}

proptest! {
    #[test]
    fn each_partition_goes_to_one_who_reads_it((readers, counts, range) in members()) {
        let assignor = if range { Assignor::Range } else { Assignor::Uniform };
        let shares = assign(assignor, &readers, &counts);
        for (name, count) in &counts {
            let readers_of: Vec<usize> =
                (0..readers.len()).filter(|at| readers[*at].2.contains(&id(name))).collect();
            for number in 0..*count {
                let owners: Vec<usize> =
                    (0..shares.len()).filter(|at| shares[*at].contains(id(name), number)).collect();
                prop_assert_eq!(owners.len(), usize::from(!readers_of.is_empty()));
                prop_assert!(owners.iter().all(|owner| readers_of.contains(owner)));
            }
            let total: usize = shares.iter().map(|share| {
                share.iter().filter(|(topic, _)| *topic == id(name)).count()
            }).sum();
            let expected = if readers_of.is_empty() { 0 } else { usize::try_from(*count).unwrap() };
            prop_assert_eq!(total, expected);
        }
    }

    #[test]
    fn uniform_is_even_and_moves_nothing_again((mut readers, counts, _) in members()) {
        let shares = assign(Assignor::Uniform, &readers, &counts);
        // No partition could go to a reader that has two less.
        for (giver, share) in shares.iter().enumerate() {
            for (topic, _) in share.iter() {
                for (taker, other) in shares.iter().enumerate() {
                    let could = giver != taker && readers[taker].2.contains(&topic);
                    prop_assert!(!could || share.len() < other.len() + 2);
                }
            }
        }
        for (reader, share) in readers.iter_mut().zip(&shares) {
            reader.3 = share.clone();
        }
        prop_assert_eq!(assign(Assignor::Uniform, &readers, &counts), shares);
    }
}
