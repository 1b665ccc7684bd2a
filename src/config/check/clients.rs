//! `hub.embedded.listen`, `listeners` and the limits for clients.

use anabranch_connectors::ByteSize;
use anabranch_connectors::shared::stream::terms::doubt;

use super::address::{is_address, is_everywhere, is_host_port, is_loopback};
use super::findings::Findings;
use crate::auth::Refused;
use crate::auth::users::{UserSettings, Users};
use crate::config::{EmbeddedConfig, ListenerConfig, Mechanism, SaslConfig};

/// Where all of it stands.
const HUB: [&str; 2] = ["hub", "embedded"];
/// Smallest limit for requests: what a client's producer sends by default.
const REQUEST_MIN: ByteSize = ByteSize::mib(1);
/// Largest: lengths are 31-bit numbers.
const REQUEST_MAX: ByteSize = ByteSize((1 << 31) - 1);
/// What is said of an address that is none.
const ADDRESS_HINT: &str = "write, for example, 127.0.0.1:9092";

pub(super) fn check(embedded: &EmbeddedConfig, findings: &mut Findings) {
    if let Some(address) = embedded.listen.address() {
        let path = [HUB[0], HUB[1], "listen"];
        if !is_address(address) {
            let problem = format!("\"{address}\" is not host:port");
            findings.error(&path, problem, format!("{ADDRESS_HINT}, or none"));
        } else if !is_loopback(address) {
            let problem = format!("everyone who reaches {address} may read and write, unasked");
            let hint =
                "write 127.0.0.1, and for the network an entry of `listeners` with tls and sasl";
            findings.warning(&path, problem, hint);
        }
    }
    for (index, listener) in embedded.listeners.iter().enumerate() {
        let at = format!("[{index}]");
        check_listener(listener, &[HUB[0], HUB[1], "listeners", &at], findings);
    }
    check_limits(embedded, findings);
}

fn check_limits(embedded: &EmbeddedConfig, findings: &mut Findings) {
    let path = |name| [HUB[0], HUB[1], name];
    if embedded.max_connections == 0 {
        findings.error(&path("max_connections"), "is 0", "write at least 1");
    }
    let size = embedded.max_request_size;
    if size < REQUEST_MIN {
        let hint = "write at least 1MiB";
        findings.error(&path("max_request_size"), format!("{size} is too small"), hint);
    } else if size > REQUEST_MAX {
        let hint = "write less than 2GiB";
        findings.error(&path("max_request_size"), format!("{size} is too large"), hint);
    }
    if embedded.idle_timeout.is_zero() {
        findings.error(&path("idle_timeout"), "is 0", "write a time such as 10m");
    }
    if embedded.group_min_session_timeout.is_zero() {
        findings.error(&path("group_min_session_timeout"), "is 0", "write a time such as 6s");
    }
}

fn check_listener(listener: &ListenerConfig, path: &[&str], findings: &mut Findings) {
    let address = &listener.address;
    let inside = |name| [path, &[name]].concat();
    if is_address(address) {
        check_reach(listener, path, findings);
    } else {
        let problem = format!("\"{address}\" is not host:port");
        findings.error(&inside("address"), problem, ADDRESS_HINT);
    }
    if let Some(advertised) = &listener.advertised {
        let hint = "write the name and port by which clients reach this listener";
        if !is_host_port(advertised) || advertised.ends_with(":0") {
            let problem = format!("\"{advertised}\" is not host:port");
            findings.error(&inside("advertised"), problem, hint);
        } else if is_everywhere(advertised) {
            let problem = format!("nobody can connect to {advertised}");
            findings.error(&inside("advertised"), problem, hint);
        }
    }
    if let Some(tls) = &listener.tls {
        for refused in tls.faults() {
            note(&refused, &inside("tls"), findings);
        }
    }
    if let Some(doubt) = doubt(listener.proxy_protocol, &listener.allow) {
        findings.warning(&inside(doubt.setting), doubt.problem, doubt.hint);
    }
    if let Some(sasl) = &listener.sasl {
        check_sasl(sasl, &inside("sasl"), findings);
    }
}

/// What everyone on the network could do or see.
fn check_reach(listener: &ListenerConfig, path: &[&str], findings: &mut Findings) {
    let address = &listener.address;
    if is_loopback(address) {
        return;
    }
    if !listener.authenticates() {
        let problem = format!("everyone who reaches {address} may read and write, unasked");
        let hint = "add sasl, or tls with client_ca";
        findings.warning(&[path, &["address"]].concat(), problem, hint);
    }
    let sasl = listener.sasl.as_ref().filter(|_| listener.tls.is_none());
    if sasl.is_some_and(|sasl| sasl.mechanisms.contains(&Mechanism::Plain)) {
        let problem = "PLAIN without tls shows the passwords to everyone on the way";
        let hint = "add tls, or offer SCRAM-SHA-256 in its place";
        findings.warning(&[path, &["sasl", "mechanisms"]].concat(), problem, hint);
    }
}

fn check_sasl(sasl: &SaslConfig, path: &[&str], findings: &mut Findings) {
    let mechanisms = [path, &["mechanisms"]].concat();
    if sasl.mechanisms.is_empty() {
        let hint = "write PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512";
        findings.error(&mechanisms, "is empty", hint);
    }
    for (index, mechanism) in sasl.mechanisms.iter().enumerate() {
        if sasl.mechanisms.iter().take(index).any(|earlier| earlier == mechanism) {
            let at = format!("[{index}]");
            let problem = format!("{} is in the list twice", mechanism.name());
            findings.error(&[&*mechanisms, &[&at]].concat(), problem, "remove one of them");
        }
    }
    // Without a mechanism nothing is derived from the passwords, which takes long.
    if let Err(refused) = Users::load(UserSettings { mechanisms: &[], ..sasl.user_settings() }) {
        note(&refused, path, findings);
    }
}

fn note(refused: &Refused, path: &[&str], findings: &mut Findings) {
    let path = [path, &[refused.setting]].concat();
    findings.error(&path, refused.problem.clone(), refused.hint);
}
