//! One connection: frames in, answers out, in the order of the requests.
//!
//! Requests are begun as they come, so that batches of one client are on their way to the disk together; answers wait
//! for their turn. What only reads, or changes nothing that is on its way, begins when its turn has come.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anabranch_connectors::contract::memory::{Arriving, Part};
use bytes::{Bytes, BytesMut};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt, BufReader};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};

use super::Broker;
use super::api::{self, Pending, Reply, Session};
use super::outlet::{self, Outlet, PATIENCE, Piece};

/// Requests of one connection that may be begun before the first is answered.
const PIPELINE: usize = 8;
/// A client that is to log in must be done within this.
const LOGIN_TIME: Duration = Duration::from_secs(30);
/// Bytes that a client may send until it has logged in.
const LOGIN_BYTES: usize = 64 << 10;
/// Bytes that are read at once where a request may begin.
const READ_AHEAD: usize = 4 << 10;
/// Bytes that are made room for at once while a request comes in.
const STEP: usize = 1 << 20;

/// The peer has kept this side waiting for too long, or would have to be kept waiting for too long itself.
#[derive(Debug, Error)]
pub(super) enum Late {
    /// Between two requests.
    #[error("idle for too long")]
    Idle,
    /// Within a request.
    #[error("a request did not come whole in time")]
    Request,
    /// There is no memory for what comes.
    #[error("there was no memory for a request (memory)")]
    Memory,
}

/// Serves until the peer hangs up, is idle for too long, or says what cannot be understood. `peer` is who that is,
/// and clients are told to connect to `advertised`.
///
/// # Errors
/// What ended the connection, if it was not the peer.
pub(super) async fn serve(
    broker: Arc<Broker>,
    (reading, writing): (impl AsyncRead + Send + Unpin, impl Outlet),
    session: Session,
) -> io::Result<()> {
    let session = Arc::new(session);
    let (begun, answers) = mpsc::channel(PIPELINE);
    // Small requests come whole with one system call; large ones pass the buffer by.
    let reading = BufReader::with_capacity(READ_AHEAD, reading);
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

type Begun = (Pending, Arriving);

async fn read<R: AsyncRead + Unpin>(
    broker: &Arc<Broker>,
    mut stream: R,
    session: &Arc<Session>,
    begun: mpsc::Sender<Begun>,
) -> io::Result<()> {
    let (login_until, mut login_bytes) = (Instant::now() + LOGIN_TIME, LOGIN_BYTES);
    loop {
        let is_known = session.is_known();
        let until = |patience: Duration| {
            let until = Instant::now() + patience;
            if is_known { until } else { until.min(login_until) }
        };
        let head = timeout_at(until(broker.settings.idle_timeout), stream.read_i32()).await;
        let length = match head {
            Ok(Ok(length)) => length,
            Ok(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => break,
            Ok(Err(error)) => return Err(error),
            Err(_elapsed) => return Err(io::Error::other(Late::Idle)),
        };
        // A message of a mechanism may be short.
        let possible =
            if is_known { 8..=broker.settings.max_request_bytes } else { 1..=login_bytes };
        let length = usize::try_from(length).ok().filter(|length| possible.contains(length));
        let Some(length) = length else {
            broker.counters().refused.fetch_add(1, Ordering::Relaxed);
            return Err(io::Error::other("a request with an impossible length"));
        };
        login_bytes = login_bytes.saturating_sub(length);
        let (frame, permit) = timeout_at(until(PATIENCE), frame(broker, &mut stream, length))
            .await
            .map_err(|_elapsed| io::Error::other(Late::Request))??;
        let head: Vec<u8> = frame.iter().take(4).copied().collect();
        let Some(pending) = api::begin(session, frame).await else {
            broker.counters().refused.fetch_add(1, Ordering::Relaxed);
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

/// Reads a request; room is made as its bytes come, not as its length claims. It waits for memory before it reads, and
/// who pauses keeps memory only for what has come.
async fn frame<R: AsyncRead + Unpin>(
    broker: &Arc<Broker>,
    stream: &mut R,
    length: usize,
) -> io::Result<(Bytes, Arriving)> {
    let mut held = Arriving::new(broker.memory(), Part::Requests, length);
    let mut frame = BytesMut::new();
    while frame.len() < length {
        let wanted = if frame.is_empty() { Arriving::FIRST } else { frame.len() + 1 };
        let made = held.make_room(wanted.min(length)).await;
        made.map_err(|_no_room| io::Error::other(Late::Memory))?;
        let room = held.room().min(length) - frame.len();
        if frame.capacity() == frame.len() {
            frame.reserve(room.min(frame.len().max(STEP)));
        }
        let room = room.min(frame.capacity() - frame.len());
        let mut limited = (&mut *stream).take(room as u64);
        let reading = limited.read_buf(&mut frame);
        let Some(read) = in_time(reading, held.has_paused()).await else {
            held.pause(frame.len());
            continue;
        };
        if read? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok((frame.freeze(), held))
}

/// Waits for bytes; `None` when they are long in coming, of one who has not paused before.
async fn in_time<T>(reading: impl Future<Output = T>, has_paused: bool) -> Option<T> {
    if has_paused {
        return Some(reading.await);
    }
    timeout(Arriving::PAUSE, reading).await.ok()
}

async fn write(
    broker: &Broker,
    mut out: impl Outlet,
    mut answers: mpsc::Receiver<Begun>,
) -> io::Result<()> {
    while let Some((pending, permit)) = answers.recv().await {
        let reply = pending.await;
        drop(permit);
        broker.counters().requests.fetch_add(1, Ordering::Relaxed);
        match reply {
            Reply::Frame(frame) => outlet::send(&mut out, vec![Piece::Bytes(frame)]).await?,
            Reply::Pieces(pieces) => outlet::send(&mut out, pieces).await?,
            Reply::Last(frame) => {
                outlet::send(&mut out, vec![Piece::Bytes(frame)]).await?;
                out.end().await;
                return Err(io::Error::other("the client was refused"));
            }
            Reply::Nothing => {}
            Reply::Close => return Err(io::Error::other("a request that could not be answered")),
        }
    }
    out.end().await;
    Ok(())
}
