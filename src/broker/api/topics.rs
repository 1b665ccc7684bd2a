//! `CreateTopics`, `CreatePartitions`, `DeleteRecords`.

use std::sync::Arc;

use kafka_protocol::error::ResponseError as Code;
use kafka_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use kafka_protocol::messages::create_partitions_response::CreatePartitionsTopicResult;
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::create_topics_response::{
    CreatableTopicConfigs, CreatableTopicResult,
};
use kafka_protocol::messages::delete_records_response::{
    DeleteRecordsPartitionResult, DeleteRecordsTopicResult,
};
use kafka_protocol::messages::{
    BrokerId, CreatePartitionsRequest, CreatePartitionsResponse, CreateTopicsRequest,
    CreateTopicsResponse, DeleteRecordsRequest, DeleteRecordsResponse, TopicName,
};
use kafka_protocol::protocol::StrBytes;

use super::Call;
use super::configs::{Origin, origins};
use super::metadata::{code_of, name_fault};
use crate::auth::acl::{Operation, Resource};
use crate::broker::NODE;
use crate::hub::embedded::TopicState;
use crate::hub::embedded::topics::configs::{self, Overrides};
use crate::topic_name::PARTITIONS_MAX;

/// A refusal, with words for a person.
type Refused = (Code, String);

/// Kafka's number for a value that nobody has set.
const DEFAULT: i8 = 5;
const NOT_POSITIVE: &str = "Number of partitions was set to an invalid non-positive value.";

pub(super) async fn create(call: Arc<Call>, request: CreateTopicsRequest) -> CreateTopicsResponse {
    let mut results: Vec<CreatableTopicResult> = Vec::with_capacity(request.topics.len());
    let names: Vec<TopicName> = request.topics.iter().map(|topic| topic.name.clone()).collect();
    for topic in request.topics {
        let twice = names.iter().filter(|name| **name == topic.name).count() > 1;
        let made = if !call.may(Operation::Create, Resource::CLUSTER)
            && !call.may(Operation::Create, Resource::topic(&topic.name))
        {
            Err(denied())
        } else if twice {
            Err((Code::InvalidRequest, "Duplicate topic name.".to_owned()))
        } else {
            create_one(&call, &topic, request.validate_only).await
        };
        let result = CreatableTopicResult::default().with_name(topic.name.clone());
        let result = result.with_error_message(None);
        let sees =
            made.is_err() || call.may(Operation::DescribeConfigs, Resource::topic(&topic.name));
        let result = match made {
            Ok((..)) if !sees => {
                let state = call.hub().topic_state(&topic.name);
                result
                    .with_topic_id(state.map(|state| state.wire_id).unwrap_or_default())
                    .with_topic_config_error_code(Code::TopicAuthorizationFailed.code())
                    .with_configs(Some(Vec::new()))
            }
            Ok((partitions, configs)) => {
                let state = call.hub().topic_state(&topic.name);
                result
                    .with_topic_id(state.map(|state| state.wire_id).unwrap_or_default())
                    .with_num_partitions(partitions)
                    .with_replication_factor(1)
                    .with_configs(Some(configs))
            }
            Err((code, why)) => result
                .with_error_code(code.code())
                .with_error_message(Some(StrBytes::from_string(why)))
                .with_num_partitions(-1)
                .with_replication_factor(-1)
                .with_configs(Some(Vec::new())),
        };
        if !results.iter().any(|known| known.name == result.name) {
            results.push(result);
        }
    }
    CreateTopicsResponse::default().with_topics(results)
}

/// Said of topics that are there and of those that are not.
pub(super) fn denied() -> Refused {
    (Code::TopicAuthorizationFailed, "Topic authorization failed.".to_owned())
}

async fn create_one(
    call: &Call,
    topic: &CreatableTopic,
    validate_only: bool,
) -> Result<(i32, Vec<CreatableTopicConfigs>), Refused> {
    let name = topic.name.as_str();
    if let Some(fault) = name_fault(name) {
        return Err((Code::InvalidTopicException, format!("Topic name is invalid: {fault}")));
    }
    if call.hub().topic_state(name).is_some() {
        return Err((Code::TopicAlreadyExists, format!("Topic '{name}' already exists.")));
    }
    let partitions = partitions_of(call, topic)?;
    let mut overrides = Overrides::new();
    for config in &topic.configs {
        let value = config.value.as_ref().map(ToString::to_string);
        let value = value.ok_or_else(|| {
            (
                Code::InvalidConfig,
                format!("Null value not supported for topic configs: {}", config.name),
            )
        })?;
        configs::check(&config.name, &value).map_err(|why| (Code::InvalidConfig, why))?;
        overrides.insert(config.name.to_string(), value);
    }
    let shown = shown(call, name, &overrides);
    if validate_only {
        return Ok((partitions, shown));
    }
    let count = u32::try_from(partitions).unwrap_or(1);
    let failed = |error: crate::hub::HubError| (code_of(&error), error.to_string());
    call.hub().ensure_topic(name, Some(count)).await.map_err(failed)?;
    if !overrides.is_empty() {
        call.hub().configure(name, overrides).await.map_err(failed)?;
    }
    Ok((partitions, shown))
}

