//! The sink against a far side that answers what it is told.

use std::sync::Arc;

use anabranch_record::testing::{store, stored};
use anabranch_record::{Batch, Headers, Records};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::{HttpSink, SinkConfig};
use crate::contract::build::Surroundings;
use crate::contract::settings::SinkSettings as _;
use crate::{Outcome, Sink as _, WriteError, Written};

#[derive(Debug)]
struct Seen {
    path: String,
    headers: HeaderMap,
    body: Vec<u8>,
}

/// Statuses to answer with, one for each request, then 204; and what was sent.
#[derive(Default)]
struct Server {
    statuses: Vec<u16>,
    seen: Vec<Seen>,
}

type Shared = Arc<Mutex<Server>>;

async fn answer(
    State(server): State<Shared>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let mut server = server.lock();
    server.seen.push(Seen { path: uri.path().to_owned(), headers, body: body.to_vec() });
    let status = if server.statuses.is_empty() { 204 } else { server.statuses.remove(0) };
    let status = StatusCode::from_u16(status).unwrap();
    let headers = [("retry-after", "7"), ("location", "/elsewhere")];
    if status == StatusCode::NO_CONTENT {
        return status.into_response();
    }
    (status, headers, "the far side's\nwords").into_response()
}

async fn serve(tasks: &mut JoinSet<()>, statuses: &[u16]) -> (String, Shared) {
    let server: Shared =
        Arc::new(Mutex::new(Server { statuses: statuses.to_vec(), seen: Vec::new() }));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let app = Router::new().fallback(answer).with_state(Arc::clone(&server));
    tasks.spawn(async move { axum::serve(listener, app).await.unwrap() });
    (address, server)
}

fn config(url: &str, extra: &Value) -> SinkConfig {
    let mut config = json!({ "url": url });
    config.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    serde_json::from_value(config).unwrap()
}

fn sink(url: &str, extra: &Value) -> HttpSink {
    HttpSink::new(config(url, extra), &Surroundings::default()).unwrap()
}

fn records(values: &[&[u8]]) -> Records {
    let mut records = Records::default();
    records.push(stored(values));
    records
}

#[tokio::test]
async fn a_batch_is_one_request_with_its_key_and_its_headers() {
    let mut tasks = JoinSet::new();
    let (address, server) = serve(&mut tasks, &[]).await;
    let settings = json!({"headers": {"x-team": "logs"}, "auth": {"bearer": "t"}, "method": "PUT"});
    let mut sink = sink(&format!("{address}/in/{{topic}}"), &settings);
    assert_eq!(sink.write(&records(&[b"a", b"b"])).await, Ok(Written::done()));
    let server = server.lock();
    let [Seen { path, headers, body }] = &server.seen[..] else { panic!("{:?}", server.seen) };
    assert_eq!(path, "/in/t");
    for (name, value) in [
        ("idempotency-key", "hub.t-2-1-10-11"),
        ("x-team", "logs"),
        ("authorization", "Bearer t"),
        ("content-type", "application/x-ndjson"),
    ] {
        assert_eq!(headers[name], value);
    }
    assert_eq!(body.iter().filter(|byte| **byte == b'\n').count(), 2);
}

#[tokio::test]
async fn a_body_is_compressed_as_configured() {
    let mut tasks = JoinSet::new();
    let (address, server) = serve(&mut tasks, &[]).await;
    for compression in ["gzip", "zstd", "none"] {
        let settings = json!({"compression": compression, "format": "lines"});
        let written = sink(&address, &settings).write(&records(&[b"a", b"b"])).await;
        assert_eq!(written, Ok(Written::done()));
    }
    let server = server.lock();
    let mut gzip = Vec::new();
    let mut decoder = flate2::read::GzDecoder::new(&server.seen[0].body[..]);
    std::io::Read::read_to_end(&mut decoder, &mut gzip).unwrap();
    let zstd = zstd::decode_all(&server.seen[1].body[..]).unwrap();
    assert_eq!(
        (&gzip[..], &zstd[..], &server.seen[2].body[..]),
        (&b"a\nb\n"[..], &b"a\nb\n"[..], &b"a\nb\n"[..])
    );
    assert_eq!(server.seen[0].headers["content-encoding"], "gzip");
    assert_eq!(server.seen[1].headers["content-encoding"], "zstd");
    assert!(!server.seen[2].headers.contains_key("content-encoding"));
}

