//! Sinks that send to the agent itself.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use anabranch_connectors::contract::settings::Reached;

use super::findings::Findings;
use super::topics::Topics;
use crate::config::{Config, HubConfig};

pub(super) fn check(config: &Config, topics: &Topics<'_>, findings: &mut Findings) {
    let way = Way::of(config, topics);
    for (name, sink) in &config.sinks {
        let reaches = sink.to.reaches();
        let setting = reaches.first().map_or("", |reached| reached.setting);
        let path = ["sinks", name, "to", sink.to.kind(), setting];
        for Reached { host, port, .. } in reaches {
            if let Some(part) = way.not_for_records(&host, port) {
                let problem = format!("{host}:{port} is this agent's own {part}");
                findings.error(&path, problem, "write the address of the far side");
            }
        }
        for source in way.to_sources.get(name.as_str()).into_iter().flatten() {
            if way.comes_back(name, source) {
                let problem = format!(
                    "sends to the agent's own source `{source}`, and what that takes comes back to this sink for ever"
                );
                let hint = "send to another address, or let the sink read other topics";
                findings.error(&path, problem, hint);
            } else {
                let problem = format!("sends to the agent's own source `{source}`");
                let hint = "leave the way round out: a sink may read any topic";
                findings.warning(&path, problem, hint);
            }
        }
    }
}

/// Who sends to whom inside of the agent.
struct Way<'a> {
    /// Sources by the sinks that send to them.
    to_sources: BTreeMap<&'a str, Vec<&'a str>>,
    /// Sinks by the sources that write what they read.
    to_sinks: BTreeMap<&'a str, Vec<&'a str>>,
    others: Vec<(&'static str, &'a str)>,
}

impl<'a> Way<'a> {
    fn of(config: &'a Config, topics: &Topics<'_>) -> Self {
        let listening: Vec<(&str, String)> = config
            .sources
            .iter()
            .flat_map(|(name, source)| {
                source.from.listens().into_iter().map(move |address| (name.as_str(), address))
            })
            .collect();
        let mut by_topic: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (name, source) in &config.sources {
            by_topic.entry(&source.topic).or_default().push(name);
        }
        let (mut to_sources, mut to_sinks): (BTreeMap<_, Vec<&str>>, BTreeMap<_, Vec<&str>>) =
            (BTreeMap::new(), BTreeMap::new());
        for (name, sink) in &config.sinks {
            for Reached { host, port, .. } in sink.to.reaches() {
                let own = listening.iter().filter(|(_, address)| {
                    address.strip_prefix("tcp://").is_some_and(|own| is_at(own, &host, port))
                });
                to_sources.entry(name.as_str()).or_default().extend(own.map(|(source, _)| *source));
            }
            if to_sources.get(name.as_str()).is_none_or(Vec::is_empty) {
                continue;
            }
            for topic in topics.read_by(&sink.topics) {
                for source in by_topic.get(topic).into_iter().flatten() {
                    to_sinks.entry(*source).or_default().push(name.as_str());
                }
            }
        }
        let mut others: Vec<(&str, &str)> = Vec::new();
        others.extend(config.admin.listen.as_deref().map(|address| ("admin address", address)));
        if let HubConfig::Embedded(hub) = &config.hub {
            let part = "address for clients of Kafka's protocol";
            others.extend(hub.listen.address().map(|address| (part, address)));
            others.extend(hub.listeners.iter().map(|one| (part, one.address.as_str())));
        }
        Self { to_sources, to_sinks, others }
    }

    fn not_for_records(&self, host: &str, port: u16) -> Option<&'static str> {
        self.others.iter().find(|(_, own)| is_at(own, host, port)).map(|(part, _)| *part)
    }

    /// Whether what `source` takes reaches `sink`, perhaps through other sinks and sources.
    fn comes_back(&self, sink: &str, source: &'a str) -> bool {
        let (mut seen, mut open) = (BTreeSet::new(), vec![source]);
        while let Some(source) = open.pop() {
            for next in self.to_sinks.get(source).into_iter().flatten() {
                if *next == sink {
                    return true;
                }
                if seen.insert(*next) {
                    open.extend(self.to_sources.get(next).into_iter().flatten());
                }
            }
        }
        false
    }
}

/// Whether who connects to `host` and `port` on this machine reaches what listens on `own`.
fn is_at(own: &str, host: &str, port: u16) -> bool {
    let Some((listens, own_port)) = own.rsplit_once(':') else { return false };
    if own_port.parse() != Ok(port) || port == 0 {
        return false;
    }
    let bare = |host: &str| host.trim_matches(['[', ']']).to_ascii_lowercase();
    let (listens, host) = (bare(listens), bare(host));
    let ip = |host: &str| host.parse::<IpAddr>().ok();
    let is_local = |host: &str| {
        host == "localhost" || ip(host).is_some_and(|ip| ip.is_loopback() || ip.is_unspecified())
    };
    listens == host || (is_local(&listens) && is_local(&host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_the_agents_own_by_whatever_name_the_machine_is_called() {
        for (own, host, port, expected) in [
            ("127.0.0.1:8687", "localhost", 8687, true),
            ("0.0.0.0:8687", "127.0.0.1", 8687, true),
            ("[::]:8687", "[::1]", 8687, true),
            ("collector:8687", "Collector", 8687, true),
            ("127.0.0.1:8687", "127.0.0.1", 8688, false),
            ("0.0.0.0:8687", "far.example", 8687, false),
            ("0.0.0.0:0", "localhost", 0, false),
        ] {
            assert_eq!(is_at(own, host, port), expected, "{own} {host}:{port}");
        }
    }
}
