//! The hub: where batches are kept once and read by many. Two of them stand behind the same small traits: the
//! embedded log in this process, and an Apache Kafka cluster.

mod acks;
mod advance;
mod contract;
mod counted;
pub mod embedded;
mod error;
mod fetched;
pub mod kafka;
mod lag;
mod ledger;
mod names;
mod offset;
mod part;
pub mod remote;
pub mod running;
mod spec;
pub(crate) mod state;

pub use crate::metrics::Lag;
pub use acks::Acks;
pub use advance::{Advance, Placed};
pub use contract::{Appender, Consumer, Hub};
pub use counted::Counted;
pub use error::HubError;
pub use fetched::{Fetched, FetchedBatch};
pub use lag::{GroupLag, Reads};
pub use ledger::{sink_rows, sink_rows_and_topics, verify};
pub use names::{DEAD_LETTER_SOURCE, DEAD_LETTERS, FALLBACK, FALLBACK_SOURCE, REPLAY};
pub use offset::{GroupInfo, Lasting, Offset, PartitionInfo, TopicInfo};
pub use part::Part;
pub use spec::{ConsumerSpec, StartAt, TopicSelector};
pub use state::account as account_of;
