//! The API under `/api/v1` of the admin listener: what client commands do through a running agent, because it alone
//! may write to its data folder.
//!
//! | request                              | body                                   | does                               |
//! |--------------------------------------|----------------------------------------|------------------------------------|
//! | `GET /api/v1/hub`                    |                                        | tells the hub's state and folder   |
//! | `POST /api/v1/topics/{topic}`        | `{"partitions": 4}`, or nothing        | makes a topic                      |
//! | `DELETE /api/v1/topics/{topic}`      |                                        | deletes it                         |
//! | `POST /api/v1/topics/{topic}/records`| one JSON object a line, see [`Line`]   | stores records, answers when stored|
//! | `DELETE /api/v1/topics/{topic}/records?partition=N&before=OFFSET` |           | deletes the records before it      |
//! | `GET /api/v1/ledger`, `GET /api/v1/sinks`, … |                 | see `ledger.rs` and `sinks.rs`     |
//! | `POST /api/v1/offsets`               | `{"group": "g", "offsets": [{"topic": "t", "partition": 0, "offset": 7}]}` | moves a group; a sink of this agent goes on from there |
//! | `DELETE /api/v1/offsets`             | `{"group": "g"}`                       | forgets a group                    |
//! | `POST /api/v1/advance`               | see [`super::advance`]                 | stores records and moves a group, both or neither |
//!
//! Who may ask is said in [`crate::admin::gate`]; with access control for the hub, who comes this way is `admin.principal`.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use anabranch_connectors::Emission;
use anabranch_connectors::contract::counters::Share;
use anabranch_connectors::contract::receipt::{NotStored, Stored};
use anabranch_record::Batch;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::line;
use crate::agent::Control;
use crate::auth::acl::{Operation, Resource};
use crate::broker::{Addresses, Broker};
use crate::client::is_topic_name;
use crate::hub::{Hub, HubError, Offset, Part};
use crate::metrics::Metrics;
use crate::producer::partitioner::{Partitioner, place};
use crate::topic_name::{INTERNAL, PARTITIONS_MAX};

/// Largest body of a request, bytes.
pub const BODY_MAX: usize = 64 << 20;

/// What the API acts on.
#[derive(Clone)]
pub(crate) struct Api {
    /// The hub.
    pub hub: Arc<dyn Hub>,
    /// Knows what access control allows.
    pub broker: Option<Arc<Broker>>,
    /// Who those are that come this way, for access control.
    pub principal: String,
    /// Knows the sinks that run, whose groups must not be moved under them.
    pub metrics: Arc<Metrics>,
    /// Stops a sink while its group is moved.
    pub control: Control,
    /// What the sinks read.
    pub reads: crate::admin::SharedReads,
    /// The agent's data folder.
    pub data_dir: PathBuf,
    /// Where it listens for clients of Kafka's protocol, `PROTOCOL://host:port`.
    pub listening: Addresses,
}

impl std::fmt::Debug for Api {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Api").field("data_dir", &self.data_dir).finish_non_exhaustive()
    }
}

/// What went wrong: a status and a sentence, in the body as `{"error": …}`.
pub(super) struct Refused(pub(super) StatusCode, pub(super) String);

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
            HubError::NotNow(_) | HubError::Moved(_) => StatusCode::SERVICE_UNAVAILABLE,
            HubError::Fatal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self(status, error.to_string())
    }
}

pub(super) type Answer = Result<Json<Value>, Refused>;

impl Api {
    /// Whether access control allows it to those who come this way.
    fn may(&self, operation: Operation, resource: Resource<'_>) -> bool {
        let broker = self.broker.as_ref();
        broker.is_none_or(|broker| broker.allows(&self.principal, operation, resource))
    }

    /// Refuses what access control does not allow.
    pub(super) fn need(&self, operation: Operation, resource: Resource<'_>) -> Result<(), Refused> {
        if self.may(operation, resource) {
            return Ok(());
        }
        let (kind, name) = (resource.kind.name(), resource.name);
        let (principal, operation) = (&self.principal, operation.name());
        let problem = format!(
            "{principal} may not {operation} {kind} \"{name}\": access control is set, and this way in is no way \
             around it; allow it in hub.embedded.acls, or add {principal} to super_users"
        );
        Err(Refused(StatusCode::FORBIDDEN, problem))
    }

    /// Refuses to make a topic that access control does not let be made.
    fn need_create(&self, topic: &str) -> Result<(), Refused> {
        match self.may(Operation::Create, Resource::CLUSTER) {
            true => Ok(()),
            false => self.need(Operation::Create, Resource::topic(topic)),
        }
    }

