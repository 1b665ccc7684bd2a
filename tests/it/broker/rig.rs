//! An authority with its certificates, listeners of each kind, and clients for them.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair,
};
use rdkafka::ClientConfig;
use rdkafka::client::ClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::producer::{FutureProducer, FutureRecord};

use crate::support::{SOON, free_port, holds_within};

pub(super) const MECHANISMS: [&str; 3] = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"];

/// Listeners for TLS, for TLS with certificates of clients, for TLS with passwords, and for passwords alone.
pub(super) struct Rig {
    folder: PathBuf,
    issuer: CertifiedIssuer<'static, KeyPair>,
    pub(super) tls: u16,
    pub(super) mutual: u16,
    pub(super) sasl_tls: u16,
    pub(super) sasl: u16,
}

impl Rig {
    pub(super) fn new(folder: &Path) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "authority");
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        fs::write(folder.join("ca.pem"), issuer.pem()).unwrap();
        let [tls, mutual, sasl_tls, sasl] = [(); 4].map(|()| free_port());
        let rig = Self { folder: folder.to_owned(), issuer, tls, mutual, sasl_tls, sasl };
        rig.certify("hub", "hub");
        rig.certify("client", "carol");
        rig.write_users("bob:b-pass\n");
        rig
    }

    /// Makes a certificate and its key, or a new one in its place.
    pub(super) fn certify(&self, file: &str, common_name: &str) {
        let key = KeyPair::generate().unwrap();
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let mut params = CertificateParams::new(names).unwrap();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, common_name);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        fs::write(self.folder.join(format!("{file}.pem")), certificate.pem()).unwrap();
        fs::write(self.folder.join(format!("{file}.key")), key.serialize_pem()).unwrap();
    }

    pub(super) fn write_users(&self, lines: &str) {
        fs::write(self.folder.join("users"), lines).unwrap();
    }

    /// The block `hub`, with what else it needs (`acls: […]`).
    pub(super) fn hub(&self, more: &str) -> String {
        let folder = self.folder.display();
        let tls = format!("certificate: {folder}/hub.pem, key: {folder}/hub.key");
        let users = format!(
            "mechanisms: [{}], users: {{ alice: a-pass, admin: x-pass }}, users_file: {folder}/users",
            MECHANISMS.join(", ")
        );
        format!(
            "hub:\n  embedded:\n    listen: none\n    group_min_session_timeout: 1s\n    listeners:\n\
             \x20     - {{ address: \"127.0.0.1:{}\", tls: {{ {tls} }} }}\n\
             \x20     - {{ address: \"127.0.0.1:{}\", tls: {{ {tls}, client_ca: {folder}/ca.pem, principal: common_name }} }}\n\
             \x20     - {{ address: \"127.0.0.1:{}\", tls: {{ {tls} }}, sasl: {{ {users} }} }}\n\
             \x20     - {{ address: \"127.0.0.1:{}\", sasl: {{ {users} }} }}\n{more}",
            self.tls, self.mutual, self.sasl_tls, self.sasl
        )
    }

    fn file(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    pub(super) fn ssl(&self) -> Client {
        let ca = self.file("ca.pem");
        let settings = [("security.protocol", "SSL".to_owned()), ("ssl.ca.location", ca)];
        Client::new(self.tls, &settings)
    }

    pub(super) fn mutual(&self) -> Client {
        let certificate = ("ssl.certificate.location", self.file("client.pem"));
        let key = ("ssl.key.location", self.file("client.key"));
        let mut client = self.ssl().with(&[certificate, key]);
        client.port = self.mutual;
        client
    }

    pub(super) fn user(&self, mechanism: &str, name: &str, password: &str) -> Client {
        let mut client = self.ssl().with(&[
            ("security.protocol", "SASL_SSL".to_owned()),
            ("sasl.mechanism", mechanism.to_owned()),
            ("sasl.username", name.to_owned()),
            ("sasl.password", password.to_owned()),
        ]);
        client.port = self.sasl_tls;
        client
    }
}

/// How a client connects.
#[derive(Clone)]
pub(super) struct Client {
    port: u16,
    settings: Vec<(&'static str, String)>,
}

type Refused = RDKafkaErrorCode;

impl Client {
    fn new(port: u16, settings: &[(&'static str, String)]) -> Self {
        Self { port, settings: settings.to_vec() }
    }

    fn with(&self, more: &[(&'static str, String)]) -> Self {
        let mut client = self.clone();
        client.settings.retain(|(name, _)| more.iter().all(|(other, _)| other != name));
        client.settings.extend_from_slice(more);
        client
    }

    pub(super) fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", format!("127.0.0.1:{}", self.port));
        for (name, value) in &self.settings {
            config.set(*name, value);
        }
        config
    }

    /// The arguments of kcat.
    pub(super) fn arguments(&self) -> Vec<String> {
        let mut arguments = vec!["-b".to_owned(), format!("127.0.0.1:{}", self.port)];
        for (name, value) in &self.settings {
            arguments.extend(["-X".to_owned(), format!("{name}={value}")]);
        }
        arguments
    }

    pub(super) fn producer(&self, idempotent: bool) -> FutureProducer {
        let mut config = self.config();
        config.set("enable.idempotence", idempotent.to_string());
        config.set("message.timeout.ms", "20000").create().unwrap()
    }

    pub(super) async fn produce(&self, topic: &str, value: &str) -> Result<(), Refused> {
        send(&self.producer(false), topic, value).await
    }

    /// All that a group finds in a topic, or what it is refused with.
    pub(super) fn consume(
        &self,
        group: &str,
        topic: &str,
        count: usize,
    ) -> Result<Vec<String>, Refused> {
        let mut config = self.config();
        config.set("group.id", group).set("auto.offset.reset", "earliest");
        let consumer: BaseConsumer = config.create().unwrap();
        consumer.subscribe(&[topic]).unwrap();
        let (mut found, mut refused) = (Vec::new(), None);
        holds_within(SOON, || {
            match consumer.poll(Duration::from_millis(100)) {
                None => {}
                Some(Ok(record)) => {
                    found.push(String::from_utf8_lossy(record.payload().unwrap()).into_owned());
                }
                Some(Err(error)) => refused = error.rdkafka_error_code(),
            }
            found.len() >= count || refused.is_some()
        });
        refused.map_or(Ok(found), Err)
    }

    /// What the client says until it has `expected` in it.
    pub(super) fn complaint(&self, expected: &str) -> String {
        let heard = Heard::default();
        let consumer: BaseConsumer<Heard> =
            self.config().create_with_context(heard.clone()).unwrap();
        holds_within(SOON, || {
            consumer.fetch_metadata(None, Duration::from_millis(200)).map(drop).ok();
            assert!(!matches!(consumer.poll(Duration::from_millis(50)), Some(Ok(_))), "a record");
            heard.words.lock().contains(expected)
        });
        heard.words.lock().clone()
    }
}

pub(super) async fn send(
    producer: &FutureProducer,
    topic: &str,
    value: &str,
) -> Result<(), Refused> {
    let record: FutureRecord<'_, (), str> = FutureRecord::to(topic).payload(value);
    let sent = producer.send(record, SOON).await;
    sent.map(drop).map_err(|(error, _)| error.rdkafka_error_code().unwrap())
}

/// Errors that a client tells.
#[derive(Clone, Default)]
struct Heard {
    words: Arc<Mutex<String>>,
}

impl ClientContext for Heard {
    fn error(&self, error: KafkaError, reason: &str) {
        let mut words = self.words.lock();
        *words += &format!("{error}: {reason}\n");
    }
}

impl ConsumerContext for Heard {}
