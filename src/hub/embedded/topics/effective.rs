//! What counts for a topic: the configuration, and over it what clients have set.

use std::sync::Arc;

use super::configs::{self, Known, Overrides};
use super::kept::{BROKERS, Changes, Entries, THIS_BROKER};
use super::settings::TopicSettings;
use super::table::KEPT;
use crate::hub::HubError;
use crate::hub::embedded::groups::coordinator::Limits;
use crate::hub::embedded::{Embedded, Shared};
use crate::topic_name::is_internal;

/// Settings of a topic that the configuration says for each topic that it names.
const CONFIGURED: [&str; 3] = ["cleanup.policy", "retention.bytes", "retention.ms"];

impl Shared {
    /// Whether settings of the broker may say this of a topic: not where the configuration names the topic, and has it
    /// there.
    fn heeds_broker(&self, topic: &str, known: &Known) -> bool {
        let is_named = self.settings.topics.contains_key(topic);
        !(is_internal(topic) || (is_named && CONFIGURED.contains(&known.name)))
    }

    /// How a topic is kept of which nobody has set anything: as configured, and as clients have set it for the broker.
    pub(crate) fn base_settings(&self, topic: &str) -> TopicSettings {
        let base = self.settings.topic(topic);
        let mut overrides = Overrides::new();
        for key in [BROKERS, THIS_BROKER] {
            for (name, value) in self.kept.settings(key) {
                let known = configs::find_by_broker_name(&name);
                if let Some(known) = known.filter(|known| self.heeds_broker(topic, known)) {
                    overrides.insert(known.name.to_owned(), value);
                }
            }
        }
        configs::apply(base, &overrides)
    }

    /// Has every topic kept as the settings of the broker say.
    pub(crate) fn apply_broker_settings(&self) {
        for state in self.topics.all().iter().filter(|state| !state.is_internal()) {
            let (name, overrides) = (&state.topic.name, Overrides::clone(&state.overrides));
            self.topics.set_overrides(name, &self.base_settings(name), overrides);
        }
    }
}

impl Embedded {
    /// What clients have set for the broker (`BROKERS`, `THIS_BROKER`) or a group (`GROUP` and its name).
    pub(crate) fn kept_settings(&self, key: &str) -> Overrides {
        self.shared.kept.settings(key)
    }

    /// What clients have set for brokers of a setting of a topic, under each of these keys.
    pub(crate) fn set_for_brokers<const N: usize>(
        &self,
        topic: &str,
        known: &Known,
        keys: [&str; N],
    ) -> [Option<String>; N] {
        let heeds = self.shared.heeds_broker(topic, known);
        keys.map(|key| self.shared.kept.settings(key).remove(known.broker_name).filter(|_| heeds))
    }

    /// How the configuration has a topic kept.
    pub(crate) fn configured_settings(&self, topic: &str) -> &TopicSettings {
        self.shared.settings.topic(topic)
    }

    /// What members of groups may ask for.
    pub(crate) fn group_limits(&self) -> Limits {
        self.shared.settings.group_limits()
    }

    /// Entries whose keys begin with `kind`, without it.
    pub(crate) fn kept(&self, kind: &str) -> Entries {
        let entries = self.shared.kept.entries();
        let of_kind = entries
            .range(kind.to_owned()..)
            .map_while(|(key, value)| Some((key.strip_prefix(kind)?.to_owned(), value.clone())));
        of_kind.collect()
    }

    /// Changes what is kept, as `decide` says of what is there; nobody else changes anything meanwhile. What it gives
    /// beside that is given back when the change is stored.
    ///
    /// # Errors
    /// What kept it from being stored.
    pub(crate) async fn change_kept<T>(
        &self,
        decide: impl FnOnce(&Entries) -> (Changes, T) + Send,
    ) -> Result<T, HubError> {
        let shared = Arc::clone(&self.shared);
        let _held = shared.kept.changing.lock().await;
        let (changes, outcome) = decide(&shared.kept.entries());
        if changes.is_empty() {
            return Ok(outcome);
        }
        let bytes = |(key, value): &(String, Option<String>)| {
            (key.clone().into_bytes(), value.clone().map(String::into_bytes))
        };
        self.store(KEPT, changes.iter().map(bytes).collect()).await?;
        {
            let mut entries = shared.kept.entries.write();
            for (key, value) in changes {
                match value {
                    Some(value) => drop(entries.insert(key, value)),
                    None => drop(entries.remove(&key)),
                }
            }
        }
        Ok(outcome)
    }

    /// Sets the settings under one key in place of those of before; none take the entry away.
    ///
    /// # Errors
    /// What kept them from being stored.
    pub(crate) async fn keep_settings(
        &self,
        key: String,
        settings: &Overrides,
    ) -> Result<(), HubError> {
        let value = serde_json::to_string(settings).unwrap_or_default();
        let value = (!settings.is_empty()).then_some(value);
        self.change_kept(|_| (vec![(key, value)], ())).await?;
        self.shared.apply_broker_settings();
        Ok(())
    }
}
