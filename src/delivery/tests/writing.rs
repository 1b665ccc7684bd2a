//! What comes back, and when it is given up.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn only_what_came_back_is_sent_again_and_the_dead_are_kept_with_their_reason() {
    let folder = tempfile::tempdir().unwrap();
    let rig = rig(folder.path());
    rig.produce(&["a", "b", "c", "d"]).await;
    let told = Arc::new(Told::default());
    let exceptions = vec![(1, dead("400 bad", true)), (2, again())];
    told.will_answer([
        Err(WriteError::NotNow { target: "t".into(), reason: "away".into(), retry_after: None }),
        Ok(Written { exceptions, retry_after: None }),
    ]);
    rig.deliver(&told, |told| told.written().len() == 3).await;
    // With what came back goes one that has arrived.
    assert_eq!(
        told.written(),
        [vec!["a", "b", "c", "d"], vec!["a", "b", "c", "d"], vec!["d", "c"]]
    );
    assert_eq!(rig.dead().await, [("b".to_owned(), "400 bad".to_owned())]);
    let meter = rig.metrics.sink("s");
    assert_eq!(meter.delivered.load(Ordering::Relaxed), 3);
    assert_eq!(meter.dead.load(Ordering::Relaxed), 1);

    // The next life begins behind what is settled, with the state of the last commit.
    rig.produce(&["e"]).await;
    let told = Arc::new(Told::default());
    rig.deliver(&told, |told| !told.written().is_empty()).await;
    assert_eq!(told.written(), [vec!["e"]]);
    assert_eq!(*told.resumed.lock(), ["3 writes"]);
    rig.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poison_record_is_found_by_halves_and_a_stubborn_one_is_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let rig = rig(folder.path());
    rig.produce(&["a", "b", "c"]).await;
    let told = Arc::new(Told::default());
    let large = || Err(WriteError::TooLarge { target: "t".into(), reason: "413".into() });
    told.will_answer([large(), large(), large(), Ok(Written::done()), large()]);
    told.will_answer([all(0..1, &again())]);
    rig.deliver(&told, |told| told.written().len() == 7).await;
    // One is asked for once more when another has arrived.
    let expected: [&[&str]; 7] =
        [&["a", "b", "c"], &["a", "b"], &["a"], &["b"], &["a"], &["c"], &["b", "c"]];
    assert_eq!(told.written(), expected);
    assert_eq!(rig.dead().await, [("a".to_owned(), "t: too large: 413".to_owned())]);

    rig.produce(&["x", "y"]).await;
    let told = Arc::new(Told::default());
    told.will_answer([all(0..1, &again())]);
    told.will_answer((0..10).map(|_| all(1..2, &again())));
    rig.deliver(&told, |told| told.written().len() >= 4).await;
    assert_eq!(told.written(), [["x", "y"], ["y", "x"], ["y", "x"], ["y", "x"]]);
    assert_eq!(rig.dead().await[1].1, "gave up after 4 tries: 503");
    rig.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_nothing_arrives_no_attempt_counts_however_often_it_is_tried() {
    let folder = tempfile::tempdir().unwrap();
    let rig = rig(folder.path());
    let lines: Vec<String> = (0..12).map(|number| format!("line {number}")).collect();
    rig.produce(&lines.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let told = Arc::new(Told::default());
    // Two arrive, then the far side takes nothing for a while, not even one that it has.
    told.will_answer([all(2..12, &again())]);
    told.will_answer((0..20).map(|_| all(0..11, &again())));
    rig.deliver(&told, |told| told.written().len() == 22).await;
    assert_eq!(rig.dead().await, []);
    let meter = rig.metrics.sink("s");
    assert_eq!(meter.delivered.load(Ordering::Relaxed), 12);
    assert_eq!(rig.committed(), 12);
    rig.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_tried_is_never_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let rig = rig(folder.path());
    rig.produce(&["a", "b", "c", "d", "e", "f", "g", "h"]).await;
    let told = Arc::new(Told::default());
    // In each round one request of many is taken, and the rest is not tried.
    let later = Outcome::NotNow { reason: "429".into() };
    told.will_answer([all(1..8, &later)]);
    told.will_answer((2..8).map(|taken| all(2..10 - taken, &later)));
    rig.deliver(&told, |_| rig.committed() == 8).await;
    assert_eq!(rig.dead().await, []);
    rig.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_far_side_that_is_busy_gets_less_at_once_and_more_again() {
    let folder = tempfile::tempdir().unwrap();
    let rig = rig(folder.path());
    let lines: Vec<String> = (0..8).map(|number| format!("line {number}")).collect();
    rig.produce(&lines.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let told = Arc::new(Told::default());
    let busy =
        || Err(WriteError::NotNow { target: "t".into(), reason: "busy".into(), retry_after: None });
    told.will_answer([busy(), busy()]);
    rig.deliver_by(8, &told, |_| rig.committed() == 8).await;
    let sizes: Vec<usize> = told.written().iter().map(Vec::len).collect();
    assert_eq!(sizes, [8, 4, 2, 2, 4]);
    rig.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn marks_of_transactions_at_the_end_are_passed_and_committed() {
    let folder = tempfile::tempdir().unwrap();
    let rig = rig(folder.path());
    rig.produce(&["a"]).await;
    let partition = Arc::clone(rig.hub.topic_state("app").unwrap().partition(0).unwrap());
    for _ in 0..2 {
        partition.append(&crate::wire::marker((7, 0), true, 0, 1), 0).unwrap();
    }
    let told = Arc::new(Told::default());
    rig.deliver(&told, |_| rig.committed() == 3).await;
    assert_eq!(told.written(), [vec!["a"]]);
    rig.close().await;
}
