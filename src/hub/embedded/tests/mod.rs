//! The embedded hub as its users see it: appends, groups, positions, restarts.

mod power_cuts;
mod read_errors;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anabranch_connectors::Emitter;
use anabranch_connectors::contract::sink::Resumed;
use anabranch_record::{Batch, Headers, Position};

use super::*;
use crate::hub::{Consumer, ConsumerSpec, Fetched, Hub as _, Offset, Part, StartAt, TopicSelector};

pub(super) fn open(folder: &Path) -> Arc<Embedded> {
    Embedded::open(Settings::new(folder), Arc::default()).unwrap()
}

pub(super) fn batch(lines: &[&str], position: Option<(&str, &str)>) -> Batch {
    let mut batch = Batch::new(Vec::new().into(), Headers::new().with("host", b"h"), 1000, 1);
    for line in lines {
        batch.push_copy(line.as_bytes());
    }
    if let Some((key, value)) = position {
        let value = (!value.is_empty()).then(|| value.as_bytes().to_vec());
        batch.set_position(Position { key: key.as_bytes().to_vec(), value });
    }
    batch
}

pub(super) async fn append(hub: &Embedded, batch: Batch) {
    let (emitter, mut outlet) = Emitter::channel(1);
    let receipt = emitter.send(batch).await.unwrap();
    let part = Part::from(outlet.recv().await.unwrap());
    let appender = hub.appender();
    tokio::task::spawn_blocking(move || {
        assert_eq!(appender.partitions("t").unwrap(), 1);
        if part.batch.is_empty() {
            appender.store_positions(vec![part]);
        } else {
            appender.append("t", 0, vec![part]);
        }
    })
    .await
    .unwrap();
    receipt.stored().await.unwrap();
}

pub(super) fn spec(group: &str, start: StartAt) -> ConsumerSpec {
    ConsumerSpec {
        group: group.into(),
        topics: vec![TopicSelector::parse("^t").unwrap()],
        start,
        member: (0, 1),
        assigned: None,
    }
}

pub(super) async fn lines(consumer: &mut Box<dyn Consumer>) -> (Fetched, Vec<String>) {
    let fetched = consumer.fetch(1 << 20, Duration::from_millis(50)).await.unwrap();
    let mut lines = Vec::new();
    for one in &fetched.batches {
        for stored in one.batch.iter().skip(one.skip) {
            lines.push(String::from_utf8(stored.record.value.unwrap().to_vec()).unwrap());
        }
    }
    (fetched, lines)
}

#[expect(clippy::option_option, reason = "whether it resumed, and from which state")]
fn latest(fetched: &Fetched) -> Option<Option<&str>> {
    fetched.resumed.as_ref().map(Resumed::latest)
}

