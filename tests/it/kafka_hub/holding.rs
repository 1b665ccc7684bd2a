//! What a member has read is its own to judge only as long as it has the partitions.

use anabranch_record::Condition;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::{
    ApiKey, DescribeGroupsRequest, GroupId, LeaveGroupRequest, RequestKind, ResponseKind,
};

use super::*;
use crate::broker::raw::{ask, text};
use crate::support::{Agent, Receiver, SOON, wait_until};

/// Has the coordinator throw the only member of a group out, as it does with one that was silent for too long.
fn throw_out(server: &str, group: &str) {
    let group = GroupId(text(group));
    let describe = DescribeGroupsRequest::default().with_groups(vec![group.clone()]);
    let described =
        ask(server, ApiKey::DescribeGroups, 5, &RequestKind::DescribeGroups(describe)).unwrap();
    let ResponseKind::DescribeGroups(described) = described else { panic!("{described:?}") };
    let member = described.groups[0].members[0].member_id.clone();
    let identity = MemberIdentity::default().with_member_id(member);
    let leave = LeaveGroupRequest::default().with_group_id(group).with_members(vec![identity]);
    let left = ask(server, ApiKey::LeaveGroup, 5, &RequestKind::LeaveGroup(leave)).unwrap();
    let ResponseKind::LeaveGroup(left) = left else { panic!("{left:?}") };
    assert_eq!((left.error_code, left.members[0].error_code), (0, 0));
}

fn under(condition: &Condition, first: usize, count: usize) -> Batch {
    let mut batch = lines(first, count);
    batch.set_condition(condition.clone());
    batch
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_member_judges_after_it_was_thrown_out_is_not_stored() {
    let Some(server) = server("ANABRANCH_KAFKA") else { return };
    for settings in both_writers(&settings(server.clone())) {
        judge_and_be_thrown_out(&server, settings).await;
    }
}

async fn judge_and_be_thrown_out(server: &str, settings: Settings) {
    let hub = Kafka::connect(settings).unwrap();
    let (topic, letters, group) = (unique("read"), unique("letters"), unique("group"));
    append(&hub, &topic, 0, lines(0, 5)).await;
    assert_eq!(partitions(&hub, &letters).await, Ok(4));
    let spec = spec(&group, by_name(&topic), StartAt::Earliest);
    let mut member = hub.consumer(spec.clone()).await.unwrap();
    read(member.as_mut(), 5).await;
    let condition = member.condition().unwrap();
    // Before the group has committed anything, and after it.
    append(&hub, &letters, 0, under(&condition, 0, 1)).await;
    member.commit(&[next(&topic, 0, 2)], Some("state")).await.unwrap();
    append(&hub, &letters, 0, under(&condition, 1, 1)).await;

    throw_out(server, &group);
    append_too_late(&hub, &letters, &condition).await;
    assert_eq!(all_of(&hub, &letters, 3).await, ["line 0", "line 1", "line 4"]);
    // It comes again where it was committed, with its state, and may judge anew.
    assert_eq!(resumed(member.as_mut()).await.as_deref(), Some("state"));
    assert_eq!(read(member.as_mut(), 3).await[&0], ["line 2", "line 3", "line 4"]);
    append(&hub, &letters, 0, under(&member.condition().unwrap(), 5, 1)).await;
}

/// What is sent beside it is stored.
async fn append_too_late(hub: &Kafka, letters: &str, condition: &Condition) {
    let appender = hub.appender();
    let late = queue(&appender, letters, 0, under(condition, 2, 2)).await;
    let beside = queue(&appender, letters, 0, lines(4, 1)).await;
    let refused = late.await.unwrap().unwrap_err();
    assert!(refused.0.contains("rebalanced"), "{refused}");
    beside.await.unwrap().unwrap();
    assert!(condition.has_failed());
}

/// The values of a topic, of which there are `count` and no more.
async fn all_of(hub: &Kafka, topic: &str, count: usize) -> Vec<String> {
    let partitions = partitions(hub, topic).await.unwrap();
    for partition in 0..i32::try_from(partitions).unwrap() {
        append(hub, topic, partition, lines(1000, 1)).await;
    }
    let spec = spec(&unique("reader"), by_name(topic), StartAt::Earliest);
    let mut reader = hub.consumer(spec).await.unwrap();
    let found = read(reader.as_mut(), count + usize::try_from(partitions).unwrap()).await;
    found.into_values().flatten().filter(|value| *value != "line 1000").collect()
}

/// An agent with a sink of that name, which posts to `receiver` and keeps its dead letters.
fn agent(folder: &std::path::Path, server: &str, name: &str, receiver: &Receiver) -> Agent {
    let blocks = format!(
        "hub: {{ kafka: {{ bootstrap_servers: [\"{server}\"] }} }}\n\
         sinks:\n  {name}:\n    topics: [{name}-t]\n    \
         retry: {{ backoff: 10ms, backoff_max: 100ms }}\n    \
         to: {{ http: {{ url: \"{}\", format: lines }} }}\n",
        receiver.url("/")
    );
    Agent::start(folder, &blocks)
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_agents_the_one_that_was_thrown_out_buries_nothing_again() {
    let Some(server) = server("ANABRANCH_KAFKA") else { return };
    let hub = Kafka::connect(settings(server.clone())).unwrap();
    let name = format!("h{}", uuid::Uuid::new_v4().simple());
    let (topic, letters) = (format!("{name}-t"), format!("{name}.dlq"));
    hub.create_topic(&topic, 1).await.unwrap();
    append(&hub, &topic, 0, lines(0, 30)).await;
    let receivers = [Receiver::start(), Receiver::start()];
    let [first, second] = &receivers;
    first.answer(503);
    second.refuse("line 7", 400);
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let mut stuck = agent(folders[0].path(), &server, &name, first);
    wait_until(SOON, "the first to be refused", || first.refused() > 3);
    stuck.freeze(true);
    throw_out(&server, &name);
    let other = agent(folders[1].path(), &server, &name, second);
    other.wait_no_lag(&[&name], Duration::from_secs(60));
    assert_eq!(other.sum("anabranch_sink_dead_records_total", &name), 1.0);

    first.answer(200);
    first.refuse("line 7", 400);
    stuck.freeze(false);
    wait_until(SOON, "the first to be told that it moved", || {
        stuck.log().contains("left out") && stuck.log().contains("rebalanced")
    });
    assert_eq!(all_of(&hub, &letters, 1).await, ["line 7"]);
    assert_eq!(stuck.sum("anabranch_sink_dead_records_total", &name), 0.0);
}
