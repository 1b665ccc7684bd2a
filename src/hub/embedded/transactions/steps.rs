//! Transactions of clients from their beginning to their end: each step is stored before it is answered.
//!
//! An end is stored as `Prepare…`, then markers go to the partitions and held offsets to their groups, then it is
//! stored as `Complete…`. After a crash in between the same is done again: a marker goes only where something is open,
//! and the offsets are the same.

use std::collections::BTreeSet;
use std::sync::Arc;

use anabranch_connectors::contract::clock::now_ms;
use anabranch_record::TopicPartition;
use tracing::{info, warn};

use super::fault::TransactionFault;
use super::state::{Phase, Transaction};
use crate::hub::embedded::Embedded;
use crate::hub::{HubError, Offset};

/// Why a step of a transaction was not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum EndFault {
    /// The coordinator says no.
    Refused(TransactionFault),
    /// It could not be stored.
    Hub(HubError),
}

impl From<TransactionFault> for EndFault {
    fn from(fault: TransactionFault) -> Self {
        Self::Refused(fault)
    }
}

impl From<HubError> for EndFault {
    fn from(error: HubError) -> Self {
        Self::Hub(error)
    }
}

/// The end of a transaction that somebody works on; also when he is gone before it is done, another may go on with it.
struct Ending<'a> {
    hub: &'a Embedded,
    id: &'a str,
}

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.hub.transactions().ended(self.id);
    }
}

impl Embedded {
    /// A producer id that nobody has had.
    pub(crate) async fn new_producer(&self) -> Result<i64, HubError> {
        let (id, pairs) = self.transactions().next_producer_id();
        self.store_transactions(pairs).await?;
        Ok(id)
    }

    /// Makes a client the one that may use a transactional id: what it had open is aborted, and who used it before is
    /// fenced off. `given` is the producer id and epoch that the client believes to have.
    pub(crate) async fn begin_producer(
        &self,
        id: &str,
        timeout_ms: i32,
        given: Option<(i64, i16)>,
    ) -> Result<(i64, i16), EndFault> {
        let before = self.transactions().get(id).cloned();
        let Some(mut known) = before else {
            let producer_id = self.new_producer().await?;
            return self.renew(id, None, (producer_id, 0), (timeout_ms, None)).await;
        };
        let current = (known.producer_id, known.epoch);
        if let Some(given) = given.filter(|given| *given != current) {
            // The answer to the first time was lost, unless somebody has used it already.
            let is_again = known.phase == Phase::Empty && known.before == Some(given);
            if !is_again {
                return Err(TransactionFault::Fenced.into());
            }
            // The first time may still be on its way to the disk, or have failed.
            self.renew(id, Some(&known), current, (known.timeout_ms, known.before)).await?;
            return Ok(current);
        }
        if matches!(known.phase, Phase::PrepareCommit | Phase::PrepareAbort) {
            return Err(TransactionFault::Concurrent.into());
        }
        if known.phase == Phase::Ongoing {
            known = self.finish(id, (false, true)).await?;
        }
        let next = if known.epoch >= i16::MAX - 1 {
            (self.new_producer().await?, 0)
        } else {
            (known.producer_id, known.epoch + 1)
        };
        self.renew(id, Some(&known), next, (timeout_ms, given)).await
    }

    /// Gives an id to the next producer, unless somebody else was faster than the caller, who knew it as `before`.
    async fn renew(
        &self,
        id: &str,
        before: Option<&Transaction>,
        (producer_id, epoch): (i64, i16),
        (timeout_ms, given): (i32, Option<(i64, i16)>),
    ) -> Result<(i64, i16), EndFault> {
        let fresh = Transaction {
            producer_id,
            epoch,
            timeout_ms,
            phase: Phase::Empty,
            partitions: BTreeSet::new(),
            groups: BTreeSet::new(),
            started_ms: 0,
            changed_ms: now_ms(),
            before: given,
        };
        let pairs = {
            let mut transactions = self.transactions();
            if transactions.get(id) != before {
                return Err(TransactionFault::Concurrent.into());
            }
            transactions.set(id, fresh)
        };
        self.store_transactions(pairs).await?;
        Ok((producer_id, epoch))
    }

    /// Makes partitions or a group part of a client's transaction.
    pub(crate) async fn add_to_transaction(
        &self,
        id: &str,
        producer: (i64, i16),
        partitions: Vec<TopicPartition>,
        group: Option<&str>,
    ) -> Result<(), EndFault> {
        let pairs = self.transactions().add((id, producer), partitions, group, now_ms())?;
        Ok(self.store_transactions(pairs).await?)
    }

