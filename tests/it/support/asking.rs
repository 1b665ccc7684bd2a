//! Requests to the admin listener as anybody could send them, and as the one who has the token does.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

/// Sends these bytes and reads what comes back until the far side closes; the status, and everything.
///
/// The request should ask for `Connection: close`.
pub(crate) fn raw(address: &str, request: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).and_then(|code| code.parse().ok());
    (status.unwrap_or_default(), answer)
}

/// A request with these lines of head, each with its end, and this body.
pub(crate) fn request(first: &str, head: &str, body: &str) -> String {
    let length = body.len();
    format!("{first} HTTP/1.1\r\n{head}Connection: close\r\nContent-Length: {length}\r\n\r\n{body}")
}

/// The line of head with the token of the agent whose data is in `folder`.
pub(crate) fn token(folder: &Path) -> String {
    let token = fs::read_to_string(folder.join("admin-token")).unwrap();
    format!("Authorization: Bearer {}\r\n", token.trim())
}
