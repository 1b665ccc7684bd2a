//! What a configuration's settings say about each other: everything that can only go wrong, all at once.
//!
//! Nothing is bound or connected here; only certificates and files of users are read.

mod acls;
mod address;
mod admin;
mod all;
mod circles;
mod clients;
mod connectors;
mod findings;
mod hub;
mod listeners;
mod log;
mod loops;
mod names;
mod paths;
mod producer;
mod reach;
mod sinks;
mod topic_name;
mod topics;

pub use all::check;
pub(super) use all::check_connectors;
pub(super) use findings::doubtful;
pub use findings::{Invalid, Level};
pub use reach::open_to_all;
