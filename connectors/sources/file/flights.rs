//! Batches on their way to the hub, and what becomes of them.

use anabranch_record::{Batch, Buffer, Chain, Headers, Position};
use futures::FutureExt;
use tokio::runtime::Handle;
use tokio::time::Instant;
use tracing::{debug, warn};

use super::follower::{Follower, RETRY};
use super::identity::Identity;
use super::position::Mark;
use super::tail::{Anchor, Flight, Tail};
use super::under_way::Settled;
use crate::Receipt;
use crate::contract::clock;
use crate::contract::receipt::Closed;

impl Follower {
    /// Hands a batch on, waiting while the producer is full.
    pub(super) fn send(
        &mut self,
        identity: Identity,
        before: Mark,
        batch: Batch,
    ) -> Result<(), Closed> {
        let (bytes, records) = (batch.size_bytes(), batch.len() as u64);
        let receipt = self.hand_on(batch)?;
        let number = self.flights.next;
        self.flights.next += 1;
        self.flights.bytes += bytes;
        self.flights.owners.insert(number, (identity, bytes));
        self.flights.under_way.push(async move { (number, receipt.stored().await) }.boxed());
        if let Some(tail) = self.tails.get_mut(&identity) {
            let generation = tail.generation;
            tail.sent_ms = tail.seen_ms;
            tail.flights.push_back(Flight { number, before, generation, records });
        }
        Ok(())
    }

    fn hand_on(&self, batch: Batch) -> Result<Receipt, Closed> {
        Handle::current().block_on(async {
            tokio::select! {
                biased;
                () = self.stop.cancelled() => Err(Closed),
                sent = self.emitter.send(batch) => sent,
            }
        })
    }

    /// Has the hub forget a file, in order with the batches of `stream`.
    pub(super) fn forget_position(&self, stream: u64, identity: Identity) -> Result<(), Closed> {
        let position = Position { key: identity.encode(), value: None };
        // Should it not be stored, the position expires.
        self.hand_on(alone(stream, position)).map(drop)
    }

    /// Whether the hub has what it must have before the file is read; if not, it is sent.
    pub(super) fn anchored(&mut self, identity: Identity) -> Result<bool, Closed> {
        let Some(tail) = self.tails.get_mut(&identity) else { return Ok(false) };
        if tail.anchor == Anchor::Down {
            return Ok(true);
        }
        // What ends this state reads on.
        tail.at_end = false;
        if tail.anchor == Anchor::Wanted && tail.flights.is_empty() && tail.retry_at.is_none() {
            tail.anchor = Anchor::Sent;
            let (mark, batch) = (tail.mark, alone(tail.stream, tail.position(&tail.mark, &[])));
            self.send(identity, mark, batch)?;
        }
        Ok(false)
    }

    /// Takes note of what became of a batch.
    pub(super) fn settled(&mut self, (number, result): Settled) {
        let Some((identity, bytes)) = self.flights.owners.remove(&number) else { return };
        self.flights.bytes = self.flights.bytes.saturating_sub(bytes);
        let Some(tail) = self.tails.get_mut(&identity) else { return };
        let Some(at) = tail.flights.iter().position(|flight| flight.number == number) else {
            return;
        };
        let Some(flight) = tail.flights.remove(at) else { return };
        tail.rest();
        match result {
            Ok(_) => {
                if flight.records == 0 {
                    tail.anchor = Anchor::Down;
                }
                // Batches that a copy has taken over carry a position of the original.
                tail.held |= tail.anchor == Anchor::Down;
            }
            Err(cause) if flight.records == 0 => {
                debug!(path = %tail.path.display(), %cause, "position not stored, will be sent again");
                tail.anchor = Anchor::Wanted;
                tail.retry_at = Some(Instant::now() + RETRY);
            }
            Err(cause) if flight.generation == tail.generation => {
                let earliest = tail.rewind.filter(|mark| mark.offset < flight.before.offset);
                tail.rewind = Some(earliest.unwrap_or(flight.before));
                tail.refused += flight.records;
                debug!(path = %tail.path.display(), %cause, "batch not stored, will be read again");
            }
            Err(cause) => {
                let (path, records) = (tail.path.display(), flight.records);
                warn!(%path, records, %cause, "not stored, and truncated since: lost");
                self.emitter.dropped("truncated_before_stored", records);
            }
        }
        if tail.rewind.is_some() && tail.flights.is_empty() {
            tail.at_end = false;
            tail.retry_at = Some(Instant::now() + RETRY);
            self.schedule(identity);
            return;
        }
        let followers = if tail.held { std::mem::take(&mut tail.followers) } else { Vec::new() };
        if tail.rewind.is_none() && !(tail.at_end && tail.held) {
            self.enqueue(identity);
        }
        followers.into_iter().for_each(|follower| self.enqueue(follower));
        self.schedule(identity);
    }

    /// Has a file read again from where something was not stored, once nothing of it is on its way.
    pub(super) fn go_back(&mut self, identity: Identity) {
        let is_due = |tail: &&Tail| {
            tail.rewind.is_some() && tail.flights.is_empty() && tail.retry_at.is_none()
        };
        if self.tails.get(&identity).filter(is_due).is_none() {
            return;
        }
        // It may have been truncated meanwhile; then the copy is read again.
        if self.open(identity) {
            self.prove(identity);
        }
        let Some(tail) = self.tails.get_mut(&identity) else { return };
        if let Some(mark) = tail.rewind.take() {
            tail.refused = 0;
            tail.mark = mark;
            tail.chain = Chain::default();
            tail.waiting = None;
        }
    }
}

/// A position that no records come with.
fn alone(stream: u64, position: Position) -> Batch {
    let mut batch = Batch::new(Buffer::default(), Headers::new(), clock::now_ms(), stream);
    batch.set_position(position);
    batch
}
