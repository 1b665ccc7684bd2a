//! Reads records as a member of a group, or from partitions of its own choice.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use anabranch_record::{StoredRecord, Topic, TopicPartition};
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use super::{ClientError, ConsumerSettings, HubHandle};
use crate::hub::{self, ConsumerSpec, HubError, Lag, Offset};

/// About the bytes of one fetch, decompressed.
const FETCH_BYTES: usize = 1 << 20;

/// A record that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsumedRecord {
    topic: Arc<Topic>,
    /// The partition.
    pub partition: i32,
    /// The offset.
    pub offset: i64,
    /// The leader epoch under which it was appended.
    pub epoch: i32,
    /// Milliseconds since the Unix epoch.
    pub timestamp_ms: i64,
    /// The key.
    pub key: Option<Vec<u8>>,
    /// The value; `None` is Kafka's tombstone.
    pub value: Option<Vec<u8>>,
    /// Names and values, in order.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

impl ConsumedRecord {
    fn new(stored: &StoredRecord<'_>) -> Self {
        let header =
            |(name, value): (&str, Option<&[u8]>)| (name.to_owned(), value.map(<[u8]>::to_vec));
        Self {
            topic: Arc::clone(&stored.batch.topic),
            partition: stored.batch.partition,
            offset: stored.offset,
            epoch: stored.batch.epoch,
            timestamp_ms: stored.record.timestamp_ms,
            key: stored.record.key.map(<[u8]>::to_vec),
            value: stored.record.value.map(<[u8]>::to_vec),
            headers: stored.record.headers.iter().map(header).collect(),
        }
    }

    /// The topic.
    #[must_use]
    pub fn topic(&self) -> &str {
        &self.topic.name
    }

    /// The value as text, with what is not UTF-8 replaced.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(self.value.as_deref().unwrap_or_default()).into_owned()
    }

    /// The last header of that name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        let last = self.headers.iter().rfind(|(known, _)| known == name);
        last.and_then(|(_, value)| value.as_deref())
    }

    /// The value, read as JSON.
    ///
    /// # Errors
    /// [`ClientError::Format`] when it is none, or not such a one.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, ClientError> {
        serde_json::from_slice(self.value.as_deref().unwrap_or_default()).map_err(|error| {
            ClientError::Format { what: "read a value as JSON", cause: error.to_string() }
        })
    }

    /// The value, read as `MessagePack`.
    ///
    /// # Errors
    /// [`ClientError::Format`] when it is none, or not such a one.
    pub fn message_pack<T: DeserializeOwned>(&self) -> Result<T, ClientError> {
        rmp_serde::from_slice(self.value.as_deref().unwrap_or_default()).map_err(|error| {
            ClientError::Format { what: "read a value as MessagePack", cause: error.to_string() }
        })
    }
}

/// Reads. What was polled counts as done at the next commit, so nothing is lost when a consumer dies, and what it had
/// not committed comes again.
pub struct Consumer {
    inner: Box<dyn hub::Consumer>,
    settings: ConsumerSettings,
    buffered: VecDeque<ConsumedRecord>,
    polled: BTreeMap<TopicPartition, (i64, i32)>,
    /// What there was nothing in behind the buffered records.
    passed: Vec<Offset>,
    committed_at: Instant,
}

