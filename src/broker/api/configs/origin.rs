//! Where a setting of a topic has its value from.

use crate::hub::embedded::Embedded;
use crate::hub::embedded::topics::configs::{self, Known, Overrides};
use crate::hub::embedded::topics::kept::{BROKERS, THIS_BROKER};

/// Kafka's numbers for where a value comes from.
pub(in crate::broker::api) const SET_FOR_TOPIC: i8 = 1;
pub(super) const SET_FOR_THIS_BROKER: i8 = 2;
pub(super) const SET_FOR_BROKERS: i8 = 3;
pub(super) const FILE: i8 = 4;
pub(super) const DEFAULT: i8 = 5;

/// A value, and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::broker::api) struct Origin {
    /// The name under which it stands there.
    pub(in crate::broker::api) name: &'static str,
    pub(in crate::broker::api) value: String,
    pub(in crate::broker::api) source: i8,
}

impl Origin {
    /// What a setting has if nothing has it under any name that can be shown.
    pub(super) fn of_default(known: &Known) -> Self {
        Self { name: known.name, value: known.default.to_owned(), source: DEFAULT }
    }
}

/// Everything that says something of a setting of the topic `name`: what is set for the topic, which is `overrides`,
/// comes first and holds; the others hold where it is taken away.
pub(in crate::broker::api) fn origins(
    hub: &Embedded,
    name: &str,
    overrides: &Overrides,
    known: &Known,
) -> Vec<Origin> {
    let mut origins = Vec::new();
    let mut add = |name, value: Option<String>, source| {
        origins.extend(value.map(|value| Origin { name, value, source }));
    };
    add(known.name, overrides.get(known.name).cloned(), SET_FOR_TOPIC);
    let [this, all] = hub.set_for_brokers(name, known, [THIS_BROKER, BROKERS]);
    add(known.broker_name, this, SET_FOR_THIS_BROKER);
    add(known.broker_name, all, SET_FOR_BROKERS);
    let configured = configs::value(known, hub.configured_settings(name));
    if configured != known.default {
        add(known.broker_name, Some(configured), FILE);
    }
    if known.has_broker_default() {
        add(known.broker_name, Some(known.default.to_owned()), DEFAULT);
    }
    origins
}
