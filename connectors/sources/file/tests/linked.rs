//! Links in the globs that lead to files which are rotated where they are, outside of the globs.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use super::hand::Hand;
use super::hub::{Bench, append, tick};
use super::looks::rotated;
use crate::sources::file::watch::Hints;

/// A bench that would look everywhere only long after the test, so that all has to be heard of.
fn patient(include: &str) -> Bench {
    let bench = Bench::new(include).with("reconcile_interval", "1h");
    for folder in ["links", "middle", "data"] {
        fs::create_dir(bench.path(folder)).unwrap();
    }
    bench
}

/// Makes the link lead elsewhere, in one step.
fn switch(bench: &Bench, to: &str, at: &str) {
    let next = bench.path("next");
    symlink(to, &next).unwrap();
    fs::rename(next, bench.path(at)).unwrap();
    tick();
}

/// Has lines written and the file rotated, each time a few lines before it and after it, and says how many there are.
async fn rotate(bench: &mut Bench, file: &str, link: &str, times: usize) -> Vec<String> {
    let (mut wanted, mut number) = (bench.lines.clone(), bench.lines.len());
    let mut line = |bench: &Bench, wanted: &mut Vec<String>| {
        bench.append(file, &format!("{number}\n"));
        wanted.push(number.to_string());
        number += 1;
    };
    for round in 0..times {
        line(bench, &mut wanted);
        bench.until(wanted.len()).await;
        // Nobody has heard of the last of these when the file gets its other name.
        line(bench, &mut wanted);
        bench.shift(|number| format!("{file}.{number}"));
        bench.rename(file, &format!("{file}.1"));
        line(bench, &mut wanted);
        if round % 2 == 0 {
            bench.until(wanted.len()).await;
        }
    }
    assert!(bench.path(link).is_symlink());
    bench.until(wanted.len()).await;
    wanted
}

