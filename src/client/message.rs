//! What is sent, and what is known once it is stored.

use anabranch_record::header::INTERNAL;

use super::Serializer;
use super::error::{ClientError, check_topic};

/// A record to send.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Message {
    /// The topic; made on first use.
    pub topic: String,
    /// Records with the same key go to the same partition, in order.
    pub key: Option<Vec<u8>>,
    /// The value; `None` is Kafka's tombstone.
    pub value: Option<Vec<u8>>,
    /// Names and values.
    pub headers: Vec<(String, Vec<u8>)>,
    /// Milliseconds since the Unix epoch; now when `None`.
    pub timestamp_ms: Option<i64>,
    /// The partition; left to the partitioner when `None`.
    pub partition: Option<i32>,
}

impl Message {
    /// A tombstone without a key, for that topic.
    #[must_use]
    pub fn new(topic: &str) -> Self {
        Self { topic: topic.to_owned(), ..Self::default() }
    }

    /// Sets the key.
    #[must_use]
    pub fn key(mut self, key: impl Into<Vec<u8>>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Sets the value.
    #[must_use]
    pub fn value(mut self, value: impl Into<Vec<u8>>) -> Self {
        self.value = Some(value.into());
        self
    }

    /// Sets the value to what `serializer` makes of `value`.
    ///
    /// # Errors
    /// [`ClientError::Format`] when it cannot.
    pub fn value_as<T: ?Sized, S: Serializer<T>>(
        mut self,
        serializer: &S,
        value: &T,
    ) -> Result<Self, ClientError> {
        self.value = Some(serializer.serialize(value)?);
        Ok(self)
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// Sets the time, milliseconds since the Unix epoch.
    #[must_use]
    pub const fn timestamp_ms(mut self, timestamp_ms: i64) -> Self {
        self.timestamp_ms = Some(timestamp_ms);
        self
    }

    /// Chooses the partition.
    #[must_use]
    pub const fn partition(mut self, partition: i32) -> Self {
        self.partition = Some(partition);
        self
    }

    /// About the bytes that it holds in memory.
    pub(super) fn size_bytes(&self) -> usize {
        let headers: usize =
            self.headers.iter().map(|(name, value)| name.len() + value.len() + 10).sum();
        let (key, value) = (self.key.as_ref(), self.value.as_ref());
        key.map_or(0, Vec::len) + value.map_or(0, Vec::len) + headers + 64
    }

    /// # Errors
    /// What is wrong with its topic or its headers.
    pub(super) fn check(&self) -> Result<(), ClientError> {
        check_topic(&self.topic)?;
        match self.headers.iter().find(|(name, _)| name.starts_with(INTERNAL)) {
            Some((name, _)) => Err(ClientError::ReservedHeader(name.clone())),
            None => Ok(()),
        }
    }
}

/// Where a record is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordMetadata {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The offset; `None` when the hub does not tell (`acks: 0`, and Kafka, whose answers are counted by batch).
    pub offset: Option<i64>,
    /// Its time, milliseconds since the Unix epoch.
    pub timestamp_ms: i64,
}
