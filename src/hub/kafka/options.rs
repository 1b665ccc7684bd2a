//! Whether librdkafka takes the properties that are written for it, asked without connecting.

use std::collections::BTreeMap;

use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaConfRes;

use super::properties::own;
use super::settings::Settings;
use crate::hub::HubError;

/// Properties that people write, for the nearest to one that is not known.
pub const PROPERTIES: &[&str] = &[
    "acks",
    "allow.auto.create.topics",
    "auto.offset.reset",
    "batch.num.messages",
    "batch.size",
    "bootstrap.servers",
    "broker.address.family",
    "client.id",
    "client.rack",
    "compression.codec",
    "compression.level",
    "compression.type",
    "connections.max.idle.ms",
    "debug",
    "enable.idempotence",
    "enable.ssl.certificate.verification",
    "fetch.max.bytes",
    "fetch.min.bytes",
    "fetch.wait.max.ms",
    "group.id",
    "group.instance.id",
    "isolation.level",
    "linger.ms",
    "max.in.flight",
    "max.in.flight.requests.per.connection",
    "max.partition.fetch.bytes",
    "max.poll.interval.ms",
    "message.max.bytes",
    "message.timeout.ms",
    "metadata.max.age.ms",
    "queue.buffering.max.kbytes",
    "queue.buffering.max.messages",
    "queue.buffering.max.ms",
    "reconnect.backoff.max.ms",
    "reconnect.backoff.ms",
    "request.timeout.ms",
    "retries",
    "retry.backoff.max.ms",
    "retry.backoff.ms",
    "sasl.kerberos.keytab",
    "sasl.kerberos.principal",
    "sasl.kerberos.service.name",
    "sasl.mechanism",
    "sasl.mechanisms",
    "sasl.oauthbearer.client.id",
    "sasl.oauthbearer.client.secret",
    "sasl.oauthbearer.method",
    "sasl.oauthbearer.token.endpoint.url",
    "sasl.password",
    "sasl.username",
    "security.protocol",
    "session.timeout.ms",
    "socket.connection.setup.timeout.ms",
    "socket.keepalive.enable",
    "socket.nagle.disable",
    "socket.receive.buffer.bytes",
    "socket.send.buffer.bytes",
    "socket.timeout.ms",
    "ssl.ca.location",
    "ssl.ca.pem",
    "ssl.certificate.location",
    "ssl.certificate.pem",
    "ssl.cipher.suites",
    "ssl.endpoint.identification.algorithm",
    "ssl.key.location",
    "ssl.key.password",
    "ssl.key.pem",
    "statistics.interval.ms",
    "transaction.timeout.ms",
];

/// A property that cannot be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OptionFault {
    /// Its name.
    pub name: String,
    /// Whether there is none of that name.
    pub is_unknown: bool,
    /// What is wrong.
    pub problem: String,
    /// What to do.
    pub hint: &'static str,
}

/// All properties of `options` that librdkafka would refuse, or that this program's own client cannot read.
#[must_use]
pub fn option_faults(options: &BTreeMap<String, String>) -> Vec<OptionFault> {
    let mut faults: Vec<OptionFault> =
        options.iter().filter_map(|(name, value)| fault(name, value)).collect();
    faults.extend(security_fault(options));
    faults
}

fn fault(name: &str, value: &str) -> Option<OptionFault> {
    let asked = ClientConfig::new().set(name, value).create_native_config();
    if let Err(KafkaError::ClientConfig(kind, said, ..)) = asked {
        let is_unknown = kind == RDKafkaConfRes::RD_KAFKA_CONF_UNKNOWN;
        let problem = match is_unknown {
            true => format!("librdkafka has no property \"{name}\""),
            false => format!("librdkafka refuses it: {}", said.trim()),
        };
        let hint = match is_unknown {
            true => "see its CONFIGURATION.md for those that it has",
            false => "see its CONFIGURATION.md for the values that it takes",
        };
        return Some(OptionFault { name: name.to_owned(), is_unknown, problem, hint });
    }
    let one = BTreeMap::from([(name.to_owned(), value.to_owned())]);
    // What belongs together is looked at by itself.
    if matches!(name, "security.protocol" | "sasl.mechanism" | "sasl.mechanisms") {
        return None;
    }
    let Err(HubError::Fatal(said)) = own(&Settings { options: one, ..Settings::default() }) else {
        return None;
    };
    let said =
        said.trim_start_matches("hub.kafka.options ").trim_start_matches(&format!("\"{name}\": "));
    let (problem, hint) = (said.to_owned(), "write a value that it takes");
    Some(OptionFault { name: name.to_owned(), is_unknown: false, problem, hint })
}

