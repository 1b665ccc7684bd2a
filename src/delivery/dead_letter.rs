//! Records that a sink will never take, kept in a topic of the same hub with the reason beside them.
//!
//! Key, value and headers are those of the record, unchanged. What is added has the names of Kafka Connect's dead
//! letters, so that its tools know them: `__connect.errors.topic`, `.partition`, `.offset`, `.connector.name`,
//! `.stage`, `.exception.message`; and `anabranch.dlq.attempts`, `anabranch.dlq.timestamp`.
//!
//! Each is there once, whenever the program is killed: see `buried.rs`.

use std::sync::Arc;

use anabranch_connectors::Emitter;
use anabranch_connectors::contract::clock::now_ms;
use anabranch_connectors::contract::receipt::NotStored;
use anabranch_record::{
    Batch, Condition, Headers, Position, Records, StoredBatch, StoredRecord, copy_record,
};
use futures::FutureExt;

use super::buried::Buried;
use super::progress::Progress;
use crate::hub::{DEAD_LETTERS, FALLBACK, Hub, HubError};

pub use crate::hub::{DEAD_LETTER_SOURCE, FALLBACK_SOURCE};

/// Where records go that the sink does not take.
#[derive(Debug, Clone, Copy)]
pub(super) enum Away {
    DeadLetters,
    Fallback,
}

/// The way to a sink's dead letters, or to those of its records that another sink is to deliver.
pub struct DeadLetters {
    sink: String,
    /// Where they enter the producer.
    source: String,
    topic: String,
    way: Option<(Emitter, Arc<dyn Hub>)>,
    buried: Arc<Buried>,
}

impl std::fmt::Debug for DeadLetters {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("DeadLetters").field("topic", &self.topic).finish_non_exhaustive()
    }
}

impl DeadLetters {
    /// For one sink; without a way to the hub refused records are only counted.
    #[must_use]
    pub fn new(sink: &str, way: Option<(Emitter, Arc<dyn Hub>)>, buried: Arc<Buried>) -> Self {
        let (sink, topic) = (sink.to_owned(), topic_of(sink));
        let source = format!("{DEAD_LETTER_SOURCE}{sink}");
        Self { sink, source, topic, way, buried }
    }

    /// For what another sink is to deliver.
    #[must_use]
    pub fn fallback(sink: &str, way: (Emitter, Arc<dyn Hub>), buried: Arc<Buried>) -> Self {
        let topic = fallback_of(sink);
        let (sink, source) = (sink.to_owned(), format!("{FALLBACK_SOURCE}{sink}"));
        Self { sink, source, topic, way: Some(way), buried }
    }

    /// The topic.
    #[must_use]
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// Learns what lies there already, before anything is delivered.
    ///
    /// # Errors
    /// [`HubError`] when the hub does not tell.
    pub(super) async fn resume(&self) -> Result<(), HubError> {
        let Some((_, hub)) = &self.way else { return Ok(()) };
        let positions = hub.positions(&self.source).await?;
        self.buried.lock().await.load(&positions);
        Ok(())
    }

    /// Those of `records` that do not lie there already, and those that do.
    pub(super) async fn without_buried(&self, records: &Records) -> (Records, Records) {
        if self.way.is_none() {
            return (records.clone(), Records::default());
        }
        self.buried.lock().await.without(records)
    }

    /// Whether dead letters are kept.
    pub(super) const fn are_kept(&self) -> bool {
        self.way.is_some()
    }