async fn expect(bench: &mut Bench, wanted: &[String]) {
    bench.expect(&wanted.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let name = |(name, _): &(String, bool)| name == "app.log";
    assert!(bench.headers.iter().all(name), "by another name: {:?}", bench.headers);
}

#[tokio::test]
async fn a_file_behind_a_link_is_followed_through_its_rotations_as_they_happen() {
    for chain in [&["../data/0.log"][..], &["../middle/one", "../data/0.log"]] {
        let mut bench = patient("links/*.log");
        let mut at = "links/app.log";
        for to in chain {
            symlink(to, bench.path(at)).unwrap();
            at = to.strip_prefix("../").unwrap();
        }
        bench.append("data/0.log", "");
        bench.start();
        let wanted = rotate(&mut bench, "data/0.log", "links/app.log", 6).await;
        expect(&mut bench, &wanted).await;
    }
}

#[tokio::test]
async fn a_file_behind_a_link_is_followed_through_rotations_between_lives() {
    let mut bench = patient("links/*.log");
    symlink("../data/0.log", bench.path("links/app.log")).unwrap();
    bench.append("data/0.log", "0\n");
    bench.start();
    bench.until(1).await;
    let mut wanted = vec!["0".to_owned()];
    for _ in 0..3 {
        bench.stop().await;
        // More than one: the file between had the path while nobody looked.
        for _ in 0..3 {
            let number = wanted.len();
            bench.append("data/0.log", &format!("{number}\n"));
            bench.shift(|number| format!("data/0.log.{number}"));
            bench.rename("data/0.log", "data/0.log.1");
            bench.append("data/0.log", &format!("{}\n", number + 1));
            wanted.extend([number, number + 1].map(|number| number.to_string()));
        }
        bench.start();
        bench.until(wanted.len()).await;
    }
    expect(&mut bench, &wanted).await;
}

#[tokio::test]
async fn a_file_behind_a_link_is_copied_and_truncated_without_a_line_lost_or_twice() {
    for restart in [false, true] {
        let mut bench = patient("links/*.log");
        symlink("../data/0.log", bench.path("links/app.log")).unwrap();
        bench.append("data/0.log", "0\n1\n");
        bench.start();
        bench.until(2).await;
        bench.append("data/0.log", "2\n");
        if restart {
            bench.stop().await;
        }
        bench.copy_and_truncate("data/0.log", "data/0.log.1");
        bench.append("data/0.log", "3\n");
        if restart {
            bench.start();
        }
        expect(&mut bench, &["0", "1", "2", "3"].map(str::to_owned)).await;
    }
}

#[tokio::test]
async fn a_link_on_the_way_that_is_switched_leads_to_the_next_file() {
    for restart in [false, true] {
        let mut bench = patient("links/*.log");
        symlink("../middle/one", bench.path("links/app.log")).unwrap();
        symlink("../data/a", bench.path("middle/one")).unwrap();
        bench.append("data/a", "0\n");
        bench.start();
        bench.until(1).await;
        bench.append("data/a", "1\n");
        if restart {
            bench.stop().await;
        }
        fs::create_dir_all(bench.path("other")).unwrap();
        bench.append("other/b", "2\n");
        switch(&bench, "../other/b", "middle/one");
        if restart {
            bench.start();
        }
        bench.until(3).await;
        bench.append("other/b", "3\n");
        bench.until(4).await;
        expect(&mut bench, &["0", "1", "2", "3"].map(str::to_owned)).await;
    }
}

#[tokio::test]
async fn a_folder_that_a_link_leads_into_may_go_and_come_again() {
    let mut bench = patient("links/*.log").with("reconcile_interval", "10s");
    symlink("../data/pod/0.log", bench.path("links/app.log")).unwrap();
    bench.start();
    let mut wanted = Vec::new();
    for number in 0..4 {
        fs::create_dir(bench.path("data/pod")).unwrap();
        bench.append("data/pod/0.log", &format!("{number}\n"));
        wanted.push(number.to_string());
        bench.until(wanted.len()).await;
        fs::remove_dir_all(bench.path("data/pod")).unwrap();
    }
    expect(&mut bench, &wanted).await;
}

#[tokio::test]
async fn a_link_to_a_folder_that_is_switched_is_heard_of() {
    for include in ["links/current/*.log", "links/**/*.log", "links/*/*.log"] {
        let mut bench = patient(include);
        for (version, line) in [("v1", "0\n"), ("v2", "2\n")] {
            fs::create_dir(bench.path("data").join(version)).unwrap();
            append(&bench.path("data").join(version).join("app.log"), line);
        }
        symlink("../data/v1", bench.path("links/current")).unwrap();
        bench.start();
        bench.until(1).await;
        bench.append("data/v1/app.log", "1\n");
        bench.until(2).await;
        switch(&bench, "../data/v2", "links/current");
        bench.until(3).await;
        bench.append("data/v2/app.log", "3\n");
        bench.until(4).await;
        let wanted = rotate(&mut bench, "data/v2/app.log", "links/current", 3).await;
        expect(&mut bench, &wanted).await;
    }
}

#[tokio::test]
async fn a_link_to_a_folder_that_comes_later_is_entered() {
    let mut bench = patient("links/**/*.log");
    bench.append("data/app.log", "0\n");
    bench.append("links/app.log", "1\n");
    bench.start();
    bench.until(1).await;
    symlink("../data", bench.path("links/more")).unwrap();
    bench.until(2).await;
    bench.append("data/app.log", "2\n");
    bench.until(3).await;
    symlink("..", bench.path("data/circle")).unwrap();
    bench.append("data/app.log", "3\n");
    expect(&mut bench, &["1", "0", "2", "3"].map(str::to_owned)).await;
}

#[tokio::test]
async fn a_file_that_is_reached_in_two_ways_is_read_once() {
    let mut bench = Bench::new("**/*.log");
    fs::create_dir(bench.path("data")).unwrap();
    bench.append("data/app.log", "0\n");
    symlink("data", bench.path("link")).unwrap();
    symlink("data/app.log", bench.path("z.log")).unwrap();
    bench.start();
    bench.until(1).await;
    bench.append("link/app.log", "1\n");
    bench.until(2).await;
    bench.restart().await;
    bench.append("z.log", "2\n");
    bench.expect(&["0", "1", "2"]).await;
}

/// Whether two rotations are seen one by one is a matter of chance; here they never are.
#[test]
fn a_file_that_had_the_name_behind_a_link_too_shortly_to_be_seen_is_read_in_its_turn() {
    for heard in [false, true] {
        let bench = Bench::new("links/*.log").with("watch", "poll");
        for folder in ["links", "data"] {
            fs::create_dir(bench.path(folder)).unwrap();
        }
        symlink("../data/0.log", bench.path("links/app.log")).unwrap();
        bench.append("data/0.log", "0\n");
        let mut hand = Hand::on(bench);
        hand.settle();
        for line in ["1\n", "2\n", "3\n"] {
            let name = |number| format!("data/{}", rotated(number).replace("app", "0"));
            hand.bench.shift(name);
            hand.bench.rename("data/0.log", "data/0.log.1");
            hand.bench.append("data/0.log", line);
        }
        if heard {
            let files = vec![hand.bench.path("data/0.log")];
            hand.follow(Hints { files, ..Hints::default() });
        }
        hand.wait(Duration::from_secs(1));
        hand.expect(&["0", "1", "2", "3"]);
    }
}

/// What comes to where a link led before, once it leads elsewhere, is nobody's.
#[test]
fn a_new_file_where_a_link_led_before_is_not_taken_for_one_of_its() {
    let bench = Bench::new("links/*.log").with("watch", "poll");
    for folder in ["links", "data"] {
        fs::create_dir(bench.path(folder)).unwrap();
    }
    symlink("../data/a", bench.path("links/app.log")).unwrap();
    bench.append("data/a", "0\n");
    bench.append("data/b", "1\n");
    let mut hand = Hand::on(bench);
    hand.settle();
    switch(&hand.bench, "../data/b", "links/app.log");
    hand.settle();
    std::thread::park_timeout(Duration::from_millis(60));
    hand.bench.rename("data/a", "data/a.1");
    append(Path::new(&hand.bench.path("data/a")), "not its\n");
    hand.expect(&["0", "1"]);
}

/// A link is switched to each new file in turn, as `rotatelogs -L` does; of some of them nobody hears in time.
#[test]
fn files_that_a_link_led_to_while_nobody_looked_are_read_in_their_order() {
    for restart in [false, true] {
        let bench = Bench::new("current.log").with("watch", "poll");
        fs::create_dir(bench.path("data")).unwrap();
        symlink("data/app-0.log", bench.path("current.log")).unwrap();
        bench.append("data/app-0.log", "0\n");
        bench.append("data/other-3.log", "not its\n");
        let mut hand = Hand::on(bench);
        hand.settle();
        for number in 1..12 {
            let name = format!("data/app-{number}.log");
            hand.bench.append(&name, &format!("{number}\n"));
            switch(&hand.bench, &name, "current.log");
        }
        // It is not the next in its row.
        hand.bench.append("data/app-12.log", "not yet\n");
        if restart {
            hand = hand.restart();
        }
        let wanted: Vec<String> = (0..12).map(|number| number.to_string()).collect();
        hand.expect(&wanted.iter().map(String::as_str).collect::<Vec<_>>());
    }
}
