//! The source: its listener and its connections.

use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::Arc;

use async_trait::async_trait;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::info;

use super::config::SourceConfig;
use super::request::Shared;
use crate::contract::build::{BuildError, Surroundings};
use crate::shared::stream::{Arrived, Door, Listener, Places, Terms, activation, http, inet};
use crate::{Emitter, Source, SourceError};

/// The source.
#[derive(Debug)]
pub struct HttpSource {
    config: SourceConfig,
    name: String,
}

impl HttpSource {
    /// Builds it.
    ///
    /// # Errors
    /// [`BuildError`] when a setting cannot work.
    pub fn new(config: SourceConfig, around: &Surroundings) -> Result<Self, BuildError> {
        config.check()?;
        Ok(Self { config, name: around.name.clone() })
    }

    /// Opens the listener; connections queue up from now on.
    ///
    /// # Errors
    /// [`SourceError`] with the address that cannot be had, or the file of `tls` that cannot be used.
    pub fn bind(self) -> Result<Bound, SourceError> {
        let SourceConfig { tls, allow, proxy_protocol, .. } = &self.config;
        let terms = Terms::kept(tls.as_ref(), &format!("sources.{}.from.http", self.name))?;
        let terms = Arc::new(terms.of_proxies(*proxy_protocol).only(allow));
        let opened = open(&self.config.listen);
        let (listener, address) = opened.map_err(|error| failed(&self.config.listen, &error))?;
        Ok(Bound { listener, address, terms, config: self.config })
    }
}

#[async_trait]
impl Source for HttpSource {
    async fn run(
        self: Box<Self>,
        emitter: Emitter,
        stop: CancellationToken,
    ) -> Result<(), SourceError> {
        self.bind()?.run(emitter, stop).await
    }
}

fn open(listen: &str) -> io::Result<(StdListener, SocketAddr)> {
    let listener = inet::listen(listen)?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

fn failed(listen: &str, error: &io::Error) -> SourceError {
    let is = |kind| error.kind() == kind;
    let hint = if is(io::ErrorKind::AddrInUse) {
        "another program has it; stop that one or choose another"
    } else if is(io::ErrorKind::PermissionDenied) {
        "a port below 1024 needs CAP_NET_BIND_SERVICE; choose another or grant it"
    } else if is(io::ErrorKind::AddrNotAvailable) {
        "this machine does not have that address; try 0.0.0.0"
    } else {
        "check the address in `listen`"
    };
    let what = match activation::name(listen) {
        Some(_) => format!("cannot listen on {listen}"),
        None => format!("cannot listen on http://{listen}"),
    };
    SourceError::Failed { what, cause: error.to_string(), hint }
}

/// The source with its listener open.
#[derive(Debug)]
pub struct Bound {
    listener: StdListener,
    address: SocketAddr,
    terms: Arc<Terms>,
    config: SourceConfig,
}

impl Bound {
    /// Where it listens, with the port that the system chose.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop`.
    ///
    /// # Errors
    /// [`SourceError`] when the listener cannot be used.
    pub async fn run(self, emitter: Emitter, stop: CancellationToken) -> Result<(), SourceError> {
        let listener = TcpListener::from_std(self.listener);
        let listener = listener.map_err(|error| failed(&self.config.listen, &error))?;
        info!(listen = %self.address, "http listens");
        emitter.ready();
        let meter = Arc::clone(emitter.connections());
        let places =
            Places::new(emitter.source(), self.config.max_connections, meter, emitter.memory());
        let shared = Arc::new(Shared::new(&self.config, emitter));
        let door = Door::new(Listener::Tcp(listener), places, Arc::clone(&self.terms));
        let mut connections = JoinSet::new();
        let timeout = self.config.timeout;
        while let Some((stream, peer, place)) = stop.run_until_cancelled(door.next()).await {
            while connections.try_join_next().is_some() {}
            let (shared, stop, terms) =
                (Arc::clone(&shared), stop.clone(), Arc::clone(&self.terms));
            connections.spawn(async move {
                let settled = stop.run_until_cancelled(terms.settle(stream, peer, &place)).await;
                let Some(Some(Arrived { stream, peer, .. })) = settled else { return };
                let answer = |request| Arc::clone(&shared).serve(request, peer, &place);
                Box::pin(http::serve((stream, peer, &place), timeout, &stop, answer)).await;
            });
        }
        drop(door);
        while connections.join_next().await.is_some() {}
        Ok(())
    }
}
