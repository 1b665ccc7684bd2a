//! Anabranch: collects logs and events, keeps them once in a durable hub, and lets any number of systems read them
//! at their own pace.

pub mod config;
pub mod delivery;
pub mod hub;
pub mod log;
pub mod metrics;
pub mod producer;
pub mod retry;
pub mod wire;

pub use anabranch_connectors as connectors;