fn partitions_of(call: &Call, topic: &CreatableTopic) -> Result<i32, Refused> {
    let default = call.hub().base_settings(&topic.name).partitions;
    if !topic.assignments.is_empty() {
        return assigned(topic);
    }
    match topic.replication_factor {
        -1 | 1 => {}
        factor if factor < 1 => {
            let why = "Replication factor must be larger than 0, or -1 to use the default value."
                .to_owned();
            return Err((Code::InvalidReplicationFactor, why));
        }
        factor => {
            let why = format!(
                "Unable to replicate the partition {factor} time(s): The target replication factor of {factor} cannot be reached because only 1 broker(s) are registered or some brokers have all their log directories cordoned."
            );
            return Err((Code::InvalidReplicationFactor, why));
        }
    }
    match topic.num_partitions {
        -1 => Ok(i32::try_from(default).unwrap_or(1)),
        number if number < 1 => Err((Code::InvalidPartitions, NOT_POSITIVE.to_owned())),
        number if number > i32::from(PARTITIONS_MAX) => {
            Err((Code::InvalidPartitions, format!("at most {PARTITIONS_MAX} partitions")))
        }
        number => Ok(number),
    }
}

/// The partitions of a topic for which a client says where each is to be: all are here.
fn assigned(topic: &CreatableTopic) -> Result<i32, Refused> {
    let both = |what| {
        let why =
            format!("A manual partition assignment was specified, but {what} was not set to -1.");
        Err((Code::InvalidRequest, why))
    };
    if topic.replication_factor != -1 {
        return both("replication factor");
    }
    if topic.num_partitions != -1 {
        return both("numPartitions");
    }
    let count = i32::try_from(topic.assignments.len()).unwrap_or(i32::MAX);
    let mut numbers: Vec<i32> = topic.assignments.iter().map(|one| one.partition_index).collect();
    numbers.sort_unstable();
    for one in &topic.assignments {
        here(&one.broker_ids)?;
    }
    if !numbers.into_iter().eq(0..count) {
        let why = "partitions should be a consecutive 0-based integer sequence".to_owned();
        return Err((Code::InvalidReplicaAssignment, why));
    }
    Ok(count)
}

/// Whether those are the brokers that a partition can be on: the one there is.
pub(super) fn here(brokers: &[BrokerId]) -> Result<(), Refused> {
    let refuse = |why| Err((Code::InvalidReplicaAssignment, why));
    match brokers.iter().find(|id| id.0 != NODE) {
        Some(BrokerId(other)) => refuse(format!(
            "The manual partition assignment includes broker {other}, but no such broker is registered."
        )),
        None if brokers.is_empty() => {
            refuse("The manual partition assignment includes an empty replica list.".to_owned())
        }
        None if brokers.len() > 1 => refuse(format!(
            "The manual partition assignment includes the broker {NODE} more than once."
        )),
        None => Ok(()),
    }
}

/// Every setting of a topic, as it is or would be.
fn shown(call: &Call, name: &str, overrides: &Overrides) -> Vec<CreatableTopicConfigs> {
    let one = |known: &configs::Known| {
        let set = origins(call.hub(), name, overrides, known).into_iter().next();
        let (value, source) = set.map_or((known.default.to_owned(), DEFAULT), |origin| {
            let Origin { value, source, .. } = origin;
            (value, source)
        });
        CreatableTopicConfigs::default()
            .with_name(StrBytes::from_static_str(known.name))
            .with_value(Some(StrBytes::from_string(value)))
            .with_config_source(source)
    };
    configs::KNOWN.iter().map(one).collect()
}

