//! Gathers messages of one partition into a stored batch, record by record in the hub's own encoding.

use std::sync::Arc;

use anabranch_record::header::{self, HeadersRef};
use anabranch_record::{Pool, Record, StoredBatch, Topic, stored};
use rdkafka::message::{BorrowedMessage, Headers, Message};

/// A batch is cut when it holds this much, bytes.
const BATCH_BYTES: usize = 1 << 20;

/// A batch, and the offsets between its records that hold none: marks of transactions, and what is no more.
#[derive(Debug)]
pub(super) struct Gathered {
    pub(super) batch: StoredBatch,
    pub(super) gaps: Vec<(i64, i64)>,
}

/// Gathers into one batch at a time.
#[derive(Debug)]
pub(super) struct Gatherer {
    pool: Pool,
    cluster: String,
    topics: Vec<Arc<Topic>>,
    batch: Option<StoredBatch>,
    gaps: Vec<(i64, i64)>,
    headers: Vec<u8>,
}

impl Gatherer {
    pub(super) fn new(cluster: String) -> Self {
        let pool = Pool::new(8, 4 * BATCH_BYTES);
        let (topics, gaps) = (Vec::new(), Vec::new());
        Self { pool, cluster, topics, batch: None, gaps, headers: Vec::new() }
    }

    /// Adds a message; gives the batch that it does not belong to, or that it fills.
    pub(super) fn push(&mut self, message: &BorrowedMessage<'_>) -> Option<Gathered> {
        let (topic, partition) = (message.topic(), message.partition());
        let belongs = self.batch.as_ref().is_some_and(|batch| {
            batch.partition == partition
                && batch.topic.name == topic
                && batch.data.len() < BATCH_BYTES
        });
        let done = if belongs { None } else { self.take() };
        self.headers.clear();
        let mut header_count = 0;
        if let Some(headers) = message.headers() {
            for one in headers.iter() {
                header::push(one.key, one.value, &mut self.headers);
                header_count += 1;
            }
        }
        let record = Record {
            key: message.key(),
            value: message.payload(),
            timestamp_ms: message.timestamp().to_millis().unwrap_or(-1),
            header_count,
            headers: HeadersRef { common: &self.headers, own: &[] },
        };
        let offset = message.offset();
        if self.batch.is_none() {
            let topic = topic_of(&mut self.topics, &self.cluster, topic);
            self.batch = Some(begin(&self.pool, (topic, partition), offset, record.timestamp_ms));
        }
        if let Some(batch) = &mut self.batch {
            let time = record.timestamp_ms - batch.base_timestamp_ms;
            let deltas = (time, offset - batch.base_offset);
            stored::push_record(&record, deltas, &[], &mut batch.data);
            if batch.count > 0 && batch.next_offset < offset {
                self.gaps.push((batch.next_offset, offset));
            }
            batch.next_offset = offset + 1;
            batch.count += 1;
        }
        done
    }

    /// What has been gathered.
    pub(super) fn take(&mut self) -> Option<Gathered> {
        let gaps = std::mem::take(&mut self.gaps);
        self.batch.take().map(|batch| Gathered { batch, gaps })
    }

    /// Whether nothing is being gathered.
    pub(super) fn is_empty(&self) -> bool {
        self.batch.is_none()
    }
}

/// Offsets name a record of Kafka for ever, whatever leader wrote it, so the epoch is always 0: the same record has
/// the same id each time that it is fetched.
fn begin(pool: &Pool, place: (Arc<Topic>, i32), base_offset: i64, time_ms: i64) -> StoredBatch {
    StoredBatch {
        topic: place.0,
        partition: place.1,
        epoch: 0,
        base_offset,
        next_offset: base_offset,
        base_timestamp_ms: time_ms,
        append_timestamp_ms: None,
        count: 0,
        data: pool.take(),
        places: std::sync::OnceLock::new(),
        cut: stored::Cut::default(),
    }
}

fn topic_of(topics: &mut Vec<Arc<Topic>>, cluster: &str, name: &str) -> Arc<Topic> {
    if let Some(known) = topics.iter().find(|known| known.name == name) {
        return Arc::clone(known);
    }
    let topic = Arc::new(Topic { name: name.to_owned(), id: format!("{cluster}.{name}") });
    topics.push(Arc::clone(&topic));
    topic
}
