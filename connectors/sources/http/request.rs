//! Serves one request.

use std::sync::Arc;
use std::time::Duration;

use anabranch_record::batch::stream_of;
use anabranch_record::{Batch, Buffer, Headers, Pool};
use hyper::body::Incoming;
use hyper::header::{ALLOW, AUTHORIZATION, CONTENT_TYPE, HeaderValue, ORIGIN, WWW_AUTHENTICATE};
use hyper::{Method, Request, StatusCode};

use super::answer::{Answer, Refusal, json};
use super::auth::Guard;
use super::body::{self, Encoding};
use super::config::{Format, SourceConfig};
use super::dialects::{self, Dialect};
use super::records::{self, Common};
use crate::Emitter;
use crate::contract::clock;
use crate::contract::memory::{Arriving, Part};
use crate::shared::stream::http::Early;
use crate::shared::stream::{Peer, Place};

/// Bodies that take longer to cut are cut on a thread for blocking work, bytes.
const INLINE_MAX: usize = 256 << 10;
/// Buffers that are kept for the next body, and the largest of them.
const POOL: (usize, usize) = (8, 1 << 20);

/// What all requests have in common.
#[derive(Debug)]
pub(super) struct Shared {
    emitter: Emitter,
    guard: Guard,
    pool: Pool,
    path: String,
    max_body: usize,
    timeout: Duration,
    format: Format,
    /// In lower case.
    allowed_origins: Vec<String>,
}

impl Shared {
    pub(super) fn new(config: &SourceConfig, emitter: Emitter) -> Self {
        let max_body = config.max_body.bytes();
        Self {
            emitter,
            guard: Guard::new(&config.auth),
            pool: Pool::new(POOL.0, POOL.1),
            path: config.path.trim_end_matches('/').to_owned(),
            max_body,
            timeout: config.timeout,
            format: config.format,
            allowed_origins: config.allowed_origins.iter().map(|one| one.to_lowercase()).collect(),
        }
    }

