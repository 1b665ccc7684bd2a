//! What of `hub.embedded` is for clients of Kafka's protocol: addresses, TLS, SASL and access control lists.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use anabranch_connectors::contract::secret::Secret;
use anabranch_connectors::shared::stream::allow::Network;
use serde::{Deserialize, Deserializer};

pub use crate::auth::Mechanism;
pub use crate::auth::acl::Operation;
pub use crate::auth::tls::{PrincipalPart, TlsConfig};

use super::units;
use crate::auth::acl::{Pattern, ResourceType, Rule};
use crate::auth::users::UserSettings;

/// Where clients are answered without TLS and without being asked who they are.
#[derive(Debug, Clone)]
pub struct Listen {
    address: Option<String>,
    explicit: bool,
}

impl Listen {
    /// `host:port`; `None` when it is switched off.
    #[must_use]
    pub fn address(&self) -> Option<&str> {
        self.address.as_deref()
    }

    /// As if this address were the default.
    #[cfg(test)]
    pub(crate) fn by_default(address: &str) -> Self {
        Self { address: Some(address.to_owned()), explicit: false }
    }

    /// Host and port that a client is told to connect to which has reached `local`.
    #[must_use]
    pub fn advertised_to(&self, local: SocketAddr) -> (String, u16) {
        reached(self.address().unwrap_or_default(), local)
    }

    /// Whether the configuration says so, or it is the default: then the agent runs without it when the port is taken.
    #[must_use]
    pub const fn is_explicit(&self) -> bool {
        self.explicit
    }
}

impl Default for Listen {
    fn default() -> Self {
        Self { address: Some("127.0.0.1:9092".to_owned()), explicit: false }
    }
}

/// Equal when the address is: to write the default out changes nothing for an agent that runs.
impl PartialEq for Listen {
    fn eq(&self, other: &Self) -> bool {
        self.address == other.address
    }
}

impl Eq for Listen {}

impl<'de> Deserialize<'de> for Listen {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        Ok(Self { address: units::text_or_none(input)?, explicit: true })
    }
}

/// One further address for clients.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListenerConfig {
    /// `host:port` to listen on.
    pub address: String,
    /// `host:port` that clients are told to connect to; `None`: the address, and where that is every address of the
    /// machine, the one that the client has reached.
    #[serde(default)]
    pub advertised: Option<String>,
    /// Certificates; `None`: no TLS.
    #[serde(default)]
    pub tls: Option<TlsConfig>,
    /// Names and passwords; `None`: nobody is asked.
    #[serde(default)]
    pub sasl: Option<SaslConfig>,
    /// Addresses and networks that may connect; empty: all.
    #[serde(default)]
    pub allow: Vec<Network>,
    /// Connections begin with the header of a proxy, which says for whom they are.
    #[serde(default)]
    pub proxy_protocol: bool,
}

impl ListenerConfig {
    /// What clients write as `security.protocol`.
    #[must_use]
    pub const fn security_protocol(&self) -> &'static str {
        match (&self.tls, &self.sasl) {
            (None, None) => "PLAINTEXT",
            (Some(_), None) => "SSL",
            (None, Some(_)) => "SASL_PLAINTEXT",
            (Some(_), Some(_)) => "SASL_SSL",
        }
    }

    /// Host and port that a client is told to connect to which has reached `local`.
    #[must_use]
    pub fn advertised_to(&self, local: SocketAddr) -> (String, u16) {
        let named = self.advertised.as_deref().and_then(host_and_port);
        named.unwrap_or_else(|| reached(&self.address, local))
    }

    /// Whether every client must show who it is.
    #[must_use]
    pub fn authenticates(&self) -> bool {
        self.sasl.is_some() || self.tls.as_ref().is_some_and(|tls| tls.client_ca.is_some())
    }
}

/// The host of `address`, or that of `local` where `address` is every one of the machine; the port of `local`, which is
/// known also where the system has chosen it.
fn reached(address: &str, local: SocketAddr) -> (String, u16) {
    let host = host_and_port(address).map(|(host, _)| host);
    let named = host.filter(|host| !host.parse::<IpAddr>().is_ok_and(|ip| ip.is_unspecified()));
    (named.unwrap_or_else(|| local.ip().to_canonical().to_string()), local.port())
}

fn host_and_port(address: &str) -> Option<(String, u16)> {
    let (host, port) = address.rsplit_once(':')?;
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    Some((bare.to_owned(), port.parse().ok()?))
}

/// Who may log in at a listener, and how.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SaslConfig {
    /// What clients may choose from.
    pub mechanisms: Vec<Mechanism>,
    /// Passwords by name.
    pub users: BTreeMap<String, Secret>,
    /// A file of further users, one in a line.
    pub users_file: Option<PathBuf>,
}

impl Default for SaslConfig {
    fn default() -> Self {
        Self {
            mechanisms: vec![Mechanism::ScramSha256, Mechanism::ScramSha512],
            users: BTreeMap::new(),
            users_file: None,
        }
    }
}

impl SaslConfig {
    /// What users are loaded and reloaded from.
    pub(crate) fn user_settings(&self) -> UserSettings<'_> {
        UserSettings {
            mechanisms: &self.mechanisms,
            users: &self.users,
            users_file: self.users_file.as_deref(),
        }
    }
}

