//! Files that grow and stay where they are.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::time::Duration;

use super::hub::Bench;

#[tokio::test]
async fn lines_are_read_from_the_first_byte_and_as_they_are_written() {
    let mut bench = Bench::new("*.log");
    bench.append("a.log", "1\n");
    bench.start();
    bench.expect(&["1"]).await;
    bench.append("a.log", "2\r\n\r\n3\0\n");
    bench.expect(&["1", "2", "", "3\0"]).await;
    bench.append("b.log", "4\n");
    bench.append("c.txt", "no\n");
    bench.append("d.log.gz", "no\n");
    bench.expect(&["1", "2", "", "3\0", "4"]).await;
    assert_eq!(bench.headers[0], ("a.log".to_owned(), false));
    bench.stop().await;
}

#[tokio::test]
async fn a_line_without_an_end_waits_for_it_and_is_flushed_when_it_does_not_come() {
    let mut bench = Bench::new("a").with("partial_line_timeout", "500ms");
    bench.append("a", "12");
    bench.start();
    bench.append("a", "34\n");
    bench.expect(&["1234"]).await;
    bench.append("a", "56\r");
    bench.until(2).await;
    bench.append("a", "\n7\n");
    bench.expect(&["1234", "56", "7"]).await;
    bench.append("a", "8");
    bench.until(4).await;
    bench.restart().await;
    bench.append("a", "\n9\n");
    bench.expect(&["1234", "56", "7", "8", "9"]).await;
    bench.stop().await;
}

#[tokio::test]
async fn a_long_line_comes_in_marked_pieces_even_over_a_restart() {
    let mut bench = Bench::new("a").with("max_line_bytes", "1000");
    bench.append("a", &format!("{}\nx\n{}", "y".repeat(2500), "z".repeat(1500)));
    bench.start();
    bench.until(5).await;
    bench.restart().await;
    bench.append("a", "z\n");
    bench.until(6).await;
    let lengths: Vec<usize> = bench.lines.iter().map(String::len).collect();
    assert_eq!(lengths, [1000, 1000, 500, 1, 1000, 501]);
    let continued: Vec<bool> = bench.headers.iter().map(|(_, continued)| *continued).collect();
    assert_eq!(continued, [true, true, false, false, true, false]);
    bench.stop().await;
}

#[tokio::test]
async fn a_line_larger_than_a_read_is_whole() {
    let mut bench = Bench::new("a").with("max_line_bytes", "10MiB");
    bench.append("a", &format!("x\n{}\ny\n", "l".repeat(5 << 20)));
    bench.start();
    bench.until(3).await;
    assert_eq!(bench.lines.iter().map(String::len).collect::<Vec<_>>(), [1, 5 << 20, 1]);
    bench.stop().await;
}

#[tokio::test]
async fn nothing_is_read_twice_after_a_restart_and_what_was_not_stored_is() {
    let mut bench = Bench::new("*.log");
    bench.append("a.log", "1\n2\n");
    bench.start();
    bench.expect(&["1", "2"]).await;
    bench.restart().await;
    bench.append("a.log", "3\n");
    let lost = bench.next(Duration::from_secs(10)).await;
    assert_eq!(lost.unwrap().batch.len(), 1);
    bench.restart().await;
    bench.expect(&["1", "2", "3"]).await;
    bench.append("a.log", "4\n");
    let refused = bench.next(Duration::from_secs(10)).await.unwrap();
    Bench::refuse(refused);
    bench.append("a.log", "5\n");
    bench.expect(&["1", "2", "3", "4", "5"]).await;
    bench.stop().await;
}

#[tokio::test]
async fn from_the_end_means_what_is_there_at_the_very_first_start_only() {
    let mut bench = Bench::new("*.log").with("read_from", "end");
    bench.append("a.log", "old\n");
    bench.start();
    bench.until_true(|bench| bench.positions() == 1).await;
    bench.append("a.log", "1\n");
    bench.append("b.log", "2\n");
    bench.until(2).await;
    bench.stop().await;
    bench.append("c.log", "3\n");
    bench.start();
    bench.until(3).await;
    bench.lines.sort();
    bench.expect(&["1", "2", "3"]).await;
    bench.stop().await;
}

#[tokio::test]
async fn old_files_are_left_alone_until_they_are_written_again() {
    let mut bench = Bench::new("*.log").with("ignore_older", "1h");
    bench.append("a.log", "1\n");
    let old = std::time::SystemTime::now() - Duration::from_secs(7200);
    fs::File::options().append(true).open(bench.path("a.log")).unwrap().set_modified(old).unwrap();
    bench.append("b.log", "2\n");
    bench.start();
    bench.expect(&["2"]).await;
    bench.append("a.log", "3\n");
    bench.expect(&["2", "1", "3"]).await;
    bench.stop().await;
}

