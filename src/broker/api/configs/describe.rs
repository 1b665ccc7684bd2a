//! `DescribeConfigs`: what is set, and where it comes from.

use std::sync::Arc;

use kafka_protocol::error::ResponseError as Code;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResult,
};
use kafka_protocol::messages::{DescribeConfigsRequest, DescribeConfigsResponse};
use kafka_protocol::protocol::StrBytes;

use super::broker;
use super::groups::GROUP_SETTINGS;
use super::kind::{
    BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP, Refused, TOPIC, allowed, check_broker,
};
use super::origin::{DEFAULT, Origin, origins};
use super::shown::{Shown, shown, synonym};
use crate::auth::acl::Operation;
use crate::broker::api::Call;
use crate::broker::api::metadata::{MALFORMED, name_fault};
use crate::hub::embedded::topics::{configs, kept};

/// Where the value of a group's setting comes from when a client has set it.
const SET_FOR_GROUP: i8 = 8;

pub(in crate::broker::api) async fn describe(
    call: Arc<Call>,
    request: DescribeConfigsRequest,
) -> DescribeConfigsResponse {
    let with =
        Shown { synonyms: request.include_synonyms, documentation: request.include_documentation };
    let results = request.resources.into_iter().map(|resource| {
        let (code, why, configs) = match of(&call, &resource, with) {
            Ok(configs) => (0, String::new(), wanted(&resource, configs)),
            Err((code, why)) => (code.code(), why, Vec::new()),
        };
        DescribeConfigsResult::default()
            .with_resource_type(resource.resource_type)
            .with_resource_name(resource.resource_name)
            .with_error_code(code)
            .with_error_message(Some(StrBytes::from_string(why)))
            .with_configs(configs)
    });
    DescribeConfigsResponse::default().with_results(results.collect())
}

/// Those that were asked for; all when none are named.
fn wanted(
    resource: &DescribeConfigsResource,
    mut configs: Vec<DescribeConfigsResourceResult>,
) -> Vec<DescribeConfigsResourceResult> {
    if let Some(keys) = resource.configuration_keys.as_ref().filter(|keys| !keys.is_empty()) {
        configs.retain(|config| keys.contains(&config.name));
    }
    configs
}

fn of(
    call: &Call,
    resource: &DescribeConfigsResource,
    with: Shown,
) -> Result<Vec<DescribeConfigsResourceResult>, Refused> {
    let (kind, name) = (resource.resource_type, resource.resource_name.as_str());
    let invalid = |why: &str| Err((Code::InvalidRequest, why.to_owned()));
    if ![TOPIC, BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP].contains(&kind) {
        return invalid(MALFORMED);
    }
    allowed(call, Operation::DescribeConfigs, (kind, name))?;
    match kind {
        TOPIC => of_topic(call, name, with),
        BROKER if name.is_empty() => Ok(broker::of_all_brokers(call, with)),
        BROKER => {
            check_broker(name, "1 or empty string, but ", "Broker id")?;
            Ok(broker::of_this_broker(call, with))
        }
        BROKER_LOGGER if name.is_empty() => invalid("Broker id must not be empty"),
        BROKER_LOGGER => {
            check_broker(name, "1 but ", "Broker id")?;
            Ok(Vec::new())
        }
        CLIENT_METRICS if name.is_empty() => {
            invalid("Client metrics subscription name must not be empty")
        }
        CLIENT_METRICS => Ok(of_client_metrics(with)),
        _ if name.is_empty() => invalid("Group name must not be empty"),
        _ => Ok(of_group(call, name, with)),
    }
}

fn of_topic(
    call: &Call,
    name: &str,
    with: Shown,
) -> Result<Vec<DescribeConfigsResourceResult>, Refused> {
    if let Some(fault) = name_fault(name) {
        return Err((Code::InvalidTopicException, format!("Topic name is invalid: {fault}")));
    }
    let state = call.hub().topic_state(name);
    let state = state.ok_or((Code::UnknownTopicOrPartition, String::new()))?;
    let one = |known: &configs::Known| {
        let mut origins = origins(call.hub(), name, &state.overrides, known);
        let listed = origins.clone();
        origins.push(Origin::of_default(known));
        let synonyms = listed.into_iter().map(synonym).collect();
        let found = shown((known.name, known.kind.code()), origins, known.documentation, with);
        if with.synonyms { found.with_synonyms(synonyms) } else { found }
    };
    Ok(configs::KNOWN.iter().map(one).collect())
}

fn of_group(call: &Call, name: &str, with: Shown) -> Vec<DescribeConfigsResourceResult> {
    let set = call.hub().kept_settings(&format!("{}{name}", kept::GROUP));
    let one = |setting: &super::groups::GroupSetting| {
        let own = set.get(setting.name).cloned();
        let own = own.map(|value| Origin { name: setting.name, value, source: SET_FOR_GROUP });
        let default = setting.default.to_owned();
        let default = Origin { name: setting.broker_name, value: default, source: DEFAULT };
        let origins = own.into_iter().chain([default]).collect();
        shown((setting.name, setting.kind.code()), origins, setting.documentation, with)
    };
    GROUP_SETTINGS.iter().map(one).collect()
}

/// Kafka's defaults: nothing is subscribed to.
fn of_client_metrics(with: Shown) -> Vec<DescribeConfigsResourceResult> {
    let one = |(name, kind, value): (&'static str, i8, &str)| {
        let origin = Origin { name, value: value.to_owned(), source: DEFAULT };
        let found = shown((name, kind), vec![origin], "Shown only: no metrics are taken.", with);
        found.with_synonyms(Vec::new())
    };
    [("interval.ms", 3, "300000"), ("match", 7, ""), ("metrics", 7, "")].map(one).into()
}
