//! The ledger through the API.
//!
//! | request               | does                                                                     |
//! |-----------------------|--------------------------------------------------------------------------|
//! | `GET /api/v1/ledger`  | what became of every record, for each source and sink, and if it balances|

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};

use super::answer::{Answer, Api, Refused};
use crate::admin::SharedReads;
use crate::hub::{Hub, HubError, sink_rows};
use crate::ledger::rows::{Ledger, SourceRow};
use crate::metrics::Metrics;

/// The routes.
pub(crate) fn router(api: Api) -> Router {
    Router::new().route("/api/v1/ledger", get(show)).with_state(api)
}

async fn show(State(api): State<Api>) -> Answer {
    let ledger = now(api.hub.as_ref(), &api.metrics, &api.reads).await?;
    let shown = serde_json::to_value(&ledger);
    shown.map(Json).map_err(|error| Refused::from(HubError::Fatal(error.to_string())))
}

/// The ledger of a running agent.
pub(super) async fn now(
    hub: &dyn Hub,
    metrics: &Metrics,
    reads: &SharedReads,
) -> Result<Ledger, HubError> {
    let reads = reads.read().clone();
    let sinks = sink_rows(hub, Some(&reads)).await?;
    Ok(Ledger::new(source_rows(metrics), sinks))
}

/// The rows of all sources that ever were.
pub(super) fn source_rows(metrics: &Metrics) -> Vec<SourceRow> {
    metrics.accounts().iter().map(|(name, account)| SourceRow::new(name, account)).collect()
}
