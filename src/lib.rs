//! Anabranch: collects logs and events, keeps them once in a durable log, and lets any number of systems read them
//! at their own pace.

pub mod config;
