//! The way into the embedded hub: encodes on the caller's thread and hands whole batches to the writer.

use std::sync::Arc;

use anabranch_connectors::contract::receipt::Stored;
use anabranch_record::Pool;
use parking_lot::Mutex;
use tracing::error;

use super::command::{Append, Command};
use super::encode::encode;
use crate::hub::embedded::Shared;
use crate::hub::{Acks, Appender, HubError, Part};
use crate::wire::Builder;

/// Encodes and hands on. One builder is in use for each thread that appends.
pub(crate) struct EmbeddedAppender {
    shared: Arc<Shared>,
    builders: Mutex<Vec<Builder>>,
    pool: Pool,
}

impl EmbeddedAppender {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, builders: Mutex::default(), pool: Pool::new(8, 4 << 20) }
    }

    fn builder(&self) -> Builder {
        let known = self.builders.lock().pop();
        let (codec, level) = self.shared.settings.compression;
        known.unwrap_or_else(|| Builder::new(codec, level))
    }
}

impl Appender for EmbeddedAppender {
    fn partitions(&self, topic: &str) -> Result<u32, HubError> {
        if self.shared.topics.get(topic).is_none() {
            self.shared.ensure(topic, None)?;
        }
        let state = self.shared.topics.get(topic);
        let state = state.ok_or_else(|| HubError::UnknownTopic(topic.to_owned()))?;
        Ok(u32::try_from(state.partitions.len()).unwrap_or(u32::MAX))
    }

    fn append(&self, topic: &str, partition: i32, mut parts: Vec<Part>) {
        let Ok(partition) = self.shared.partition(topic, partition) else {
            // Deleted a moment ago: the parts are handed back to their sources, which may try again.
            return;
        };
        let mut builder = self.builder();
        let mut bytes = self.pool.take();
        let runs = match encode(&mut builder, &mut parts, &mut bytes) {
            Ok(runs) => runs,
            Err(cause) => {
                error!(%cause, topic, "a batch could not be encoded; it is handed back to its source");
                return;
            }
        };
        self.builders.lock().push(builder);
        for part in &mut parts {
            part.release();
        }
        if self.shared.settings.acks == Acks::None {
            let stored = Stored { partition: partition.name().partition, offset: -1 };
            let settled = |part: Part| part.settle(Ok(stored));
            // Positions would be settled before they are stored: with `acks: 0` that is what was asked for.
            let kept = std::mem::take(&mut parts);
            kept.into_iter().for_each(settled);
        }
        // When the writer is gone the parts are dropped, which tells their sources.
        self.shared.command(Command::Append(Append { partition, bytes, parts, runs })).ok();
    }

    fn store_positions(&self, parts: Vec<Part>) {
        self.shared.command(Command::Positions(parts)).ok();
    }
}
