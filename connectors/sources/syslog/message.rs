//! One message as a record of a batch, and the batch on its way.

use std::time::Duration;

use anabranch_record::{Batch, Pool};
use tokio_util::sync::CancellationToken;

use super::calendar::Received;
use super::headers::Encoder;
use crate::contract::receipt::Closed;
use crate::shared::framing::rfc6587::Frame;
use crate::shared::stream::allow::Network;
use crate::{Emitter, Taken};

/// How long a source that stops still reads what the system has taken in for it.
pub(super) const STOP_DRAIN: Duration = Duration::from_millis(300);
/// How long what was read before a stop may wait for the producer.
const STOP_GRACE: Duration = Duration::from_millis(500);

/// What all sockets of one source have in common.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) emitter: Emitter,
    pub(super) stop: CancellationToken,
    pub(super) pool: Pool,
    pub(super) message_max: usize,
    /// This machine's name, for messages that come over unix sockets.
    pub(super) host: String,
    pub(super) idle_timeout: Option<Duration>,
    /// Whose datagrams are taken.
    pub(super) allow: Vec<Network>,
}

impl Shared {
    /// Hands `batch` on, whose bytes may have been taken from the budget before. After a stop it gets a moment, then it
    /// is counted as dropped.
    ///
    /// # Errors
    /// [`Closed`] once the agent is stopping.
    pub(super) async fn send(&self, batch: Batch, room: Option<Taken>) -> Result<(), Closed> {
        if batch.is_empty() {
            return Ok(());
        }
        let records = batch.len() as u64;
        let sending = async {
            match room {
                Some(mut room) => self.emitter.send_in(batch, &mut room).await,
                None => self.emitter.send(batch).await,
            }
        };
        let sent = tokio::select! {
            biased;
            sent = sending => sent.map(drop),
            () = self.grace_is_over() => Err(Closed),
        };
        if sent.is_err() {
            self.emitter.dropped("stopped", records);
        }
        sent
    }

    /// Room for what is read next; nothing is read before.
    ///
    /// # Errors
    /// [`Closed`] when there is none a moment after the stop.
    pub(super) async fn room(&self, bytes: usize) -> Result<Taken, Closed> {
        tokio::select! {
            biased;
            room = self.emitter.room_for(bytes) => Ok(room),
            () = self.grace_is_over() => Err(Closed),
        }
    }

    async fn grace_is_over(&self) {
        self.stop.cancelled().await;
        tokio::time::sleep(STOP_GRACE).await;
    }
}

/// When and from where messages came.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arrival<'a> {
    pub(super) received: Received,
    /// Whom a message is from that does not say it itself.
    pub(super) sender: &'a [u8],
}

/// Appends the message at `frame` of the batch's buffer, with what it says about itself beside what `encoder` holds.
pub(super) fn push(batch: &mut Batch, frame: Frame, arrival: Arrival<'_>, encoder: &mut Encoder) {
    if frame.continues {
        encoder.same_host();
    } else {
        let message = batch.data().get(frame.range.clone()).unwrap_or_default();
        encoder.read(message, arrival.received, arrival.sender);
    }
    if frame.continued {
        encoder.rare("continued", b"true");
    }
    batch.push(frame.range);
    encoder.apply(batch);
}
