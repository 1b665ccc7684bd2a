//! The clock of the machine is not that of its file systems: it was set, or they are another machine's.

use std::fs;
use std::os::unix::fs::symlink;

use super::hand::Hand;
use super::hub::Bench;
use crate::contract::clock::wrong;
use crate::sources::file::identity;

/// How far the clock is ahead while a test looks, milliseconds.
const AHEAD_MS: [i64; 4] = [0, 61_000, -61_000, 864_000_000];

/// Waits until what comes to a file system has a later stamp than what has come.
fn next_stamp(hand: &Hand) {
    let stamp = || {
        hand.bench.append("stamp", "x");
        identity::stat(&hand.bench.path("stamp")).unwrap().modified_ms
    };
    let before = stamp();
    while stamp() == before {}
}

/// Tests with a clock that is right at first, and another one then.
fn with_wrong_clocks(test: impl Fn(&mut dyn FnMut())) {
    for ahead_ms in AHEAD_MS {
        wrong::set(0);
        test(&mut || wrong::set(ahead_ms));
        wrong::set(ahead_ms);
        test(&mut || wrong::set(0));
        wrong::set(0);
    }
}

/// A line, a copy and a truncation, twice, and another line; later than all that was there.
fn truncate_twice(hand: &Hand) {
    next_stamp(hand);
    for (line, old) in [("3\n", "app.log-20260101"), ("4\n", "app.log-20260102")] {
        hand.bench.append("app.log", line);
        hand.bench.copy_and_truncate("app.log", old);
    }
    hand.bench.append("app.log", "5\n");
}

#[test]
fn a_file_that_is_copied_and_truncated_twice_before_it_is_read_loses_nothing() {
    with_wrong_clocks(|change| {
        let mut hand = Hand::with("app.log", "1\n");
        change();
        hand.bench.append("app.log", "2\n");
        let held = hand.next();
        truncate_twice(&hand);
        hand.look();
        hand.bench.take(held);
        hand.expect(&["1", "2", "3", "4", "5"]);
    });
}

#[test]
fn a_file_that_is_renamed_twice_before_it_is_seen_loses_nothing() {
    with_wrong_clocks(|change| {
        let mut hand = Hand::with("app.log", "1\n");
        change();
        hand.settle();
        hand.bench.append("app.log", "2\n");
        next_stamp(&hand);
        for (old, line) in [("app.log-20260101", "3\n"), ("app.log-20260102", "4\n")] {
            hand.bench.rename("app.log", old);
            hand.bench.append("app.log", line);
        }
        hand.expect(&["1", "2", "3", "4"]);
    });
}

#[test]
fn a_file_that_is_rotated_while_nobody_looks_loses_nothing() {
    with_wrong_clocks(|change| {
        let mut hand = Hand::with("app.log", "1\n");
        hand.bench.append("app.log", "2\n");
        hand.settle();
        change();
        truncate_twice(&hand);
        hand.restart().expect(&["1", "2", "3", "4", "5"]);
    });
}

#[test]
fn a_new_file_that_is_truncated_while_the_hub_takes_nothing_loses_nothing() {
    with_wrong_clocks(|change| {
        let mut hand = Hand::with("app.log", "");
        hand.bench.rename("app.log", "app.log.1");
        hand.bench.append("app.log.1", "1\n");
        let first = hand.next();
        change();
        hand.bench.append("app.log", "2\n");
        hand.look();
        next_stamp(&hand);
        hand.bench.copy_and_truncate("app.log", "app.log-20260101");
        hand.bench.append("app.log", "3\n");
        hand.look();
        hand.bench.take(first);
        hand.expect(&["1", "2", "3"]);
    });
}

#[test]
fn what_was_rotated_before_the_first_start_is_left_alone() {
    // As if it had been rotated a while before.
    for ahead_ms in [1_000, 61_000] {
        wrong::set(ahead_ms);
        let bench = Bench::new("app.log").with("watch", "poll");
        bench.append("app.log", "old\n");
        bench.copy_and_truncate("app.log", "app.log-20260101");
        let mut hand = Hand::on(bench);
        hand.settle();
        for (line, old) in [("1\n", "app.log-20260102"), ("2\n", "app.log-20260103")] {
            hand.bench.append("app.log", line);
            hand.settle();
            hand.bench.copy_and_truncate("app.log", old);
            hand.settle();
        }
        hand.bench.append("app.log", "3\n");
        hand.expect(&["1", "2", "3"]);
        wrong::set(0);
    }
}

#[test]
fn a_link_that_leads_elsewhere_while_the_hub_takes_nothing_loses_nothing() {
    with_wrong_clocks(|change| {
        let bench = Bench::new("links/*.log").with("watch", "poll");
        ["links", "old", "new"]
            .iter()
            .for_each(|folder| fs::create_dir(bench.path(folder)).unwrap());
        bench.append("old/app.log", "1\n");
        symlink("../old/app.log", bench.path("links/app.log")).unwrap();
        let mut hand = Hand::on(bench);
        hand.settle();
        change();
        hand.settle();
        next_stamp(&hand);
        hand.bench.append("old/app.log", "2\n");
        hand.bench.rename("old/app.log", "old/app.log.1");
        hand.bench.append("old/app.log", "3\n");
        hand.bench.append("new/app.log", "4\n");
        symlink("../new/app.log", hand.bench.path("next")).unwrap();
        hand.bench.rename("next", "links/app.log");
        hand.expect(&["1", "2", "3", "4"]);
    });
}
