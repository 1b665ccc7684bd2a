//! Commits that fail.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_written_before_the_commit_that_its_sink_asked_for_has_worked() {
    let folder = tempfile::tempdir().unwrap();
    let rig = rig(folder.path());
    rig.produce(&["a", "b"]).await;
    let told = Arc::new(Told::default());
    told.is_new.store(true, Ordering::Relaxed);
    let full = || HubError::NotNow("no space left".into());
    told.commits.lock().extend([full(), full(), full()]);
    rig.deliver(&told, |_| rig.committed() == 2).await;
    assert_eq!(told.written(), [["a", "b"]]);
    assert_eq!(rig.metrics.sink("s").errors.load(Ordering::Relaxed), 3);
    rig.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_group_has_moved_meanwhile_is_read_again_and_nothing_is_lost() {
    for is_new in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        let rig = rig(folder.path());
        rig.produce(&["a", "b"]).await;
        let told = Arc::new(Told::default());
        told.is_new.store(is_new, Ordering::Relaxed);
        told.commits.lock().push_back(HubError::Moved("rebalanced".into()));
        rig.deliver(&told, |_| rig.committed() == 2).await;
        let times = if is_new { 1 } else { 2 };
        assert_eq!(told.written(), vec![vec!["a", "b"]; times]);
        rig.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_is_gone_does_not_keep_the_offsets_of_others_from_being_committed() {
    let folder = tempfile::tempdir().unwrap();
    let rig = rig(folder.path());
    rig.produce(&["a"]).await;
    let told = Arc::new(Told::default());
    told.commits.lock().push_back(HubError::UnknownTopic("other".into()));
    rig.deliver(&told, |_| rig.committed() == 1).await;
    assert_eq!(told.written(), [["a"]]);
    rig.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_sink_could_not_make_durable_is_written_again_from_the_committed_offsets() {
    let folder = tempfile::tempdir().unwrap();
    let rig = rig(folder.path());
    rig.produce(&["a"]).await;
    let told = Arc::new(Told::default());
    rig.deliver(&told, |_| rig.committed() == 1).await;
    rig.produce(&["b", "c"]).await;
    told.loses.store(true, Ordering::Relaxed);
    rig.deliver(&told, |_| rig.committed() == 3).await;
    assert_eq!(told.written(), [vec!["a"], vec!["b", "c"], vec!["b", "c"]]);
    // At the start of the second life, and when it was lost.
    assert_eq!(*told.resumed.lock(), ["1 writes", "1 writes"]);
    rig.close().await;
}