    /// Refuses to write to a topic, or to make it where it is not there.
    async fn need_write(&self, topic: &str) -> Result<(), Refused> {
        self.need(Operation::Write, Resource::topic(topic))?;
        if self.may(Operation::Create, Resource::CLUSTER) {
            return Ok(());
        }
        let is_there = self.hub.topics().await?.iter().any(|known| known.name == topic);
        if is_there { Ok(()) } else { self.need_create(topic) }
    }
}

/// The routes.
pub(crate) fn router(api: Api) -> Router {
    Router::new()
        .route("/api/v1/hub", get(show_hub))
        .route("/api/v1/topics/{topic}", post(create).delete(delete))
        .route("/api/v1/topics/{topic}/records", post(store).delete(delete_records))
        .route("/api/v1/offsets", post(set_offsets).delete(delete_group))
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .with_state(api)
}

async fn show_hub(State(api): State<Api>) -> Answer {
    let folder = std::path::absolute(&api.data_dir).unwrap_or(api.data_dir);
    let state = api.hub.state().unwrap_or_else(|problem| problem);
    let listening = api.listening.read().clone();
    Ok(Json(json!({ "state": state, "data_dir": folder, "listening": listening })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Creation {
    partitions: u32,
}

async fn create(State(api): State<Api>, Path(topic): Path<String>, body: Bytes) -> Answer {
    check_name(&topic)?;
    if body.is_empty() {
        api.need_write(&topic).await?;
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
    api.need_create(&topic)?;
    api.hub.create_topic(&topic, creation.partitions).await?;
    Ok(Json(json!({ "partitions": creation.partitions })))
}

pub(super) fn check_name(topic: &str) -> Result<(), Refused> {
    if is_topic_name(topic) && !topic.starts_with(INTERNAL) {
        return Ok(());
    }
    let problem = format!("\"{topic}\" cannot be a topic of yours");
    Err(Refused(StatusCode::BAD_REQUEST, problem))
}

pub(super) fn bad(error: &serde_json::Error) -> Refused {
    Refused(StatusCode::BAD_REQUEST, error.to_string())
}

async fn delete(State(api): State<Api>, Path(topic): Path<String>) -> Answer {
    check_name(&topic)?;
    api.need(Operation::Delete, Resource::topic(&topic))?;
    api.hub.delete_topic(&topic).await?;
    Ok(Json(json!({})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Before {
    partition: i32,
    before: i64,
}

async fn delete_records(
    State(api): State<Api>,
    Path(topic): Path<String>,
    Query(Before { partition, before }): Query<Before>,
) -> Answer {
    check_name(&topic)?;
    api.need(Operation::Delete, Resource::topic(&topic))?;
    api.hub.delete_records(&topic, partition, before).await?;
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
    let batch = line::parse(&body).map_err(|problem| Refused(StatusCode::BAD_REQUEST, problem))?;
    api.need_write(&topic).await?;
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
    let meter = api.metrics.source("api");
    meter.read.is_ready.store(true, Ordering::Release);
    let (records, bytes) = (batch.len() as u64, batch.value_bytes());
    let permit = Some(Share::new(None, &meter.read, &batch));
    let part = Part::from(Emission { source: "api".into(), batch, settle, permit, sent });
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
    api.need(Operation::Read, Resource::group(&group))?;
    for offset in &offsets {
        api.need(Operation::Read, Resource::topic(&offset.topic))?;
    }
    let offset =
        |Move { topic, partition, offset, epoch }| Offset { topic, partition, offset, epoch };
    let offsets: Vec<Offset> = offsets.into_iter().map(offset).collect();
    if is_of_sink(&api, &group) {
        api.control.set_offsets(&group, &offsets).await?;
    } else {
        api.hub.set_offsets(&group, &offsets).await?;
    }
    Ok(Json(json!({ "offsets": offsets.len() })))
}

async fn delete_group(State(api): State<Api>, body: Bytes) -> Answer {
    let Named { group } = serde_json::from_slice(&body).map_err(|error| bad(&error))?;
    is_nobodys(&api, &group)?;
    api.need(Operation::Delete, Resource::group(&group))?;
    let deleted = api.hub.delete_group(&group).await?;
    Ok(Json(json!({ "deleted": deleted })))
}

fn is_of_sink(api: &Api, group: &str) -> bool {
    api.metrics.sinks().iter().any(|(sink, _)| *sink == group)
}

/// The groups of running sinks are theirs.
pub(super) fn is_nobodys(api: &Api, group: &str) -> Result<(), Refused> {
    if !is_of_sink(api, group) {
        return Ok(());
    }
    let problem = format!(
        "group \"{group}\" belongs to a sink of the running agent, whose next commit would undo it; \
         stop the agent first, or take the sink out of its configuration"
    );
    Err(Refused(StatusCode::CONFLICT, problem))
}