pub(super) fn offset(offset: i64) -> Offset {
    Offset { topic: "t".into(), partition: 0, offset, epoch: 0 }
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_read_on_where_they_committed_each_at_its_own_pace() {
    let folder = tempfile::tempdir().unwrap();
    let hub = open(folder.path());
    append(&hub, batch(&["a", "b", "c"], None)).await;
    let mut fast = hub.consumer(spec("fast", StartAt::Earliest)).await.unwrap();
    let (fetched, seen) = lines(&mut fast).await;
    assert_eq!((latest(&fetched), seen), (Some(None), vec!["a".into(), "b".into(), "c".into()]));
    fast.commit(&[offset(2)], Some("state")).await.unwrap();
    let moved = hub.set_offsets("fast", &[offset(0)]).await.unwrap_err();
    assert!(moved.to_string().contains("\"fast\" has members"), "{moved}");
    let mut late = hub.consumer(spec("late", StartAt::Latest)).await.unwrap();
    lines(&mut late).await;
    append(&hub, batch(&["d"], None)).await;
    assert_eq!(lines(&mut late).await.1, ["d"]);
    drop((fast, late));
    hub.close().await;
    drop(hub);

    let hub = open(folder.path());
    let mut fast = hub.consumer(spec("fast", StartAt::Earliest)).await.unwrap();
    let (fetched, seen) = lines(&mut fast).await;
    assert_eq!((latest(&fetched), seen), (Some(Some("state")), vec!["c".into(), "d".into()]));
    assert_eq!(fast.lag().await[0].records, 2);
    // Nothing was committed by "late" but the place where it began.
    let mut late = hub.consumer(spec("late", StartAt::Latest)).await.unwrap();
    assert_eq!(lines(&mut late).await.1, ["d"]);
    hub.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn positions_come_back_after_a_kill_from_the_data_and_after_a_snapshot() {
    let folder = tempfile::tempdir().unwrap();
    for (round, clean) in [(0, false), (1, true), (2, false), (3, true)] {
        let hub = open(folder.path());
        let mut known = hub.positions("test").await.unwrap();
        known.sort();
        if round > 0 {
            let last = format!("{}", round - 1).into_bytes();
            assert_eq!(known, [(b"f1".to_vec(), last.clone()), (b"f2".to_vec(), last)]);
        }
        append(&hub, batch(&["x"], Some(("f1", &round.to_string())))).await;
        append(&hub, batch(&["y"], Some(("gone", "1")))).await;
        append(&hub, batch(&["z", "z"], Some(("f2", &round.to_string())))).await;
        append(&hub, batch(&[], Some(("gone", "")))).await;
        assert_eq!(hub.positions("other").await.unwrap(), []);
        if clean {
            hub.close().await;
        } else {
            // As after a kill: nothing is flushed, stored or marked by the hub any more.
            let copy = tempfile::tempdir().unwrap();
            copy_folder(folder.path(), copy.path());
            hub.close().await;
            drop(hub);
            std::fs::remove_dir_all(folder.path()).unwrap();
            copy_folder(copy.path(), folder.path());
        }
    }
}

/// Copies a folder in which a hub may be at work: again from the start when a file was renamed or removed meanwhile.
pub(super) fn copy_folder(from: &Path, to: &Path) {
    for _ in 0..100 {
        match try_copy(from, to) {
            Ok(()) => return,
            Err(gone) if gone.kind() == std::io::ErrorKind::NotFound => {
                std::fs::remove_dir_all(to).unwrap();
            }
            Err(error) => panic!("{error}"),
        }
    }
    panic!("{} does not stand still", from.display());
}

fn try_copy(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let path = entry?.path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            try_copy(&path, &target)?;
        } else {
            std::fs::copy(&path, &target)?;
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_is_found_and_a_lost_tail_takes_committed_offsets_back() {
    let folder = tempfile::tempdir().unwrap();
    let hub = open(folder.path());
    for time in 1..=10i64 {
        let mut one = batch(&["a", "b"], None);
        one.set_timestamp_ms(1000 + time);
        append(&hub, one).await;
    }
    assert_eq!(hub.offsets_at("t", 1005).await.unwrap()[0].offset, 9);
    assert_eq!(hub.offsets_at("t", 0).await.unwrap()[0].offset, 0);
    assert_eq!(hub.offsets_at("t", 9999).await.unwrap()[0].offset, 20);
    hub.set_offsets("g", &[offset(20)]).await.unwrap();
    hub.close().await;
    drop(hub);
    let segment = folder.path().join("t-0/00000000000000000000.log");
    let bytes = std::fs::read(&segment).unwrap();
    std::fs::write(&segment, &bytes[..bytes.len() - 3]).unwrap();
    std::fs::remove_file(folder.path().join("clean-shutdown")).unwrap();
    std::fs::remove_file(folder.path().join("recovery-point-checkpoint")).unwrap();
    let hub = open(folder.path());
    assert_eq!(
        hub.topics().await.unwrap().iter().find(|topic| topic.name == "t").unwrap().partitions[0]
            .end,
        18
    );
    append(&hub, batch(&["new"], None)).await;
    let mut consumer = hub.consumer(spec("g", StartAt::Earliest)).await.unwrap();
    let (fetched, seen) = lines(&mut consumer).await;
    assert_eq!(seen, ["new"]);
    assert_eq!(fetched.batches[0].batch.epoch, 1);
    hub.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn compaction_costs_no_position() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = Settings::new(folder.path());
    let topic =
        TopicSettings { cleanup: Cleanup::COMPACT, segment_size: 500, ..TopicSettings::default() };
    settings.topics.insert("t".to_owned(), topic);
    let hub = Embedded::open(settings.clone(), Arc::default()).unwrap();
    for number in 0..30 {
        let mut one = batch(&["a value that is overwritten"], Some(("f1", &number.to_string())));
        one.set_key(b"key");
        append(&hub, one).await;
    }
    let bytes = || hub.shared.topics.get("t").unwrap().partitions[0].size_bytes();
    let before = bytes();
    tokio::time::timeout(Duration::from_secs(60), async {
        while bytes() > before / 2 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .expect("the topic is compacted");
    let copy = tempfile::tempdir().unwrap();
    copy_folder(folder.path(), copy.path());
    hub.close().await;

    settings.data_dir = copy.path().to_owned();
    let hub = Embedded::open(settings, Arc::default()).unwrap();
    assert_eq!(hub.positions("test").await.unwrap(), [(b"f1".to_vec(), b"29".to_vec())]);
    let mut consumer = hub.consumer(spec("late", StartAt::Earliest)).await.unwrap();
    let (fetched, seen) = lines(&mut consumer).await;
    assert_eq!(fetched.batches.last().unwrap().batch.next_offset, 30);
    assert!(seen.len() < 10, "{}", seen.len());
    hub.close().await;
}
