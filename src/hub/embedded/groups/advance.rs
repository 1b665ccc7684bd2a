//! A group's progress together with the records that come of it, as one transaction.

use std::sync::Arc;

use anabranch_record::TopicPartition;
use bytes::Bytes;

use crate::hub::embedded::Embedded;
use crate::hub::embedded::transactions::steps::EndFault;
use crate::hub::embedded::write::encode::encode_alone;
use crate::hub::{Advance, HubError};
use crate::log::Partition;
use crate::wire::batch_header::stamp;
use crate::wire::{BatchHeader, Builder};

/// How long one may take before it is aborted, when whoever began it is gone; readers wait for its end.
const LONGEST_MS: i32 = 30_000;

impl Embedded {
    /// Takes the step, once.
    pub(crate) async fn take_step(&self, advance: Advance) -> Result<(), HubError> {
        // What a crash has left half ended is in the way.
        self.complete_transactions().await;
        let id = advance.transactional_id();
        let producer = self.begin_producer(&id, LONGEST_MS, None).await.map_err(told)?;
        let committed = self.committed(&advance.group).unwrap_or_default();
        advance.check(|topic, partition| {
            let name = TopicPartition { topic: topic.to_owned(), partition };
            committed.get(&name).map(|committed| committed.offset)
        })?;
        let stored = self.store_step(&id, producer, advance).await;
        if stored.is_err() {
            // One that cannot be aborted now is so after its time.
            self.end_transaction(&id, producer, false).await.ok();
        }
        stored.map_err(told)
    }

    async fn store_step(
        &self,
        id: &str,
        producer: (i64, i16),
        advance: Advance,
    ) -> Result<(), EndFault> {
        let Advance { group, to, records, .. } = advance;
        let mut places = Vec::new();
        for placed in &records {
            places.push(TopicPartition::new(&*placed.topic, placed.partition));
        }
        self.add_to_transaction(id, producer, places, Some(&group)).await?;
        let (codec, level) = self.shared.settings.compression;
        let mut builder = Builder::new(codec, level);
        for placed in &records {
            let partition = self.shared.partition(&placed.topic, placed.partition)?;
            let mut bytes = Vec::new();
            let encoded = encode_alone(&mut builder, &placed.batch, &mut bytes);
            encoded.map_err(|error| HubError::Fatal(format!("cannot encode records: {error}")))?;
            stamp(&mut bytes, (producer.0, producer.1, 0), true);
            self.append_verified(partition, bytes).await?;
        }
        let offsets = to.into_iter().map(|offset| (offset, String::new())).collect();
        self.hold_offsets(id, producer, &group, offsets).await?;
        self.end_transaction(id, producer, true).await
    }

    async fn append_verified(
        &self,
        partition: Arc<Partition>,
        bytes: Vec<u8>,
    ) -> Result<(), HubError> {
        let header = BatchHeader::verify(&bytes);
        let header = header.map_err(|error| HubError::Fatal(error.to_string()))?;
        let stored = self.produce(partition, header, Bytes::from(bytes)).await?;
        let stored = stored.await.map_err(|_closed| HubError::closing())?;
        stored.map(drop).map_err(|fault| HubError::NotNow(fault.to_string()))
    }
}

