//! A line is the same line whenever it is read: by its text, and where in that it begins.

use super::hub::{Bench, tick};

#[tokio::test]
async fn a_line_that_is_read_again_after_a_power_cut_is_the_same_line() {
    let mut bench = Bench::new("app.log");
    bench.append("app.log", "one\ntwo\r\n\nfour\n");
    bench.start();
    bench.until(4).await;
    let known = bench.positions.clone();
    bench.append("app.log", "five\nsix\n");
    bench.until(6).await;
    // The hub has lost the last lines, and that they were read.
    bench.stop().await;
    bench.positions = known;
    bench.start();
    bench.until(8).await;
    assert_eq!(bench.lines[6..], ["five", "six"]);
    assert_eq!(bench.places[6..], bench.places[4..6]);
    // Or everything.
    bench.stop().await;
    bench.positions.clear();
    bench.start();
    bench.until(14).await;
    assert_eq!(bench.places[8..], bench.places[..6]);
    let starts: Vec<u64> = bench.places[..6].iter().map(|(_, start)| *start).collect();
    assert_eq!(starts, [0, 4, 9, 10, 15, 20]);
}

#[tokio::test]
async fn the_same_bytes_after_a_truncation_are_other_lines_and_the_same_ones_when_that_is_seen_again()
 {
    let mut bench = Bench::new("app.log");
    bench.append("app.log", "up\nup\n");
    bench.start();
    bench.until(2).await;
    let known = bench.positions.clone();
    std::fs::File::create(bench.path("app.log")).unwrap();
    tick();
    bench.append("app.log", "up\n");
    bench.until(3).await;
    assert_eq!(bench.places[2].1, 0);
    assert_ne!(bench.places[2].0, bench.places[0].0);
    bench.restart().await;
    bench.append("app.log", "on\n");
    bench.until(4).await;
    assert_eq!(bench.places[3], (bench.places[2].0, 3), "a restart makes no other text");
    bench.stop().await;
    bench.positions = known;
    bench.start();
    bench.until(6).await;
    assert_eq!(bench.places[4..], bench.places[2..4]);
}

#[tokio::test]
async fn a_copys_lines_are_those_of_its_original() {
    let mut bench = Bench::new("app.log");
    bench.append("app.log", "one\ntwo\n");
    bench.start();
    bench.until(2).await;
    bench.stop().await;
    bench.append("app.log", "three\n");
    bench.copy_and_truncate("app.log", "app.log.1");
    bench.start();
    bench.until(3).await;
    assert_eq!(bench.lines[2], "three");
    assert_eq!(bench.places[2], (bench.places[0].0, 8));
}
