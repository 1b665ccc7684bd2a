//! HTTP as a client: connections, what is written to them, and how answers are read.

pub(crate) mod answer;
pub(crate) mod client;
pub mod responses;

pub use client::{Auth, Tls};

/// What HTTP is called elsewhere.
pub(crate) const ALSO: &[&str] = &["http_server", "http_listener", "webhook", "splunk_hec", "loki"];
