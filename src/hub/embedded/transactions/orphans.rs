//! Transactions that nobody will end: their records are there, and what the coordinator knew of them is not, or it says that
//! they have ended, and their marker is not there. A power cut can leave that with `flush: TIME` or `os`, which keeps each
//! file on its own; readers of committed records would wait for ever.
//!
//! They are aborted: what was not on the disk of a transaction counts as never done, as of every other record.

use anabranch_record::TopicPartition;
use tracing::warn;

use super::state::Transactions;
use crate::hub::HubError;
use crate::hub::embedded::Embedded;
use crate::hub::embedded::topics::table::Topics;
use crate::hub::embedded::write::encode::OWN_PRODUCER;

impl Embedded {
    /// Ends them, once after the start; clients are told what they were told before.
    ///
    /// # Errors
    /// [`HubError`] when a marker cannot be stored; the call may be repeated.
    pub(crate) async fn end_orphans(&self) -> Result<(), HubError> {
        for state in self.shared.topics.all() {
            for partition in state.partitions.iter().filter(|_| !state.is_internal()) {
                let open =
                    partition.producers().info().into_iter().filter(|one| one.open_from >= 0);
                for producer in open.collect::<Vec<_>>() {
                    let name = partition.name();
                    if self.transactions().is_under_way(producer.producer_id, name) {
                        continue;
                    }
                    let (id, from) = (producer.producer_id, producer.open_from);
                    warn!(partition = %name, producer_id = id, from,
                        "a transaction of which a power cut has left no end is aborted");
                    let whose = (id, producer.epoch);
                    self.mark(std::sync::Arc::clone(partition), whose, false).await?;
                }
            }
        }
        Ok(())
    }
}

impl Transactions {
    /// Whether somebody will end what a producer has open in a partition.
    fn is_under_way(&self, producer_id: i64, name: &TopicPartition) -> bool {
        let known = self.all().find(|(_, known)| known.producer_id == producer_id);
        known.is_some_and(|(_, known)| known.partitions.contains(name))
    }
}

/// The first producer id behind all that have left something in the log: one that was handed out is not handed out
/// again, also when it was forgotten that it was.
pub(crate) fn unused_producer(topics: &Topics) -> i64 {
    let partitions = topics.all().into_iter().flat_map(|state| state.partitions.clone());
    let ids = partitions.flat_map(|partition| partition.producers().info());
    let last = ids.map(|one| one.producer_id).filter(|id| *id < OWN_PRODUCER).max();
    last.map_or(0, |last| last + 1)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;
    use tokio::sync::oneshot;

    use super::*;
    use crate::hub::Hub;
    use crate::hub::embedded::tests::{append, batch, open};
    use crate::hub::embedded::write::command::Command;
    use crate::hub::embedded::write::command::Produce;
    use crate::hub::embedded::write::encode::{Entry, encode_entries};
    use crate::wire::batch_header::stamp;
    use crate::wire::{BatchHeader, Builder, Codec};

    async fn produce(hub: &Embedded, (id, epoch): (i64, i16)) {
        let (mut builder, mut bytes) = (Builder::new(Codec::None, None), Vec::new());
        let entry = Entry { key: b"k", value: Some(b"v"), header: &[] };
        encode_entries(&[entry], 1000, &mut builder, &mut bytes).unwrap();
        stamp(&mut bytes, (id, epoch, 0), true);
        let partition = Arc::clone(&hub.shared.topics.get("t").unwrap().partitions[0]);
        let header = BatchHeader::verify(&bytes).unwrap();
        let (reply, produced) = oneshot::channel();
        let bytes = Bytes::from(bytes);
        hub.shared.command(Command::Produce(Produce { partition, header, bytes, reply })).unwrap();
        produced.await.unwrap().unwrap();
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_transaction_whose_coordinators_state_is_gone_is_aborted_and_others_are_left_alone() {
        for is_gone in [true, false] {
            let folder = tempfile::tempdir().unwrap();
            let hub = open(folder.path());
            append(&hub, batch(&["before"], None)).await;
            let producer = hub.begin_producer("id", 60_000, None).await.unwrap();
            hub.add_to_transaction("id", producer, vec![TopicPartition::new("t", 0)], None)
                .await
                .unwrap();
            produce(&hub, producer).await;
            hub.close().await;
            drop(hub);
            if is_gone {
                let states = "__transaction_state-0/00000000000000000000.log";
                std::fs::write(folder.path().join(states), b"").unwrap();
                std::fs::remove_file(folder.path().join("recovery-point-checkpoint")).unwrap();
            }
            let hub = open(folder.path());
            let partition = Arc::clone(&hub.shared.topics.get("t").unwrap().partitions[0]);
            assert_eq!(partition.stable(), 1);
            hub.end_orphans().await.unwrap();
            assert_eq!(partition.stable(), if is_gone { 3 } else { 1 });
            let next = hub.new_producer().await.unwrap();
            assert!(next > producer.0, "{next} was {} before", producer.0);
            hub.close().await;
        }
    }
}
