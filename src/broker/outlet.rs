//! The way out of a connection: bytes, and what lies in files.
//!
//! On a plain socket the system sends a file's bytes itself (`sendfile`), so that they are not copied into this process
//! and out again. With TLS, and over anything else, they are read first.

use std::future::Future;
use std::io;
use std::time::Duration;

use bytes::Bytes;
use rustix::net::SendFlags;
use tokio::io::{AsyncWrite, AsyncWriteExt, Interest, WriteHalf};
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::time::timeout;

use crate::log::Extent;

/// A peer that takes nothing for so long is given up.
const PATIENCE: Duration = Duration::from_secs(60);
/// Bytes of a file that are read at once where the system cannot send them itself.
const STEP: usize = 256 << 10;

/// A part of an answer.
#[derive(Debug)]
pub(super) enum Piece {
    /// Bytes in memory.
    Bytes(Bytes),
    /// Bytes in a file.
    Extent(Extent),
}

impl Piece {
    /// Length in bytes.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Extent(extent) => extent.bytes(),
        }
    }
}

/// Where answers go.
pub(super) trait Outlet: Send {
    /// Sends it; `more` says that something follows at once.
    fn bytes(&mut self, bytes: Bytes, more: bool) -> impl Future<Output = io::Result<()>> + Send;

    /// Sends it; nothing need follow.
    fn extent(&mut self, extent: Extent) -> impl Future<Output = io::Result<()>> + Send;

    /// Tells the peer that nothing more comes; TLS has a word for it.
    fn end(&mut self) -> impl Future<Output = ()> + Send;
}

/// Sends an answer whole.
pub(super) async fn send(out: &mut impl Outlet, pieces: Vec<Piece>) -> io::Result<()> {
    let mut pieces = pieces.into_iter().peekable();
    while let Some(piece) = pieces.next() {
        match piece {
            Piece::Bytes(bytes) => out.bytes(bytes, pieces.peek().is_some()).await?,
            Piece::Extent(extent) => out.extent(extent).await?,
        }
    }
    Ok(())
}

fn not_read() -> io::Error {
    io::Error::other("the peer does not read")
}

impl Outlet for OwnedWriteHalf {
    async fn bytes(&mut self, bytes: Bytes, more: bool) -> io::Result<()> {
        let flags = SendFlags::NOSIGNAL;
        let flags = if more { flags | SendFlags::MORE } else { flags };
        transfer(self.as_ref(), bytes.len(), |socket, sent| {
            Ok(rustix::net::send(socket, bytes.get(sent..).unwrap_or_default(), flags)?)
        })
        .await
    }

    async fn extent(&mut self, extent: Extent) -> io::Result<()> {
        transfer(self.as_ref(), extent.bytes(), |socket, sent| {
            let mut place = extent.place() + sent as u64;
            let left = extent.bytes() - sent;
            Ok(rustix::fs::sendfile(socket, extent.file(), Some(&mut place), left)?)
        })
        .await
    }

    async fn end(&mut self) {
        // Who is gone already need not be told.
        self.shutdown().await.ok();
    }
}

/// Repeats a call that does not block until it has moved `length` bytes; it is told how many it has moved so far.
async fn transfer(
    socket: &TcpStream,
    length: usize,
    step: impl Fn(&TcpStream, usize) -> io::Result<usize>,
) -> io::Result<()> {
    let mut sent = 0;
    while sent < length {
        match socket.try_io(Interest::WRITABLE, || step(socket, sent)) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => sent += count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let writable = timeout(PATIENCE, socket.writable()).await;
                writable.map_err(|_elapsed| not_read())??;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

impl<S: AsyncWrite + Send> Outlet for WriteHalf<S> {
    async fn bytes(&mut self, mut bytes: Bytes, more: bool) -> io::Result<()> {
        while !bytes.is_empty() {
            let written = timeout(PATIENCE, self.write_buf(&mut bytes)).await;
            if written.map_err(|_elapsed| not_read())?? == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
        }
        if more { Ok(()) } else { self.flush().await }
    }

    async fn extent(&mut self, extent: Extent) -> io::Result<()> {
        let mut sent = 0;
        while sent < extent.bytes() {
            let mut step = Vec::with_capacity(STEP.min(extent.bytes() - sent));
            let read = extent.read(sent, STEP, &mut step).map_err(io::Error::other)?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            sent += read;
            self.bytes(step.into(), sent < extent.bytes()).await?;
        }
        Ok(())
    }

    async fn end(&mut self) {
        // Who is gone already need not be told.
        timeout(PATIENCE, self.shutdown()).await.map(drop).ok();
    }
}
