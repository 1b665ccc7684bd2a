//! Files that are renamed, copied, truncated and deleted while they are followed.

use std::fs;
use std::os::unix::fs::symlink;
use std::time::Duration;

use super::hub::Bench;

#[tokio::test]
async fn a_renamed_file_is_read_to_its_end_before_the_new_one() {
    for include in ["app.log", "app.log*"] {
        let mut bench = Bench::new(include);
        bench.append("app.log", "1\n");
        bench.start();
        bench.expect(&["1"]).await;
        bench.append("app.log", "2\n");
        bench.rename("app.log", "app.log.1");
        bench.append("app.log.1", "3\n");
        bench.append("app.log", "4\n");
        bench.until(4).await;
        bench.rename("app.log.1", "app.log.2");
        bench.rename("app.log", "app.log.1");
        bench.append("app.log.1", "5\n");
        bench.expect(&["1", "2", "3", "4", "5"]).await;
        assert!(bench.headers.iter().all(|(name, _)| name == "app.log"));
        bench.stop().await;
    }
}

#[tokio::test]
async fn a_file_that_had_the_path_too_shortly_to_be_seen_is_read_in_its_turn() {
    let mut bench = Bench::new("app.log");
    bench.append("app.log", "1\n");
    bench.start();
    bench.expect(&["1"]).await;
    bench.append("app.log", "2\n");
    bench.rename("app.log", "app.log.2");
    bench.append("app.log", "3\n");
    bench.rename("app.log", "app.log.1");
    bench.append("app.log", "4\n");
    bench.expect(&["1", "2", "3", "4"]).await;
    bench.stop().await;
}

#[tokio::test]
async fn a_copy_made_to_truncate_is_not_read_twice_and_nothing_in_it_is_missed() {
    for include in ["app.log", "app.log*"] {
        let mut bench = Bench::new(include);
        bench.append("app.log", "1\n2\n");
        bench.start();
        bench.expect(&["1", "2"]).await;
        for round in 0..3 {
            bench.append("app.log", &format!("a{round}\n"));
            bench.copy_and_truncate("app.log", &format!("app.log.{round}"));
            bench.append("app.log", &format!("b{round}\n"));
            bench.until(4 + round * 2).await;
        }
        let wanted = ["1", "2", "a0", "b0", "a1", "b1", "a2", "b2"];
        bench.expect(&wanted).await;
        bench.restart().await;
        bench.append("app.log", "3\n");
        bench.until(9).await;
        bench.expect(&[&wanted[..], &["3"]].concat()).await;
        bench.stop().await;
    }
}

#[tokio::test]
async fn a_copy_that_is_seen_before_the_original_is_truncated_waits_for_that() {
    let mut bench = Bench::new("app.log*").with("rotate_wait", "1h");
    bench.append("app.log", "1\n");
    bench.start();
    bench.expect(&["1"]).await;
    fs::copy(bench.path("app.log"), bench.path("app.log.1")).unwrap();
    bench.expect(&["1"]).await;
    bench.append("app.log", "2\n");
    bench.expect(&["1", "2"]).await;
    bench.append("app.log.1", "2\n3\n");
    fs::File::create(bench.path("app.log")).unwrap();
    bench.expect(&["1", "2", "3"]).await;
    bench.stop().await;
}

#[tokio::test]
async fn a_backup_beside_the_original_is_not_read_again_but_what_is_added_to_it_is() {
    let mut bench = Bench::new("app.log*").with("rotate_wait", "100ms");
    bench.append("app.log", "1\n");
    bench.start();
    bench.expect(&["1"]).await;
    fs::copy(bench.path("app.log"), bench.path("app.log.1")).unwrap();
    bench.until_true(|bench| bench.positions() == 2).await;
    bench.append("app.log.1", "2\n");
    bench.expect(&["1", "2"]).await;
    bench.append("app.log.2", "own\n");
    bench.expect(&["1", "2", "own"]).await;
    bench.stop().await;
}

#[tokio::test]
async fn a_truncated_file_is_read_from_its_start() {
    let mut bench = Bench::new("app.log");
    bench.append("app.log", "1\n2\n");
    bench.start();
    bench.expect(&["1", "2"]).await;
    fs::write(bench.path("app.log"), "3\n").unwrap();
    bench.expect(&["1", "2", "3"]).await;
    fs::write(bench.path("app.log"), "4\n5\n6\n").unwrap();
    bench.expect(&["1", "2", "3", "4", "5", "6"]).await;
    bench.stop().await;
}

#[tokio::test]
async fn a_deleted_file_is_read_to_its_end_and_then_forgotten() {
    let mut bench = Bench::new("*.log");
    bench.append("a.log", "1\n");
    bench.start();
    bench.expect(&["1"]).await;
    let line = format!("{}\n", "x".repeat(999));
    bench.append("a.log", &line.repeat(20_000));
    let first = bench.next(Duration::from_secs(10)).await.unwrap();
    bench.remove("a.log");
    bench.take(first);
    bench.until(20_001).await;
    assert_eq!(bench.positions(), 1);
    bench.until_true(|bench| bench.positions() == 0).await;
    bench.append("a.log", "2\n");
    bench.until(20_002).await;
    bench.stop().await;
}

