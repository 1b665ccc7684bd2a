//! What goes into the agent under test: lines that look like a web server's log, the same in each run.

use std::io::{BufWriter, Read, Write};
use std::net::TcpStream;
use std::path::Path;

use super::stop;

const PATHS: [&str; 6] = [
    "/index.html",
    "/api/v1/users",
    "/static/app.js",
    "/login",
    "/images/logo.png",
    "/search?q=log",
];
const AGENTS: [&str; 3] =
    ["Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36", "curl/7.88.1", "Go-http-client/2.0"];
const STATUS: [u32; 6] = [200, 200, 200, 304, 404, 500];

/// A row of numbers that only looks like chance.
pub(super) struct Numbers(u64);

impl Numbers {
    pub(super) const fn new() -> Self {
        Self(0x9e37_79b9_7f4a_7c15)
    }

    fn next(&mut self) -> u64 {
        // xorshift64
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: u64) -> u64 {
        (self.next() >> 33) % end
    }

    fn of<'a>(&mut self, list: &[&'a str]) -> &'a str {
        let at = usize::try_from(self.below(list.len() as u64)).unwrap_or(0);
        list.get(at).copied().unwrap_or_default()
    }
}

/// Appends one line of exactly `bytes` bytes, without its end.
pub(super) fn line(numbers: &mut Numbers, second: u64, bytes: usize, out: &mut Vec<u8>) {
    let begin = out.len();
    let status = STATUS.get(usize::try_from(numbers.below(6)).unwrap_or(0)).copied().unwrap_or(200);
    let (a, b, c, d) =
        (numbers.below(255), numbers.below(255), numbers.below(255), numbers.below(255));
    let (minute, second, size) = (second / 60 % 60, second % 60, numbers.below(100_000));
    let (path, referrer, agent) = (numbers.of(&PATHS), numbers.of(&PATHS), numbers.of(&AGENTS));
    let id = numbers.next() & 0xffff_ffff;
    // Writing to memory cannot fail.
    write!(
        out,
        "{a}.{b}.{c}.{d} - - [20/Nov/2026:18:{minute:02}:{second:02} +0000] \"GET {path} HTTP/1.1\" {status} {size} \"https://example.com{referrer}\" \"{agent}\" {id:08x}"
    )
    .ok();
    out.resize(begin + bytes, b'x');
}

/// Writes a file of `count` such lines, each `line_bytes` long with its end.
pub(super) fn file(path: &Path, count: u64, line_bytes: usize) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("{}: {error}", path.display());
    let mut out = BufWriter::with_capacity(1 << 20, std::fs::File::create(path).map_err(failed)?);
    let (mut numbers, mut text) = (Numbers::new(), Vec::new());
    for number in 0..count {
        stop::check()?;
        text.clear();
        line(&mut numbers, number / 100, line_bytes - 1, &mut text);
        text.push(b'\n');
        out.write_all(&text).map_err(failed)?;
    }
    out.flush().map_err(failed)
}

/// Posts `count` lines of JSON over one connection, about a mebibyte a request; each answer is awaited.
pub(super) fn post(address: &str, count: u64, line_bytes: usize) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("http://{address}: {error}");
    let mut stream = TcpStream::connect(address).map_err(failed)?;
    stream.set_nodelay(true).map_err(failed)?;
    let (mut numbers, mut body, mut text) = (Numbers::new(), Vec::new(), Vec::new());
    let each = (1 << 20) / line_bytes as u64;
    for number in 0..each {
        body.extend_from_slice(b"{\"message\":\"");
        text.clear();
        line(&mut numbers, number / 100, line_bytes - 15, &mut text);
        text.iter_mut().filter(|byte| **byte == b'"').for_each(|byte| *byte = b'\'');
        body.extend_from_slice(&text);
        body.extend_from_slice(b"\"}\n");
    }
    let mut sent = 0;
    let mut answer = [0; 4096];
    while sent < count {
        stop::check()?;
        write!(
            stream,
            "POST / HTTP/1.1\r\nHost: bench\r\nContent-Type: application/x-ndjson\r\nContent-Length: {}\r\n\r\n",
            body.len()
        )
        .map_err(failed)?;
        stream.write_all(&body).map_err(failed)?;
        let got = stream.read(&mut answer).map_err(failed)?;
        let answer = String::from_utf8_lossy(answer.get(..got).unwrap_or_default());
        if !answer.starts_with("HTTP/1.1 200") {
            return Err(format!(
                "http://{address} answered {}",
                answer.lines().next().unwrap_or("nothing")
            ));
        }
        sent += each;
    }
    Ok(())
}

/// Messages that [`syslog`] sends at once.
pub(super) const SYSLOG_BLOCK: u64 = 5_000;

/// Sends `count` messages of RFC 5424 over one TCP connection, a line each, 190 bytes with its end.
pub(super) fn syslog(address: &str, count: u64) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("tcp://{address}: {error}");
    let mut stream = TcpStream::connect(address).map_err(failed)?;
    let (mut numbers, mut block) = (Numbers::new(), Vec::new());
    for number in 0..SYSLOG_BLOCK {
        let begin = block.len();
        let second = number / 100;
        write!(
            block,
            "<134>1 2026-11-20T18:{:02}:{:02}.123Z web-1 nginx 812 - - ",
            second / 60,
            second % 60
        )
        .ok();
        let used = block.len() - begin;
        line(&mut numbers, second, 189 - used, &mut block);
        block.push(b'\n');
    }
    let mut sent = 0;
    while sent < count {
        stop::check()?;
        stream.write_all(&block).map_err(failed)?;
        sent += SYSLOG_BLOCK;
    }
    Ok(())
}

/// How many messages [`syslog`] and lines [`post`] really send for `count`: whole blocks.
pub(super) fn rounded(count: u64, each: u64) -> u64 {
    count.div_ceil(each) * each
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_their_length_and_are_the_same_in_each_run() {
        let text = |count: u64| {
            let (mut numbers, mut text) = (Numbers::new(), Vec::new());
            for second in 0..count {
                line(&mut numbers, second, 199, &mut text);
                text.push(b'\n');
            }
            text
        };
        let lines = text(100);
        assert_eq!(lines.len(), 100 * 200);
        assert!(lines.split(|byte| *byte == b'\n').take(100).all(|line| line.len() == 199));
        assert!(lines == text(100));
        assert!(lines[..200] != lines[200..400]);
    }
}
