//! `DescribeConfigs`, `AlterConfigs`, `IncrementalAlterConfigs`.

use std::collections::BTreeMap;
use std::sync::Arc;

use kafka_protocol::error::ResponseError as Code;
use kafka_protocol::messages::alter_configs_response::AlterConfigsResourceResponse;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResult, DescribeConfigsSynonym,
};
use kafka_protocol::messages::incremental_alter_configs_response::AlterConfigsResourceResponse as Incremental;
use kafka_protocol::messages::{
    AlterConfigsRequest, AlterConfigsResponse, DescribeConfigsRequest, DescribeConfigsResponse,
    IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse,
};
use kafka_protocol::protocol::StrBytes;

use super::Call;
use super::metadata::{code_of, name_fault};
use crate::broker::NODE;
use crate::broker::auth::acl::{Operation, Resource};
use crate::hub::embedded::configs::{self, Known, Overrides};
use crate::hub::embedded::{TopicSettings, TopicState};

const TOPIC: i8 = 2;
const BROKER: i8 = 4;
const BROKER_LOGGER: i8 = 8;
/// Where a value comes from: a client has set it, the configuration file, Kafka's default.
const SET: i8 = 1;
const DEFAULT: i8 = 5;

/// A refusal, with words for a person.
type Refused = (Code, String);

pub(super) async fn describe(
    call: Arc<Call>,
    request: DescribeConfigsRequest,
) -> DescribeConfigsResponse {
    let with = (request.include_synonyms, request.include_documentation);
    let results = request.resources.into_iter().map(|resource| {
        let found = describe_one(&call, &resource, with);
        let result = DescribeConfigsResult::default()
            .with_resource_type(resource.resource_type)
            .with_resource_name(resource.resource_name);
        match found {
            Ok(configs) => result.with_configs(configs),
            Err((code, why)) => result
                .with_error_code(code.code())
                .with_error_message(Some(StrBytes::from_string(why))),
        }
    });
    DescribeConfigsResponse::default().with_results(results.collect())
}

fn describe_one(
    call: &Call,
    resource: &DescribeConfigsResource,
    with: (bool, bool),
) -> Result<Vec<DescribeConfigsResourceResult>, Refused> {
    let wants = |name: &str| {
        let keys = resource.configuration_keys.as_ref();
        keys.is_none_or(|keys| keys.is_empty() || keys.iter().any(|key| key.as_str() == name))
    };
    match resource.resource_type {
        TOPIC => {
            allowed(call, Operation::DescribeConfigs, (TOPIC, &resource.resource_name))?;
            if let Some(fault) = name_fault(&resource.resource_name) {
                return Err((Code::InvalidTopicException, fault));
            }
            let state = topic(call, &resource.resource_name)?;
            let known = configs::KNOWN.iter().filter(|known| wants(known.name));
            let base = call.hub().base_settings(&state.topic.name);
            Ok(known.map(|known| shown(&state, base, known, with)).collect())
        }
        BROKER => {
            allowed(call, Operation::DescribeConfigs, (BROKER, ""))?;
            broker(&resource.resource_name)?;
            let known = broker_configs(call);
            Ok(known.into_iter().filter(|one| wants(&one.name)).collect())
        }
        BROKER_LOGGER => {
            allowed(call, Operation::DescribeConfigs, (BROKER, ""))?;
            Ok(Vec::new())
        }
        other => Err((Code::InvalidRequest, format!("Unsupported resource type: {other}"))),
    }
}

/// Whether the client may do that with the settings of a topic, or of the broker.
fn allowed(call: &Call, operation: Operation, (kind, name): (i8, &str)) -> Result<(), Refused> {
    let (resource, code) = if kind == TOPIC {
        (Resource::topic(name), Code::TopicAuthorizationFailed)
    } else {
        (Resource::CLUSTER, Code::ClusterAuthorizationFailed)
    };
    if call.may(operation, resource) { Ok(()) } else { Err((code, String::new())) }
}

fn topic(call: &Call, name: &str) -> Result<Arc<TopicState>, Refused> {
    let missing = || (Code::UnknownTopicOrPartition, String::new());
    call.hub().topic_state(name).ok_or_else(missing)
}