    /// Stores the records with these numbers and their reasons; returns when the hub has them. What it has already is
    /// left out. With a condition they are stored only where it holds: where somebody else may have the records by now,
    /// it is his to judge them.
    ///
    /// # Errors
    /// [`NotStored`] when the hub did not take them.
    pub(super) async fn store(
        &self,
        records: &Records,
        dead: &[(usize, &str)],
        attempts: u32,
        (progress, condition): (&Progress, Option<&Condition>),
    ) -> Result<(), NotStored> {
        let Some((emitter, _)) = &self.way else { return Ok(()) };
        let numbers: Vec<usize> = dead.iter().map(|(number, _)| *number).collect();
        let chosen = records.select(&numbers);
        let mut buried = self.buried.lock().await;
        let mut letters: Vec<(StoredRecord<'_>, &str)> = chosen
            .iter()
            .zip(dead)
            .map(|(stored, (_, reason))| (stored, *reason))
            .filter(|(stored, _)| !buried.has(stored.batch, stored.offset))
            .collect();
        // One batch for each partition, with its note.
        while let Some(first) = letters.first().map(|(stored, _)| stored.batch) {
            let of_first = |one: &mut (StoredRecord<'_>, &str)| is_one_place(one.0.batch, first);
            let mine: Vec<_> = letters.extract_if(.., of_first).collect();
            let since = progress.since(first);
            let offsets: Vec<(i32, i64)> =
                mine.iter().map(|(stored, _)| (stored.batch.epoch, stored.offset)).collect();
            let mut batch = self.begin(attempts);
            for (stored, reason) in &mine {
                push(stored, reason, &mut batch);
            }
            batch.set_position(buried.position(first, since, &offsets));
            condition.cloned().into_iter().for_each(|condition| batch.set_condition(condition));
            let closed = |_closed| NotStored("the agent is stopping".to_owned());
            emitter.send(batch).await.map_err(closed)?.stored().await?;
            buried.add(first, since, &offsets);
        }
        Ok(())
    }

    /// Whether there are notes that the next commit makes void.
    pub(super) async fn has_notes(&self) -> bool {
        self.way.is_some() && self.buried.lock().await.has_any()
    }

    /// What was delivered is committed: the notes about it are void.
    pub(super) async fn committed(&self, progress: &Progress) {
        let void = self.buried.lock().await.committed(&progress.ends());
        // One that finds no way in now stays and does no harm: the commit is behind it, and nothing waits for it.
        self.take_away(void).now_or_never();
    }

    /// Forgets what lies there: the sink was set back, and what it refuses is to be buried anew.
    pub async fn forget(&self) {
        let void = self.buried.lock().await.forget();
        self.take_away(void).await;
    }

    async fn take_away(&self, void: Vec<Vec<u8>>) {
        let Some((emitter, _)) = &self.way else { return };
        for key in void {
            // The agent is stopping.
            emitter.store_position(Position { key, value: None }).await.ok();
        }
    }

    fn begin(&self, attempts: u32) -> Batch {
        let headers = Headers::new()
            .with("__connect.errors.connector.name", self.sink.as_bytes())
            .with("__connect.errors.stage", b"TASK_PUT")
            .with("anabranch.dlq.attempts", (attempts + 1).to_string().as_bytes())
            .with("anabranch.dlq.timestamp", now_ms().to_string().as_bytes());
        Batch::new(Vec::new().into(), headers, now_ms(), 0)
    }
}

fn is_one_place(left: &StoredBatch, right: &StoredBatch) -> bool {
    left.partition == right.partition && left.topic.id == right.topic.id
}

/// The topic of what a sink could not deliver.
#[must_use]
pub(crate) fn fallback_of(sink: &str) -> String {
    format!("{sink}{FALLBACK}")
}

/// The topic of a sink's dead letters.
#[must_use]
pub(crate) fn topic_of(sink: &str) -> String {
    format!("{sink}{DEAD_LETTERS}")
}

fn push(stored: &StoredRecord<'_>, reason: &str, batch: &mut Batch) {
    copy_record(&stored.record, stored.record.headers.iter(), batch);
    batch.set_header("__connect.errors.topic", stored.batch.topic.name.as_bytes());
    batch.set_header("__connect.errors.partition", stored.batch.partition.to_string().as_bytes());
    batch.set_header("__connect.errors.offset", stored.offset.to_string().as_bytes());
    batch.set_header("__connect.errors.exception.message", reason.as_bytes());
}

#[cfg(test)]
mod tests {
    use anabranch_record::testing::store;

    use super::*;

    #[test]
    fn a_dead_letter_is_the_record_unchanged_with_the_reason_behind_it() {
        let mut batch = Batch::new(Vec::new().into(), Headers::new(), 1000, 0);
        batch.push_copy(b"");
        batch.set_null_value();
        batch.copy_header("none", None);
        batch.copy_header("empty", Some(b""));
        let stored = store(&batch);
        let mut letters = Batch::new(Vec::new().into(), Headers::new(), 0, 0);
        push(&stored.iter().next().unwrap(), "no", &mut letters);
        let letter = letters.iter().next().unwrap();
        let headers: Vec<_> = letter.headers.iter().collect();
        assert_eq!(headers[..2], [("none", None), ("empty", Some(&b""[..]))]);
        assert_eq!((letter.value, letter.key, letter.timestamp_ms), (None, None, 1000));
        assert_eq!(letter.headers.get("__connect.errors.exception.message"), Some(&b"no"[..]));
    }
}
