//! What is known of topics that are written to, looked up once and then now and again; they are made on first use.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rdkafka::error::RDKafkaErrorCode;
use tokio::time::Instant;
use tracing::info;

use super::admin::Observer;
use super::changes;
use super::encode::{AROUND, Limits};
use super::settings::{QUEUE_BYTES, Settings};
use crate::hub::{DEAD_LETTERS, HubError};

/// How long a look at a topic counts.
const FRESH: Duration = Duration::from_secs(60);

/// How long a caller waits for a topic that cannot be had.
const PATIENCE: Duration = Duration::from_secs(30);

/// Between two looks at a topic that cannot be had.
const PAUSE: Duration = Duration::from_millis(200);

/// How long one look may take, at least and at most; it stands in the way of a stop.
const LOOK_MIN: Duration = Duration::from_millis(100);
const LOOK_MAX: Duration = Duration::from_secs(3);

/// The brokers' default for the largest batch.
const MESSAGE_MAX: usize = 1_048_588;

/// Topics that are written to.
pub(super) struct Topics {
    settings: Arc<Settings>,
    observer: Arc<Observer>,
    known: Mutex<HashMap<String, Known>>,
}

/// What a writer wants to know of a topic.
#[derive(Debug, Clone, Copy)]
struct Known {
    partitions: u32,
    message_max: usize,
    /// Largest batch that was not refused, as far as is known, bytes before compression.
    batch_max: usize,
    looked: Instant,
}

impl Topics {
    pub(super) fn new(settings: Arc<Settings>, observer: Arc<Observer>) -> Self {
        Self { settings, observer, known: Mutex::default() }
    }

    /// How many partitions `topic` has; it is made when it does not exist. Waits for a cluster that is away.
    pub(super) fn partitions(&self, topic: &str) -> Result<u32, HubError> {
        self.partitions_within(topic, PATIENCE)
    }

    /// As [`Topics::partitions`], for no longer than `limit`.
    pub(super) fn partitions_within(&self, topic: &str, limit: Duration) -> Result<u32, HubError> {
        let give_up_at = Instant::now() + limit;
        loop {
            let left = give_up_at.saturating_duration_since(Instant::now());
            let pause = PAUSE.min(left);
            match self.partitions_once(topic, left.clamp(LOOK_MIN, LOOK_MAX)) {
                Err(HubError::NotNow(_)) if left > PAUSE => {}
                answer => return answer,
            }
            std::thread::park_timeout(pause);
        }
    }

    /// As [`Topics::partitions`], with one try.
    pub(super) fn partitions_now(&self, topic: &str) -> Result<u32, HubError> {
        self.partitions_once(topic, LOOK_MAX)
    }

    fn partitions_once(&self, topic: &str, limit: Duration) -> Result<u32, HubError> {
        let known = self.known(topic);
        if let Some(known) = known.filter(|known| known.looked.elapsed() < FRESH) {
            return Ok(known.partitions);
        }
        let found = match (self.look(topic, known, limit), known) {
            (Ok(found), _) => found,
            // What was known counts a while longer.
            (Err(HubError::NotNow(_)), Some(known)) => Known { looked: Instant::now(), ..known },
            (Err(error), _) => return Err(error),
        };
        self.lock().insert(topic.to_owned(), found);
        Ok(found.partitions)
    }

    /// Largest record that the brokers take for `topic`, bytes with everything around it.
    pub(super) fn message_max(&self, topic: &str) -> usize {
        self.known(topic).map_or(MESSAGE_MAX, |known| known.message_max)
    }

    /// How large the batches and records of `topic` may be.
    pub(super) fn limits(&self, topic: &str, batch_size: usize) -> Limits {
        let (message_max, batch_max) = match self.known(topic) {
            Some(known) => (known.message_max, known.batch_max),
            None => (MESSAGE_MAX, usize::MAX),
        };
        let record_max = message_max.saturating_sub(AROUND);
        // What does not compress grows a little by the framing of the codec.
        let fitting = record_max.saturating_sub(message_max / 256);
        Limits { batch_max: batch_size.min(batch_max).min(fitting), record_max }
    }

