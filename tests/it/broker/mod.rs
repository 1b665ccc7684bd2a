//! What speaks Kafka speaks to the embedded hub: real clients at its own listeners.

mod access;
mod clients;
mod compaction;
mod crash;
mod denied;
mod differential;
mod limits;
mod login;
mod raw;
mod rejected;
mod rig;
mod security;
