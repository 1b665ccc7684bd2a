//! `AlterConfigs` sets all settings of something anew; `IncrementalAlterConfigs` changes some (KIP-339).

use std::sync::Arc;

use kafka_protocol::error::ResponseError as Code;
use kafka_protocol::messages::alter_configs_response::AlterConfigsResourceResponse;
use kafka_protocol::messages::incremental_alter_configs_response::AlterConfigsResourceResponse as Incremental;
use kafka_protocol::messages::{
    AlterConfigsRequest, AlterConfigsResponse, IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
};
use kafka_protocol::protocol::StrBytes;

use super::Refused;
use super::target::Target;
use crate::broker::api::Call;
use crate::hub::embedded::configs::Overrides;

/// One setting that is changed: its name, Kafka's number of what is done, and the value for that.
type Change = (String, i8, Option<String>);

const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

pub(in crate::broker::api) async fn alter(
    call: Arc<Call>,
    request: AlterConfigsRequest,
) -> AlterConfigsResponse {
    let mut responses = Vec::with_capacity(request.resources.len());
    let of = |kind: i8, name: &StrBytes| (kind, name.clone());
    let named: Vec<_> =
        request.resources.iter().map(|one| of(one.resource_type, &one.resource_name)).collect();
    for resource in request.resources {
        let (kind, name) = of(resource.resource_type, &resource.resource_name);
        let set = resource.configs.into_iter().map(|config| {
            let value = config.value.map(|value| value.to_string());
            (config.name.to_string(), SET, value)
        });
        let changes =
            Changes { all: set.collect(), anew: true, only_checked: request.validate_only };
        let done = once(&named, (kind, &name), changed(&call, (kind, &name), changes)).await;
        let (code, why) = outcome(done);
        responses.push(
            AlterConfigsResourceResponse::default()
                .with_resource_type(kind)
                .with_resource_name(name)
                .with_error_code(code)
                .with_error_message(why),
        );
    }
    AlterConfigsResponse::default().with_responses(responses)
}

pub(in crate::broker::api) async fn alter_incrementally(
    call: Arc<Call>,
    request: IncrementalAlterConfigsRequest,
) -> IncrementalAlterConfigsResponse {
    let mut responses = Vec::with_capacity(request.resources.len());
    let of = |kind: i8, name: &StrBytes| (kind, name.clone());
    let named: Vec<_> =
        request.resources.iter().map(|one| of(one.resource_type, &one.resource_name)).collect();
    for resource in request.resources {
        let (kind, name) = of(resource.resource_type, &resource.resource_name);
        let all = resource.configs.into_iter().map(|config| {
            let value = config.value.map(|value| value.to_string());
            (config.name.to_string(), config.config_operation, value)
        });
        let changes =
            Changes { all: all.collect(), anew: false, only_checked: request.validate_only };
        let done = once(&named, (kind, &name), changed(&call, (kind, &name), changes)).await;
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

/// What a client wants of one resource.
struct Changes {
    all: Vec<Change>,
    /// Whether what is not named is taken away.
    anew: bool,
    only_checked: bool,
}

fn outcome(done: Result<(), Refused>) -> (i16, Option<StrBytes>) {
    match done {
        Ok(()) => (0, None),
        Err((code, why)) => (code.code(), Some(StrBytes::from_string(why))),
    }
}

/// Does it, unless the resource is named more than once.
async fn once(
    named: &[(i8, StrBytes)],
    (kind, name): (i8, &StrBytes),
    done: impl Future<Output = Result<(), Refused>>,
) -> Result<(), Refused> {
    if named.iter().filter(|one| (one.0, &one.1) == (kind, name)).count() > 1 {
        let why = "Each resource must appear at most once.".to_owned();
        return Err((Code::InvalidRequest, why));
    }
    done.await
}

async fn changed(
    call: &Call,
    resource: (i8, &str),
    Changes { all, anew, only_checked }: Changes,
) -> Result<(), Refused> {
    let target = Target::find(call, resource)?;
    let twice = |(at, (name, ..)): (usize, &Change)| all.iter().take(at).any(|one| one.0 == *name);
    if all.iter().enumerate().any(twice) {
        let why = "Error due to duplicate config keys".to_owned();
        return Err((Code::InvalidRequest, why));
    }
    let mut settings = if anew { Overrides::new() } else { target.settings(call) };
    for change in all {
        let name = change.0.clone();
        match result_of(call, &target, &change, &settings)? {
            Some(value) => drop(settings.insert(name, value)),
            None => drop(settings.remove(&name)),
        }
    }
    if only_checked {
        return Ok(());
    }
    target.set(call, settings).await
}

/// What a setting has after the change; `None` for nothing of its own.
fn result_of(
    call: &Call,
    target: &Target,
    (name, operation, value): &Change,
    settings: &Overrides,
) -> Result<Option<String>, Refused> {
    let null = || (Code::InvalidRequest, format!("Null value not supported for : {name}"));
    let list_only = |what| {
        let why = format!("Can't {what} to key {name} because its type is not LIST.");
        Err((Code::InvalidConfig, why))
    };
    if *operation == DELETE {
        return Ok(None);
    }
    let value = value.as_ref().ok_or_else(null)?;
    let known = target.kind_and_value(call, name);
    let (kind, now) = known.ok_or_else(|| target.unknown(call, name))?;
    let value = match *operation {
        SET => value.clone(),
        APPEND | SUBTRACT if kind.is_list() => {
            let now = settings.get(name).cloned().unwrap_or(now);
            let (mut all, named) = (parts(&now), parts(value));
            all.retain(|part| *operation == APPEND || !named.contains(part));
            if *operation == APPEND {
                all.extend(named.into_iter().filter(|part| !parts(&now).contains(part)));
            }
            all.join(",")
        }
        APPEND => return list_only("APPEND"),
        SUBTRACT => return list_only("SUBTRACT"),
        other => return Err((Code::InvalidRequest, format!("unknown operation {other}"))),
    };
    target.check(call, name, &value)?;
    Ok(Some(value))
}

fn parts(text: &str) -> Vec<String> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts.map(str::to_owned).collect()
}
