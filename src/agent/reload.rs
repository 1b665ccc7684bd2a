//! A new configuration for a running agent: parts that did not change keep running.

use std::sync::PoisonError;

use tracing::{error, info, warn};

use super::parts::{self, relying_on};
use super::{Agent, GRACE, hub};
use crate::config::Config;

impl Agent {
    /// Takes over what changed of the sources and sinks, and who may connect. A changed sink goes on at its committed offset, a changed
    /// source at its stored positions.
    pub(super) async fn reload(&mut self, new: Config) {
        self.reload_clients(&new).await;
        let fixed = [
            ("data_dir", self.config.data_dir != new.data_dir),
            ("hub", self.config.hub != new.hub),
            ("topics", self.config.topics != new.topics),
            ("topic_defaults", self.config.topic_defaults != new.topic_defaults),
            ("producer", self.config.producer != new.producer),
            ("admin", self.config.admin != new.admin),
            ("log", self.config.log != new.log),
        ];
        let changed: Vec<&str> =
            fixed.iter().filter(|(_, changed)| *changed).map(|(name, _)| *name).collect();
        if !changed.is_empty() {
            warn!(settings = changed.join(", "), "changed, and takes effect at the next start");
        }
        let old = self.config.clone();
        self.config.sources = new.sources;
        self.config.sinks = new.sinks;
        self.set_routes();
        self.hub.keep_for(hub::groups(&self.config));
        *self.reads.write().unwrap_or_else(PoisonError::into_inner) = parts::reads(&self.config);
        let restarted = self.reload_sinks(&old).await + self.reload_sources(&old).await;
        info!(restarted, "the configuration was reloaded");
    }

    async fn reload_sinks(&mut self, old: &Config) -> usize {
        let names: Vec<String> = self.sinks.keys().cloned().collect();
        let mut restarted = 0;
        for name in names {
            let relied_on = relying_on(&name, old) != relying_on(&name, &self.config);
            if (relied_on || old.sinks.get(&name) != self.config.sinks.get(&name))
                && let Some(part) = self.sinks.remove(&name)
            {
                part.stop(GRACE).await;
                if !self.config.sinks.contains_key(&name) {
                    self.metrics.forget_sink(&name);
                }
            }
        }
        let wanted: Vec<String> = self.config.sinks.keys().cloned().collect();
        for name in wanted.iter().filter(|name| !self.sinks.contains_key(*name)).collect::<Vec<_>>()
        {
            restarted += 1;
            if let Err(error) = self.start_sink(name).await {
                error!(sink = name, %error, "cannot start");
            }
        }
        restarted
    }

    async fn reload_sources(&mut self, old: &Config) -> usize {
        let names: Vec<String> = self.sources.keys().cloned().collect();
        let mut restarted = 0;
        for name in names {
            if old.sources.get(&name) != self.config.sources.get(&name)
                && let Some(part) = self.sources.remove(&name)
            {
                part.stop(GRACE).await;
                if !self.config.sources.contains_key(&name) {
                    self.metrics.forget_source(&name);
                }
            }
        }
        let wanted: Vec<String> = self.config.sources.keys().cloned().collect();
        for name in
            wanted.iter().filter(|name| !self.sources.contains_key(*name)).collect::<Vec<_>>()
        {
            restarted += 1;
            self.start_source(name);
        }
        restarted
    }
}