/// What is set for a login or for TLS, and would be used for nothing.
fn security_fault(options: &BTreeMap<String, String>) -> Option<OptionFault> {
    let protocol = options.get("security.protocol").map_or("plaintext", String::as_str);
    let protocol = protocol.trim().to_ascii_lowercase();
    let set = |name: &str| options.contains_key(name);
    let fault = |name: &str, problem: &str, hint| {
        let problem = problem.to_owned();
        Some(OptionFault { name: name.to_owned(), is_unknown: false, problem, hint })
    };
    let sasl = protocol.starts_with("sasl_");
    let mechanism =
        ["sasl.mechanism", "sasl.mechanisms"].iter().find_map(|name| options.get(*name));
    if let Some(name) = ["sasl.username", "sasl.password"].into_iter().find(|name| set(name))
        && !sasl
    {
        let hint =
            "set security.protocol to SASL_SSL, or to SASL_PLAINTEXT for brokers without TLS";
        return fault(name, "is not used without SASL", hint);
    }
    if sasl && mechanism.is_none() && set("sasl.username") {
        let hint =
            "set sasl.mechanism to SCRAM-SHA-256, SCRAM-SHA-512 or PLAIN, as the brokers have it";
        return fault("sasl.username", "is not used by GSSAPI, librdkafka's default", hint);
    }
    let needs_user = mechanism.is_some_and(|name| name == "PLAIN" || name.starts_with("SCRAM-"));
    if sasl && needs_user && !(set("sasl.username") && set("sasl.password")) {
        let hint = "set sasl.username and sasl.password";
        return fault("security.protocol", "asks for a name and a password", hint);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(options: &[(&str, &str)]) -> Vec<String> {
        let options = options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let told = option_faults(&options.collect()).into_iter();
        told.map(|fault| format!("{}: {}", fault.name, fault.problem)).collect()
    }

    #[test]
    fn every_property_that_is_offered_is_one() {
        for name in PROPERTIES {
            let asked = ClientConfig::new().set(*name, "\u{1}").create_native_config();
            let unknown = matches!(
                asked,
                Err(KafkaError::ClientConfig(RDKafkaConfRes::RD_KAFKA_CONF_UNKNOWN, ..))
            );
            assert!(!unknown, "{name}");
        }
    }

    #[test]
    fn unknown_names_wrong_values_and_what_is_used_for_nothing_are_told_all_at_once() {
        let found = told(&[("securty.protocol", "SSL"), ("acks", "most"), ("linger.ms", "soon")]);
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(
            found
                .iter()
                .any(|one| one
                    == "securty.protocol: librdkafka has no property \"securty.protocol\"")
        );
        assert!(
            found.iter().any(|one| one.starts_with("acks: librdkafka refuses it: ")),
            "{found:?}"
        );
        let login = [("sasl.username", "u"), ("sasl.password", "p")];
        assert_eq!(told(&login), ["sasl.username: is not used without SASL"]);
        let no_mechanism = [("security.protocol", "SASL_SSL"), login[0], login[1]];
        assert_eq!(told(&no_mechanism).len(), 1);
        let scram = [no_mechanism[0], ("sasl.mechanism", "SCRAM-SHA-256"), login[0], login[1]];
        assert_eq!(told(&scram), Vec::<String>::new());
        assert_eq!(told(&scram[..3]), ["security.protocol: asks for a name and a password"]);
    }
}
