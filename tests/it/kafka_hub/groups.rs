//! Groups: sharing, commits, where reading starts.

use std::collections::BTreeSet;

use anabranch_record::TopicPartition;

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn members_share_the_partitions_and_the_last_one_has_all() {
    let Some(server) = server("ANABRANCH_KAFKA") else { return };
    let hub = Kafka::connect(settings(server)).unwrap();
    let (topic, group) = (unique("shared"), unique("group"));
    assert_eq!(partitions(&hub, &topic).await, Ok(4));
    let spec = spec(&group, by_name(&topic), StartAt::Earliest);
    let mut first = hub.consumer(spec.clone()).await.unwrap();
    assert_eq!(resumed(first.as_mut()).await, None);
    let mut second = hub.consumer(spec).await.unwrap();
    assert_eq!(resumed(second.as_mut()).await, None);
    assert_eq!(resumed(first.as_mut()).await, None);
    for partition in 0..4 {
        append(&hub, &topic, partition, lines(0, 5)).await;
    }
    let (mine, theirs) = (read(first.as_mut(), 10).await, read(second.as_mut(), 10).await);
    assert_eq!((mine.len(), theirs.len()), (2, 2));
    let all: BTreeSet<_> = mine.keys().chain(theirs.keys()).copied().collect();
    assert_eq!(all.len(), 4);
    let offsets: Vec<_> = mine.keys().map(|partition| next(&topic, *partition, 5)).collect();
    first.commit(&offsets, Some("state of the first")).await.unwrap();
    let theirs = *theirs.keys().next().unwrap();
    let stray = second.commit(&[offsets.first().unwrap().clone()], None).await;
    assert!(matches!(stray, Err(HubError::Moved(_))), "{stray:?}");
    drop(first);
    assert_eq!(resumed(second.as_mut()).await.as_deref(), Some("state of the first"));
    let again = read(second.as_mut(), 10).await;
    assert!(again.contains_key(&theirs) && again.len() == 2, "{again:?}");
    let offsets: Vec<_> = (0..4).map(|partition| next(&topic, partition, 5)).collect();
    second.commit(&offsets, None).await.unwrap();
    let until = Instant::now() + Duration::from_secs(30);
    while second.lag().await.iter().map(|lag| lag.records).sum::<u64>() > 0 {
        assert!(Instant::now() < until, "{:?}", second.lag().await);
        fetch(second.as_mut()).await;
    }
    assert_eq!(second.lag().await.len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_keeps_offsets_and_state_for_the_next_member() {
    let Some(server) = server("ANABRANCH_KAFKA") else { return };
    let hub = Kafka::connect(settings(server)).unwrap();
    let (topic, group) = (unique("state"), unique("group"));
    append(&hub, &topic, 1, lines(0, 10)).await;
    let spec = spec(&group, by_name(&topic), StartAt::Earliest);
    let mut member = hub.consumer(spec.clone()).await.unwrap();
    read(member.as_mut(), 10).await;
    for state in ["{\"old\": 1}", "{\"file a\": 42}"] {
        member.commit(&[next(&topic, 1, 7)], Some(state)).await.unwrap();
    }
    drop(member);
    let mut member = hub.consumer(spec).await.unwrap();
    let until = Instant::now() + Duration::from_secs(60);
    let (mut metadata, mut values) = (None, Vec::new());
    while values.len() < 3 {
        let fetched = fetch(member.as_mut()).await;
        metadata = fetched.resumed.map(|resumed| resumed.latest().map(str::to_owned)).or(metadata);
        for stored in fetched.batches.iter().flat_map(|fetched| fetched.batch.iter()) {
            values.push(stored.offset);
        }
        assert!(Instant::now() < until);
    }
    assert_eq!((metadata, values), (Some(Some("{\"file a\": 42}".to_owned())), vec![7, 8, 9]));
    let refused = hub.set_offsets(&group, &[next(&topic, 1, 2)]).await;
    assert!(refused.is_err());
    drop(member);
    hub.set_offsets(&group, &[next(&topic, 1, 2)]).await.unwrap();
    let groups = hub.groups().await.unwrap();
    let known = groups.iter().find(|known| known.name == group).unwrap();
    assert_eq!(known.offsets, [next(&topic, 1, 2)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_that_is_not_the_latest_is_never_taken_for_it() {
    let Some(server) = server("ANABRANCH_KAFKA") else { return };
    let hub = Kafka::connect(settings(server)).unwrap();
    let (one, other, group) = (unique("one"), unique("other"), unique("group"));
    let both = spec(&group, [by_name(&one), by_name(&other)].concat(), StartAt::Earliest);
    append(&hub, &one, 0, lines(0, 5)).await;
    append(&hub, &other, 0, lines(0, 5)).await;
    for (topic, state) in [(&one, "first"), (&other, "second")] {
        let mut member = hub.consumer(both.clone()).await.unwrap();
        read(member.as_mut(), 5).await;
        member.commit(&[next(topic, 0, 5)], Some(state)).await.unwrap();
    }
    let mut member = hub.consumer(both).await.unwrap();
    assert_eq!(resumed(member.as_mut()).await.as_deref(), Some("second"));
    drop(member);
    let only = spec(&group, by_name(&one), StartAt::Earliest);
    let mut member = hub.consumer(only).await.unwrap();
    assert_eq!(resumed(member.as_mut()).await, None);
    drop(member);
    let groups = hub.groups().await.unwrap();
    let known = groups.iter().find(|known| known.name == group).unwrap();
    assert!(known.offsets.contains(&next(&one, 0, 5)), "{known:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_group_starts_at_the_end_or_at_a_time() {
    let Some(server) = server("ANABRANCH_KAFKA") else { return };
    let hub = Kafka::connect(settings(server)).unwrap();
    let topic = unique("start");
    let mut batch = lines(0, 4);
    batch.set_timestamp_ms(1_700_000_009_000);
    append(&hub, &topic, 0, batch).await;
    let latest = spec(&unique("latest"), by_name(&topic), StartAt::Latest);
    let time = StartAt::Time(1_700_000_005_000);
    let time = spec(&unique("time"), by_name(&topic), time);
    let mut latest_member = hub.consumer(latest.clone()).await.unwrap();
    let mut time = hub.consumer(time).await.unwrap();
    resumed(latest_member.as_mut()).await;
    drop(latest_member);
    append(&hub, &topic, 0, lines(4, 2)).await;
    assert_eq!(read(time.as_mut(), 3).await[&0], ["line 3", "line 4", "line 5"]);
    // It had read nothing, and still it begins where it first began.
    let mut latest = hub.consumer(latest).await.unwrap();
    assert_eq!(read(latest.as_mut(), 2).await[&0], ["line 4", "line 5"]);
    let offsets = hub.offsets_at(&topic, 1_700_000_005_000).await.unwrap();
    assert_eq!(offsets.iter().map(|offset| offset.offset).collect::<Vec<_>>(), [3, 0, 0, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn topics_are_made_on_demand_and_patterns_find_them() {
    let Some(server) = server("ANABRANCH_KAFKA") else { return };
    let (topic, group) = (unique("demand"), unique("group"));
    let topic_partitions = [(topic.clone(), 2)].into();
    let hub = Kafka::connect(Settings { topic_partitions, ..settings(server) }).unwrap();
    assert_eq!(partitions(&hub, &topic).await, Ok(2));
    assert_eq!(hub.create_topic(&topic, 3).await, Err(HubError::Exists(topic.clone())));
    let pattern = TopicSelector::parse(&format!("^{topic}\\S*$")).unwrap();
    let assigned = spec(&unique("assigned"), by_name(&topic), StartAt::Earliest);
    let assigned =
        ConsumerSpec { assigned: Some(vec![TopicPartition::new(&*topic, 1)]), ..assigned };
    let mut by_pattern = hub.consumer(spec(&group, vec![pattern], StartAt::Latest)).await.unwrap();
    let mut assigned = hub.consumer(assigned).await.unwrap();
    resumed(by_pattern.as_mut()).await;
    append(&hub, &topic, 0, lines(0, 1)).await;
    append(&hub, &topic, 1, lines(1, 1)).await;
    assert_eq!(read(by_pattern.as_mut(), 2).await.len(), 2);
    assert_eq!(read(assigned.as_mut(), 1).await, [(1, vec!["line 1".to_owned()])].into());
    let by_pattern_done = [next(&topic, 0, 1), next(&topic, 1, 1)];
    by_pattern.commit(&by_pattern_done, None).await.unwrap();
    // A topic that comes into being later is read from its beginning, whatever the group's start.
    append(&hub, &format!("{topic}-later"), 0, lines(7, 1)).await;
    append(&hub, &format!("{topic}-later.dlq"), 0, lines(8, 1)).await;
    assert_eq!(read(by_pattern.as_mut(), 1).await, [(0, vec!["line 7".to_owned()])].into());
    let known = hub.topics().await.unwrap();
    let known = known.iter().find(|known| known.name == topic).unwrap();
    assert_eq!(known.partitions.len(), 2);
    hub.delete_topic(&topic).await.unwrap();
    let gone = hub.delete_topic(&unique("never")).await;
    assert!(matches!(gone, Err(HubError::UnknownTopic(_))), "{gone:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sink_that_stalls_reads_on_where_it_was() {
    let Some(server) = server("ANABRANCH_KAFKA") else { return };
    let hub = Kafka::connect(settings(server)).unwrap();
    let topic = unique("stalled");
    for first in (0..40).map(|round| round * 10_000) {
        let mut batch = lines(first, 0);
        for number in first..first + 10_000 {
            batch.push_copy(format!("{number:0100}").as_bytes());
        }
        append(&hub, &topic, 0, batch).await;
    }
    let spec = spec(&unique("group"), by_name(&topic), StartAt::Earliest);
    let mut consumer = hub.consumer(spec).await.unwrap();
    resumed(consumer.as_mut()).await;
    // Longer than the reader only waits: its partitions are paused.
    tokio::time::sleep(Duration::from_secs(7)).await;
    let values = read(consumer.as_mut(), 400_000).await.remove(&0).unwrap();
    let mut numbers = values.iter().map(|value| value.parse::<usize>().unwrap());
    assert!((0..400_000).all(|number| numbers.next() == Some(number)));
}
