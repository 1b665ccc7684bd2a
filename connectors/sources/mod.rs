//! The sources: one folder each.

pub mod file;
pub mod http;
pub mod stdin;
pub mod syslog;
