//! What speaks Kafka speaks to the embedded hub: real clients at its own listeners.

mod access;
mod clients;
mod compaction;
mod crash;
mod denied;
mod differential;
mod login;
mod rig;
mod security;
