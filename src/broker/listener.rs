//! Sockets that are listened on.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use anabranch_connectors::shared::stream::{
    Door, Ended, Heard, Listener, Peer, Place, Places, Stream, inet,
};
use futures::future::BoxFuture;
use parking_lot::RwLock;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tracing::{debug, warn};

use super::api::Session;
use super::connection::Late;
use super::{Broker, Network, Security, connection};

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
struct Face {
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
    let door = Door::new(Listener::Tcp(socket), places, Arc::clone(&security.terms));
    let face = Arc::new(Face { advertised, security });
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
        let (broker, face) = (Arc::clone(&broker), Arc::clone(&face));
        let serving = async move { serve_one(broker, &face, (stream, peer), &place).await };
        connections.spawn_on(serving, network.next());
    }
}

async fn serve_one(
    broker: Arc<Broker>,
    face: &Face,
    (stream, who): (std::net::TcpStream, Peer),
    place: &Place,
) {
    let stream = match TcpStream::from_std(stream) {
        Ok(stream) => stream,
        Err(error) => return warn!(%error, "a connection could not be served"),
    };
    let (Ok(here), Ok(peer)) = (stream.local_addr(), stream.peer_addr()) else { return };
    broker.counters().connections.fetch_add(1, Ordering::Relaxed);
    if let Some(arrived) = face.security.terms.settle(Stream::Tcp(stream), who, place).await {
        let at = (arrived.told.unwrap_or(peer), (face.advertised)(here));
        serve_arrived(&broker, face, (arrived.stream, place), at).await;
    }
    broker.counters().connections.fetch_sub(1, Ordering::Relaxed);
}

async fn serve_arrived(
    broker: &Arc<Broker>,
    face: &Face,
    (stream, place): (Stream, &Place),
    at: (SocketAddr, (String, u16)),
) {
    let peer = at.0;
    let ended = tokio::select! {
        ended = answer(broker, face, (stream, place), at) => ended,
        () = place.is_wanted() => Ok(()),
    };
    if let Err(error) = ended {
        debug!(%peer, %error, "a connection has ended");
        match error.get_ref().and_then(|inner| inner.downcast_ref::<Late>()) {
            Some(Late::Idle) => place.ends(Ended::Idle, peer),
            Some(Late::Request) => place.ends(Ended::Slow, peer),
            Some(Late::Memory) => place.ends(Ended::Memory, peer),
            None => {}
        }
    }
}

async fn answer(
    broker: &Arc<Broker>,
    face: &Face,
    (stream, place): (Stream, &Place),
    at: (SocketAddr, (String, u16)),
) -> io::Result<()> {
    let session =
        |certificate| Session::new(Arc::clone(broker), Arc::clone(&face.security), at, certificate);
    match stream {
        Stream::Tcp(stream) => {
            let (reading, writing) = stream.into_split();
            let halves = (Heard::whole(reading, place), writing);
            connection::serve(Arc::clone(broker), halves, session(None)).await
        }
        stream @ (Stream::Tls(_) | Stream::Unix(_)) => {
            let certificate = face.security.principal(&stream)?;
            let (reading, writing) = tokio::io::split(stream);
            let halves = (Heard::whole(reading, place), writing);
            connection::serve(Arc::clone(broker), halves, session(certificate)).await
        }
    }
}
