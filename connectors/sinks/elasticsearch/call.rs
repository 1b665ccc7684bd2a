//! One request to one endpoint, and what its answer means as a whole.

use std::time::Duration;

use bytes::Bytes;
use elasticsearch::Error;
use elasticsearch::http::headers::HeaderMap;
use elasticsearch::http::{Method, StatusCode};
use serde::Deserialize;

use super::answer::{BulkAnswer, Item, whole_kinds, whole_reason};
use super::config::{Checked, SinkConfig};
use super::endpoints::Endpoint;
use crate::WriteError;
use crate::contract::clock;
use crate::shared::http::answer::{AS_CONFIGURED, Answer, causes, retry_after};
use crate::shared::http::responses::{Response, Responses};

/// An answer, wholly read.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) target: String,
    pub(super) status: StatusCode,
    retry_after: Option<Duration>,
    body: Bytes,
}

/// Sends a `_bulk` body as it is.
pub(super) async fn bulk(
    endpoint: &Endpoint,
    headers: HeaderMap,
    query: &[(&'static str, String)],
    body: Bytes,
) -> Result<Received, Error> {
    let send =
        endpoint.transport.send(Method::Post, "_bulk", headers, Some(query), Some(body), None);
    let response = send.await?;
    let status = response.status_code();
    let retry_after = retry_after(response.headers(), clock::now_ms());
    let body = response.bytes().await?;
    Ok(Received { target: endpoint.address.clone(), status, retry_after, body })
}

impl Received {
    /// The answer, if the server took the request apart at all.
    pub(super) fn check(self, responses: &Responses) -> Result<Self, WriteError> {
        let answer = Answer {
            target: &self.target,
            status: self.status,
            retry_after: self.retry_after,
            body: &self.body,
        };
        let status = self.status.as_u16();
        let kinds = whole_kinds(&self.body);
        let named = responses.of(status, &kinds.iter().map(String::as_str).collect::<Vec<_>>());
        let mut problem = match (status, named) {
            (200..=299, None | Some(Response::Done)) => return Ok(self),
            (_, Some(named)) => as_named(&answer, named),
            (_, None) => meaning(&answer),
        };
        if let Some(words) = whole_reason(status, &self.body) {
            match &mut problem {
                WriteError::NotNow { reason, .. }
                | WriteError::TooLarge { reason, .. }
                | WriteError::Refused { reason, .. }
                | WriteError::Fatal { reason, .. } => *reason = words,
            }
        }
        Err(problem)
    }

    /// The answers for `count` records, in their order.
    pub(super) fn items(&self, count: usize) -> Result<Vec<Item<'_>>, WriteError> {
        let answer = Answer {
            target: &self.target,
            status: self.status,
            retry_after: None,
            body: &self.body,
        };
        match serde_json::from_slice::<BulkAnswer<'_>>(&self.body) {
            Ok(BulkAnswer { items }) if items.len() == count => Ok(items),
            _ => Err(answer.fatal("this is no answer to _bulk: check `endpoints`")),
        }
    }
}

/// What an answer to a whole request means by itself.
fn meaning(answer: &Answer<'_>) -> WriteError {
    match answer.status.as_u16() {
        408 | 429 | 500..=599 => answer.not_now(),
        // one record of many may be the cause: halves are tried until it stands alone
        400 | 413 => answer.too_large(),
        401 | 403 => answer.fatal("check `auth` and what this user may do"),
        404 => answer.fatal("check `endpoints`, and that the index or a template for it is there"),
        _ => answer.fatal("check that `endpoints` are those of Elasticsearch or OpenSearch"),
    }
}

/// What the configuration makes of it. Nobody knows which records have arrived, so none of them is done.
fn as_named(answer: &Answer<'_>, named: Response) -> WriteError {
    match named {
        Response::Done | Response::Again | Response::NotNow => answer.not_now(),
        Response::Dead => answer.refused(),
        Response::Fatal => answer.fatal(AS_CONFIGURED),
    }
}

/// Tries each endpoint once.
///
/// # Errors
/// A sentence for a person.
pub(super) async fn probe(config: &SinkConfig) -> Result<String, String> {
    #[derive(Deserialize)]
    struct Health {
        cluster_name: String,
        status: String,
    }
    let Checked { transports, headers, .. } = config.check().map_err(|wrong| wrong.to_string())?;
    let mut found = Vec::new();
    for (address, transport) in transports {
        let send = transport.send(
            Method::Get,
            "_cluster/health",
            headers.clone(),
            None::<&()>,
            None::<()>,
            None,
        );
        let away = |problem: Error| format!("{address}: {}", causes(&problem));
        let response = send.await.map_err(away)?;
        let status = response.status_code();
        let body = response.bytes().await.map_err(away)?;
        let answer = Answer { target: &address, status, retry_after: None, body: &body };
        if !status.is_success() {
            let reason = whole_reason(status.as_u16(), &body).unwrap_or_else(|| answer.reason());
            return Err(format!("{address}: {reason}; check `endpoints` and `auth`"));
        }
        let health: Health = serde_json::from_slice(&body).map_err(|_other| {
            format!("{address}: {}; this is not Elasticsearch or OpenSearch", answer.reason())
        })?;
        found.push(format!("{address}: cluster \"{}\" is {}", health.cluster_name, health.status));
    }
    Ok(found.join(", "))
}