fn told(fault: EndFault) -> HubError {
    match fault {
        EndFault::Hub(error) => error,
        EndFault::Refused(fault) => HubError::Moved(format!(
            "somebody else goes on with the group, or has just begun to ({fault:?}); try again"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::embedded::Settings;
    use crate::hub::embedded::tests::copy_folder;
    use crate::hub::{Hub, Offset, Placed};
    use anabranch_record::{Batch, Headers};

    fn at(topic: &str, offset: i64) -> Offset {
        Offset { topic: topic.to_owned(), partition: 0, offset, epoch: -1 }
    }

    fn step(from: i64, to: i64, targets: &[&str]) -> Advance {
        let placed = |topic: &&str| {
            let mut batch = Batch::new(Vec::new().into(), Headers::new(), 5, 0);
            batch.push_copy(b"x");
            Placed { topic: (*topic).to_owned(), partition: 0, batch }
        };
        let records = targets.iter().map(placed).collect();
        Advance {
            group: "g".to_owned(),
            from: vec![at("in", from)],
            to: vec![at("in", to)],
            records,
        }
    }

    fn end(hub: &Embedded, topic: &str) -> i64 {
        hub.topic_state(topic).unwrap().partition(0).unwrap().stable()
    }

    #[tokio::test]
    async fn a_step_is_taken_whole_and_once_and_one_that_fails_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let hub = Embedded::open(Settings::new(folder.path()), Arc::default()).unwrap();
        for topic in ["in", "a", "b"] {
            hub.create_topic(topic, 1).await.unwrap();
        }
        hub.advance(step(-1, 3, &["a", "b"])).await.unwrap();
        let group = hub.group("g").await.unwrap().unwrap();
        assert_eq!(group.offsets[0].offset, 3);
        let ends = (end(&hub, "a"), end(&hub, "b"));
        // The same step once more, as one who has not heard of the first would take it.
        let again = hub.advance(step(-1, 3, &["a", "b"])).await.unwrap_err();
        assert!(matches!(again, HubError::Moved(_)), "{again}");
        assert_eq!((end(&hub, "a"), end(&hub, "b")), ends);
        // Half of it goes in, then a topic is not there: none of it is to be seen.
        hub.advance(step(3, 4, &["a", "missing"])).await.unwrap_err();
        assert_eq!(hub.group("g").await.unwrap().unwrap().offsets[0].offset, 3);
        let read = crate::hub::ConsumerSpec {
            group: "reader".to_owned(),
            topics: vec![crate::hub::TopicSelector::Name("a".to_owned())],
            start: crate::hub::StartAt::Earliest,
            member: (0, 1),
            assigned: Some(vec![TopicPartition::new("a", 0)]),
        };
        hub.advance(step(3, 4, &["a"])).await.unwrap();
        let mut consumer = hub.consumer(read).await.unwrap();
        let mut records = 0;
        while records < 2 {
            let wait = std::time::Duration::from_secs(5);
            let fetched = consumer.fetch(1 << 20, wait).await.unwrap();
            records += fetched.batches.iter().map(|one| one.batch.count).sum::<u32>();
        }
        assert_eq!(records, 2, "the first and the third step, once each");
        drop(consumer);
        hub.close().await;
    }

    #[tokio::test]
    async fn a_step_that_a_crash_cuts_off_is_taken_once_by_the_next_try() {
        let folder = tempfile::tempdir().unwrap();
        let hub = Embedded::open(Settings::new(folder.path()), Arc::default()).unwrap();
        for topic in ["in", "a"] {
            hub.create_topic(topic, 1).await.unwrap();
        }
        let id = step(-1, 3, &[]).transactional_id();
        let producer = hub.begin_producer(&id, LONGEST_MS, None).await.unwrap();
        let places = vec![TopicPartition::new("a", 0)];
        hub.add_to_transaction(&id, producer, places, Some("g")).await.unwrap();
        let (mut builder, mut bytes) = (Builder::new(crate::wire::Codec::None, None), Vec::new());
        let cut_off = step(-1, 3, &["a"]);
        encode_alone(&mut builder, &cut_off.records[0].batch, &mut bytes).unwrap();
        stamp(&mut bytes, (producer.0, producer.1, 0), true);
        let partition = Arc::clone(hub.topic_state("a").unwrap().partition(0).unwrap());
        hub.append_verified(partition, bytes).await.unwrap();
        hub.hold_offsets(&id, producer, "g", vec![(at("in", 3), String::new())]).await.unwrap();
        let killed = tempfile::tempdir().unwrap();
        copy_folder(folder.path(), killed.path());
        hub.close().await;

        let hub = Embedded::open(Settings::new(killed.path()), Arc::default()).unwrap();
        assert!(hub.committed("g").is_none());
        hub.advance(step(-1, 3, &["a"])).await.unwrap();
        let (_, aborted) = (hub.committed("g").unwrap(), end(&hub, "a"));
        // The record that was cut off, the mark of its end, the record, and the mark of its end.
        assert_eq!(aborted, 4);
        hub.close().await;
    }
}
