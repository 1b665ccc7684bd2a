//! Topics and groups of the cluster: made and deleted.

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{Offset as At, TopicPartitionList};

use super::admin::{ANSWER_MAX, not_now, unusable};
use super::context::Quiet;
use super::settings::Settings;
use crate::hub::HubError;

/// Makes a topic; one that is there already is [`HubError::Exists`].
pub(super) fn create(settings: &Settings, name: &str, partitions: u32) -> Result<(), HubError> {
    let partitions = i32::try_from(partitions).unwrap_or(i32::MAX);
    let replication = TopicReplication::Fixed(settings.replication_factor);
    let mut topic = NewTopic::new(name, partitions, replication);
    if name == settings.positions_topic {
        topic = topic.set("cleanup.policy", "compact");
    }
    let results = with_admin(settings, async |client, options| {
        client.create_topics([&topic], options).await
    })?;
    match results.into_iter().next() {
        Some(Err((_, RDKafkaErrorCode::TopicAlreadyExists))) => {
            Err(HubError::Exists(name.to_owned()))
        }
        Some(Err((_, code))) if is_final(code) => {
            Err(HubError::Fatal(format!("cannot make topic \"{name}\": {code}")))
        }
        Some(Err((_, code))) => {
            Err(HubError::NotNow(format!("cannot make topic \"{name}\": {code}")))
        }
        Some(Ok(_)) | None => Ok(()),
    }
}

/// Deletes a topic.
pub(super) fn delete(settings: &Settings, name: &str) -> Result<(), HubError> {
    let results =
        with_admin(settings, async |client, options| client.delete_topics(&[name], options).await)?;
    match results.into_iter().next() {
        Some(Err((_, RDKafkaErrorCode::UnknownTopicOrPartition))) => {
            Err(HubError::UnknownTopic(name.to_owned()))
        }
        Some(Err((_, code))) => {
            Err(HubError::NotNow(format!("cannot delete topic \"{name}\": {code}")))
        }
        Some(Ok(_)) | None => Ok(()),
    }
}

/// Deletes the records of a partition before an offset.
pub(super) fn delete_records(
    settings: &Settings,
    (topic, partition): (&str, i32),
    before: i64,
) -> Result<(), HubError> {
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, partition, At::Offset(before)).map_err(not_now)?;
    let deleted =
        with_admin(settings, async |client, options| client.delete_records(&list, options).await)?;
    deleted.elements().iter().try_for_each(|place| place.error()).map_err(not_now)
}

/// Deletes a group that nobody is in; says whether there was one.
pub(super) fn delete_group(settings: &Settings, name: &str) -> Result<bool, HubError> {
    let results =
        with_admin(settings, async |client, options| client.delete_groups(&[name], options).await);
    match results?.into_iter().next() {
        Some(Err((_, RDKafkaErrorCode::GroupIdNotFound))) => Ok(false),
        Some(Err((_, code))) => Err(HubError::NotNow(format!("group \"{name}\": {code}"))),
        Some(Ok(_)) | None => Ok(true),
    }
}

/// The largest batch that the brokers take for `topic`, bytes; `None` when they do not tell.
pub(super) fn message_max(settings: &Settings, topic: &str) -> Option<usize> {
    let wanted = ResourceSpecifier::Topic(topic);
    let results = with_admin(settings, async |client, options| {
        client.describe_configs([&wanted], options).await
    });
    let config = results.ok()?.into_iter().next()?.ok()?;
    config.get("max.message.bytes")?.value.as_ref()?.parse().ok()
}

/// Runs one administrative call on a thread and a runtime of its own, so that it may be made from anywhere.
fn with_admin<T: Send>(
    settings: &Settings,
    call: impl AsyncFnOnce(&AdminClient<Quiet>, &AdminOptions) -> Result<T, KafkaError> + Send,
) -> Result<T, HubError> {
    let run = || {
        let client: AdminClient<Quiet> = settings
            .admin()
            .create_with_context(Quiet::default())
            .map_err(|error| unusable(&error))?;
        let options = AdminOptions::new()
            .request_timeout(Some(ANSWER_MAX))
            .operation_timeout(Some(ANSWER_MAX));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .map_err(|error| HubError::NotNow(format!("cannot start a runtime: {error}")))?;
        let done = runtime.block_on(call(&client, &options));
        let servers = settings.bootstrap_servers.join(",");
        done.map_err(|error| client.inner().context().trouble(&servers, &error))
    };
    std::thread::scope(|scope| scope.spawn(run).join())
        .unwrap_or_else(|_panic| Err(HubError::NotNow("the admin client has failed".to_owned())))
}

/// Answers that will not change by asking again.
fn is_final(code: RDKafkaErrorCode) -> bool {
    matches!(
        code,
        RDKafkaErrorCode::InvalidTopic
            | RDKafkaErrorCode::InvalidPartitions
            | RDKafkaErrorCode::InvalidReplicationFactor
            | RDKafkaErrorCode::TopicAuthorizationFailed
            | RDKafkaErrorCode::ClusterAuthorizationFailed
            | RDKafkaErrorCode::PolicyViolation
    )
}
