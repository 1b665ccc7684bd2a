//! The listeners for clients of Kafka's protocol, before an embedded hub.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use tracing::{error, info, warn};

use super::clients::Clients;
use super::error::AgentError;
use super::running::Agent;
use crate::broker::{self, Addresses, Asked, Broker, Listening, Network, Security};
use crate::config::{Config, EmbeddedConfig, HubConfig, Listen, ListenerConfig, SaslConfig};
use crate::hub::embedded::Embedded;

/// The protocol of `hub.embedded.listen`.
const PLAIN: &str = "PLAINTEXT";

/// How often a default address is tried that was taken.
const TRY_AGAIN: Duration = Duration::from_secs(5);

impl Agent {
    /// Where clients of Kafka's protocol are answered, as `PROTOCOL://host:port`.
    #[must_use]
    pub fn listening(&self) -> Vec<String> {
        let listening = self.clients.as_ref().map(|clients| &clients.listening);
        listening.map_or_else(Vec::new, |all| all.read().clone())
    }

    /// Begins to listen, if the hub is embedded and is to listen. A default address that is taken is tried again.
    pub(super) async fn start_broker(
        &mut self,
        hub: Option<Arc<Embedded>>,
    ) -> Result<(), AgentError> {
        let (Some(hub), HubConfig::Embedded(embedded)) = (hub, &self.config.hub) else {
            return Ok(());
        };
        // Also without clients: what a crash has left open would hold up whoever reads what is committed.
        self.broker.spawn("transactions", Arc::clone(&hub).watch_transactions());
        let mut bound: Vec<(Listening, &str)> = Vec::new();
        let default = bind(&embedded.listen).await?;
        let is_awaited = default.is_none() && embedded.listen.address().is_some();
        bound.extend(default.map(|one| (one, PLAIN)));
        let mut security = Vec::with_capacity(embedded.listeners.len());
        for (index, config) in embedded.listeners.iter().enumerate() {
            let failed = |why| AgentError::Listen(format!("hub.embedded.listeners[{index}].{why}"));
            let asked = load(config.clone()).await.map_err(failed)?;
            security.push(Arc::clone(&asked));
            let listening = bind_listener(config.clone(), asked).await.map_err(failed)?;
            bound.push((listening, config.security_protocol()));
        }
        let listening = Addresses::default();
        bound.iter().for_each(|(one, protocol)| note(one, protocol, &listening));
        let broker = Broker::new(hub, settings(embedded));
        broker.set_access(embedded.access());
        broker.set_asked(security.clone());
        if bound.is_empty() && !is_awaited {
            self.clients = Some(Clients { broker, security, listening });
            return Ok(());
        }
        let sockets = bound.into_iter().map(|(listening, _)| listening).collect();
        let network = Network::start()
            .map_err(|error| AgentError::Listen(format!("cannot start a thread: {error}")))?;
        let later =
            is_awaited.then(|| later(embedded.listen.clone(), Arc::clone(&listening)).boxed());
        self.broker.spawn("broker", broker::serve(Arc::clone(&broker), network, sockets, later));
        self.clients = Some(Clients { broker, security, listening });
        Ok(())
    }

    /// Takes over certificates, users, lists of addresses and access control of `new`, also where only the files have changed. What cannot
    /// be read stays as it was; what else has changed of the hub stays different from `new`.
    pub(super) async fn reload_clients(&mut self, new: &Config) {
        let HubConfig::Embedded(new) = &new.hub else { return };
        let HubConfig::Embedded(current) = &mut self.config.hub else { return };
        let Some(clients) = &self.clients else { return };
        for (index, (listener, security)) in
            current.listeners.iter_mut().zip(&clients.security).enumerate()
        {
            let Some(wanted) = new.listeners.iter().find(|new| is_same(listener, new)) else {
                continue;
            };
            match reload(Arc::clone(security), wanted.clone()).await {
                Ok(()) => *listener = wanted.clone(),
                Err(why) => {
                    error!("hub.embedded.listeners[{index}].{why}; it stays as it was before");
                }
            }
        }
        current.acls.clone_from(&new.acls);
        current.super_users.clone_from(&new.super_users);
        clients.broker.set_access(current.access());
    }
}

