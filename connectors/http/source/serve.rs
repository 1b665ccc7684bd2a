//! The source: its listener and its connections.

use std::io;
use std::net::{SocketAddr, TcpListener as StdListener, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::{Domain, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::config::SourceConfig;
use super::request::Shared;
use crate::registry::{BuildError, Surroundings};
use crate::{Emitter, Source, SourceError};

const BACKLOG: i32 = 1024;
/// Pause after the system could not give a connection (no more file descriptors).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long a connection is idle before another may have its place.
const IDLE_CHECK: Duration = Duration::from_secs(1);
/// How long requests that are under way at a stop may still get their answer.
const STOP_GRACE: Duration = Duration::from_millis(500);

/// The source.
#[derive(Debug)]
pub struct HttpSource {
    config: SourceConfig,
}

impl HttpSource {
    /// Builds it.
    ///
    /// # Errors
    /// [`BuildError`] when a setting cannot work.
    pub fn new(config: SourceConfig, _around: &Surroundings) -> Result<Self, BuildError> {
        config.check()?;
        Ok(Self { config })
    }

    /// Opens the listener; connections queue up from now on.
    ///
    /// # Errors
    /// [`SourceError`] with the address that cannot be had.
    pub fn bind(self) -> Result<Bound, SourceError> {
        let opened = open(&self.config.listen);
        let (listener, address) = opened.map_err(|error| failed(&self.config.listen, &error))?;
        Ok(Bound { listener, address, config: self.config })
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
    let address = listen.to_socket_addrs()?.next();
    let address = address.ok_or_else(|| io::Error::other("the name has no address"))?;
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    let listener = StdListener::from(socket);
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
    let what = format!("cannot listen on http://{listen}");
    SourceError::Failed { what, cause: error.to_string(), hint }
}

/// The source with its listener open.
#[derive(Debug)]
pub struct Bound {
    listener: StdListener,
    address: SocketAddr,
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
        let shared = Arc::new(Shared::new(&self.config, emitter));
        let places = self.config.max_connections.min(Semaphore::MAX_PERMITS);
        let places = Arc::new(Semaphore::new(places));
        let mut connections = JoinSet::new();
        let timeout = self.config.timeout;
        while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
            while connections.try_join_next().is_some() {}
            let accepted = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    warn!(%error, "cannot accept an http connection, will retry");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let place = place(&places, &shared);
            let Some(place) = stop.run_until_cancelled(place).await else {
                break;
            };
            let (shared, stop) = (Arc::clone(&shared), stop.clone());
            connections.spawn(async move {
                Box::pin(serve(accepted, shared, timeout, stop)).await;
                drop(place);
            });
        }
        drop(listener);
        while connections.join_next().await.is_some() {}
        Ok(())
    }
}

/// A place for one more connection. While there is none, connections that clients only keep for their next request are
/// closed: after an answer, or when they are idle.
async fn place(places: &Arc<Semaphore>, shared: &Shared) -> Option<OwnedSemaphorePermit> {
    if let Ok(place) = Arc::clone(places).try_acquire_owned() {
        return Some(place);
    }
    shared.crowded.store(true, Ordering::Relaxed);
    let place = Arc::clone(places).acquire_owned().await.ok();
    shared.crowded.store(false, Ordering::Relaxed);
    place
}

/// Serves one connection until it ends. At a stop, what is under way gets a moment.
async fn serve(
    (stream, address): (TcpStream, SocketAddr),
    shared: Arc<Shared>,
    timeout: Duration,
    stop: CancellationToken,
) {
    let peer = address.ip().to_canonical();
    if let Err(error) = stream.set_nodelay(true) {
        debug!(%error, %peer, "cannot turn off the delay of small answers");
    }
    let requests = AtomicU64::new(0);
    let service = service_fn(|request| {
        requests.fetch_add(1, Ordering::Relaxed);
        Arc::clone(&shared).serve(request, peer)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(timeout)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let mut served = tokio::select! {
        served = connection.as_mut() => Some(served),
        () = stop.cancelled() => None,
        () = idle_in_a_crowd(&requests, &shared) => None,
    };
    if served.is_none() {
        connection.as_mut().graceful_shutdown();
        served = tokio::select! {
            served = connection => Some(served),
            () = grace_is_over(&stop) => None,
        };
    }
    if let Some(Err(error)) = served {
        debug!(%error, %peer, "http connection broke");
    }
}

/// Waits until a connection began no request for a while and others wait for its place.
async fn idle_in_a_crowd(requests: &AtomicU64, shared: &Shared) {
    let mut before = u64::MAX;
    loop {
        let now = requests.load(Ordering::Relaxed);
        if now == before && shared.crowded.load(Ordering::Relaxed) {
            return;
        }
        before = now;
        tokio::time::sleep(IDLE_CHECK).await;
    }
}

async fn grace_is_over(stop: &CancellationToken) {
    stop.cancelled().await;
    tokio::time::sleep(STOP_GRACE).await;
}
