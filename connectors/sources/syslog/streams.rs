//! Receives messages on connections: TCP and unix streams.
//!
//! A connection is read only while the producer takes its batches, so a full producer slows its senders down.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use anabranch_record::batch::{Shape, stream_of};
use anabranch_record::header::HeadersRef;
use anabranch_record::{Batch, Headers};
use tokio::net::{TcpListener, UnixListener};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tracing::debug;

use super::calendar::Received;
use super::config::Listen;
use super::headers::Encoder;
use super::message::{self, Arrival, STOP_DRAIN, Shared};
use super::sockets::Opened;
use crate::contract::clock;
use crate::contract::memory::Part;
use crate::contract::receipt::Closed;
use crate::shared::framing::rfc6587::{Frame, Framer};
use crate::shared::stream::{Arrived, Door, Ended, Listener, Peer, Place, Places, Stream, Terms};
use crate::{SourceError, Taken};

/// Most bytes that are read before they are handed on.
const READ_BYTES: usize = 512 << 10;
/// Bytes of an unfinished message that each connection may hold without asking.
const TAIL_FREE: usize = 2 << 10;
/// How long memory is waited for, for more than that.
const ROOM_WAIT: Duration = Duration::from_secs(1);
/// How long the last look for what has come in may take.
const LAST_LOOK: Duration = Duration::from_millis(10);

/// A socket that takes connections.
#[derive(Debug)]
pub(super) struct StreamListener {
    door: Door,
    terms: Arc<Terms>,
    /// Where it listens.
    name: Arc<str>,
}

impl StreamListener {
    /// Hands an open socket to the runtime; its connections share `places` with those of others.
    ///
    /// # Errors
    /// [`SourceError`] when the runtime refuses it.
    pub(super) fn new(
        opened: Opened,
        places: Arc<Places>,
        terms: Arc<Terms>,
    ) -> Result<Self, SourceError> {
        let name: Arc<str> = opened.listen.to_string().into();
        let listener = if matches!(opened.listen, Listen::Unix(_)) {
            UnixListener::from_std(opened.socket.into()).map(Listener::Unix)
        } else {
            TcpListener::from_std(opened.socket.into()).map(Listener::Tcp)
        };
        let listener = listener.map_err(|error| SourceError::Failed {
            what: format!("cannot listen on {name}"),
            cause: error.to_string(),
            hint: "raise the limit of open files",
        })?;
        Ok(Self { door: Door::new(listener, places, Arc::clone(&terms)), terms, name })
    }

    /// Takes connections until the stop, and returns when all have ended.
    pub(super) async fn run(self, shared: Arc<Shared>) {
        let mut connections = JoinSet::new();
        let stop = shared.stop.clone();
        while let Some((stream, peer, place)) = stop.run_until_cancelled(self.door.next()).await {
            while connections.try_join_next().is_some() {}
            let (shared, terms) = (Arc::clone(&shared), Arc::clone(&self.terms));
            let name = Arc::clone(&self.name);
            connections.spawn(async move {
                let settled = tokio::select! {
                    biased;
                    settled = terms.settle(stream, peer, &place) => settled,
                    () = shared.stop.cancelled() => None,
                };
                let Some(Arrived { stream, peer, .. }) = settled else { return };
                let (headers, number) = origin(peer, &name);
                let mut connection =
                    Connection::new(Io { stream, peer, place }, headers, number, shared);
                let ended = connection.run().await;
                debug!(?ended, "syslog connection ended");
                connection.io.stream.close().await;
            });
        }
        while connections.join_next().await.is_some() {}
    }
}

/// What is said of the records of one connection, and the number of its stream.
fn origin(peer: Peer, listener: &str) -> (Headers, u64) {
    match peer {
        Peer::Ip(address) => {
            let address = address.to_string();
            let headers = Headers::new().with("peer", address.as_bytes());
            (headers, stream_of(address.as_bytes()))
        }
        Peer::Local => (Headers::new(), stream_of(listener.as_bytes())),
    }
}

#[derive(Debug)]
struct Io {
    stream: Stream,
    peer: Peer,
    place: Place,
}

impl Io {
    /// Reads until the buffer is full, there is nothing more for now, or the stream has ended.
    fn read(&mut self, data: &mut Vec<u8>) -> Read {
        while data.len() < data.capacity() {
            match self.stream.try_read(data) {
                Ok(0) => return Read::Ended,
                Ok(bytes) => self.place.heard(bytes),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Read::Paused,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    debug!(%error, "syslog connection broke");
                    return Read::Ended;
                }
            }
        }
        Read::Full
    }

    /// Waits for bytes; false when there is no more waiting: for longer than `longest`, or because the place is wanted.
    async fn is_readable(&mut self, longest: Option<Duration>) -> bool {
        let idle = async {
            match longest {
                Some(longest) => tokio::time::sleep(longest).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            readable = self.stream.readable() => readable.is_ok(),
            () = self.place.is_wanted() => false,
            () = idle => {
                self.place.ends(Ended::Idle, self.peer);
                false
            }
        }
    }
}

