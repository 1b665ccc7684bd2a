//! The sink against a far side that answers what it is told.

use std::sync::Arc;

use anabranch_record::Records;
use anabranch_record::testing::stored;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::{ElasticsearchSink, SinkConfig};
use crate::contract::build::Surroundings;
use crate::contract::settings::SinkSettings as _;
use crate::{Outcome, Sink as _, WriteError, Written};

/// Answers requests one by one from a list, and keeps their bodies.
#[derive(Default)]
struct Server {
    answers: Vec<(u16, Value)>,
    seen: Vec<(HeaderMap, String, Vec<u8>)>,
}

type Shared = Arc<Mutex<Server>>;

async fn answer(
    State(server): State<Shared>,
    Query(query): Query<Vec<(String, String)>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let mut server = server.lock();
    server.seen.push((headers, format!("{query:?}"), body.to_vec()));
    let next = if server.answers.is_empty() { None } else { Some(server.answers.remove(0)) };
    let (status, body) =
        next.unwrap_or_else(|| (200, created(body.split(|b| *b == b'\n').count() / 2)));
    (StatusCode::from_u16(status).unwrap(), [("retry-after", "7")], body.to_string())
        .into_response()
}

fn created(count: usize) -> Value {
    let item = json!({"create": {"status": 201}});
    json!({"errors": false, "items": vec![item; count]})
}

async fn serve(tasks: &mut JoinSet<()>, answers: Vec<(u16, Value)>) -> (String, Shared) {
    let server: Shared = Arc::new(Mutex::new(Server { answers, seen: Vec::new() }));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let app = Router::new().fallback(answer).with_state(Arc::clone(&server));
    tasks.spawn(async move { axum::serve(listener, app).await.unwrap() });
    (address, server)
}

fn sink(endpoints: &[&str], extra: &Value) -> ElasticsearchSink {
    let mut config = json!({ "endpoints": endpoints });
    config.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    let config: SinkConfig = serde_json::from_value(config).unwrap();
    ElasticsearchSink::new(config, &Surroundings::default()).unwrap()
}

fn records(values: &[&[u8]]) -> Records {
    let mut records = Records::default();
    records.push(stored(values));
    records
}

async fn write_once(answer: (u16, Value), count: usize) -> Result<Written, WriteError> {
    let mut tasks = JoinSet::new();
    let (address, _server) = serve(&mut tasks, vec![answer]).await;
    sink(&[&address], &json!({})).write(&records(&vec![&b"x"[..]; count])).await
}

