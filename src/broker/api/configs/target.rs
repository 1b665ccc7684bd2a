//! Whose settings a client changes, and what they may be.

use std::sync::Arc;

use kafka_protocol::error::ResponseError as Code;

use super::kind::{
    BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP, Refused, TOPIC, allowed, check_broker,
};
use super::origin::{Origin, origins};
use super::{broker, groups};
use crate::auth::acl::Operation;
use crate::broker::api::Call;
use crate::broker::api::metadata::{code_of, name_fault};
use crate::hub::embedded::TopicState;
use crate::hub::embedded::topics::configs::{self, Kind, Overrides};
use crate::hub::embedded::topics::kept;

/// What has settings that clients change.
pub(super) enum Target {
    Topic(Arc<TopicState>),
    /// All brokers, or this one: the key under which their settings are kept.
    Broker(&'static str),
    Group(String),
}

impl Target {
    /// Finds what is named, if the client may change it.
    pub(super) fn find(call: &Call, (kind, name): (i8, &str)) -> Result<Self, Refused> {
        let invalid = |why: String| Err((Code::InvalidRequest, why));
        if ![TOPIC, BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP].contains(&kind) {
            return invalid(format!("Unknown resource type {kind}"));
        }
        allowed(call, Operation::AlterConfigs, (kind, name))?;
        match kind {
            TOPIC if name.is_empty() => {
                invalid("Default topic resources are not allowed.".to_owned())
            }
            TOPIC => topic(call, name).map(Self::Topic),
            BROKER if name.is_empty() => Ok(Self::Broker(kept::BROKERS)),
            BROKER => {
                check_broker(name, "1, but ", "Node id")?;
                Ok(Self::Broker(kept::THIS_BROKER))
            }
            GROUP if name.is_empty() => {
                invalid("Default group resources are not allowed.".to_owned())
            }
            GROUP => Ok(Self::Group(name.to_owned())),
            BROKER_LOGGER => {
                invalid("the log is set by `log` in the configuration, or RUST_LOG".to_owned())
            }
            _ => invalid("metrics of clients are not taken here".to_owned()),
        }
    }

    /// What is set.
    pub(super) fn settings(&self, call: &Call) -> Overrides {
        match self {
            Self::Topic(state) => Overrides::clone(&state.overrides),
            Self::Broker(key) => call.hub().kept_settings(key),
            Self::Group(name) => call.hub().kept_settings(&group_key(name)),
        }
    }

    /// The type of a setting, and what holds now; `None` when there is no such setting.
    pub(super) fn kind_and_value(&self, call: &Call, name: &str) -> Option<(Kind, String)> {
        let first = |origins: Vec<Origin>| origins.into_iter().next().map(|origin| origin.value);
        match self {
            Self::Topic(state) => {
                let known = configs::find(name)?;
                let set = origins(call.hub(), &state.topic.name, &state.overrides, known);
                Some((known.kind, first(set).unwrap_or_else(|| known.default.to_owned())))
            }
            Self::Broker(key) => {
                let known = configs::find_by_broker_name(name)?;
                let set = call.hub().kept_settings(key).remove(name);
                let value =
                    set.or_else(|| first(origins(call.hub(), "", &Overrides::new(), known)));
                Some((known.kind, value.unwrap_or_else(|| known.default.to_owned())))
            }
            Self::Group(_) => {
                let setting = groups::find(name)?;
                Some((setting.kind, setting.default.to_owned()))
            }
        }
    }

    /// What is said of a setting that there is not.
    pub(super) fn unknown(&self, call: &Call, name: &str) -> Refused {
        match self {
            Self::Topic(_) => (Code::InvalidConfig, format!("Unknown topic config name: {name}")),
            Self::Group(_) => (Code::InvalidConfig, format!("Unknown group config name: {name}")),
            Self::Broker(_) if broker::is_fixed(call, name) => {
                (Code::InvalidRequest, format!("Cannot update these configs dynamically: [{name}]"))
            }
            Self::Broker(_) => {
                let why = format!("{name} means nothing here; defaults of topics can be set");
                (Code::InvalidRequest, why)
            }
        }
    }

    /// Whether a setting may have that value.
    pub(super) fn check(&self, call: &Call, name: &str, value: &str) -> Result<(), Refused> {
        match self {
            Self::Topic(_) => configs::check(name, value).map_err(|why| (Code::InvalidConfig, why)),
            Self::Broker(_) => {
                let known = configs::find_by_broker_name(name);
                let known = known.ok_or_else(|| self.unknown(call, name))?;
                configs::check_kind(known.kind, name, value)
                    .map_err(|why| (Code::InvalidRequest, why))
            }
            Self::Group(_) => {
                let setting = groups::find(name).ok_or_else(|| self.unknown(call, name))?;
                setting.check(value).map_err(|why| (Code::InvalidConfig, why))
            }
        }
    }

    /// Sets all settings in place of those of before.
    pub(super) async fn set(&self, call: &Call, settings: Overrides) -> Result<(), Refused> {
        let done = match self {
            Self::Topic(state) => call.hub().configure(&state.topic.name, settings).await,
            Self::Broker(key) => call.hub().keep_settings((*key).to_owned(), &settings).await,
            Self::Group(name) => call.hub().keep_settings(group_key(name), &settings).await,
        };
        done.map_err(|error| (code_of(&error), error.to_string()))
    }
}

fn group_key(name: &str) -> String {
    format!("{}{name}", kept::GROUP)
}

fn topic(call: &Call, name: &str) -> Result<Arc<TopicState>, Refused> {
    if let Some(fault) = name_fault(name) {
        return Err((Code::InvalidTopicException, format!("Topic name is invalid: {fault}")));
    }
    let state = call.hub().topic_state(name);
    let state = state.ok_or_else(|| {
        (Code::UnknownTopicOrPartition, format!("The topic '{name}' does not exist."))
    })?;
    if state.is_internal() {
        return Err((Code::InvalidTopicException, format!("{name} is the hub's own")));
    }
    Ok(state)
}
