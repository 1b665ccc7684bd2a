//! Topics and groups of the cluster: looked at and moved.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anabranch_record::varint;
use parking_lot::RwLock;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::metadata::MetadataTopic;
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{Offset as At, TopicPartitionList};
use tokio::time::Instant;
use tracing::warn;

use super::context::Quiet;
use super::settings::Settings;
use crate::hub::embedded::IN_PROCESS;
use crate::hub::{GroupInfo, HubError, Offset, PartitionInfo, TopicInfo};

/// How long one question to the cluster may take.
pub(super) const ANSWER_MAX: Duration = Duration::from_secs(10);

/// What an agent's clients call themselves, unless a property says otherwise; members beside each other add a number.
const AGENT: &str = "anabranch";

/// How long a look at one thing may take; it stands in the way of a stop.
const LOOK_MAX: Duration = Duration::from_secs(3);

/// How long it waits before it asks again who leads a partition.
const AGAIN: Duration = Duration::from_millis(200);

/// Looks at the cluster; a client without a group.
pub(super) struct Observer {
    client: RwLock<Arc<BaseConsumer<Quiet>>>,
    servers: String,
}

impl Observer {
    pub(super) fn new(settings: &Settings) -> Result<Self, HubError> {
        let client = RwLock::new(Arc::new(group_client(settings, "")?));
        Ok(Self { client, servers: settings.bootstrap_servers.join(",") })
    }

    /// Goes on with a new client: the old one gets no answers where others do.
    pub(super) fn renew(&self, settings: &Settings) {
        if let Ok(client) = group_client(settings, "") {
            *self.client.write() = Arc::new(client);
            settings.renewed.fetch_add(1, Ordering::Relaxed);
            warn!(
                "a kafka client that only asks got no answers where a new one does; it is built anew"
            );
        }
    }

    fn client(&self) -> Arc<BaseConsumer<Quiet>> {
        Arc::clone(&self.client.read())
    }

    /// The first and the next offset of a partition, asked with little patience.
    pub(super) fn ends_now(&self, topic: &str, partition: i32) -> Result<(i64, i64), KafkaError> {
        self.ends_within(topic, partition, LOOK_MAX)
    }

    /// The same, waiting no longer than `limit`.
    pub(super) fn ends_within(
        &self,
        topic: &str,
        partition: i32,
        limit: Duration,
    ) -> Result<(i64, i64), KafkaError> {
        self.client().fetch_watermarks(topic, partition, limit)
    }

    /// Why a question was not answered: where, and what librdkafka said about its connections.
    fn trouble(&self, error: &KafkaError) -> HubError {
        // What it has to say comes with the events.
        self.serve();
        self.client().context().trouble(&self.servers, error)
    }

    /// The cluster's own name.
    pub(super) fn cluster_id(&self) -> Result<String, HubError> {
        self.client().client().fetch_cluster_id(LOOK_MAX).ok_or_else(|| {
            HubError::NotNow(format!(
                "kafka at {} does not tell its id; are the brokers reachable?",
                self.servers
            ))
        })
    }

    /// How many partitions `topic` has; `None` when it does not exist.
    pub(super) fn partitions(&self, topic: &str) -> Result<Option<u32>, HubError> {
        self.partitions_within(topic, LOOK_MAX)
    }

    /// The same, waiting no longer than `limit`.
    pub(super) fn partitions_within(
        &self,
        topic: &str,
        limit: Duration,
    ) -> Result<Option<u32>, HubError> {
        self.serve();
        let asked = self.client().fetch_metadata(Some(topic), limit);
        let metadata = asked.map_err(|error| self.trouble(&error))?;
        let known = metadata.topics().iter().find(|known| known.name() == topic);
        match known.map(|known| (known.error(), known)) {
            None | Some((Some(RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART), _)) => {
                Ok(None)
            }
            Some((Some(error), _)) => {
                let code = RDKafkaErrorCode::from(error);
                Err(HubError::NotNow(format!("topic \"{topic}\" cannot be used: {code}")))
            }
            Some((None, known)) => Ok(Some(count(known)).filter(|count| *count > 0)),
        }
    }

    /// The names of all topics and how many partitions each has.
    pub(super) fn names(&self) -> Result<Vec<(String, u32)>, HubError> {
        self.serve();
        let metadata =
            self.client().fetch_metadata(None, ANSWER_MAX).map_err(|error| self.trouble(&error))?;
        let mut names: Vec<_> =
            metadata.topics().iter().map(|topic| (topic.name().to_owned(), count(topic))).collect();
        names.sort();
        Ok(names)
    }

