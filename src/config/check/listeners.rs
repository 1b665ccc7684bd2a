//! Addresses that two parts of the agent would both listen on.

use super::Findings;
use super::hub::is_host_port;
use crate::config::Config;

/// One address, and who listens on it.
struct Listener<'a> {
    owner: String,
    path: Vec<&'a str>,
    protocol: &'static str,
    host: String,
    port: String,
}

pub(super) fn check(config: &Config, findings: &mut Findings) {
    let mut listeners: Vec<Listener<'_>> = Vec::new();
    if let Some(listen) = &config.admin.listen {
        if is_host_port(listen) {
            listeners.push(listener("admin".to_owned(), vec!["admin", "listen"], listen));
        } else {
            let problem = format!("\"{listen}\" is not host:port");
            let hint = "write, for example, 127.0.0.1:9690, or none";
            findings.error(&["admin", "listen"], problem, hint);
        }
    }
    for (name, source) in &config.sources {
        for address in source.from.listens() {
            let path = vec!["sources", name, "from", source.from.kind(), "listen"];
            let owner = format!("the source `{name}`");
            let next = listener(owner, path, &address);
            if let Some(other) = listeners.iter().find(|other| other.collides(&next)) {
                let problem = format!("{address} is taken by {}", other.owner);
                findings.error(&next.path, problem, "choose another port");
            }
            listeners.push(next);
        }
    }
}

fn listener<'a>(owner: String, path: Vec<&'a str>, address: &str) -> Listener<'a> {
    let named = address.split_once("://").or_else(|| address.split_once("unix:"));
    let (scheme, rest) = named.unwrap_or(("tcp", address));
    if address.starts_with("unix") {
        let (host, port) = (rest.to_owned(), String::new());
        return Listener { owner, path, protocol: "unix", host, port };
    }
    let protocol = if scheme == "udp" { "udp" } else { "tcp" };
    let (host, port) = rest.rsplit_once(':').unwrap_or((rest, ""));
    let host = if host == "localhost" { "127.0.0.1" } else { host };
    Listener { owner, path, protocol, host: host.to_owned(), port: port.to_owned() }
}

impl Listener<'_> {
    fn collides(&self, other: &Self) -> bool {
        let any = |host: &str| matches!(host, "0.0.0.0" | "[::]" | "::" | "" | "*");
        let same_host = self.host == other.host
            || (self.protocol != "unix" && (any(&self.host) || any(&other.host)));
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
        ] {
            assert_eq!(collide(one, two), expected, "{one} {two}");
            assert_eq!(collide(two, one), expected, "{two} {one}");
        }
    }
}
