//! Posts batches over HTTP.

mod config;
mod connector;
mod request;
mod sink;
#[cfg(test)]
mod sink_tests;

pub use config::{Method, SinkCompression, SinkConfig};
pub use request::Format;
pub use sink::HttpSink;