    pub(super) fn topics(&self) -> Result<Vec<TopicInfo>, HubError> {
        self.names()?.into_iter().map(|(name, partitions)| self.topic(name, partitions)).collect()
    }

    fn topic(&self, name: String, partitions: u32) -> Result<TopicInfo, HubError> {
        let partitions = numbers(partitions)
            .map(|partition| {
                let (start, end) = self.ends(&name, partition)?;
                Ok(PartitionInfo { start, end, bytes: None })
            })
            .collect::<Result<_, HubError>>()?;
        Ok(TopicInfo { name, partitions })
    }

    /// The first and the next offset of a partition; where another broker leads it by now, that one is asked.
    fn ends(&self, topic: &str, partition: i32) -> Result<(i64, i64), HubError> {
        let client = self.client();
        let ends = || client.fetch_watermarks(topic, partition, ANSWER_MAX);
        once_led(&client, Some(topic), ends).map_err(|error| self.trouble(&error))
    }

    pub(super) fn offsets_at(&self, topic: &str, time_ms: i64) -> Result<Vec<Offset>, HubError> {
        let unknown = || HubError::UnknownTopic(topic.to_owned());
        let partitions = self.partitions(topic)?.ok_or_else(unknown)?;
        let mut wanted = TopicPartitionList::new();
        for partition in numbers(partitions) {
            wanted
                .add_partition_offset(topic, partition, At::Offset(time_ms.max(0)))
                .map_err(|error| self.trouble(&error))?;
        }
        let found = self
            .client()
            .offsets_for_times(wanted, ANSWER_MAX)
            .map_err(|error| self.trouble(&error))?;
        let mut offsets = Vec::new();
        for place in found.elements() {
            place.error().map_err(|error| self.trouble(&error))?;
            let offset = match place.offset() {
                At::Offset(offset) => offset,
                At::Beginning | At::End | At::Stored | At::Invalid | At::OffsetTail(_) => {
                    self.ends(topic, place.partition())?.1
                }
            };
            let topic = topic.to_owned();
            offsets.push(Offset { topic, partition: place.partition(), offset, epoch: -1 });
        }
        Ok(offsets)
    }

    pub(super) fn groups(&self, settings: &Settings) -> Result<Vec<GroupInfo>, HubError> {
        let list = self
            .client()
            .fetch_group_list(None, ANSWER_MAX)
            .map_err(|error| self.trouble(&error))?;
        let mut names: Vec<String> = list
            .groups()
            .iter()
            .filter(|group| matches!(group.protocol_type(), "" | "consumer"))
            .map(|group| group.name().to_owned())
            .collect();
        names.sort();
        let topics = self.names()?;
        names.into_iter().map(|name| group(settings, name, &topics)).collect()
    }

    /// One group, without asking for all the others.
    pub(super) fn group(&self, settings: &Settings, name: String) -> Result<GroupInfo, HubError> {
        group(settings, name, &self.names()?)
    }

    /// Whether a member of the group is the sink of an agent: by the name of its client, or because it is in the
    /// process of the broker itself.
    pub(super) fn is_of_sink(&self, group: &str) -> Result<bool, HubError> {
        let list = self.client().fetch_group_list(Some(group), ANSWER_MAX);
        let list = list.map_err(|error| self.trouble(&error))?;
        let mut members = list.groups().iter().flat_map(|known| known.members());
        Ok(members.any(|member| {
            let id = member.client_id();
            let number = id.strip_prefix(AGENT).and_then(|rest| rest.strip_prefix('-'));
            member.client_host() == IN_PROCESS
                || id == AGENT
                || number.is_some_and(|number| number.parse::<u32>().is_ok())
        }))
    }

    /// What a group has committed, with its metadata.
    pub(super) fn committed(
        &self,
        settings: &Settings,
        group: &str,
    ) -> Result<Vec<(Offset, String)>, HubError> {
        committed(settings, group, &self.names()?)
    }

