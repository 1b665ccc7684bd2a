//! What one append takes of a source's batch, and the promise that comes with it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anabranch_connectors::Emission;
use anabranch_connectors::contract::counters::{Account, Share};
use anabranch_connectors::contract::receipt::{NotStored, Stored};
use anabranch_record::{Amount, Batch, Chain, Condition};
use parking_lot::Mutex;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::metrics::SourceMeter;

/// A batch, or what of it goes to one partition. Settled once; the source hears of it when all parts of its batch are.
///
/// A part that is dropped unsettled tells its source that the records are not stored.
#[derive(Debug)]
pub struct Part {
    /// Name of the source; a position in the batch belongs to it.
    pub source: Arc<str>,
    /// The records.
    pub batch: Batch,
    /// When the source handed them on.
    pub sent: Instant,
    /// What its source has handed on with it.
    claimed: Amount,
    /// What of that the hub has encoded.
    encoded: Option<Amount>,
    meter: Option<Arc<SourceMeter>>,
    chain: Option<Chain>,
    condition: Option<Condition>,
    ticket: Option<Arc<Ticket>>,
}

/// Shared by the parts of one emission.
#[derive(Debug)]
struct Ticket {
    open: AtomicUsize,
    settle: Mutex<Option<oneshot::Sender<Result<Stored, NotStored>>>>,
    first: Mutex<Option<Stored>>,
    share: Option<Share>,
}

impl From<Emission> for Part {
    fn from(emission: Emission) -> Self {
        let Emission { source, batch, settle, permit, sent } = emission;
        let ticket = Ticket {
            open: AtomicUsize::new(1),
            settle: Mutex::new(Some(settle)),
            first: Mutex::default(),
            share: permit,
        };
        let claimed = ticket.share.as_ref().map_or_else(|| batch.amount(), Share::amount);
        let (chain, condition) = (batch.chain().cloned(), batch.condition().cloned());
        let ticket = Some(Arc::new(ticket));
        Self { source, batch, sent, claimed, encoded: None, meter: None, chain, condition, ticket }
    }
}

impl Part {
    /// Replaces this part by one for each of `batches`, which together hold its records. What they should be missing
    /// is still claimed, by the first.
    #[must_use]
    pub fn split(mut self, batches: Vec<Batch>) -> Vec<Self> {
        let Some(ticket) = self.ticket.take() else { return Vec::new() };
        let more = batches.len().saturating_sub(1);
        ticket.open.fetch_add(more, Ordering::Relaxed);
        let mut missing = self.claimed - batches.iter().map(Batch::amount).sum();
        let part = |batch: Batch| {
            let claimed = batch.amount() + std::mem::take(&mut missing);
            Self {
                source: Arc::clone(&self.source),
                batch,
                sent: self.sent,
                claimed,
                encoded: None,
                meter: self.meter.clone(),
                chain: self.chain.clone(),
                condition: self.condition.clone(),
                ticket: Some(Arc::clone(&ticket)),
            }
        };
        batches.into_iter().map(part).collect()
    }

    /// Counts what becomes of it on `meter`.
    #[must_use]
    pub fn metered(mut self, meter: Arc<SourceMeter>) -> Self {
        self.meter = Some(meter);
        self
    }

    /// Number of records, also after [`Part::release`].
    #[must_use]
    pub const fn records(&self) -> u64 {
        self.claimed.records
    }

    /// What its source has handed on with it: records, and the bytes of their keys, values and headers.
    #[must_use]
    pub const fn claimed(&self) -> Amount {
        self.claimed
    }

    /// Says what of it stands in the encoded batch.
    pub const fn set_encoded(&mut self, encoded: Amount) {
        self.encoded = Some(encoded);
    }

    /// What of it is stored once its batch is; what it holds, where the hub has not said what it has encoded.
    #[must_use]
    pub fn encoded(&self) -> Amount {
        self.encoded.unwrap_or_else(|| self.batch.amount())
    }

    /// What has become of all that its source has read; `None` for what has no source.
    #[must_use]
    pub fn account(&self) -> Option<Account> {
        Some(self.ticket.as_ref()?.share.as_ref()?.account())
    }

    /// Gives the batch's memory back once its records are encoded elsewhere. Its position stays, and its share of
    /// the budget.
    pub fn release(&mut self) {
        let position = self.batch.position().cloned();
        self.batch = Batch::default();
        if let Some(position) = position {
            self.batch.set_position(position);
        }
    }

    /// Whether it must not be stored, because what it builds on is not.
    #[must_use]
    pub fn is_void(&self) -> bool {
        self.chain.as_ref().is_some_and(Chain::has_failed)
    }

    /// What must be so when it is stored.
    #[must_use]
    pub const fn condition(&self) -> Option<&Condition> {
        self.condition.as_ref()
    }

    /// Tells the source what became of the records, and gives their bytes back to the budget.
    pub fn settle(mut self, outcome: Result<Stored, NotStored>) {
        let Some(ticket) = self.ticket.take() else { return };
        self.fail_chain(&outcome);
        self.count(&ticket, outcome.is_ok());
        ticket.settle(outcome);
    }

