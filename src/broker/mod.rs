//! The embedded hub on a socket, in Kafka's protocol: whoever can talk to Kafka can talk to it.
//!
//! | file            | concept                                                                 |
//! |-----------------|-------------------------------------------------------------------------|
//! | `shared.rs`     | what all connections share                                              |
//! | `listener.rs`   | sockets that are listened on, and how many may be connected             |
//! | `network.rs`    | the threads that connections are served on                              |
//! | `connection.rs` | frames in, answers out, in order                                        |
//! | `outlet.rs`     | the way out: bytes, and what lies in files                              |
//! | `security.rs`   | what a listener asks of clients: TLS, passwords                         |
//! | `auth/`         | certificates, SASL mechanisms, access control lists                     |
//! | `schema.rs`     | looks through a request before anything is allocated for it             |
//! | `api/`          | the requests, one family a file; `api/table.rs` has all of them         |
//! | `groups.rs`     | the coordinator of groups with those who wait for it                    |
//!
//! The hot path decodes no record: a batch that is produced is verified and appended as it came, a fetch gives the
//! bytes as they lie. Everything else goes through the `kafka-protocol` crate.
//!
//! Invariant: answers of one connection keep the order of its requests. Nothing that a peer claims is allocated before
//! its bytes are there.

mod api;
mod connection;
mod listener;
mod network;
mod outlet;
mod schema;
mod security;
mod shared;

pub use listener::{Addresses, Listening, serve, serve_stream};
pub use network::Network;
pub(crate) use security::{Asked, Security};
use shared::NODE;
pub use shared::{Broker, Settings};