#[tokio::test]
async fn an_answer_decides_for_all_records_of_its_request() {
    for (status, expected) in
        [(429, "not now"), (503, "not now"), (413, "too large"), (403, "fatal"), (307, "fatal")]
    {
        let mut tasks = JoinSet::new();
        let (address, server) = serve(&mut tasks, &[status]).await;
        let problem = sink(&address, &json!({})).write(&records(&[b"a"])).await.unwrap_err();
        let found = match &problem {
            WriteError::NotNow { retry_after, .. } => {
                assert_eq!(retry_after.map(|wait| wait.as_secs()), Some(7));
                "not now"
            }
            WriteError::TooLarge { .. } => "too large",
            WriteError::Refused { .. } => "refused",
            WriteError::Fatal { .. } => "fatal",
        };
        assert_eq!(found, expected, "{status}");
        assert_eq!(server.lock().seen.len(), 1, "a redirect was followed");
    }
    let mut tasks = JoinSet::new();
    let (address, _server) = serve(&mut tasks, &[422]).await;
    let problem = sink(&address, &json!({})).write(&records(&[b"a", b"b"])).await.unwrap_err();
    assert!(matches!(problem, WriteError::Refused { .. }), "{problem}");
    let (address, _server) = serve(&mut tasks, &[422]).await;
    let written = sink(&address, &json!({})).write(&records(&[b"a"])).await;
    let reason = "HTTP 422 Unprocessable Entity: \"the far side's words\"";
    let dead = Outcome::Dead { reason: reason.to_owned(), own: false };
    assert_eq!(written.map(|written| written.exceptions), Ok(vec![(0, dead)]));
}

#[tokio::test]
async fn a_status_means_what_the_configuration_says() {
    let mut tasks = JoinSet::new();
    let all = json!({"responses": {"404": "done", "4xx": "dead", "429": "again", "500": "fatal", "401": "not_now"}});
    for (status, expected) in [
        (404, "Ok([])"),
        (410, "Ok([(0, Dead { reason: R, own: true })])"),
        (429, "Ok([(0, Again { reason: R })])"),
        (500, "Err(\"fatal\")"),
        (401, "Err(\"not now\")"),
        (502, "Err(\"not now\")"),
    ] {
        let (address, _server) = serve(&mut tasks, &[status]).await;
        let written = sink(&address, &all).write(&records(&[b"a"])).await;
        let found = written.map(|written| written.exceptions).map_err(|problem| match problem {
            WriteError::NotNow { .. } => "not now",
            WriteError::TooLarge { .. } => "too large",
            WriteError::Refused { .. } => "refused",
            WriteError::Fatal { .. } => "fatal",
        });
        let mut text = format!("{found:?}");
        if let (Some(start), Some(end)) = (text.find("\"HTTP"), text.rfind("words\\\"\"")) {
            text.replace_range(start..end + 8, "R");
        }
        assert_eq!(text, expected, "{status}");
    }
    let wrong = config("http://x/", &json!({"responses": {"mapper_parsing_exception": "dead"}}));
    assert!(wrong.check().unwrap_err().to_string().contains("mapper_parsing_exception"));
}

#[tokio::test]
async fn a_far_side_that_is_gone_is_not_now() {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/", gone.local_addr().unwrap());
    drop(gone);
    let problem = sink(&address, &json!({})).write(&records(&[b"a"])).await.unwrap_err();
    assert!(matches!(problem, WriteError::NotNow { .. }), "{problem}");
    assert!(problem.to_string().contains("refused"), "{problem}");
    assert!(config(&address, &json!({})).probe().await.unwrap_err().contains("refused"));
}

