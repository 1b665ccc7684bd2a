//! Tests of the source with a real client.

use std::convert::Infallible;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, StreamExt};
use http_body_util::StreamBody;
use hyper::body::Frame;
use reqwest::{Client, RequestBuilder, Response};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::contract::build::Surroundings;
use crate::contract::emitter::{Emission, Emitter};
use crate::contract::receipt::{NotStored, Stored};
use crate::{ByteSize, Source, SourceError};

/// What the hub of a test does with what it gets.
#[derive(Clone, Copy, PartialEq)]
enum Hub {
    Stores,
    Refuses,
    Hangs,
}

struct Running {
    url: String,
    client: Client,
    stop: CancellationToken,
    source: JoinSet<Result<(), SourceError>>,
    hub: JoinSet<()>,
    stored: Arc<Mutex<Vec<String>>>,
}

fn start(config: SourceConfig, behaviour: Hub) -> Running {
    let config = SourceConfig { listen: "127.0.0.1:0".to_owned(), ..config };
    let bound = HttpSource::new(config, &Surroundings::default()).unwrap().bind().unwrap();
    let url = format!("http://{}", bound.address());
    let (emitter, outlet) = Emitter::channel(16);
    let (stop, mut source, mut hub) = (CancellationToken::new(), JoinSet::new(), JoinSet::new());
    source.spawn(bound.run(emitter, stop.clone()));
    let stored = Arc::<Mutex<Vec<String>>>::default();
    hub.spawn(serve_hub(outlet, behaviour, Arc::clone(&stored)));
    let client = Client::builder().no_proxy().build().unwrap();
    Running { url, client, stop, source, hub, stored }
}

async fn serve_hub(
    mut outlet: mpsc::Receiver<Emission>,
    behaviour: Hub,
    stored: Arc<Mutex<Vec<String>>>,
) {
    let mut hanging = Vec::new();
    while let Some(emission) = outlet.recv().await {
        for record in emission.batch.iter() {
            assert_eq!(record.headers.get("peer"), Some(&b"127.0.0.1"[..]));
            let value = String::from_utf8_lossy(record.value.unwrap());
            let key = record.key.map(String::from_utf8_lossy);
            let key = key.map_or(String::new(), |key| format!("{key}="));
            stored.lock().await.push(format!("{key}{value}"));
        }
        let settled = match behaviour {
            Hub::Stores => Ok(Stored { partition: 0, offset: 0 }),
            Hub::Refuses => Err(NotStored("disk full".to_owned())),
            Hub::Hangs => {
                hanging.push(emission);
                continue;
            }
        };
        drop(emission.settle.send(settled));
    }
}

impl Running {
    fn post(&self, path: &str) -> RequestBuilder {
        self.client.post(format!("{}{path}", self.url))
    }

    /// What is stored of one post, which must be accepted.
    async fn accepted(&self, request: RequestBuilder) -> Vec<String> {
        self.stored.lock().await.clear();
        let (status, answer) = read(request).await;
        let stored = self.stored.lock().await.clone();
        assert_eq!((status, answer), (200, format!("{{\"accepted\":{}}}", stored.len())));
        stored
    }

    async fn end(mut self) {
        self.stop.cancel();
        self.source.join_next().await.unwrap().unwrap().unwrap();
        self.hub.join_next().await.unwrap().unwrap();
    }
}

