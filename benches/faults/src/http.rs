//! Requests over HTTP/1.0, one for each connection: no more than the bench needs.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Status code and body.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The whole body.
    pub body: String,
}

/// One request.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// `GET`, `POST` …
    pub method: &'a str,
    /// Path and query.
    pub path: &'a str,
    /// The body's type.
    pub content_type: &'a str,
    /// The body.
    pub body: &'a str,
}

/// Longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Gets `path` from `host:port`.
///
/// # Errors
/// Why there is no whole answer.
pub fn get(address: &str, path: &str) -> Result<Answer, String> {
    send(address, Request { method: "GET", path, content_type: "text/plain", body: "" })
}

/// Sends a request to `host:port` and waits for the answer.
///
/// # Errors
/// Why there is no whole answer.
pub fn send(address: &str, request: Request<'_>) -> Result<Answer, String> {
    let failed = |error: std::io::Error| format!("{address}: {error}");
    let to: SocketAddr = address.parse().map_err(|error| format!("{address}: {error}"))?;
    let mut stream = TcpStream::connect_timeout(&to, PATIENCE).map_err(failed)?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(failed)?;
    stream.set_write_timeout(Some(PATIENCE)).map_err(failed)?;
    let Request { method, path, content_type, body } = request;
    let head = format!(
        "{method} {path} HTTP/1.0\r\nHost: {address}\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(format!("{head}{body}").as_bytes()).map_err(failed)?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).map_err(failed)?;
    parse(&bytes).ok_or_else(|| format!("{address}: half an answer"))
}

fn parse(bytes: &[u8]) -> Option<Answer> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = std::str::from_utf8(bytes.get(..end)?).ok()?;
    let body = bytes.get(end + 4..)?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let header = |wanted: &str| {
        let lines = head.lines().filter_map(|line| line.split_once(':'));
        lines
            .filter(|(name, _value)| name.eq_ignore_ascii_case(wanted))
            .map(|(_name, value)| value.trim())
            .next()
    };
    let body = match header("transfer-encoding") {
        // Not asked for; Elasticsearch does it all the same.
        Some(encoding) if encoding.eq_ignore_ascii_case("chunked") => pieces(body)?,
        _ => body.to_vec(),
    };
    let length = header("content-length").and_then(|length| length.parse().ok());
    let whole = length.is_none_or(|length: usize| body.len() >= length);
    whole.then(|| Answer { status, body: String::from_utf8_lossy(&body).into_owned() })
}

/// The pieces of a chunked body in one, if the last one is there.
fn pieces(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut whole = Vec::new();
    loop {
        let end = rest.windows(2).position(|two| two == b"\r\n")?;
        let size = std::str::from_utf8(rest.get(..end)?).ok()?;
        let size = usize::from_str_radix(size.split(';').next()?.trim(), 16).ok()?;
        if size == 0 {
            return Some(whole);
        }
        whole.extend(rest.get(end + 2..end + 2 + size)?);
        rest = rest.get(end + 2 + size + 2..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_an_answer_is_none() {
        let body = |text: &str| parse(text.as_bytes()).map(|answer| answer.body);
        let plain = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
        assert_eq!(body(plain).as_deref(), Some("hello"));
        assert_eq!(body(&plain[..plain.len() - 1]), None);
        let chunked =
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n";
        assert_eq!(body(chunked).as_deref(), Some("hello"));
        assert_eq!(body(chunked.trim_end_matches("0\r\n\r\n")), None);
    }
}
