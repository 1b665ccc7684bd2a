//! What the producer hands to its worker: messages, where they go, and whom to tell.

use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::{ClientError, Message, RecordMetadata};
use crate::producer::partitioner::{Partitioner, partition_of};

/// Chooses among the partitions of the message's topic, `0..partitions`.
pub(super) type Choose = dyn Fn(&Message, u32) -> i32 + Send + Sync;

/// What became of a message.
pub(super) type Outcome = Result<RecordMetadata, ClientError>;

/// What the worker is asked to do.
pub(super) enum Request {
    Send(Box<Sending>),
    Flush(oneshot::Sender<()>),
}

/// A message with whom to tell, and its share of `buffer_memory`.
pub(super) struct Sending {
    pub(super) message: Message,
    pub(super) sent: tokio::time::Instant,
    pub(super) tell: Box<dyn FnOnce(Outcome) + Send>,
    pub(super) _share: OwnedSemaphorePermit,
}

/// The partition of a message: its own, the chosen one, by its key, or the one whose turn it is.
pub(super) fn place(
    message: &Message,
    partitions: u32,
    choose: Option<&Choose>,
    turn: u32,
) -> Result<i32, ClientError> {
    let by_key = || partition_of(Partitioner::Default, message.key.as_deref(), partitions);
    let partition = match (message.partition, choose) {
        (Some(partition), _) => partition,
        (None, Some(choose)) => choose(message, partitions),
        (None, None) => {
            by_key().unwrap_or_else(|| i32::try_from(turn % partitions.max(1)).unwrap_or(0))
        }
    };
    if u32::try_from(partition).is_ok_and(|number| number < partitions) {
        return Ok(partition);
    }
    Err(ClientError::NoPartition { topic: message.topic.clone(), partition, partitions })
}