/// A message behind which nothing says that it has ended: its rest would have followed.
fn unfinished(mut frame: Frame, data: &[u8]) -> Frame {
    let behind = data.get(frame.range.end..).unwrap_or_default();
    frame.continued |= !behind.iter().any(|byte| matches!(byte, b'\n' | 0));
    frame
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Read {
    Full,
    Paused,
    Ended,
    /// The stream goes on, and nobody reads it.
    Cut,
}

struct Connection {
    io: Io,
    headers: Headers,
    stream: u64,
    framer: Framer,
    encoder: Encoder,
    /// What was in the batch before.
    shape: Shape,
    /// What the last read left of an unfinished message.
    tail: Vec<u8>,
    /// The memory of it.
    held: Taken,
    shared: Arc<Shared>,
}

impl Connection {
    fn new(io: Io, headers: Headers, stream: u64, shared: Arc<Shared>) -> Self {
        let framer = Framer::new(shared.message_max);
        let held = shared.emitter.memory().nothing(Part::Connections);
        let (encoder, shape, tail) = (Encoder::default(), Shape::default(), Vec::new());
        Self { io, headers, stream, framer, encoder, shape, tail, held, shared }
    }

    /// Reads until the far side closes, is silent for too long, or the source stops. What the system has taken in by
    /// then is read too: the far side has no means to send it again.
    async fn run(&mut self) -> Result<(), Closed> {
        while self.is_readable().await {
            if self.hand_on().await? == Read::Ended {
                return Ok(());
            }
            if !self.has_room().await {
                self.io.place.ends(Ended::Memory, self.io.peer);
                return self.hand_on_tail(Read::Cut).await;
            }
        }
        let until = Instant::now() + STOP_DRAIN;
        let mut read = Read::Full;
        while read == Read::Full && Instant::now() < until {
            // What is there is known to the runtime only after it has asked the system once more.
            let asked = tokio::time::timeout(LAST_LOOK, self.io.stream.readable()).await;
            debug!(is_readable = asked.is_ok(), "syslog connection ends with a last look");
            read = self.hand_on().await?;
        }
        // One who has been silent for long had said what he wanted to.
        let read = if self.shared.stop.is_cancelled() { Read::Cut } else { Read::Ended };
        self.hand_on_tail(read).await
    }

    /// Hands on what is not whole and will not be, as far as it came.
    async fn hand_on_tail(&mut self, read: Read) -> Result<(), Closed> {
        let rest = std::mem::take(&mut self.tail);
        let batch = self.batch(rest.into(), read);
        self.shared.send(batch, None).await
    }

    /// Takes the memory of what is not whole, beyond what each connection has; false when there is none for a while.
    async fn has_room(&mut self) -> bool {
        let wanted = self.tail.len().saturating_sub(TAIL_FREE);
        self.held.shrink_to(wanted);
        let more = wanted - self.held.bytes();
        more == 0 || tokio::time::timeout(ROOM_WAIT, self.held.grow(more)).await.is_ok()
    }

    /// Reads what is there and hands it on.
    async fn hand_on(&mut self) -> Result<Read, Closed> {
        let work = self.io.place.work();
        let room = self.shared.room(READ_BYTES).await;
        let room = room.inspect_err(|_closed| self.drop_tail())?;
        let (batch, read) = self.read();
        if !batch.is_empty() {
            self.io.place.said();
        }
        let sent = self.shared.send(batch, Some(room)).await;
        drop(work);
        if sent.is_err() {
            self.drop_tail();
        }
        sent.map(|()| read)
    }

    /// Counts the message that was not whole when there is no more time for it.
    fn drop_tail(&self) {
        if !self.tail.is_empty() {
            self.shared.emitter.dropped("stopped", 1);
        }
    }

    /// Waits for bytes; false when there is no more waiting.
    async fn is_readable(&mut self) -> bool {
        let readable = self.io.is_readable(self.shared.idle_timeout);
        self.shared.stop.run_until_cancelled(readable).await == Some(true)
    }

    fn read(&mut self) -> (Batch, Read) {
        let mut data = self.shared.pool.take();
        data.reserve(READ_BYTES.max(self.tail.len() * 2));
        data.extend_from_slice(&self.tail);
        let read = self.io.read(&mut data);
        (self.batch(data.fitted(), read), read)
    }

    fn batch(&mut self, data: anabranch_record::Buffer, read: Read) -> Batch {
        let now_ms = clock::now_ms();
        let common = HeadersRef { common: self.headers.bytes(), own: &[] };
        let sender = common.get("peer").unwrap_or(self.shared.host.as_bytes());
        let arrival = Arrival { received: Received::at(now_ms), sender };
        let mut batch = Batch::new(data, self.headers.clone(), now_ms, self.stream);
        batch.expect(self.shape);
        loop {
            let frame = self.framer.next(batch.data());
            let frame = frame.or_else(|| match read {
                Read::Full => None,
                Read::Paused if self.framer.settle(batch.data()) => self.framer.next(batch.data()),
                Read::Paused => None,
                Read::Ended => self.framer.finish(batch.data()),
                Read::Cut => {
                    self.framer.finish(batch.data()).map(|frame| unfinished(frame, batch.data()))
                }
            });
            let Some(frame) = frame else {
                break;
            };
            self.encoder.clear();
            message::push(&mut batch, frame, arrival, &mut self.encoder);
        }
        let consumed = self.framer.consume();
        let rest = batch.data().get(consumed..).unwrap_or_default();
        self.tail.clear();
        if self.tail.capacity() > rest.len() * 2 + TAIL_FREE {
            self.tail.shrink_to(rest.len());
        }
        self.tail.extend_from_slice(rest);
        batch.data_mut().truncate(consumed);
        if !batch.is_empty() {
            self.shape = batch.shape();
        }
        batch
    }
}
