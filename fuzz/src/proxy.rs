//! What begins a connection where a proxy is to tell for whom it is: a header that ends where it says, or a refusal, and the
//! same however the bytes come in.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use anabranch_connectors::shared::stream::proxy_header::{LONGEST, parse};

use crate::mutate;
use crate::random::Random;
use crate::report::Target;

/// How each version begins, and an example to its end.
const GOOD: [&[u8]; 5] = [
    b"PROXY TCP4 10.1.2.3 127.0.0.1 5000 80\r\nGET /",
    b"PROXY TCP6 fd00::1 ::1 5000 80\r\n",
    b"PROXY UNKNOWN\r\n",
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0f\x0a\x01\x02\x03\x7f\0\0\x01\x10\0\x20\0\x04\0\0<134>",
    b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0",
];

/// Feeds the parser for that long.
pub(crate) fn run(target: &mut Target, seconds: u64, seed: u64) {
    let mut random = Random::new(seed);
    let until = Instant::now() + Duration::from_secs(seconds);
    while Instant::now() < until {
        let (mut bytes, other) = (random.pick(&GOOD).to_vec(), random.pick(&GOOD));
        mutate::mutate(&mut bytes, other, &mut random);
        target.begin(&bytes);
        let outcome = catch_unwind(AssertUnwindSafe(|| read(&bytes)));
        target.end(&bytes, outcome.unwrap_or_else(|_panic| Err("a panic".to_owned())));
    }
}

fn read(bytes: &[u8]) -> Result<&'static str, String> {
    let whole = parse(bytes);
    let wrong = |what: &str| Err(format!("{what}: {whole:?}"));
    // What is refused once stays refused, and what is whole was not before.
    for end in 0..bytes.len() {
        match parse(&bytes[..end]) {
            Err(_) if whole.is_ok() => return wrong("refused before it was whole"),
            Ok(Some(early)) if whole != Ok(Some(early)) => return wrong("another one before"),
            _ => {}
        }
    }
    match whole {
        Err(_) => Ok("refused"),
        Ok(None) if bytes.len() >= LONGEST => wrong("never whole"),
        Ok(None) => Ok("not whole"),
        Ok(Some(header)) if header.length > bytes.len().min(LONGEST) => wrong("beyond its end"),
        Ok(Some(_)) => Ok("read"),
    }
}
