//! Logging in, frame by frame: what is served before it is known who asks.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::rig::Rig;
use crate::support::Agent;

const METADATA: i16 = 3;
const HANDSHAKE: i16 = 17;
const API_VERSIONS: i16 = 18;
const AUTHENTICATE: i16 = 36;

struct Peer(TcpStream);

impl Peer {
    fn connect(rig: &Rig) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", rig.sasl)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        Self(stream)
    }

    fn send(&mut self, frames: &[Vec<u8>]) {
        self.0.write_all(&frames.concat()).unwrap();
    }

    /// The next answer, without its length; `None` when the connection has ended.
    fn answer(&mut self) -> Option<Vec<u8>> {
        let mut length = [0; 4];
        self.0.read_exact(&mut length).ok()?;
        let mut answer = vec![0; usize::try_from(i32::from_be_bytes(length)).unwrap()];
        self.0.read_exact(&mut answer).unwrap();
        Some(answer)
    }

    /// Sends one request and gives the error code that its answer begins with.
    fn code(&mut self, request: Vec<u8>) -> i16 {
        self.send(&[request]);
        let answer = self.answer().expect("an answer");
        i16::from_be_bytes([answer[4], answer[5]])
    }
}

fn framed(body: &[u8]) -> Vec<u8> {
    [&i32::try_from(body.len()).unwrap().to_be_bytes(), body].concat()
}

fn request(key: i16, version: i16, body: &[u8]) -> Vec<u8> {
    let head = [key.to_be_bytes(), version.to_be_bytes(), [0, 0], [0, 7], [0xff, 0xff]];
    framed(&[head.as_flattened(), body].concat())
}

fn handshake(version: i16, mechanism: &str) -> Vec<u8> {
    let length = i16::try_from(mechanism.len()).unwrap().to_be_bytes();
    request(HANDSHAKE, version, &[&length, mechanism.as_bytes()].concat())
}

fn authenticate(message: &[u8]) -> Vec<u8> {
    request(AUTHENTICATE, 1, &framed(message))
}

/// All topics, in version 1.
fn metadata() -> Vec<u8> {
    request(METADATA, 1, &[0xff; 4])
}

fn api_versions() -> Vec<u8> {
    request(API_VERSIONS, 0, &[])
}

const RIGHT: &[u8] = b"\0alice\0a-pass";
const WRONG: &[u8] = b"\0alice\0b-pass";

#[test]
fn nothing_but_logging_in_is_served_to_strangers() {
    let folder = tempfile::tempdir().unwrap();
    let rig = Rig::new(folder.path());
    let _agent = Agent::start(folder.path(), &rig.hub(""));

    let mut peer = Peer::connect(&rig);
    assert_eq!(peer.code(api_versions()), 0);
    peer.send(&[metadata()]);
    assert_eq!(peer.answer(), None);

    let mut peer = Peer::connect(&rig);
    assert_eq!(peer.code(handshake(1, "PLAIN")), 0);
    peer.send(&[metadata()]);
    assert_eq!(peer.answer(), None);

    // What is behind the login sees that it is done.
    let mut peer = Peer::connect(&rig);
    peer.send(&[api_versions(), handshake(1, "PLAIN"), authenticate(RIGHT), metadata()]);
    for _ in 0..3 {
        let answer = peer.answer().unwrap();
        assert_eq!(answer[4..6], [0, 0]);
    }
    assert!(peer.answer().unwrap().windows(9).any(|part| part == b"127.0.0.1"));

    // And what is behind one that failed is not served.
    let mut peer = Peer::connect(&rig);
    peer.send(&[handshake(1, "PLAIN"), authenticate(WRONG), metadata()]);
    assert_eq!(peer.answer().unwrap()[4..6], [0, 0]);
    assert_eq!(peer.answer().unwrap()[4..6], [0, 58]);
    assert_eq!(peer.answer(), None);

    // More than a login has.
    let mut peer = Peer::connect(&rig);
    peer.send(&[100_000i32.to_be_bytes().to_vec()]);
    assert_eq!(peer.answer(), None);
}

#[test]
fn a_login_out_of_order_is_refused_with_kafkas_codes() {
    let folder = tempfile::tempdir().unwrap();
    let rig = Rig::new(folder.path());
    let _agent = Agent::start(folder.path(), &rig.hub(""));

    let mut peer = Peer::connect(&rig);
    peer.send(&[handshake(1, "GSSAPI")]);
    let answer = peer.answer().unwrap();
    assert_eq!(answer[4..10], [0, 33, 0, 0, 0, 3]);
    assert!(answer.windows(13).any(|part| part == b"SCRAM-SHA-512"));
    assert_eq!(peer.answer(), None);

    let mut peer = Peer::connect(&rig);
    assert_eq!(peer.code(authenticate(RIGHT)), 34);
    assert_eq!(peer.answer(), None);

    let mut peer = Peer::connect(&rig);
    assert_eq!(peer.code(handshake(1, "PLAIN")), 0);
    assert_eq!(peer.code(handshake(1, "PLAIN")), 34);
    assert_eq!(peer.answer(), None);

    let mut peer = Peer::connect(&rig);
    assert_eq!(peer.code(handshake(1, "PLAIN")), 0);
    assert_eq!(peer.code(authenticate(RIGHT)), 0);
    assert_eq!(peer.code(authenticate(RIGHT)), 34);
    assert_eq!(peer.answer(), None);
}

#[test]
fn after_version_0_of_the_handshake_messages_come_without_headers() {
    let folder = tempfile::tempdir().unwrap();
    let rig = Rig::new(folder.path());
    let _agent = Agent::start(folder.path(), &rig.hub(""));

    let mut peer = Peer::connect(&rig);
    assert_eq!(peer.code(handshake(0, "PLAIN")), 0);
    peer.send(&[framed(RIGHT), metadata()]);
    assert_eq!(peer.answer(), Some(Vec::new()));
    assert!(peer.answer().unwrap().windows(9).any(|part| part == b"127.0.0.1"));

    let mut peer = Peer::connect(&rig);
    assert_eq!(peer.code(handshake(0, "PLAIN")), 0);
    peer.send(&[framed(WRONG), metadata()]);
    assert_eq!(peer.answer(), None);
}
