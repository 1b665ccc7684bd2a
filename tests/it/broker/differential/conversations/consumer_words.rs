//! The requests of members of the new group protocol.

use kafka_protocol::messages::consumer_group_heartbeat_request::TopicPartitions;
use kafka_protocol::messages::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig,
};
use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopics,
};
use kafka_protocol::messages::*;
use uuid::Uuid;

use super::super::cases::{group, text, topic};
use super::player::Player;
use super::words::{Member, committed};

/// A member, and what its next heartbeat says.
#[derive(Debug, Clone)]
pub(super) struct One {
    pub(super) group: String,
    pub(super) id: &'static str,
    pub(super) epoch: i32,
    pub(super) instance: Option<&'static str>,
    pub(super) timeout_ms: i32,
    pub(super) topics: Option<Vec<String>>,
    pub(super) assignor: Option<&'static str>,
    /// Partitions of the topic.
    pub(super) owned: Option<Vec<i32>>,
    pub(super) name: String,
    pub(super) topic: Uuid,
}

impl One {
    /// One that has not joined yet.
    pub(super) fn new(player: &Player, group: &str, id: &'static str, name: &str) -> Self {
        Self {
            group: group.to_owned(),
            id,
            epoch: 0,
            instance: None,
            timeout_ms: -1,
            topics: None,
            assignor: None,
            owned: None,
            name: name.to_owned(),
            topic: player.topic_id(name).unwrap(),
        }
    }

    /// The same with all that there is to say.
    pub(super) fn full(&self) -> Self {
        let topics = Some(vec![self.name.clone()]);
        Self { timeout_ms: 60_000, topics, owned: Some(Vec::new()), ..self.clone() }
    }

    pub(super) fn joining(&self) -> Self {
        self.full().at(0)
    }

    pub(super) fn leaving(&self, epoch: i32) -> Self {
        self.at(epoch)
    }

    pub(super) fn at(&self, epoch: i32) -> Self {
        Self { epoch, ..self.clone() }
    }

    pub(super) fn owning(&self, numbers: &[i32]) -> Self {
        Self { owned: Some(numbers.to_vec()), ..self.clone() }
    }

    /// Takes over what it was told.
    pub(super) fn told(&mut self, answer: &ConsumerGroupHeartbeatResponse) {
        assert_eq!(answer.error_code, 0, "{self:?}: {:?}", answer.error_message);
        self.epoch = answer.member_epoch;
    }

    /// As who it commits.
    pub(super) fn member(&self) -> Member {
        Member { generation: self.epoch, ..Member::new(&self.group).named(self.id) }
    }
}

/// Has a server assign at once: Kafka gathers changes of a group for a second.
pub(super) fn hurry(player: &Player, of: &str) {
    const GROUP: i8 = 32;
    let config = AlterableConfig::default()
        .with_name(text("consumer.assignment.interval.ms"))
        .with_value(Some(text("0")));
    let resource = AlterConfigsResource::default()
        .with_resource_type(GROUP)
        .with_resource_name(text(of))
        .with_configs(vec![config]);
    let request = IncrementalAlterConfigsRequest::default().with_resources(vec![resource]);
    player.peek(move |_| request.clone());
}

pub(super) fn beat(one: &One) -> impl Fn(i16) -> ConsumerGroupHeartbeatRequest {
    let one = one.clone();
    move |_| {
        let owned = one.owned.as_ref().map(|numbers| match numbers.as_slice() {
            [] => Vec::new(),
            numbers => vec![
                TopicPartitions::default()
                    .with_topic_id(one.topic)
                    .with_partitions(numbers.to_vec()),
            ],
        });
        let names = |names: &Vec<String>| names.iter().map(|name| topic(name)).collect();
        ConsumerGroupHeartbeatRequest::default()
            .with_group_id(group(&one.group))
            .with_member_id(text(one.id))
            .with_member_epoch(one.epoch)
            .with_instance_id(one.instance.map(text))
            .with_rebalance_timeout_ms(one.timeout_ms)
            .with_subscribed_topic_names(one.topics.as_ref().map(names))
            .with_server_assignor(one.assignor.map(text))
            .with_topic_partitions(owned)
    }
}

pub(super) fn describe_consumers(of: &str) -> impl Fn(i16) -> ConsumerGroupDescribeRequest {
    let of = of.to_owned();
    move |_| ConsumerGroupDescribeRequest::default().with_group_ids(vec![group(&of)])
}

/// Asks for what is committed as a member; before version 9 nobody says who he is.
pub(super) fn committed_as(
    member: &Member,
    to: (&str, &[i32]),
) -> impl Fn(i16) -> OffsetFetchRequest {
    let (member, name, numbers) = (member.clone(), to.0.to_owned(), to.1.to_vec());
    move |version| {
        if version < 9 {
            return committed(&member.group, (&name, &numbers), false)(version);
        }
        let topics = OffsetFetchRequestTopics::default()
            .with_name(topic(&name))
            .with_partition_indexes(numbers.clone());
        let id = (!member.id.is_empty()).then(|| text(&member.id));
        let one = OffsetFetchRequestGroup::default()
            .with_group_id(group(&member.group))
            .with_member_id(id)
            .with_member_epoch(member.generation)
            .with_topics(Some(vec![topics]));
        OffsetFetchRequest::default().with_groups(vec![one])
    }
}
