//! What crosses every wall: records and batches, in Kafka's encoding where it matters.
//!
//! [`Batch`] is the unit on the way in, [`StoredBatch`] and [`Records`] are those on the way out. Nobody is known here: not
//! the hub, not the network, not a clock.
//!
//! Invariant: every span lies inside its buffer.

mod amount;
pub mod batch;
#[cfg(test)]
mod batch_tests;
pub mod chain;
pub mod condition;
mod copy;
mod cut;
pub mod digits;
pub mod frames;
pub mod header;
pub mod origin;
pub mod places;
#[cfg(test)]
mod places_tests;
pub mod pool;
pub mod selection;
pub mod stored;
#[doc(hidden)]
pub mod testing;
mod topic_partition;
pub mod varint;

pub use amount::Amount;
pub use batch::{Batch, Position, Record};
pub use chain::Chain;
pub use condition::Condition;
pub use copy::copy_record;
pub use header::Headers;
pub use pool::{Buffer, Pool};
pub use selection::Records;
pub use stored::{StoredBatch, StoredRecord, Topic};
pub use topic_partition::TopicPartition;
