//! Sockets that are listened on, and the loop that takes connections from them.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream, UnixListener};
use tracing::{debug, warn};

use super::connection::{Peer, Stream};
use super::meter::Ended;
use super::places::{Place, Places};
use super::terms::Terms;

/// Pause after the system could not give a connection (no more file descriptors).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// A far side that went away without a word is asked after so long whether it is still there,
const KEEPALIVE_AFTER: Duration = Duration::from_secs(60);
/// and again after so long,
const KEEPALIVE_EVERY: Duration = Duration::from_secs(15);
/// so often; then the connection ends.
const KEEPALIVE_TIMES: u32 = 4;

/// A socket that takes connections.
#[derive(Debug)]
pub enum Listener {
    /// TCP.
    Tcp(TcpListener),
    /// A unix socket.
    Unix(UnixListener),
}

impl Listener {
    /// Cancel safe: a connection that was not given stays in the queue.
    async fn accept(&self) -> io::Result<(Stream, Peer)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, address) = listener.accept().await?;
                if let Err(error) = settle(&stream) {
                    debug!(%error, "a connection is used as the system has made it");
                }
                Ok((Stream::Tcp(stream), Peer::Ip(address.ip().to_canonical())))
            }
            Self::Unix(listener) => {
                let (stream, _unnamed) = listener.accept().await?;
                Ok((Stream::Unix(stream), Peer::Local))
            }
        }
    }
}

/// Small answers do not wait, and a far side that is gone is noticed.
fn settle(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE_AFTER).with_interval(KEEPALIVE_EVERY);
    SockRef::from(stream).set_tcp_keepalive(&keepalive.with_retries(KEEPALIVE_TIMES))
}

/// A listener with its places.
#[derive(Debug)]
pub struct Door {
    listener: Listener,
    places: Arc<Places>,
    terms: Arc<Terms>,
}

impl Door {
    /// Lets those in who connect to `listener`, as many as there are `places`. Whoever serves them asks them for the rest of
    /// the terms ([`Terms::settle`]).
    #[must_use]
    pub const fn new(listener: Listener, places: Arc<Places>, terms: Arc<Terms>) -> Self {
        Self { listener, places, terms }
    }

    /// The next connection of one who may connect, with its place. It is dropped where the future is before there is a place.
    pub async fn next(&self) -> (Stream, Peer, Place) {
        let mut is_told = false;
        loop {
            match self.listener.accept().await {
                Ok((_stream, peer)) if !self.terms.allows(peer) => {
                    self.places.refuses(Ended::NotAllowed, peer, &"it is not in `allow`");
                }
                Ok((stream, peer)) => return (stream, peer, self.places.take().await),
                Err(error) => {
                    self.places.meter().refused.fetch_add(1, Ordering::Relaxed);
                    if !std::mem::replace(&mut is_told, true) {
                        warn!(%error, "a connection cannot be accepted; it is tried again");
                    }
                    self.places.make_room(1);
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}