/// One line of access control: who may do what with which.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AclConfig {
    /// `User:alice`, or `User:*` for everyone.
    pub principal: String,
    /// What is allowed, or denied.
    pub operations: Vec<Operation>,
    /// A topic: `name`, `prefix*` or `*`.
    #[serde(default)]
    pub topic: Option<String>,
    /// A consumer group, likewise.
    #[serde(default)]
    pub group: Option<String>,
    /// The hub as a whole: `kafka-cluster`.
    #[serde(default)]
    pub cluster: Option<String>,
    /// The transactional id of a producer, likewise.
    #[serde(default)]
    pub transactional_id: Option<String>,
    /// Denies instead; wins over all that allow.
    #[serde(default)]
    pub deny: bool,
}

impl AclConfig {
    /// What it is about; exactly one in a line that can work.
    pub(crate) fn resources(&self) -> Vec<(ResourceType, &str)> {
        let all = [
            (ResourceType::Topic, &self.topic),
            (ResourceType::Group, &self.group),
            (ResourceType::Cluster, &self.cluster),
            (ResourceType::TransactionalId, &self.transactional_id),
        ];
        let named = all.into_iter().filter_map(|(kind, name)| Some((kind, name.as_deref()?)));
        named.collect()
    }

    pub(super) fn rules(&self) -> impl Iterator<Item = Rule> {
        self.resources().into_iter().flat_map(move |(kind, name)| {
            self.operations.iter().map(move |operation| Rule {
                principal: self.principal.clone(),
                deny: self.deny,
                operation: *operation,
                kind,
                pattern: Pattern::parse(name),
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::acl::Resource;
    use crate::config::{EmbeddedConfig, HubConfig, load_str};

    fn embedded(text: &str) -> EmbeddedConfig {
        match load_str(&format!("hub: {{ embedded: {{ {text} }} }}\n"), "test.yaml").unwrap().hub {
            HubConfig::Embedded(embedded) => embedded,
            HubConfig::Kafka(_) => panic!("not embedded"),
        }
    }

    #[test]
    fn an_address_that_is_written_is_explicit_and_equal_to_the_default() {
        let (unset, set) = (embedded(""), embedded("listen: \"127.0.0.1:9092\""));
        assert!(!unset.listen.is_explicit() && set.listen.is_explicit());
        assert_eq!(unset, set);
        let off = embedded("listen: none").listen;
        assert_eq!((off.address(), off.is_explicit()), (None, true));
        assert_ne!(off, set.listen);
    }

    #[test]
    fn a_listener_is_named_by_what_it_asks_for() {
        let tls = "tls: { certificate: c, key: k }";
        for (blocks, name, authenticates) in [
            (String::new(), "PLAINTEXT", false),
            (format!(", {tls}"), "SSL", false),
            (", tls: { certificate: c, key: k, client_ca: a }".to_owned(), "SSL", true),
            (", sasl: {}".to_owned(), "SASL_PLAINTEXT", true),
            (format!(", {tls}, sasl: {{}}"), "SASL_SSL", true),
        ] {
            let config = embedded(&format!("listeners: [{{ address: \"a:1\"{blocks} }}]"));
            let listener = &config.listeners[0];
            assert_eq!(listener.security_protocol(), name);
            assert_eq!(listener.authenticates(), authenticates, "{blocks}");
        }
    }

    #[test]
    fn clients_are_told_an_address_that_they_can_reach() {
        for (address, advertised, local, expected) in [
            ("127.0.0.1:0", "", "127.0.0.1:4711", "127.0.0.1 4711"),
            ("localhost:9092", "", "127.0.0.1:9092", "localhost 9092"),
            ("[::1]:9092", "", "[::1]:9092", "::1 9092"),
            ("0.0.0.0:9092", "", "10.0.0.7:9092", "10.0.0.7 9092"),
            ("[::]:9092", "", "[::ffff:10.0.0.7]:9092", "10.0.0.7 9092"),
            ("[::]:9092", "", "[fd00::7]:9092", "fd00::7 9092"),
            ("0.0.0.0:9092", ", advertised: \"hub:29092\"", "10.0.0.7:9092", "hub 29092"),
            ("0.0.0.0:9092", ", advertised: \"[fd00::1]:1\"", "10.0.0.7:9092", "fd00::1 1"),
        ] {
            let text = format!(
                "listen: \"{address}\", listeners: [{{ address: \"{address}\"{advertised} }}]"
            );
            let config = embedded(&text);
            let local = local.parse().unwrap();
            let (host, port) = config.listeners[0].advertised_to(local);
            assert_eq!(format!("{host} {port}"), expected, "{address}");
            if advertised.is_empty() {
                assert_eq!(config.listen.advertised_to(local), (host, port));
            }
        }
    }

    #[test]
    fn lines_become_rules() {
        let config = embedded(
            "super_users: [\"User:root\"], acls: [{ principal: \"User:*\", operations: [read, write], topic: app-* }, \
             { principal: \"User:bob\", operations: [all], topic: app-secret, deny: true }]",
        );
        let access = config.access();
        assert_eq!(access.configured().len(), 3);
        let allows = |principal, operation, topic| {
            access.allows(principal, operation, Resource::topic(topic))
        };
        assert!(allows("User:bob", Operation::Read, "app-1"));
        assert!(!allows("User:bob", Operation::Delete, "app-1"));
        assert!(!allows("User:bob", Operation::Read, "app-secret"));
        assert!(allows("User:alice", Operation::Read, "app-secret"));
        assert!(allows("User:root", Operation::Delete, "other"));
        assert!(!embedded("").access().are_set());
    }
}
