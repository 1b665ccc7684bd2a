//! What a listener asks is asked of real connections: lists of addresses, headers of proxies, TLS.

use std::io;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::tls::{Tls, TlsConfig, renew};
use super::{Arrived, ConnectionMeter, Door, Ended, Listener, Peer, Places, Terms};
use crate::Memory;

/// Far more than anything takes.
const SOON: Duration = Duration::from_secs(30);

struct Rig {
    door: Door,
    terms: Arc<Terms>,
    address: std::net::SocketAddr,
    meter: Arc<ConnectionMeter>,
}

async fn rig(terms: Terms) -> Rig {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, terms, meter) =
        (listener.local_addr().unwrap(), Arc::new(terms), Arc::<ConnectionMeter>::default());
    let places = Places::new("test", 4, Arc::clone(&meter), &Memory::shared(1 << 20));
    let door = Door::new(Listener::Tcp(listener), places, Arc::clone(&terms));
    Rig { door, terms, address, meter }
}

impl Rig {
    /// What becomes of the next connection, and what it says to its end.
    async fn next(&self) -> Option<(Peer, Vec<u8>)> {
        let (stream, peer, place) = self.door.next().await;
        let Arrived { mut stream, peer, .. } = self.terms.settle(stream, peer, &place).await?;
        let mut said = Vec::with_capacity(64);
        loop {
            stream.readable().await.unwrap();
            match stream.try_read(&mut said) {
                Ok(0) => break,
                Ok(_) => said.reserve(64),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => panic!("{error}"),
            }
        }
        stream.write_all(b"answer").await.unwrap();
        stream.close().await;
        Some((peer, said))
    }

    /// What becomes of one who sends these bytes and no more.
    async fn of(&self, bytes: &[u8]) -> Option<(Peer, Vec<u8>)> {
        let (mut client, bytes) = (TcpStream::connect(self.address).await.unwrap(), bytes.to_vec());
        let mut far = JoinSet::new();
        far.spawn(async move {
            for byte in bytes {
                // One who is refused meanwhile need not hear the rest.
                client.write_all(&[byte]).await.ok();
            }
            client.shutdown().await.ok();
            client.read_to_end(&mut Vec::new()).await.ok();
        });
        let next = self.next().await;
        far.join_next().await.unwrap().unwrap();
        next
    }

    fn ended(&self, why: Ended) -> u64 {
        self.meter.ended().into_iter().find(|(one, _)| *one == why).unwrap().1
    }
}

fn ip(last: u8) -> Peer {
    Peer::Ip(Ipv4Addr::new(10, 1, 2, last).into())
}

const V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x0a\x01\x02\x04\x7f\0\0\x01\x10\0\x20\0";

#[tokio::test]
async fn the_peer_is_whom_the_proxy_names_and_what_is_behind_its_header_is_all_there() {
    let rig = rig(Terms::default().of_proxies(true)).await;
    let line = b"PROXY TCP4 10.1.2.3 127.0.0.1 5 6\r\nhello";
    assert_eq!(rig.of(line).await, Some((ip(3), b"hello".to_vec())));
    let told = rig.of(&[V2, b"hello"].concat()).await;
    assert_eq!(told, Some((ip(4), b"hello".to_vec())));
    let local = Peer::Ip(Ipv4Addr::LOCALHOST.into());
    assert_eq!(rig.of(b"PROXY UNKNOWN\r\nx").await, Some((local, b"x".to_vec())));
    for wrong in [b"hello".as_slice(), b"", b"PROXY TCP4 10.1.2.3", b"PROXY TCP4 x\r\n"] {
        assert_eq!(rig.of(wrong).await, None);
    }
    assert_eq!(rig.ended(Ended::Header), 4);
    assert_eq!((rig.meter.open(), rig.meter.accepted()), (0, 7));
}

