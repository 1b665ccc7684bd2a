//! Dead letters are there once, wherever a life ends.

use super::*;

/// Lets a life end between the dead letters and the commit.
async fn die_uncommitted(rig: &Rig, told: &Arc<Told>, dead: u64) {
    let away = || HubError::NotNow("away".into());
    told.commits.lock().extend((0..10_000).map(|_| away()));
    let meter = rig.metrics.sink("s");
    rig.deliver(told, |_| meter.dead.load(Ordering::Relaxed) == dead).await;
    assert_eq!(rig.committed(), -1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_without_its_commit_is_neither_written_nor_buried_by_the_next_life() {
    let folder = tempfile::tempdir().unwrap();
    let rig = rig(folder.path());
    rig.produce(&["a", "bad 1", "c", "bad 2"]).await;
    let told = Arc::new(Told::default());
    *told.refuses.lock() = Some("bad");
    die_uncommitted(&rig, &told, 2).await;
    assert_eq!(rig.dead().await.len(), 2);

    let told = Arc::new(Told::default());
    rig.deliver(&told, |_| rig.committed() == 4).await;
    assert_eq!(told.written(), [["a", "c"]]);
    assert_eq!(rig.dead().await.len(), 2);
    rig.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_note_outlives_the_process_and_ends_with_the_commit() {
    let folder = tempfile::tempdir().unwrap();
    let first = rig(folder.path());
    first.produce(&["a", "bad 1"]).await;
    let told = Arc::new(Told::default());
    *told.refuses.lock() = Some("bad");
    die_uncommitted(&first, &told, 1).await;
    first.close().await;

    let second = rig(folder.path());
    let told = Arc::new(Told::default());
    second.deliver(&told, |_| second.committed() == 2).await;
    assert_eq!(told.written(), [["a"]]);
    assert_eq!(second.dead().await.len(), 1);

    let deadline = Instant::now() + Duration::from_secs(20);
    while !second.hub.positions("dead-letters:s").await.unwrap().is_empty() {
        assert!(Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // Set back on purpose: everything is delivered once more.
    let back = Offset { topic: "app".into(), partition: 0, offset: 0, epoch: -1 };
    second.hub.set_offsets("s", &[back]).await.unwrap();
    let told = Arc::new(Told::default());
    second.deliver(&told, |_| second.committed() == 2).await;
    assert_eq!(told.written(), [["a", "bad 1"]]);
    second.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn notes_are_void_only_behind_a_commit_that_a_power_cut_cannot_take_back() {
    let folder = tempfile::tempdir().unwrap();
    let rig = rig(folder.path());
    rig.produce(&["a", "bad 1"]).await;
    let told = Arc::new(Told::default());
    *told.refuses.lock() = Some("bad");
    rig.deliver(&told, |_| rig.committed() == 2).await;
    assert_eq!(told.lasting.lock()[0], Lasting::Everything);

    rig.produce(&["c"]).await;
    let told = Arc::new(Told::default());
    rig.deliver(&told, |_| rig.committed() == 3).await;
    assert_eq!(*told.lasting.lock(), [Lasting::AsConfigured]);
    rig.close().await;
}

#[test]
fn a_note_begins_where_the_group_may_stand_after_a_power_cut() {
    let topic = Arc::new(anabranch_record::Topic { name: "t".into(), id: "hub.t".into() });
    let at = |offset: i64| {
        let mut data = Vec::new();
        let record = anabranch_record::Record::default();
        anabranch_record::stored::push_record(&record, (0, 0), &[], &mut data);
        let mut records = Records::default();
        records.push(Arc::new(anabranch_record::StoredBatch {
            topic: Arc::clone(&topic),
            partition: 0,
            epoch: 0,
            base_offset: offset,
            next_offset: offset + 1,
            base_timestamp_ms: 0,
            append_timestamp_ms: None,
            count: 1,
            data: data.into(),
            places: std::sync::OnceLock::new(),
            cut: anabranch_record::stored::Cut::default(),
        }));
        records
    };
    let mut progress = Progress::default();
    let mut since = |offset: i64, lasting: Lasting| {
        let records = at(offset);
        progress.begin(&records);
        let since = progress.since(records.batches().next().unwrap().0);
        progress.advance(&records);
        progress.committed(lasting);
        since
    };
    assert_eq!(since(5, Lasting::AsConfigured), 5);
    assert_eq!(since(6, Lasting::AsConfigured), 5);
    assert_eq!(since(7, Lasting::Everything), 5);
    assert_eq!(since(8, Lasting::AsConfigured), 8);
}
