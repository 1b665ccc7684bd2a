//! Topics: which there are, how each is kept, and their end.

pub(crate) mod configs;
mod deletion;
#[cfg(test)]
mod deletion_tests;
mod effective;
pub(crate) mod kept;
mod known;
pub(super) mod settings;
pub(super) mod table;
pub(super) mod topic_id;
