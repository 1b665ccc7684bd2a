//! A step of a group through the API: records and the group's progress, both or neither.
//!
//! | request                | body                                                                             |
//! |------------------------|----------------------------------------------------------------------------------|
//! | `POST /api/v1/advance` | `{"group": "g", "from": [offset…], "to": [offset…], "records": [`[`Sent`]`…]}`   |

use anabranch_connectors::contract::clock::now_ms;
use anabranch_record::stored::ORIGIN;
use anabranch_record::{Batch, Headers};
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::answer::{Answer, Api, BODY_MAX, Refused, bad, check_name, is_nobodys};
use super::line::{self, Line};
use crate::auth::acl::{Operation, Resource};
use crate::hub::{Advance, Offset, Placed};

/// The step.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Steps {
    /// The group.
    pub group: String,
    /// Where it stands; -1 where it has committed nothing.
    pub from: Vec<At>,
    /// Where it stands afterwards.
    pub to: Vec<At>,
    /// What is stored with that.
    pub records: Vec<Sent>,
}

/// An offset: topic, partition, offset, epoch.
pub type At = (String, i32, i64, i32);

/// One record, and where it goes.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sent {
    /// The topic, which is there.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The topic that it first came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// The record.
    pub line: Line,
}

/// The route.
pub(crate) fn router(api: Api) -> Router {
    Router::new()
        .route("/api/v1/advance", post(advance))
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .with_state(api)
}

async fn advance(State(api): State<Api>, body: Bytes) -> Answer {
    let steps: Steps = serde_json::from_slice(&body).map_err(|error| bad(&error))?;
    is_nobodys(&api, &steps.group)?;
    api.need(Operation::Read, Resource::group(&steps.group))?;
    for (topic, ..) in &steps.to {
        api.need(Operation::Read, Resource::topic(topic))?;
    }
    let mut records: Vec<Placed> = Vec::new();
    for sent in &steps.records {
        check_name(&sent.topic)?;
        let is_it =
            |placed: &Placed| placed.partition == sent.partition && placed.topic == sent.topic;
        if !records.iter().any(is_it) {
            api.need(Operation::Write, Resource::topic(&sent.topic))?;
            let batch = Batch::new(Vec::new().into(), Headers::new(), now_ms(), 0);
            records.push(Placed { topic: sent.topic.clone(), partition: sent.partition, batch });
        }
        let Some(placed) = records.iter_mut().find(|placed| is_it(placed)) else { continue };
        line::push(&sent.line, &mut placed.batch)
            .map_err(|problem| Refused(StatusCode::BAD_REQUEST, problem))?;
        if let Some(origin) = &sent.origin {
            placed.batch.set_header(ORIGIN, origin.as_bytes());
        }
    }
    let offsets = |all: Vec<At>| {
        let offset = |(topic, partition, offset, epoch)| Offset { topic, partition, offset, epoch };
        all.into_iter().map(offset).collect()
    };
    let Steps { group, from, to, .. } = steps;
    let step = Advance { group, from: offsets(from), to: offsets(to), records };
    api.hub.advance(step).await?;
    Ok(Json(json!({})))
}
