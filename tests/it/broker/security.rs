//! TLS, certificates of clients and passwords at the agent's listeners, for librdkafka and kcat.

use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};

use super::rig::{MECHANISMS, Rig, send};
use crate::support::{Agent, SOON, get, kcat, wait_until};

const KCAT: &str = "/usr/bin/kcat";

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_listener_serves_librdkafka_and_kcat() {
    let folder = tempfile::tempdir().unwrap();
    let rig = Rig::new(folder.path());
    let mut agent = Agent::start(folder.path(), &rig.hub(""));
    let mut clients = vec![("ssl", rig.ssl()), ("mutual", rig.mutual())];
    clients.extend(MECHANISMS.map(|mechanism| (mechanism, rig.user(mechanism, "alice", "a-pass"))));
    clients.push(("file", rig.user("SCRAM-SHA-512", "bob", "b-pass")));
    for (topic, client) in clients {
        client.produce(topic, "one").await.unwrap();
        assert_eq!(client.consume("readers", topic, 1).unwrap(), ["one"], "{topic}");
        if Path::new(KCAT).exists() {
            let arguments = client.arguments();
            let run = |more: &[&str], input| {
                let mut all: Vec<&str> = arguments.iter().map(String::as_str).collect();
                all.extend_from_slice(more);
                kcat(KCAT, &all, input)
            };
            run(&["-P", "-t", topic], "two\n");
            let back = run(&["-C", "-t", topic, "-e", "-q"], "");
            assert_eq!(back, "one\ntwo\n", "{topic}");
        }
    }
    let health = get(&format!("http://{}/health", agent.admin)).unwrap().body;
    for (protocol, port) in
        [("SSL", rig.tls), ("SASL_SSL", rig.sasl_tls), ("SASL_PLAINTEXT", rig.sasl)]
    {
        let expected = format!("{protocol}://127.0.0.1:{port}");
        assert!(health.contains(&expected), "{expected}: {health}");
    }
    agent.stop();
}

#[test]
fn whoever_cannot_show_who_it_is_is_told_so_and_not_served() {
    let folder = tempfile::tempdir().unwrap();
    let rig = Rig::new(folder.path());
    let agent = Agent::start(folder.path(), &rig.hub(""));
    for mechanism in MECHANISMS {
        for (user, password) in [("alice", "b-pass"), ("nobody", "a-pass")] {
            let said = rig.user(mechanism, user, password).complaint("authentication failed");
            let expected = format!(
                "{mechanism} authentication failed: the user name or the password is wrong"
            );
            assert!(said.contains(&expected), "{said}");
        }
    }
    assert!(agent.log().contains("a client could not log in"));
    // A certificate of another authority, and none.
    let other = tempfile::tempdir().unwrap();
    let mut stranger = Rig::new(other.path());
    (stranger.mutual, stranger.tls) = (rig.mutual, rig.mutual);
    std::fs::copy(folder.path().join("ca.pem"), other.path().join("ca.pem")).unwrap();
    for client in [stranger.mutual(), stranger.ssl()] {
        let said = client.complaint("alert");
        assert!(said.contains("alert"), "{said}");
    }
}

#[test]
fn who_only_connects_keeps_nobody_from_being_served() {
    let folder = tempfile::tempdir().unwrap();
    let rig = Rig::new(folder.path());
    let _agent = Agent::start(folder.path(), &rig.hub(""));
    let silent: Vec<TcpStream> =
        (0..20).map(|_| TcpStream::connect(("127.0.0.1", rig.tls)).unwrap()).collect();
    let consumer: BaseConsumer = rig.ssl().config().create().unwrap();
    consumer.fetch_metadata(None, SOON).unwrap();
    drop(silent);
}

#[tokio::test(flavor = "multi_thread")]
async fn users_and_certificates_are_reloaded_under_open_connections() {
    let folder = tempfile::tempdir().unwrap();
    let rig = Rig::new(folder.path());
    let mut agent = Agent::start(folder.path(), &rig.hub(""));
    let bob = rig.user("SCRAM-SHA-256", "bob", "b-pass");
    let open = bob.producer(false);
    send(&open, "t", "before").await.unwrap();
    let certificate = shown_certificate(&rig);

    rig.write_users("bob:changed\ndave:d-pass\n");
    rig.certify("hub", "hub-2");
    agent.reload();
    wait_until(SOON, "the reload", || agent.log().contains("the configuration was reloaded"));

    assert_ne!(shown_certificate(&rig), certificate);
    send(&open, "t", "after").await.unwrap();
    for (name, password) in [("bob", "changed"), ("dave", "d-pass"), ("alice", "a-pass")] {
        rig.user("PLAIN", name, password).produce("t", name).await.unwrap();
    }
    let said = bob.complaint("authentication failed");
    assert!(said.contains("password is wrong"), "{said}");
    assert!(!agent.log().contains("takes effect at the next start"), "{}", agent.log());

    // What cannot be read is refused, and all stays as it was.
    rig.write_users("no line\n");
    agent.reload();
    wait_until(SOON, "a complaint", || agent.log().contains("users_file"));
    rig.user("PLAIN", "dave", "d-pass").produce("t", "again").await.unwrap();
    agent.stop();
}

/// The certificate that the listener shows now, as openssl prints it.
fn shown_certificate(rig: &Rig) -> String {
    let at = format!("127.0.0.1:{}", rig.tls);
    let shown = std::process::Command::new("openssl")
        .args(["s_client", "-connect", &at])
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&shown.stdout).into_owned();
    let from = text.find("-----BEGIN").unwrap_or_else(|| panic!("no certificate: {text}"));
    text.get(from..).and_then(|rest| rest.split("-----END").next()).unwrap().to_owned()
}

#[test]
fn a_listener_whose_port_is_taken_ends_the_start_and_names_the_setting() {
    let folder = tempfile::tempdir().unwrap();
    let rig = Rig::new(folder.path());
    let _taken = std::net::TcpListener::bind(("127.0.0.1", rig.mutual)).unwrap();
    let text = format!(
        "data_dir: {}/data\nadmin: {{ listen: none }}\n{}",
        folder.path().display(),
        rig.hub("")
    );
    std::fs::write(folder.path().join("anabranch.yaml"), text).unwrap();
    let (code, words) = Agent::run_refused(folder.path());
    assert_eq!(code, Some(1), "{words}");
    let expected =
        format!("hub.embedded.listeners[1].address: cannot listen on 127.0.0.1:{}", rig.mutual);
    assert!(words.contains(&expected), "{words}");
}

#[test]
fn a_client_that_does_not_shake_hands_is_let_go() {
    use std::io::Read;
    let folder = tempfile::tempdir().unwrap();
    let rig = Rig::new(folder.path());
    let _agent = Agent::start(folder.path(), &rig.hub(""));
    let mut silent = TcpStream::connect(("127.0.0.1", rig.tls)).unwrap();
    silent.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    assert_eq!(silent.read_to_end(&mut Vec::new()).unwrap(), 0);
}