    /// Stores offsets for a group that nobody is in.
    pub(super) fn set_offsets(
        &self,
        settings: &Settings,
        group: &str,
        offsets: &[Offset],
    ) -> Result<(), HubError> {
        let list = self
            .client()
            .fetch_group_list(Some(group), ANSWER_MAX)
            .map_err(|error| self.trouble(&error))?;
        let members: usize = list.groups().iter().map(|known| known.members().len()).sum();
        if members > 0 {
            return Err(HubError::NotNow(format!(
                "group \"{group}\" has {members} members; stop them before its offsets are set"
            )));
        }
        let mut wanted = TopicPartitionList::new();
        for offset in offsets {
            wanted
                .add_partition_offset(&offset.topic, offset.partition, At::Offset(offset.offset))
                .map_err(|error| HubError::Fatal(format!("offset {}: {error}", offset.offset)))?;
        }
        let member = group_client(settings, group)?;
        member.commit(&wanted, CommitMode::Sync).map_err(|error| self.trouble(&error))
    }

    /// Lets the client hand on its log lines.
    fn serve(&self) {
        // Without a group there are no messages to come.
        let _nothing = self.client().poll(Duration::ZERO);
    }
}

fn group(
    settings: &Settings,
    name: String,
    topics: &[(String, u32)],
) -> Result<GroupInfo, HubError> {
    let offsets = committed(settings, &name, topics)?.into_iter().map(|(offset, _)| offset);
    Ok(GroupInfo { name, offsets: offsets.collect() })
}

/// What a group has committed, with its metadata.
fn committed(
    settings: &Settings,
    name: &str,
    topics: &[(String, u32)],
) -> Result<Vec<(Offset, String)>, HubError> {
    let mut wanted = TopicPartitionList::new();
    for (topic, partitions) in topics.iter().filter(|(topic, _)| !topic.starts_with("__")) {
        for partition in numbers(*partitions) {
            wanted.add_partition(topic, partition);
        }
    }
    let client = group_client(settings, name)?;
    let servers = settings.bootstrap_servers.join(",");
    let found = client.committed_offsets(wanted, ANSWER_MAX);
    let found = found.map_err(|error| client.context().trouble(&servers, &error))?;
    let mut offsets = Vec::new();
    for place in found.elements() {
        if let At::Offset(offset) = place.offset() {
            let topic = place.topic().to_owned();
            let offset = Offset { topic, partition: place.partition(), offset, epoch: -1 };
            offsets.push((offset, place.metadata().to_owned()));
        }
    }
    Ok(offsets)
}

/// A client of that group which is no member.
pub(super) fn group_client(
    settings: &Settings,
    group: &str,
) -> Result<BaseConsumer<Quiet>, HubError> {
    settings.consumer(group).create_with_context(Quiet::default()).map_err(|error| unusable(&error))
}

/// The partitions' numbers.
pub(super) fn numbers(partitions: u32) -> std::ops::Range<i32> {
    0..i32::try_from(partitions).unwrap_or(i32::MAX)
}

/// The answer to a question for the brokers that lead partitions; where another one leads by now, or none yet, since the topic
/// has just been made, it is asked again for a while.
pub(super) fn once_led<C: ConsumerContext, T>(
    client: &BaseConsumer<C>,
    topic: Option<&str>,
    ask: impl Fn() -> Result<T, KafkaError>,
) -> Result<T, KafkaError> {
    let until = Instant::now() + ANSWER_MAX;
    loop {
        match ask() {
            Err(error) if is_moving(&error) && Instant::now() < until => {
                // By this the client learns who leads. An error is as good as the one before.
                client.fetch_metadata(topic, LOOK_MAX).ok();
                std::thread::park_timeout(AGAIN);
            }
            found => return found,
        }
    }
}

/// Whether another broker leads the partition, or is about to.
fn is_moving(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::NotLeaderForPartition
                | RDKafkaErrorCode::LeaderNotAvailable
                | RDKafkaErrorCode::UnknownLeaderEpoch
                | RDKafkaErrorCode::FencedLeaderEpoch
        )
    )
}

fn count(topic: &MetadataTopic) -> u32 {
    u32::try_from(varint::length(topic.partitions().len())).unwrap_or(u32::MAX)
}

#[expect(clippy::needless_pass_by_value, reason = "stands in map_err, which hands the error over")]
pub(super) fn not_now(error: KafkaError) -> HubError {
    HubError::NotNow(format!("kafka: {error}"))
}

/// A client that cannot even be made: its settings are wrong.
pub(super) fn unusable(error: &KafkaError) -> HubError {
    HubError::Fatal(format!(
        "cannot make a kafka client: {error}; check the hub's \"options\" against librdkafka's"
    ))
}
