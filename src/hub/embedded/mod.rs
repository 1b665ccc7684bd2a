//! The embedded hub: the durable log in this process, with one writer thread and one that keeps house.
//!
//! Invariant: only the writer appends; what a receipt or a commit promises is on disk as `flush` says before it settles.

pub(crate) mod groups;
#[cfg(test)]
mod histories;
mod hub;
mod keep;
mod local;
mod open;
pub(crate) mod read;
mod shared;
mod sources;
#[cfg(test)]
mod tests;
pub(crate) mod topics;
mod transactions;
pub mod view;
mod write;

pub(crate) use groups::members::IN_PROCESS;
pub(crate) use groups::offsets::Committed;
pub use hub::Embedded;
pub use read::decode::decode;
pub(crate) use read::decode::decode_within;
pub(crate) use shared::Shared;
pub use topics::settings::{Cleanup, Flush, Settings, TopicSettings, WhenFull};
pub(crate) use topics::table::TopicState;
pub(crate) use transactions::fault::TransactionFault;
pub(crate) use transactions::state::{Phase, Transaction};
pub(crate) use transactions::steps::EndFault;
pub(crate) use write::command::{ProduceFault, Produced};
pub(crate) use write::encode::OWN_PRODUCER;
