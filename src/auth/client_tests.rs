//! Logs in with librdkafka, through TLS, at as much of a broker as that takes.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use rcgen::{CertificateParams, KeyPair};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::mechanism::Mechanism;
use super::sasl::{SaslServer, Step};
use super::tls::{PrincipalPart, Tls, TlsConfig};
use super::users::{Users, tests::users};

/// What a client has got to.
#[derive(Debug, PartialEq)]
enum End {
    /// It has asked for metadata.
    In(String),
    Refused(String),
}

fn text(out: &mut BytesMut, text: &str) {
    out.put_i16(text.len().try_into().unwrap());
    out.put_slice(text.as_bytes());
}

/// Answers one client until it is in or refused.
async fn serve(listener: &TcpListener, tls: &Tls, users: &Users) -> End {
    let port = listener.local_addr().unwrap().port();
    let (mut sasl, mut principal) = (None, None);
    let (accepted, _) = listener.accept().await.unwrap();
    let mut stream = tls.shared().accept(accepted).await.unwrap();
    loop {
        let length = stream.read_i32().await.unwrap();
        let mut request = vec![0; length.try_into().unwrap()];
        stream.read_exact(&mut request).await.unwrap();
        let mut request = Bytes::from(request);
        let (key, version, id) = (request.get_i16(), request.get_i16(), request.get_i32());
        let client = request.get_i16();
        request.advance(client.try_into().unwrap());
        let mut reply = BytesMut::new();
        reply.put_i32(id);
        let mut end = None;
        match key {
            // ApiVersions, in version 0 alone: metadata, both of SASL, itself.
            18 => {
                reply.put_i16(if version == 0 { 0 } else { 35 });
                reply.put_i32(4);
                for (api, most) in [(3, 0), (17, 1), (18, 0), (36, 0)] {
                    [api, 0, most].into_iter().for_each(|number| reply.put_i16(number));
                }
            }
            17 => {
                let name = String::from_utf8(request.split_off(2).to_vec()).unwrap();
                let mechanism = Mechanism::from_name(&name).unwrap();
                sasl = Some(SaslServer::new(mechanism, users, Arc::default()));
                reply.put_i16(0);
                reply.put_i32(1);
                text(&mut reply, &name);
            }
            36 => match sasl.as_mut().unwrap().step(&request.split_off(4)) {
                Step::Continue(bytes) => {
                    reply.put_slice(&[0, 0, 0xff, 0xff]);
                    reply.put_i32(bytes.len().try_into().unwrap());
                    reply.put_slice(&bytes);
                }
                Step::Done { principal: name, reply: bytes } => {
                    principal = Some(name);
                    reply.put_slice(&[0, 0, 0xff, 0xff]);
                    reply.put_i32(bytes.len().try_into().unwrap());
                    reply.put_slice(&bytes);
                }
                Step::Failed(problem) => {
                    reply.put_i16(58);
                    text(&mut reply, &problem);
                    reply.put_i32(0);
                    end = Some(End::Refused(problem));
                }
            },
            // Metadata: this broker, no topics.
            3 => {
                reply.put_i32(1);
                reply.put_i32(0);
                text(&mut reply, "localhost");
                reply.put_i32(port.into());
                reply.put_i32(0);
                end = Some(End::In(principal.clone().unwrap()));
            }
            other => panic!("API {other}"),
        }
        stream.write_i32(reply.len().try_into().unwrap()).await.unwrap();
        stream.write_all(&reply).await.unwrap();
        stream.flush().await.unwrap();
        if let Some(end) = end {
            return end;
        }
    }
}

/// What comes of a client with this password.
async fn log_in(mechanism: Mechanism, password: &str) -> End {
    let folder = tempfile::tempdir().unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let config = TlsConfig {
        certificate: folder.path().join("hub.pem"),
        key: folder.path().join("hub.key"),
        client_ca: None,
        principal: PrincipalPart::Subject,
    };
    fs::write(&config.certificate, params.self_signed(&key).unwrap().pem()).unwrap();
    fs::write(&config.key, key.serialize_pem()).unwrap();
    let (tls, users) = (Tls::load(&config).unwrap(), users(&[("a,b=ä", "p=ä,ss wört")]));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let client: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", format!("localhost:{port}"))
        .set("broker.address.family", "v4")
        .set("security.protocol", "SASL_SSL")
        .set("ssl.ca.location", config.certificate.display().to_string())
        .set("sasl.mechanism", mechanism.name())
        .set("sasl.username", "a,b=ä")
        .set("sasl.password", password)
        .create()
        .unwrap();
    let ask = tokio::task::spawn_blocking(move || {
        // Whether there is an answer is seen on the other side.
        client.fetch_metadata(None, Duration::from_secs(1)).map(drop).ok();
    });
    let (end, asked) = tokio::join!(serve(&listener, &tls, &users), ask);
    asked.unwrap();
    end
}

#[tokio::test]
async fn librdkafka_logs_in_by_each_mechanism_and_only_with_the_password() {
    let attempts = Mechanism::ALL.map(|mechanism| async move {
        tokio::join!(log_in(mechanism, "p=ä,ss wört"), log_in(mechanism, "p=ä,ss wort"))
    });
    for (right, wrong) in futures::future::join_all(attempts).await {
        assert_eq!(right, End::In("User:a,b=ä".to_owned()));
        assert!(matches!(wrong, End::Refused(_)), "{wrong:?}");
    }
}