pub(super) async fn create_partitions(
    call: Arc<Call>,
    request: CreatePartitionsRequest,
) -> CreatePartitionsResponse {
    let mut results: Vec<CreatePartitionsTopicResult> = Vec::with_capacity(request.topics.len());
    let names: Vec<TopicName> = request.topics.iter().map(|topic| topic.name.clone()).collect();
    for topic in request.topics {
        if results.iter().any(|known| known.name == topic.name) {
            continue;
        }
        let made = if names.iter().filter(|name| **name == topic.name).count() > 1 {
            Err((Code::InvalidRequest, "Duplicate topic name.".to_owned()))
        } else {
            more_partitions(&call, &topic, request.validate_only).await
        };
        let result = CreatePartitionsTopicResult::default().with_name(topic.name);
        results.push(match made {
            Ok(()) => result.with_error_message(None),
            // Kafka has no words for a topic that is not there.
            Err((code @ Code::UnknownTopicOrPartition, _)) => {
                result.with_error_code(code.code()).with_error_message(None)
            }
            Err((code, why)) => result
                .with_error_code(code.code())
                .with_error_message(Some(StrBytes::from_string(why))),
        });
    }
    CreatePartitionsResponse::default().with_results(results)
}

async fn more_partitions(
    call: &Call,
    topic: &CreatePartitionsTopic,
    validate_only: bool,
) -> Result<(), Refused> {
    if !call.may(Operation::Alter, Resource::topic(&topic.name)) {
        return Err(denied());
    }
    let state = call.hub().topic_state(&topic.name);
    let state = state.ok_or((Code::UnknownTopicOrPartition, String::new()))?;
    let have = i32::try_from(state.partitions.len()).unwrap_or(i32::MAX);
    let name = &state.topic.name;
    let refuse = |why: String| Err((Code::InvalidPartitions, why));
    if state.is_internal() {
        return Err((Code::InvalidTopicException, format!("{name} is the hub's own")));
    }
    if topic.count == have {
        return refuse(format!("Topic already has {have} partition(s)."));
    }
    if topic.count < have {
        let count = topic.count;
        return refuse(format!(
            "The topic {name} currently has {have} partition(s); {count} would not be an increase."
        ));
    }
    if topic.count > i32::from(PARTITIONS_MAX) {
        return refuse(format!("at most {PARTITIONS_MAX} partitions"));
    }
    if let Some(assignments) = &topic.assignments {
        let (more, given) = (topic.count - have, assignments.len());
        if i32::try_from(given) != Ok(more) {
            let why = format!(
                "Attempted to add {more} additional partition(s), but only {given} assignment(s) were specified."
            );
            return Err((Code::InvalidReplicaAssignment, why));
        }
        assignments.iter().try_for_each(|one| here(&one.broker_ids))?;
    }
    if validate_only {
        return Ok(());
    }
    let made = call.hub().ensure_topic(name, u32::try_from(topic.count).ok()).await;
    made.map_err(|error| (code_of(&error), error.to_string()))
}

pub(super) async fn delete_records(
    call: Arc<Call>,
    request: DeleteRecordsRequest,
) -> DeleteRecordsResponse {
    let mut topics = Vec::with_capacity(request.topics.len());
    for topic in request.topics {
        let allowed = call.may(Operation::Delete, Resource::topic(&topic.name));
        let state = call.hub().topic_state(&topic.name);
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for wanted in topic.partitions {
            let at = (wanted.partition_index, wanted.offset);
            let deleted = if allowed {
                delete_up_to(&call, state.as_ref(), at).await
            } else {
                Err(Code::TopicAuthorizationFailed)
            };
            let answer = DeleteRecordsPartitionResult::default()
                .with_partition_index(wanted.partition_index);
            partitions.push(match deleted {
                Ok(low) => answer.with_low_watermark(low),
                Err(code) => answer.with_low_watermark(-1).with_error_code(code.code()),
            });
        }
        let answer = DeleteRecordsTopicResult::default();
        topics.push(answer.with_name(topic.name).with_partitions(partitions));
    }
    DeleteRecordsResponse::default().with_topics(topics)
}

async fn delete_up_to(
    call: &Call,
    state: Option<&Arc<TopicState>>,
    (number, offset): (i32, i64),
) -> Result<i64, Code> {
    let state = state.ok_or(Code::UnknownTopicOrPartition)?;
    let partition = state.partition(number).ok_or(Code::UnknownTopicOrPartition)?;
    if state.is_internal() {
        return Err(Code::InvalidTopicException);
    }
    if !state.settings.cleanup.delete {
        return Err(Code::PolicyViolation);
    }
    let offset = if offset == -1 { partition.end() } else { offset };
    if offset < 0 || offset > partition.end() {
        return Err(Code::OffsetOutOfRange);
    }
    if offset <= partition.start() {
        return Ok(partition.start());
    }
    call.hub().delete_before(Arc::clone(partition), offset).await.map_err(|error| code_of(&error))
}
