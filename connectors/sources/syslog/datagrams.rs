//! Receives datagrams on a thread of its own: many for each wake-up, one batch for each group.
//!
//! Only receiving is done while datagrams are waiting; they are parsed when there are no more, or enough.

use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use anabranch_record::batch::stream_of;
use anabranch_record::{Batch, Buffer, Headers, header};
use rustix::buffer::spare_capacity;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, recvfrom};
use tokio::time::Instant;
use tracing::warn;

use super::calendar::Received;
use super::config::Listen;
use super::drops::Drops;
use super::headers::Encoder;
use super::message::{self, Arrival, STOP_DRAIN, Shared};
use super::sockets::Opened;
use crate::SourceError;
use crate::contract::clock;
use crate::shared::framing::rfc6587::{Frame, trimmed};
use crate::shared::stream::allow::allows;

/// A group is handed on when it has so many bytes …
const GROUP_BYTES: usize = 1 << 20;
/// … or when its first datagram has waited for so long.
const GROUP_WAIT: Duration = Duration::from_millis(5);
/// Largest datagram that is received whole: a unix socket allows more than UDP.
const DATAGRAM_MAX: usize = 256 << 10;
/// How often the thread looks whether it is to stop.
const STOP_CHECK: Duration = Duration::from_millis(100);
const DROPS_CHECK: Duration = Duration::from_secs(1);
/// So many datagrams that are not taken end a group: it must end also where nothing else comes.
const TURNED_AWAY_MAX: u64 = 1024;
/// How often it is said that there are such.
const SAY_AGAIN: Duration = Duration::from_secs(60);

/// One socket.
#[derive(Debug)]
pub(super) struct Datagrams {
    opened: Opened,
    shared: Arc<Shared>,
    drops: Option<Drops>,
    stream: u64,
    group: Vec<Datagram>,
    encoder: Encoder,
    turned_away: TurnedAway,
}

/// Those whose datagrams are not taken.
#[derive(Debug, Default)]
struct TurnedAway {
    /// Datagrams that are not counted yet.
    count: u64,
    /// Who was looked up last, and what came of it: senders mostly send several.
    last: Option<(IpAddr, bool)>,
    /// When it was said last.
    said: Option<Instant>,
}

#[derive(Debug)]
struct Datagram {
    range: Range<usize>,
    peer: Option<IpAddr>,
    /// Whether the kernel had to cut it.
    cut: bool,
}

impl Datagrams {
    /// On an open socket; `number` tells it from others on the same address.
    pub(super) fn new(opened: Opened, number: usize, shared: Arc<Shared>) -> Self {
        let is_ipv6 = opened.socket.local_addr().is_ok_and(|address| address.is_ipv6());
        let is_udp = matches!(opened.listen, Listen::Udp(_));
        let inode = rustix::fs::fstat(&opened.socket).ok().map(|status| status.st_ino);
        let drops = inode.filter(|_| is_udp).map(|inode| Drops::new(inode, is_ipv6));
        let stream = stream_of(format!("{}#{number}", opened.listen).as_bytes());
        let encoder = Encoder::default();
        let (group, turned_away) = (Vec::new(), TurnedAway::default());
        Self { opened, shared, drops, stream, group, encoder, turned_away }
    }

    /// Receives until the stop, and then what the system has taken in by then; blocks its thread.
    ///
    /// # Errors
    /// [`SourceError`] when the socket fails.
    pub(super) fn run(mut self) -> Result<(), SourceError> {
        let mut drops_checked = Instant::now();
        while !self.shared.stop.is_cancelled() {
            if self.wait(STOP_CHECK)? {
                self.hand_on()?;
            }
            if drops_checked.elapsed() >= DROPS_CHECK {
                drops_checked = Instant::now();
                self.count_drops();
            }
        }
        let until = Instant::now() + STOP_DRAIN;
        while Instant::now() < until && self.wait(Duration::ZERO)? {
            self.hand_on()?;
        }
        self.count_drops();
        Ok(())
    }

    /// Receives a group and hands it on.
    fn hand_on(&mut self) -> Result<(), SourceError> {
        let data = self.gather()?;
        let turned_away = std::mem::take(&mut self.turned_away.count);
        if turned_away > 0 {
            self.shared.emitter.dropped("not_allowed", turned_away);
        }
        let batch = self.batch(data);
        Ok(tokio::runtime::Handle::current().block_on(self.shared.send(batch, None))?)
    }

    fn count_drops(&mut self) {
        let dropped = self.drops.as_mut().map_or(0, Drops::take);
        if dropped > 0 {
            self.shared.emitter.dropped("udp_receive_buffer_full", dropped);
        }
    }

