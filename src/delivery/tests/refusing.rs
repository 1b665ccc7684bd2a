//! Bad records, and a far side that refuses everything.

use super::*;

fn lines(name: &str, count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{name} {number}")).collect()
}

async fn produce(rig: &Rig, lines: &[String]) {
    rig.produce(&lines.iter().map(String::as_str).collect::<Vec<_>>()).await;
}

fn is_held(rig: &Rig) -> bool {
    rig.metrics.sink("s").held.load(Ordering::Relaxed) > 0
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_for_one_cause_altogether_waits_and_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let rig = rig(folder.path());
    produce(&rig, &lines("a", 12)).await;
    let told = Arc::new(Told::default());
    let cause = dead("HTTP 400 validation_exception: no more shards", false);
    told.will_answer((0..1000).map(|_| all(0..12, &cause)));
    let shown = AtomicBool::new(false);
    rig.deliver(&told, |told| {
        let problem = rig.metrics.sink("s").state.problem();
        let is_shown = problem.is_some_and(|text| text.contains("no more shards"));
        if is_held(&rig) && is_shown {
            shown.store(true, Ordering::Relaxed);
            told.answers.lock().clear();
        }
        rig.committed() == 12
    })
    .await;
    assert!(shown.into_inner());
    assert_eq!(rig.dead().await, []);
    assert_eq!(rig.metrics.sink("s").delivered.load(Ordering::Relaxed), 12);
    assert_eq!(rig.metrics.sink("s").state.problem(), None);
    rig.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_few_requests_refused_for_one_cause_make_the_next_ones_wait() {
    let folder = tempfile::tempdir().unwrap();
    let rig = rig(folder.path());
    // Each is a batch of its own, and a write of its own.
    for number in 0..15 {
        rig.produce(&[&format!("line {number}")]).await;
    }
    let told = Arc::new(Told::default());
    *told.refuses.lock() = Some("line");
    rig.deliver_by(1, &told, |told| {
        if is_held(&rig) {
            *told.refuses.lock() = None;
        }
        rig.committed() == 15
    })
    .await;
    assert!(is_held(&rig));
    assert_eq!(rig.dead().await.len(), 9);
    rig.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poison_record_that_is_alone_is_a_dead_letter() {
    let folder = tempfile::tempdir().unwrap();
    let rig = rig(folder.path());
    rig.produce(&["bad"]).await;
    let told = Arc::new(Told::default());
    *told.refuses.lock() = Some("bad");
    rig.deliver(&told, |_| rig.committed() == 1).await;
    assert_eq!(rig.dead().await.len(), 1);
    rig.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_are_refused_whatever_is_in_them_wait_and_bad_ones_beside_good_ones_do_not() {
    for (bad, good, is_dead) in [(15, 0, false), (12, 5, true)] {
        let folder = tempfile::tempdir().unwrap();
        let rig = rig(folder.path());
        let mut all = lines("bad", bad);
        all.extend(lines("good", good));
        produce(&rig, &all).await;
        let told = Arc::new(Told::default());
        *told.refuses.lock() = Some("bad");
        let count = i64::try_from(bad + good).unwrap();
        rig.deliver(&told, |told| {
            if is_held(&rig) {
                *told.refuses.lock() = None;
            }
            rig.committed() == count
        })
        .await;
        assert_eq!(
            (is_held(&rig), rig.dead().await.len()),
            (!is_dead, if is_dead { bad } else { 0 })
        );
        rig.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn so_many_dead_letters_in_a_row_are_enough() {
    let folder = tempfile::tempdir().unwrap();
    let rig = rig(folder.path());
    produce(&rig, &lines("a", 150)).await;
    let told = Arc::new(Told::default());
    let cause = dead("HTTP 400 mapper_parsing_exception: x", true);
    told.will_answer([all(0..150, &cause), all(0..50, &cause), all(0..50, &cause)]);
    rig.deliver(&told, |_| rig.committed() == 150).await;
    assert_eq!(rig.dead().await.len(), 100);
    assert!(is_held(&rig));
    assert_eq!(rig.metrics.sink("s").delivered.load(Ordering::Relaxed), 50);
    rig.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_far_side_refuses_while_it_changes_its_mind_does_not_die() {
    let folder = tempfile::tempdir().unwrap();
    let rig = rig(folder.path());
    produce(&rig, &lines("a", 30)).await;
    let told = Arc::new(Told::default());
    let cause = dead("HTTP 400 document_parsing_exception: limit of total fields", false);
    // Everything is refused; then the limit is raised while a third of a write is through.
    told.will_answer([all(0..30, &cause), all(0..10, &cause)]);
    rig.deliver(&told, |_| rig.committed() == 30).await;
    assert_eq!(rig.dead().await, []);
    let sizes: Vec<usize> = told.written().iter().map(Vec::len).collect();
    assert_eq!(sizes, [30, 30, 11]);
    rig.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_refused_alone_just_before_the_far_side_took_everything_does_not_die() {
    let folder = tempfile::tempdir().unwrap();
    let rig = rig(folder.path());
    produce(&rig, &lines("a", 8)).await;
    let told = Arc::new(Told::default());
    // Eight, four, two, one and the next are refused; from then on everything is taken.
    told.will_answer((0..5).map(|_| Err(refused())));
    rig.deliver(&told, |_| rig.committed() == 8).await;
    assert_eq!(rig.dead().await, []);
    assert_eq!(rig.metrics.sink("s").delivered.load(Ordering::Relaxed), 8);
    rig.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_far_side_goes_on_refusing_is_asked_for_once() {
    let folder = tempfile::tempdir().unwrap();
    let rig = rig(folder.path());
    for _ in 0..20 {
        produce(&rig, &["bad".to_owned(), "good".to_owned()]).await;
    }
    let told = Arc::new(Told::default());
    *told.refuses.lock() = Some("bad");
    rig.deliver_by(2, &told, |_| rig.committed() == 40).await;
    assert_eq!(rig.dead().await.len(), 20);
    let alone = told.written().iter().filter(|write| **write == ["bad"]).count();
    assert_eq!(alone, 21);
    rig.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_that_are_refused_beside_others_are_asked_for_once_and_then_dead() {
    let folder = tempfile::tempdir().unwrap();
    let rig = rig(folder.path());
    produce(&rig, &lines("a", 20)).await;
    let told = Arc::new(Told::default());
    let cause = dead("HTTP 400 strict_dynamic_mapping_exception: x", false);
    // The second time one that has arrived goes along, and is taken.
    told.will_answer([all(0..15, &cause), all(1..16, &cause)]);
    rig.deliver(&told, |_| rig.committed() == 20).await;
    assert_eq!(rig.dead().await.len(), 15);
    assert!(!is_held(&rig));
    let sizes: Vec<usize> = told.written().iter().map(Vec::len).collect();
    assert_eq!(sizes, [20, 16]);

    // Where the far side takes nothing by then, not even that one, they wait.
    produce(&rig, &lines("b", 20)).await;
    let told = Arc::new(Told::default());
    let cause = dead("HTTP 400 other_exception: x", false);
    told.will_answer([all(0..15, &cause), all(0..16, &cause), all(0..16, &cause)]);
    rig.deliver(&told, |_| rig.committed() == 40).await;
    assert_eq!(rig.dead().await.len(), 15);
    assert!(is_held(&rig));
    rig.close().await;
}