#[tokio::test]
async fn a_write_is_cut_by_size_and_what_did_not_arrive_comes_again() {
    let mut tasks = JoinSet::new();
    let (address, server) = serve(&mut tasks, &[204, 503]).await;
    let settings = json!({"format": "lines", "max_bytes": "8"});
    let mut sink = sink(&address, &settings);
    let written = sink.write(&records(&[b"aaa", b"bbb", b"ccc", b"ddd", b"eee"])).await.unwrap();
    let numbers: Vec<usize> = written.exceptions.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, [2, 3, 4]);
    assert!(written.exceptions.iter().all(|(_, fate)| matches!(fate, Outcome::NotNow { .. })));
    assert_eq!(written.retry_after.map(|wait| wait.as_secs()), Some(7));
    let bodies: Vec<Vec<u8>> = server.lock().seen.iter().map(|seen| seen.body.clone()).collect();
    assert_eq!(bodies, [b"aaa\nbbb\n", b"ccc\nddd\n"]);
}

#[tokio::test]
async fn a_request_has_one_address_and_keeps_the_order() {
    let mut tasks = JoinSet::new();
    let (address, server) = serve(&mut tasks, &[]).await;
    let mut batch = Batch::new(Vec::new().into(), Headers::new(), 0, 0);
    for (value, host) in [(b"1", "a/b"), (b"2", "a/b"), (b"3", "c"), (b"4", "a/b")] {
        batch.push_copy(value);
        batch.set_header("host", host.as_bytes());
    }
    let mut records = Records::default();
    records.push(store(&batch));
    records.push(store(&batch));
    let mut sink = sink(&format!("{address}/{{host}}"), &json!({"format": "lines"}));
    assert_eq!(sink.write(&records).await, Ok(Written::done()));
    let server = server.lock();
    let sent: Vec<(&str, &[u8], &str)> = server
        .seen
        .iter()
        .map(|seen| {
            let key = seen.headers["idempotency-key"].to_str().unwrap();
            (seen.path.as_str(), &seen.body[..], key)
        })
        .collect();
    assert_eq!(sent[0], ("/a%2Fb", &b"1\n2\n"[..], "hub.t-2-1-10-11"));
    assert_eq!(sent[1], ("/c", &b"3\n"[..], "hub.t-2-1-12-12"));
    assert_eq!(sent.len(), 5);
}

#[tokio::test]
async fn a_key_that_means_another_folder_is_posted_where_the_others_are() {
    let keys = ["..", ".", "...", "%2e%2e", "a/b", "?", "#", "..\\..", "", "a\tb", "..%2f"];
    let mut tasks = JoinSet::new();
    let (address, server) = serve(&mut tasks, &[]).await;
    let mut batch = Batch::new(Vec::new().into(), Headers::new(), 0, 0);
    for key in keys {
        batch.push_copy(b"x");
        batch.set_key(key.as_bytes());
    }
    let mut records = Records::default();
    records.push(store(&batch));
    let mut sink = sink(&format!("{address}/tenants/{{key|none}}/ingest"), &json!({}));
    assert_eq!(sink.write(&records).await, Ok(Written::done()));
    let server = server.lock();
    let paths: Vec<&str> = server.seen.iter().map(|seen| seen.path.as_str()).collect();
    assert_eq!(paths.len(), keys.len());
    for path in paths {
        let inside = path.strip_prefix("/tenants/").and_then(|path| path.strip_suffix("/ingest"));
        assert!(inside.is_some_and(|name| !name.is_empty() && !name.contains('/')), "{path}");
    }
}

#[tokio::test]
async fn a_probe_says_what_answers() {
    let mut tasks = JoinSet::new();
    let (address, server) = serve(&mut tasks, &[405, 401]).await;
    let config = config(&format!("{address}/{{topic}}"), &json!({}));
    assert!(config.probe().await.unwrap().contains("answers with HTTP 405"));
    assert!(config.probe().await.unwrap_err().contains("check `auth`"));
    assert!(server.lock().seen.iter().all(|seen| seen.body.is_empty()));
}
