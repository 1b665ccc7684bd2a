//! Copying and truncating under a writer that does not wait for it.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::hand::Hand;
use super::hub::{Bench, tick};
use crate::sources::file::watch::Hints;

/// Lines that are as long as lines are.
fn lines(numbers: std::ops::Range<usize>) -> String {
    numbers.map(|number| format!("{number:06} what is said of it goes on and on\n")).collect()
}

/// A copy of the first bytes of a file, and the file truncated.
fn cut(bench: &Bench, bytes: usize) {
    let all = fs::read(bench.path("app.log")).unwrap();
    fs::write(bench.path("app.log.1"), &all[..bytes]).unwrap();
    tick();
    File::create(bench.path("app.log")).unwrap();
}

#[test]
fn a_copy_that_ends_inside_of_what_was_read_at_once_brings_no_line_twice() {
    for restart in [false, true] {
        for count in [3, 60, 3000, 60_000] {
            let all = lines(0..count);
            for part in [2, 3, 9, 50] {
                let length = all.len() - all.len() / part;
                let mut hand = Hand::with("app.log", &all);
                if restart {
                    cut(&hand.bench, length);
                    hand = hand.restart();
                } else {
                    cut(&hand.bench, length);
                }
                hand.bench.append("app.log", &lines(count..count + 2));
                let wanted = lines(0..count + 2);
                hand.expect(&wanted.lines().collect::<Vec<_>>());
            }
        }
    }
}

#[test]
fn lines_that_were_read_and_not_copied_come_once_also_when_the_agent_is_killed_then() {
    for include in ["app.log", "app.log*"] {
        for is_deleted in [false, true] {
            let mut hand = Hand::with(include, &lines(0..500));
            for number in 500..540 {
                hand.bench.append("app.log", &lines(number..number + 1));
                hand.settle();
            }
            let length = lines(0..510).len();
            cut(&hand.bench, length);
            if is_deleted {
                hand.bench.remove("app.log");
            }
            let hand = hand.restart();
            hand.bench.append("app.log", &lines(540..541));
            let wanted = lines(0..541);
            hand.expect(&wanted.lines().collect::<Vec<_>>());
        }
    }
}

#[test]
fn what_was_seen_of_a_file_and_is_neither_read_nor_copied_is_counted() {
    let mut hand = Hand::with("app.log", &lines(0..50));
    hand.bench.append("app.log", "a line without an end");
    hand.settle();
    cut(&hand.bench, lines(0..50).len());
    hand.bench.append("app.log", &lines(50..51));
    hand.settle();
    assert_eq!(hand.bench.dropped("truncated_before_read"), 1);
    let wanted = lines(0..51);
    hand.expect(&wanted.lines().collect::<Vec<_>>());
}

#[test]
fn while_a_copy_may_be_in_the_making_the_file_is_read_without_a_pause() {
    let mut hand = Hand::with("app.log", &lines(0..3));
    for (name, wanted) in [("other.log", false), ("app.log.1", true)] {
        hand.bench.append(name, &lines(0..1));
        let files = vec![hand.bench.path(name)];
        hand.follow(Hints { files, ..Hints::default() });
        let until = hand.follower.haste.as_ref().map(|(copy, until)| (copy.clone(), *until));
        assert_eq!(
            until.as_ref().map(|(copy, _)| copy),
            wanted.then(|| hand.bench.path(name)).as_ref()
        );
        let Some((copy, until)) = until else { continue };
        hand.runtime.block_on(tokio::time::advance(Duration::from_millis(500)));
        hand.follow(Hints { grown: vec![copy], ..Hints::default() });
        assert!(hand.follower.haste.as_ref().is_some_and(|(_, longer)| *longer > until));
    }
}

/// Writes line by line until told to stop; gives their number.
fn write(log: &Path, stop: &AtomicBool) -> usize {
    let mut file = File::options().create(true).append(true).open(log).unwrap();
    let mut number = 0;
    while !stop.load(Ordering::Relaxed) {
        file.write_all(lines(number..number + 1).as_bytes()).unwrap();
        number += 1;
        if number % 50 == 0 {
            std::thread::park_timeout(Duration::from_millis(1));
        }
    }
    number
}

#[tokio::test]
async fn a_writer_that_does_not_pause_has_no_line_twice_and_misses_none_that_was_copied() {
    let mut bench = Bench::new("app.log");
    let (log, stop) = (bench.path("app.log"), Arc::new(AtomicBool::new(false)));
    let (stopped, path) = (Arc::clone(&stop), log.clone());
    let writer = tokio::task::spawn_blocking(move || write(&path, &stopped));
    bench.start();
    bench.until(1).await;
    let mut copied = Vec::new();
    for round in 1..=12 {
        let seen = bench.lines.len();
        bench.until(seen + 1000).await;
        bench.shift(|number| format!("app.log.{number}"));
        let copy = bench.path("app.log.1");
        fs::copy(&log, &copy).unwrap();
        File::options().write(true).open(&log).unwrap().set_len(0).unwrap();
        copied.extend(fs::read_to_string(copy).unwrap().lines().map(str::to_owned));
        if round % 4 == 0 {
            bench.restart().await;
        }
    }
    stop.store(true, Ordering::Relaxed);
    while !writer.is_finished() {
        if let Some(emission) = bench.next(Duration::from_millis(5)).await {
            bench.take(emission);
        }
    }
    let last = lines(0..writer.await.unwrap()).lines().last().unwrap().to_owned();
    bench.until_true(|bench| bench.lines.contains(&last)).await;
    while let Some(emission) = bench.next(Duration::from_millis(300)).await {
        bench.take(emission);
    }
    bench.stop().await;
    let mut seen = bench.lines.clone();
    seen.sort_unstable();
    let twice: Vec<_> = seen.windows(2).filter(|pair| pair[0] == pair[1]).collect();
    assert!(twice.is_empty(), "{} twice: {:?}", twice.len(), twice.first());
    let missed: Vec<_> = copied.iter().filter(|line| seen.binary_search(line).is_err()).collect();
    assert!(missed.is_empty(), "{} missed: {:?}", missed.len(), missed.first());
}
