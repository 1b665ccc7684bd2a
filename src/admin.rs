//! The admin listener: `/health`, `/metrics`, and the API under `/api/v1`.

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;

use axum::extract::State as Shared;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;

use crate::exposition;
use crate::hub::Hub;
use crate::metrics::Metrics;
use crate::producer::Producer;

/// What the listener shows and acts on.
#[derive(Clone)]
pub struct State {
    /// The hub.
    pub hub: Arc<dyn Hub>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// For the bytes that are under way.
    pub producer: Producer,
    /// The agent's data folder.
    pub data_dir: PathBuf,
    /// Where clients of Kafka's protocol reach the hub, each such as `SASL_SSL://10.0.0.7:9093`.
    pub listening: Vec<String>,
}

impl std::fmt::Debug for State {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("State").field("data_dir", &self.data_dir).finish_non_exhaustive()
    }
}

/// Opens the listener; the future that it gives serves it.
///
/// # Errors
/// Which address cannot be used, and why.
pub async fn serve(
    listen: &str,
    state: State,
) -> Result<impl Future<Output = ()> + Send + use<>, String> {
    let listener = TcpListener::bind(listen).await.map_err(|error| {
        format!("cannot listen on {listen}: {error}; is another agent running?")
    })?;
    let api = crate::api::Api {
        hub: Arc::clone(&state.hub),
        metrics: Arc::clone(&state.metrics),
        data_dir: state.data_dir.clone(),
        listening: state.listening.clone(),
    };
    let app = Router::new()
        .merge(crate::api::router(api))
        .route("/health", get(health))
        .route("/metrics", get(show_metrics))
        .with_state(state);
    Ok(async move {
        if let Err(error) = axum::serve(listener, app).await {
            tracing::error!(%error, "the admin listener has ended");
        }
    })
}

/// 200 while the agent works, even when a far side is away (a restart would not help); 503 when only a person can mend
/// the hub.
async fn health(Shared(state): Shared<State>) -> impl IntoResponse {
    let part = |failing: Option<String>, degraded: Option<String>| match (failing, degraded) {
        (Some(problem), _) => json!({ "state": "failing", "problem": problem }),
        (None, Some(problem)) => json!({ "state": "degraded", "problem": problem }),
        (None, None) => json!({ "state": "ok" }),
    };
    let sources: Map<String, Value> = state
        .metrics
        .sources()
        .iter()
        .map(|(name, meter)| (name.clone(), part(meter.state.problem(), meter.trouble())))
        .collect();
    let sinks: Map<String, Value> = state
        .metrics
        .sinks()
        .iter()
        .map(|(name, meter)| (name.clone(), part(meter.state.problem(), None)))
        .collect();
    let hub = match state.hub.state() {
        Ok(is) => json!({ "state": "ok", "is": is, "listening": state.listening }),
        Err(problem) => json!({ "state": "failing", "problem": problem }),
    };
    let is_unwell = |value: &Value| value.get("state") != Some(&json!("ok"));
    let mut parts = sources.values().chain(sinks.values());
    let degraded = is_unwell(&hub) || parts.any(is_unwell);
    let code =
        if state.hub.needs_person() { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    let status = if degraded { "degraded" } else { "ok" };
    let version = env!("CARGO_PKG_VERSION");
    let body = json!({ "status": status, "version": version, "hub": hub, "sources": sources, "sinks": sinks });
    (code, Json(body))
}

async fn show_metrics(Shared(state): Shared<State>) -> impl IntoResponse {
    let topics = state.hub.topics().await.unwrap_or_default();
    let text = exposition::render(&state.metrics, &topics, state.producer.buffered());
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text)
}
