//! Sockets that are listened on.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tracing::{debug, warn};

use super::api::Session;
use super::{Broker, Network, Security, connection};

/// Shaking hands for TLS takes no longer than this, or the connection ends.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Host and port that a client is told to connect to which has reached the address.
type Advertised = Box<dyn Fn(SocketAddr) -> (String, u16) + Send + Sync>;

/// A socket that is bound.
pub struct Listening {
    socket: TcpListener,
    advertised: Advertised,
    security: Arc<Security>,
}

impl std::fmt::Debug for Listening {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Listening").field("socket", &self.socket).finish_non_exhaustive()
    }
}

impl Listening {
    /// Binds `address` (`host:port`).
    ///
    /// # Errors
    /// What the system says, with the address.
    pub(crate) async fn bind(
        address: &str,
        advertised: Advertised,
        security: Arc<Security>,
    ) -> Result<Self, String> {
        let socket = TcpListener::bind(address).await;
        let socket = socket.map_err(|error| format!("cannot listen on {address}: {error}"))?;
        Ok(Self { socket, advertised, security })
    }

    /// Binds `address` for clients that are asked nothing and are told the address that they have reached.
    ///
    /// # Errors
    /// What the system says, with the address.
    pub async fn open(address: &str) -> Result<Self, String> {
        let reached = |here: SocketAddr| (here.ip().to_string(), here.port());
        Self::bind(address, Box::new(reached), Arc::default()).await
    }

    /// The address that was bound.
    ///
    /// # Errors
    /// What the system says.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }
}

/// Serves one client over any stream, as one who is asked nothing; it is told to connect to `advertised`.
///
/// # Errors
/// What ended the connection, if it was not the client.
pub async fn serve_stream<S: AsyncRead + AsyncWrite + Send>(
    broker: Arc<Broker>,
    stream: S,
    at: (SocketAddr, (String, u16)),
) -> io::Result<()> {
    let session = Session::new(Arc::clone(&broker), Arc::default(), at, None);
    connection::serve(broker, tokio::io::split(stream), session).await
}

/// Serves all who connect on the threads of `network`, until it is dropped.
pub async fn serve(broker: Arc<Broker>, network: Network, listening: Vec<Listening>) {
    let network = Arc::new(network);
    let room = Arc::new(Semaphore::new(broker.settings.max_connections));
    let mut sockets = JoinSet::new();
    for one in listening {
        let (broker, network, room) =
            (Arc::clone(&broker), Arc::clone(&network), Arc::clone(&room));
        sockets.spawn(accept(broker, network, Arc::new(one), room));
    }
    let members = broker.hub.members();
    tokio::select! {
        () = members.keep_time() => {}
        () = Arc::clone(&broker.hub).watch_transactions() => {}
        () = async { while sockets.join_next().await.is_some() {} } => {}
    }
}

async fn accept(
    broker: Arc<Broker>,
    network: Arc<Network>,
    listening: Arc<Listening>,
    room: Arc<Semaphore>,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = accept_one(&listening.socket) => match accepted {
                Ok((stream, peer)) => {
                    let Ok(permit) = Arc::clone(&room).try_acquire_owned() else {
                        warn!(%peer, "a connection was refused: max_connections are open");
                        continue;
                    };
                    let (broker, listening) = (Arc::clone(&broker), Arc::clone(&listening));
                    let serving = async move {
                        serve_one(broker, &listening, stream, peer).await;
                        drop(permit);
                    };
                    connections.spawn_on(serving, network.next());
                }
                Err(error) => {
                    // Too many open files, most likely: waiting lets some end.
                    warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            },
            Some(_ended) = connections.join_next(), if !connections.is_empty() => {}
        }
    }
}

/// A connection that no runtime knows yet.
async fn accept_one(socket: &TcpListener) -> io::Result<(std::net::TcpStream, SocketAddr)> {
    let (stream, peer) = socket.accept().await?;
    Ok((stream.into_std()?, peer))
}

async fn serve_one(
    broker: Arc<Broker>,
    listening: &Listening,
    stream: std::net::TcpStream,
    peer: SocketAddr,
) {
    let stream = match TcpStream::from_std(stream) {
        Ok(stream) => stream,
        Err(error) => return warn!(%peer, %error, "a connection could not be served"),
    };
    // Without it small answers wait for nothing; and they would only be slower.
    stream.set_nodelay(true).ok();
    let Ok(here) = stream.local_addr() else { return };
    let session = |certificate| {
        let at = (peer, (listening.advertised)(here));
        Session::new(Arc::clone(&broker), Arc::clone(&listening.security), at, certificate)
    };
    broker.counters().connections.fetch_add(1, Ordering::Relaxed);
    let ended = match &listening.security.tls {
        None => connection::serve(Arc::clone(&broker), stream.into_split(), session(None)).await,
        Some(tls) => match timeout(HANDSHAKE, tls.accept(stream)).await {
            Ok(Ok((stream, certificate))) => {
                let stream = tokio::io::split(stream);
                connection::serve(Arc::clone(&broker), stream, session(certificate)).await
            }
            Ok(Err(error)) => Err(error),
            Err(_elapsed) => Err(io::Error::other("the TLS handshake took too long")),
        },
    };
    broker.counters().connections.fetch_sub(1, Ordering::Relaxed);
    if let Err(error) = ended {
        debug!(%peer, %error, "a connection has ended");
    }
}
