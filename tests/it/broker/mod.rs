//! What speaks Kafka speaks to the embedded hub: real clients at its own listeners.

mod access;
mod changed_access;
mod clients;
mod compaction;
mod consumer_groups;
mod crash;
mod denied;
mod differential;
mod every_api;
mod limits;
mod login;
mod newest_versions;
pub(crate) mod raw;
mod rejected;
mod rig;
mod security;
mod settings;
