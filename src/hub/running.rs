//! A running agent asked for what is not of its hub: its sinks, its ledger.

use reqwest::RequestBuilder;
use reqwest::header::CONTENT_TYPE;
use serde::Deserialize;
use serde_json::Value;

use super::embedded::view::StoresOffsets;
use super::remote::{Api, Way};
use super::{HubError, Offset};
use crate::ledger::rows::Ledger;

/// The agent.
#[derive(Debug)]
pub struct Agent(Api);

/// A sink of a running agent.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct SinkState {
    /// Its name.
    pub name: String,
    /// `ok`, `failing` or `paused`.
    pub state: String,
    /// Why it is failing.
    pub problem: Option<String>,
}

#[derive(Deserialize)]
struct SinkStates {
    sinks: Vec<SinkState>,
}

impl Agent {
    /// Asks by `way`.
    #[must_use]
    pub fn new(way: &Way) -> Self {
        Self(Api::new(way))
    }

    /// Its sinks.
    ///
    /// # Errors
    /// [`HubError`] when it does not answer.
    pub async fn sinks(&self) -> Result<Vec<SinkState>, HubError> {
        let answer = self.ask(self.0.client.get(self.0.url("sinks"))).await?;
        let states: Result<SinkStates, _> = serde_json::from_value(answer);
        states.map(|states| states.sinks).map_err(|error| HubError::Fatal(error.to_string()))
    }

    /// What became of every record.
    ///
    /// # Errors
    /// [`HubError`] when it does not answer.
    pub async fn ledger(&self) -> Result<Ledger, HubError> {
        let answer = self.ask(self.0.client.get(self.0.url("ledger"))).await?;
        serde_json::from_value(answer).map_err(|error| HubError::Fatal(error.to_string()))
    }

    /// Stops a sink until it is resumed.
    ///
    /// # Errors
    /// [`HubError`] when it does not answer, or has no such sink.
    pub async fn pause(&self, sink: &str) -> Result<(), HubError> {
        self.order(&format!("sinks/{sink}/pause")).await
    }

    /// Lets a sink go on.
    ///
    /// # Errors
    /// As [`Agent::pause`].
    pub async fn resume(&self, sink: &str) -> Result<(), HubError> {
        self.order(&format!("sinks/{sink}/resume")).await
    }

    /// Moves a sink's group, which it goes on from at once.
    ///
    /// # Errors
    /// [`HubError`] when it does not answer, or other members have the group.
    pub async fn set_offsets(&self, sink: &str, offsets: &[Offset]) -> Result<(), HubError> {
        self.0.store(sink, offsets).await
    }

    async fn order(&self, path: &str) -> Result<(), HubError> {
        let request = self.0.client.post(self.0.url(path));
        self.ask(request.header(CONTENT_TYPE, "application/json")).await.map(drop)
    }

    async fn ask(&self, request: RequestBuilder) -> Result<Value, HubError> {
        let answer = self.0.call(request).await;
        answer.map_err(|error| {
            let HubError::NotNow(why) = error else { return error };
            HubError::NotNow(format!("no agent answers at {}: {why}; is it running?", self.0.at))
        })
    }
}
