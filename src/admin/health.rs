//! How the agent is, in one document.

use axum::Json;
use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde_json::{Map, Value, json};

use super::api;
use super::state::State;

/// 200 while the agent works, even when a far side is away (a restart would not help); 503 when only a person can mend
/// the hub.
pub(super) async fn show(Shared(state): Shared<State>) -> impl IntoResponse {
    let sources: Map<String, Value> = state
        .metrics
        .sources()
        .iter()
        .map(|(name, meter)| {
            (name.clone(), part(meter.state.problem(), meter.trouble(), meter.is_ready()))
        })
        .collect();
    let sinks: Map<String, Value> = state
        .metrics
        .sinks()
        .iter()
        .map(|(name, meter)| (name.clone(), api::sinks::state_of(meter)))
        .collect();
    let hub = match state.hub.state() {
        Ok(is) => {
            json!({ "state": "ok", "is": is, "listening": *state.listening.read() })
        }
        Err(problem) => json!({ "state": "failing", "problem": problem }),
    };
    let is = |state: &str| {
        let has = |value: &Value| value.get("state").and_then(Value::as_str) == Some(state);
        has(&hub) || sources.values().chain(sinks.values()).any(has)
    };
    let code =
        if state.hub.needs_person() { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    let status = if is("failing") || is("degraded") {
        "degraded"
    } else if is("starting") {
        "starting"
    } else {
        "ok"
    };
    let version = env!("CARGO_PKG_VERSION");
    let body = json!({ "status": status, "version": version, "hub": hub, "sources": sources, "sinks": sinks });
    (code, Json(body))
}

/// How a source or a sink is.
fn part(failing: Option<String>, degraded: Option<String>, is_ready: bool) -> Value {
    match (failing, degraded) {
        (Some(problem), _) => json!({ "state": "failing", "problem": problem }),
        (None, Some(problem)) => json!({ "state": "degraded", "problem": problem }),
        (None, None) if !is_ready => json!({ "state": "starting" }),
        (None, None) => json!({ "state": "ok" }),
    }
}
