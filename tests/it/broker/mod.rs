//! The embedded hub's own listeners, with real clients of Kafka's protocol.

mod access;
mod denied;
mod login;
mod rig;
mod security;
