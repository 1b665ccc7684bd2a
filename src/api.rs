//! The API under `/api/v1` of the admin listener: what client commands do through a running agent, because it alone
//! may write to its data folder.
//!
//! | request                              | body                                   | does                               |
//! |--------------------------------------|----------------------------------------|------------------------------------|
//! | `GET /api/v1/hub`                    |                                        | tells the hub's state and folder   |
//! | `POST /api/v1/topics/{topic}`        | `{"partitions": 4}`, or nothing        | makes a topic                      |
//! | `DELETE /api/v1/topics/{topic}`      |                                        | deletes it                         |
//! | `POST /api/v1/topics/{topic}/records`| one JSON object a line, see [`Line`]   | stores records, answers when stored|
//! | `POST /api/v1/groups/{group}/offsets`| `{"offsets": [{"topic": "t", "partition": 0, "offset": 7}]}` | moves a group |

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use anabranch_connectors::clock::now_ms;
use anabranch_connectors::source::{NotStored, Stored};
use anabranch_connectors::{Batch, Emission, Headers, header};
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::client::is_topic_name;
use crate::hub::{Hub, HubError, Offset, Part};
use crate::metrics::Metrics;
use crate::producer::partitioner::{Partitioner, place};
use crate::topic_name::{INTERNAL, PARTITIONS_MAX};

/// Largest body of a request, bytes.
pub(crate) const BODY_MAX: usize = 64 << 20;

/// What the API acts on.
#[derive(Clone)]
pub struct Api {
    /// The hub.
    pub hub: Arc<dyn Hub>,
    /// Knows the sinks that run, whose groups must not be moved under them.
    pub metrics: Arc<Metrics>,
    /// The agent's data folder.
    pub data_dir: PathBuf,
    /// Where it listens for clients of Kafka's protocol, `PROTOCOL://host:port`.
    pub listening: Vec<String>,
}

impl std::fmt::Debug for Api {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Api").field("data_dir", &self.data_dir).finish_non_exhaustive()
    }
}

/// One record of a request. With `"encoding": "base64"` key, value and the values of headers are base64. A value that
/// is not text is stored as JSON; `null` is a tombstone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// The key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The value.
    pub value: Value,
    /// Names and values.
    #[serde(default)]
    pub headers: LineHeaders,
    /// Milliseconds since the Unix epoch; now when it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<i64>,
    /// How bytes are written.
    #[serde(default)]
    pub encoding: Encoding,
}

/// Headers of a [`Line`]: an object, or pairs where names are repeated or the order counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum LineHeaders {
    /// Each name once.
    Object(BTreeMap<String, Option<String>>),
    /// As they come.
    Pairs(Vec<(String, Option<String>)>),
}

impl Default for LineHeaders {
    fn default() -> Self {
        Self::Pairs(Vec::new())
    }
}

impl LineHeaders {
    /// The names and values, in order.
    fn pairs(&self) -> Vec<(&str, Option<&str>)> {
        match self {
            Self::Object(headers) => {
                headers.iter().map(|(name, value)| (name.as_str(), value.as_deref())).collect()
            }
            Self::Pairs(headers) => {
                headers.iter().map(|(name, value)| (name.as_str(), value.as_deref())).collect()
            }
        }
    }
}

/// How bytes are written in a [`Line`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// As text.
    #[default]
    Text,
    /// As base64 (RFC 4648, with padding).
    Base64,
}

/// What went wrong: a status and a sentence, in the body as `{"error": …}`.
struct Refused(StatusCode, String);

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "error": self.1 }))).into_response()
    }
}

