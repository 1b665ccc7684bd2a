//! What every request of the API has: what it acts on, who may, and how it is answered.

use std::path::PathBuf;
use std::sync::Arc;

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::admin::SharedReads;
use crate::agent::Control;
use crate::auth::acl::{Operation, Resource};
use crate::broker::{Addresses, Broker};
use crate::client::is_topic_name;
use crate::hub::{Hub, HubError};
use crate::metrics::Metrics;
use crate::topic_name::INTERNAL;

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
    pub reads: SharedReads,
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

/// An answer, or why there is none.
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
    pub(super) fn need_create(&self, topic: &str) -> Result<(), Refused> {
        match self.may(Operation::Create, Resource::CLUSTER) {
            true => Ok(()),
            false => self.need(Operation::Create, Resource::topic(topic)),
        }
    }

    /// Refuses to write to a topic, or to make it where it is not there.
    pub(super) async fn need_write(&self, topic: &str) -> Result<(), Refused> {
        self.need(Operation::Write, Resource::topic(topic))?;
        if self.may(Operation::Create, Resource::CLUSTER) {
            return Ok(());
        }
        let is_there = self.hub.topics().await?.iter().any(|known| known.name == topic);
        if is_there { Ok(()) } else { self.need_create(topic) }
    }
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

/// Whether a sink of this agent has that group.
pub(super) fn is_of_sink(api: &Api, group: &str) -> bool {
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