#[tokio::test]
async fn files_in_folders_that_come_later_are_found() {
    let mut bench = Bench::new("deep/**/*.log").with("reconcile_interval", "1h");
    bench.start();
    fs::create_dir_all(bench.path("deep/er/still")).unwrap();
    bench.append("deep/er/still/a.log", "1\n");
    bench.expect(&["1"]).await;
    fs::create_dir_all(bench.path("deep/x/y/z")).unwrap();
    bench.append("deep/x/y/z/b.log", "2\n");
    bench.expect(&["1", "2"]).await;
    bench.rename("deep/x", "deep/moved");
    bench.append("deep/moved/y/z/b.log", "3\n");
    bench.expect(&["1", "2", "3"]).await;
    bench.stop().await;
}

#[tokio::test]
async fn without_watches_files_are_looked_at_in_turn() {
    let mut bench = Bench::new("**/*.log").with("watch", "poll");
    bench.start();
    bench.append("a.log", "1\n");
    bench.expect(&["1"]).await;
    fs::create_dir(bench.path("sub")).unwrap();
    bench.append("sub/a.log", "2\n");
    bench.expect(&["1", "2"]).await;
    bench.append("a.log", "3\n");
    bench.rename("a.log", "a.log.1");
    bench.append("a.log.1", "4\n");
    bench.append("a.log", "5\n");
    bench.expect(&["1", "2", "3", "4", "5"]).await;
    bench.stop().await;
}

#[tokio::test]
async fn files_with_the_same_head_are_different_files() {
    let mut bench = Bench::new("*.log");
    let head = "# head\n".repeat(1000);
    bench.append("a.log", &format!("{head}1\n"));
    bench.append("b.log", &format!("{head}2\n"));
    bench.start();
    bench.until(2002).await;
    bench.append("a.log", "3\n");
    bench.append("b.log", "4\n");
    bench.append("c.log", &head);
    bench.until(3004).await;
    bench.lines.retain(|line| line != "# head");
    bench.lines.sort();
    bench.expect(&["1", "2", "3", "4"]).await;
    bench.stop().await;
}

#[tokio::test]
async fn a_thousand_files_are_followed_and_a_busy_one_starves_no_other() {
    let mut bench = Bench::new("*.log").with("close_idle", "100ms");
    bench.append("busy.log", &"b\n".repeat(8 << 20));
    for number in 0..1000 {
        bench.append(&format!("{number}.log"), &format!("{number}\n"));
    }
    bench.start();
    let busy = count_of(&mut bench, 1000, |line| line != "b").await;
    assert!(busy < 8 << 20, "the busy file was read to its end before the others");
    for number in 0..1000 {
        bench.append(&format!("{number}.log"), "more\n");
    }
    count_of(&mut bench, 1000, |line| line == "more").await;
    bench.stop().await;
}

/// Takes until there are `wanted` lines of the kind; how many others there were.
async fn count_of(bench: &mut Bench, wanted: usize, kind: impl Fn(&str) -> bool) -> usize {
    let (mut found, mut others) = (0, 0);
    while found < wanted {
        let emission = bench.next(Duration::from_secs(20)).await.unwrap();
        bench.take(emission);
        let now = bench.lines.iter().filter(|line| kind(line)).count();
        others += bench.lines.len() - now;
        found += now;
        bench.lines.clear();
        bench.headers.clear();
    }
    others
}

#[tokio::test]
async fn a_file_that_cannot_be_read_is_read_once_it_can() {
    let mut bench = Bench::new("*.log");
    bench.append("a.log", "1\n");
    fs::set_permissions(bench.path("a.log"), fs::Permissions::from_mode(0o000)).unwrap();
    symlink(bench.path("nowhere"), bench.path("b.log")).unwrap();
    fs::create_dir(bench.path("c.log")).unwrap();
    bench.start();
    fs::set_permissions(bench.path("a.log"), fs::Permissions::from_mode(0o644)).unwrap();
    bench.expect(&["1"]).await;
    bench.stop().await;
}

#[tokio::test]
async fn what_is_not_stored_comes_again_with_all_that_was_handed_on_behind_it() {
    let mut bench = Bench::new("*.log");
    bench.start();
    let mut sent = Vec::new();
    for line in ["1\n", "2\n", "3\n", "4\n"] {
        bench.append("a.log", line);
        sent.push(bench.next(Duration::from_secs(10)).await.unwrap());
    }
    for (number, emission) in sent.into_iter().enumerate() {
        match number {
            1 => Bench::refuse(emission),
            _ => bench.take(emission),
        }
    }
    assert_eq!(bench.lines, ["1"]);
    bench.append("a.log", "5\n");
    let again = bench.next(Duration::from_secs(10)).await.unwrap();
    Bench::refuse(again);
    bench.expect(&["1", "2", "3", "4", "5"]).await;
    bench.restart().await;
    bench.expect(&["1", "2", "3", "4", "5"]).await;
    bench.stop().await;
}
