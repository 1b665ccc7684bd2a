//! What happens between two looks of the source.

use std::fs;

use super::hand::{Hand, LONG};
use super::hub::Bench;
use crate::sources::file::identity;
use crate::sources::file::siblings::Folders;

/// Whether rotated files are in the globs or not.
const BOTH: [&str; 2] = ["app.log", "app.log*"];

#[test]
fn a_line_of_a_renamed_file_comes_before_what_was_then_written_to_the_new_one() {
    for include in BOTH {
        let mut hand = Hand::with(include, "1\n");
        hand.bench.rename("app.log", "app.log.1");
        hand.bench.append("app.log", "");
        hand.settle();
        for (old, new) in [("2\n", "3\n"), ("4\n", "5\n")] {
            hand.bench.append("app.log.1", old);
            hand.bench.append("app.log", new);
            hand.settle();
        }
        hand.expect(&["1", "2", "3", "4", "5"]);
    }
}

#[test]
fn a_copy_is_known_however_long_the_hub_takes_nothing_of_its_original() {
    for include in BOTH {
        let mut hand = Hand::with(include, "1\n");
        let mut held = Vec::new();
        for line in ["2\n", "3\n", "4\n", "5\n"] {
            hand.bench.append("app.log", line);
            held.push(hand.next());
        }
        hand.bench.append("app.log", "6\n");
        hand.look();
        hand.bench.copy_and_truncate("app.log", "app.log.1");
        hand.wait(LONG);
        hand.bench.append("app.log", "7\n");
        hand.wait(LONG);
        held.into_iter().for_each(|emission| hand.bench.take(emission));
        hand.expect(&["1", "2", "3", "4", "5", "6", "7"]);
    }
}

#[test]
fn a_copy_that_ends_and_whose_original_is_truncated_while_it_is_looked_at_is_still_one() {
    let line = "a line that is long enough for many of them to be more than what is hashed\n";
    let mut hand = Hand::with("app.log", &line.repeat(200));
    let (path, copy) = (hand.bench.path("app.log"), hand.bench.path("app.log.1"));
    hand.bench.append("app.log.1", &line.repeat(100));
    let begun = identity::stat(&copy).unwrap();
    hand.bench.append("app.log.1", &line.repeat(100));
    fs::File::create(&path).unwrap();
    let original = hand.follower.paths.get(path.as_path()).copied();
    let _inside = hand.runtime.enter();
    let kin = hand.follower.kin(&path, original);
    assert_eq!(hand.follower.original_among(&kin, &copy, &begun), original);
}

#[test]
fn a_copy_that_was_seen_empty_is_known_whichever_file_it_turns_out_to_be_one_of() {
    // Which file an empty one is taken for is a matter of chance.
    for include in BOTH.repeat(6) {
        let mut hand = Hand::with(include, "1\n");
        for old in 1..4 {
            hand.bench.shift(rotated);
            hand.bench.copy_and_truncate("app.log", "app.log.1");
            hand.settle();
            hand.bench.shift(rotated);
            hand.bench.rename("app.log", "app.log.1");
            hand.bench.append("app.log", &format!("{}\n", old + 1));
            hand.settle();
            if old == 3 {
                hand.bench.shift(rotated);
            }
        }
        hand.bench.append("app.log.1", "");
        hand.settle();
        fs::copy(hand.bench.path("app.log"), hand.bench.path("app.log.1")).unwrap();
        hand.settle();
        fs::File::create(hand.bench.path("app.log")).unwrap();
        hand.bench.append("app.log", "5\n");
        hand.expect(&["1", "2", "3", "4", "5"]);
    }
}

#[test]
fn a_batch_that_is_not_stored_is_read_again_from_a_copy_that_was_made_after_that() {
    for include in BOTH {
        let mut hand = Hand::with(include, "");
        hand.bench.append("app.log", "1\n");
        let refused = hand.next();
        Bench::refuse(refused);
        hand.look();
        hand.bench.copy_and_truncate("app.log", "app.log.1");
        hand.bench.append("app.log", "2\n3\n");
        hand.expect(&["1", "2", "3"]);
    }
}

#[test]
fn a_file_waits_quietly_while_the_hub_has_nothing_of_the_one_before_it() {
    let mut hand = Hand::with("app.log", "");
    hand.bench.rename("app.log", "app.log.1");
    hand.settle();
    hand.bench.append("app.log", "1\n");
    let first = hand.next();
    hand.bench.rename("app.log", "app.log.2");
    hand.bench.append("app.log", "2\n");
    // It comes to an end: time stands still, so nothing but rest ends a look.
    hand.look();
    assert!(hand.inlet.try_recv().is_err());
    hand.bench.take(first);
    hand.expect(&["1", "2"]);
}

#[test]
fn lines_that_came_after_the_copy_and_were_read_before_the_truncation_bring_no_other_twice() {
    for (include, more) in [("app.log", 1), ("app.log*", 1), ("app.log", 100), ("app.log*", 100)] {
        for seen in [false, true] {
            let mut hand = Hand::with(include, "1\n");
            hand.bench.append("app.log", "2\n");
            hand.settle();
            fs::copy(hand.bench.path("app.log"), hand.bench.path("app.log.1")).unwrap();
            if seen {
                hand.settle();
            }
            let lines: Vec<String> = (1..more + 4).map(|line| line.to_string()).collect();
            for line in lines.iter().take(more + 2).skip(2) {
                hand.bench.append("app.log", &format!("{line}\n"));
                hand.settle();
            }
            fs::File::create(hand.bench.path("app.log")).unwrap();
            hand.bench.append("app.log", &format!("{}\n", more + 3));
            hand.expect(&lines.iter().map(String::as_str).collect::<Vec<_>>());
        }
    }
}

