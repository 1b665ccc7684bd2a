//! How a source hands on batches.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use anabranch_record::{Batch, Position};
use tokio::sync::{mpsc, oneshot};

use super::counters::{Share, SourceCounters};
use super::memory::{Memory, Part, Taken};
use super::receipt::{Closed, NotStored, Receipt, Stored};
use crate::shared::stream::ConnectionMeter;

/// A batch on its way to the producer, with everything that ends when it is stored.
#[derive(Debug)]
pub struct Emission {
    /// Name of the source; positions belong to it.
    pub source: Arc<str>,
    /// The records.
    pub batch: Batch,
    /// Tells the source what became of it.
    pub settle: oneshot::Sender<Result<Stored, NotStored>>,
    /// Its share of the memory, given back when this is dropped; until then it is under way.
    pub permit: Option<Share>,
    /// When it was handed on, for the latency from read to append.
    pub sent: tokio::time::Instant,
}

/// A source's way into the producer. Cheap to clone.
#[derive(Clone)]
pub struct Emitter {
    source: Arc<str>,
    inlets: Arc<[mpsc::Sender<Emission>]>,
    memory: Memory,
    part: Part,
    positions: Arc<Vec<(Vec<u8>, Vec<u8>)>>,
    counters: Arc<SourceCounters>,
    life: u64,
}

impl Emitter {
    /// For the agent and for tests: one inlet for each worker of the producer, and whose memory it takes.
    #[must_use]
    pub fn new(
        source: &str,
        inlets: Arc<[mpsc::Sender<Emission>]>,
        (memory, part): (Memory, Part),
        positions: Vec<(Vec<u8>, Vec<u8>)>,
        counters: Arc<SourceCounters>,
    ) -> Self {
        let positions = Arc::new(positions);
        let life = counters.life();
        Self { source: source.into(), inlets, memory, part, positions, counters, life }
    }

    /// For tests: everything that is sent comes out of the receiver. Settle it there.
    #[must_use]
    pub fn channel(capacity: usize) -> (Self, mpsc::Receiver<Emission>) {
        let (inlet, outlet) = mpsc::channel(capacity);
        let memory = (Memory::shared(64 << 20), Part::Sources);
        (Self::new("test", [inlet].into(), memory, Vec::new(), Arc::default()), outlet)
    }

    /// The same emitter with positions that an earlier life of the source stored; for tests.
    #[must_use]
    pub fn with_positions(mut self, positions: Vec<(Vec<u8>, Vec<u8>)>) -> Self {
        self.positions = Arc::new(positions);
        self
    }

    /// The name of the source.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Where connections are counted that others open to the source.
    #[must_use]
    pub fn connections(&self) -> &Arc<ConnectionMeter> {
        &self.counters.connections
    }

    /// The latest position of each key, as the hub had them when the source started.
    #[must_use]
    pub fn positions(&self) -> &[(Vec<u8>, Vec<u8>)] {
        &self.positions
    }

    /// Hands `batch` on, waiting while the producer is full.
    ///
    /// Cancel safe: when the future is dropped before it is ready, the batch was not taken.
    ///
    /// # Errors
    /// [`Closed`] once the agent is stopping; the batch was not taken.
    pub async fn send(&self, batch: Batch) -> Result<Receipt, Closed> {
        let permit = self.memory.take(self.part, batch.size_bytes()).await;
        let inlet = self.inlet(&batch).ok_or(Closed)?;
        let slot = inlet.reserve().await.map_err(|_closed| Closed)?;
        let (emission, receipt) = self.emission(batch, Some(permit)).ok_or(Closed)?;
        slot.send(emission);
        Ok(receipt)
    }

    /// The memory that it takes from, for what comes in bit by bit.
    #[must_use]
    pub const fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Memory for what is read next, once it is there. Cancel safe.
    pub async fn room_for(&self, bytes: usize) -> Taken {
        self.memory.take(self.part, bytes).await
    }

    /// As [`Emitter::send`] for a batch whose bytes were taken before they came.
    ///
    /// # Errors
    /// [`Closed`] once the agent is stopping; the batch was not taken.
    pub async fn send_in(&self, batch: Batch, taken: &mut Taken) -> Result<Receipt, Closed> {
        let inlet = self.inlet(&batch).ok_or(Closed)?;
        let slot = inlet.reserve().await.map_err(|_closed| Closed)?;
        let permit = taken.for_all_of(batch.size_bytes());
        let (emission, receipt) = self.emission(batch, Some(permit)).ok_or(Closed)?;
        slot.send(emission);
        Ok(receipt)
    }

