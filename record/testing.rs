//! Stored batches without a hub, for the tests of sinks.

use std::sync::{Arc, OnceLock};

use super::stored::{Cut, push_record};
use crate::{Batch, Buffer, StoredBatch, Topic, varint};

/// The records of `batch`, as if stored in partition 2 of topic `t` from offset 10 on, under epoch 1.
#[must_use]
pub fn store(batch: &Batch) -> Arc<StoredBatch> {
    let mut data = Vec::new();
    for (index, record) in batch.iter().enumerate() {
        let time = record.timestamp_ms.wrapping_sub(batch.timestamp_ms());
        push_record(&record, (time, varint::length(index)), &[], &mut data);
    }
    Arc::new(StoredBatch {
        topic: Arc::new(Topic { name: "t".into(), id: "hub.t".into() }),
        partition: 2,
        epoch: 1,
        base_offset: 10,
        next_offset: 10 + varint::length(batch.len()),
        base_timestamp_ms: batch.timestamp_ms(),
        append_timestamp_ms: None,
        count: u32::try_from(batch.len()).unwrap_or(u32::MAX),
        data: data.into(),
        places: OnceLock::new(),
        cut: Cut::default(),
    })
}

/// As [`store`]: values with the header `host: h` at 1000 ms.
#[must_use]
pub fn stored(values: &[&[u8]]) -> Arc<StoredBatch> {
    let headers = crate::Headers::new().with("host", b"h");
    let mut batch = Batch::new(Buffer::default(), headers, 1000, 0);
    for value in values {
        batch.push_copy(value);
    }
    store(&batch)
}
