//! Who goes when there is no place, and that places are given back.

use std::sync::Arc;
use std::time::Duration;

use super::meter::Ended;
use super::places::*;
use crate::Memory;
use futures::poll;
use tokio::task::JoinSet;
use tokio::time::timeout;

fn places(max: usize) -> Arc<Places> {
    Places::new("test", max, Arc::default(), &Memory::shared(1 << 20))
}

#[tokio::test(start_paused = true)]
async fn the_most_silent_goes_and_who_is_heard_or_worked_for_stays() {
    let places = places(4);
    let (spoke, worked, silent, late) =
        (places.take().await, places.take().await, places.take().await, places.take().await);
    let work = worked.work();
    tokio::time::advance(Duration::from_secs(5)).await;
    spoke.heard(1);
    late.heard(1);
    tokio::time::advance(Duration::from_secs(2)).await;
    late.heard(1);
    let mut tasks = JoinSet::new();
    let another = Arc::clone(&places);
    tasks.spawn(async move { another.take().await });
    silent.is_wanted().await;
    for stays in [&spoke, &worked, &late] {
        assert!(poll!(std::pin::pin!(stays.is_wanted())).is_pending());
    }
    drop(silent);
    let next = tasks.join_next().await.unwrap().unwrap();
    // Now those who have spoken: the one that was silent for longer.
    next.heard(1);
    let another = Arc::clone(&places);
    tasks.spawn(async move { another.take().await });
    spoke.is_wanted().await;
    drop((spoke, work));
    drop(tasks.join_next().await.unwrap().unwrap());
    assert_eq!(places.meter().ended()[0], (Ended::Crowded, 2));
    assert_eq!((places.meter().open(), places.meter().accepted()), (3, 6));
}

#[tokio::test(start_paused = true)]
async fn one_who_never_ends_what_he_says_goes_when_nobody_is_silent() {
    let places = places(2);
    let (trickles, talks) = (places.take().await, places.take().await);
    let another = Arc::clone(&places);
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { another.take().await });
    let both_speak = async {
        loop {
            trickles.heard(1000);
            talks.heard(1000);
            talks.said();
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    };
    tokio::select! {
        () = both_speak => {}
        () = trickles.is_wanted() => {}
    }
    assert!(poll!(std::pin::pin!(talks.is_wanted())).is_pending());
    drop(trickles);
    drop(tasks.join_next().await.unwrap().unwrap());
}

#[tokio::test(start_paused = true)]
async fn one_who_says_next_to_nothing_goes_within_a_second_and_one_who_says_much_stays() {
    let (places, others) = (places(3), places(1));
    let (trickles, brings) = (places.take().await, places.take().await);
    let (last, other) = (places.take().await, others.take().await);
    let begin = tokio::time::Instant::now();
    let another = Arc::clone(&places);
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { another.take().await });
    let all_speak = async {
        loop {
            trickles.heard(64);
            brings.heard(100_000);
            last.heard(100_000);
            tokio::time::sleep(Duration::from_millis(400)).await;
        }
    };
    tokio::select! {
        () = all_speak => {}
        () = trickles.is_wanted() => {}
    }
    assert!(begin.elapsed() <= Duration::from_secs(1), "{:?}", begin.elapsed());
    assert!(poll!(std::pin::pin!(brings.is_wanted())).is_pending());
    // Whoever waits learns of a place at once, whichever listener gave it back.
    drop((trickles, other));
    drop(tasks.join_next().await.unwrap().unwrap());
    assert!(begin.elapsed() <= Duration::from_secs(1), "{:?}", begin.elapsed());
}

#[tokio::test(start_paused = true)]
async fn where_nobody_is_silent_the_next_waits_until_a_place_is_free() {
    let places = places(1);
    let first = places.take().await;
    let work = first.work();
    let mut next = std::pin::pin!(places.take());
    assert!(timeout(Duration::from_secs(60), &mut next).await.is_err());
    drop(work);
    drop(first);
    next.await;
}

#[tokio::test(start_paused = true)]
async fn places_are_given_back_as_often_as_they_are_taken() {
    let places = places(2);
    for _ in 0..100 {
        drop((places.take().await, places.take().await));
    }
    assert_eq!(places.meter().open(), 0);
    let (one, two) = (places.take().await, places.take().await);
    assert_eq!(places.meter().open(), 2);
    drop((one, two));
}

#[tokio::test(start_paused = true)]
async fn where_many_come_one_after_the_other_as_many_silent_ones_go_at_once() {
    const SLOW: Duration = Duration::from_millis(10);
    let places = Places::new("test", 40, Arc::default(), &Memory::shared(16 << 20));
    let mut silent = JoinSet::new();
    for _ in 0..40 {
        let place = places.take().await;
        silent.spawn(async move {
            place.is_wanted().await;
            tokio::time::sleep(SLOW).await;
        });
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    let begin = tokio::time::Instant::now();
    let mut come = Vec::new();
    for _ in 0..20 {
        come.push(places.take().await);
    }
    assert!(begin.elapsed() <= SLOW * 6, "{:?}", begin.elapsed());
    let went = |places: &Places| places.meter().ended()[0].1;
    assert!((20..=32).contains(&went(&places)), "{}", went(&places));
    // One who comes alone costs one.
    while silent.len() > 40 - usize::try_from(went(&places)).unwrap() {
        silent.join_next().await;
    }
    while places.meter().open() < 40 {
        come.push(places.take().await);
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    come.iter().for_each(|place| place.heard(1 << 20));
    let before = went(&places);
    come.push(places.take().await);
    assert_eq!(went(&places), before + 1);
}

#[tokio::test(start_paused = true)]
async fn who_has_got_an_answer_leaves_room_for_others_and_goes_first() {
    // Four connections and a little.
    let memory = Memory::shared(50 << 10);
    let places = Places::new("test", 8, Arc::default(), &memory);
    let mut open = vec![places.take().await];
    for _ in 0..3 {
        open.push(places.take().await);
    }
    open[0].leaves();
    let next = timeout(Duration::from_millis(10), places.take()).await;
    open.push(next.expect("there is room at once"));
    tokio::time::advance(Duration::from_millis(300)).await;
    open[1..].iter().for_each(|place| place.heard(1 << 20));
    let another = Arc::clone(&places);
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { another.take().await });
    open[0].is_wanted().await;
    for stays in &open[1..] {
        assert!(poll!(std::pin::pin!(stays.is_wanted())).is_pending());
    }
}
