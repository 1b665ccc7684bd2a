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

use super::kind::Refused;
use super::target::Target;
use crate::broker::api::Call;
use crate::hub::embedded::topics::configs::Overrides;

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
    let named = request.resources.into_iter().map(|one| {
        let set = one.configs.into_iter().map(|config| (config.name, SET, config.value));
        (one.resource_type, one.resource_name, set.map(change).collect())
    });
    let how = How { anew: true, only_checked: request.validate_only };
    let done = alter_all(&call, named.collect(), how).await.into_iter();
    let responses = done.map(|(kind, name, (code, why))| {
        AlterConfigsResourceResponse::default()
            .with_resource_type(kind)
            .with_resource_name(name)
            .with_error_code(code)
            .with_error_message(why)
    });
    AlterConfigsResponse::default().with_responses(responses.collect())
}

pub(in crate::broker::api) async fn alter_incrementally(
    call: Arc<Call>,
    request: IncrementalAlterConfigsRequest,
) -> IncrementalAlterConfigsResponse {
    let named = request.resources.into_iter().map(|one| {
        let all = one.configs.into_iter();
        let all = all.map(|config| (config.name, config.config_operation, config.value));
        (one.resource_type, one.resource_name, all.map(change).collect())
    });
    let how = How { anew: false, only_checked: request.validate_only };
    let done = alter_all(&call, named.collect(), how).await.into_iter();
    let responses = done.map(|(kind, name, (code, why))| {
        Incremental::default()
            .with_resource_type(kind)
            .with_resource_name(name)
            .with_error_code(code)
            .with_error_message(why)
    });
    IncrementalAlterConfigsResponse::default().with_responses(responses.collect())
}

/// What a client wants of one resource: its kind, its name, and what is changed.
type Wish = (i8, StrBytes, Vec<Change>);

/// How it is changed.
#[derive(Clone, Copy)]
struct How {
    /// Whether what is not named is taken away.
    anew: bool,
    only_checked: bool,
}

fn change((name, operation, value): (StrBytes, i8, Option<StrBytes>)) -> Change {
    (name.to_string(), operation, value.map(|value| value.to_string()))
}

/// Does it for one after another, but for what is named more than once; a code and a reason for each.
async fn alter_all(
    call: &Call,
    wishes: Vec<Wish>,
    how: How,
) -> Vec<(i8, StrBytes, (i16, Option<StrBytes>))> {
    let named: Vec<(i8, StrBytes)> =
        wishes.iter().map(|(kind, name, _)| (*kind, name.clone())).collect();
    let mut outcomes = Vec::with_capacity(wishes.len());
    for (kind, name, changes) in wishes {
        let is_it = |one: &&(i8, StrBytes)| one.0 == kind && one.1 == name;
        let done = if named.iter().filter(is_it).count() > 1 {
            let why = "Each resource must appear at most once.".to_owned();
            Err((Code::InvalidRequest, why))
        } else {
            changed(call, (kind, &name), changes, how).await
        };
        outcomes.push((kind, name, outcome(done)));
    }
    outcomes
}

fn outcome(done: Result<(), Refused>) -> (i16, Option<StrBytes>) {
    match done {
        Ok(()) => (0, None),
        Err((code, why)) => (code.code(), Some(StrBytes::from_string(why))),
    }
}

async fn changed(
    call: &Call,
    resource: (i8, &str),
    all: Vec<Change>,
    How { anew, only_checked }: How,
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
