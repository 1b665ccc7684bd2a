//! Who reaches what a configuration opens, in words: an address on loopback is this machine's, not one user's.

use super::address::is_loopback;
use crate::config::{Config, EmbeddedConfig, HubConfig, ListenerConfig};

/// What anybody may do who is asked nothing: a sentence for each address.
#[must_use]
pub fn open_to_all(config: &Config) -> Vec<String> {
    let hub = match &config.hub {
        HubConfig::Embedded(embedded) => clients(embedded),
        HubConfig::Kafka(_) => Vec::new(),
    };
    let others = |address: &&String| !address.starts_with("unix:") && !is_loopback(address);
    let is_asked = config.admin.tls.as_ref().is_some_and(|tls| tls.client_ca.is_some());
    let listen = config.admin.listen.as_ref().filter(|_| !is_asked);
    let watched = listen.filter(others).map(|address| {
        format!("everyone on the network who reaches it can read health and metrics at {address} (admin.listen)")
    });
    hub.into_iter().chain(watched).collect()
}

/// What anybody may do who speaks Kafka's protocol.
fn clients(embedded: &EmbeddedConfig) -> Vec<String> {
    let controlled = !embedded.acls.is_empty() || !embedded.super_users.is_empty();
    let what = match controlled {
        false => "can read and delete every topic",
        true => "can do what `acls` allow User:ANONYMOUS",
    };
    let plain = embedded.listen.address().map(|address| ("hub.embedded.listen", address));
    let unasked =
        embedded.listeners.iter().filter(|listener| !ListenerConfig::authenticates(listener));
    let unasked = unasked.map(|listener| ("hub.embedded.listeners", listener.address.as_str()));
    let sentence = |(setting, address): (&str, &str)| {
        let who = match is_loopback(address) {
            true => "any user of this machine",
            false => "everyone on the network who reaches it",
        };
        format!("{who} {what} at {address} ({setting}; none closes it)")
    };
    plain.into_iter().chain(unasked).map(sentence).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::load_str;

    #[test]
    fn who_is_asked_nothing_is_named_with_what_he_may_do() {
        let told = |hub: &str| {
            let text = format!("hub: {{ {hub} }}\n");
            open_to_all(&load_str(&text, "test.yaml").unwrap())
        };
        let default = told("embedded: {}");
        let expected = "any user of this machine can read and delete every topic at 127.0.0.1:9092 \
            (hub.embedded.listen; none closes it)";
        assert_eq!(default, [expected]);
        assert_eq!(told("embedded: { listen: none }"), [""; 0]);
        assert_eq!(told("kafka: { bootstrap_servers: [\"a:1\"] }"), [""; 0]);
        let network = told("embedded: { listen: \"0.0.0.0:9092\" }").concat();
        assert!(network.starts_with("everyone on the network"), "{network}");
        let text = "hub: { embedded: { listen: none } }\nadmin: { listen: \"0.0.0.0:9690\" }\n";
        let watched = open_to_all(&load_str(text, "test.yaml").unwrap()).concat();
        assert!(watched.contains("can read health and metrics at 0.0.0.0:9690"), "{watched}");
        let controlled = told("embedded: { super_users: [\"User:a\"] }").concat();
        assert!(controlled.contains("`acls` allow User:ANONYMOUS"), "{controlled}");
        let listeners = "embedded: { listen: none, listeners: [{ address: \"127.0.0.1:1\" }, \
            { address: \"127.0.0.1:2\", sasl: { users: { a: b } } }] }";
        let listeners = told(listeners);
        assert!(listeners.len() == 1 && listeners[0].contains("127.0.0.1:1 "), "{listeners:?}");
    }
}