    fn count(&self, ticket: &Ticket, is_stored: bool) {
        let stored = is_stored.then(|| self.encoded());
        if let Some(share) = &ticket.share {
            share.settle(self.claimed, stored);
        }
        match (&self.meter, stored) {
            (Some(meter), Some(stored)) => meter.stored(stored, self.sent.elapsed()),
            (Some(meter), None) => {
                meter.not_stored.fetch_add(self.claimed.records, Ordering::Relaxed);
            }
            (None, _) => {}
        }
    }

    fn fail_chain(&self, outcome: &Result<Stored, NotStored>) {
        if let (Some(chain), Err(_)) = (&self.chain, outcome) {
            chain.fail();
        }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            let outcome = Err(NotStored("the agent is stopping".to_owned()));
            self.fail_chain(&outcome);
            self.count(&ticket, false);
            ticket.settle(outcome);
        }
    }
}

impl Ticket {
    fn settle(&self, outcome: Result<Stored, NotStored>) {
        let last = self.open.fetch_sub(1, Ordering::AcqRel) == 1;
        let answer = match outcome {
            Ok(stored) => {
                let mut first = self.first.lock();
                let first = *first.get_or_insert(stored);
                if !last {
                    return;
                }
                Ok(first)
            }
            Err(error) => Err(error),
        };
        let settle = self.settle.lock().take();
        if let Some(settle) = settle {
            // A source that is gone no longer wants to know.
            settle.send(answer).ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anabranch_connectors::Emitter;

    const HERE: Stored = Stored { partition: 1, offset: 5 };

    #[tokio::test]
    async fn a_split_part_is_stored_when_all_of_it_is() {
        let (emitter, mut outlet) = Emitter::channel(1);
        let mut receipt = emitter.send(Batch::default()).await.unwrap();
        let part = Part::from(outlet.recv().await.unwrap());
        let mut parts = part.split(vec![Batch::default(), Batch::default()]);
        parts.remove(0).settle(Ok(HERE));
        assert_eq!(receipt.poll(), None);
        parts.remove(0).settle(Ok(Stored { partition: 2, offset: 9 }));
        assert_eq!(receipt.poll(), Some(Ok(HERE)));
    }

    #[tokio::test]
    async fn a_part_is_void_once_one_of_its_chain_is_not_stored() {
        let (emitter, mut outlet) = Emitter::channel(4);
        let chain = Chain::default();
        let mut parts = Vec::new();
        for chain in [chain.clone(), chain.clone(), chain, Chain::default()] {
            let mut batch = Batch::default();
            batch.set_chain(chain);
            drop(emitter.send(batch).await.unwrap());
            parts.push(Part::from(outlet.recv().await.unwrap()));
        }
        parts.remove(0).settle(Ok(HERE));
        assert!(!parts.iter().any(Part::is_void));
        drop(parts.remove(0));
        assert_eq!(parts.iter().map(Part::is_void).collect::<Vec<_>>(), [true, false]);
    }

    #[tokio::test]
    async fn what_is_lost_on_the_way_is_missing_in_the_account() {
        let (inlet, mut outlet) = tokio::sync::mpsc::channel(4);
        let counters: Arc<anabranch_connectors::contract::counters::SourceCounters> =
            Arc::default();
        let budget = (
            anabranch_connectors::Memory::shared(1 << 20),
            anabranch_connectors::contract::memory::Part::Sources,
        );
        let emitter = Emitter::new("s", [inlet].into(), budget, Vec::new(), Arc::clone(&counters));
        let batch = |lines: &[&str]| {
            let mut batch = Batch::new(Vec::new().into(), anabranch_record::Headers::new(), 0, 0);
            lines.iter().for_each(|line| batch.push_copy(line.as_bytes()));
            batch
        };
        drop(emitter.send(batch(&["one", "two", "three"])).await.unwrap());
        let part = Part::from(outlet.recv().await.unwrap());
        assert_eq!(counters.account().under_way, Amount::new(3, 11));
        // "two" is lost where the batch is shared out, and "three" while it is encoded.
        let mut parts = part.split(vec![batch(&["one"]), batch(&["three"])]);
        parts.remove(0).settle(Ok(HERE));
        let mut last = parts.remove(0);
        last.set_encoded(Amount::NONE);
        last.settle(Ok(HERE));
        let account = counters.account();
        assert_eq!((account.handed_on, account.stored), (Amount::new(3, 11), Amount::new(1, 3)));
        assert_eq!((account.under_way, account.not_stored), (Amount::NONE, Amount::NONE));
        // One that is handed back is accounted for.
        drop(emitter.send(batch(&["four"])).await.unwrap());
        drop(Part::from(outlet.recv().await.unwrap()));
        assert_eq!(counters.account().not_stored, Amount::new(1, 4));
    }

    #[tokio::test]
    async fn a_part_that_is_dropped_is_not_stored() {
        let (emitter, mut outlet) = Emitter::channel(1);
        let receipt = emitter.send(Batch::default()).await.unwrap();
        let part = Part::from(outlet.recv().await.unwrap());
        let mut parts = part.split(vec![Batch::default(), Batch::default()]);
        parts.remove(0).settle(Ok(HERE));
        drop(parts);
        assert!(receipt.stored().await.is_err());
    }
}
