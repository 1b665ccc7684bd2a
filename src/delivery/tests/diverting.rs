//! A sink that has a fallback.

use super::*;

fn away() -> Answer {
    Err(WriteError::NotNow { target: "t".into(), reason: "away".into(), retry_after: None })
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_arrive_for_a_while_goes_elsewhere_once_and_the_sink_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let rig = rig(folder.path());
    rig.produce(&["a", "b"]).await;
    let told = || {
        let told = Arc::new(Told::default());
        told.has_fallback.store(true, Ordering::Relaxed);
        told
    };
    // A life that ends before its commit.
    let first = told();
    first.will_answer([away()]);
    first.commits.lock().extend((0..10_000).map(|_| HubError::NotNow("away".into())));
    let meter = rig.metrics.sink("s");
    rig.deliver(&first, |_| meter.diverted.load(Ordering::Relaxed) == 2).await;
    assert_eq!(rig.committed(), -1);

    let second = told();
    rig.deliver(&second, |_| rig.committed() == 2).await;
    assert_eq!(second.written(), Vec::<Vec<String>>::new());
    let elsewhere = rig.letters("s.fallback").await;
    let values: Vec<&str> = elsewhere.iter().map(|(value, _)| value.as_str()).collect();
    assert_eq!(values, ["a", "b"]);
    assert!(elsewhere[0].1.contains("away"), "{}", elsewhere[0].1);

    rig.produce(&["c"]).await;
    let third = told();
    rig.deliver(&third, |_| rig.committed() == 3).await;
    assert_eq!(third.written(), [["c"]]);
    assert_eq!(rig.letters("s.fallback").await.len(), 2);
    rig.close().await;
}
