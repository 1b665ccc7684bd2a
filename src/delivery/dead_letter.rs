//! Records that a sink will never take, kept in a topic of the same hub with the reason beside them.
//!
//! Key, value and headers are those of the record, unchanged. What is added has the names of Kafka Connect's dead
//! letters, so that its tools know them: `__connect.errors.topic`, `.partition`, `.offset`, `.connector.name`,
//! `.stage`, `.exception.message`; and `anabranch.dlq.attempts`, `anabranch.dlq.timestamp`.

use anabranch_connectors::clock::now_ms;
use anabranch_connectors::source::NotStored;
use anabranch_connectors::{Batch, Emitter, Headers, Records, StoredRecord};

use crate::hub::DEAD_LETTERS;

/// Prefix of the name under which a sink's dead letters enter the producer; no source may have such a name.
pub const DEAD_LETTER_SOURCE: &str = "dead-letters:";

/// The way to a sink's dead letters.
#[derive(Debug)]
pub struct DeadLetters {
    sink: String,
    topic: String,
    emitter: Option<Emitter>,
}

impl DeadLetters {
    /// For one sink; without an emitter refused records are only counted.
    #[must_use]
    pub fn new(sink: &str, emitter: Option<Emitter>) -> Self {
        Self { sink: sink.to_owned(), topic: topic_of(sink), emitter }
    }

    /// The topic.
    #[must_use]
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// Stores the records with these numbers and their reasons; returns when the hub has them.
    ///
    /// # Errors
    /// [`NotStored`] when the hub did not take them.
    pub async fn store(
        &self,
        records: &Records,
        dead: &[(usize, String)],
        attempts: u32,
    ) -> Result<(), NotStored> {
        let Some(emitter) = &self.emitter else { return Ok(()) };
        let numbers: Vec<usize> = dead.iter().map(|(number, _)| *number).collect();
        let headers = Headers::new()
            .with("__connect.errors.connector.name", self.sink.as_bytes())
            .with("__connect.errors.stage", b"TASK_PUT")
            .with("anabranch.dlq.attempts", (attempts + 1).to_string().as_bytes())
            .with("anabranch.dlq.timestamp", now_ms().to_string().as_bytes());
        let stream = anabranch_connectors::batch::stream_of(self.sink.as_bytes());
        let mut batch = Batch::new(Vec::new().into(), headers, now_ms(), stream);
        for (stored, (_, reason)) in records.select(&numbers).iter().zip(dead) {
            push(&stored, reason, &mut batch);
        }
        let closed = |_closed| NotStored("the agent is stopping".to_owned());
        emitter.send(batch).await.map_err(closed)?.stored().await?;
        Ok(())
    }
}

/// The topic of a sink's dead letters.
#[must_use]
pub(crate) fn topic_of(sink: &str) -> String {
    format!("{sink}{DEAD_LETTERS}")
}

fn push(stored: &StoredRecord<'_>, reason: &str, batch: &mut Batch) {
    batch.push_copy(stored.record.value.unwrap_or_default());
    if stored.record.value.is_none() {
        batch.set_null_value();
    }
    if let Some(key) = stored.record.key {
        batch.set_key(key);
    }
    batch.set_timestamp_ms(stored.record.timestamp_ms);
    for (name, value) in stored.record.headers.iter() {
        batch.set_header(name, value.unwrap_or_default());
    }
    batch.set_header("__connect.errors.topic", stored.batch.topic.name.as_bytes());
    batch.set_header("__connect.errors.partition", stored.batch.partition.to_string().as_bytes());
    batch.set_header("__connect.errors.offset", stored.offset.to_string().as_bytes());
    batch.set_header("__connect.errors.exception.message", reason.as_bytes());
}