async fn read(request: RequestBuilder) -> (u16, String) {
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

fn header(answer: &Response, name: &str) -> String {
    answer.headers()[name].to_str().unwrap().to_owned()
}

/// A body whose length is not announced.
fn chunked(parts: impl Stream<Item = Vec<u8>> + Send + Sync + 'static) -> reqwest::Body {
    let frames = parts.map(|part| Ok::<_, Infallible>(Frame::data(Bytes::from(part))));
    reqwest::Body::wrap(StreamBody::new(frames))
}

const NDJSON: &str = "{\"a\":1}\n{\"b\":2}\n";

#[tokio::test]
async fn every_format_is_taken_by_its_content_type() {
    let running = start(SourceConfig::default(), Hub::Stores);
    for (content_type, body, expected) in [
        ("application/x-ndjson", NDJSON, vec!["{\"a\":1}", "{\"b\":2}"]),
        ("application/json", "[{\"a\": 1}, 2]", vec!["{\"a\": 1}", "2"]),
        ("application/json", "{\"a\":\n1}", vec!["{\"a\":\n1}"]),
        ("text/plain; charset=utf-8", "one\ntwo", vec!["one", "two"]),
        ("application/octet-stream", "one\ntwo", vec!["one\ntwo"]),
        ("application/what", NDJSON, vec!["{\"a\":1}", "{\"b\":2}"]),
    ] {
        let request = running.post("/any/path").header("content-type", content_type).body(body);
        assert_eq!(running.accepted(request).await, expected, "{content_type}");
    }
    let request = running.client.put(format!("{}/?key=k%201", running.url)).body("text");
    assert_eq!(running.accepted(request).await, ["k 1=text"]);
    assert!(running.accepted(running.post("/")).await.is_empty());
    running.end().await;
}

#[tokio::test]
async fn compressed_bodies_are_taken_and_bombs_refused() {
    let config = SourceConfig { max_body: ByteSize::mib(2), ..SourceConfig::default() };
    let running = start(config, Hub::Stores);
    let gzip = |body: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(body).unwrap();
        encoder.finish().unwrap()
    };
    let zlib = |body: &[u8]| {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(body).unwrap();
        encoder.finish().unwrap()
    };
    let deflate = |body: &[u8]| {
        let mut encoder =
            flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(body).unwrap();
        encoder.finish().unwrap()
    };
    let body = NDJSON.as_bytes();
    for (encoding, data) in [
        ("gzip", gzip(body)),
        ("deflate", zlib(body)),
        ("deflate", deflate(body)),
        ("zstd", zstd::encode_all(body, 1).unwrap()),
        ("identity", body.to_vec()),
    ] {
        let request = running.post("/").header("content-encoding", encoding).body(data);
        assert_eq!(running.accepted(request).await.len(), 2, "{encoding}");
    }
    let bomb = gzip(&vec![b'x'; 64 << 20]);
    assert!(bomb.len() < 1 << 20);
    for (encoding, data, status) in
        [("gzip", bomb, 413), ("gzip", b"no gzip".to_vec(), 400), ("br", Vec::new(), 415)]
    {
        let request = running.post("/").header("content-encoding", encoding).body(data);
        assert_eq!(read(request).await.0, status, "{encoding}");
    }
    running.end().await;
}

#[tokio::test]
async fn what_cannot_be_served_is_refused_and_nothing_is_stored() {
    let config = SourceConfig {
        max_body: ByteSize::mib(1),
        path: "/in".to_owned(),
        ..SourceConfig::default()
    };
    let running = start(config, Hub::Stores);
    let url = &running.url;
    let json = running.post("/in").header("content-type", "application/json");
    let (status, answer) = read(json.body("[{\"a\":1},\n{]")).await;
    assert_eq!(status, 400);
    assert!(
        answer.contains("line 2 column 2") && answer.contains("nothing was stored"),
        "{answer}"
    );
    for request in [running.post("/"), running.post("/inner")] {
        assert_eq!(read(request).await.0, 404);
    }
    let get = running.client.get(format!("{url}/in")).send().await.unwrap();
    assert_eq!((get.status().as_u16(), header(&get, "allow")), (405, "POST, PUT".to_owned()));
    let large = vec![b'x'; (1 << 20) + 1];
    assert_eq!(read(running.post("/in").body(large.clone())).await.0, 413);
    let parts: Vec<_> = large.chunks(10_000).map(<[u8]>::to_vec).collect();
    let chunked = chunked(futures::stream::iter(parts));
    assert_eq!(read(running.post("/in/").body(chunked)).await.0, 413);
    assert!(running.stored.lock().await.is_empty());
    assert_eq!(running.accepted(running.post("/in/x").body("text")).await, ["text"]);
    assert_eq!(read(running.client.get(format!("{url}/health"))).await.0, 200);
    running.end().await;
}