#[tokio::test]
async fn who_is_not_in_the_list_gets_no_place_whatever_its_header_says() {
    let networks = ["10.0.0.0/8".parse().unwrap()];
    let rig = rig(Terms::default().of_proxies(true).only(&networks)).await;
    let mut refused = TcpStream::connect(rig.address).await.unwrap();
    refused.write_all(b"PROXY TCP4 10.1.2.3 127.0.0.1 5 6\r\n").await.unwrap();
    let (mut next, mut nothing) = (std::pin::pin!(rig.next()), Vec::new());
    tokio::select! {
        _ = &mut next => panic!("it was let in"),
        // Closed with bytes unread: an end or a reset.
        ended = timeout(SOON, refused.read_to_end(&mut nothing)) => drop(ended.expect("an end")),
    }
    assert_eq!((rig.ended(Ended::NotAllowed), rig.meter.accepted()), (1, 0));
    rig.terms.set_allowed(&["127.0.0.1".parse().unwrap()]);
    let line = b"PROXY TCP4 9.9.9.9 127.0.0.1 5 6\r\nin";
    let mut client = TcpStream::connect(rig.address).await.unwrap();
    client.write_all(line).await.unwrap();
    client.shutdown().await.unwrap();
    let (peer, said) = next.await.unwrap();
    assert_eq!((peer.to_string().as_str(), said.as_slice()), ("9.9.9.9", b"in".as_slice()));
}

fn certify(folder: &Path) -> TlsConfig {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let (certificate, key_file) = (folder.join("c.pem"), folder.join("k.pem"));
    std::fs::write(&certificate, params.self_signed(&key).unwrap().pem()).unwrap();
    std::fs::write(&key_file, key.serialize_pem()).unwrap();
    TlsConfig { certificate, key: key_file, client_ca: None }
}

/// What the far side answers to one who trusts the certificate that is in the file now.
async fn ask(rig: &Rig, config: &TlsConfig, lead: &[u8], words: &[u8]) -> io::Result<Vec<u8>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(&config.certificate).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let mut plain = TcpStream::connect(rig.address).await?;
    plain.write_all(lead).await?;
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = TlsConnector::from(Arc::new(client)).connect(name, plain).await?;
    stream.write_all(words).await?;
    stream.shutdown().await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    Ok(answer)
}

#[tokio::test]
async fn tls_is_read_whole_also_behind_the_header_of_a_proxy_and_a_failed_handshake_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let config = certify(folder.path());
    let tls = Some(Arc::new(Tls::load(&config).unwrap()));
    let words: Vec<u8> = (0..100_000u32).map(|number| number.to_le_bytes()[0]).collect();
    let rig = rig(Terms::new(tls).of_proxies(true)).await;
    let (next, answer) = tokio::join!(rig.next(), ask(&rig, &config, V2, &words));
    let (peer, said) = next.unwrap();
    assert_eq!(peer, ip(4));
    assert!(said == words, "{} of {} bytes", said.len(), words.len());
    assert_eq!(answer.unwrap(), b"answer");
    assert_eq!(rig.of(&[V2, b"GET / HTTP/1.1\r\n\r\n"].concat()).await, None);
    assert_eq!(rig.ended(Ended::Handshake), 1);
}

#[tokio::test(start_paused = true)]
async fn who_does_not_do_what_is_asked_in_time_loses_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let tls = Some(Arc::new(Tls::load(&certify(folder.path())).unwrap()));
    let rig = rig(Terms::new(tls)).await;
    let silent = TcpStream::connect(rig.address).await.unwrap();
    assert_eq!(rig.next().await, None);
    assert_eq!((rig.ended(Ended::Slow), rig.meter.open()), (1, 0));
    drop(silent);
}

#[tokio::test]
async fn what_is_kept_is_read_anew_at_a_renewal_and_stays_where_it_cannot_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let config = certify(folder.path());
    let rig = rig(Terms::kept(Some(&config), "sources.web.from.http").unwrap()).await;
    let mine = |failed: Vec<String>| {
        failed.into_iter().filter(|why| why.contains("sources.web")).collect::<Vec<_>>()
    };
    let old = config.certificate.with_extension("old");
    std::fs::copy(&config.certificate, &old).unwrap();
    certify(folder.path());
    let with_old = TlsConfig { certificate: old, ..config.clone() };
    let (_, answer) = tokio::join!(rig.next(), ask(&rig, &with_old, b"", b"x"));
    answer.unwrap();
    assert_eq!(mine(renew()), Vec::<String>::new());
    let (_, answer) = tokio::join!(rig.next(), ask(&rig, &config, b"", b"x"));
    answer.unwrap();
    let new = std::fs::read(&config.certificate).unwrap();
    std::fs::write(&config.certificate, "half").unwrap();
    let failed = mine(renew());
    assert!(failed[0].starts_with("sources.web.from.http.tls.certificate: "), "{failed:?}");
    std::fs::write(&config.certificate, new).unwrap();
    let (_, answer) = tokio::join!(rig.next(), ask(&rig, &config, b"", b"x"));
    answer.unwrap();
}
