//! HTTP: a source that takes events, a sink that posts batches.

pub(crate) mod answer;
pub(crate) mod client;
mod request;
pub mod responses;
mod settings;
mod sink;
#[cfg(test)]
mod sink_tests;
pub mod source;

pub use client::{Auth, Tls};
pub use request::Format;
pub use settings::{Method, SinkCompression, SinkConfig};
pub use sink::{HttpSink, probe};
pub use source::{HttpSource, SourceConfig};