#[tokio::test]
async fn a_large_body_is_refused_before_it_has_come_and_who_sends_it_all_gets_the_answer_too() {
    const BODY: usize = 8 << 20;
    let config = SourceConfig { max_body: ByteSize::mib(1), ..SourceConfig::default() };
    let running = start(config, Hub::Stores);
    let address = running.url.strip_prefix("http://").unwrap();
    let head = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {BODY}\r\n\r\n");
    for sent in [100_000, BODY] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        for _ in 0..sent / 100_000 {
            stream.write_all(&[b'x'; 100_000]).await.unwrap();
        }
        stream.write_all(&vec![b'x'; sent % 100_000]).await.unwrap();
        // It could not be read by now if the source had closed with something still coming.
        tokio::time::sleep(Duration::from_millis(200)).await;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
        assert!(answer.to_lowercase().contains("connection: close"), "{answer}");
    }
    // A small one that is refused leaves its connection to the next.
    let mut stream = TcpStream::connect(address).await.unwrap();
    for _ in 0..2 {
        stream.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n").await.unwrap();
        stream.write_all(b"Content-Encoding: br\r\n\r\nab").await.unwrap();
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(answer, *b"HTTP/1.1 415");
        tokio::time::sleep(Duration::from_millis(50)).await;
        let mut rest = Vec::with_capacity(1000);
        assert!(stream.read_buf(&mut rest).await.unwrap() > 0);
    }
    running.end().await;
}

#[tokio::test]
async fn an_output_for_elasticsearch_can_point_here() {
    let running = start(SourceConfig::default(), Hub::Stores);
    let greeting = running.client.get(format!("{}/", running.url)).send().await.unwrap();
    assert_eq!(header(&greeting, "x-elastic-product"), "Elasticsearch");
    let greeting: serde_json::Value = greeting.json().await.unwrap();
    assert!(greeting["version"]["number"].as_str().unwrap().starts_with("8."));
    assert_eq!(read(running.client.get(format!("{}/_license", running.url))).await.0, 200);
    let body = "{\"create\":{\"_index\":\"i\"}}\n{\"a\":1}\n{\"delete\":{\"_id\":\"1\"}}\n{\"index\":{}}\n{\"b\":2}\n";
    let request = running.post("/_bulk?timeout=1m").header("content-type", "application/x-ndjson");
    let (status, answer) = read(request.body(body)).await;
    let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(
        (status, &answer["errors"], answer["items"].as_array().unwrap().len()),
        (200, &true.into(), 3)
    );
    assert_eq!(*running.stored.lock().await, ["{\"a\":1}", "{\"b\":2}"]);
    assert_eq!(read(running.post("/_bulk").body("one\ntwo\n")).await.0, 400);
    assert_eq!(running.stored.lock().await.len(), 2);
    running.end().await;
}

#[tokio::test]
async fn a_bulk_request_is_answered_when_the_hub_has_it_and_only_to_those_with_credentials() {
    let auth = Auth::Bearer("t".to_owned().into());
    let running = start(SourceConfig { auth, ..SourceConfig::default() }, Hub::Refuses);
    let body = "{\"index\":{}}\n{\"a\":1}\n";
    assert_eq!(read(running.post("/_bulk").body(body)).await.0, 401);
    assert_eq!(read(running.client.get(format!("{}/", running.url))).await.0, 401);
    assert_eq!(read(running.post("/_bulk").bearer_auth("t").body(body)).await.0, 503);
    running.end().await;
}

#[tokio::test]
async fn only_those_with_credentials_may_send() {
    for (auth, scheme) in [
        (Auth::Bearer("t".to_owned().into()), "Bearer"),
        (Auth::Basic(Basic { username: "u".to_owned(), password: "p".to_owned().into() }), "Basic"),
    ] {
        let running = start(SourceConfig { auth, ..SourceConfig::default() }, Hub::Stores);
        let refused = running.post("/").body("x".repeat(1 << 20)).send().await.unwrap();
        assert_eq!(refused.status().as_u16(), 401);
        assert!(header(&refused, "www-authenticate").starts_with(scheme));
        let wrong = running.post("/").body("x");
        let right = running.post("/").body("x");
        let (wrong, right) = if scheme == "Bearer" {
            (wrong.bearer_auth("u"), right.bearer_auth("t"))
        } else {
            (wrong.basic_auth("u", Some("q")), right.basic_auth("u", Some("p")))
        };
        assert_eq!(read(wrong).await.0, 401);
        assert_eq!(running.accepted(right).await, ["x"]);
        running.end().await;
    }
}

