//! The listener for clients of Kafka's protocol, before an embedded hub.

use std::sync::Arc;

use tracing::{info, warn};

use super::{Agent, AgentError};
use crate::broker::{self, Broker, Listening};
use crate::config::{EmbeddedConfig, HubConfig};
use crate::hub::embedded::Embedded;

impl Agent {
    /// Begins to listen, if the hub is embedded and is to listen. A default address that is taken is only said so.
    pub(super) async fn start_broker(
        &mut self,
        hub: Option<Arc<Embedded>>,
    ) -> Result<(), AgentError> {
        let (Some(hub), HubConfig::Embedded(embedded)) = (hub, &self.config.hub) else {
            return Ok(());
        };
        let listening = bind(embedded).await?;
        if listening.is_empty() {
            return Ok(());
        }
        for one in &listening {
            if let Ok(address) = one.address() {
                info!(%address, "listening for clients of Kafka's protocol");
            }
        }
        let broker = Broker::new(hub, settings(embedded));
        self.broker.spawn("broker", broker::serve(broker, listening));
        Ok(())
    }
}

async fn bind(config: &EmbeddedConfig) -> Result<Vec<Listening>, AgentError> {
    let mut listening = Vec::new();
    if let Some(address) = config.listen.address() {
        match Listening::bind(address, None).await {
            Ok(bound) => listening.push(bound),
            Err(error) if config.listen.is_explicit() => {
                return Err(AgentError::Listen(format!("hub.embedded.listen: {error}")));
            }
            Err(error) => {
                warn!("{error}; the hub runs without, set hub.embedded.listen to choose a port")
            }
        }
    }
    Ok(listening)
}

fn settings(config: &EmbeddedConfig) -> broker::Settings {
    broker::Settings {
        max_connections: usize::try_from(config.max_connections).unwrap_or(usize::MAX),
        max_request_bytes: config.max_request_size.bytes(),
        idle_timeout: config.idle_timeout,
        auto_create_topics: config.auto_create_topics,
    }
}