    /// Keeps offsets of a group until the transaction ends.
    pub(crate) async fn hold_offsets(
        &self,
        id: &str,
        producer: (i64, i16),
        group: &str,
        offsets: Vec<(Offset, String)>,
    ) -> Result<(), EndFault> {
        let pairs = {
            let mut transactions = self.transactions();
            let known = transactions.of(id, producer)?;
            if known.phase != Phase::Ongoing || !known.groups.contains(group) {
                return Err(TransactionFault::InvalidState.into());
            }
            transactions.hold(id, group, offsets)
        };
        Ok(self.store_transactions(pairs).await?)
    }

    /// Ends a client's transaction.
    pub(crate) async fn end_transaction(
        &self,
        id: &str,
        producer: (i64, i16),
        committed: bool,
    ) -> Result<(), EndFault> {
        let phase = self.transactions().of(id, producer)?.phase;
        match (phase, committed) {
            (Phase::Ongoing, _) => self.finish(id, (committed, false)).await.map(drop),
            // The answer to the first time was lost.
            (Phase::CompleteCommit, true) | (Phase::CompleteAbort, false) => Ok(()),
            (Phase::PrepareCommit, true) | (Phase::PrepareAbort, false) => {
                Err(TransactionFault::Concurrent.into())
            }
            _ => Err(TransactionFault::InvalidState.into()),
        }
    }

    /// Ends the open transaction; gives it as it is afterwards.
    async fn finish(&self, id: &str, how: (bool, bool)) -> Result<Transaction, EndFault> {
        let (known, pairs) = self.transactions().prepare(id, how, now_ms())?;
        let _ending = Ending { hub: self, id };
        self.store_transactions(pairs).await?;
        Ok(self.complete(id, known).await?)
    }

    /// Does what is left of an end that was stored.
    async fn complete(&self, id: &str, mut known: Transaction) -> Result<Transaction, HubError> {
        let committed = known.phase == Phase::PrepareCommit;
        let producer = (known.producer_id, known.epoch);
        for TopicPartition { topic, partition: number } in &known.partitions {
            let state = self.topic_state(topic);
            // A topic that was deleted meanwhile has nothing open any more.
            let Some(partition) = state.and_then(|state| state.partition(*number).cloned()) else {
                continue;
            };
            self.mark(partition, producer, committed).await?;
        }
        if committed {
            let held = self.transactions().held(id);
            for (group, mut offsets) in held {
                offsets.retain(|(offset, _)| self.is_there(offset));
                if !offsets.is_empty() {
                    self.commit_offsets(&group, offsets).await?;
                }
            }
        }
        known.phase = if committed { Phase::CompleteCommit } else { Phase::CompleteAbort };
        known.partitions.clear();
        known.groups.clear();
        known.changed_ms = now_ms();
        let pairs = {
            let mut transactions = self.transactions();
            let mut pairs = transactions.release(id);
            pairs.extend(transactions.set(id, known.clone()));
            pairs
        };
        self.store_transactions(pairs).await?;
        Ok(known)
    }

    fn is_there(&self, offset: &Offset) -> bool {
        let state = self.topic_state(&offset.topic);
        state.is_some_and(|state| state.partition(offset.partition).is_some())
    }

    /// Ends what a crash has left half ended.
    pub(crate) async fn complete_transactions(&self) {
        let half = self.transactions().half_ended();
        for (id, known) in half {
            let _ending = Ending { hub: self, id: &id };
            info!(transactional_id = id, "ending a transaction whose end was interrupted");
            if let Err(error) = self.complete(&id, known).await {
                warn!(transactional_id = id, %error, "a transaction could not be ended, will retry");
            }
        }
    }

    /// Aborts transactions that have lasted longer than their clients have allowed, and forgets unused ids.
    pub(crate) async fn expire_transactions(&self) {
        let overdue = self.transactions().overdue(now_ms());
        for id in overdue {
            info!(transactional_id = id, "a transaction has timed out and is aborted");
            if let Err(fault) = self.finish(&id, (false, true)).await {
                warn!(
                    transactional_id = id,
                    ?fault,
                    "a transaction could not be aborted, will retry"
                );
            }
        }
        let gone = self.transactions().expire(now_ms());
        if let Err(error) = self.store_transactions(gone).await {
            warn!(%error, "unused transactional ids are still stored");
        }
    }

    /// Whether a group's offset of a partition waits for the end of a transaction.
    pub(crate) fn is_pending(&self, group: &str, name: &TopicPartition) -> bool {
        self.transactions().is_pending(group, name)
    }

    /// Watches over transactions, for ever.
    pub(crate) async fn watch_transactions(self: Arc<Self>) {
        self.complete_transactions().await;
        if let Err(error) = self.end_orphans().await {
            warn!(%error, "transactions without an end are left open; the next start tries again");
        }
        let mut every = tokio::time::interval(std::time::Duration::from_secs(1));
        loop {
            every.tick().await;
            self.complete_transactions().await;
            self.expire_transactions().await;
        }
    }
}