    /// Serves a request; what goes wrong is an answer too. Once its body is there, its connection keeps its place.
    pub(super) async fn serve(
        self: Arc<Self>,
        request: Request<Incoming>,
        peer: Peer,
        place: &Place,
    ) -> Answer {
        let reads = matches!(*request.method(), Method::GET | Method::HEAD);
        if reads && request.uri().path() == "/health" {
            return json(StatusCode::OK, r#"{"status":"ok"}"#.to_owned());
        }
        if reads && let Some(answer) = self.read(&request) {
            return answer;
        }
        let below = request.uri().path().strip_prefix(self.path.as_str());
        let dialect = below.and_then(dialects::of);
        let taken = self.take(request, dialect, peer, place).await;
        taken.unwrap_or_else(|refusal| refused(dialect, refusal))
    }

    /// What is answered to a question of a client of another server.
    fn read(&self, request: &Request<Incoming>) -> Option<Answer> {
        let answer = dialects::read(request.uri().path().strip_prefix(self.path.as_str())?)?;
        Some(self.know(request).map_or_else(Refusal::response, |()| answer))
    }

    async fn take(
        &self,
        request: Request<Incoming>,
        dialect: Option<&'static Dialect>,
        peer: Peer,
        place: &Place,
    ) -> Result<Answer, Refusal> {
        let admitted = self.admit(&request).and_then(|()| Encoding::of(request.headers()));
        let (head, mut incoming) = request.into_parts();
        let announced = body::announced(&incoming);
        let mut held = Arriving::new(self.emitter.memory(), Part::Bodies, announced);
        let collected = match admitted {
            Ok(encoding) => {
                let data = self.collect(&mut incoming, &mut held, place).await;
                data.map(|data| (data, encoding))
            }
            Err(refusal) => Err(refusal),
        };
        let (data, encoding) = match collected {
            Ok(collected) => collected,
            Err(refusal) => {
                // What it held is for others from now on.
                drop(held);
                let is_small = announced <= body::REST.0;
                let is_whole = is_small && body::is_whole(&mut incoming, &head.headers).await;
                let mut answer = refused(dialect, refusal);
                if !is_whole {
                    answer.extensions_mut().insert(Early);
                }
                return Ok(answer);
            }
        };
        let _work = place.work();
        let peer = peer.to_string();
        let common = Common {
            headers: Headers::new().with("peer", peer.as_bytes()),
            timestamp_ms: clock::now_ms(),
            stream: stream_of(peer.as_bytes()),
            key: head.uri.query().and_then(key),
            pool: self.pool.clone(),
        };
        let content_type = head.headers.get(CONTENT_TYPE).map(|kind| kind.as_bytes().to_vec());
        let (max, format) = (self.max_body, self.format);
        let path = head.uri.path().strip_prefix(self.path.as_str()).unwrap_or_default().to_owned();
        let inline = encoding == Encoding::Identity && data.len() <= INLINE_MAX;
        let cut = move || {
            let data = body::decompress(data, encoding, max, &common.pool, &mut held)?;
            if let Some(dialect) = dialect {
                let (batches, answer) = (dialect.parse)(&path, &data, &common)?;
                return Ok((batches, held, Some((dialect, answer))));
            }
            let kind = content_type.as_deref();
            let auto = format == Format::Auto;
            let format = if auto { records::format(kind, &data) } else { format };
            Ok((records::batches(data, format, &common)?, held, None))
        };
        let (batches, held, answer) = if inline { cut()? } else { off_the_loop(cut).await? };
        let stored = self.store(batches, held);
        let late = |_elapsed| Refusal::busy("the hub did not take it in time; send it again");
        let accepted = tokio::time::timeout(self.timeout, stored).await.map_err(late)??;
        let own = || json(StatusCode::OK, format!(r#"{{"accepted":{accepted}}}"#));
        Ok(answer.map_or_else(own, |(dialect, answer)| (dialect.stored)(answer)))
    }

    async fn collect(
        &self,
        body: &mut Incoming,
        held: &mut Arriving,
        place: &Place,
    ) -> Result<Buffer, Refusal> {
        let collect = body::collect(body, self.max_body, &self.pool, (held, place));
        let collected = tokio::time::timeout(self.timeout, collect).await;
        let late = |_elapsed| {
            let message = "the body did not come in time; send it again";
            Refusal::new(StatusCode::REQUEST_TIMEOUT, message)
        };
        collected.map_err(late)?
    }

    fn admit(&self, request: &Request<Incoming>) -> Result<(), Refusal> {
        let below = request.uri().path().strip_prefix(self.path.as_str());
        if !below.is_some_and(|below| below.is_empty() || below.starts_with('/')) {
            let message = format!("nothing is here; events are taken under {}/", self.path);
            return Err(Refusal::new(StatusCode::NOT_FOUND, message));
        }
        if !matches!(*request.method(), Method::POST | Method::PUT) {
            let message = "events are sent with POST or PUT";
            return Err(
                Refusal::new(StatusCode::METHOD_NOT_ALLOWED, message).with(ALLOW, "POST, PUT")
            );
        }
        let origins = request.headers().get_all(ORIGIN);
        if let Some(page) = origins.iter().find(|page| !self.allows_page(page)) {
            let page = String::from_utf8_lossy(page.as_bytes());
            let message =
                format!("a web page of \"{page}\" may not send here; see allowed_origins");
            return Err(Refusal::new(StatusCode::FORBIDDEN, message));
        }
        self.know(request)
    }

    /// Whether the credentials are right.
    fn know(&self, request: &Request<Incoming>) -> Result<(), Refusal> {
        self.guard.admits(request.headers().get(AUTHORIZATION)).map_err(|challenge| {
            Refusal::new(StatusCode::UNAUTHORIZED, "credentials are missing or wrong")
                .with(WWW_AUTHENTICATE, challenge)
        })
    }

    /// A browser of somebody who only looks at a page sends what the page wants, also to this machine.
    fn allows_page(&self, origin: &HeaderValue) -> bool {
        let origin = String::from_utf8_lossy(origin.as_bytes()).to_lowercase();
        self.allowed_origins.iter().any(|allowed| allowed == "*" || *allowed == origin)
    }

    /// Hands the batches on and waits until the hub has them all. What is held is given back once the producer counts
    /// it.
    async fn store(&self, batches: Vec<Batch>, mut held: Arriving) -> Result<usize, Refusal> {
        let records = batches.iter().map(Batch::len).sum();
        let mut receipts = Vec::with_capacity(batches.len());
        for batch in batches {
            let receipt = self.emitter.send_in(batch, held.most()).await;
            receipts.push(receipt.map_err(|closed| Refusal::busy(closed.to_string()))?);
        }
        drop(held);
        for receipt in receipts {
            receipt.stored().await.map_err(|error| Refusal::busy(error.to_string()))?;
        }
        Ok(records)
    }
}

/// The records, what their body holds, and the answer of a dialect.
type Cut = Result<(Vec<Batch>, Arriving, Option<(&'static Dialect, String)>), Refusal>;

/// What is said of a refusal in a dialect, or in the source's own words.
fn refused(dialect: Option<&Dialect>, refusal: Refusal) -> Answer {
    dialect.map_or(Refusal::response as fn(Refusal) -> Answer, |dialect| dialect.refused)(refusal)
}

async fn off_the_loop(cut: impl FnOnce() -> Cut + Send + 'static) -> Cut {
    let failed =
        |error: tokio::task::JoinError| Refusal::busy(format!("the body was not cut: {error}"));
    tokio::task::spawn_blocking(cut).await.map_err(failed)?
}

/// The value of `key` in a query, decoded.
fn key(query: &str) -> Option<Vec<u8>> {
    let coded = query.split('&').find_map(|pair| pair.strip_prefix("key="))?;
    let mut key = Vec::with_capacity(coded.len());
    let mut bytes = coded.as_bytes();
    while let Some((&first, rest)) = bytes.split_first() {
        bytes = rest;
        let escaped = rest.split_first_chunk::<2>().filter(|_| first == b'%');
        let escaped = escaped.and_then(|(digits, behind)| {
            let digits = str::from_utf8(digits).ok()?;
            let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
            Some((u8::from_str_radix(digits, 16).ok().filter(|_| is_hex)?, behind))
        });
        match (escaped, first) {
            (Some((byte, behind)), _) => {
                key.push(byte);
                bytes = behind;
            }
            (None, b'+') => key.push(b' '),
            (None, byte) => key.push(byte),
        }
    }
    Some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_of_a_query_is_decoded() {
        for (query, expected) in [
            ("key=a", Some("a")),
            ("x=1&key=a%2Fb+c&y=2", Some("a/b c")),
            ("key=", Some("")),
            ("key=%C3%A9", Some("é")),
            ("key=100%&x", Some("100%")),
            ("key=%+1", Some("% 1")),
            ("monkey=a", None),
            ("", None),
        ] {
            assert_eq!(key(query), expected.map(|text| text.as_bytes().to_vec()), "{query}");
        }
    }
}