impl From<HubError> for Refused {
    fn from(error: HubError) -> Self {
        let status = match &error {
            HubError::UnknownTopic(_) => StatusCode::NOT_FOUND,
            HubError::Exists(_) => StatusCode::CONFLICT,
            HubError::NotNow(_) => StatusCode::SERVICE_UNAVAILABLE,
            HubError::Fatal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self(status, error.to_string())
    }
}

type Answer = Result<Json<Value>, Refused>;

/// The routes, to be merged into those of the admin listener.
pub fn router<S>(api: Api) -> Router<S> {
    Router::new()
        .route("/api/v1/hub", get(show_hub))
        .route("/api/v1/topics/{topic}", post(create).delete(delete))
        .route("/api/v1/topics/{topic}/records", post(store))
        .route("/api/v1/offsets", post(set_offsets).delete(delete_group))
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .with_state(api)
}

async fn show_hub(State(api): State<Api>) -> Answer {
    let folder = std::path::absolute(&api.data_dir).unwrap_or(api.data_dir);
    let state = api.hub.state().unwrap_or_else(|problem| problem);
    Ok(Json(json!({ "state": state, "data_dir": folder, "listening": api.listening })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Creation {
    partitions: u32,
}

async fn create(State(api): State<Api>, Path(topic): Path<String>, body: Bytes) -> Answer {
    check_name(&topic)?;
    if body.is_empty() {
        let appender = api.hub.appender();
        let made = tokio::task::spawn_blocking(move || appender.partitions(&topic)).await;
        let partitions = made.map_err(|error| HubError::NotNow(error.to_string()))??;
        return Ok(Json(json!({ "partitions": partitions })));
    }
    let creation: Creation = serde_json::from_slice(&body).map_err(|error| bad(&error))?;
    if !(1..=u32::from(PARTITIONS_MAX)).contains(&creation.partitions) {
        let problem = format!("a topic has 1 to {PARTITIONS_MAX} partitions");
        return Err(Refused(StatusCode::BAD_REQUEST, problem));
    }
    api.hub.create_topic(&topic, creation.partitions).await?;
    Ok(Json(json!({ "partitions": creation.partitions })))
}

fn check_name(topic: &str) -> Result<(), Refused> {
    if is_topic_name(topic) && !topic.starts_with(INTERNAL) {
        return Ok(());
    }
    let problem = format!("\"{topic}\" cannot be a topic of yours");
    Err(Refused(StatusCode::BAD_REQUEST, problem))
}

fn bad(error: &serde_json::Error) -> Refused {
    Refused(StatusCode::BAD_REQUEST, error.to_string())
}

async fn delete(State(api): State<Api>, Path(topic): Path<String>) -> Answer {
    check_name(&topic)?;
    api.hub.delete_topic(&topic).await?;
    Ok(Json(json!({})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wish {
    partition: Option<i32>,
}

async fn store(
    State(api): State<Api>,
    Path(topic): Path<String>,
    Query(wish): Query<Wish>,
    body: Bytes,
) -> Answer {
    check_name(&topic)?;
    let batch = parse(&body)?;
    let records = batch.len();
    if records == 0 {
        return Ok(Json(json!({ "records": 0 })));
    }
    let stored = append(&api, topic, wish.partition, batch).await?;
    let Stored { partition, offset } = stored;
    Ok(Json(json!({ "records": records, "partition": partition, "offset": offset })))
}

async fn append(
    api: &Api,
    topic: String,
    wanted: Option<i32>,
    batch: Batch,
) -> Result<Stored, Refused> {
    let (settle, settled) = oneshot::channel();
    let sent = tokio::time::Instant::now();
    let part = Part::from(Emission { source: "api".into(), batch, settle, permit: None, sent });
    let meter = api.metrics.source("api");
    let (records, bytes) = (part.records(), part.batch.value_bytes());
    let part = part.metered(Arc::clone(&meter));
    let appender = api.hub.appender();
    let appended = tokio::task::spawn_blocking(move || {
        let partitions = appender.partitions(&topic)?;
        if let Some(number) = wanted
            && u32::try_from(number).map_or(true, |number| number >= partitions)
        {
            return Err(HubError::Fatal(format!("topic \"{topic}\" has no partition {number}")));
        }
        // What is counted as read is stored or handed back.
        meter.read.records.fetch_add(records, Ordering::Relaxed);
        meter.read.bytes.fetch_add(bytes, Ordering::Relaxed);
        let parts = match wanted {
            Some(partition) => vec![(partition, part)],
            None => place(Partitioner::Default, part, partitions, &mut 0),
        };
        for (partition, part) in parts {
            appender.append(&topic, partition, vec![part]);
        }
        Ok(())
    });
    appended.await.map_err(|error| HubError::NotNow(error.to_string()))??;
    let stored = settled.await.unwrap_or_else(|_gone| Err(NotStored("the hub is closing".into())));
    stored.map_err(|error| Refused(StatusCode::SERVICE_UNAVAILABLE, error.to_string()))
}

/// One batch of all lines.
fn parse(body: &[u8]) -> Result<Batch, Refused> {
    let wrong = |number: usize, problem: &str| {
        Refused(StatusCode::BAD_REQUEST, format!("line {}: {problem}", number + 1))
    };
    let mut batch = Batch::new(Vec::new().into(), Headers::new(), now_ms(), 0);
    for (number, text) in body.split(|byte| *byte == b'\n').enumerate() {
        if text.trim_ascii().is_empty() {
            continue;
        }
        let line: Line =
            serde_json::from_slice(text).map_err(|error| wrong(number, &error.to_string()))?;
        push(&line, &mut batch).map_err(|problem| wrong(number, &problem))?;
    }
    Ok(batch)
}

fn push(line: &Line, batch: &mut Batch) -> Result<(), String> {
    let bytes = |text: &str| match line.encoding {
        Encoding::Text => Ok(text.as_bytes().to_vec()),
        Encoding::Base64 => STANDARD.decode(text).map_err(|error| error.to_string()),
    };
    match &line.value {
        Value::String(text) => batch.push_copy(&bytes(text)?),
        Value::Null => {
            batch.push_copy(&[]);
            batch.set_null_value();
        }
        json @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
            batch.push_copy(json.to_string().as_bytes());
        }
    }
    if let Some(key) = &line.key {
        batch.set_key(&bytes(key)?);
    }
    for (name, value) in line.headers.pairs() {
        if name.starts_with(header::INTERNAL) {
            return Err(format!("header \"{name}\" is reserved"));
        }
        batch.set_header(name, &bytes(value.unwrap_or_default())?);
    }
    if let Some(timestamp_ms) = line.timestamp {
        batch.set_timestamp_ms(timestamp_ms);
    }
    Ok(())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Moves {
    group: String,
    offsets: Vec<Move>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Move {
    topic: String,
    partition: i32,
    offset: i64,
    #[serde(default = "Move::unknown_epoch")]
    epoch: i32,
}

impl Move {
    const fn unknown_epoch() -> i32 {
        -1
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    group: String,
}

async fn set_offsets(State(api): State<Api>, body: Bytes) -> Answer {
    let Moves { group, offsets } = serde_json::from_slice(&body).map_err(|error| bad(&error))?;
    is_nobodys(&api, &group)?;
    let offset =
        |Move { topic, partition, offset, epoch }| Offset { topic, partition, offset, epoch };
    let offsets: Vec<Offset> = offsets.into_iter().map(offset).collect();
    api.hub.set_offsets(&group, &offsets).await?;
    Ok(Json(json!({ "offsets": offsets.len() })))
}

async fn delete_group(State(api): State<Api>, body: Bytes) -> Answer {
    let Named { group } = serde_json::from_slice(&body).map_err(|error| bad(&error))?;
    is_nobodys(&api, &group)?;
    let deleted = api.hub.delete_group(&group).await?;
    Ok(Json(json!({ "deleted": deleted })))
}

/// The groups of running sinks are theirs.
fn is_nobodys(api: &Api, group: &str) -> Result<(), Refused> {
    if !api.metrics.sinks().iter().any(|(sink, _)| *sink == group) {
        return Ok(());
    }
    let problem = format!(
        "group \"{group}\" belongs to a sink of the running agent, whose next commit would undo it; \
         stop the agent first, or take the sink out of its configuration"
    );
    Err(Refused(StatusCode::CONFLICT, problem))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_become_records_and_the_wrong_one_is_named() {
        let body = b"{\"value\":\"a\",\"key\":\"k\",\"headers\":{\"h\":\"1\"},\"timestamp\":5}\n\n\
            {\"value\":{\"b\":1}}\n{\"value\":null}\n{\"value\":\"/w==\",\"encoding\":\"base64\"}\n";
        let batch = parse(body).unwrap_or_else(|refused| panic!("{}", refused.1));
        let seen: Vec<_> = batch.iter().map(|record| record.value).collect();
        assert_eq!(seen, [Some(&b"a"[..]), Some(b"{\"b\":1}"), None, Some(b"\xff")]);
        let first = batch.iter().next().unwrap();
        assert_eq!((first.key, first.timestamp_ms), (Some(&b"k"[..]), 5));
        assert_eq!(first.headers.get("h"), Some(&b"1"[..]));
        let problem = |body: &[u8]| parse(body).err().unwrap().1;
        let wrong = problem(b"{\"value\":1}\n{\"valu\":1}\n");
        assert!(wrong.starts_with("line 2: unknown field `valu`"), "{wrong}");
        let reserved = problem(b"{\"value\":1,\"headers\":{\"__anabranch.position\":\"\"}}");
        assert_eq!(reserved, "line 1: header \"__anabranch.position\" is reserved");
    }
}
