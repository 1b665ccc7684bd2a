//! Syslog: RFC 3164 and RFC 5424 over UDP, TCP and unix sockets.

mod source;

pub use source::{SourceConfig, SyslogSource};