#[tokio::test]
async fn a_hub_that_does_not_store_in_time_or_refuses_is_said_so() {
    let timeout = Duration::from_millis(200);
    for behaviour in [Hub::Hangs, Hub::Refuses] {
        let running = start(SourceConfig { timeout, ..SourceConfig::default() }, behaviour);
        let answer = running.post("/").body("x").send().await.unwrap();
        assert_eq!((answer.status().as_u16(), header(&answer, "retry-after")), (503, "1".into()));
        running.end().await;
    }
}

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let timeout = Duration::from_millis(100);
    let running = start(SourceConfig { timeout, ..SourceConfig::default() }, Hub::Stores);
    let request = running.post("/").body(chunked(futures::stream::pending()));
    assert_eq!(read(request).await.0, 408);
    running.end().await;
}

#[tokio::test]
async fn a_thousand_posts_at_a_time_are_all_stored() {
    let config = SourceConfig { max_connections: 64, ..SourceConfig::default() };
    let running = start(config, Hub::Stores);
    let mut clients = JoinSet::new();
    for number in 0..1000 {
        let request = running.post("/").body(format!("event {number}"));
        clients.spawn(read(request));
    }
    while let Some(answer) = clients.join_next().await {
        assert_eq!(answer.unwrap().0, 200);
    }
    let mut stored = running.stored.lock().await.clone();
    stored.sort_unstable();
    stored.dedup();
    assert_eq!(stored.len(), 1000);
    drop(running.client.clone());
    running.end().await;
}

#[tokio::test]
async fn a_web_page_stores_nothing_unless_it_may() {
    for (allowed, origin, expected) in [
        (vec![], "http://evil.example", 403),
        (vec![], "null", 403),
        (vec!["https://App.example"], "https://app.example", 200),
        (vec!["https://app.example"], "https://app.example.evil", 403),
        (vec!["*"], "http://evil.example", 200),
    ] {
        let allowed_origins = allowed.iter().map(|&origin: &&str| origin.to_owned()).collect();
        let config = SourceConfig { allowed_origins, ..SourceConfig::default() };
        let running = start(config, Hub::Stores);
        let request = running.post("/").header("origin", origin).body("x");
        let (status, answer) = read(request).await;
        assert_eq!(status, expected, "{origin}: {answer}");
        let stored = usize::from(expected == 200);
        assert_eq!(running.stored.lock().await.len(), stored, "{origin}");
        running.end().await;
    }
}

#[tokio::test]
async fn a_large_body_is_stored_in_order() {
    let running = start(SourceConfig::default(), Hub::Stores);
    let lines: Vec<_> =
        (0..100_000).map(|number| format!("{{\"n\":{number},\"pad\":\"{:60}\"}}", "")).collect();
    let request = running.post("/").body(lines.join("\n"));
    assert_eq!(running.accepted(request).await, lines);
    running.end().await;
}

#[tokio::test]
async fn a_stop_ends_while_clients_are_connected_and_a_request_hangs() {
    let mut running = start(SourceConfig::default(), Hub::Hangs);
    let _idle = std::net::TcpStream::connect(running.url.trim_start_matches("http://")).unwrap();
    let mut clients = JoinSet::new();
    clients.spawn(running.post("/").body("x").send());
    while running.stored.lock().await.is_empty() {
        tokio::task::yield_now().await;
    }
    running.stop.cancel();
    running.source.join_next().await.unwrap().unwrap().unwrap();
    assert!(clients.join_next().await.unwrap().unwrap().is_err(), "the connection was dropped");
}

#[tokio::test]
async fn an_address_that_is_taken_is_named_with_what_to_do() {
    let running = start(SourceConfig::default(), Hub::Stores);
    let listen = running.url.trim_start_matches("http://").to_owned();
    let config = SourceConfig { listen, ..SourceConfig::default() };
    let again = Box::new(HttpSource::new(config, &Surroundings::default()).unwrap());
    let (emitter, _outlet) = Emitter::channel(1);
    let error = again.run(emitter, CancellationToken::new()).await.unwrap_err().to_string();
    assert!(error.contains(&running.url) && error.contains("another program has it"), "{error}");
    running.end().await;
}
