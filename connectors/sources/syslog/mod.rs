//! Syslog: RFC 3164 and RFC 5424 over UDP, TCP and unix sockets.
//!
//! The whole message is the value of a record, as it came, without the delimiter at its end. What it says about itself
//! are headers: `syslog.facility`, `syslog.severity`, `syslog.version` (`1` for RFC 5424), `syslog.hostname`,
//! `syslog.appname`, `syslog.procid`, `syslog.msgid`, `syslog.structured_data`, `syslog.sequence` (the numbers before a
//! message of Cisco's), and `syslog.message_at`, the decimal index of the byte of the value at which the text behind all
//! these begins. `peer` is the address of the sender. `host` is the machine that a message is from: as it says, else the
//! sender, over a unix socket this machine.
//!
//! A message that does not parse is kept as well, with the reason in `parse_error`. A message that is longer than
//! `max_message_bytes` comes in pieces; each but the last has `continued: true`, only the first is parsed. A message in the middle
//! of which the agent ends a stream (it stops, or needs the memory) has it too: it is there as far as it came.

mod alike;
mod calendar;
mod config;
mod connector;
mod datagrams;
mod drops;
mod headers;
mod message;
mod name;
mod parse;
mod parsed;
mod rfc3164;
mod rfc5424;
mod sockets;
mod source;
mod streams;
mod timestamp;
mod zone;

#[cfg(test)]
mod captures;
#[cfg(test)]
mod devices;
#[cfg(test)]
mod tests;

pub use calendar::Received;
pub use config::{Listen, SourceConfig};
pub use parse::parse;
pub use parsed::Parsed;
pub use source::{Bound, SyslogSource};
