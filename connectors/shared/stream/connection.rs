//! One connection, plain or with TLS, and who is at its other end.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use futures::future::poll_fn;
use tokio::io::{AsyncBufRead, AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::server::TlsStream;

/// Most bytes of one record of TLS.
const TLS_RECORD_MAX: usize = 16 << 10;

/// How long a word of farewell may wait.
const FAREWELL: Duration = Duration::from_millis(100);

/// A connection.
#[derive(Debug)]
pub enum Stream {
    /// TCP.
    Tcp(TcpStream),
    /// A unix socket.
    Unix(UnixStream),
    /// TCP with TLS, whose hands are shaken.
    Tls(Box<TlsStream<TcpStream>>),
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

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(context, into),
            Self::Unix(stream) => Pin::new(stream).poll_read(context, into),
            Self::Tls(stream) => Pin::new(stream).poll_read(context, into),
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
            Self::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(context),
            Self::Unix(stream) => Pin::new(stream).poll_flush(context),
            Self::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}

impl Stream {
    /// Ready when there may be something to read. Cancel safe.
    ///
    /// # Errors
    /// What the system says.
    pub async fn readable(&mut self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.readable().await,
            Self::Unix(stream) => stream.readable().await,
            Self::Tls(stream) => {
                poll_fn(|context| {
                    ready!(Pin::new(&mut **stream).poll_fill_buf(context))?;
                    Poll::Ready(Ok(()))
                })
                .await
            }
        }
    }

    /// Appends what is there to `data`, up to its capacity.
    ///
    /// # Errors
    /// What the system says; [`io::ErrorKind::WouldBlock`] when nothing is there.
    pub fn try_read(&mut self, data: &mut Vec<u8>) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.try_read_buf(data),
            Self::Unix(stream) => stream.try_read_buf(data),
            Self::Tls(stream) => try_read_tls(stream, data),
        }
    }

    /// Ends it on this side; TLS has a word for that, which the far side is given a moment to take. Without TLS it ends when
    /// it is dropped.
    pub async fn close(&mut self) {
        if let Self::Tls(stream) = self {
            // Who is gone already need not be told.
            tokio::time::timeout(FAREWELL, stream.shutdown()).await.map(drop).ok();
        }
    }

    /// What lies beneath TLS, for what is only to be thrown away.
    pub(super) fn bare(self) -> Self {
        match self {
            Self::Tls(stream) => Self::Tcp(stream.into_inner().0),
            Self::Tcp(_) | Self::Unix(_) => self,
        }
    }
}

/// Nobody is woken by it: who waits asks [`Stream::readable`].
fn try_read_tls(stream: &mut TlsStream<TcpStream>, data: &mut Vec<u8>) -> io::Result<usize> {
    let mut context = Context::from_waker(Waker::noop());
    let have = data.len();
    // Made zero, as far as it is not anyway: of TLS a record comes at a time, so that is little beside taking it apart.
    let room = (data.capacity() - have).min(TLS_RECORD_MAX);
    data.resize(have + room, 0);
    let mut into = ReadBuf::new(data.get_mut(have..).unwrap_or_default());
    let read = Pin::new(stream).poll_read(&mut context, &mut into);
    let bytes = into.filled().len();
    data.truncate(have + bytes);
    match read {
        Poll::Ready(Ok(())) => Ok(bytes),
        Poll::Ready(Err(error)) => Err(error),
        Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
    }
}
