//! The sinks: one folder each.

pub mod elasticsearch;
pub mod file;
pub mod http;
pub mod stdout;