#[tokio::test]
async fn documents_are_sent_with_the_settings_of_the_sink() {
    let mut tasks = JoinSet::new();
    let (address, server) = serve(&mut tasks, vec![(200, created(2))]).await;
    let settings = json!({"pipeline": "p", "compression": "gzip", "auth": {"bearer": "t"}});
    let mut sink = sink(&[&address], &settings);
    assert_eq!(sink.write(&records(&[b"a", b"b"])).await, Ok(Written::done()));
    let server = server.lock();
    let (headers, query, body) = &server.seen[0];
    assert_eq!(headers["authorization"], "Bearer t");
    assert_eq!(headers["content-type"], "application/x-ndjson");
    assert_eq!(headers["content-encoding"], "gzip");
    assert!(query.contains("(\"pipeline\", \"p\")"), "{query}");
    assert!(
        query.contains("(\"filter_path\", \"errors,items.*.status,items.*.error\")"),
        "{query}"
    );
    let mut text = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&body[..]), &mut text).unwrap();
    assert_eq!(text.lines().count(), 4);
    assert!(text.starts_with(r#"{"create":{"_index":"logs-t-1970-01-01","_id":"hub.t-2-1-10"}}"#));
}

#[tokio::test]
async fn each_item_has_its_own_fate() {
    let item = |status: u16, kind: &str| json!({"create": {"status": status, "error": {"type": kind, "reason": "r"}}});
    let items = json!({"errors": true, "items": [
        {"create": {"status": 201}},
        item(409, "version_conflict_engine_exception"),
        item(400, "document_parsing_exception"),
        item(429, "es_rejected_execution_exception"),
    ]});
    let written = write_once((200, items), 4).await.unwrap();
    let dead = Outcome::Dead { reason: "HTTP 400 document_parsing_exception: r".into(), own: true };
    let again = Outcome::Again { reason: "HTTP 429 es_rejected_execution_exception: r".into() };
    assert_eq!(written.exceptions, [(2, dead), (3, again)]);
}

#[tokio::test]
async fn a_whole_answer_has_its_meaning() {
    for (status, expected) in [
        (429, "not now"),
        (503, "not now"),
        (408, "not now"),
        (413, "too large"),
        (400, "too large"),
        (401, "fatal"),
        (404, "fatal"),
        (418, "fatal"),
    ] {
        let body =
            json!({"error": {"type": "some_exception", "reason": "words"}, "status": status});
        let problem = write_once((status, body), 1).await.unwrap_err();
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
        let words = format!("HTTP {status} some_exception: words");
        assert!(problem.to_string().contains(&words), "{problem}");
    }
}

#[tokio::test]
async fn an_answer_that_is_not_one_to_bulk_is_fatal() {
    for body in [json!({"ok": true}), created(1), json!("hello")] {
        let problem = write_once((200, body), 2).await.unwrap_err();
        assert!(matches!(problem, WriteError::Fatal { .. }), "{problem}");
    }
}

#[tokio::test]
async fn an_index_that_may_not_be_written_stops_the_sink_and_kills_nothing() {
    let item =
        json!({"create": {"status": 403, "error": {"type": "security_exception", "reason": "no"}}});
    let all = json!({"errors": true, "items": [item.clone(), item.clone()]});
    let problem = write_once((200, all), 2).await.unwrap_err();
    assert!(problem.to_string().contains("security_exception: no; check `auth`"), "{problem}");
    let one = json!({"errors": true, "items": [item, {"create": {"status": 201}}]});
    let written = write_once((200, one), 2).await.unwrap();
    assert!(matches!(written.exceptions[..], [(0, Outcome::NotNow { .. })]), "{written:?}");
}

#[tokio::test]
async fn a_large_write_is_cut_into_requests_and_what_was_not_sent_comes_again() {
    let mut tasks = JoinSet::new();
    let busy = json!({"error": "busy"});
    let (address, server) = serve(&mut tasks, vec![(200, created(2)), (429, busy)]).await;
    let value = [b'x'; 300];
    let mut sink = sink(&[&address], &json!({"max_bytes": "1200"}));
    let written = sink.write(&records(&[&value[..]; 5])).await.unwrap();
    let numbers: Vec<usize> = written.exceptions.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, [2, 3, 4]);
    assert!(
        written
            .exceptions
            .iter()
            .all(|(_, fate)| matches!(fate, Outcome::NotNow { reason } if reason.contains("busy")))
    );
    assert_eq!(written.retry_after.map(|wait| wait.as_secs()), Some(7));
    let rest = records(&[&value[..]; 5]).select(&numbers);
    assert_eq!(sink.write(&rest).await, Ok(Written::done()));
    let server = server.lock();
    assert!(server.seen.iter().all(|(_, _, body)| body.len() <= 1200 && body.ends_with(b"\n")));
    assert_eq!(server.seen.len(), 4);
}

#[tokio::test]
async fn an_endpoint_that_is_gone_is_passed_over() {
    let mut tasks = JoinSet::new();
    let (address, server) = serve(&mut tasks, Vec::new()).await;
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gone_address = format!("http://{}", gone.local_addr().unwrap());
    drop(gone);
    let mut both = sink(&[&gone_address, &address], &json!({}));
    for _ in 0..3 {
        assert_eq!(both.write(&records(&[b"a"])).await, Ok(Written::done()));
    }
    assert_eq!(server.lock().seen.len(), 3);
    let problem = sink(&[&gone_address], &json!({})).write(&records(&[b"a"])).await.unwrap_err();
    assert!(
        matches!(&problem, WriteError::NotNow { target, .. } if *target == gone_address),
        "{problem}"
    );
    assert!(problem.to_string().contains("refused"), "{problem}");
}

#[tokio::test]
async fn a_probe_says_what_it_found() {
    let mut tasks = JoinSet::new();
    let healthy = json!({"cluster_name": "c", "status": "green"});
    let (address, _server) =
        serve(&mut tasks, vec![(200, healthy), (401, json!({"error": "who"}))]).await;
    let config: SinkConfig = serde_json::from_value(json!({"endpoints": [address]})).unwrap();
    assert_eq!(config.probe().await, Ok(format!("{address}: cluster \"c\" is green")));
    assert!(config.probe().await.unwrap_err().contains("HTTP 401 who"));
    assert!(config.probe().await.unwrap_err().contains("not Elasticsearch"));
}