fn broker(name: &str) -> Result<(), Refused> {
    if name.is_empty() || name.parse() == Ok(NODE) {
        return Ok(());
    }
    let why = format!("Unexpected broker id, expected {NODE} or empty string, but received {name}");
    Err((Code::InvalidRequest, why))
}

fn shown(
    state: &TopicState,
    base: &TopicSettings,
    known: &Known,
    (synonyms, documentation): (bool, bool),
) -> DescribeConfigsResourceResult {
    let set = state.overrides.get(known.name).cloned();
    let source = if set.is_some() { SET } else { DEFAULT };
    let default = StrBytes::from_string(configs::value(known, base));
    let name = StrBytes::from_static_str(known.name);
    let synonym = |name: StrBytes, value: &StrBytes, source| {
        let synonym = DescribeConfigsSynonym::default().with_name(name).with_source(source);
        synonym.with_value(Some(value.clone()))
    };
    let set = set.map(StrBytes::from_string);
    let mut all: Vec<_> = set.iter().map(|value| synonym(name.clone(), value, SET)).collect();
    if let Some(broker) = known.broker_name() {
        all.push(synonym(StrBytes::from_string(broker), &default, DEFAULT));
    }
    let value = set.unwrap_or(default);
    DescribeConfigsResourceResult::default()
        .with_name(name)
        .with_value(Some(value))
        .with_config_source(source)
        .with_synonyms(if synonyms { all } else { Vec::new() })
        .with_config_type(known.kind.code())
        .with_documentation(documentation.then(StrBytes::new))
}

/// What programs ask a broker for, Connect and monitoring among them.
fn broker_configs(call: &Call) -> Vec<DescribeConfigsResourceResult> {
    let settings = call.hub().base_settings("");
    let (host, port) = &call.session.advertised;
    let pairs = [
        ("advertised.listeners", format!("PLAINTEXT://{host}:{port}"), 2),
        ("auto.create.topics.enable", call.broker().settings.auto_create_topics.to_string(), 1),
        ("broker.id", NODE.to_string(), 3),
        ("default.replication.factor", "1".to_owned(), 3),
        ("delete.topic.enable", "true".to_owned(), 1),
        ("listeners", format!("PLAINTEXT://{host}:{port}"), 2),
        ("log.cleanup.policy", "delete".to_owned(), 7),
        ("message.max.bytes", settings.max_message_bytes.to_string(), 3),
        ("min.insync.replicas", "1".to_owned(), 3),
        ("num.partitions", settings.partitions.to_string(), 3),
        ("offsets.topic.replication.factor", "1".to_owned(), 4),
        ("transaction.state.log.min.isr", "1".to_owned(), 3),
    ];
    let one = |(name, value, kind): (&'static str, String, i8)| {
        DescribeConfigsResourceResult::default()
            .with_name(StrBytes::from_static_str(name))
            .with_value(Some(StrBytes::from_string(value)))
            .with_read_only(true)
            .with_config_source(DEFAULT)
            .with_config_type(kind)
    };
    pairs.into_iter().map(one).collect()
}

pub(super) async fn alter(call: Arc<Call>, request: AlterConfigsRequest) -> AlterConfigsResponse {
    let mut responses = Vec::with_capacity(request.resources.len());
    for resource in request.resources {
        let (mut overrides, mut missing) = (Overrides::new(), false);
        for config in resource.configs {
            missing |= config.value.is_none();
            let value = config.value.map(|value| value.to_string()).unwrap_or_default();
            overrides.insert(config.name.to_string(), value);
        }
        let resource_of = (resource.resource_type, resource.resource_name.as_str());
        let done = if missing {
            Err((Code::InvalidRequest, "null is not a value here".to_owned()))
        } else {
            replace(&call, resource_of, overrides, request.validate_only).await
        };
        let (code, why) = outcome(done);
        responses.push(
            AlterConfigsResourceResponse::default()
                .with_resource_type(resource.resource_type)
                .with_resource_name(resource.resource_name)
                .with_error_code(code)
                .with_error_message(why),
        );
    }
    AlterConfigsResponse::default().with_responses(responses)
}

