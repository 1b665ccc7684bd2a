//! Power cuts that keep some files and take others: what speaks about other files counts no further than they go.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use std::collections::HashMap;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use anabranch_connectors::Emitter;
use anabranch_record::Batch;

use super::{append, batch, copy_folder, lines, offset, open, spec};
use crate::hub::embedded::write::command::Command;
use crate::hub::embedded::*;
use crate::hub::{Hub as _, Lasting, Part, StartAt};
use crate::log::{Segment, scan};

const SEGMENT: &str = "t-0/00000000000000000000.log";

/// The offsets and bytes at which each batch of a segment ends, from none on.
fn ends(path: &Path) -> Vec<(i64, u64)> {
    let mut ends = vec![(0, 0)];
    let segment = Segment::open(path, false).unwrap();
    scan(&segment, 0, |header, at, bytes| {
        ends.push((header.next_offset(), at + bytes.len() as u64));
    })
    .unwrap();
    ends
}

/// The folder as a power cut leaves it that keeps all but the end of one file.
fn cut(from: &Path, file: &str, bytes: u64) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    copy_folder(from, copy.path());
    for mark in ["clean-shutdown", "recovery-point-checkpoint"] {
        std::fs::remove_file(copy.path().join(mark)).ok();
    }
    let file = std::fs::OpenOptions::new().write(true).open(copy.path().join(file)).unwrap();
    file.set_len(bytes).unwrap();
    copy
}

/// Closes a hub, so that its folder may be opened again.
async fn end(hub: Arc<Embedded>) {
    hub.close().await;
}

async fn snapshot(hub: &Embedded) {
    hub.shared.command(Command::Snapshot).unwrap();
    // Commands are handled in order.
    append(hub, batch(&["mark"], None)).await;
}

