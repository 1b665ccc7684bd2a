//! Consumer groups: what they have committed, who is a member, who reads what.

mod advance;
pub(crate) mod consumer_groups;
pub(crate) mod coordinator;
pub(crate) mod coordinators;
#[cfg(test)]
mod coordinators_tests;
pub(super) mod fields;
pub(super) mod lag;
pub(super) mod members;
pub(super) mod membership;
pub(super) mod offsets;
pub(super) mod oldest;
mod states;