/// Notes where a socket listens, and says so.
fn note(one: &Listening, protocol: &str, listening: &Addresses) {
    if let Ok(address) = one.address() {
        info!(%address, protocol, "listening for clients of Kafka's protocol");
        let mut listening = listening.write();
        listening.push(format!("{protocol}://{address}"));
    }
}

/// The default address, once it is free.
async fn later(listen: Listen, listening: Addresses) -> Listening {
    loop {
        tokio::time::sleep(TRY_AGAIN).await;
        if let Ok(one) = bind_default(&listen).await {
            note(&one, PLAIN, &listening);
            return one;
        }
    }
}

/// Whether a listener can become the other one without a new socket.
fn is_same(one: &ListenerConfig, other: &ListenerConfig) -> bool {
    one.address == other.address
        && one.advertised == other.advertised
        && one.security_protocol() == other.security_protocol()
        && one.proxy_protocol == other.proxy_protocol
}

async fn bind(listen: &Listen) -> Result<Option<Listening>, AgentError> {
    if listen.address().is_none() {
        return Ok(None);
    }
    match bind_default(listen).await {
        Ok(bound) => Ok(Some(bound)),
        Err(error) if listen.is_explicit() => {
            Err(AgentError::Listen(format!("hub.embedded.listen: {error}")))
        }
        Err(error) => {
            warn!(
                "{error}; the hub runs without and tries again every {TRY_AGAIN:?}; set hub.embedded.listen to choose \
                 another port, or none"
            );
            Ok(None)
        }
    }
}

async fn bind_default(listen: &Listen) -> Result<Listening, String> {
    let named = listen.clone();
    let advertised = Box::new(move |local| named.advertised_to(local));
    Listening::bind(listen.address().unwrap_or_default(), advertised, Arc::default()).await
}

async fn bind_listener(config: ListenerConfig, asked: Arc<Security>) -> Result<Listening, String> {
    let address = config.address.clone();
    let advertised = Box::new(move |local| config.advertised_to(local));
    let bound = Listening::bind(&address, advertised, asked).await;
    bound.map_err(|error| format!("address: {error}"))
}

/// Deriving from passwords takes long.
async fn load(config: ListenerConfig) -> Result<Arc<Security>, String> {
    let loaded = tokio::task::spawn_blocking(move || Security::load(asked(&config)));
    loaded.await.map_err(|error| error.to_string())?.map(Arc::new)
}

async fn reload(security: Arc<Security>, config: ListenerConfig) -> Result<(), String> {
    let loaded = tokio::task::spawn_blocking(move || security.reload(asked(&config)));
    loaded.await.map_err(|error| error.to_string())?
}

/// What is asked of clients.
fn asked(config: &ListenerConfig) -> Asked<'_> {
    Asked {
        tls: config.tls.as_ref(),
        sasl: config.sasl.as_ref().map(SaslConfig::user_settings),
        allow: &config.allow,
        proxy_protocol: config.proxy_protocol,
    }
}

fn settings(config: &EmbeddedConfig) -> broker::Settings {
    broker::Settings {
        max_connections: usize::try_from(config.max_connections).unwrap_or(usize::MAX),
        max_request_bytes: config.max_request_size.bytes(),
        idle_timeout: config.idle_timeout,
        auto_create_topics: config.auto_create_topics,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_default_address_that_was_taken_is_had_once_it_is_free() {
        let other = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = other.local_addr().unwrap().to_string();
        let listen = Listen::by_default(&address);
        assert!(bind(&listen).await.unwrap().is_none(), "it is taken");
        let listening = Addresses::default();
        let mut coming = Box::pin(later(listen, Arc::clone(&listening)));
        assert!(tokio::time::timeout(3 * TRY_AGAIN, &mut coming).await.is_err());
        assert!(listening.read().is_empty());
        drop(other);
        let one = coming.await;
        assert_eq!(one.address().unwrap().to_string(), address);
        assert_eq!(*listening.read(), [format!("{PLAIN}://{address}")]);
    }
}
