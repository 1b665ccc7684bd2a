//! Requests as they are, on connections of their own, and what is answered.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::messages::{
    ApiKey, RequestHeader, RequestKind, ResponseHeader, ResponseKind, SaslAuthenticateRequest,
    SaslHandshakeRequest,
};
use kafka_protocol::protocol::{Decodable, Encodable, StrBytes};

pub(crate) fn text(value: &str) -> StrBytes {
    StrBytes::from_string(value.to_owned())
}

/// Connects to a server that is expected to answer soon.
pub(super) fn connect(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream
}

/// Sends a request on a connection of its own.
pub(super) fn send(address: &str, key: ApiKey, version: i16, request: &RequestKind) -> TcpStream {
    let stream = connect(address);
    write(&stream, key, version, request);
    stream
}

/// Sends a request on a connection that there is.
fn write(mut stream: &TcpStream, key: ApiKey, version: i16, request: &RequestKind) {
    let mut frame = BytesMut::new();
    frame.put_i32(0);
    RequestHeader::default()
        .with_request_api_key(key as i16)
        .with_request_api_version(version)
        .with_correlation_id(7)
        .with_client_id(Some(text("differential")))
        .encode(&mut frame, key.request_header_version(version))
        .unwrap();
    let encoded = request.encode(&mut frame, version);
    encoded.unwrap_or_else(|error| panic!("{key:?} version {version}: {error}"));
    let length = i32::try_from(frame.len() - 4).unwrap();
    frame[..4].copy_from_slice(&length.to_be_bytes());
    // One that hangs up at once has nothing to answer.
    stream.write_all(&frame).ok();
}

/// What a server says to one who has logged in by PLAIN; `None` when it hangs up or says nothing.
pub(super) fn ask_as(
    address: &str,
    (user, password): (&str, &str),
    (key, version): (ApiKey, i16),
    request: &RequestKind,
) -> Option<ResponseKind> {
    let stream = connect(address);
    let handshake = SaslHandshakeRequest::default().with_mechanism(text("PLAIN"));
    write(&stream, ApiKey::SaslHandshake, 1, &RequestKind::SaslHandshake(handshake));
    receive(&stream, ApiKey::SaslHandshake, 1)?;
    let proof = Bytes::from(format!("\0{user}\0{password}"));
    let proof = SaslAuthenticateRequest::default().with_auth_bytes(proof);
    write(&stream, ApiKey::SaslAuthenticate, 1, &RequestKind::SaslAuthenticate(proof));
    receive(&stream, ApiKey::SaslAuthenticate, 1)?;
    write(&stream, key, version, request);
    let mut answer = receive(&stream, key, version)?;
    Some(ResponseKind::decode(key, &mut answer, version).unwrap())
}

/// The body of the answer; `None` when the server hangs up or says nothing.
pub(super) fn receive(mut stream: &TcpStream, key: ApiKey, version: i16) -> Option<Bytes> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).ok()?;
    let mut answer = vec![0; usize::try_from(i32::from_be_bytes(length)).unwrap()];
    stream.read_exact(&mut answer).unwrap();
    let mut answer = Bytes::from(answer);
    ResponseHeader::decode(&mut answer, key.response_header_version(version)).unwrap();
    Some(answer)
}

/// What a server says to a request; `None` when it hangs up or says nothing.
pub(crate) fn ask(
    address: &str,
    key: ApiKey,
    version: i16,
    request: &RequestKind,
) -> Option<ResponseKind> {
    let mut answer = receive(&send(address, key, version, request), key, version)?;
    Some(ResponseKind::decode(key, &mut answer, version).unwrap())
}
