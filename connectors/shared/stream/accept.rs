//! Sockets that are listened on, and the loop that takes connections from them.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tracing::{debug, warn};

use super::places::{Place, Places};

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

/// A connection.
#[derive(Debug)]
pub enum Stream {
    /// TCP.
    Tcp(TcpStream),
    /// A unix socket.
    Unix(UnixStream),
}

/// Who is at the other end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// By its address.
    Ip(IpAddr),
    /// On this machine, by a unix socket.
    Local,
}

impl fmt::Display for Peer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(address) => address.fmt(out),
            Self::Local => out.write_str("local"),
        }
    }
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
}

impl Door {
    /// Lets those in who connect to `listener`, as many as there are `places`.
    #[must_use]
    pub const fn new(listener: Listener, places: Arc<Places>) -> Self {
        Self { listener, places }
    }

    /// The next connection, with its place. It is dropped where the future is before there is a place.
    pub async fn next(&self) -> (Stream, Peer, Place) {
        let mut is_told = false;
        loop {
            match self.listener.accept().await {
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

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(context, into),
            Self::Unix(stream) => Pin::new(stream).poll_read(context, into),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Unix(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(context),
            Self::Unix(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}

impl Stream {
    /// Ready when there may be something to read.
    ///
    /// # Errors
    /// What the system says.
    pub async fn readable(&self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.readable().await,
            Self::Unix(stream) => stream.readable().await,
        }
    }

    /// Appends what is there to `data`, up to its capacity.
    ///
    /// # Errors
    /// What the system says; [`io::ErrorKind::WouldBlock`] when nothing is there.
    pub fn try_read(&self, data: &mut Vec<u8>) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.try_read_buf(data),
            Self::Unix(stream) => stream.try_read_buf(data),
        }
    }
}
