//! The ledger's part in the hub: what a sink's reader knows of its partitions, and what is kept of sources.

use std::collections::BTreeMap;
use std::sync::Arc;

use anabranch_connectors::contract::counters::Account;
use anabranch_record::TopicPartition;

use crate::hub::embedded::Shared;
use crate::hub::embedded::read::consumer::EmbeddedConsumer;
use crate::hub::embedded::read::partition_reader::PartitionReader;
use crate::hub::{Offset, state};
use crate::ledger::progress::Progress;
use crate::ledger::tally::Tally;
use crate::log::Partition;

impl Shared {
    /// What is kept of each source.
    pub(crate) fn accounts(&self) -> BTreeMap<String, Account> {
        self.positions().totals.accounts()
    }
}

impl EmbeddedConsumer {
    /// The account of a partition that is read from `from` on; `None` for who keeps none.
    pub(crate) fn account_from(&self, name: &TopicPartition, from: i64) -> Option<Progress> {
        self.counted.as_ref()?;
        let groups = self.shared.groups();
        let committed = groups.committed(&self.spec.group, name);
        let kept = committed.and_then(|committed| state::account(&committed.metadata));
        Some(Progress::resumed(kept, from))
    }

    /// The account that belongs to the offset that is to be committed.
    pub(crate) fn account_at(&self, partition: &Arc<Partition>, offset: i64) -> Option<Progress> {
        let is_it = |mine: &&PartitionReader| Arc::ptr_eq(mine.partition(), partition);
        let mine = self.readers.iter().find(is_it)?;
        let mut tally = mine.gaps.before(offset);
        tally.merge(&self.tally_of(partition.name()));
        Some(mine.account?.after(offset, &tally))
    }

    fn tally_of(&self, name: &TopicPartition) -> Tally {
        let mut tally = Tally::NONE;
        for counted in self.counted.iter().flatten() {
            if counted.topic == name.topic && counted.partition == name.partition {
                tally.merge(&counted.tally);
            }
        }
        tally
    }

    /// The hub has these offsets, and the accounts with them.
    pub(crate) fn accounts_are_kept(&mut self, offsets: &[Offset]) {
        if self.counted.is_none() {
            return;
        }
        for Offset { topic, partition, offset, .. } in offsets {
            let is_it = |mine: &PartitionReader| {
                let name = mine.partition().name();
                name.topic == *topic && name.partition == *partition
            };
            let Some(number) = self.readers.iter().position(is_it) else { continue };
            let account = self
                .readers
                .get(number)
                .and_then(|mine| self.account_at(&Arc::clone(mine.partition()), *offset));
            if let Some(mine) = self.readers.get_mut(number) {
                mine.account = account;
                mine.gaps.forget(*offset);
            }
        }
        self.counted = Some(Vec::new());
    }
}