fn outcome(done: Result<(), Refused>) -> (i16, Option<StrBytes>) {
    match done {
        Ok(()) => (0, None),
        Err((code, why)) => (code.code(), Some(StrBytes::from_string(why))),
    }
}

/// Sets all of a topic's settings, in place of those that were set before.
async fn replace(
    call: &Call,
    (kind, name): (i8, &str),
    overrides: Overrides,
    validate_only: bool,
) -> Result<(), Refused> {
    allowed(call, Operation::AlterConfigs, (kind, name))?;
    if kind == BROKER {
        broker(name)?;
        let why = "the broker is configured by its own file".to_owned();
        return Err((Code::InvalidRequest, why));
    }
    if kind != TOPIC {
        return Err((Code::InvalidRequest, format!("Unsupported resource type: {kind}")));
    }
    let state = topic(call, name)?;
    if state.is_internal() {
        return Err((Code::InvalidTopicException, format!("{name} is the hub's own")));
    }
    for (name, value) in &overrides {
        configs::check(name, value).map_err(|why| (Code::InvalidConfig, why))?;
    }
    if validate_only {
        return Ok(());
    }
    let done = call.hub().configure(name, overrides).await;
    done.map_err(|error| (code_of(&error), error.to_string()))
}

pub(super) async fn alter_incrementally(
    call: Arc<Call>,
    request: IncrementalAlterConfigsRequest,
) -> IncrementalAlterConfigsResponse {
    let mut responses = Vec::with_capacity(request.resources.len());
    for resource in request.resources {
        let (kind, name) = (resource.resource_type, resource.resource_name);
        let changes = resource.configs.into_iter().map(|config| {
            let value = config.value.map(|value| value.to_string());
            (config.name.to_string(), config.config_operation, value)
        });
        let done = match changed(&call, kind, &name, changes.collect()) {
            Ok(overrides) => replace(&call, (kind, &name), overrides, request.validate_only).await,
            Err(refused) => Err(refused),
        };
        let (code, why) = outcome(done);
        responses.push(
            Incremental::default()
                .with_resource_type(kind)
                .with_resource_name(name)
                .with_error_code(code)
                .with_error_message(why),
        );
    }
    IncrementalAlterConfigsResponse::default().with_responses(responses)
}

/// What is set after the changes: 0 sets, 1 deletes, 2 appends to a list, 3 takes out of it.
fn changed(
    call: &Call,
    kind: i8,
    name: &str,
    changes: Vec<(String, i8, Option<String>)>,
) -> Result<Overrides, Refused> {
    allowed(call, Operation::AlterConfigs, (kind, name))?;
    if kind != TOPIC {
        return Ok(BTreeMap::new());
    }
    let state = topic(call, name)?;
    let mut overrides = Overrides::clone(&state.overrides);
    for (name, operation, value) in changes {
        let known = configs::find(&name);
        let known = known
            .ok_or_else(|| (Code::InvalidConfig, format!("Unknown topic config name: {name}")))?;
        let now =
            overrides.get(&name).cloned().unwrap_or_else(|| configs::value(known, &state.settings));
        let parts = |text: &str| -> Vec<String> {
            text.split(',')
                .map(str::trim)
                .filter(|part| !part.is_empty())
                .map(str::to_owned)
                .collect()
        };
        match (operation, value) {
            (0, Some(value)) => drop(overrides.insert(name, value)),
            (1, _) => drop(overrides.remove(&name)),
            (2 | 3, Some(value)) if known.kind.is_list() => {
                let (mut all, named) = (parts(&now), parts(&value));
                all.retain(|part| !named.contains(part));
                if operation == 2 {
                    all.extend(named);
                }
                overrides.insert(name, all.join(","));
            }
            (2 | 3, Some(_)) => {
                let why = format!("Config value append is not allowed for config key: {name}");
                return Err((Code::InvalidConfig, why));
            }
            (_, None) => {
                let why = format!("Null value not supported for : {name}");
                return Err((Code::InvalidRequest, why));
            }
            (other, _) => {
                return Err((Code::InvalidRequest, format!("unknown operation {other}")));
            }
        }
    }
    Ok(overrides)
}
