//! TLS and SASL: who is let in, and whom we believe. The same properties hold for writing and for reading.

use super::*;
use crate::support::{Broker, SOON, wait_until};

/// Listeners of `--secure`, by how far their port is from the plain one.
const SSL: u16 = 2;
const SASL_SSL: u16 = 3;
const SASL_PLAINTEXT: u16 = 4;

fn with(host: &str, broker: &Broker, listener: u16, options: &[(&str, &str)]) -> Settings {
    let protocol = match listener {
        SSL => "ssl",
        SASL_SSL => "sasl_ssl",
        _ => "sasl_plaintext",
    };
    let options = options.iter().copied().chain([("security.protocol", protocol)]);
    Settings {
        options: options.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        ..settings(format!("{host}:{}", broker.port(listener)))
    }
}

async fn write_and_read(settings: Settings) {
    let hub = Kafka::connect(settings).unwrap();
    let topic = unique("secure");
    append(&hub, &topic, 0, lines(0, 3)).await;
    let spec = spec(&unique("group"), by_name(&topic), StartAt::Earliest);
    let mut consumer = hub.consumer(spec).await.unwrap();
    assert_eq!(read(consumer.as_mut(), 3).await[&0], ["line 0", "line 1", "line 2"]);
    // A batch that is larger than the socket's buffers.
    let mut batch = lines(0, 0);
    for _ in 0..20_000 {
        batch.push_copy(uuid::Uuid::new_v4().to_string().as_bytes());
    }
    append(&hub, &topic, 0, batch).await;
    assert_eq!(read(consumer.as_mut(), 20_000).await[&0].len(), 20_000);
    hub.close().await;
}

fn assert_refused(settings: Settings, expected: &[&str]) {
    let hub = Kafka::connect(settings).unwrap();
    wait_until(SOON, "the reason is told", || {
        let state = hub.state().unwrap_err();
        expected.iter().all(|text| state.contains(text))
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn records_pass_through_tls_and_sasl_and_wrong_secrets_do_not() {
    if server("ANABRANCH_KAFKA").is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start_secure(folder.path());
    let [ca, certificate, key] =
        ["ca.pem", "client.pem", "client.key"].map(|name| broker.tls_file(name));
    let ca_pem = std::fs::read_to_string(&ca).unwrap();
    let user = |mechanism, password| {
        [("sasl.mechanism", mechanism), ("sasl.username", "agent"), ("sasl.password", password)]
    };
    let host = "127.0.0.1";
    let certificates = [
        ("ssl.ca.location", ca.as_str()),
        ("ssl.certificate.location", &certificate),
        ("ssl.key.location", &key),
    ];
    write_and_read(with(host, &broker, SSL, &certificates)).await;
    let scram = [&user("SCRAM-SHA-512", "agent-secret")[..], &[("ssl.ca.pem", &*ca_pem)]].concat();
    write_and_read(with(host, &broker, SASL_SSL, &scram)).await;
    let scram = user("SCRAM-SHA-256", "agent-secret");
    write_and_read(with(host, &broker, SASL_PLAINTEXT, &scram)).await;
    let unverified = [("enable.ssl.certificate.verification", "false")];
    let plain = [&user("PLAIN", "agent-secret")[..], &unverified].concat();
    write_and_read(with(host, &broker, SASL_SSL, &plain)).await;
    let trusting =
        [("ssl.ca.location", ca.as_str()), ("ssl.endpoint.identification.algorithm", "none")];
    let plain = [&user("PLAIN", "agent-secret")[..], &trusting].concat();
    write_and_read(with("localhost", &broker, SASL_SSL, &plain)).await;

    let wrong = user("SCRAM-SHA-256", "wrong");
    let told = ["does not accept the credentials", "user \"agent\"", "SASL_AUTHENTICATION_FAILED"];
    assert_refused(with(host, &broker, SASL_PLAINTEXT, &wrong), &told);
    let named = [&user("PLAIN", "agent-secret")[..], &[("ssl.ca.location", ca.as_str())]].concat();
    assert_refused(with("localhost", &broker, SASL_SSL, &named), &["TLS", "not valid for name"]);
    let unknown = user("PLAIN", "agent-secret");
    assert_refused(with(host, &broker, SASL_SSL, &unknown), &["TLS", "UnknownIssuer"]);
}
