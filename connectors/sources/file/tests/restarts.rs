//! What happened to files while nobody followed them.

use std::fs;
use std::os::unix::fs::symlink;

use super::hub::Bench;

async fn read_once(include: &str) -> Bench {
    let mut bench = Bench::new(include);
    bench.append("app.log", "1\n2\n");
    bench.start();
    bench.expect(&["1", "2"]).await;
    bench.stop().await;
    bench.append("app.log", "3\n");
    bench
}

#[tokio::test]
async fn a_file_renamed_meanwhile_is_read_on_before_the_new_one() {
    for include in ["app.log", "app.log*"] {
        let mut bench = read_once(include).await;
        bench.rename("app.log", "app.log.1");
        bench.append("app.log", "4\n");
        bench.start();
        bench.expect(&["1", "2", "3", "4"]).await;
        bench.restart().await;
        bench.append("app.log.1", "5\n");
        bench.expect(&["1", "2", "3", "4", "5"]).await;
        bench.stop().await;
    }
}

#[tokio::test]
async fn files_rotated_twice_meanwhile_are_read_in_their_order() {
    for include in ["app.log", "app.log*"] {
        let mut bench = read_once(include).await;
        bench.rename("app.log", "app.log.1");
        bench.append("app.log", "4\n");
        bench.rename("app.log.1", "app.log.2");
        bench.rename("app.log", "app.log.1");
        bench.append("app.log", "5\n");
        bench.start();
        bench.expect(&["1", "2", "3", "4", "5"]).await;
        assert!(bench.headers.iter().all(|(name, _)| name == "app.log"));
        bench.restart().await;
        bench.append("app.log", "6\n");
        bench.expect(&["1", "2", "3", "4", "5", "6"]).await;
        bench.stop().await;
    }
}

#[tokio::test]
async fn a_copy_made_meanwhile_is_read_on_where_the_original_was() {
    for include in ["app.log", "app.log*"] {
        let mut bench = read_once(include).await;
        bench.copy_and_truncate("app.log", "app.log.1");
        bench.append("app.log", "4\n5\n6\n7\n8\n9\n");
        bench.start();
        bench.expect(&["1", "2", "3", "4", "5", "6", "7", "8", "9"]).await;
        bench.restart().await;
        bench.append("app.log", "10\n");
        bench.expect(&["1", "2", "3", "4", "5", "6", "7", "8", "9", "10"]).await;
        bench.stop().await;
    }
}

#[tokio::test]
async fn copies_made_twice_meanwhile_are_read_in_their_order() {
    for include in ["app.log", "app.log*"] {
        let mut bench = read_once(include).await;
        bench.copy_and_truncate("app.log", "app.log.1");
        bench.append("app.log", "4\n");
        bench.rename("app.log.1", "app.log.2");
        bench.copy_and_truncate("app.log", "app.log.1");
        bench.append("app.log", "5\n");
        bench.start();
        bench.expect(&["1", "2", "3", "4", "5"]).await;
        bench.restart().await;
        bench.append("app.log", "6\n");
        bench.expect(&["1", "2", "3", "4", "5", "6"]).await;
        bench.stop().await;
    }
}

#[tokio::test]
async fn an_offset_that_the_bytes_do_not_prove_is_not_used() {
    for text in ["x\n", "x\ny\n", "x\ny\nz\nlonger than before\n"] {
        let mut bench = read_once("app.log").await;
        fs::write(bench.path("app.log"), text).unwrap();
        bench.start();
        let wanted: Vec<&str> = ["1", "2"].into_iter().chain(text.lines()).collect();
        bench.expect(&wanted).await;
        bench.stop().await;
    }
}

#[tokio::test]
async fn a_file_deleted_and_made_again_meanwhile_is_read_from_its_start() {
    let mut bench = read_once("app.log").await;
    bench.remove("app.log");
    bench.append("app.log", "1\n2\n4\n");
    bench.start();
    bench.expect(&["1", "2", "1", "2", "4"]).await;
    bench.stop().await;
}

#[tokio::test]
async fn files_that_were_beside_it_before_the_first_start_are_not_taken_for_its_rotations() {
    let mut bench = Bench::new("app.log");
    bench.append("app.log.2", "older\n");
    bench.append("app.log.1", "old\n");
    std::thread::park_timeout(std::time::Duration::from_millis(60));
    bench.append("app.log", "1\n");
    bench.start();
    bench.expect(&["1"]).await;
    bench.rename("app.log", "app.log.3");
    bench.append("app.log", "2\n");
    bench.expect(&["1", "2"]).await;
    bench.stop().await;
    bench.rename("app.log", "app.log.4");
    bench.append("app.log", "3\n");
    bench.start();
    bench.expect(&["1", "2", "3"]).await;
    bench.stop().await;
}

