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

/// A peer that takes nothing of an answer, or does not end a request that it has begun, for so long is given up.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);
/// Bytes of a file that are read at once where the system cannot send them itself.
const STEP: usize = 64 << 10;

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
        let mut sent = 0;
        transfer(self.as_ref(), bytes.len(), &mut sent, |socket, sent| {
            Ok(rustix::net::send(socket, bytes.get(sent..).unwrap_or_default(), flags)?)
        })
        .await
    }

    async fn extent(&mut self, extent: Extent) -> io::Result<()> {
        let mut sent = 0;
        let ended = transfer(self.as_ref(), extent.bytes(), &mut sent, |socket, sent| {
            let mut place = extent.place() + sent as u64;
            let left = extent.bytes() - sent;
            Ok(rustix::fs::sendfile(socket, extent.file(), Some(&mut place), left)?)
        });
        match ended.await {
            // Not every file system can do it.
            Err(error) if is_impossible(&error) => read_and_send(self, &extent, sent).await,
            ended => ended,
        }
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
    sent: &mut usize,
    step: impl Fn(&TcpStream, usize) -> io::Result<usize>,
) -> io::Result<()> {
    while *sent < length {
        match socket.try_io(Interest::WRITABLE, || step(socket, *sent)) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => *sent += count,
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

/// Whether the system cannot send from that file to that socket.
fn is_impossible(error: &io::Error) -> bool {
    let number = rustix::io::Errno::from_io_error(error);
    number.is_some_and(|number| {
        [rustix::io::Errno::INVAL, rustix::io::Errno::NOSYS, rustix::io::Errno::OPNOTSUPP]
            .contains(&number)
    })
}

/// Sends what is behind the first `sent` bytes of a file's part.
async fn read_and_send(out: &mut impl Outlet, extent: &Extent, mut sent: usize) -> io::Result<()> {
    while sent < extent.bytes() {
        let mut step = Vec::with_capacity(STEP.min(extent.bytes() - sent));
        let read = extent.read(sent, STEP, &mut step).map_err(io::Error::other)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        sent += read;
        out.bytes(step.into(), sent < extent.bytes()).await?;
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
        read_and_send(self, &extent, 0).await
    }

    async fn end(&mut self) {
        // Who is gone already need not be told.
        timeout(PATIENCE, self.shutdown()).await.map(drop).ok();
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncRead, AsyncReadExt};
    use tokio::net::TcpListener;

    use super::*;
    use crate::log::{Partition, Settings};
    use crate::wire::{Builder, Codec, Stamp};
    use anabranch_record::TopicPartition;

    /// A few MiB of batches in a file, which no socket takes at once.
    fn extent(folder: &std::path::Path) -> Extent {
        let name = TopicPartition { topic: "t".to_owned(), partition: 0 };
        let settings = Settings { segment_bytes: 1 << 30 };
        let (partition, _) = Partition::open(&folder.join("t-0"), name, settings, 0).unwrap();
        for number in 0..40 {
            let (mut builder, mut batch) = (Builder::new(Codec::None, None), Vec::new());
            builder.begin(&mut batch);
            builder.records().extend((0..200_000).map(|at: u32| at.to_le_bytes()[0] ^ number));
            let producer = (-1, -1, -1);
            let stamp = Stamp { base_timestamp_ms: 0, max_timestamp_ms: 0, count: 1, producer };
            builder.finish(stamp, &mut batch).unwrap();
            partition.append(&batch, 0).unwrap();
        }
        partition.extent(0, 1, usize::MAX, i64::MAX).unwrap()
    }

    async fn sends_all(mut out: impl Outlet, mut reading: impl AsyncRead + Unpin) {
        let folder = tempfile::tempdir().unwrap();
        let extent = extent(folder.path());
        let mut expected = b"head".to_vec();
        extent.read(0, usize::MAX, &mut expected).unwrap();
        expected.extend_from_slice(&[9; 300_000]);
        let pieces = vec![
            Piece::Bytes(Bytes::from_static(b"head")),
            Piece::Extent(extent),
            Piece::Bytes(Bytes::from_static(&[9; 300_000])),
        ];
        assert_eq!(pieces.iter().map(Piece::len).sum::<usize>(), expected.len());
        let sending = async {
            send(&mut out, pieces).await.unwrap();
            out.end().await;
        };
        let mut received = Vec::new();
        let (_, read) = tokio::join!(sending, reading.read_to_end(&mut received));
        read.unwrap();
        assert!(received == expected, "{} of {} bytes", received.len(), expected.len());
    }

    #[tokio::test]
    async fn a_socket_gets_bytes_and_files_in_order() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let reading = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let (_held, writing) = stream.into_split();
        sends_all(writing, reading).await;
    }

    #[tokio::test]
    async fn so_does_what_is_not_a_socket() {
        let (ours, theirs) = tokio::io::duplex(1000);
        let (_held, writing) = tokio::io::split(ours);
        sends_all(writing, theirs).await;
    }

    #[tokio::test]
    async fn a_peer_that_has_gone_ends_it() {
        let folder = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        drop(TcpStream::connect(listener.local_addr().unwrap()).await.unwrap());
        let (stream, _) = listener.accept().await.unwrap();
        let (_held, mut writing) = stream.into_split();
        writing.extent(extent(folder.path())).await.unwrap_err();
    }
}
