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

use std::sync::Arc;
use std::sync::atomic::Ordering;

use anabranch_connectors::Emission;
use anabranch_connectors::contract::counters::Share;
use anabranch_connectors::contract::receipt::{NotStored, Stored};
use anabranch_record::Batch;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::oneshot;

use super::answer::{Answer, Api, BODY_MAX, Refused, bad, check_name, is_nobodys, is_of_sink};
use super::line;
use crate::auth::acl::{Operation, Resource};
use crate::hub::{HubError, Offset, Part};
use crate::producer::partitioner::{Partitioner, place};
use crate::topic_name::PARTITIONS_MAX;

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
