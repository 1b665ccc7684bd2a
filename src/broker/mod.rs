//! The embedded hub on a socket, in Kafka's protocol.

pub(crate) mod auth;