#[tokio::test]
async fn a_link_that_flipped_meanwhile_leaves_nothing_behind() {
    let mut bench = Bench::new("links/current");
    fs::create_dir(bench.path("links")).unwrap();
    fs::create_dir(bench.path("data")).unwrap();
    bench.append("data/a", "1\n");
    symlink("../data/a", bench.path("links/current")).unwrap();
    bench.start();
    bench.expect(&["1"]).await;
    bench.stop().await;
    bench.append("data/a", "2\n");
    bench.append("data/b", "3\n");
    bench.remove("links/current");
    symlink("../data/b", bench.path("links/current")).unwrap();
    bench.start();
    bench.expect(&["1", "2", "3"]).await;
    bench.append("data/b", "4\n");
    bench.expect(&["1", "2", "3", "4"]).await;
    bench.stop().await;
}

#[tokio::test]
async fn a_file_copied_truncated_and_then_renamed_meanwhile_is_read_after_its_copy() {
    for include in ["app.log", "app.log*"] {
        let mut bench = read_once(include).await;
        bench.copy_and_truncate("app.log", "app.log.1");
        bench.append("app.log", "4\n");
        bench.rename("app.log.1", "app.log.2");
        bench.copy_and_truncate("app.log", "app.log.1");
        bench.append("app.log", "5\n");
        bench.rename("app.log.2", "app.log.3");
        bench.rename("app.log.1", "app.log.2");
        bench.rename("app.log", "app.log.1");
        bench.append("app.log", "6\n");
        bench.start();
        bench.expect(&["1", "2", "3", "4", "5", "6"]).await;
        bench.stop().await;
    }
}

#[tokio::test]
async fn a_copy_of_the_second_file_is_not_taken_for_one_that_was_between_when_the_first_was_cut_too()
 {
    let mut bench = read_once("app.log").await;
    bench.copy_and_truncate("app.log", "app.log.2");
    bench.rename("app.log", "app.log.1");
    bench.append("app.log", "4\n");
    bench.start();
    bench.expect(&["1", "2", "3", "4"]).await;
    bench.stop().await;
    bench.append("app.log", "5\n");
    bench.rename("app.log.2", "app.log.3");
    bench.rename("app.log.1", "app.log.2");
    bench.copy_and_truncate("app.log", "app.log.1");
    bench.append("app.log", "6\n");
    bench.start();
    bench.expect(&["1", "2", "3", "4", "5", "6"]).await;
    bench.stop().await;
}

#[tokio::test]
async fn a_file_that_cannot_be_found_at_the_start_is_looked_for_until_it_is() {
    let mut bench = read_once("app.log").await;
    fs::create_dir(bench.path("elsewhere")).unwrap();
    bench.rename("app.log", "elsewhere/app.log.1");
    bench.append("app.log", "4\n");
    bench.start();
    bench.expect(&["1", "2", "4"]).await;
    bench.rename("elsewhere/app.log.1", "app.log.1");
    bench.expect(&["1", "2", "4", "3"]).await;
    bench.append("app.log", "5\n");
    bench.expect(&["1", "2", "4", "3", "5"]).await;
    bench.stop().await;
}

#[tokio::test]
async fn a_file_that_was_seen_empty_is_found_when_it_was_rotated_before_it_was_read() {
    let mut bench = Bench::new("app.log");
    bench.append("app.log", "");
    bench.start();
    bench.until_true(|bench| bench.positions() == 1).await;
    bench.stop().await;
    bench.append("app.log", "1\n");
    bench.rename("app.log", "app.log.1");
    bench.append("app.log", "2\n");
    bench.start();
    bench.expect(&["1", "2"]).await;
    bench.restart().await;
    bench.expect(&["1", "2"]).await;
    bench.stop().await;
    let mut bench = Bench::new("app.log");
    bench.append("app.log", "");
    bench.start();
    bench.until_true(|bench| bench.positions() == 1).await;
    bench.stop().await;
    bench.append("app.log", "1\n");
    bench.copy_and_truncate("app.log", "app.log.1");
    bench.append("app.log", "2\n");
    bench.start();
    bench.expect(&["1", "2"]).await;
    bench.stop().await;
}

#[tokio::test]
async fn a_backup_made_before_the_rotation_is_not_read() {
    let mut bench = read_once("app.log").await;
    fs::copy(bench.path("app.log"), bench.path("app.log.bak")).unwrap();
    bench.append("app.log", "4\n");
    bench.rename("app.log", "app.log.1");
    bench.append("app.log", "5\n");
    bench.start();
    bench.expect(&["1", "2", "3", "4", "5"]).await;
    bench.until_true(|bench| bench.positions() == 3).await;
    bench.restart().await;
    bench.append("app.log", "6\n");
    bench.expect(&["1", "2", "3", "4", "5", "6"]).await;
    bench.stop().await;
}

#[tokio::test]
async fn files_rotated_meanwhile_keep_their_order_when_only_one_batch_is_stored_in_each_life() {
    let mut bench = read_once("app.log").await;
    for (number, line) in [(1, "4\n"), (2, "5\n"), (3, "6\n")] {
        bench.rename("app.log", &format!("app.log-2026010{number}"));
        bench.append("app.log", line);
    }
    while bench.lines.len() < 6 {
        bench.start();
        let before = bench.lines.len();
        bench.until(before + 1).await;
        bench.stop().await;
    }
    assert_eq!(bench.lines, ["1", "2", "3", "4", "5", "6"]);
    bench.start();
    bench.expect(&["1", "2", "3", "4", "5", "6"]).await;
    bench.stop().await;
}