async fn positions(folder: &Path) -> HashMap<String, String> {
    let hub = open(folder);
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let known = hub.positions("test").await.unwrap();
    end(hub).await;
    known.into_iter().map(|(key, value)| (text(key), text(value))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_position_counts_only_with_the_records_that_it_came_with() {
    let folder = tempfile::tempdir().unwrap();
    let hub = open(folder.path());
    // What each position is when the log ends at an offset.
    let mut expected: Vec<(i64, HashMap<String, String>)> = vec![(0, HashMap::new())];
    let mut now = HashMap::new();
    let at = |hub: &Embedded| hub.shared.topics.get("t").unwrap().partitions[0].end();
    for round in 0..12 {
        let key = format!("file {}", round % 3);
        append(&hub, batch(&["line", "line"], Some((&key, &round.to_string())))).await;
        now.insert(key, round.to_string());
        expected.push((at(&hub), now.clone()));
        if round % 4 == 3 {
            append(&hub, batch(&[], Some(("copy", &format!("up to {round}"))))).await;
            now.insert("copy".to_owned(), format!("up to {round}"));
            expected.push((at(&hub), now.clone()));
            snapshot(&hub).await;
        }
    }
    end(hub).await;
    let whole = positions(folder.path()).await;
    assert_eq!(whole, now);
    for (offset, bytes) in ends(&folder.path().join(SEGMENT)) {
        let copy = cut(folder.path(), SEGMENT, bytes);
        let (_, wanted) = expected.iter().rfind(|(at, _)| *at <= offset).unwrap();
        for life in 0..2 {
            let found = positions(copy.path()).await;
            assert_eq!(&found, wanted, "cut to offset {offset}, life {life}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_of_an_earlier_life_does_not_speak_of_new_records_with_old_offsets() {
    let folder = tempfile::tempdir().unwrap();
    let hub = open(folder.path());
    for round in 0..4 {
        append(&hub, batch(&["line"], Some(("f", &round.to_string())))).await;
    }
    snapshot(&hub).await;
    end(hub).await;
    let cuts = ends(&folder.path().join(SEGMENT));
    let copy = cut(folder.path(), SEGMENT, cuts[2].1);
    let snapshots =
        std::fs::read(copy.path().join("__source_positions-0/00000000000000000000.log"));
    let hub = open(copy.path());
    for round in 0..9 {
        append(&hub, batch(&["new"], Some(("g", &round.to_string())))).await;
    }
    end(hub).await;
    // Of the second life only the records are there.
    let again = cut(copy.path(), SEGMENT, ends(&copy.path().join(SEGMENT)).last().unwrap().1);
    let path = again.path().join("__source_positions-0/00000000000000000000.log");
    std::fs::write(path, snapshots.unwrap()).unwrap();
    let expected = [("f", "1"), ("g", "8")].map(|(key, value)| (key.to_owned(), value.to_owned()));
    assert_eq!(positions(again.path()).await, HashMap::from(expected));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offset_that_was_committed_in_an_earlier_life_hides_no_new_records() {
    let folder = tempfile::tempdir().unwrap();
    let hub = open(folder.path());
    for _ in 0..10 {
        append(&hub, batch(&["old"], None)).await;
    }
    hub.set_offsets("g", &[offset(10)]).await.unwrap();
    end(hub).await;
    let offsets = "__consumer_offsets-0/00000000000000000000.log";
    let size = std::fs::metadata(folder.path().join(offsets)).unwrap().len();
    let copy = cut(folder.path(), SEGMENT, ends(&folder.path().join(SEGMENT))[4].1);
    let hub = open(copy.path());
    for _ in 0..20 {
        append(&hub, batch(&["new"], None)).await;
    }
    end(hub).await;
    // The second power cut takes the note that the offset was set back.
    let again = cut(copy.path(), offsets, size);
    let hub = open(again.path());
    let mut consumer = hub.consumer(spec("g", StartAt::Earliest)).await.unwrap();
    assert_eq!(lines(&mut consumer).await.1, vec!["new"; 20]);
    end(hub).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn retention_keeps_records_until_their_positions_are_on_disk() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = Settings::new(folder.path());
    settings.flush = Flush::Os;
    let hub = Embedded::open(settings, Arc::default()).unwrap();
    append(&hub, batch(&["line"], Some(("f", "1")))).await;
    snapshot(&hub).await;
    let topic = hub.shared.internal("__source_positions").unwrap();
    let name = hub.shared.topics.get("t").unwrap().partitions[0].name().clone();
    assert!(topic.flushed() < topic.end());
    assert_eq!(hub.shared.covered_to(&name, 0), 0);
    assert!(topic.flushed() < topic.end());
    assert_eq!(hub.shared.covered_to(&name, 1), 1);
    assert_eq!(topic.flushed(), topic.end());
    end(hub).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_found_lost_is_shown_until_it_is_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let hub = open(folder.path());
    for _ in 0..6 {
        append(&hub, batch(&["line"], None)).await;
    }
    end(hub).await;
    let cuts = ends(&folder.path().join(SEGMENT));
    let file = std::fs::OpenOptions::new().write(true).open(folder.path().join(SEGMENT)).unwrap();
    file.write_all_at(b"X", cuts[2].1 + 70).unwrap();
    file.set_len(cuts[5].1).unwrap();
    let problem = |hub: &Embedded| hub.shared.state.problem();
    for _ in 0..2 {
        let hub = open(folder.path());
        assert_eq!(hub.shared.metrics.hub_damaged.load(Ordering::Relaxed), 2);
        let shown = problem(&hub).unwrap();
        assert!(shown.starts_with("t-0: offsets 2 to 2 are lost: "), "{shown}");
        assert!(shown.contains("(and 1 more); shown until `anabranch log ack "), "{shown}");
        assert_eq!(hub.shared.epoch, 1, "offset 5 is given once more");
        if hub.shared.epoch == 0 {
            append(&hub, batch(&["again"], None)).await;
        }
        end(hub).await;
    }
    let hub = open(folder.path());
    assert_eq!(crate::log::acknowledge(folder.path()).unwrap().len(), 2);
    hub.shared.look_for_acknowledgement();
    assert_eq!(problem(&hub), None);
    end(hub).await;
    let hub = open(folder.path());
    assert_eq!(problem(&hub), None);
    end(hub).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_offsets_of_groups_are_missed_aloud() {
    let folder = tempfile::tempdir().unwrap();
    let hub = open(folder.path());
    append(&hub, batch(&["line"], None)).await;
    hub.set_offsets("g", &[offset(1)]).await.unwrap();
    end(hub).await;
    std::fs::remove_file(folder.path().join("__consumer_offsets-0/00000000000000000000.log"))
        .unwrap();
    let hub = open(folder.path());
    let shown = hub.shared.state.problem().unwrap();
    assert!(shown.contains("__consumer_offsets-0: offsets 0 to 0 are lost"), "{shown}");
    assert!(shown.contains("sinks and groups go on where they were earlier"), "{shown}");
    end(hub).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_in_a_closed_segment_is_told_after_an_unclean_end_though_nobody_reads_it() {
    let folder = tempfile::tempdir().unwrap();
    let hub = open(folder.path());
    for _ in 0..6 {
        append(&hub, batch(&["line"], None)).await;
    }
    let partition = Arc::clone(&hub.shared.topics.get("t").unwrap().partitions[0]);
    hub.shared.command(Command::Roll(partition)).unwrap();
    append(&hub, batch(&["line"], None)).await;
    end(hub).await;
    let cuts = ends(&folder.path().join(SEGMENT));
    let whole = cuts.last().unwrap().1;
    let copy = cut(folder.path(), SEGMENT, whole);
    let file = std::fs::OpenOptions::new().write(true).open(copy.path().join(SEGMENT)).unwrap();
    file.write_all_at(b"X", cuts[2].1 + 70).unwrap();
    let hub = open(copy.path());
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(60);
    while hub.shared.folder().must_check() {
        assert!(tokio::time::Instant::now() < deadline, "the log was not checked");
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    let shown = hub.shared.state.problem().unwrap();
    assert!(shown.starts_with("t-0: offsets 2 to 2 are lost: "), "{shown}");
    end(hub).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_must_last_is_on_disk_whatever_is_configured() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = Settings::new(folder.path());
    settings.flush = Flush::Os;
    let hub = Embedded::open(settings, Arc::default()).unwrap();
    append(&hub, batch(&["a", "b"], None)).await;
    let mut consumer = hub.consumer(spec("g", StartAt::Earliest)).await.unwrap();
    lines(&mut consumer).await;
    let offsets = hub.shared.internal("__consumer_offsets").unwrap();
    consumer.commit(&[offset(1)], Some("state")).await.unwrap();
    assert!(offsets.flushed() < offsets.end());
    consumer.commit_lasting(&[offset(2)], Some("state"), Lasting::Offsets).await.unwrap();
    assert_eq!(offsets.flushed(), offsets.end());
    // What it speaks about comes first, if that must not be missed.
    let records = Arc::clone(&hub.shared.topics.get("t").unwrap().partitions[0]);
    assert!(records.flushed() < records.end());
    consumer.commit_lasting(&[offset(2)], Some("state"), Lasting::Everything).await.unwrap();
    assert_eq!((records.flushed(), offsets.flushed()), (records.end(), offsets.end()));
    // Who begins to read stands where a power cut leaves him.
    consumer.commit(&[offset(1)], Some("state")).await.unwrap();
    assert!(offsets.flushed() < offsets.end());
    drop(consumer);
    let mut consumer = hub.consumer(spec("g", StartAt::Earliest)).await.unwrap();
    lines(&mut consumer).await;
    assert_eq!(offsets.flushed(), offsets.end());
    drop(consumer);
    end(hub).await;
}

/// A batch that waits to be stored.
async fn send(hub: &Arc<Embedded>, batch: Batch) -> anabranch_connectors::Receipt {
    let (emitter, mut outlet) = Emitter::channel(1);
    let receipt = emitter.send(batch).await.unwrap();
    let part = Part::from(outlet.recv().await.unwrap());
    let appender = hub.appender();
    tokio::task::spawn_blocking(move || appender.append("t", 0, vec![part])).await.unwrap();
    receipt
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partition_whose_sync_has_failed_is_written_anew_before_anything_is_settled() {
    for flush in [Flush::Each, Flush::Os] {
        let folder = tempfile::tempdir().unwrap();
        let mut settings = Settings::new(folder.path());
        settings.flush = flush;
        let hub = Embedded::open(settings, Arc::default()).unwrap();
        append(&hub, batch(&["one"], None)).await;
        let partition = Arc::clone(&hub.shared.topics.get("t").unwrap().partitions[0]);
        let before = partition.segments().pop().unwrap();
        before.suspect_for_test();
        assert!(hub.shared.flush(&partition).is_err());
        assert!(hub.needs_person() && hub.state().unwrap_err().contains("written anew"));
        let receipt = send(&hub, batch(&["two"], None)).await;
        receipt.stored().await.unwrap();
        assert!(!hub.needs_person());
        assert!(!Arc::ptr_eq(&before, &partition.segments().pop().unwrap()));
        let mut consumer = hub.consumer(spec("g", StartAt::Earliest)).await.unwrap();
        assert_eq!(lines(&mut consumer).await.1, ["one", "two"]);
        drop(consumer);
        end(hub).await;
        let hub = open(folder.path());
        let mut consumer = hub.consumer(spec("h", StartAt::Earliest)).await.unwrap();
        assert_eq!(lines(&mut consumer).await.1, ["one", "two"]);
        end(hub).await;
        let stray: Vec<PathBuf> = std::fs::read_dir(folder.path().join("t-0"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "cleaned"))
            .collect();
        assert_eq!(stray, Vec::<PathBuf>::new());
    }
}
