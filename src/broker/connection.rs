//! One connection: frames in, answers out, in the order of the requests.
//!
//! Requests are begun as they come, so that batches of one client are on their way to the disk together; answers wait
//! for their turn. What only reads, or changes nothing that is on its way, begins when its turn has come.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::timeout;

use super::Broker;
use super::api::{self, Pending, Reply, Session};

/// Requests of one connection that may be begun before the first is answered.
const PIPELINE: usize = 8;
/// A request that was begun must be whole within this; and an answer must be taken.
const PATIENCE: Duration = Duration::from_secs(60);
/// Bytes that are made room for at once while a request comes in.
const STEP: usize = 1 << 20;

/// Serves until the peer hangs up, is idle for too long, or says what cannot be understood. `peer` is who that is,
/// and clients are told to connect to `advertised`.
///
/// # Errors
/// What ended the connection, if it was not the peer.
pub async fn serve<S: AsyncRead + AsyncWrite + Send>(
    broker: Arc<Broker>,
    stream: S,
    (peer, advertised): (SocketAddr, (String, u16)),
) -> io::Result<()> {
    let (reading, writing) = tokio::io::split(stream);
    let session = Arc::new(Session::new(Arc::clone(&broker), peer, advertised));
    let (begun, answers) = mpsc::channel(PIPELINE);
    let mut reading = std::pin::pin!(read(&broker, reading, &session, begun));
    let mut writing = std::pin::pin!(write(&broker, writing, answers));
    tokio::select! {
        ended = &mut reading => {
            // What was begun is still answered; what waits longer is waited for by nobody, most likely.
            let drained = timeout(PATIENCE, writing).await;
            ended.and(drained.unwrap_or(Ok(())))
        }
        ended = &mut writing => ended,
    }
}

type Begun = (Pending, OwnedSemaphorePermit);

async fn read<R: AsyncRead + Unpin>(
    broker: &Arc<Broker>,
    mut stream: R,
    session: &Arc<Session>,
    begun: mpsc::Sender<Begun>,
) -> io::Result<()> {
    loop {
        let head = timeout(broker.settings.idle_timeout, stream.read_i32()).await;
        let length = match head {
            Ok(Ok(length)) => length,
            Ok(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => break,
            Ok(Err(error)) => return Err(error),
            Err(_elapsed) => return Err(io::Error::other("idle for too long")),
        };
        let length = usize::try_from(length)
            .ok()
            .filter(|length| (8..=broker.settings.max_request_bytes).contains(length));
        let Some(length) = length else {
            broker.counters.refused.fetch_add(1, Ordering::Relaxed);
            return Err(io::Error::other("a request with an impossible length"));
        };
        let (frame, permit) = timeout(PATIENCE, frame(broker, &mut stream, length))
            .await
            .map_err(|_elapsed| io::Error::other("a request did not come whole in time"))??;
        let head: Vec<u8> = frame.iter().take(4).copied().collect();
        let Some(pending) = api::begin(session, frame).await else {
            broker.counters.refused.fetch_add(1, Ordering::Relaxed);
            return Err(refused(&head));
        };
        if begun.send((pending, permit)).await.is_err() {
            return Ok(());
        }
    }
    Ok(())
}

/// A request that cannot be read or is not served, named by its key and version.
fn refused(head: &[u8]) -> io::Error {
    let (mut key, mut version) = (0, 0);
    if let [key_0, key_1, version_0, version_1] = *head {
        key = i16::from_be_bytes([key_0, key_1]);
        version = i16::from_be_bytes([version_0, version_1]);
    }
    io::Error::other(format!("request {key} of version {version} cannot be read or is not served"))
}

/// Reads a request; room is made as its bytes come, not as its length claims.
async fn frame<R: AsyncRead + Unpin>(
    broker: &Arc<Broker>,
    stream: &mut R,
    length: usize,
) -> io::Result<(Bytes, OwnedSemaphorePermit)> {
    let kib = u32::try_from(length / 1024 + 1).unwrap_or(u32::MAX);
    let most = u32::try_from(super::BUDGET_KIB).unwrap_or(u32::MAX);
    let permit = Arc::clone(&broker.budget).acquire_many_owned(kib.min(most)).await;
    let permit = permit.map_err(io::Error::other)?;
    let mut frame = BytesMut::with_capacity(length.min(STEP));
    while frame.len() < length {
        let left = length - frame.len();
        if frame.capacity() == frame.len() {
            frame.reserve(left.min(frame.len().max(STEP)));
        }
        let room = frame.capacity() - frame.len();
        let mut limited = (&mut *stream).take(left.min(room) as u64);
        if limited.read_buf(&mut frame).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok((frame.freeze(), permit))
}

async fn write<W: AsyncWrite + Unpin>(
    broker: &Broker,
    mut stream: W,
    mut answers: mpsc::Receiver<Begun>,
) -> io::Result<()> {
    while let Some((pending, permit)) = answers.recv().await {
        let reply = pending.await;
        drop(permit);
        broker.counters.requests.fetch_add(1, Ordering::Relaxed);
        match reply {
            Reply::Frame(frame) => send(&mut stream, frame).await?,
            Reply::Nothing => {}
            Reply::Close => return Err(io::Error::other("a request that could not be answered")),
        }
    }
    Ok(())
}

async fn send<W: AsyncWrite + Unpin>(stream: &mut W, mut frame: Bytes) -> io::Result<()> {
    while frame.has_remaining() {
        let written = timeout(PATIENCE, stream.write_buf(&mut frame)).await;
        let written = written.map_err(|_elapsed| io::Error::other("the peer does not read"))??;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
    }
    stream.flush().await
}
