//! Addresses that two parts of the agent would both listen on.

use std::collections::BTreeMap;

use anabranch_connectors::shared::stream::activation;

use super::findings::Findings;
use crate::config::{ApiListen, Config, EmbeddedConfig, HubConfig};

/// One address, and who listens on it.
struct Listener<'a> {
    owner: String,
    path: Vec<&'a str>,
    /// As it is written.
    address: String,
    protocol: &'static str,
    host: String,
    port: String,
}

/// Those that are there already, by what two of them must share to collide.
#[derive(Default)]
struct Listeners<'a>(BTreeMap<(&'static str, String), Vec<Listener<'a>>>);

impl<'a> Listeners<'a> {
    fn add(&mut self, next: Listener<'a>) {
        self.0.entry(next.slot()).or_default().push(next);
    }

    /// The one that has the address of `next`.
    fn taken_by(&self, next: &Listener<'_>) -> Option<&Listener<'a>> {
        self.0.get(&next.slot())?.iter().find(|other| other.collides(next))
    }
}

pub(super) fn check(config: &Config, findings: &mut Findings) {
    let mut listeners = Listeners::default();
    if let Some(listen) = &config.admin.listen {
        listeners.add(listener("admin".to_owned(), vec!["admin", "listen"], listen));
    }
    if let ApiListen::At(api) = &config.admin.api
        && config.admin.listen.as_ref() != Some(api)
    {
        let next = listener("the API".to_owned(), vec!["admin", "api"], api);
        add(next, &mut listeners, findings);
    }
    let positions: Vec<String> = hub_listeners(config).map(|(index, _)| index).collect();
    for ((_, address), at) in hub_listeners(config).zip(&positions) {
        let path = vec!["hub", "embedded", "listeners", at, "address"];
        add(
            listener(format!("hub.embedded.listeners{at}"), path, address),
            &mut listeners,
            findings,
        );
    }
    for (name, source) in &config.sources {
        for address in source.from.listens() {
            let path = vec!["sources", name, "from", source.from.kind(), "listen"];
            let next = listener(format!("the source `{name}`"), path, &address);
            add(next, &mut listeners, findings);
        }
    }
    if let HubConfig::Embedded(EmbeddedConfig { listen, .. }) = &config.hub
        && let Some(address) = listen.address()
    {
        let path = vec!["hub", "embedded", "listen"];
        let next = listener("the hub".to_owned(), path, address);
        let other = listeners.taken_by(&next);
        match other.map(|other| format!("{address} is taken by {}", other.owner)) {
            Some(problem) if listen.is_explicit() => {
                findings.error(&next.path, problem, "choose another port, or none");
            }
            Some(problem) => {
                let hint = "choose another port, or none; as it is, the hub does not listen there";
                findings.warning(&next.path, problem, hint);
            }
            None => {}
        }
    }
}

/// The listeners of the hub for clients, with their places in the list.
fn hub_listeners(config: &Config) -> impl Iterator<Item = (String, &str)> {
    let listeners = match &config.hub {
        HubConfig::Embedded(embedded) => embedded.listeners.as_slice(),
        HubConfig::Kafka(_) => &[],
    };
    let numbered = listeners.iter().enumerate();
    numbered.map(|(index, listener)| (format!("[{index}]"), listener.address.as_str()))
}

fn add<'a>(next: Listener<'a>, listeners: &mut Listeners<'a>, findings: &mut Findings) {
    if let Some(other) = listeners.taken_by(&next) {
        let problem = format!("{} is taken by {}", next.address, other.owner);
        let is_passed = next.protocol == "systemd";
        let hint = if is_passed { "name another socket" } else { "choose another port" };
        findings.error(&next.path, problem, hint);
    }
    listeners.add(next);
}

fn listener<'a>(owner: String, path: Vec<&'a str>, address: &str) -> Listener<'a> {
    if let Some(name) = activation::name(address) {
        let (host, port, address) = (name.to_owned(), String::new(), address.to_owned());
        return Listener { owner, path, address, protocol: "systemd", host, port };
    }
    let named = address.split_once("://").or_else(|| address.split_once("unix:"));
    let (scheme, rest) = named.unwrap_or(("tcp", address));
    if address.starts_with("unix") {
        let (host, port) = (rest.to_owned(), String::new());
        let address = address.to_owned();
        return Listener { owner, path, address, protocol: "unix", host, port };
    }
    let protocol = if scheme == "udp" { "udp" } else { "tcp" };
    let (host, port) = rest.rsplit_once(':').unwrap_or((rest, ""));
    let host = if host == "localhost" { "127.0.0.1" } else { host };
    let (host, port, address) = (host.to_owned(), port.to_owned(), address.to_owned());
    Listener { owner, path, address, protocol, host, port }
}

impl Listener<'_> {
    /// What is the same of two that collide: the port, the path of a unix socket, or the name of one of systemd.
    fn slot(&self) -> (&'static str, String) {
        let place = if self.port.is_empty() { &self.host } else { &self.port };
        (self.protocol, place.clone())
    }

    fn collides(&self, other: &Self) -> bool {
        let any = |host: &str| matches!(host, "0.0.0.0" | "[::]" | "::" | "" | "*");
        let same_host = self.host == other.host
            || (!self.port.is_empty() && (any(&self.host) || any(&other.host)));
        self.protocol == other.protocol && self.port == other.port && self.port != "0" && same_host
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_collide_on_one_port_of_one_protocol() {
        let collide = |one: &str, two: &str| {
            let listen = |address: &str| listener(String::new(), Vec::new(), address);
            listen(one).collides(&listen(two))
        };
        for (one, two, expected) in [
            ("tcp://127.0.0.1:514", "tcp://0.0.0.0:514", true),
            ("tcp://127.0.0.1:514", "127.0.0.1:514", true),
            ("tcp://localhost:514", "tcp://127.0.0.1:514", true),
            ("tcp://[::]:514", "tcp://10.0.0.1:514", true),
            ("unix:/run/a", "unix:///run/a", true),
            ("unix:///run/a", "unixgram:///run/a", true),
            ("tcp://127.0.0.1:514", "udp://127.0.0.1:514", false),
            ("tcp://127.0.0.1:514", "tcp://127.0.0.1:601", false),
            ("tcp://127.0.0.1:514", "tcp://127.0.0.2:514", false),
            ("tcp://127.0.0.1:0", "tcp://127.0.0.1:0", false),
            ("unix:/run/a", "unix:/run/b", false),
            ("systemd:a", "systemd:a", true),
            ("systemd:a", "systemd:b", false),
        ] {
            assert_eq!(collide(one, two), expected, "{one} {two}");
            assert_eq!(collide(two, one), expected, "{two} {one}");
        }
    }
}
