//! The machine that the agent runs on, as its parts are told of it.

use anabranch_connectors::contract::build::Surroundings;

/// This machine's name.
#[must_use]
pub fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// What the part `name` is told of where it runs.
pub(super) fn surroundings(name: &str) -> Surroundings {
    Surroundings { name: name.to_owned(), host: host_name() }
}