#[test]
fn a_copy_whose_original_was_truncated_and_deleted_meanwhile_is_read_on() {
    for include in BOTH {
        let hand = Hand::with(include, "1\n2\n");
        hand.bench.append("app.log", "3\n");
        hand.bench.copy_and_truncate("app.log", "app.log.1");
        hand.bench.remove("app.log");
        let hand = hand.restart();
        hand.bench.append("app.log", "4\n");
        let mut hand = hand.restart();
        hand.settle();
        let hand = hand.restart();
        hand.expect(&["1", "2", "3", "4"]);
    }
}

#[test]
fn what_was_not_stored_is_not_forgotten_though_the_next_was_when_the_source_is_killed_then() {
    let mut hand = Hand::with("app.log", "1\n");
    let mut sent = Vec::new();
    for line in ["2\n", "3\n"] {
        hand.bench.append("app.log", line);
        sent.push(hand.next());
    }
    let stored = sent.pop().unwrap();
    Bench::refuse(sent.pop().unwrap());
    hand.bench.take(stored);
    hand.restart().expect(&["1", "2", "3"]);
}

pub(super) fn rotated(number: usize) -> String {
    format!("app.log.{number}")
}

#[test]
fn what_is_written_and_truncated_while_the_hub_takes_nothing_comes_in_its_order() {
    for rounds in 1..4 {
        let mut hand = Hand::with("app.log", "1\n");
        hand.bench.append("app.log", "2\n");
        let first = hand.next();
        hand.bench.copy_and_truncate("app.log", "app.log-20260101");
        hand.look();
        for line in 3..rounds + 3 {
            hand.bench.append("app.log", &format!("{line}\n"));
            hand.look();
            hand.bench.copy_and_truncate("app.log", &format!("app.log-2026010{line}"));
            hand.look();
        }
        let wanted: Vec<String> = (1..rounds + 3).map(|line| line.to_string()).collect();
        let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
        hand.bench.take(first);
        hand.expect(&wanted);
    }
}

#[test]
fn of_two_rotations_by_copying_within_one_look_the_rest_of_the_first_is_read_first() {
    let mut hand = Hand::with("app.log", "1\n");
    hand.bench.copy_and_truncate("app.log", "app.log.1");
    hand.bench.append("app.log", "2\n");
    hand.settle();
    for line in ["3\n", "4\n", "5\n"] {
        hand.bench.append("app.log", line);
        hand.bench.shift(rotated);
        hand.bench.copy_and_truncate("app.log", "app.log.1");
    }
    hand.bench.append("app.log", "6\n");
    hand.expect(&["1", "2", "3", "4", "5", "6"]);
}

#[test]
fn of_two_rotations_by_renaming_within_one_look_the_file_that_was_known_is_read_first() {
    let mut hand = Hand::with("app.log", "1\n");
    hand.bench.append("app.log", "2\n");
    let second = hand.next();
    hand.bench.rename("app.log", "app.log.1");
    hand.bench.append("app.log", "3\n");
    hand.look();
    for line in ["4\n", ""] {
        hand.bench.shift(rotated);
        hand.bench.rename("app.log", "app.log.1");
        if !line.is_empty() {
            hand.bench.append("app.log", line);
        }
    }
    // Nothing has the path at this moment, and nobody has said so yet.
    let inside = hand.runtime.enter();
    hand.follower.between(&mut Folders::default(), &hand.bench.path("app.log"), 0);
    drop(inside);
    hand.bench.append("app.log", "5\n");
    hand.bench.take(second);
    hand.expect(&["1", "2", "3", "4", "5"]);
}

#[test]
fn a_file_that_was_taken_for_a_copy_while_it_was_empty_is_read_before_the_next_of_its_path() {
    let mut hand = Hand::with("*.log", "1\n");
    hand.bench.append("app-1.log", "");
    hand.settle();
    hand.bench.append("app-1.log", "2\n");
    let second = hand.next();
    hand.bench.rename("app-1.log", "app-1.log.1");
    hand.bench.append("app-1.log", "4\n");
    hand.look();
    hand.bench.append("app-1.log.1", "3\n");
    hand.bench.take(second);
    hand.expect(&["1", "2", "3", "4"]);
}

#[test]
fn waiting_for_a_file_that_the_hub_does_not_take_costs_no_memory() {
    let mut hand = Hand::with("app.log", "1\n");
    let mut held = Vec::new();
    for line in ["2\n", "3\n", "4\n", "5\n"] {
        hand.bench.append("app.log", line);
        held.push(hand.next());
    }
    hand.bench.append("app.log", "6\n");
    hand.bench.rename("app.log", "app.log.1");
    for _ in 0..100 {
        hand.bench.append("app.log", "more\n");
        hand.look();
    }
    let followers = hand.follower.tails.values().map(|tail| tail.followers.len()).sum::<usize>();
    assert_eq!((followers, held.len()), (1, 4));
}