impl fmt::Debug for Consumer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Consumer").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Consumer {
    /// Joins.
    ///
    /// # Errors
    /// [`ClientError::Hub`] when the hub refuses it.
    pub async fn new(hub: &HubHandle, settings: ConsumerSettings) -> Result<Self, ClientError> {
        let spec = ConsumerSpec {
            group: settings.group.clone(),
            topics: settings.topics.clone(),
            start: settings.start,
            member: (0, 1),
            assigned: settings.assigned.clone(),
        };
        let inner = hub.hub().consumer(spec).await?;
        let (buffered, polled, passed) = (VecDeque::new(), BTreeMap::new(), Vec::new());
        Ok(Self { inner, settings, buffered, polled, passed, committed_at: Instant::now() })
    }

    /// The next records, at most `max_poll_records`, in order within each partition; none when nothing came within
    /// `timeout`.
    ///
    /// # Errors
    /// [`ClientError::Hub`]; the call may be repeated.
    pub async fn poll(&mut self, timeout: Duration) -> Result<Vec<ConsumedRecord>, ClientError> {
        self.commit_if_due().await?;
        let deadline = Instant::now() + timeout;
        while self.buffered.is_empty() {
            let wait = deadline.saturating_duration_since(Instant::now());
            let fetched = self.inner.fetch(FETCH_BYTES, wait).await?;
            if fetched.resumed.is_some() {
                self.polled.clear();
            }
            self.passed = fetched.passed;
            for one in &fetched.batches {
                let records = one.batch.iter().skip(one.skip);
                self.buffered.extend(records.map(|stored| ConsumedRecord::new(&stored)));
            }
            if self.buffered.is_empty() {
                self.pass();
                if Instant::now() >= deadline {
                    return Ok(Vec::new());
                }
            }
        }
        let count = self.buffered.len().min(self.settings.max_poll_records.max(1));
        let records: Vec<_> = self.buffered.drain(..count).collect();
        for record in &records {
            let place = TopicPartition::new(record.topic(), record.partition);
            self.polled.insert(place, (record.offset + 1, record.epoch));
        }
        if self.buffered.is_empty() {
            self.pass();
        }
        Ok(records)
    }

    /// What has nothing for anybody counts as polled with the last record before it.
    fn pass(&mut self) {
        for Offset { topic, partition, offset, epoch } in self.passed.drain(..) {
            self.polled.insert(TopicPartition { topic, partition }, (offset, epoch));
        }
    }

    /// The next record, or `None` when nothing came within `timeout`. What it gave before counts as polled.
    ///
    /// # Errors
    /// As [`Consumer::poll`].
    pub async fn next(&mut self, timeout: Duration) -> Result<Option<ConsumedRecord>, ClientError> {
        let most = std::mem::replace(&mut self.settings.max_poll_records, 1);
        let polled = self.poll(timeout).await;
        self.settings.max_poll_records = most;
        Ok(polled?.pop())
    }

    /// Stores the group's progress: everything that was polled.
    ///
    /// # Errors
    /// [`ClientError::Hub`]; what was not committed comes again to the next member.
    pub async fn commit(&mut self) -> Result<(), ClientError> {
        let offsets = self.position();
        self.commit_offsets(&offsets).await
    }

    /// Stores the group's progress as given: for each partition the next offset to read.
    ///
    /// # Errors
    /// As [`Consumer::commit`].
    pub async fn commit_offsets(&mut self, offsets: &[Offset]) -> Result<(), ClientError> {
        self.committed_at = Instant::now();
        if offsets.is_empty() {
            return Ok(());
        }
        if self.settings.group.is_empty() {
            return Err(HubError::without_group().into());
        }
        self.inner.commit(offsets, None).await.map_err(ClientError::Hub)
    }

    /// For each partition that was read, the next offset that will be polled.
    #[must_use]
    pub fn position(&self) -> Vec<Offset> {
        self.polled
            .iter()
            .map(|(place, (offset, epoch))| Offset::of(place, *offset, *epoch))
            .collect()
    }

    /// Reads on in that partition at `offset`, or at the nearest that is kept; gives the offset, which counts as polled
    /// from then on.
    ///
    /// # Errors
    /// [`ClientError::Hub`] when this consumer does not read the partition, or the hub does not answer.
    pub async fn seek(
        &mut self,
        topic: &str,
        partition: i32,
        offset: i64,
    ) -> Result<i64, ClientError> {
        let went = self.inner.seek(topic, partition, offset).await?;
        self.buffered.retain(|record| record.partition != partition || record.topic() != topic);
        self.passed.retain(|passed| passed.partition != partition || passed.topic != topic);
        self.polled.insert(TopicPartition::new(topic, partition), (went, -1));
        Ok(went)
    }

    /// How far the group is behind, by partition.
    pub async fn lag(&mut self) -> Vec<Lag> {
        self.inner.lag().await
    }

    /// Leaves; what was polled is committed first when commits are automatic.
    ///
    /// # Errors
    /// As [`Consumer::commit`].
    pub async fn close(mut self) -> Result<(), ClientError> {
        if self.settings.commits().is_some() { self.commit().await } else { Ok(()) }
    }

    /// An automatic commit that comes too late (the partitions have gone to another member) is no error.
    async fn commit_if_due(&mut self) -> Result<(), ClientError> {
        let Some(interval) = self.settings.commits() else { return Ok(()) };
        if self.polled.is_empty() || self.committed_at.elapsed() < interval {
            return Ok(());
        }
        match self.commit().await {
            Err(ClientError::Hub(HubError::NotNow(why) | HubError::Moved(why))) => {
                tracing::warn!(why, "an automatic commit failed; the next poll tries again");
                Ok(())
            }
            committed => committed,
        }
    }
}