#[tokio::test]
async fn an_unterminated_line_of_a_deleted_file_comes_soon() {
    let mut bench = Bench::new("a.log").with("rotate_wait", "5s");
    bench.append("a.log", "1\n2");
    bench.start();
    bench.until(1).await;
    bench.remove("a.log");
    bench.expect(&["1", "2"]).await;
    bench.stop().await;
}

#[tokio::test]
async fn a_new_file_in_the_place_of_a_deleted_one_is_another() {
    let mut bench = Bench::new("a.log");
    let mut wanted = Vec::new();
    bench.start();
    for number in 0..20 {
        let lines = [format!("{number}a"), format!("{number}b")];
        bench.append("a.log", &format!("{}\n{}\n", lines[0], lines[1]));
        wanted.extend(lines);
        bench.until(wanted.len()).await;
        bench.remove("a.log");
    }
    assert_eq!(bench.lines, wanted);
    bench.stop().await;
}

#[tokio::test]
async fn a_link_that_flips_leads_from_file_to_file() {
    let mut bench = Bench::new("current");
    bench.append("a", "1\n");
    bench.append("b", "3\n");
    symlink("a", bench.path("current")).unwrap();
    bench.start();
    bench.expect(&["1"]).await;
    bench.append("a", "2\n");
    symlink("b", bench.path("next")).unwrap();
    bench.rename("next", "current");
    bench.expect(&["1", "2", "3"]).await;
    bench.append("b", "4\n");
    bench.expect(&["1", "2", "3", "4"]).await;
    symlink("a", bench.path("next")).unwrap();
    bench.rename("next", "current");
    bench.append("a", "5\n");
    bench.expect(&["1", "2", "3", "4", "5"]).await;
    bench.stop().await;
}

#[tokio::test]
async fn nothing_of_a_truncated_file_is_sent_before_the_hub_knows_its_copy() {
    let mut bench = Bench::new("app.log");
    bench.append("app.log", "1\n");
    bench.start();
    bench.expect(&["1"]).await;
    bench.append("app.log", "2\n");
    bench.copy_and_truncate("app.log", "app.log.1");
    bench.append("app.log", "3\n");
    // The second line may have been read before it was copied.
    let mut first = bench.next(Duration::from_secs(10)).await.unwrap();
    if !first.batch.is_empty() {
        bench.take(first);
        first = bench.next(Duration::from_secs(10)).await.unwrap();
    }
    assert!(first.batch.is_empty());
    Bench::refuse(first);
    let again = bench.next(Duration::from_secs(10)).await.unwrap();
    assert!(again.batch.is_empty());
    bench.take(again);
    bench.expect(&["1", "2", "3"]).await;
    bench.restart().await;
    bench.append("app.log.1", "late\n");
    bench.expect(&["1", "2", "3", "late"]).await;
    bench.stop().await;
}

#[tokio::test]
async fn a_batch_that_is_not_stored_is_read_again_from_the_copy_when_its_file_was_truncated() {
    for keep in [false, true] {
        let mut bench = Bench::new("app.log");
        bench.append("app.log", "1\n");
        bench.start();
        bench.expect(&["1"]).await;
        bench.append("app.log", "2\n");
        let on_its_way = bench.next(Duration::from_secs(10)).await.unwrap();
        bench.copy_and_truncate("app.log", "app.log.1");
        bench.append("app.log", "3\n");
        assert!(bench.next(Duration::from_millis(500)).await.is_none());
        if keep {
            bench.take(on_its_way);
        } else {
            Bench::refuse(on_its_way);
        }
        bench.expect(&["1", "2", "3"]).await;
        bench.restart().await;
        bench.expect(&["1", "2", "3"]).await;
        bench.stop().await;
    }
}

#[tokio::test]
async fn copies_made_while_the_hub_takes_nothing_are_all_read_in_their_order() {
    let mut bench = Bench::new("app.log");
    bench.append("app.log", "1\n");
    bench.start();
    bench.expect(&["1"]).await;
    let mut held = Vec::new();
    for line in ["2\n", "3\n", "4\n", "5\n"] {
        bench.append("app.log", line);
        held.push(bench.next(Duration::from_secs(10)).await.unwrap());
    }
    // No more batches of one file are on their way at a time, so it is seen, but not read.
    for (line, copy) in [("6\n", "app.log-20260101"), ("7\n", "app.log-20260102")] {
        bench.append("app.log", line);
        assert!(bench.next(Duration::from_millis(700)).await.is_none());
        bench.copy_and_truncate("app.log", copy);
    }
    bench.append("app.log", "8\n");
    assert!(bench.next(Duration::from_millis(700)).await.is_none());
    held.into_iter().for_each(|emission| bench.take(emission));
    bench.expect(&["1", "2", "3", "4", "5", "6", "7", "8"]).await;
    bench.stop().await;
}
