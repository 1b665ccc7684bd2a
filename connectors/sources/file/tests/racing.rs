//! A program that writes and rotates on a thread of its own, as fast as it can, while sources come and go.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::hub::{Bench, append, tick};

/// How a log is rotated.
#[derive(Debug, Clone, Copy)]
enum How {
    /// Renamed, with a few more lines to the old file before the new one is begun.
    Rename,
    /// Copied and truncated.
    Copy,
}

/// Moves `app.log.1` to `app.log.2` and so on, as logrotate does.
fn shift(folder: &Path, rotated: usize) {
    let name = |number: usize| folder.join(format!("app.log.{number}"));
    for number in (1..=rotated).rev() {
        fs::rename(name(number), name(number + 1)).unwrap();
    }
}

/// Writes and rotates until it is stopped; gives the number of lines.
fn write(folder: &Path, how: How, stop: &AtomicBool) -> usize {
    let log = folder.join("app.log");
    let (mut lines, mut rotated) = (0, 0);
    let mut more = |count: usize, at: &Path| {
        let text: String = (lines + 1..=lines + count).map(|line| format!("{line}\n")).collect();
        append(at, &text);
        lines += count;
        lines
    };
    more(1, &log);
    while !stop.load(Ordering::Relaxed) && rotated < 60 {
        for _ in 0..4 {
            more(3, &log);
            std::thread::park_timeout(Duration::from_millis(3));
        }
        shift(folder, rotated);
        let old = folder.join("app.log.1");
        match how {
            How::Rename => {
                fs::rename(&log, &old).unwrap();
                more(2, &old);
            }
            How::Copy => {
                more(2, &log);
                fs::copy(&log, &old).unwrap();
                tick();
                fs::File::options().write(true).open(&log).unwrap().set_len(0).unwrap();
            }
        }
        tick();
        rotated += 1;
        more(1, &log);
    }
    more(1, &log)
}

/// Starts and kills sources at any moment while a program writes; then reads to the end.
async fn live(how: How, seed: u64) {
    let mut bench = Bench::new("app.log");
    let stop = Arc::new(AtomicBool::new(false));
    let folder: PathBuf = bench.folder.path().into();
    let mut random = seed;
    let mut up_to = |limit: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(seed | 1);
        Duration::from_micros((random >> 33) % (limit * 1000))
    };
    bench.append("app.log", "0\n");
    bench.start();
    bench.until(1).await;
    let stopped = Arc::clone(&stop);
    let writer = tokio::task::spawn_blocking(move || write(&folder, how, &stopped));
    for _ in 0..12 {
        let end = Instant::now() + up_to(250);
        while Instant::now() < end {
            if let Some(emission) = bench.next(end - Instant::now()).await {
                bench.take(emission);
            }
        }
        bench.stop().await;
        tokio::time::sleep(up_to(30)).await;
        bench.start();
    }
    stop.store(true, Ordering::Relaxed);
    while !writer.is_finished() {
        if let Some(emission) = bench.next(Duration::from_millis(5)).await {
            bench.take(emission);
        }
    }
    let last = writer.await.unwrap();
    let wanted: Vec<String> = (0..=last).map(|line| line.to_string()).collect();
    while bench.lines.len() < wanted.len() {
        let Some(emission) = bench.next(Duration::from_secs(5)).await else { break };
        bench.take(emission);
    }
    while let Some(emission) = bench.next(Duration::from_millis(200)).await {
        bench.take(emission);
    }
    bench.stop().await;
    let differ = bench.lines.iter().zip(&wanted).position(|(line, wanted)| line != wanted);
    let at = differ.unwrap_or(wanted.len().min(bench.lines.len()));
    let near: Vec<_> = bench.lines.iter().skip(at.saturating_sub(2)).take(6).collect();
    let counts = (bench.lines.len(), wanted.len());
    assert!(bench.lines == wanted, "{how:?}, seed {seed}: {counts:?}, wrong at {at}: {near:?}");
}

/// The seed that is given as `PROPTEST_RNG_SEED`, or the same in every run.
pub(super) fn seed() -> u64 {
    let given = std::env::var("PROPTEST_RNG_SEED").ok().and_then(|seed| seed.parse().ok());
    given.unwrap_or(20)
}

#[tokio::test]
async fn renamed_while_sources_come_and_go_every_line_is_stored_once_and_in_order() {
    live(How::Rename, seed()).await;
}

#[tokio::test]
async fn truncated_while_sources_come_and_go_every_line_is_stored_once_and_in_order() {
    live(How::Copy, seed()).await;
}
