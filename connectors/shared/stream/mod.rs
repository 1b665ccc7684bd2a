//! Connections that others open. Every listener of the program (syslog, HTTP, the hub, admin) has its loop, its limits
//! and its counters from here.
//!
//! | file              | concept                                                                      |
//! |-------------------|------------------------------------------------------------------------------|
//! | `accept.rs`       | sockets that are listened on, and the loop that takes connections from them  |
//! | `connection.rs`   | one connection, plain or with TLS, and who is at its other end               |
//! | `terms.rs`        | what is asked of those who connect: an address in a list, a header, TLS      |
//! | `allow.rs`        | who may connect, by address                                                  |
//! | `proxy_header.rs` | the header by which a proxy tells for whom it connects                       |
//! | `tls.rs`          | certificates and keys, loaded and read anew                                  |
//! | `places.rs`       | how many may be open, and whose turn it is                                   |
//! | `crowd.rs`        | who has to go when there are more than places, and how many at a time        |
//! | `heard.rs`        | a stream that tells its place when something comes                           |
//! | `process.rs`      | how many of the process's open files are for connections                     |
//! | `linger.rs`       | the end of a connection whose far side may still send                        |
//! | `inet.rs`         | TCP sockets that are listened on                                             |
//! | `local.rs`        | unix sockets: bound over what an earlier life has left                       |
//! | `activation.rs`   | sockets that systemd has opened                                              |
//! | `http.rs`         | HTTP on one connection, within limits                                        |
//! | `meter.rs`        | what is counted                                                              |
//!
//! A silent connection costs a place and nothing else: when the places are taken, the one that was silent for longest
//! is closed for the next that comes, so that nobody is kept out by those who say nothing.
//!
//! Invariant: a connection that is worked for, or on which more than next to nothing comes and that has said something whole
//! within the last ten seconds, is not closed for another before it was silent for one, or has had a quarter of one to read
//! its last answer.

mod accept;
pub mod activation;
pub mod allow;
mod connection;
mod crowd;
mod heard;
pub mod http;
pub mod inet;
mod linger;
pub mod local;
mod meter;
mod places;
#[cfg(test)]
mod places_tests;
mod process;
pub mod proxy_header;
pub mod terms;
#[cfg(test)]
mod terms_tests;
pub mod tls;

pub use accept::{Door, Listener};
pub use connection::{Peer, Stream};
pub use heard::Heard;
pub use inet::BACKLOG;
pub use meter::{ConnectionMeter, Ended};
pub use places::{Place, Places, Work};
pub use terms::{Arrived, Terms};
