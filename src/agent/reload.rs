//! A new configuration for a running agent: parts that did not change keep running.

use std::collections::BTreeMap;

use anabranch_connectors::shared::stream::tls;
use tracing::{error, info, warn};

use super::hub;
use super::parts::{self, relying_on};
use super::running::{Agent, GRACE};
use crate::config::Config;

/// What became of parts, by name.
#[derive(Debug, Default, PartialEq, Eq)]
struct Changes {
    added: Vec<String>,
    changed: Vec<String>,
    removed: Vec<String>,
}

impl Changes {
    fn between<T: PartialEq>(old: &BTreeMap<String, T>, new: &BTreeMap<String, T>) -> Self {
        let mut changes = Self::default();
        for (name, part) in new {
            match old.get(name) {
                None => changes.added.push(name.clone()),
                Some(before) if before != part => changes.changed.push(name.clone()),
                Some(_) => {}
            }
        }
        changes.removed = old.keys().filter(|name| !new.contains_key(*name)).cloned().collect();
        changes
    }

    fn words(&self, what: &str) -> Vec<String> {
        let lists =
            [("added", &self.added), ("changed", &self.changed), ("removed", &self.removed)];
        let there = lists.into_iter().filter(|(_, names)| !names.is_empty());
        there.map(|(done, names)| format!("{what} {done}: {}", names.join(", "))).collect()
    }
}

/// What a reload has done, in words.
fn said_of(sources: &Changes, sinks: &Changes) -> String {
    let said = [sources.words("sources"), sinks.words("sinks")].concat();
    if said.is_empty() { "none of sources and sinks".to_owned() } else { said.join("; ") }
}

impl Agent {
    /// Takes over what changed of the sources and sinks, and who may connect. A changed sink goes on at its committed offset, a changed
    /// source at its stored positions. Certificates are read anew also where the configuration has not changed.
    pub(crate) async fn reload(&mut self, new: Config) {
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
        *self.routes.write() = parts::routes(&self.config);
        self.hub.keep_for(hub::groups(&self.config));
        *self.reads.write() = parts::reads(&self.config);
        let restarted = self.reload_sinks(&old).await + self.reload_sources(&old).await;
        renew_certificates().await;
        let (sources, sinks) = (
            Changes::between(&old.sources, &self.config.sources),
            Changes::between(&old.sinks, &self.config.sinks),
        );
        let said = said_of(&sources, &sinks);
        info!(restarted, changes = said, "the configuration was reloaded");
        if self.config.sources.is_empty() && self.config.sinks.is_empty() {
            warn!("neither a source nor a sink is left; the agent only keeps what it has");
        }
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

/// Has the certificates of sources and of `admin` read anew, whose listeners stay as they are.
async fn renew_certificates() {
    match tokio::task::spawn_blocking(tls::renew).await {
        Ok(failed) => {
            failed.iter().for_each(|why| error!("{why}; it stays as it was before"));
        }
        Err(why) => error!(%why, "certificates were not read anew"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_changed_and_went_is_said_by_name() {
        let parts = |of: &[(&str, u8)]| -> BTreeMap<String, u8> {
            of.iter().map(|(name, is)| ((*name).to_owned(), *is)).collect()
        };
        let (old, new) =
            (parts(&[("a", 1), ("b", 1), ("c", 1)]), parts(&[("b", 2), ("c", 1), ("d", 1)]));
        let sources = Changes::between(&old, &new);
        let sinks = Changes::between(&old, &parts(&[]));
        assert_eq!(
            said_of(&sources, &sinks),
            "sources added: d; sources changed: b; sources removed: a; sinks removed: a, b, c"
        );
        let none = Changes::between(&old, &old);
        assert_eq!(said_of(&none, &none), "none of sources and sinks");
    }
}