    /// As [`Emitter::send`], from a plain thread inside the runtime (`spawn_blocking`).
    ///
    /// # Errors
    /// [`Closed`] once the agent is stopping; the batch was not taken.
    pub fn send_blocking(&self, batch: Batch) -> Result<Receipt, Closed> {
        tokio::runtime::Handle::current().block_on(self.send(batch))
    }

    /// Stores a position without records; `None` as its value forgets the key.
    ///
    /// # Errors
    /// [`Closed`] once the agent is stopping.
    pub async fn store_position(&self, position: Position) -> Result<Receipt, Closed> {
        let mut batch = Batch::default();
        batch.set_position(position);
        self.send(batch).await
    }

    /// Says that the source does what it is there for: it listens, or has looked at its files. Until then `/health` says
    /// `starting`.
    pub fn ready(&self) {
        self.counters.is_ready.store(true, Ordering::Release);
    }

    /// Counts what the source left out on purpose; `reason` is a short constant such as `"older_than_limit"`.
    pub fn dropped(&self, reason: &'static str, records: u64) {
        self.counters.dropped(reason, records);
    }

    /// Tells what the source cannot reach while it works otherwise, or that there is nothing of that kind any more.
    pub fn trouble(&self, trouble: Option<String>) {
        let mut known = self.counters.trouble.lock();
        *known = trouble;
    }

    /// `None` when the source was started anew since.
    fn emission(&self, batch: Batch, bytes: Option<Taken>) -> Option<(Emission, Receipt)> {
        // It is under way before the life is looked at, so that a new one waits for it or closes it.
        let permit = Share::new(bytes, &self.counters, &batch);
        if self.counters.life() != self.life {
            permit.withdraw();
            return None;
        }
        self.counters.records.fetch_add(batch.len() as u64, Ordering::Relaxed);
        self.counters.bytes.fetch_add(batch.value_bytes(), Ordering::Relaxed);
        let (settle, settled) = oneshot::channel();
        let source = Arc::clone(&self.source);
        let sent = tokio::time::Instant::now();
        let emission = Emission { source, batch, settle, permit: Some(permit), sent };
        Some((emission, Receipt(settled)))
    }

    /// One stream always takes the same way, so its order is kept.
    fn inlet(&self, batch: &Batch) -> Option<&mpsc::Sender<Emission>> {
        let ways = self.inlets.len() as u64;
        let way = batch.stream().checked_rem(ways).unwrap_or(0);
        self.inlets.get(usize::try_from(way).unwrap_or(0))
    }
}

impl fmt::Debug for Emitter {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Emitter").field("source", &self.source).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_full_budget_holds_the_next_batch_back_until_one_is_settled() {
        let (inlet, mut outlet) = mpsc::channel(8);
        let memory = (Memory::shared(10), Part::Sources);
        let emitter = Emitter::new("s", [inlet].into(), memory, Vec::new(), Arc::default());
        let batch = || Batch::new(vec![0; 100].into(), anabranch_record::Headers::new(), 0, 0);
        let receipt = emitter.send(batch()).await.unwrap();
        let mut second = Box::pin(emitter.send(batch()));
        assert!(futures::poll!(&mut second).is_pending());
        let emission = outlet.recv().await.unwrap();
        let stored = Stored { partition: 0, offset: 7 };
        emission.settle.send(Ok(stored)).unwrap();
        drop(emission.permit);
        assert_eq!(receipt.stored().await, Ok(stored));
        second.await.unwrap();
    }

    #[tokio::test]
    async fn who_waits_for_what_is_under_way_goes_on_when_the_last_batch_is_settled() {
        let (inlet, mut outlet) = mpsc::channel(8);
        let memory = (Memory::shared(1000), Part::Sources);
        let counters: Arc<SourceCounters> = Arc::default();
        let emitter = Emitter::new("s", [inlet].into(), memory, Vec::new(), Arc::clone(&counters));
        for _ in 0..2 {
            emitter.store_position(Position { key: vec![1], value: None }).await.unwrap();
        }
        let mut settled = Box::pin(counters.begin_life());
        for _ in 0..2 {
            assert!(futures::poll!(&mut settled).is_pending());
            drop(outlet.recv().await.unwrap());
        }
        settled.await;
        let late = Position { key: vec![1], value: None };
        assert_eq!(emitter.store_position(late).await.unwrap_err(), Closed, "of an earlier life");
        assert_eq!(counters.under_way.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn a_receipt_whose_producer_is_gone_says_so() {
        let (emitter, outlet) = Emitter::channel(1);
        let receipt = emitter.send(Batch::default()).await.unwrap();
        drop(outlet);
        assert!(receipt.stored().await.is_err());
        assert!(emitter.send(Batch::default()).await.is_err());
    }
}