    /// Waits until a datagram is there: true, or the time is over.
    fn wait(&self, wait: Duration) -> Result<bool, SourceError> {
        let timeout = Timespec::try_from(wait).ok();
        let mut sockets = [PollFd::new(&self.opened.socket, PollFlags::IN)];
        match poll(&mut sockets, timeout.as_ref()) {
            Ok(ready) => Ok(ready > 0),
            Err(Errno::INTR) => Ok(false),
            Err(error) => Err(self.failed(error)),
        }
    }

    /// Receives what is there and what comes within a moment.
    fn gather(&mut self) -> Result<Buffer, SourceError> {
        self.group.clear();
        let mut data = self.shared.pool.take();
        data.reserve(GROUP_BYTES + DATAGRAM_MAX);
        let began = Instant::now();
        loop {
            self.receive(&mut data)?;
            let left = GROUP_WAIT.saturating_sub(began.elapsed());
            if data.len() >= GROUP_BYTES || left.is_zero() || !self.wait(left)? {
                return Ok(data);
            }
        }
    }

    /// Receives until there is nothing more, or enough.
    fn receive(&mut self, data: &mut Vec<u8>) -> Result<(), SourceError> {
        while data.len() < GROUP_BYTES && self.turned_away.count < TURNED_AWAY_MAX {
            let start = data.len();
            let received = recvfrom(&self.opened.socket, spare_capacity(data), RecvFlags::TRUNC);
            match received {
                Ok((kept, length, from)) => {
                    let peer = from.and_then(|from| SocketAddr::try_from(from).ok());
                    let peer = peer.map(|peer| peer.ip().to_canonical());
                    if peer.is_some_and(|peer| !self.allows(peer)) {
                        data.truncate(start);
                        continue;
                    }
                    let range = start..start + kept;
                    self.group.push(Datagram { range, peer, cut: length > kept });
                }
                Err(Errno::AGAIN) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(error) => return Err(self.failed(error)),
            }
        }
        Ok(())
    }

    /// Whether datagrams of `peer` are taken; one that is not is counted.
    fn allows(&mut self, peer: IpAddr) -> bool {
        if self.shared.allow.is_empty() {
            return true;
        }
        let TurnedAway { count, last, said } = &mut self.turned_away;
        let known = last.filter(|(known, _)| *known == peer);
        let (_, is_allowed) = known.unwrap_or_else(|| (peer, allows(&self.shared.allow, peer)));
        *last = Some((peer, is_allowed));
        if !is_allowed {
            *count += 1;
            if said.is_none_or(|at| at.elapsed() >= SAY_AGAIN) {
                *said = Some(Instant::now());
                let listen = &self.opened.listen;
                warn!(
                    %listen,
                    %peer,
                    "datagrams of one who is not in `allow` are dropped; further ones are only counted for a minute"
                );
            }
        }
        is_allowed
    }

    fn batch(&mut self, data: Buffer) -> Batch {
        let now_ms = clock::now_ms();
        let received = Received::at(now_ms);
        let data = data.fitted();
        let mut batch = Batch::new(data, Headers::new(), now_ms, self.stream);
        let (mut peer, mut peer_header) = (None, Vec::new());
        let mut sender = self.shared.host.clone();
        for datagram in &self.group {
            if datagram.peer != peer {
                peer = datagram.peer;
                peer_header.clear();
                if let Some(peer) = peer {
                    sender = peer.to_string();
                    header::push("peer", Some(sender.as_bytes()), &mut peer_header);
                }
            }
            for frame in pieces(datagram, batch.data(), self.shared.message_max) {
                self.encoder.clear();
                self.encoder.encoded(&peer_header);
                if datagram.cut {
                    self.encoder.rare("parse_error", b"the datagram is longer than 256KiB");
                }
                let arrival = Arrival { received, sender: sender.as_bytes() };
                message::push(&mut batch, frame, arrival, &mut self.encoder);
            }
        }
        batch
    }

    fn failed(&self, error: Errno) -> SourceError {
        SourceError::Failed {
            what: format!("cannot receive on {}", self.opened.listen),
            cause: error.to_string(),
            hint: "it will be tried again",
        }
    }
}

/// A datagram without its delimiter, cut where it is longer than `message_max`. A blank one is no message.
fn pieces(
    datagram: &Datagram,
    data: &[u8],
    message_max: usize,
) -> impl Iterator<Item = Frame> + use<> {
    let start = datagram.range.start;
    let length = data.get(datagram.range.clone()).map_or(0, trimmed);
    (0..length).step_by(message_max.max(1)).map(move |at| {
        let end = (at + message_max).min(length);
        Frame { range: start + at..start + end, continues: at > 0, continued: end < length }
    })
}
