//! The source: opens its sockets, then receives on all of them until it is told to stop.

use std::sync::Arc;

use anabranch_record::Pool;
use async_trait::async_trait;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::info;

use super::config::{Listen, SourceConfig};
use super::datagrams::Datagrams;
use super::message::Shared;
use super::sockets::{self, Opened};
use super::streams::StreamListener;
use crate::contract::build::{BuildError, Surroundings};
use crate::shared::stream::{Places, Terms};
use crate::{Emitter, Source, SourceError};

/// Buffers that are kept for the next read, and the largest of them.
const POOL: (usize, usize) = (8, 2 << 20);

/// The source.
#[derive(Debug)]
pub struct SyslogSource {
    config: SourceConfig,
    name: String,
    host: String,
}

impl SyslogSource {
    /// Builds it.
    ///
    /// # Errors
    /// [`BuildError`] when a setting cannot work.
    pub fn new(config: SourceConfig, around: &Surroundings) -> Result<Self, BuildError> {
        config.check()?;
        Ok(Self { config, name: around.name.clone(), host: around.host.clone() })
    }

    /// Opens the sockets; datagrams and connections queue up from now on.
    ///
    /// # Errors
    /// [`SourceError`] with the address that cannot be had, or the file of `tls` that cannot be used.
    pub fn bind(self) -> Result<Bound, SourceError> {
        let terms = Asked::load(&self.config, &self.name)?;
        let mut opened = Vec::new();
        for listen in &self.config.listen {
            opened.extend(sockets::open(listen, &self.config)?);
        }
        Ok(Bound { opened, terms, config: self.config, host: self.host })
    }
}

#[async_trait]
impl Source for SyslogSource {
    async fn run(
        self: Box<Self>,
        emitter: Emitter,
        stop: CancellationToken,
    ) -> Result<(), SourceError> {
        self.bind()?.run(emitter, stop).await
    }
}

/// The source with its sockets open.
#[derive(Debug)]
pub struct Bound {
    opened: Vec<Opened>,
    terms: Asked,
    config: SourceConfig,
    host: String,
}

/// What is asked of those who connect.
#[derive(Debug)]
struct Asked {
    plain: Arc<Terms>,
    /// At addresses with TLS.
    tls: Arc<Terms>,
}

impl Asked {
    fn load(config: &SourceConfig, name: &str) -> Result<Self, SourceError> {
        let SourceConfig { tls, allow, proxy_protocol, .. } = config;
        let terms = |terms: Terms| Arc::new(terms.of_proxies(*proxy_protocol).only(allow));
        let with_tls = Terms::kept(tls.as_ref(), &format!("sources.{name}.from.syslog"))?;
        Ok(Self { plain: terms(Terms::default()), tls: terms(with_tls) })
    }
}

impl Bound {
    /// Where it listens: one entry for each socket, with the ports that the system chose.
    #[must_use]
    pub fn listens(&self) -> Vec<Listen> {
        self.opened.iter().map(|opened| opened.listen.clone()).collect()
    }

    /// Receives until `stop`.
    ///
    /// # Errors
    /// [`SourceError`] when a socket fails.
    pub async fn run(self, emitter: Emitter, stop: CancellationToken) -> Result<(), SourceError> {
        let Self { opened, terms, config, host } = self;
        // One failing socket ends the others too, so that the agent can start the source anew.
        let stop = stop.child_token();
        let shared = Arc::new(Shared {
            emitter,
            stop: stop.clone(),
            pool: Pool::new(POOL.0, POOL.1),
            message_max: config.max_message_bytes.bytes(),
            host,
            idle_timeout: config.idle_timeout,
            allow: config.allow.clone(),
        });
        let mut sockets = JoinSet::new();
        let started = start(opened, &shared, (config.max_connections, &terms), &mut sockets);
        match started {
            Ok(()) => shared.emitter.ready(),
            Err(_) => stop.cancel(),
        }
        let ended = all(&mut sockets, &stop).await;
        remove_files(&config);
        started.and(ended)
    }
}

fn start(
    opened: Vec<Opened>,
    shared: &Arc<Shared>,
    (max_connections, asked): (usize, &Asked),
    sockets: &mut JoinSet<Result<(), SourceError>>,
) -> Result<(), SourceError> {
    let meter = Arc::clone(shared.emitter.connections());
    let places =
        Places::new(shared.emitter.source(), max_connections, meter, shared.emitter.memory());
    let mut told = String::new();
    for (number, opened) in opened.into_iter().enumerate() {
        // Several sockets share an address of UDP.
        let listen = opened.listen.to_string();
        if listen != told {
            info!(listen, "syslog listens");
            told = listen;
        }
        let shared = Arc::clone(shared);
        match opened.listen {
            Listen::Udp(_) | Listen::Unixgram(_) => {
                let datagrams = Datagrams::new(opened, number, shared);
                sockets.spawn_blocking(move || datagrams.run());
            }
            Listen::Tcp(_)
            | Listen::Tls(_)
            | Listen::Unix(_)
            | Listen::Passed(_)
            | Listen::PassedTls(_) => {
                let terms = if opened.listen.is_tls() { &asked.tls } else { &asked.plain };
                let listener = StreamListener::new(opened, Arc::clone(&places), Arc::clone(terms))?;
                sockets.spawn(async move {
                    listener.run(shared).await;
                    Ok(())
                });
            }
        }
    }
    Ok(())
}

/// Waits for all sockets; the first that fails stops the others.
async fn all(
    sockets: &mut JoinSet<Result<(), SourceError>>,
    stop: &CancellationToken,
) -> Result<(), SourceError> {
    let mut first = Ok(());
    while let Some(joined) = sockets.join_next().await {
        let ended = joined.unwrap_or_else(|error| {
            Err(SourceError::Failed {
                what: "a syslog socket ended".to_owned(),
                cause: error.to_string(),
                hint: "this is a defect; report it",
            })
        });
        if ended.is_err() {
            stop.cancel();
            first = first.and(ended);
        }
    }
    first
}

/// A socket file that nobody reads would make its writers wait or fail in ways that are hard to see.
fn remove_files(config: &SourceConfig) {
    for listen in &config.listen {
        if let Listen::Unix(path) | Listen::Unixgram(path) = listen {
            drop(std::fs::remove_file(path));
        }
    }
}
