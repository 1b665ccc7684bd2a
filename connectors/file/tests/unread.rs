//! A file of which nothing is read yet is copied and truncated: nothing but its bytes tells what the copy is.

use std::fs;

use super::hand::Hand;
use super::looks::shift;
use crate::file::watch::Hints;

#[test]
fn a_new_file_that_is_truncated_while_the_hub_takes_nothing_is_read_from_its_copy_first() {
    let mut hand = Hand::with("app.log", "");
    hand.bench.rename("app.log", "app.log.1");
    hand.bench.append("app.log.1", "1\n");
    let first = hand.next();
    hand.bench.append("app.log", "2\n");
    hand.look();
    hand.bench.copy_and_truncate("app.log", "app.log-20260101");
    hand.bench.append("app.log", "3\n");
    hand.look();
    hand.bench.take(first);
    hand.expect(&["1", "2", "3"]);
}

#[test]
fn a_copy_that_was_seen_before_its_unread_original_was_truncated_is_read_before_what_came_then() {
    for at_first in ["", "2\n"] {
        let hand = Hand::with("app.log", "1\n");
        hand.bench.copy_and_truncate("app.log", "app.log.1");
        hand.bench.append("app.log", "2\n3\n");
        shift(&hand.bench);
        hand.bench.append("app.log.1", at_first);
        // It is seen at the start, when the original is still as long as it was.
        let mut hand = hand.restart();
        hand.look();
        fs::copy(hand.bench.path("app.log"), hand.bench.path("app.log.1")).unwrap();
        hand.look();
        fs::File::create(hand.bench.path("app.log")).unwrap();
        hand.bench.append("app.log", "4\n");
        hand.expect(&["1", "2", "3", "4"]);
    }
}

#[test]
fn a_copy_of_which_is_heard_before_its_original_is_one() {
    let mut hand = Hand::with("*.log*", "1\n");
    hand.bench.append("new.log", "2\n3\n");
    fs::copy(hand.bench.path("new.log"), hand.bench.path("new.log.1")).unwrap();
    let grown = ["new.log.1", "new.log"].map(|name| hand.bench.path(name)).to_vec();
    hand.follow(Hints { grown, ..Hints::default() });
    fs::File::create(hand.bench.path("new.log")).unwrap();
    hand.bench.append("new.log", "4\n");
    hand.expect(&["1", "2", "3", "4"]);
}

#[test]
fn a_copy_of_which_is_heard_before_the_original_got_the_path_is_one() {
    let mut hand = Hand::with("*.log*", "1\n");
    hand.bench.rename("app.log", "app.log.2");
    hand.bench.append("app.log", "2\n3\n");
    fs::copy(hand.bench.path("app.log"), hand.bench.path("app.log.1")).unwrap();
    let files = ["app.log.1", "app.log"].map(|name| hand.bench.path(name)).to_vec();
    hand.follow(Hints { files, ..Hints::default() });
    fs::File::create(hand.bench.path("app.log")).unwrap();
    hand.bench.append("app.log", "4\n");
    hand.expect(&["1", "2", "3", "4"]);
}

#[test]
fn a_copy_whose_name_comes_before_that_of_its_original_is_one() {
    let mut hand = Hand::with("*.log", "1\n");
    hand.bench.append("new.log", "2\n3\n");
    fs::copy(hand.bench.path("new.log"), hand.bench.path("new-2026-01-01.log")).unwrap();
    hand.look();
    fs::File::create(hand.bench.path("new.log")).unwrap();
    hand.bench.append("new.log", "4\n");
    hand.expect(&["1", "2", "3", "4"]);
}

#[test]
fn what_was_read_of_a_file_and_waits_when_that_is_truncated_comes_once() {
    // Files in the globs that are first seen after their rotation have no order.
    for (include, wanted) in [("app.log", ["1", "2", "3", "4"]), ("app.log*", ["1", "2", "4", "3"])]
    {
        let mut hand = Hand::with(include, "1\n");
        hand.bench.rename("app.log", "app.log.2");
        hand.bench.append("app.log", "");
        hand.settle();
        hand.bench.append("app.log.2", "2\n");
        hand.bench.append("app.log", "3\n");
        // It is read first, and has to wait for what the one before it has got.
        hand.turn("app.log");
        hand.bench.copy_and_truncate("app.log", "app.log.1");
        hand.bench.append("app.log", "4\n");
        hand.expect(&wanted);
    }
}
