//! Sockets that are listened on.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anabranch_connectors::shared::stream::{
    Door, Ended, Heard, Listener, Place, Places, Stream, inet,
};
use futures::future::BoxFuture;
use parking_lot::RwLock;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tracing::{debug, warn};

use super::api::Session;
use super::connection::Late;
use super::{Broker, Network, Security, connection};

/// Shaking hands for TLS takes no longer than this, or the connection ends.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Host and port that a client is told to connect to which has reached the address.
type Advertised = Box<dyn Fn(SocketAddr) -> (String, u16) + Send + Sync>;

/// Where clients are answered, as `PROTOCOL://host:port`; an address that was taken at the start may come later.
pub type Addresses = Arc<RwLock<Vec<String>>>;

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
        let socket = inet::bind(address).await;
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
/// What comes `later` is served from then on.
pub async fn serve(
    broker: Arc<Broker>,
    network: Network,
    listening: Vec<Listening>,
    later: Option<BoxFuture<'static, Listening>>,
) {
    let network = Arc::new(network);
    let meter = Arc::clone(&broker.metrics.hub_connections);
    let places = Places::new("hub", broker.settings.max_connections, meter, &broker.metrics.memory);
    let mut sockets = JoinSet::new();
    for one in listening {
        let (broker, network) = (Arc::clone(&broker), Arc::clone(&network));
        sockets.spawn(accept(broker, network, one, Arc::clone(&places)));
    }
    if let Some(later) = later {
        let broker = Arc::clone(&broker);
        sockets.spawn(async move { accept(broker, network, later.await, places).await });
    }
    let members = broker.hub.members();
    tokio::select! {
        () = members.keep_time() => {}
        () = async { while sockets.join_next().await.is_some() {} } => {}
    }
}

/// What clients of one listener are told and asked.
struct Terms {
    advertised: Advertised,
    security: Arc<Security>,
}

async fn accept(
    broker: Arc<Broker>,
    network: Arc<Network>,
    listening: Listening,
    places: Arc<Places>,
) {
    let Listening { socket, advertised, security } = listening;
    let terms = Arc::new(Terms { advertised, security });
    let door = Door::new(Listener::Tcp(socket), places);
    let mut connections = JoinSet::new();
    loop {
        let (stream, peer, place) = door.next().await;
        while connections.try_join_next().is_some() {}
        let Stream::Tcp(stream) = stream else { continue };
        // The thread that serves it knows nothing of it yet.
        let stream = match stream.into_std() {
            Ok(stream) => stream,
            Err(error) => {
                warn!(%peer, %error, "a connection could not be served");
                continue;
            }
        };
        let (broker, terms) = (Arc::clone(&broker), Arc::clone(&terms));
        let serving = async move { serve_one(broker, &terms, stream, &place).await };
        connections.spawn_on(serving, network.next());
    }
}

async fn serve_one(broker: Arc<Broker>, terms: &Terms, stream: std::net::TcpStream, place: &Place) {
    let stream = match TcpStream::from_std(stream) {
        Ok(stream) => stream,
        Err(error) => return warn!(%error, "a connection could not be served"),
    };
    let (Ok(here), Ok(peer)) = (stream.local_addr(), stream.peer_addr()) else { return };
    broker.counters().connections.fetch_add(1, Ordering::Relaxed);
    let at = (peer, (terms.advertised)(here));
    let ended = tokio::select! {
        ended = answer(&broker, terms, (stream, place), at) => ended,
        () = place.is_wanted() => Ok(()),
    };
    broker.counters().connections.fetch_sub(1, Ordering::Relaxed);
    if let Err(error) = ended {
        debug!(%peer, %error, "a connection has ended");
        match error.get_ref().and_then(|inner| inner.downcast_ref::<Late>()) {
            Some(Late::Idle) => place.ends(Ended::Idle, peer),
            Some(Late::Request | Late::Handshake) => place.ends(Ended::Slow, peer),
            Some(Late::Memory) => place.ends(Ended::Memory, peer),
            None => {}
        }
    }
}

async fn answer(
    broker: &Arc<Broker>,
    terms: &Terms,
    (stream, place): (TcpStream, &Place),
    at: (SocketAddr, (String, u16)),
) -> io::Result<()> {
    let session = |certificate| {
        Session::new(Arc::clone(broker), Arc::clone(&terms.security), at, certificate)
    };
    let Some(tls) = &terms.security.tls else {
        let (reading, writing) = stream.into_split();
        let halves = (Heard::whole(reading, place), writing);
        return connection::serve(Arc::clone(broker), halves, session(None)).await;
    };
    let shaken = timeout(HANDSHAKE, tls.accept(stream)).await;
    let (stream, certificate) = shaken.map_err(|_elapsed| io::Error::other(Late::Handshake))??;
    let (reading, writing) = tokio::io::split(stream);
    let halves = (Heard::whole(reading, place), writing);
    connection::serve(Arc::clone(broker), halves, session(certificate)).await
}
