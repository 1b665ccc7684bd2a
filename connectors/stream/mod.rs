//! Connections that others open. Every listener of the program (syslog, HTTP, the hub, admin) has its loop, its limits
//! and its counters from here.
//!
//! | file         | concept                                                                        |
//! |--------------|--------------------------------------------------------------------------------|
//! | `accept.rs`  | sockets that are listened on, and the loop that takes connections from them    |
//! | `places.rs`  | how many may be open; who has to go when another wants in                      |
//! | `heard.rs`   | a stream that tells its place when something comes                             |
//! | `process.rs` | how many of the process's open files are for connections                       |
//! | `local.rs`   | unix sockets: bound over what an earlier life has left                         |
//! | `http.rs`    | HTTP on one connection, within limits                                          |
//! | `meter.rs`   | what is counted                                                                |
//!
//! A silent connection costs a place and nothing else: when the places are taken, the one that was silent for longest
//! is closed for the next that comes, so that nobody is kept out by those who say nothing.
//!
//! Invariant: a connection that is worked for, or that was heard a second ago and has said something whole within the
//! last ten, is not closed for another.

mod accept;
mod heard;
pub mod http;
pub mod local;
mod meter;
mod places;
#[cfg(test)]
mod places_tests;
mod process;

pub use accept::{Door, Listener, Peer, Stream};
pub use heard::Heard;
pub use meter::{ConnectionMeter, Ended};
pub use places::{Place, Places, Work};