    /// Largest batch that every topic takes, as far as is known, bytes.
    pub(super) fn batch_max(&self) -> usize {
        let known = self.lock();
        known.values().map(|known| known.batch_max).min().unwrap_or(usize::MAX)
    }

    /// Learns that the brokers did not take a record of `size` bytes that was alone in its batch.
    pub(super) fn refused_record(&self, topic: &str, size: usize) {
        if let Some(known) = self.lock().get_mut(topic) {
            // A dead letter is cut to what is left, which must not take a try for each byte.
            let is_dead = topic.ends_with(DEAD_LETTERS);
            let fitting = if is_dead { size / 2 } else { size.saturating_sub(1) };
            known.message_max = known.message_max.min(fitting);
        }
    }

    /// Learns that the brokers did not take a batch of `size` bytes before compression.
    pub(super) fn refused_batch(&self, topic: &str, size: usize) {
        if let Some(known) = self.lock().get_mut(topic) {
            known.batch_max = known.batch_max.min(size / 2).max(1);
        }
    }

    /// Forgets a topic that does not exist any more.
    pub(super) fn forget(&self, topic: &str) {
        self.lock().remove(topic);
    }

    /// Learns from a record of `size` bytes that librdkafka could not deliver. A small one was refused for the batch
    /// that it was in.
    pub(super) fn failed(&self, topic: &str, code: RDKafkaErrorCode, size: usize) {
        if is_unknown(code) {
            self.forget(topic);
        } else if is_too_large(code) {
            if size >= self.message_max(topic) / 2 {
                self.refused_record(topic, size);
            } else {
                self.refused_batch(topic, self.message_max(topic).min(self.batch_max()));
            }
        }
    }

    fn look(&self, topic: &str, known: Option<Known>, limit: Duration) -> Result<Known, HubError> {
        let partitions = match self.observer.partitions_within(topic, limit)? {
            Some(partitions) => partitions,
            None => self.make(topic)?,
        };
        let message_max = known.map(|known| known.message_max);
        let message_max = message_max
            .or_else(|| changes::message_max(&self.settings, topic))
            .unwrap_or(MESSAGE_MAX)
            .min(QUEUE_BYTES / 2);
        let batch_max = known.map_or(usize::MAX, |known| known.batch_max);
        Ok(Known { partitions, message_max, batch_max, looked: Instant::now() })
    }

    fn make(&self, topic: &str) -> Result<u32, HubError> {
        let partitions = self.settings.partitions_of(topic);
        match changes::create(&self.settings, topic, partitions) {
            Ok(()) => info!(topic, partitions, "made a topic"),
            Err(HubError::Exists(_)) => {}
            Err(error) => return Err(error),
        }
        let unseen = || HubError::NotNow(format!("topic \"{topic}\" was made and is not seen yet"));
        self.observer.partitions(topic)?.ok_or_else(unseen)
    }

    fn known(&self, topic: &str) -> Option<Known> {
        self.lock().get(topic).copied()
    }

    fn lock(&self) -> parking_lot::MutexGuard<'_, HashMap<String, Known>> {
        self.known.lock()
    }
}

fn is_unknown(code: RDKafkaErrorCode) -> bool {
    matches!(
        code,
        RDKafkaErrorCode::UnknownTopic
            | RDKafkaErrorCode::UnknownPartition
            | RDKafkaErrorCode::UnknownTopicOrPartition
    )
}

/// Whether the brokers found the batch that a record was in too large.
pub(super) fn is_too_large(code: RDKafkaErrorCode) -> bool {
    matches!(code, RDKafkaErrorCode::MessageSizeTooLarge | RDKafkaErrorCode::InvalidMessageSize)
}
