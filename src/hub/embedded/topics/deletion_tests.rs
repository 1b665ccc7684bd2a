//! A topic is deleted, and perhaps made anew, while others have to do with it.

use std::sync::Arc;

use anabranch_record::TopicPartition;

use std::path::Path;
use std::time::Duration;

use anabranch_connectors::Emitter;

use crate::hub::embedded::tests::{append, batch, copy_folder, lines, offset, open, spec};
use crate::hub::embedded::write::command::Command;
use crate::hub::embedded::*;
use crate::hub::{ConsumerSpec, Hub as _, HubError, Offset, Part, StartAt};

/// The hub as the next start finds it after a kill at this moment.
async fn killed(hub: Arc<Embedded>, folder: &Path) -> Arc<Embedded> {
    let copy = tempfile::tempdir().unwrap();
    copy_folder(folder, copy.path());
    hub.close().await;
    drop(hub);
    std::fs::remove_dir_all(folder).unwrap();
    copy_folder(copy.path(), folder);
    open(folder)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sink_reads_a_topic_that_was_made_anew_from_its_beginning() {
    let folder = tempfile::tempdir().unwrap();
    let hub = open(folder.path());
    for assigned in [None, Some(vec![TopicPartition::new("t", 0)])] {
        append(&hub, batch(&["a", "b", "c"], None)).await;
        let group = if assigned.is_some() { "assigned" } else { "shared" };
        let spec = ConsumerSpec { assigned, ..spec(group, StartAt::Earliest) };
        let mut reader = hub.consumer(spec).await.unwrap();
        assert_eq!(lines(&mut reader).await.1, ["a", "b", "c"]);
        reader.commit(&[offset(1)], None).await.unwrap();

        hub.delete_topic("t").await.unwrap();
        let gone = Err(HubError::UnknownTopic("t".to_owned()));
        assert_eq!(reader.commit(&[offset(3)], None).await, gone);
        append(&hub, batch(&["d", "e", "f", "g"], None)).await;
        // It has not seen yet that this is another topic.
        assert_eq!(reader.commit(&[offset(3)], None).await, gone);
        assert_eq!(hub.group(group).await.unwrap(), None);
        let (mut seen, mut resumed) = (Vec::new(), false);
        for _ in 0..100 {
            let (fetched, some) = lines(&mut reader).await;
            resumed |= fetched.resumed.is_some_and(|resumed| resumed.latest().is_none());
            seen.extend(some);
            if !seen.is_empty() {
                break;
            }
        }
        assert_eq!((seen, resumed), (["d", "e", "f", "g"].map(str::to_owned).to_vec(), true));
        reader.commit(&[offset(4)], None).await.unwrap();
        assert_eq!(hub.group(group).await.unwrap().unwrap().offsets, [offset(4)]);
        drop(reader);
        hub.delete_topic("t").await.unwrap();
    }
    hub.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_deleted_topic_comes_back_after_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let hub = open(folder.path());
    for number in 0..9 {
        append(&hub, batch(&["old"], Some(("f1", &number.to_string())))).await;
    }
    hub.set_offsets("g", &[offset(9)]).await.unwrap();
    let partition = hub.shared.partition("t", 0).unwrap();
    hub.delete_before(partition, 5).await.unwrap();
    let mut short = super::configs::Overrides::default();
    short.insert("segment.bytes".to_owned(), "20000".to_owned());
    hub.configure("t", short).await.unwrap();
    hub.delete_topic("t").await.unwrap();

    let hub = killed(hub, folder.path()).await;
    assert!(hub.topic_state("t").is_none());
    assert!(hub.delete_topic("__consumer_offsets").await.is_err());
    // The position that lay in the topic is not lost with it.
    assert_eq!(hub.positions("test").await.unwrap(), [(b"f1".to_vec(), b"8".to_vec())]);
    append(&hub, batch(&["new"], Some(("f1", "9")))).await;
    append(&hub, batch(&["too"], Some(("f1", "10")))).await;
    let hub = killed(hub, folder.path()).await;
    assert_eq!(hub.positions("test").await.unwrap(), [(b"f1".to_vec(), b"10".to_vec())]);
    let state = hub.topic_state("t").unwrap();
    assert_eq!((state.partitions[0].start(), state.partitions[0].end()), (0, 2));
    assert!(state.overrides.is_empty());
    let mut reader = hub.consumer(spec("g", StartAt::Earliest)).await.unwrap();
    assert_eq!(lines(&mut reader).await.1, ["new", "too"]);
    hub.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_is_still_there_has_its_offsets() {
    let folder = tempfile::tempdir().unwrap();
    let hub = open(folder.path());
    for _ in 0..20 {
        append(&hub, batch(&["a", "b", "c"], None)).await;
        hub.set_offsets("g", &[offset(3)]).await.unwrap();
        let partition = hub.shared.partition("t", 0).unwrap();
        let shared = Arc::clone(&hub.shared);
        let watched = std::thread::spawn(move || {
            while shared.groups().of("g").is_some() {}
            partition.is_deleted()
        });
        hub.delete_topic("t").await.unwrap();
        assert!(watched.join().unwrap(), "a kill would have a sink read it all again");
    }
    hub.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_in_the_middle_of_a_deletion_leaves_nothing_of_the_topic() {
    let folder = tempfile::tempdir().unwrap();
    let hub = open(folder.path());
    append(&hub, batch(&["old", "old"], Some(("f1", "8")))).await;
    hub.set_offsets("g", &[offset(2)]).await.unwrap();
    let mut short = super::configs::Overrides::default();
    short.insert("segment.bytes".to_owned(), "20000".to_owned());
    hub.configure("t", short).await.unwrap();
    hub.shared.command(Command::Snapshot).unwrap();
    hub.set_offsets("other", &[offset(1)]).await.unwrap();
    let (state, then) = (hub.topic_state("t").unwrap(), tempfile::tempdir().unwrap());
    hub.shared.topics.delete(&state, || copy_folder(folder.path(), then.path())).unwrap();
    hub.close().await;

    let hub = open(then.path());
    assert!(hub.topic_state("t").is_none());
    assert_eq!(hub.groups().await.unwrap(), []);
    append(&hub, batch(&["new"], Some(("f1", "9")))).await;
    let hub = killed(hub, then.path()).await;
    assert_eq!(hub.positions("test").await.unwrap(), [(b"f1".to_vec(), b"9".to_vec())]);
    assert!(hub.topic_state("t").unwrap().overrides.is_empty());
    let mut reader = hub.consumer(spec("g", StartAt::Earliest)).await.unwrap();
    assert_eq!(lines(&mut reader).await.1, ["new"]);
    hub.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_that_a_crash_has_interrupted_is_finished() {
    let folder = tempfile::tempdir().unwrap();
    let hub = open(folder.path());
    hub.create_topic("t", 3).await.unwrap();
    let number = |partition| Offset { partition, ..offset(0) };
    hub.set_offsets("g", &[number(0), number(1), number(2)]).await.unwrap();
    hub.create_topic("other", 1).await.unwrap();
    let other = Offset { topic: "other".to_owned(), ..offset(0) };
    hub.set_offsets("g", std::slice::from_ref(&other)).await.unwrap();
    hub.close().await;
    drop(hub);
    let id = super::topic_id::load(&folder.path().join("t-2")).unwrap();
    std::fs::rename(folder.path().join("t-2"), folder.path().join(format!("{id}-2-delete")))
        .unwrap();

    let hub = open(folder.path());
    assert!(hub.topic_state("t").is_none());
    assert_eq!(hub.group("g").await.unwrap().unwrap().offsets, [other]);
    let left = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
    let left: Vec<_> = left.filter_map(|name| name.into_string().ok()).collect();
    let of_it = left.iter().filter(|name| name.starts_with("t-") || name.starts_with(&id));
    assert_eq!(of_it.count(), 0, "{left:?}");
    append(&hub, batch(&["new"], None)).await;
    let hub = killed(hub, folder.path()).await;
    assert_eq!(hub.topic_state("t").unwrap().partitions.len(), 1);
    hub.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partition_whose_folder_is_missing_keeps_its_number() {
    let folder = tempfile::tempdir().unwrap();
    let hub = open(folder.path());
    hub.create_topic("t", 3).await.unwrap();
    let number = |partition, at| Offset { partition, ..offset(at) };
    hub.close().await;
    drop(hub);
    std::fs::remove_dir_all(folder.path().join("t-1")).unwrap();
    for _ in 0..2 {
        let hub = open(folder.path());
        let state = hub.topic_state("t").unwrap();
        let numbers = state.partitions.iter().map(|partition| partition.name().partition);
        assert_eq!(numbers.collect::<Vec<_>>(), [0, 1, 2]);
        hub.set_offsets("g", &[number(2, 0)]).await.unwrap();
        hub.close().await;
    }
    let ids = ["t-0", "t-1", "t-2"].map(|name| super::topic_id::load(&folder.path().join(name)));
    assert!(ids[0].is_some() && ids[0] == ids[1] && ids[1] == ids[2], "{ids:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_room_is_handed_back_when_its_topic_is_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings { min_free: u64::MAX, ..Settings::new(folder.path()) };
    let hub = Embedded::open(settings, Arc::default()).unwrap();
    hub.create_topic("t", 1).await.unwrap();
    // As the writer counts, before anybody looks at the disk.
    hub.shared.use_room(1);
    let (emitter, mut outlet) = Emitter::channel(1);
    let receipt = emitter.send(batch(&["a"], None)).await.unwrap();
    let part = Part::from(outlet.recv().await.unwrap());
    hub.appender().append("t", 0, vec![part]);
    tokio::time::timeout(Duration::from_secs(60), async {
        while hub.state().is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .expect("it is told that the disk is full");
    assert!(hub.state().unwrap_err().contains("min_free"), "{:?}", hub.state());
    hub.delete_topic("t").await.unwrap();
    let stored = tokio::time::timeout(Duration::from_secs(60), receipt.stored()).await;
    stored.expect("it is handed back").unwrap_err();
    hub.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_who_only_looks_goes_on_in_the_new_topic() {
    let folder = tempfile::tempdir().unwrap();
    let hub = open(folder.path());
    append(&hub, batch(&["a", "b"], None)).await;
    let looking = view::View::open(folder.path()).unwrap();
    let mut reader = looking.consumer(spec("g", StartAt::Earliest)).await.unwrap();
    assert_eq!(lines(&mut reader).await.1, ["a", "b"]);
    hub.delete_topic("t").await.unwrap();
    append(&hub, batch(&["c", "d", "e"], None)).await;
    let mut seen = Vec::new();
    for _ in 0..100 {
        seen.extend(lines(&mut reader).await.1);
        if !seen.is_empty() {
            break;
        }
    }
    assert_eq!(seen, ["c", "d", "e"]);
    hub.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_beginning_behind_the_end_hides_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let hub = open(folder.path());
    append(&hub, batch(&["a", "b"], None)).await;
    hub.close().await;
    drop(hub);
    for wrong in ["0\n1\nt 0 400\n", "garbage", "0\n2\nt 0 1\n"] {
        std::fs::write(folder.path().join("log-start-offset-checkpoint"), wrong).unwrap();
        let hub = open(folder.path());
        assert_eq!(hub.topic_state("t").unwrap().partitions[0].start(), 0, "{wrong}");
        let looking = view::View::open(folder.path()).unwrap();
        assert_eq!(looking.topics().await.unwrap().last().unwrap().partitions[0].start, 0);
        hub.close().await;
    }
}
