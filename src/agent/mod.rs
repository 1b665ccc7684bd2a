//! Wiring only: a configuration becomes a hub, a producer, sources, sinks and the admin listener.
//!
//! Stop follows the data: sources and deliveries are told; the producer's workers end because their sources have hung
//! up; the hub is closed last. A kill at any moment is as good, only that the next start recovers.

mod broker;
mod clients;
mod control;
mod error;
mod host;
mod hub;
mod identity;
mod life;
mod memory;
mod orders;
mod parts;
mod reload;
mod running;
mod start;

pub use control::Control;
pub use error::AgentError;
pub use host::host_name;
pub use hub::{kafka_settings, open as open_hub, settings as hub_settings};
pub use life::Signal;
pub(crate) use parts::reads;
pub use running::Agent;
