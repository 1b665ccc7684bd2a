//! A file of which nothing is read yet is copied and truncated: nothing but its bytes tells what the copy is.

use std::fs;
use std::path::PathBuf;

use super::hand::Hand;
use super::looks::rotated;
use crate::sources::file::watch::Hints;

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
        hand.bench.shift(rotated);
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

/// Writes a file and copies it, has the source see both, and truncates the file only then.
fn see_before_the_truncation(
    mut hand: Hand,
    [name, copy]: [&str; 2],
    see: impl FnOnce(&mut Hand, Vec<PathBuf>),
) {
    hand.bench.append(name, "2\n3\n");
    fs::copy(hand.bench.path(name), hand.bench.path(copy)).unwrap();
    let copy_first = [copy, name].map(|name| hand.bench.path(name));
    see(&mut hand, copy_first.to_vec());
    fs::File::create(hand.bench.path(name)).unwrap();
    hand.bench.append(name, "4\n");
    hand.expect(&["1", "2", "3", "4"]);
}

#[test]
fn a_copy_of_which_is_heard_before_its_original_is_one() {
    let hand = Hand::with("*.log*", "1\n");
    see_before_the_truncation(hand, ["new.log", "new.log.1"], |hand, grown| {
        hand.follow(Hints { grown, ..Hints::default() });
    });
}

#[test]
fn a_copy_of_which_is_heard_before_the_original_got_the_path_is_one() {
    let hand = Hand::with("*.log*", "1\n");
    hand.bench.rename("app.log", "app.log.2");
    see_before_the_truncation(hand, ["app.log", "app.log.1"], |hand, files| {
        hand.follow(Hints { files, ..Hints::default() });
    });
}

#[test]
fn a_copy_whose_name_comes_before_that_of_its_original_is_one() {
    let hand = Hand::with("*.log", "1\n");
    see_before_the_truncation(hand, ["new.log", "new-2026-01-01.log"], |hand, _| hand.look());
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
