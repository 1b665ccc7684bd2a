//! Sinks through the API: how they are, paused, taken up again.
//!
//! | request                           | does                                                          |
//! |-----------------------------------|---------------------------------------------------------------|
//! | `GET /api/v1/sinks`               | lists sinks with their state                                   |
//! | `POST /api/v1/sinks/{sink}/pause` | stops one where it is, until it is resumed, over restarts      |
//! | `POST /api/v1/sinks/{sink}/resume`| lets it go on                                                  |

use axum::Json;
use axum::Router;
use axum::extract::{Path, State};
use axum::routing::{get, post};
use serde_json::{Value, json};

use super::answer::{Answer, Api};
use crate::auth::acl::{Operation, Resource};
use crate::metrics::SinkMeter;

/// The routes.
pub(crate) fn router(api: Api) -> Router {
    Router::new()
        .route("/api/v1/sinks", get(list))
        .route("/api/v1/sinks/{sink}/pause", post(pause))
        .route("/api/v1/sinks/{sink}/resume", post(resume))
        .with_state(api)
}

/// How a sink is: `ok`, `failing` with its problem, or `paused`.
pub(crate) fn state_of(meter: &SinkMeter) -> Value {
    match meter.state.problem() {
        _ if meter.is_paused() => json!({ "state": "paused" }),
        Some(problem) => json!({ "state": "failing", "problem": problem }),
        None => json!({ "state": "ok" }),
    }
}

async fn list(State(api): State<Api>) -> Answer {
    let sinks = api.metrics.sinks();
    let one = |(name, meter): &(String, std::sync::Arc<SinkMeter>)| {
        let mut sink = state_of(meter);
        if let Some(sink) = sink.as_object_mut() {
            sink.insert("name".to_owned(), json!(name));
        }
        sink
    };
    Ok(Json(json!({ "sinks": sinks.iter().map(one).collect::<Vec<_>>() })))
}

async fn pause(State(api): State<Api>, Path(sink): Path<String>) -> Answer {
    api.need(Operation::Alter, Resource::CLUSTER)?;
    api.control.pause(&sink).await?;
    Ok(Json(json!({ "name": sink, "state": "paused" })))
}

async fn resume(State(api): State<Api>, Path(sink): Path<String>) -> Answer {
    api.need(Operation::Alter, Resource::CLUSTER)?;
    api.control.resume(&sink).await?;
    Ok(Json(json!({ "name": sink, "state": "resumed" })))
}
