//! Posts batches over HTTP.

mod request;
mod settings;
mod sink;
#[cfg(test)]
mod sink_tests;

pub use request::Format;
pub use settings::{Method, SinkCompression, SinkConfig};
pub use sink::{HttpSink, probe};
